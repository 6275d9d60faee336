import { assert } from '../base/assert.js'
import { remember } from '../base/equality.js'
import { InvalidArgumentError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import { stableText } from '../base/stable-text.js'
import type { Bucket } from '../commit/bucket.js'
import type { Sequencer } from '../commit/sequencer.js'
import type { LiveExplanation } from '../query/live.js'
import { PredicateIndex } from '../query/predicate-index.js'
import type { Question } from '../query/query-spec.js'
import type { Footprint } from '../query/read-set.js'
import { QueryAlreadyDefinedError, QueryNotDefinedError, QueryOvertakenError } from './errors.js'
import { checkSubscribeOptions } from './check-subscribe-options.js'
import { Listener } from './listener.js'
import { LiveQuery, ownParams } from './live-query.js'
import type { Asked, QueryContext, QueryFunction } from './live-query.js'
import { QueryBucket } from './query-bucket.js'
import { GOES_ON } from './query-subscription.js'
import type { QuerySubscription, SubscribeOptions } from './query-subscription.js'
import type { TraceHost, Tracing } from './tracing.js'
import type { Views } from './views.js'
import { WorkCount } from './work-count.js'

/** What the live queries need of their store. */
export interface LiveQueriesOptions {
  readonly sequencer: Sequencer
  readonly runtime: Runtime
  readonly bucketOf: (name: string) => Bucket
  readonly views: Views
  readonly trace: TraceHost
  readonly onError: (error: Error) => void
}

/** So many evaluations in a row may be overtaken by commits to what they read. */
const TORN_MAX = 100

/** What a run of a query function came to. */
interface Outcome {
  readonly result: unknown
  readonly thrown: { readonly error: unknown } | undefined
  readonly tracing: Tracing | undefined
}

/**
 * Named queries and their subscriptions. A commit that touches what a query has read makes it run again; when its result has
 * changed, its listeners are called.
 *
 * Subscriptions to the same query with equal parameters share one evaluation. Results come from one consistent, durable state
 * each, from one evaluation at a time, and from at most one per batch of commits. Holds Q2: no subscriber gets an older state
 * after a newer one. Q5: equal queries have one evaluation, which is there as long as somebody listens.
 */
export class LiveQueries {
  readonly #options: LiveQueriesOptions
  readonly #queries = new Map<string, QueryFunction>()
  /** All that somebody listens to, and those of them that others may join, by their keys. */
  readonly #live = new Set<LiveQuery>()
  readonly #shared = new Map<string, LiveQuery>()
  readonly #index = new PredicateIndex<LiveQuery>()
  /** Those that run once, and have met no commit yet. */
  readonly #held = new Set<LiveQuery>()
  #listeners = 0
  /** How many evaluations are under way, and how many there have been. */
  #evaluating = 0
  #evaluations = 0
  /** How many commits there were, with those that were taken back. */
  #commits = 0
  readonly #work = new WorkCount()

  constructor(options: LiveQueriesOptions) {
    this.#options = options
  }

  get queryCount(): number {
    return this.#queries.size
  }

  get subscriptionCount(): number {
    return this.#listeners
  }

  /** How often query functions have run. */
  get evaluationCount(): number {
    return this.#evaluations
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
    return this.#once({ name, fn: this.#query(name), params: ownParams(params), key: undefined }, false)
  }

  /** @param isQuiet nobody sees the result: it may be torn. */
  async #once(asked: Asked, isQuiet: boolean): Promise<unknown> {
    const query = this.#make(asked, true)
    this.#held.add(query)
    // It runs again here and nowhere else: two evaluations at a time would not know which of them is torn.
    query.isBusy = true
    const commits = this.#commits
    try {
      for (let torn = 1; torn <= TORN_MAX; torn++) {
        const { result, thrown } = await this.#evaluate(query, torn)
        if (!query.isTorn && thrown !== undefined) throw thrown.error
        const isEnough = isQuiet && thrown === undefined && !this.#isUndone(query)
        if (!query.isTorn || isEnough) return isQuiet && commits !== query.commits ? Symbol('another') : result
        await this.#standBack()
      }
      throw overtaken().error
    } finally {
      this.#held.delete(query)
      query.end()
    }
  }

  #make(asked: Asked, isOnce: boolean): LiveQuery {
    return new LiveQuery(this.#index, this.#options.views, asked, isOnce, (query) => this.#schedule(query))
  }

  /**
   * Subscribes. The promise is resolved when there is a first result.
   *
   * The last to be called back gets what the function has returned, and everybody else a copy, so that each may change what it
   * is given. What cannot be copied is shared: items of sets, keys of maps, instances of classes.
   *
   * @returns ends the subscription; safe at any time and more than once.
   */
  async subscribe(
    name: string,
    params: unknown,
    callback: (result: unknown) => void,
    options: SubscribeOptions = {},
  ): Promise<QuerySubscription> {
    const argument = 'subscribe(query, callback, options)'
    const checked = checkSubscribeOptions(argument, callback, options, this.#options.trace)
    const { signal } = checked
    const fn = this.#query(name)
    const listener = new Listener(callback, checked, this.#options.onError)
    listener.goesOn = options[GOES_ON] === true
    let query: LiveQuery | undefined
    const unsubscribe = (): void => {
      if (query === undefined) signal?.removeEventListener('abort', unsubscribe)
      else this.#leave(query, listener)
    }
    const explain = (): LiveExplanation => listener.explain(name, params, query)
    const subscription = Object.freeze(Object.assign(unsubscribe, { explain }))
    if (signal?.aborted === true) return subscription
    signal?.addEventListener('abort', unsubscribe)
    listener.stop = unsubscribe
    try {
      query = this.#join(name, fn, params, listener)
      await this.#first(query, listener)
    } catch (error) {
      unsubscribe()
      throw error
    }
    return subscription
  }

  /** The evaluation that `listener` is one of the listeners of from now on. */
  #join(name: string, fn: QueryFunction, params: unknown, listener: Listener): LiveQuery {
    const own = ownParams(params)
    // Of what it will be called with: a getter may give something else each time.
    const text = stableText(own)
    // There is no line break in the text of a value.
    const key = text === undefined ? undefined : `${text}\n${name}`
    let query = key === undefined ? undefined : this.#shared.get(key)
    if (query === undefined) {
      query = this.#make({ name, fn, params: own, key }, false)
      this.#live.add(query)
      if (key !== undefined) this.#shared.set(key, query)
    }
    query.listeners.add(listener)
    this.#listeners++
    if (listener.isTraced) this.#options.trace.use?.()
    return query
  }

  /** Resolves when `listener` has what changes are told by comparison with, and with `immediate` was called with it. */
  #first(query: LiveQuery, listener: Listener): Promise<void> | undefined {
    if (query.isFresh) {
      if (listener.isImmediate) this.#deliver(listener, remember(query.last))
      return undefined
    }
    if (query.willBeFresh) listener.runFirst = query.run
    else if (query.isBusy && !listener.isImmediate) return this.#compare(query, listener)
    else {
      listener.runFirst = query.run + 1
      query.isDirty = true
    }
    const first = new Promise<void>((resolve, reject) => (listener.waiting = { resolve, reject }))
    // At once, not in a promise job: what is written right after the call has to be told.
    this.#begin(query)
    return first
  }

  /**
   * The evaluation under way is of a state before this one, and the next one will be of a later one: what `listener` is to be
   * told of is found by comparison with a result that is made for it alone.
   */
  async #compare(query: LiveQuery, listener: Listener): Promise<void> {
    listener.runFirst = Number.POSITIVE_INFINITY
    this.#work.begin()
    try {
      listener.baseline = remember(await this.#once(query.asked, true))
      listener.runFirst = 0
      if (query.isActive) this.#schedule(query)
    } finally {
      this.#work.end()
    }
  }

  #leave(query: LiveQuery, listener: Listener): void {
    if (!listener.isActive) return
    listener.isActive = false
    query.listeners.delete(listener)
    this.#listeners--
    if (listener.isTraced) this.#options.trace.release?.()
    if (query.listeners.size === 0) this.#forget(query)
    // Last: it calls what others have written.
    listener.end()
  }

  /** Nobody listens to `query` any more. */
  #forget(query: LiveQuery): void {
    const { key } = query.asked
    if (key !== undefined) {
      assert(this.#shared.get(key) === query, 'Q5', () => `query ${query.asked.name} is evaluated twice`)
      this.#shared.delete(key)
    }
    this.#live.delete(query)
    query.end()
    // Nobody waits for an evaluation that goes on for nobody.
    if (query.isBusy || query.isDue) this.#work.end()
    query.isDue = false
  }

  /** Runs the function once. The result is durable, and of one state unless the query is torn. */
  async #evaluate(query: LiveQuery, torn: number): Promise<Outcome> {
    const { fn, params } = query.asked
    const { trace, sequencer, views } = this.#options
    query.begin()
    query.commits = this.#commits
    query.undone = views.undoneCount
    const tracing = query.isOnce ? undefined : trace.active?.begin(query, torn > 0)
    const context: QueryContext = { bucket: (name) => this.#bucket(query, name, tracing) }
    this.#evaluating++
    this.#evaluations++
    let result: unknown
    let thrown: Outcome['thrown']
    try {
      // Functions may change their parameters, and run again with what was given.
      result = await (params === undefined ? fn(context) : fn(context, ownParams(params)))
    } catch (error) {
      thrown = { error }
    }
    // Where it fails, what it read last time counts too: it may have failed before it came to that, and has to run again.
    query.keepCurrent(thrown !== undefined)
    query.isRunning = false
    tracing?.ran()
    // It may have read commits that are not durable yet. What is committed from here on makes it old, but not wrong.
    const settled = sequencer.settled()
    if (settled !== undefined) await settled
    query.isEvaluating = false
    this.#evaluating--
    return { result, thrown, tracing }
  }

  /** Whether commits were taken back since the query has begun to run. */
  #isUndone({ undone }: LiveQuery): boolean {
    return undone !== this.#options.views.undoneCount
  }

  #bucket(query: LiveQuery, name: string, tracing: Tracing | undefined): QueryBucket {
    const { reads, views } = query
    // Before the bucket is looked up: a query that misses a bucket runs again when it is defined.
    reads.readNothing(name)
    const bucket = this.#options.bucketOf(name)
    // Views are for those who ask again.
    if (query.isOnce || !query.isActive) return new QueryBucket(bucket, reads)
    if (tracing === undefined) return new QueryBucket(bucket, reads, (question) => views.answer(question))
    const answer = (question: Question): unknown => tracing.viewed(() => views.answer(question))
    return new QueryBucket(bucket, reads, answer, tracing.read)
  }

  /** A commit has been applied, or undone: evaluations that have read what it changed are worth nothing. */
  overtake(footprint: Footprint, isUndone: boolean): void {
    if (!isUndone) this.#commits++
    if (this.#evaluating === 0) return
    for (const { reads } of this.#held) reads.release()
    this.#held.clear()
    this.#index.forTouched(footprint, (query) => {
      if (isUndone || query.isRunning) query.isTorn = true
    })
  }

  /** A commit is durable, or undone: queries that it touches run again. */
  react(footprint: Footprint): void {
    this.#index.forTouched(footprint, (query) => this.#schedule(query))
  }

  #schedule(query: LiveQuery): void {
    query.isDirty = true
    if (query.isDue || query.isBusy || !query.isActive) return
    query.isDue = true
    this.#work.begin()
    // A promise job: it comes after the rest of the batch has been published.
    void Promise.resolve().then(() => query.isDue && this.#begin(query))
  }

  /** Lets the query run now, unless it is doing so. */
  #begin(query: LiveQuery): void {
    if (query.isBusy) return
    if (!query.isDue) this.#work.begin()
    query.isDue = false
    query.isBusy = true
    void this.#refresh(query)
  }

  async #refresh(query: LiveQuery): Promise<void> {
    for (let torn = 0; query.isDirty && query.isActive; ) {
      const outcome = await this.#evaluate(query, torn)
      const { isTorn } = query
      torn = isTorn ? torn + 1 : 0
      const isOver = torn === TORN_MAX
      const delivered = this.#conclude(query, isOver ? { ...outcome, thrown: overtaken() } : outcome, isTorn && !isOver)
      outcome.tracing?.end(outcome.result, delivered, outcome.thrown)
      if (isOver) break
      if (!isTorn) continue
      await this.#standBack()
      query.isDirty = true
    }
    query.isBusy = false
    if (!query.isActive) return
    this.#work.end()
    if (query.isDirty) this.#schedule(query)
  }

  /** Tells who is to be told of what a run came to. @returns whether anybody was called back. */
  #conclude(query: LiveQuery, { result, thrown }: Outcome, isTorn: boolean): boolean {
    try {
      if (isTorn) {
        if (thrown === undefined) query.torn(result, this.#isUndone(query))
        return false
      }
      if (thrown !== undefined) throw thrown.error
      const due = query.due(result)
      due.forEach((listener, at) => {
        if (listener.isActive) this.#deliver(listener, at === due.length - 1 ? result : remember(result, query.last))
      })
      return due.length > 0
    } catch (error) {
      for (const { stop, waiting } of query.failed(error)) {
        waiting?.reject(error)
        stop()
      }
      return false
    }
  }

  /** After an evaluation that was overtaken: everybody else has a turn. */
  #standBack(): Promise<void> {
    return new Promise((resolve) => this.#options.runtime.defer(resolve))
  }

  #deliver(listener: Listener, result: unknown): void {
    listener.deliver(result, this.#options.sequencer.position.durable)
  }

  /** Resolves when no evaluation is running or due. */
  settle(): Promise<void> {
    return this.#work.settled()
  }

  /** Ends all subscriptions. Evaluations that are running come to their end without calling anybody back. */
  stop(): void {
    for (const { listeners } of this.#live) for (const { stop } of listeners) stop()
    this.#queries.clear()
  }
}

function overtaken(): { readonly error: Error } {
  return { error: new QueryOvertakenError(TORN_MAX) }
}
