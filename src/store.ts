import { asError, InvalidArgumentError } from './base/errors.js'
import type { Engine } from './engine.js'
import { capturedOf } from './history/captured.js'
import type { AtOptions, PastView } from './history/past-view.js'
import { viewAt } from './history/past-view.js'
import { stateHash } from './history/state-hash.js'
import type { StoreBucket } from './history/store-bucket.js'
import type { UndoOptions } from './history/undo.js'
import { undoCommit } from './history/undo.js'
import type { RecordHistoryOptions, RecordVersion } from './history/versions.js'
import type { Captured } from './lifecycle/capture.js'
import { History, HISTORY_DEFAULT, parseArchive, parseHistory } from './lifecycle/history.js'
import type { ArchiveOption, Archiver, HistoryOption } from './lifecycle/history.js'
import { exportLines, Importer } from './lifecycle/transfer.js'
import type { ImportOptions, ImportReport } from './lifecycle/transfer.js'
import type { HistoryBudget } from './log/storage.js'
import type { EventDefinitions } from './sourcing/event-definition.js'
import type { AnyEvents } from './sourcing/event-store.js'
import { EventStore } from './sourcing/event-store.js'
import { checkEventOptions } from './sourcing/events.js'
import type { ProjectionDefinitions, ProjectionsFor, ProjectionSources } from './sourcing/projection-definition.js'
import { UndoEvents } from './sourcing/undo-events.js'
import type { Links } from './schema/links.js'
import type { TraceHandler } from './query/evaluation.js'
import { Trace } from './reactive/trace.js'
import type { KeyOf, RecordOf } from './schema/infer.js'
import type { BucketName, Named } from './store-contexts.js'
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
export interface StoreOptions<
  B extends BucketDefinitions = BucketDefinitions,
  E = EventDefinitions,
  P = ProjectionDefinitions,
> extends Omit<CoreStoreOptions<B>, 'persistence'> {
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
  /**
   * `'paused'`: queued events stay in the queue until `store.queue.resume()`, for tools that open a store to look at it or to repair it.
   * Default `'running'`.
   */
  readonly queue?: 'running' | 'paused'
  /** Projections to define before events are handled. */
  readonly projections?: P
  /** How much of the log is kept. Default seven days or 256 MB, whichever comes first. */
  readonly history?: HistoryOption
}

/** The whole store: the small one of `varve/core`, and events, files, history, copies, traces, and workers of your own. */
export class Store<B extends BucketDefinitions = AnyBuckets, E extends EventDefinitions = AnyEvents> extends EventStore<
  B,
  E
