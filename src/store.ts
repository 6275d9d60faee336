import { asError, InvalidArgumentError } from './base/errors.js'
import type { Bucket } from './commit/bucket.js'
import type { BucketHandle } from './commit/bucket-handle.js'
import type { Engine } from './engine.js'
import { PastStore } from './history/past-store.js'
import { History, HISTORY_DEFAULT, parseArchive, parseHistory } from './lifecycle/history.js'
import type { ArchiveOption, Archiver, HistoryOption } from './lifecycle/history.js'
import type { HistoryBudget } from './log/storage.js'
import type {
  DispatchArgs,
  DispatchOptions,
  EnqueueOptions,
  EventDataOf,
  EventDefinitions,
  EventHandlers,
  EventInputOf,
  EventOptions,
  EventReceipt,
  EventRef,
  EventResultOf,
  EventSchemaDefinition,
  RefOf,
  UpcastSteps,
} from './sourcing/event-definition.js'
import { checkEventOptions, Events } from './sourcing/events.js'
import type { ProjectionOptions, ProjectionStats } from './sourcing/projection.js'
import { ParkedEvents, QueueControl } from './sourcing/parked.js'
import type { SchemaDefinition } from './schema/definition.js'
import type { TraceHandler } from './query/evaluation.js'
import { Trace } from './reactive/trace.js'
import type { AnyBuckets, BucketDefinitions, BucketsCheck, CoreStoreOptions } from './store-options.js'
import { checkOptionNames, CORE_OPTIONS } from './store-options.js'
import { storageOf } from './store-storage.js'
import type { StorePersistenceConfig } from './store-storage.js'
import { Process } from './supervise/process.js'
import type { SupervisionEvent } from './supervise/child.js'
import { Supervisor } from './supervise/supervisor.js'
import { startWorker } from './supervise/worker.js'
import type { WorkerSpec } from './supervise/worker.js'

/** Options of `Store.start`. */
export interface StoreOptions<B extends BucketDefinitions = BucketDefinitions, E = EventDefinitions>
  extends Omit<CoreStoreOptions<B>, 'persistence'> {
  /** Events to define before anything is handled. Handlers know the type of their data where it is given as `event({ … })`. */
  readonly events?: E
  /** Path of an SQLite file, made where there is none. All that it takes to be durable. */
  readonly file?: string
  /** How long to wait for a file that another process has open, in milliseconds. Default 1,000. */
  readonly waitMs?: number
  /** Another place for the data than a file. */
  readonly persistence?: StorePersistenceConfig
  /** What becomes of events that nobody has defined: they are refused (default), or kept in the log, without effect. */
  readonly unknownEvents?: 'refuse' | 'keep'
  /**
   * Run handlers of events twice, and tell `onError` of those that do not give the same again, or ask the host for time or chance.
   * For development: it costs time. Default false.
   */
  readonly checkDeterminism?: boolean
  /** Projections to define before events are handled. */
  readonly projections?: { readonly [name: string]: ProjectionOptions }
  /** How much of the log is kept. Default seven days or 256 MB, whichever comes first. */
  readonly history?: HistoryOption
}

/** The events of a store whose events the compiler does not know. */
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyEvents = any

/** As `CoreStoreClass` of `past-store.ts`. */
interface PastStoreClass {
  new <B extends BucketDefinitions>(engine: Engine): PastStore<B>
  start(options: never): Promise<PastStore>
}

const Base: PastStoreClass = PastStore as unknown as PastStoreClass

/** The whole store: the small one of `varve/core`, and events, files, history, copies, traces, and workers of your own. */
export class Store<B extends BucketDefinitions = AnyBuckets, E extends EventDefinitions = AnyEvents> extends Base<B> {
  readonly #events: Events
  readonly #trace: Trace

  protected constructor(engine: Engine) {
    super(engine)
    const { trace, options, views } = engine
    this.#events = new Events(engine)
    this.#trace = new Trace(trace, options.runtime, () => views.commitCount, options.onError)
  }

  protected override handleOf<D, L>(bucket: Bucket): BucketHandle<D, L> {
    return bucket.definition.sourced === true ? this.#events.handle<D, L>(bucket) : super.handleOf<D, L>(bucket)
  }

