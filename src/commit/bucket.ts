import { deepFreeze } from '../schema/copy-value.js'
import { isKey } from '../base/value.js'
import type { StoredRecord } from '../base/value.js'
import type { BucketMeta, Quarantined, StorageAdapter } from '../log/storage.js'
import { StorageUnreadableError } from '../log/errors.js'
import type { RowMirror } from '../log/rows.js'
import type { Peer } from '../query/answer-included.js'
import { Reads } from '../query/reads.js'
import { refsOf } from '../query/relation.js'
import { TableSource } from '../query/source.js'
import type { BucketDefinition } from '../schema/definition.js'
import type { RecordSchema } from '../schema/record-schema.js'
import { Table } from '../state/table.js'
import type { Process } from '../supervise/process.js'
import { BucketUnavailableError, UniqueConstraintError } from './errors.js'
import { tableOptions } from '../query/table-options.js'

/** Who alone writes to a bucket. */
export interface BucketOwner {
  readonly name: string
  /** Throws: somebody else has tried. */
  refuse(bucket: string): never
}

/** One bucket while its store runs: its definition, its records, and the process that owns them. */
export class Bucket {
  readonly name: string
  readonly definition: BucketDefinition
  readonly schema: RecordSchema
  /** Whether its commits go to the store's storage, or are kept in memory only. */
  readonly persistent: boolean
  readonly source: TableSource
  readonly reads: Reads<never>
  /** Set once, when the bucket is put under supervision. */
  process!: Process
  table: Table
  /** The counter as the storage was last told; 0 where that is not known. */
  counterStored = 0
  dropped = false
  /** Who alone writes to it. */
  owner: BucketOwner | undefined
  /** See the constructor. */
  readonly peer: (name: string) => Bucket

  /** @param peer the bucket of another name; throws `BucketNotDefinedError`. */
  constructor(
    name: string,
    definition: BucketDefinition,
    schema: RecordSchema,
    persistent: boolean,
    peer: (name: string) => Bucket,
  ) {
    this.peer = peer
    this.name = name
    this.definition = definition
    this.schema = schema
    this.persistent = persistent
    const options = tableOptions(name, definition)
    this.table = new Table(options)
    this.source = new TableSource(() => this.table, options.collators, refsOf(definition))
    this.reads = new Reads<never>(this.source, undefined, undefined, (other) => peer(other).asPeer())
  }

  /** What the storage keeps about this bucket besides its rows. */
  get meta(): BucketMeta {
    return { bucket: this.name, key: this.schema.key, counter: this.table.counter, fields: this.schema.fieldNames }
  }

  /** Throws unless the bucket can answer at once. */
  mustBeReady(): void {
    if (this.process.state !== 'running') throw new BucketUnavailableError(this.name, this.process.state)
  }

  /** This bucket. @throws {BucketUnavailableError} it cannot answer at once. */
  ready(): this {
    this.mustBeReady()
    return this
  }

  /** Resolves when the bucket answers, at once where it does. @throws {BucketCrashedError} it never will. */
  whenReady(): Promise<void> {
    return this.process.call(() => undefined)
  }

  /** This bucket, for questions about others that include it. */
  asPeer(): Peer {
    return { source: this.source, reads: () => this.ready().reads }
  }

  /** Runs `read` again for as long as one of the other buckets that it needs is being loaded. */
  async withPeers<T>(read: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await read()
      } catch (error) {
        if (!(error instanceof BucketUnavailableError) || error.bucket === this.name) throw error
        // Rejects where that bucket is down for good.
        await this.peer(error.bucket).whenReady()
      }
    }
  }

  /**
   * Replaces whatever is in memory by what the storage has. Until it succeeds the bucket keeps what it had. It stands back
   * between chunks, so that everything else goes on meanwhile.
   *
   * @param pause resolves when whatever else was due has had its turn.
   * @throws {UniqueConstraintError} the rows break a unique field of the definition.
   * @returns rows that cannot be records of this bucket and were left out.
   */
  async load(rows: StorageAdapter | RowMirror, counter: number, pause: () => Promise<void>): Promise<Quarantined[]> {
    const table = new Table(this.table.options)
    table.counter = Math.max(counter, this.table.counter)
    table.adoptCursors(this.table)
    const damaged: Quarantined[] = []
    let last = 0
    const chunks = 'loadBucket' in rows ? rows.loadBucket(this.name) : [rows.rows(this.name)]
    for await (const chunk of chunks) {
      if (table.size > 0) await pause()
      for (const { ordinal, record } of chunk) {
        if (ordinal <= last) throw unordered(this.name, ordinal, last)
        last = ordinal
        const reason = this.#loadRow(table, ordinal, record)
        if (reason !== undefined) damaged.push({ what: 'row', bucket: this.name, at: ordinal, reason })
      }
    }
    // Some places know the counter only once the rows are read.
    if ('loadBucket' in rows) table.counter = Math.max(table.counter, rows.counterOf?.(this.name) ?? 0)
    this.table = table
    // Rows and open transactions may have brought the counter further than the storage knows: the next write tells it.
    this.counterStored = 0
    return damaged
  }

  #loadRow(table: Table, ordinal: number, record: StoredRecord): string | undefined {
    const key = record[this.schema.key]
    if (!isKey(key)) return `the record has no key in field "${this.schema.key}"`
    if (table.slot(key) !== undefined) return 'another row has the same key'
    for (const { hash } of table.indexes) {
      const value = hash?.unique === true ? hash.valueIn(record) : undefined
      if (value !== undefined && hash?.only(value) !== undefined) {
        throw new UniqueConstraintError(this.name, hash.name, value)
      }
    }
    table.load(ordinal, deepFreeze(record))
    for (const field of this.schema.counterFields) {
      const number = record[field]
      if (Number.isSafeInteger(number) && (number as number) > table.counter) table.counter = number as number
    }
    return undefined
  }
}

function unordered(bucket: string, ordinal: number, last: number): StorageUnreadableError {
  const what = `bucket "${bucket}": row ${ordinal} comes after row ${last}: the storage is damaged`
  const remedy = 'restore a backup, after removing the -wal and -shm files that stand beside the damaged file'
  return new StorageUnreadableError(`${what}; it was left as it is; ${remedy}`)
}
