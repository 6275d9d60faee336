import { assert } from '../base/assert.js'
import { deepEqual, remember } from '../base/equality.js'
import { asError, InvalidArgumentError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import type { Bucket } from '../commit/bucket.js'
import type { Sequencer } from '../commit/sequencer.js'
import { PredicateIndex } from '../query/predicate-index.js'
import type { Footprint } from '../query/read-set.js'
import { QueryAlreadyDefinedError, QueryNotDefinedError, QueryOvertakenError } from './errors.js'
import { checkSubscribeOptions } from './check-subscribe-options.js'
import { LiveReads } from './live-reads.js'
import { LiveViews } from './live-views.js'
import { QueryBucket } from './query-bucket.js'
import type { Dependent, View } from './view.js'
import type { Views } from './views.js'

/** What a query function gets to read with. */
export interface QueryContext {
  /** @throws {BucketNotDefinedError} */
  bucket(name: string): QueryBucket
}

/** A query: a plain async function of what it reads. It may run again at any time, so it must not have effects. */
export type QueryFunction = (context: QueryContext, params?: unknown) => unknown

/** Options of `subscribe`. */
export interface SubscribeOptions {
  /** Call back with the first result too. Default false. */
  readonly immediate?: boolean
  /** Takes errors of the query and of the callback; without it the store's `onError` does. */
  readonly onError?: (error: Error) => void
  /** Ends the subscription when it is aborted. */
  readonly signal?: AbortSignal
}

/** What the live queries need of their store. */
export interface LiveQueriesOptions {
  readonly sequencer: Sequencer
  readonly runtime: Runtime
  readonly bucketOf: (name: string) => Bucket
  readonly views: Views
  readonly onError: (error: Error) => void
}

/** So many evaluations in a row may be overtaken by commits to what they read. */
const TORN_MAX = 100

class Subscription implements Dependent {
  /** It runs once, for `runQuery`. */
  readonly isOnce: boolean
  readonly fn: QueryFunction
  readonly params: unknown
  readonly callback: (result: unknown) => void
  readonly onError: (error: Error) => void
  readonly reads: LiveReads<Subscription>
  readonly views: LiveViews
  /** Its function is running. */
  isRunning = false
  /** What the evaluation has read is not of one state, or will never be durable. */
  isTorn = false
  /** It has to run again. */
  isDirty = false
  isActive = true
  isScheduled = false
  last: unknown = undefined
  /** It has told of an error since it was last called back. */
  hasFailed = false
  /** How far the log was when it was last called back. */
  deliveredAt = 0
  readonly #schedule: (subscription: Subscription) => void

  constructor(
    index: PredicateIndex<Subscription>,
    views: Views,
    schedule: (subscription: Subscription) => void,
    isOnce: boolean,
    fn: QueryFunction,
    params: unknown,
    callback: (result: unknown) => void,
    onError: (error: Error) => void,
  ) {
    this.isOnce = isOnce
    this.fn = fn
    this.params = params
    this.callback = callback
    this.onError = onError
    this.#schedule = schedule
    this.reads = new LiveReads(index, this, isOnce)
    this.views = new LiveViews(views, this)
  }

  /** A view that it has read is not what it was: an evaluation that goes on with what it was is worth nothing. */
  overtaken({ isStale }: View): void {
    if (isStale || this.isRunning) this.isTorn = true
  }

  touched(): void {
    this.isDirty = true
    this.#schedule(this)
  }
}

/**
 * Named queries and their subscriptions. A commit that touches what a subscription has read makes it run again; when
 * its result has changed, its callback is called.
 *
 * Results come from one consistent, durable state each, from one evaluation at a time per subscription, and from at most one
 * per batch of commits. Holds Q2: no subscriber gets an older state after a newer one.
 */
export class LiveQueries {
  readonly #options: LiveQueriesOptions
  readonly #queries = new Map<string, QueryFunction>()
  readonly #subscriptions = new Set<Subscription>()
  readonly #index = new PredicateIndex<Subscription>()
  /** Those that run once, and have met no commit yet. */
  readonly #held = new Set<Subscription>()
  /** How many evaluations are under way. */
  #evaluating = 0
  #unsettled = 0
  readonly #settled: (() => void)[] = []

  constructor(options: LiveQueriesOptions) {
    this.#options = options
  }

  get queryCount(): number {
    return this.#queries.size
  }

  get subscriptionCount(): number {
    return this.#subscriptions.size
  }

  /** @throws {QueryAlreadyDefinedError} */
  define(name: string, fn: QueryFunction): void {
    if (typeof name !== 'string' || name === '') throw new InvalidArgumentError('defineQuery(name)', 'a name', name)
    if (typeof fn !== 'function') throw new InvalidArgumentError('defineQuery(name, fn)', 'a function', fn)
    if (this.#queries.has(name)) throw new QueryAlreadyDefinedError(name)
    this.#queries.set(name, fn)
  }

  #query(name: string): QueryFunction {
    const fn = this.#queries.get(name)
    if (fn === undefined) throw new QueryNotDefinedError(name)
    return fn
  }

  /** Runs a query once, over one consistent state. */
  async run(name: string, params: unknown): Promise<unknown> {
    const subscription = new Subscription(
      this.#index,
      this.#options.views,
      () => undefined,
      true,
      this.#query(name),
      params,
      () => undefined,
      this.#options.onError,
    )
    this.#held.add(subscription)
    // It runs again here and nowhere else: two evaluations at a time would not know which of them is torn.
    subscription.isScheduled = true
    try {
      for (let torn = 0; ; torn++) {
        const result = await this.#evaluate(subscription)
        if (!subscription.isTorn) return result
        await this.#standBack(torn)
      }
    } finally {
      this.#remove(subscription)
    }
  }

  /** @returns ends the subscription; safe at any time and more than once. */
  async subscribe(
    name: string,
    params: unknown,
    callback: (result: unknown) => void,
    options: SubscribeOptions = {},
  ): Promise<() => void> {
    const { signal } = checkSubscribeOptions('subscribe(query, callback, options)', callback, options)
    const fn = this.#query(name)
    const subscription = new Subscription(
      this.#index,
      this.#options.views,
      (one) => this.#schedule(one),
      false,
      fn,
      params,
      callback,
      options.onError ?? this.#options.onError,
    )
    const unsubscribe = (): void => {
      signal?.removeEventListener('abort', unsubscribe)
      this.#remove(subscription)
    }
    if (signal?.aborted === true) return unsubscribe
    signal?.addEventListener('abort', unsubscribe)
    this.#subscriptions.add(subscription)
    try {
      await this.#first(subscription, options.immediate === true)
    } catch (error) {
      unsubscribe()
      throw error
    }
    return unsubscribe
  }

  async #first(subscription: Subscription, immediate: boolean): Promise<void> {
    subscription.isScheduled = true
    this.#unsettled++
    try {
      // A result that was overtaken while it was made still tells the later ones what has changed; only nobody sees it.
      let result: unknown
      do result = await this.#evaluate(subscription)
      while (immediate && subscription.isTorn && subscription.isActive)
      subscription.last = remember(result)
      if (immediate) this.#deliver(subscription, result)
    } finally {
      subscription.isScheduled = false
      this.#settle()
    }
    subscription.isDirty ||= subscription.isTorn
    if (subscription.isDirty) this.#schedule(subscription)
  }

  #remove(subscription: Subscription): void {
    subscription.isActive = false
    this.#subscriptions.delete(subscription)
    this.#held.delete(subscription)
    subscription.reads.end()
    subscription.views.end()
  }

  /** Runs the function once. The result is durable, and of one state unless the subscription is torn. */
  async #evaluate(subscription: Subscription): Promise<unknown> {
    const { fn, params, reads, views, isOnce } = subscription
    subscription.isRunning = true
    subscription.isTorn = false
    subscription.isDirty = false
    reads.begin()
    views.begin()
    const context: QueryContext = {
      bucket: (name) => {
        // Before the bucket is looked up: a query that misses a bucket runs again when it is defined.
        reads.readNothing(name)
        const bucket = this.#options.bucketOf(name)
        // Views are for those who ask again.
        if (isOnce || !subscription.isActive) return new QueryBucket(bucket, reads)
        return new QueryBucket(bucket, reads, (question) => views.answer(question))
      },
    }
    this.#evaluating++
    try {
      const result = await (params === undefined ? fn(context) : fn(context, params))
      // Where it fails, what it read last time counts too: it may have failed before it came to that, and has to run again.
      reads.keepCurrent()
      views.keepCurrent()
      subscription.isRunning = false
      // It may have read commits that are not durable yet. What is committed from here on makes it old, but not wrong.
      const settled = this.#options.sequencer.settled()
      if (settled !== undefined) await settled
      return result
    } finally {
      subscription.isRunning = false
      this.#evaluating--
    }
  }

  /** A commit has been applied, or undone: evaluations that have read what it changed are worth nothing. */
  overtake(footprint: Footprint, isUndone: boolean): void {
    if (this.#evaluating === 0) return
    for (const { reads } of this.#held) reads.release()
    this.#held.clear()
    this.#index.forTouched(footprint, (subscription) => {
      if (isUndone || subscription.isRunning) subscription.isTorn = true
    })
  }

  /** A commit is durable, or undone: subscriptions that it touches run again. */
  react(footprint: Footprint): void {
    this.#index.forTouched(footprint, (subscription) => {
      subscription.isDirty = true
      this.#schedule(subscription)
    })
  }

  #schedule(subscription: Subscription): void {
    if (subscription.isScheduled || !subscription.isActive) return
    subscription.isScheduled = true
    this.#unsettled++
    // A promise job: it comes after the rest of the batch has been published.
    void Promise.resolve().then(() => this.#refresh(subscription))
  }

  async #refresh(subscription: Subscription): Promise<void> {
    try {
      for (let torn = 0; subscription.isDirty && subscription.isActive; torn++) {
        const result = await this.#evaluate(subscription)
        if (subscription.isTorn) {
          await this.#standBack(torn)
          subscription.isDirty = true
        } else if (subscription.hasFailed || !deepEqual(result, subscription.last)) {
          // That an error is over is told too, also where it has changed nothing.
          subscription.hasFailed = false
          // The callback may change what it is given.
          subscription.last = remember(result, subscription.last)
          this.#deliver(subscription, result)
        }
      }
    } catch (error) {
      subscription.hasFailed = true
      this.#report(subscription, error)
    } finally {
      subscription.isScheduled = false
      this.#settle()
    }
    if (subscription.isDirty) this.#schedule(subscription)
  }

  /** After an evaluation that was overtaken: everybody else has a turn, and after too many it is an error. */
  async #standBack(torn: number): Promise<void> {
    if (torn >= TORN_MAX) throw new QueryOvertakenError(torn)
    await new Promise<void>((resolve) => this.#options.runtime.defer(resolve))
  }

  #deliver(subscription: Subscription, result: unknown): void {
    if (!subscription.isActive) return
    const { durable } = this.#options.sequencer.position
    assert(
      durable >= subscription.deliveredAt,
      'Q2',
      () => `a result of ${durable} comes after one of ${subscription.deliveredAt}`,
    )
    subscription.deliveredAt = durable
    try {
      const outcome: unknown = subscription.callback(result)
      if (outcome instanceof Promise) outcome.catch((error: unknown) => this.#report(subscription, error))
    } catch (error) {
      this.#report(subscription, error)
    }
  }

  #report(subscription: Subscription, thrown: unknown): void {
    if (!subscription.isActive) return
    try {
      subscription.onError(asError(thrown))
    } catch (error) {
      this.#options.onError(asError(error))
    }
  }

  #settle(): void {
    this.#unsettled--
    if (this.#unsettled > 0) return
    for (const resolve of this.#settled.splice(0)) resolve()
  }

  /** Resolves when no evaluation is running or due. */
  async settle(): Promise<void> {
    while (this.#unsettled > 0) await new Promise<void>((resolve) => this.#settled.push(resolve))
  }

  /** Ends all subscriptions. Evaluations that are running come to their end without calling anybody back. */
  stop(): void {
    for (const subscription of [...this.#subscriptions]) this.#remove(subscription)
    this.#queries.clear()
  }
}