  /**
   * Opens the storage and starts a store.
   *
   * @throws {InvalidArgumentError} @throws {DefinitionError} nothing was done.
   * @throws {StorageLockedError} another process, or store, has the file open.
   * @throws {StorageError} the file cannot be used; nothing in it was changed, nothing is left running.
   */
  static override async start<
    const B extends BucketDefinitions = BucketDefinitions,
    const E extends EventDefinitions<B> = EventDefinitions<B>,
  >(options: StoreOptions<B, E> & BucketsCheck<B> = {}): Promise<Store<B, E>> {
    checkOptionNames(options, OPTIONS)
    const {
      file,
      waitMs,
      persistence,
      history,
      events = {},
      projections = {},
      unknownEvents,
      checkDeterminism,
      ...rest
    } = options
    const eventOptions = checkEventOptions(events, unknownEvents, checkDeterminism)
    const budget = parseHistory(history ?? HISTORY_DEFAULT)
    const archive = parseArchive(history ?? HISTORY_DEFAULT)
    const adapter = await storageOf(file, waitMs, persistence)
    if (archive !== undefined && adapter?.trimmable === undefined) {
      throw new InvalidArgumentError('Store.start({ history: { archive } })', 'a store with a file', archive.folder)
    }
    const onError = rest.onError ?? persistence?.onError
    const core = { ...rest, ...(onError && { onError }), ...(adapter && { persistence: { adapter } }) }
    const store = (await super.start(core as never)) as unknown as Store<B, E>
    try {
      await store.#events.start(events, projections, eventOptions)
      // A log in memory bounds itself, unless a budget was asked for.
      if (budget !== undefined && (adapter !== undefined || history !== undefined)) {
        store.#keepHistory(budget, archive && (await store.#openArchive(archive)))
      }
      return store
    } catch (error) {
      await store.stop().catch((also: unknown) => store.engine.options.onError(asError(also)))
      throw error
    }
  }

  /**
   * Defines a type of events: what its data is, and what happens when one is dispatched.
   *
   * @returns a typed reference; the type works as well.
   * @throws {EventDefinitionError} it was not taken.
   */
  defineEvent<const S extends EventSchemaDefinition = SchemaDefinition, R = unknown, const V extends number = 1>(
    type: string,
    options: EventOptions<S, B, R> & { readonly version?: V } & UpcastSteps<V>,
  ): RefOf<S, R> {
    this.mustRun()
    this.#events.registry.define(type, options as EventOptions)
    return Object.freeze({ type })
  }

  /**
   * Adds handlers to a type of events, after those that are there: one module defines an event, others join in. Those of
   * `bucket/<name>` join in the writes of a sourced bucket.
   *
   * @throws {EventNotDefinedError} @throws {EventDefinitionError} they were not taken.
   */
  extendEvent<I, D, R>(event: EventRef<I, D, R>, handlers: EventHandlers<D, B, R>): void
  /** By type: for events that were given to `start` the data is typed. */
  extendEvent<T extends (keyof E & string) | (string & {})>(
    type: T,
    handlers: EventHandlers<T extends keyof E ? EventDataOf<E[T]> : { readonly [field: string]: unknown }, B>,
  ): void
  extendEvent(event: string | EventRef<never>, handlers: unknown): void {
    this.mustRun()
    this.#events.registry.extend(typeOfEvent(event), handlers as EventHandlers)
  }

