import { InvalidArgumentError } from './base/errors.js'
import { Store as CoreStore } from './core-store.js'
import type { Bucket } from './commit/bucket.js'
import type { Engine } from './engine.js'
import type { AtOptions, PastView } from './history/past-view.js'
import { viewAt } from './history/past-view.js'
import { stateHash } from './history/state-hash.js'
import { StoreBucketHandle } from './history/store-bucket.js'
import type { StoreBucket } from './history/store-bucket.js'
import type { UndoOptions } from './history/undo.js'
import { undoCommit } from './history/undo.js'
import type { RecordHistoryOptions, RecordVersion } from './history/versions.js'
import type { Captured } from './lifecycle/capture.js'
import { History, HISTORY_DEFAULT, parseArchive, parseHistory } from './lifecycle/history.js'
import type { ArchiveOption, Archiver, HistoryOption } from './lifecycle/history.js'
import { exportLines, Importer } from './lifecycle/transfer.js'
import type { ImportOptions, ImportReport } from './lifecycle/transfer.js'
import { isSnapshotAdapter, SnapshotStorage } from './log/snapshot-storage.js'
import type { SnapshotAdapter } from './log/snapshot-storage.js'
import { isStorageAdapter } from './log/storage.js'
import type { HistoryBudget, StorageAdapter } from './log/storage.js'
import type { TraceHandler } from './query/evaluation.js'
import { Trace } from './reactive/trace.js'
import type { KeyOf, RecordOf } from './schema/infer.js'
import type { AnyLinks, Links } from './schema/links.js'
import type { BucketName, Named } from './store-contexts.js'
import type { AnyBuckets, BucketDefinitions, BucketsCheck, CoreStoreOptions } from './store-options.js'
import { checkOptionNames, CORE_OPTIONS } from './store-options.js'
import { Process } from './supervise/process.js'
import type { SupervisionEvent } from './supervise/child.js'
import { Supervisor } from './supervise/supervisor.js'
import { startWorker } from './supervise/worker.js'
import type { WorkerSpec } from './supervise/worker.js'

/** Where and how a store keeps its data. */
export interface StorePersistenceConfig {
  /** A storage adapter, or any key-value place with `save`, `load`, `delete`, `exists` and `listKeys`. */
  readonly adapter: StorageAdapter | SnapshotAdapter
  /** For key-value places: how long after a change a bucket is saved, in milliseconds. Default 100. */
  readonly debounceMs?: number
  /** Takes errors that no call can be rejected with. */
  readonly onError?: (error: Error) => void
}

/** Options of `Store.start`. */
export interface StoreOptions<B extends BucketDefinitions = BucketDefinitions>
  extends Omit<CoreStoreOptions<B>, 'persistence'> {
  /** Path of an SQLite file, made where there is none. All that it takes to be durable. */
  readonly file?: string
  /** How long to wait for a file that another process has open, in milliseconds. Default 1,000. */
  readonly waitMs?: number
  /** Another place for the data than a file. */
  readonly persistence?: StorePersistenceConfig
  /** How much of the log is kept. Default seven days or 256 MB, whichever comes first. */
  readonly history?: HistoryOption
}

/**
 * The class of the small store as this one sees it. The two `start` check literal definitions by the same rules, which
 * the compiler cannot relate to each other for options that differ.
 */
interface CoreStoreClass {
  new <B extends BucketDefinitions>(engine: Engine): CoreStore<B>
  start(options: never): Promise<CoreStore>
}

const Base: CoreStoreClass = CoreStore as unknown as CoreStoreClass

