import type { LiveExplanation } from '../query/live.js'
import type { SubscriberOptions } from './check-subscribe-options.js'
import { Subscriber } from './subscriber.js'
import type { TraceState } from './tracing.js'

/** What a listener has instead of an own state to compare with. */
export const NONE: unique symbol = Symbol('none')

/** What listeners say of what they listen to. */
interface Heard {
  readonly listeners: { readonly size: number }
  readonly traced: TraceState | undefined
}

/** One subscription to a named query: what was given for it, and how far it has come. */
export class Listener extends Subscriber {
  readonly #callback: (result: unknown) => unknown
  /** It wants the first result too. */
  readonly isImmediate: boolean
  /** Settles what it waits for, until there is a first result. */
  waiting: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined
  /** Number of the first run of the query whose result is new enough for it; Infinity: none is, yet. */
  runFirst = 0
  /** The result that it knows, where that is not what the others were told last. */
  baseline: unknown = NONE
  /** It goes on where its first run fails. */
  goesOn = false
  /** Where its first run met a commit that was taken back: how many commits there had been when that run began. */
  commits: number | undefined

  constructor(
    callback: (result: unknown) => unknown,
    options: SubscriberOptions,
    onErrorOfStore: (error: Error) => void,
  ) {
    super(options, onErrorOfStore)
    this.#callback = callback
    this.isImmediate = options.immediate === true
  }

  /** Whether a first result, of a run that began after so many commits, may have what it has to be told of. */
  isLate(commits: number): boolean {
    return (this.commits ?? commits) !== commits
  }

  /** It is over: nobody calls it any more. Never throws. */
  end(): void {
    this.arrived()
    this.letGo()
  }

  /** It has what it has waited for. */
  arrived(): void {
    this.waiting?.resolve()
    this.waiting = undefined
  }

  /** Calls back. @param durable how far the log is durable. */
  deliver(result: unknown, durable: number): void {
    try {
      this.advance(durable)
      this.deliveries++
      const outcome = this.#callback(result)
      if (outcome instanceof Promise) outcome.catch((error: unknown) => this.tell(error))
    } catch (error) {
      // Also where it has just ended its subscription.
      this.tell(error)
    }
  }

  /** What it was told so far. @param query what it listens to; undefined where that has never begun. */
  explain(name: string, params: unknown, query: Heard | undefined): LiveExplanation {
    return this.explanationOf(name, params, query?.listeners.size ?? 0, query?.traced)
  }
}