  /**
   * Dispatches an event: all that its handlers want is one commit, with one entry in the log, or nothing happens.
   *
   * @returns what became of it, when that is durable.
   * @throws {EventNotDefinedError} @throws {InvalidArgumentError} it cannot be stored; nothing was done.
   * @throws {EventFailedError} a handler failed, or wanted what is not possible; nothing was written.
   */
  dispatch<I, D, R>(event: EventRef<I, D, R>, ...args: DispatchArgs<NoInfer<I>>): Promise<EventReceipt<D, R>>
  /** By type: for events that were given to `start` the data is typed. */
  dispatch<T extends keyof E & string>(
    type: T,
    ...args: DispatchArgs<EventInputOf<E[T]>>
  ): Promise<EventReceipt<EventDataOf<E[T]>, EventResultOf<E[T]>>>
  /** A type that is not known to the compiler. */
  dispatch<T extends string>(
    type: T extends keyof E ? never : T,
    data?: object,
    options?: DispatchOptions,
  ): Promise<EventReceipt<{ readonly [field: string]: unknown }>>
  /** As one object. */
  dispatch<T extends string>(
    event: { readonly type: T; readonly data: T extends keyof E ? EventInputOf<E[T]> : object } & DispatchOptions,
  ): Promise<EventReceipt<T extends keyof E ? EventDataOf<E[T]> : { readonly [field: string]: unknown }>>
  async dispatch(event: unknown, data?: unknown, options?: unknown): Promise<EventReceipt<never, never>> {
    this.mustRun()
    return (await this.#events.dispatch(this.#events.parse('dispatch', event, data, options))) as EventReceipt<
      never,
      never
    >
  }

  /**
   * Puts an event into the queue, to be handled later, exactly once, also when the program is killed in between. What becomes
   * of it when it fails is for the `policy` of its definition to say.
   *
   * @returns its id, when it is durable in the queue.
   * @throws {EventNotDefinedError} @throws {InvalidArgumentError} @throws {ValidationError} nothing was done.
   */
  enqueue<I, D, R>(event: EventRef<I, D, R>, ...args: DispatchArgs<NoInfer<I>, EnqueueOptions>): Promise<number>
  /** By type: for events that were given to `start` the data is typed. */
  enqueue<T extends keyof E & string>(
    type: T,
    ...args: DispatchArgs<EventInputOf<E[T]>, EnqueueOptions>
  ): Promise<number>
  /** A type that is not known to the compiler. */
  enqueue<T extends string>(
    type: T extends keyof E ? never : T,
    data?: object,
    options?: EnqueueOptions,
  ): Promise<number>
  async enqueue(event: unknown, data?: unknown, options?: unknown): Promise<number> {
    this.mustRun()
    return this.#events.enqueue(event, data, options)
  }

  /**
   * Defines a projection: buckets that are made of events. An inline one is part of the commit of each event, an async one follows the
   * log, from the oldest entry that is kept; each event is taken in exactly once.
   *
   * @throws {ProjectionDefinitionError} @throws {BucketNotDefinedError} it was not taken.
   */
  async defineProjection(name: string, options: ProjectionOptions<B>): Promise<void> {
    this.mustRun()
    await this.#events.projections.define(name, options as ProjectionOptions)
  }

  /** How far each projection has got. */
  get projections(): readonly ProjectionStats[] {
    return this.#events.projections.stats
  }

  /** Resolves when the async projections have taken in everything that is durable now, or do not go on. */
  projected(): Promise<void> {
    return this.#events.projections.settled()
  }

  /** Queued events that were set aside because they kept failing. */
  get parked(): ParkedEvents {
    return new ParkedEvents(this.#events, this.#events.queue)
  }

  /** The queue of events, to look at and to steer. */
  get queue(): QueueControl {
    return new QueueControl(this.#events.queue)
  }

  #workers: Supervisor | undefined

  /** Only who has an archive pays for it. */
  async #openArchive(archive: Required<ArchiveOption>): Promise<Archiver> {
    const { Archive } = await import('./history/archive.js')
    const { report, options } = this.engine
    const { logId, head } = report
    return Archive.open({ ...archive, logId, head, log: options, onError: options.onError })
  }

  #keepHistory(budget: HistoryBudget, archive: Archiver | undefined): void {
    const { sequencer, options } = this.engine
    const { runtime, storage, onError } = options
    const history = new History({ runtime, sequencer, storage, onError, archive }, budget)
    this.engine.onPublished = () => history.notice()
    void this.engine.supervise(
      new Process({ name: 'history', start: () => history.start(), stop: () => history.stop() }, runtime),
    )
  }

  /**
   * Runs a worker of your own, or a group of them, in the store's process tree: it is started again when it crashes, and
   * ended when the store stops.
   *
   * @returns when it has come up once, a group at once; rejects when it never will.
   * @throws {InvalidArgumentError} nothing was started, no member of a group either.
   */
  async supervise(spec: WorkerSpec): Promise<void> {
    this.mustRun()
    const { runtime, onError } = this.engine.options
    if (this.#workers === undefined) {
      // One that keeps crashing is tried again and again, ever more slowly; the store itself does not suffer from it.
      const onEvent = ({ error }: SupervisionEvent): void => error && onError(error)
      const intensity = { max: Number.POSITIVE_INFINITY, withinMs: 60_000 }
      this.#workers = new Supervisor({ name: 'workers', intensity, onEvent }, runtime)
      await this.engine.supervise(this.#workers)
    }
    await startWorker(this.#workers, spec, runtime)
  }

  /**
   * Calls `handler` after each evaluation of a live query or of a named one that is subscribed to, and says why it was made and
   * what it took. It costs nothing while nobody listens. What a handler throws goes to `onError`.
   *
   * @returns ends it.
   */
  trace(handler: TraceHandler): () => void {
    this.mustRun()
    if (typeof handler !== 'function') throw new InvalidArgumentError('trace(handler)', 'a function', handler)
    return this.#trace.on(handler)
  }
}

const OPTIONS: readonly string[] = [
  ...CORE_OPTIONS,
  'file',
  'waitMs',
  'history',
  'events',
  'projections',
  'unknownEvents',
  'checkDeterminism',
]

function typeOfEvent(event: string | EventRef<never>): string {
  return typeof event === 'object' && event !== null ? event.type : event
}
