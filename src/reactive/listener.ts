import { assert } from '../base/assert.js'
import { asError } from '../base/errors.js'
import type { LiveExplanation } from '../query/live.js'
import type { TraceState } from './tracing.js'

/** What a listener has instead of an own state to compare with. */
export const NONE: unique symbol = Symbol('none')

/** What listeners say of what they listen to. */
interface Heard {
  readonly listeners: { readonly size: number }
  readonly traced: TraceState | undefined
}

/** One who has subscribed to a named query: what he gave, and how far he has come. */
export class Listener {
  readonly #callback: (result: unknown) => unknown
  readonly #onError: (error: Error) => void
  readonly #onErrorOfStore: (error: Error) => void
  /** He wants the first result too. */
  readonly isImmediate: boolean
  readonly isTraced: boolean
  isActive = true
  /** Settles what he waits for, until there is a first result. */
  waiting: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined
  /** Number of the first run of the query whose result is new enough for him; Infinity: none is, yet. */
  runFirst = 0
  /** What he has subscribed to, where that is not what the others were told last. */
  baseline: unknown = NONE
  /** He was told of an error of the query, and of no result since. */
  hasFailed = false
  /** How far the log was when he was last called back. */
  deliveredAt = 0
  deliveries = 0
  /** Ends the subscription, and lets go of its signal. */
  stop: () => void = () => undefined

  constructor(
    callback: (result: unknown) => unknown,
    onError: ((error: Error) => void) | undefined,
    onErrorOfStore: (error: Error) => void,
    isImmediate: boolean,
    isTraced: boolean,
  ) {
    this.#callback = callback
    this.#onError = onError ?? onErrorOfStore
    this.#onErrorOfStore = onErrorOfStore
    this.isImmediate = isImmediate
    this.isTraced = isTraced
  }

  /** He has what he has waited for. */
  isThere(): void {
    this.waiting?.resolve()
    this.waiting = undefined
  }

  /** Calls back. Holds Q2. @param durable how far the log is durable. */
  deliver(result: unknown, durable: number): void {
    try {
      const last = this.deliveredAt
      assert(durable >= last, 'Q2', () => `a result of ${durable} comes after one of ${last}`)
      this.deliveredAt = durable
      this.deliveries++
      const outcome = this.#callback(result)
      if (outcome instanceof Promise) outcome.catch((error: unknown) => this.report(error))
    } catch (error) {
      this.report(error)
    }
  }

  /** Tells of an error of the query, or of the callback. */
  report(thrown: unknown): void {
    if (!this.isActive) return
    try {
      this.#onError(asError(thrown))
    } catch (error) {
      this.#onErrorOfStore(asError(error))
    }
  }

  /** What he has been told so far. @param query what he listens to; undefined where that has never begun. */
  explain(name: string, params: unknown, query: Heard | undefined): LiveExplanation {
    const { deliveries, deliveredAt: position } = this
    const evaluations = [...(query?.traced?.log ?? [])]
    return { query: name, params, deliveries, shared: query?.listeners.size ?? 0, position, evaluations }
  }
}
