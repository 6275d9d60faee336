import { asError, InvalidArgumentError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import { Bucket } from '../commit/bucket.js'
import type { BucketOwner } from '../commit/bucket.js'
import { CommitDraft } from '../commit/draft.js'
import { BucketAlreadyExistsError, BucketCrashedError, BucketNotDefinedError } from '../commit/errors.js'
import type { Sequencer } from '../commit/sequencer.js'
import { isInternalBucket } from '../log/entry.js'
import { StorageError, StorageUnreadableError } from '../log/errors.js'
import type { RowMirror } from '../log/rows.js'
import type { BucketMeta, Quarantined, StorageAdapter, StorageReport } from '../log/storage.js'
import { checkDefinition } from '../schema/check-definition.js'
import type { BucketDefinition } from '../schema/definition.js'
import { DefinitionError } from '../schema/errors.js'
import { RecordSchema } from '../schema/record-schema.js'
import type { ProcessState } from '../supervise/child.js'
import { Process } from '../supervise/process.js'
import type { Supervisor } from '../supervise/supervisor.js'

/** What the catalog needs of its store. */
export interface CatalogOptions {
  readonly runtime: Runtime
  readonly sequencer: Sequencer
  readonly storage: StorageAdapter
  readonly report: StorageReport
  /** Rows of the buckets that are not stored. */
  readonly ephemeral: RowMirror
  readonly supervisor: Supervisor
  /** Told when the records of a bucket have been read, at its definition or after a crash. */
  readonly onLoaded: (bucket: Bucket) => void
}

/** What is known about a bucket. */
export interface BucketDescription {
  readonly name: string
  /** Frozen, as it was checked when the bucket was defined. */
  readonly definition: BucketDefinition
  readonly records: number
  readonly indexes: readonly {
    /** The field; several joined by a comma and a space. */
    readonly field: string
    readonly fields: readonly string[]
    readonly unique: boolean
    /** It has only the records that match the filter of its definition. */
    readonly partial: boolean
  }[]
  readonly persistent: boolean
  /** State of its process. */
  readonly state: ProcessState
}

/** The buckets of one store: defines, loads, and drops them. */
export class Catalog {
  readonly #options: CatalogOptions
  readonly #buckets = new Map<string, Bucket>()
  /** Those that Varve keeps for itself. */
  readonly #own = new Map<string, Bucket>()
  /** What the storage knows of buckets, defined in this run or not. */
  readonly #stored: Map<string, BucketMeta>
  /** Drops that are on their way, by name. */
  readonly #dropping = new Map<string, Promise<void>>()
  /** Told of each bucket whose writes are events; where nobody is, there are no such buckets. */
  onSourced: ((bucket: string) => void) | undefined
  /** Who alone writes to a bucket that is about to be defined. */
  ownerOf: ((bucket: string) => BucketOwner | undefined) | undefined
  /** Rows that were left out because they are damaged. */
  readonly quarantined: Quarantined[] = []

  constructor(options: CatalogOptions) {
    this.#options = options
    this.#stored = new Map(options.report.buckets.map((meta) => [meta.bucket, meta]))
  }

  /** The buckets, in the order of their definition. */
  get buckets(): Iterable<Bucket> {
    return this.#buckets.values()
  }

  /** The bucket called `name`. @throws {BucketNotDefinedError} */
  must(name: string): Bucket {
    const bucket = this.#buckets.get(name)
    if (bucket === undefined) throw new BucketNotDefinedError(String(name))
    return bucket
  }

  /** Whether there is a bucket called `name`, loaded or not. */
  has(name: string): boolean {
    return this.#buckets.has(name)
  }

  /** One that Varve keeps for itself, where it is defined. */
  own(name: string): Bucket | undefined {
    return this.#own.get(name)
  }

  /** Resolves when no bucket is being loaded for the first time. Never rejects. */
  async loaded(): Promise<void> {
    const starting = [...this.#buckets.values()].filter(({ process }) => process.state === 'starting')
    if (starting.length > 0) await Promise.allSettled(starting.map(({ process }) => process.started))
  }

  /** What is known about the bucket called `name`. @throws {BucketNotDefinedError} */
  describe(name: string): BucketDescription {
    const { definition, table, persistent, process } = this.must(name)
    const indexes = table.options.indexes.map(({ fields, unique, where }) =>
      Object.freeze({ field: fields.join(', '), fields, unique, partial: where !== undefined }),
    )
    return { name, definition, records: table.size, indexes, persistent, state: process.state }
  }

  /**
   * Defines a bucket; it can be used at once, and answers as soon as it is loaded.
   *
   * @param isOwn it is one that Varve keeps for itself: nobody finds it.
   * @returns the bucket, and a promise that settles when it is loaded. Where that fails, the bucket is gone again.
   * @throws {DefinitionError} @throws {BucketAlreadyExistsError} nothing was done.
   */
  define(
    name: string,
    definition: BucketDefinition,
    isOwn = false,
  ): { readonly bucket: Bucket; readonly loaded: Promise<void> } {
    const buckets = isOwn ? this.#own : this.#buckets
    if (typeof name === 'string' && buckets.has(name)) throw new BucketAlreadyExistsError(name)
    if (typeof name === 'string' && !isOwn && isInternalBucket(name)) {
      throw new DefinitionError(name, `bucket "${name}": names that begin with varve/ are taken`)
    }
    const checked = checkDefinition(name, definition)
    if (checked.sourced === true) {
      if (this.onSourced === undefined) {
        throw new DefinitionError(
          name,
          `bucket "${name}": sourced buckets need the store of "varve", not of "varve/core"`,
        )
      }
      this.onSourced(name)
    }
    const schema = new RecordSchema(name, checked, this.#options.runtime)
    const bucket = new Bucket(name, checked, schema, checked.persistent !== false, (other) => this.must(other))
    bucket.process = new Process(
      {
        name: `bucket:${name}`,
        start: () => this.#load(bucket),
        errorOf: (cause, isFinal) => new BucketCrashedError(name, cause, isFinal),
      },
      this.#options.runtime,
    )
    bucket.owner = this.ownerOf?.(name)
    buckets.set(name, bucket)
    const loaded = this.#start(bucket).catch((error: unknown) => {
      if (buckets.get(name) === bucket) buckets.delete(name)
      throw asError(error)
    })
    // Whoever awaits it is told. Whoever does not is told by the first operation on the bucket.
    loaded.catch(() => undefined)
    return { bucket, loaded }
  }

  async #start(bucket: Bucket): Promise<void> {
    const { name, process } = bucket
    const dropping = this.#dropping.get(name)
    if (dropping !== undefined) {
      // A bucket of this name is about to go: the new one begins when nothing is left of it.
      await dropping
      if ((isInternalBucket(name) ? this.#own : this.#buckets).get(name) !== bucket) {
        throw new BucketAlreadyExistsError(name)
      }
    }
    await this.#options.supervisor.startChild(process)
  }

  async #load(bucket: Bucket): Promise<void> {
    const { sequencer, storage, ephemeral, runtime } = this.#options
    // What was acknowledged, or is about to be, has to be in the storage before it is read back.
    await sequencer.settled()
    if (bucket.persistent) sequencer.mustAgreeWithStorage()
    const counter = bucket.persistent ? await this.#defineInStorage(bucket) : this.#defineInMemory(bucket)
    const pause = () => new Promise<void>((resolve) => runtime.defer(resolve))
    const damaged = await bucket.load(bucket.persistent ? storage : ephemeral, counter, pause)
    // From here on the table knows its counter, which may also fall.
    const stored = this.#stored.get(bucket.name)
    if (bucket.persistent && stored !== undefined) this.#stored.set(bucket.name, { ...stored, counter: 0 })
    // Not spread into one call: there may be more of them than arguments are allowed.
    for (const row of damaged) this.quarantined.push(row)
    this.#options.onLoaded(bucket)
  }

  /** Tells the storage of the bucket. @returns its counter, as far as the storage knew it. */
  async #defineInStorage(bucket: Bucket): Promise<number> {
    const stored = this.#stored.get(bucket.name)
    // Snapshots do not always tell: one without records, or one whose keys are also the values of another field.
    if (stored !== undefined && stored.key !== '' && stored.key !== bucket.schema.key) {
      const message = `bucket "${bucket.name}" is stored with key field "${stored.key}", not "${bucket.schema.key}"`
      throw new StorageUnreadableError(
        `${message}; nothing was changed; use the same key field, or drop the bucket first`,
      )
    }
    const isKnown = stored !== undefined && stored.fields.join('\n') === bucket.schema.fieldNames.join('\n')
    const meta = { ...bucket.meta, counter: Math.max(bucket.table.counter, stored?.counter ?? 0) }
    if (!isKnown) await this.#options.sequencer.writeRows([{ op: 'define', meta }])
    this.#stored.set(bucket.name, meta)
    return meta.counter
  }

  #defineInMemory(bucket: Bucket): number {
    this.#options.ephemeral.apply([{ op: 'define', meta: bucket.meta }])
    return bucket.table.counter
  }

  /**
   * Drops a bucket, in one commit, with everything that is stored about it.
   *
   * @param isOwn it is one that Varve keeps for itself.
   * @throws {BucketNotDefinedError} @throws what its owner says. Nothing was done.
   */
  async drop(name: string, isOwn = false): Promise<void> {
    if (typeof name !== 'string') throw new InvalidArgumentError('dropBucket(name)', 'a name', name)
    const buckets = isOwn ? this.#own : this.#buckets
    const bucket = buckets.get(name)
    const { sequencer, supervisor } = this.#options
    if (bucket !== undefined && bucket.process.state !== 'failed') await bucket.whenReady()
    if (bucket === undefined || buckets.get(name) !== bucket) throw new BucketNotDefinedError(name)
    bucket.owner?.refuse(name)
    sequencer.mustTakeWrites()
    const draft = new CommitDraft('store/drop', { bucket: name, records: bucket.table.size })
    draft.make(() => {
      buckets.delete(name)
      bucket.dropped = true
      draft.drop(bucket, sequencer.nextSeq, () => {
        bucket.dropped = false
        buckets.set(name, bucket)
      })
    })
    let over = (): void => undefined
    this.#dropping.set(name, new Promise((resolve) => (over = resolve)))
    try {
      await sequencer.submit(draft)
      // At the level 'memory' it is still on its way: nothing may take its place before it cannot come back.
      await sequencer.settled()
      if (!bucket.dropped) throw new StorageError(`bucket "${name}" could not be dropped; it is as it was`)
      if (bucket.persistent) this.#stored.delete(name)
      await supervisor.terminateChild(bucket.process.name, new BucketNotDefinedError(name))
    } finally {
      this.#dropping.delete(name)
      over()
    }
  }
}