/** The whole store: the small one of `varve/core`, and files, history, copies, traces, and workers of your own. */
export class Store<B extends BucketDefinitions = AnyBuckets> extends Base<B> {
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
  static override async start<const B extends BucketDefinitions = BucketDefinitions>(
    options: StoreOptions<B> & BucketsCheck<B> = {},
  ): Promise<Store<B>> {
    checkOptionNames(options, OPTIONS)
    const { file, waitMs, persistence, history, ...rest } = options
    const budget = parseHistory(history ?? HISTORY_DEFAULT)
    const archive = parseArchive(history ?? HISTORY_DEFAULT)
    const adapter = await storageOf(file, waitMs, persistence)
    if (archive !== undefined && adapter?.trimmable === undefined) {
      throw new InvalidArgumentError('Store.start({ history: { archive } })', 'a store with a file', archive.folder)
    }
    const onError = rest.onError ?? persistence?.onError
    const core = { ...rest, ...(onError && { onError }), ...(adapter && { persistence: { adapter } }) }
    const store = (await super.start(core as never)) as unknown as Store<B>
    // A log in memory bounds itself, unless a budget was asked for.
    if (budget === undefined || (adapter === undefined && history === undefined)) return store
    try {
      store.#keepHistory(budget, archive && (await store.#openArchive(archive)))
      return store
    } catch (error) {
      await store.stop()
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

  protected override handle<D, L = AnyLinks>(bucket: Bucket): StoreBucketHandle<D, L> {
    return new StoreBucketHandle<D, L>(bucket, this.engine)
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
   * write; a record that comes back stands at the end of its bucket.
   *
   * @returns seq of the new commit; undefined where there was nothing to take back.
   * @throws {UndoConflictError} with the records that were changed since, and by which commits.
   * @throws {HistoryGoneError} it is not in the log any more, or has cleared or dropped a bucket.
   * @throws {UniqueConstraintError} @throws {ValidationError} what was before is not allowed now.
   * @throws {NotYetCommittedError} @throws {BucketNotDefinedError} @throws {InvalidArgumentError} Nothing was written.
   */
  async undo(seq: number, options: UndoOptions = {}): Promise<number | undefined> {
    this.mustRun()
    return undoCommit(this.engine, seq, options)
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

  readonly #now = (): Captured => {
    const { catalog, sequencer, undoneCount } = this.engine
    const { position } = sequencer
    const settled = () => sequencer.settled()
    return { buckets: catalog.buckets, position, at: sequencer.now(), undoneCount, settled }
  }

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

const OPTIONS: readonly string[] = [...CORE_OPTIONS, 'file', 'waitMs', 'history']

async function storageOf(
  file: unknown,
  waitMs: unknown,
  persistence: StorePersistenceConfig | undefined,
): Promise<StorageAdapter | undefined> {
  const invalid = (name: string, expected: string, given: unknown) =>
    new InvalidArgumentError(`Store.start(${name})`, expected, given)
  if (file === undefined) {
    if (waitMs !== undefined) throw invalid('{ waitMs }', 'to be given with file', waitMs)
    return persistence === undefined ? undefined : adapterOf(persistence, invalid)
  }
  if (typeof file !== 'string' || file === '') throw invalid('{ file }', 'a path', file)
  if (persistence?.adapter !== undefined) throw invalid('{ file, persistence: { adapter } }', 'one of the two', 'both')
  if (waitMs !== undefined && !(typeof waitMs === 'number' && waitMs >= 0)) {
    throw invalid('{ waitMs }', 'a number of milliseconds from 0', waitMs)
  }
  // Only who asks for a file pays for SQLite.
  const { SQLiteAdapter } = await import('./log/sqlite-adapter.js')
  return new SQLiteAdapter({ filename: file, ...(waitMs === undefined ? {} : { waitMs }) })
}

function adapterOf(
  persistence: StorePersistenceConfig,
  invalid: (name: string, expected: string, given: unknown) => Error,
): StorageAdapter {
  if (typeof persistence !== 'object' || persistence === null)
    throw invalid('{ persistence }', 'an object { adapter }', persistence)
  const { adapter, debounceMs, onError } = persistence
  if (debounceMs !== undefined && !(typeof debounceMs === 'number' && debounceMs >= 0)) {
    throw invalid('{ persistence: { debounceMs } }', 'a number of milliseconds from 0', debounceMs)
  }
  if (onError !== undefined && typeof onError !== 'function')
    throw invalid('{ persistence: { onError } }', 'a function', onError)
  if (isStorageAdapter(adapter)) return adapter
  if (isSnapshotAdapter(adapter)) return new SnapshotStorage(adapter, debounceMs === undefined ? {} : { debounceMs })
  const expected = 'a storage adapter, or an object with save, load, delete, exists and listKeys'
  throw invalid('{ persistence: { adapter } }', expected, adapter)
}