> {
  readonly #trace: Trace

  protected constructor(engine: Engine) {
    super(engine)
    const { trace, options, views } = engine
    this.#trace = new Trace(trace, options.runtime, () => views.commitCount, options.onError)
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
    const P extends ProjectionSources = ProjectionSources,
  >(options: StoreOptions<B, E, ProjectionsFor<B, E, P>> & BucketsCheck<B> = {}): Promise<Store<B, E>> {
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
      queue,
      ...rest
    } = options
    const eventOptions = checkEventOptions(events, unknownEvents, checkDeterminism, queue)
    const budget = parseHistory(history ?? HISTORY_DEFAULT)
    const archive = parseArchive(history ?? HISTORY_DEFAULT)
    const adapter = await storageOf(file, waitMs, persistence)
    if (archive !== undefined && adapter?.trimmable === undefined) {
      throw new InvalidArgumentError('Store.start({ history: { archive } })', 'a store with a file', archive.folder)
    }
    const onError = rest.onError ?? persistence?.onError
    const core = { ...rest, ...(onError && { onError }), ...(adapter && { persistence: { adapter } }) }
    const store = (await super.start(core as never)) as Store<B, E>
    try {
      await store.events.start(events, projections, eventOptions)
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
    const needed = () => this.events.projections.needed
    const history = new History({ runtime, sequencer, storage, onError, archive, needed }, budget)
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

  /** A handle of a bucket, at no cost. @throws {BucketNotDefinedError} */
  override bucket<N extends BucketName<B>>(name: N): StoreBucket<Named<B, N>, Links<B, N>> {
    return super.bucket(name) as StoreBucket<Named<B, N>, Links<B, N>>
  }

  /**
   * All buckets as they were after commit `when`, or at that time: every read of `store.read`, of one state, for as long as the view
   * is kept. Writes go on meanwhile and do not change it. It looks back from now, so it costs what has happened since: the
   * entries after `when` are read, and what they have touched is kept in memory, with two numbers for each record of the
   * buckets. `{ buckets }` leaves out the others.
   *
   * @param when a seq from 0 (before the first commit), or a `Date`: then the last commit at or before it.
   * @throws {HistoryGoneError} history does not go back so far, or an entry since is damaged. For a bucket that was cleared or
   *   dropped since, and was erased with that, `view.bucket` throws it.
   * @throws {NotYetCommittedError} it is in the future. @throws {InvalidArgumentError} @throws {BucketNotDefinedError}
   */
  async at(when: number | Date, options: AtOptions<BucketName<B>> = {}): Promise<PastView<B>> {
    this.mustRun()
    return (await viewAt(when, options, this.engine.options, this.#now)) as PastView<B>
  }

  /**
   * What commits have made of one record, the newest first: `bucket(name).history(key)`.
   *
   * @throws {BucketNotDefinedError} @throws {InvalidArgumentError} @throws the reason of the signal.
   */
  async history<N extends BucketName<B>>(
    bucket: N,
    key: KeyOf<Named<B, N>>,
    options: RecordHistoryOptions = {},
  ): Promise<RecordVersion<RecordOf<Named<B, N>>>[]> {
    this.mustRun()
    return this.bucket(bucket).history(key, options)
  }

  /**
   * Commits the inverse of commit `seq`, as a new commit, if all that it changed is still as it has left it. Undoing that one
   * does it again. Fields, `_createdAt` and `_expiresAt` are what they were; `_version` and `_updatedAt` go on, because an undo is a new
   * write; a record that comes back stands at the end of its bucket. Writes to a sourced bucket are taken back by writes that are events, which
   * its handlers and projections see; those give records new times as well.
   *
   * @returns seq of the new commit; undefined where there was nothing to take back.
   * @throws {UndoConflictError} with the records that were changed since, and by which commits.
   * @throws {UndoRefusedError} a projection, defined now or earlier, takes in an event of it, or what handlers of sourced buckets have made
   *   cannot be told apart: dispatch what takes it back.
   * @throws {HistoryGoneError} it is not in the log any more, or has cleared or dropped a bucket.
   * @throws {UniqueConstraintError} @throws {ValidationError} what was before is not allowed now.
   * @throws {NotYetCommittedError} @throws {BucketNotDefinedError} @throws {InvalidArgumentError} Nothing was written.
   */
  async undo(seq: number, options: UndoOptions = {}): Promise<number | undefined> {
    this.mustRun()
    return undoCommit(this.engine, seq, options, new UndoEvents(this.engine, this.events))
  }

  /**
   * A hash of all that is stored: the same wherever records, their metadata and their order are the same, whatever the storage,
   * the machine and the version of Node.js. For comparing copies, and replays. Counters, definitions, the log, empty buckets and
   * buckets with `persistent: false` are not in it.
   *
   * @returns 64 hexadecimal digits (SHA-256).
   */
  async stateHash(): Promise<string> {
    this.mustRun()
    return stateHash(this.#now, this.engine.options.runtime)
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

  /**
   * Writes a complete copy to `path`, while the store goes on.
   *
   * @throws {InvalidArgumentError} the storage is not a file. @throws {StorageError} there is something at `path`.
   */
  async backup(path: string): Promise<void> {
    this.mustRun()
    const { storage } = this.engine.options
    if (typeof path !== 'string' || path === '') throw new InvalidArgumentError('backup(path)', 'a path', path)
    if (storage.backup === undefined)
      throw new InvalidArgumentError('backup(path)', 'a store with a file (export works everywhere)', path)
    await this.engine.sequencer.settled()
    await this.engine.sequencer.exclusive(() => (storage.backup as (path: string) => Promise<void>)(path))
  }

  /** All buckets as JSON Lines, from one consistent state. */
  export(): AsyncIterable<string> {
    this.mustRun()
    return exportLines(this.name, this.#now)
  }

  readonly #now = (): Captured => capturedOf(this.engine)

  /**
   * Imports what `export` wrote, records with their metadata as they were. The buckets have to be defined.
   *
   * @throws {ImportError} with the line that is wrong; earlier batches stay.
   */
  async import(
    source: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>,
    options?: ImportOptions,
  ): Promise<ImportReport> {
    this.mustRun()
    const { catalog, sequencer } = this.engine
    return new Importer((name) => catalog.must(name), sequencer, options).run(source)
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
  'queue',
]
