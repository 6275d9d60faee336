import type { Evaluation } from './evaluation.js'
import type { Question } from './query-spec.js'

/** What has changed in a live result since it was last delivered. */
export interface LiveChanges<T> {
  /** Rows that were not there before. */
  readonly added: readonly T[]
  readonly removed: readonly T[]
  /** Rows of the same record that are not what they were. */
  readonly changed: readonly { readonly before: T; readonly after: T }[]
  /** Rows that stand elsewhere among the others: their places in the result before, and in this one. */
  readonly moved: readonly { readonly row: T; readonly from: number; readonly to: number }[]
  /** Seq of the last commit that the result has. */
  readonly position: number
}

/** Options of `live`. */
export interface LiveOptions {
  /** Call back with the first result too. Default true. */
  readonly immediate?: boolean
  /** Takes errors of the query and of the callback; without it the store's `onError` does. */
  readonly onError?: (error: Error) => void
  /** Ends the subscription when it is aborted. */
  readonly signal?: AbortSignal
  /** Called once when the subscription has ended, also by the end of the store. */
  readonly onEnd?: () => void
  /** Record why and how results are made, for `explain`. Default false. */
  readonly trace?: boolean
}

/** What a subscription has done so far. */
export interface LiveExplanation {
  /** How the question was asked, as a canonical text; the name of a named query. */
  readonly query: string
  /** Parameters of a named query. */
  readonly params: unknown
  /** How many results were delivered. */
  readonly deliveries: number
  /** How many subscriptions share what is kept for this query. */
  readonly shared: number
  /** Seq of the last commit that the last delivered result has; 0 before the first. */
  readonly position: number
  /** The last 16 that were traced: by the option `trace`, or while somebody listened with `store.trace`. The latest is last. */
  readonly evaluations: readonly Evaluation[]
}

/** A live subscription. Calling it ends it, at any time and more than once. */
export interface LiveSubscription {
  (): void
  /** Resolves when the first result is there; rejects when the query failed before that. */
  readonly ready: Promise<void>
  explain(): LiveExplanation
}

/** Takes a result and what has changed in it. The result is frozen, and shared by all who ask the same. */
export type LiveCallback<T> = (result: readonly T[], changes: LiveChanges<T>) => unknown

/** Subscribes to the rows of a question. */
export type SubscribeLive = (
  question: Question,
  callback: LiveCallback<never>,
  options: LiveOptions | undefined,
) => LiveSubscription

/** Where a live result can be had from, in the ways in which others expect it. */
export interface LiveRows<T> extends AsyncIterable<readonly T[]> {
  /** As Svelte stores and observables have it: `run`, or `next` of an observer, gets each result, the first one soon. */
  subscribe(run: ((result: readonly T[]) => void) | LiveObserver<T>): (() => void) & { unsubscribe(): void }
}

/** An observer, as observables have it. It never completes. */
export interface LiveObserver<T> {
  readonly next?: ((result: readonly T[]) => void) | undefined
  readonly error?: ((error: unknown) => void) | undefined
}

/**
 * @param subscribe to the rows of one question.
 * @param options for all that come of it.
 */
export function liveRows<T>(
  subscribe: (callback: LiveCallback<T>, options: LiveOptions) => LiveSubscription,
  options: Pick<LiveOptions, 'signal'>,
): LiveRows<T> {
  const rows: LiveRows<T> = {
    subscribe: (run) => {
      const next = typeof run === 'function' ? run : run.next?.bind(run)
      const error = typeof run === 'function' ? undefined : run.error?.bind(run)
      const stop = subscribe((result) => next?.(result), error === undefined ? options : { ...options, onError: error })
      const unsubscribe = (): void => stop()
      return Object.assign(unsubscribe, { unsubscribe })
    },
    [Symbol.asyncIterator]: () => new LiveIterator(subscribe, options),
  }
  // Where there is no such symbol, libraries agree on this name.
  const name = (Symbol as { readonly observable?: symbol }).observable ?? '@@observable'
  return Object.defineProperty(rows, name, { value: () => rows })
}

/** A promise that somebody waits for, and what settles it. */
interface Waiting<T> {
  readonly resolve: (result: IteratorResult<readonly T[], undefined>) => void
  readonly reject: (error: unknown) => void
}

/**
 * The results, one after the other. Whoever is slow gets the latest; nothing queues up. Not a generator: that could not be
 * ended while somebody waits for its next value.
 */
class LiveIterator<T> implements AsyncIterableIterator<readonly T[], undefined> {
  readonly #stop: () => void
  #latest: readonly T[] | undefined
  #failure: { readonly error: Error } | undefined
  #isEnded = false
  #waiting: Waiting<T>[] = []

  constructor(subscribe: (callback: LiveCallback<T>, options: LiveOptions) => LiveSubscription, options: LiveOptions) {
    this.#stop = subscribe(
      (result) => {
        this.#latest = result
        this.#settle()
      },
      {
        ...options,
        onError: (error) => {
          this.#failure = { error }
          this.#settle()
        },
        onEnd: () => {
          this.#isEnded = true
          this.#settle()
        },
      },
    )
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Gives whoever waits what there is: a result once, the end to all. */
  #settle(): void {
    while (this.#waiting.length > 0) {
      if (this.#failure === undefined && this.#latest === undefined && !this.#isEnded) return
      const { resolve, reject } = this.#waiting.shift() as Waiting<T>
      if (this.#failure !== undefined) {
        const { error } = this.#failure
        this.#failure = undefined
        reject(error)
        this.#stop()
      } else if (this.#latest !== undefined && !this.#isEnded) {
        const value = this.#latest
        this.#latest = undefined
        resolve({ done: false, value })
      } else resolve({ done: true, value: undefined })
    }
  }

  next(): Promise<IteratorResult<readonly T[], undefined>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#settle()
    })
  }

  return(): Promise<IteratorResult<readonly T[], undefined>> {
    this.#stop()
    return Promise.resolve({ done: true, value: undefined })
  }
}
