/* oxlint-disable typescript/no-unnecessary-type-parameters -- who names a query or an event says its types */
import { asError, InvalidArgumentError } from './base/errors.js'
import type { Bucket } from './commit/bucket.js'
import { BucketHandle } from './commit/bucket-handle.js'
import { BucketNotDefinedError, StoreStoppedError } from './commit/errors.js'
import type { Position } from './commit/sequencer.js'
import type { TransactionOptions } from './commit/transactions.js'
import { Engine } from './engine.js'
import type { StoreEvent } from './lifecycle/bucket-events.js'
import type { BucketDescription } from './lifecycle/catalog.js'
import { LogReader } from './lifecycle/log-reader.js'
import type { Quarantined, StorageReport } from './log/storage.js'
import type { BucketReader } from './query/reads.js'
import type { QuerySubscription, SubscribeOptions } from './reactive/query-subscription.js'
import type { BucketDefinition } from './schema/definition.js'
import type { DefinitionCheck, KeyOf, RecordOf } from './schema/infer.js'
import type { AnyLinks, Links } from './schema/links.js'
import type {
  BucketName,
  EventOf,
  Named,
  ParamsOf,
  QueryContext,
  QueryFn,
  QueryRef,
  StoreView,
  Topic,
  TransactionContext,
} from './store-contexts.js'
import { checkOptions } from './store-options.js'
import type { AnyBuckets, BucketDefinitions, BucketsCheck, CoreStoreOptions } from './store-options.js'
import type { TreeNode } from './supervise/child.js'
import { statsOf } from './store-stats.js'
import type { StoreStats } from './store-stats.js'
import { Process } from './supervise/process.js'

/** What was found when the store was opened. */
export interface OpenReport extends StorageReport {
  /** Milliseconds from the call of `start` until the storage was open and the buckets given to it were loaded. */
  readonly durationMs: number
}

/**
 * A store of typed buckets over one log. Everything it says is in `docs/`; the short version: what a write says it has
 * done is done, and what it says it has not done has left no trace.
 */
export class Store<B extends BucketDefinitions = AnyBuckets> {
  /** The parts of this store; not for users. @internal */
  protected readonly engine: Engine
  #openedMs = 0
  #stopping: Promise<void> | undefined

  protected constructor(engine: Engine) {
    this.engine = engine
  }

  /**
   * Opens the storage and starts a store.
   *
   * @throws {InvalidArgumentError} @throws {DefinitionError} nothing was done.
   * @throws {StorageError} the storage cannot be used; nothing in it was changed, nothing is left running.
   */
  static async start<const B extends BucketDefinitions = BucketDefinitions>(
    options: CoreStoreOptions<B> & BucketsCheck<B> = {},
  ): Promise<Store<B>> {
    const checked = checkOptions(options)
    const began = checked.runtime.elapsed()
    const store = new this<B>(await Engine.open(checked))
    try {
      const names = Object.keys(checked.buckets)
      await Promise.all(names.map((name) => store.defineBucket(name, checked.buckets[name] as BucketDefinition)))
    } catch (error) {
      await store.stop().catch((also: unknown) => checked.onError(asError(also)))
      throw error
    }
    store.#openedMs = checked.runtime.elapsed() - began
    return store
  }

  /** Its name: as it was given, or `store-1`, `store-2` … */
  get name(): string {
    return this.engine.options.name
  }

  /** Throws where the store was stopped. @throws {StoreStoppedError} @internal */
  protected mustRun(): void {
    if (this.engine.isStopped) throw new StoreStoppedError(this.name)
  }

