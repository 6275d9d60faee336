import type { LiveExplanation } from '../query/live.js'

/** Options of `subscribe`. */
export interface SubscribeOptions {
  /** Call back with the first result too. Default false. */
  readonly immediate?: boolean
  /** Takes errors of the query and of the callback; without it the store's `onError` does. */
  readonly onError?: (error: Error) => void
  /** Ends the subscription when it is aborted. */
  readonly signal?: AbortSignal
  /** Record why and how results are made, for `explain`. Default false. */
  readonly trace?: boolean
  /** @internal */
  readonly [GOES_ON]?: true
}

/** Of options: where the first run fails, the subscription goes on, and `onError` is told. For hooks, which outlive errors. */
export const GOES_ON: unique symbol = Symbol('goes on')

/** A subscription to a named query. Calling it ends it, at any time and more than once. */
export interface QuerySubscription {
  (): void
  explain(): LiveExplanation
}
