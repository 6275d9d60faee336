import { assert } from '../base/assert.js'
import { deepEqual, remember } from '../base/equality.js'
import { asError, InvalidArgumentError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import type { Bucket } from '../commit/bucket.js'
import type { Sequencer } from '../commit/sequencer.js'
import { ReadSet } from '../query/read-set.js'
import type { Footprint } from '../query/read-set.js'
import { QueryAlreadyDefinedError, QueryNotDefinedError, QueryOvertakenError } from './errors.js'
import { QueryBucket } from './query-bucket.js'

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
  readonly onError: (error: Error) => void
}

/** So many evaluations in a row may be overtaken by commits to what they read. */
const TORN_MAX = 100

interface Subscription {
  readonly fn: QueryFunction
  readonly params: unknown
  readonly callback: (result: unknown) => void
  readonly onError: (error: Error) => void
  /** What the last evaluation has read, and what the running one has read so far. */
  readSet: ReadSet
  running: ReadSet | undefined
  /** What the evaluation has read is not of one state, or will never be durable. */
  isTorn: boolean
  /** It has to run again. */
  isDirty: boolean
  isActive: boolean
  isScheduled: boolean
  last: unknown
  /** How far the log was when it was last called back. */
  deliveredAt: number
}

/**
 * Named queries and their subscriptions. A commit that touches what a subscription has read makes it run again; when
 * its result has changed, its callback is called.
 *
 * Holds Q1: results come from one consistent, durable state each. Q2: no subscriber gets an older state after a newer
 * one. Q3: one evaluation at a time per subscription, and at most one per batch of commits.
 */
export class LiveQueries {
  readonly #options: LiveQueriesOptions
  readonly #queries = new Map<string, QueryFunction>()
  readonly #subscriptions = new Set<Subscription>()
  readonly #byBucket = new Map<string, Set<Subscription>>()
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
    const subscription = this.#make(this.#query(name), params, () => undefined, this.#options.onError)
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
    if (typeof callback !== 'function')
      throw new InvalidArgumentError('subscribe(query, callback)', 'a function', callback)
    const fn = this.#query(name)
    const { signal } = checkOptions(options)
    const subscription = this.#make(fn, params, callback, options.onError ?? this.#options.onError)
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

  #make(
    fn: QueryFunction,
    params: unknown,
    callback: (result: unknown) => void,
    onError: (error: Error) => void,
  ): Subscription {
    const state = {
      running: undefined,
      isTorn: false,
      isDirty: false,
      isActive: true,
      isScheduled: false,
      last: undefined,
      deliveredAt: 0,
    }
    return { fn, params, callback, onError, readSet: new ReadSet(), ...state }
  }

  #remove(subscription: Subscription): void {
    subscription.isActive = false
    this.#subscriptions.delete(subscription)
    for (const readSet of [subscription.readSet, subscription.running]) {
      for (const bucket of readSet?.buckets ?? []) this.#unlist(bucket, subscription)
    }
  }

  #list(bucket: string, subscription: Subscription): void {
    const known = this.#byBucket.get(bucket)
    if (known === undefined) this.#byBucket.set(bucket, new Set([subscription]))
    else known.add(subscription)
  }

  #unlist(bucket: string, subscription: Subscription): void {
    const known = this.#byBucket.get(bucket)
    known?.delete(subscription)
    if (known?.size === 0) this.#byBucket.delete(bucket)
  }

  /** Runs the function once. The result is durable, and of one state unless the subscription is torn. */
  async #evaluate(subscription: Subscription): Promise<unknown> {
    const readSet = new ReadSet()
    subscription.running = readSet
    subscription.isTorn = false
    subscription.isDirty = false
    const context: QueryContext = {
      bucket: (name) => {
        if (subscription.isActive) this.#list(name, subscription)
        // Before the bucket is looked up: a query that misses a bucket runs again when it is defined.
        readSet.readNothing(name)
        return new QueryBucket(this.#options.bucketOf(name), readSet)
      },
    }
    try {
      const { fn, params } = subscription
      const result = await (params === undefined ? fn(context) : fn(context, params))
      this.#swap(subscription, readSet)
      // It may have read commits that are not durable yet. What is committed from here on makes it old, but not wrong.
      await this.#options.sequencer.settled()
      return result
    } catch (error) {
      // What it read last time counts too: it may have failed before it came to that, and has to run again all the same.
      readSet.add(subscription.readSet)
      this.#swap(subscription, readSet)
      throw error
    }
  }

  #swap(subscription: Subscription, readSet: ReadSet): void {
    const old = new Set(subscription.readSet.buckets)
    subscription.readSet = readSet
    subscription.running = undefined
    for (const bucket of readSet.buckets) old.delete(bucket)
    for (const bucket of old) this.#unlist(bucket, subscription)
  }

  /** A commit has been applied, or undone: evaluations that have read what it changed are worth nothing. */
  overtake(footprint: Footprint, isUndone: boolean): void {
    this.#forTouched(footprint, (subscription) => {
      if (isUndone || subscription.running !== undefined) subscription.isTorn = true
    })
  }

  /** A commit is durable, or undone: subscriptions that it touches run again. */
  react(footprint: Footprint): void {
    this.#forTouched(footprint, (subscription) => {
      subscription.isDirty = true
      this.#schedule(subscription)
    })
  }

  #forTouched(footprint: Footprint, visit: (subscription: Subscription) => void): void {
    if (this.#byBucket.size === 0) return
    const buckets = new Set(footprint.cleared)
    for (const { bucket } of footprint.changes) buckets.add(bucket)
    const seen = new Set<Subscription>()
    for (const bucket of buckets) {
      for (const subscription of this.#byBucket.get(bucket) ?? []) {
        if (seen.has(subscription)) continue
        seen.add(subscription)
        const { readSet, running } = subscription
        if (readSet.touchedBy(footprint) !== undefined || running?.touchedBy(footprint) !== undefined)
          visit(subscription)
      }
    }
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
        } else if (!deepEqual(result, subscription.last)) {
          // The callback may change what it is given.
          subscription.last = remember(result)
          this.#deliver(subscription, result)
        }
      }
    } catch (error) {
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
      `a result of ${durable} comes after one of ${subscription.deliveredAt}`,
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

function checkOptions(options: SubscribeOptions): SubscribeOptions {
  const argument = 'subscribe(query, callback, options)'
  if (typeof options !== 'object' || options === null) throw new InvalidArgumentError(argument, 'an object', options)
  const { immediate, onError, signal } = options
  if (immediate !== undefined && typeof immediate !== 'boolean') {
    throw new InvalidArgumentError(`${argument}: immediate`, 'true or false', immediate)
  }
  if (onError !== undefined && typeof onError !== 'function') {
    throw new InvalidArgumentError(`${argument}: onError`, 'a function', onError)
  }
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    throw new InvalidArgumentError(`${argument}: signal`, 'an AbortSignal', signal)
  }
  return options
}