  /**
   * Defines a bucket. It can be used at once; its operations wait until it is loaded.
   *
   * @returns its handle, when it is loaded.
   * @throws {DefinitionError} @throws {BucketAlreadyExistsError} nothing was done.
   * @throws {StorageError} @throws {UniqueConstraintError} what is stored cannot be loaded; it was left as it is.
   */
  defineBucket<const D extends BucketDefinition>(
    name: string,
    definition: D & DefinitionCheck<D>,
  ): Promise<BucketHandle<D>> {
    try {
      this.mustRun()
      const { bucket, loaded } = this.engine.catalog.define(name, definition)
      const defined = loaded.then(() => this.handle<D>(bucket))
      // Whoever does not await it is told by the first operation on the bucket why it cannot be loaded.
      defined.catch(() => undefined)
      return defined
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** A handle of `bucket`. @internal */
  protected handle<D, L = AnyLinks>(bucket: Bucket): BucketHandle<D, L> {
    return new BucketHandle<D, L>(bucket, this.engine.sequencer, this.engine.subscribeLive)
  }

  /** A handle of a bucket, at no cost. @throws {BucketNotDefinedError} */
  bucket<N extends BucketName<B>>(name: N): BucketHandle<Named<B, N>, Links<B, N>> {
    if (this.engine.isStopped) throw new BucketNotDefinedError(name, { cause: new StoreStoppedError(this.name) })
    return this.handle<Named<B, N>, Links<B, N>>(this.engine.catalog.must(name))
  }

  /** Whether there is a bucket of this name, loaded or not. */
  hasBucket(name: BucketName<B>): boolean {
    return this.engine.catalog.has(name)
  }

  /** Names of the buckets, in the order of their definition. */
  listBuckets(): string[] {
    return Array.from(this.engine.catalog.buckets, (bucket) => bucket.name)
  }

  /** What is known about a bucket. @throws {BucketNotDefinedError} */
  describeBucket(name: BucketName<B>): BucketDescription {
    return this.engine.catalog.describe(name)
  }

  /**
   * Drops a bucket in one commit, with its records, on disk too, and with what the log says about them.
   *
   * @throws {BucketNotDefinedError}
   */
  async dropBucket(name: BucketName<B>): Promise<void> {
    this.mustRun()
    await this.engine.catalog.drop(name)
  }

  /**
   * Runs `fn` as one serializable transaction over any buckets: its reads are of one state, its writes are one commit.
   *
   * @returns what `fn` returned, when the commit is durable.
   * @throws {TransactionConflictError} somebody changed what `fn` had read, also in the `retries` that were allowed.
   * @throws {UniqueConstraintError} @throws whatever `fn` throws. Nothing was written.
   */
  async transaction<T>(fn: (tx: TransactionContext<B>) => T | Promise<T>, options?: TransactionOptions): Promise<T> {
    this.mustRun()
    return this.engine.transactions.run(fn, options)
  }

  /**
   * Runs `fn` at once over one consistent state of all buckets, without a promise anywhere.
   *
   * @param fn must be synchronous.
   * @throws {BucketUnavailableError} a bucket that it asks for is loading or restarting. @throws whatever `fn` throws.
   */
  read<T>(fn: (view: StoreView<B>) => T extends PromiseLike<unknown> ? never : T): T {
    this.mustRun()
    if (typeof fn !== 'function') throw new InvalidArgumentError('store.read(fn)', 'a function', fn)
    const result = fn(this.#view)
    if (!(result instanceof Promise)) return result
    // Its outcome is of no interest any more: the error says what is wrong.
    result.catch(() => undefined)
    throw new InvalidArgumentError('store.read(fn)', 'a synchronous function', result)
  }

  readonly #view: StoreView<B> = {
    bucket: <N extends string>(name: N) => {
      const bucket = this.engine.catalog.must(name)
      bucket.mustBeReady()
      return bucket.reads as unknown as BucketReader<RecordOf<Named<B, N>>, KeyOf<Named<B, N>>, Links<B, N>>
    },
  }

  /** Defines a query. @returns a typed reference; the name works as well. @throws {QueryAlreadyDefinedError} */
  // N is there so that `defineQuery<Params, Result>` means the second signature.
  defineQuery<N extends string, A extends readonly unknown[] = [params: unknown], R = unknown>(
    name: N,
    fn: (context: QueryContext<B>, ...params: A) => R | Promise<R>,
  ): QueryRef<ParamsOf<A>, R>
  defineQuery<P, R>(name: string, fn: QueryFn<P, R, B>): QueryRef<P, R>
  defineQuery(name: string, fn: unknown): QueryRef {
    this.mustRun()
    this.engine.queries.define(name, fn as never)
    return { name }
  }

  /**
   * Calls `callback` whenever the result of a query has changed, and with `immediate` at once too. Results are durable,
   * consistent, and never older than the one before.
   *
   * Subscriptions to the same query with equal parameters (primitives, dates, arrays and plain objects of these) share one
   * evaluation. Each callback may change what it is given: one gets what the function has returned, the others copies, down to
   * records. What cannot be copied is shared: instances of classes, keys of maps, items of sets.
   *
   * @returns ends the subscription, when there is a first result. Rejects if the query fails.
   * @throws {QueryNotDefinedError}
   */
  subscribe<R = unknown>(
    query: string,
    callback: (result: R) => void,
    options?: SubscribeOptions,
  ): Promise<QuerySubscription>
  subscribe<P, R = unknown>(
    query: string,
    params: P,
    callback: (result: R) => void,
    options?: SubscribeOptions,
  ): Promise<QuerySubscription>
  /** By reference: the result is typed. */
  subscribe<R>(
    query: QueryRef<undefined, R>,
    callback: (result: R) => void,
    options?: SubscribeOptions,
  ): Promise<QuerySubscription>
  /** By reference: parameters and result are typed. */
  subscribe<P, R>(
    query: QueryRef<P, R>,
    params: NoInfer<P>,
    callback: (result: R) => void,
    options?: SubscribeOptions,
  ): Promise<QuerySubscription>
  async subscribe(query: string | QueryRef<never>, ...rest: unknown[]): Promise<QuerySubscription> {
    this.mustRun()
    const [params, callback, options] = typeof rest[0] === 'function' ? [undefined, rest[0], rest[1]] : rest
    return this.engine.queries.subscribe(nameOf(query), params, callback as never, options as SubscribeOptions)
  }

  /** Runs a query once. @throws {QueryNotDefinedError} @throws whatever the query throws. */
  runQuery<R = unknown>(query: string, params?: unknown): Promise<R>
  /** By reference: parameters and result are typed. */
  runQuery<P, R>(query: QueryRef<P, R>, params: NoInfer<P>): Promise<R>
  /** By reference: the result is typed. */
  runQuery<R>(query: QueryRef<undefined, R>): Promise<R>
  async runQuery(query: string | QueryRef<never>, params?: unknown): Promise<unknown> {
    this.mustRun()
    return this.engine.queries.run(nameOf(query), params)
  }

  /**
   * Calls `handler` for each event whose topic matches, after its commit is durable, in the order of commits. In a
   * pattern `*` stands for one segment, and at the end for the rest.
   *
   * @returns ends it.
   */
  on<P extends Topic<B>>(
    pattern: P,
    handler: (event: EventOf<B, P>, topic: string) => void,
  ): Promise<() => Promise<void>>
  /** For an event whose type the caller says. */
  on<E = StoreEvent>(pattern: string, handler: (event: E, topic: string) => void): Promise<() => Promise<void>>
  async on(pattern: string, handler: (event: never, topic: string) => void): Promise<() => Promise<void>> {
    this.mustRun()
    if (typeof pattern !== 'string') throw new InvalidArgumentError('on(pattern)', 'a string', pattern)
    if (typeof handler !== 'function') throw new InvalidArgumentError('on(pattern, handler)', 'a function', handler)
    const off = this.engine.bus.on(pattern, handler as (event: unknown, topic: string) => void)
    return () => Promise.resolve(off())
  }

  /** Aggregated facts, all of one moment. */
  async getStats(): Promise<StoreStats> {
    this.mustRun()
    return statsOf(this.engine)
  }

  /** Deletes records whose time has come. @returns how many. */
  async purgeTtl(): Promise<number> {
    this.mustRun()
    return this.engine.expiry.purge()
  }

  /** Resolves when all writes so far are durable or refused, and all subscriptions have caught up with them. */
  async settle(): Promise<void> {
    this.mustRun()
    await this.engine.sequencer.settled()
    await this.engine.queries.settle()
    await this.engine.live.settle()
  }

  /** Makes all writes so far survive a power cut, as far as the storage can. @throws {StorageError} it could not. */
  async flush(): Promise<void> {
    this.mustRun()
    await this.engine.sequencer.flush()
    this.engine.positionMoved()
  }

  /** How far the log has got, as seqs. */
  get position(): Position {
    return this.engine.sequencer.position
  }

  /**
   * Calls `listener` soon after `position` has moved: by a commit, because one is durable, or was taken back. Moves that follow each
   * other at once are told as one. For showing what is saved. The listener may do whatever it likes.
   *
   * @returns ends it.
   */
  onPosition(listener: (position: Position) => void): () => void {
    this.mustRun()
    if (typeof listener !== 'function') throw new InvalidArgumentError('onPosition(listener)', 'a function', listener)
    return this.engine.onPosition(listener)
  }

  /** What was found when the storage was opened, and what had to be left out since. */
  get openReport(): OpenReport {
    const { report, options, catalog } = this.engine
    const found: Quarantined[] = [
      ...report.quarantined,
      ...(options.storage.quarantined?.() ?? []),
      ...catalog.quarantined,
    ]
    return { ...report, quarantined: found, durationMs: this.#openedMs }
  }

  /** The log, to read. */
  get log(): LogReader {
    return new LogReader(this.engine.options.storage)
  }

  /** The process tree: state, restarts and mailbox of each process. */
  supervision(): TreeNode {
    return this.engine.supervisor.tree()
  }

  /**
   * Crashes a process on purpose, for drills: `kill('bucket:users')`. Its supervisor starts it again.
   *
   * @returns whether there is such a process, running.
   */
  kill(process: string): boolean {
    const child = this.engine.supervisor.find(process)
    return child instanceof Process && child.kill('by store.kill')
  }

  /** Writes everything, ends everything, and lets go of the storage. May be called more than once. */
  stop(): Promise<void> {
    this.#stopping ??= this.engine.stop()
    return this.#stopping
  }
}

function nameOf(query: string | QueryRef<never>): string {
  return typeof query === 'object' && query !== null ? query.name : query
}
