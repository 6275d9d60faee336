import { InvalidArgumentError } from '../base/errors.js'
import type { Bucket } from '../commit/bucket.js'
import type { BucketHandle } from '../commit/bucket-handle.js'
import { Store as CoreStore } from '../core-store.js'
import type { Engine } from '../engine.js'
import type { Captured } from '../lifecycle/capture.js'
import { exportLines, Importer } from '../lifecycle/transfer.js'
import type { ImportOptions, ImportReport } from '../lifecycle/transfer.js'
import type { KeyOf, RecordOf } from '../schema/infer.js'
import type { AnyLinks, Links } from '../schema/links.js'
import type { BucketName, Named } from '../store-contexts.js'
import type { AnyBuckets, BucketDefinitions } from '../store-options.js'
import { viewAt } from './past-view.js'
import type { AtOptions, PastView } from './past-view.js'
import { stateHash } from './state-hash.js'
import { StoreBucketHandle } from './store-bucket.js'
import type { StoreBucket } from './store-bucket.js'
import { undoCommit } from './undo.js'
import type { UndoOptions } from './undo.js'
import type { RecordHistoryOptions, RecordVersion } from './versions.js'

/**
 * The class of the small store as others see it. Their `start` check literal definitions by the same rules, which the compiler
 * cannot relate to each other for options that differ.
 */
interface CoreStoreClass {
  new <B extends BucketDefinitions>(engine: Engine): CoreStore<B>
  start(options: never): Promise<CoreStore>
}

const Base: CoreStoreClass = CoreStore as unknown as CoreStoreClass

/** The small store, and what was: states and records as they have been, undo, hashes, and copies. */
export class PastStore<B extends BucketDefinitions = AnyBuckets> extends Base<B> {
  protected override handleOf<D, L = AnyLinks>(bucket: Bucket): BucketHandle<D, L> {
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
