import { assert } from '../base/assert.js'
import { asError } from '../base/errors.js'
import type { LiveExplanation } from '../query/live.js'
import type { SubscriberOptions } from './check-subscribe-options.js'
import type { TraceState } from './tracing.js'

/** What subscribers to rows and to named queries have in common: whom to tell of errors, and how far they have come. */
export abstract class Subscriber {
  readonly #onError: (error: Error) => void
  readonly #onErrorOfStore: (error: Error) => void
  readonly #signal: AbortSignal | undefined
  /** Its own option asks for traces. */
  readonly isTraced: boolean
  isActive = true
  /** It was told of an error, and of no result since. */
  hasFailed = false
  /** How often it was called back. */
  deliveries = 0
  /** Ends the subscription, and lets go of its signal. */
  stop: () => void = () => undefined
  #position = 0

  /** @param onErrorOfStore for what it does not take itself; never throws. */
  constructor({ onError, signal, trace }: SubscriberOptions, onErrorOfStore: (error: Error) => void) {
    this.#onError = onError ?? onErrorOfStore
    this.#onErrorOfStore = onErrorOfStore
    this.#signal = signal
    this.isTraced = trace === true
  }

  /** A result that has all commits up to `position` is for it. Holds Q2. */
  protected advance(position: number): void {
    const last = this.#position
    assert(position >= last, 'Q2', () => `a result of ${position} comes after one of ${last}`)
    this.#position = position
  }

  /** Tells of an error of the query, or of the callback, unless the subscription has ended. */
  report(thrown: unknown): void {
    if (this.isActive) this.tell(thrown)
  }

  /** Tells of an error of what is the caller's, also one that comes after the end. Never throws. */
  tell(thrown: unknown): void {
    try {
      this.#onError(asError(thrown))
    } catch (error) {
      this.#onErrorOfStore(asError(error))
    }
  }

  /** Lets go of its signal. What ends may be the whole store: what the signal throws must not keep the rest of that. */
  protected letGo(): void {
    try {
      this.#signal?.removeEventListener('abort', this.stop)
    } catch (error) {
      this.tell(error)
    }
  }

  protected explanationOf(
    query: string,
    params: unknown,
    shared: number,
    traced: TraceState | undefined,
  ): LiveExplanation {
    const evaluations = [...(traced?.log ?? [])]
    return { query, params, deliveries: this.deliveries, shared, position: this.#position, evaluations }
  }
}
