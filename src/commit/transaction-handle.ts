import type { Key } from '../base/value.js'
import { AsyncReads } from '../query/async-reads.js'
import { parseFilter } from '../query/filter.js'
import type { Reads } from '../query/reads.js'
import type { AnyDefinition, ChangesOf, FilterOf, InputOf, KeyOf, RecordOf } from '../schema/infer.js'
import type { AnyLinks } from '../schema/links.js'
import type { Bucket } from './bucket.js'
import type { Overlay } from './overlay.js'
import type { Transaction } from './transaction.js'
import { deleteIn, insertIn, updateIn, upsertIn } from './transaction-writes.js'
import { checkKey, checkList, checkVersion } from './write-options.js'
import type { UpdateOptions } from './write-options.js'

/**
 * A bucket inside a transaction, with every read and write of the plain handle. Reads see the transaction's own writes;
 * writes are kept until the transaction commits, except that what is wrong with them alone is said at once. Unique
 * fields are checked at the commit, so that records may exchange their values.
 */
export class TransactionBucketHandle<D = AnyDefinition, L = AnyLinks> extends AsyncReads<RecordOf<D>, KeyOf<D>, L> {
  readonly #transaction: Transaction
  readonly #bucket: Bucket

  constructor(transaction: Transaction, bucket: Bucket) {
    super(bucket)
    this.#transaction = transaction
    this.#bucket = bucket
  }

  protected override read<T>(read: (reads: Reads<RecordOf<D>, KeyOf<D>>) => T): Promise<T> {
    return this.run(() => read(this.#transaction.reads(this.#bucket) as unknown as Reads<RecordOf<D>, KeyOf<D>>))
  }

  /** Runs `work` as soon as the bucket can answer, unless the transaction is over. */
  protected run<T>(work: (overlay: Overlay) => T | Promise<T>): Promise<T> {
    const { process } = this.#bucket
    const run = (): T | Promise<T> => {
      this.#transaction.mustBeOpen(this.#bucket.name)
      return work(this.#transaction.overlay(this.#bucket))
    }
    return process.isReady ? process.call(run) : this.#transaction.track(process.call(run))
  }

  /** How an argument of a method is called in errors. */
  protected at(method: string): string {
    return `tx.bucket("${this.#bucket.name}").${method}`
  }

  /** As on the plain handle; the record is inserted when the transaction commits. */
  insert(data: InputOf<D>): Promise<RecordOf<D>> {
    return this.run((overlay) => insertIn(this.#transaction, overlay, data) as RecordOf<D>)
  }

  /** As on the plain handle. When one of `list` is refused, those before it stay part of the transaction. */
  insertMany(list: readonly InputOf<D>[]): Promise<RecordOf<D>[]> {
    return this.run((overlay) =>
      checkList(this.at('insertMany(list)'), list).map(
        (data) => insertIn(this.#transaction, overlay, data) as RecordOf<D>,
      ),
    )
  }

  /** As on the plain handle. Several updates of a record become one change, with its version raised by each. */
  update(key: KeyOf<D>, changes: ChangesOf<D>, options?: UpdateOptions): Promise<RecordOf<D>> {
    return this.run((overlay) => {
      const at = checkKey(this.at('update(key)'), key)
      const version = checkVersion(this.at('update(key, changes, { ifVersion })'), options)
      return updateIn(this.#transaction, overlay, at, changes, version) as RecordOf<D>
    })
  }

  /** As on the plain handle. */
  upsert(data: InputOf<D>): Promise<RecordOf<D>> {
    return this.run((overlay) => upsertIn(this.#transaction, overlay, this.at('upsert(data)'), data) as RecordOf<D>)
  }

  /** As on the plain handle. */
  updateMany(filter: FilterOf<RecordOf<D>>, changes: ChangesOf<D>): Promise<number> {
    return this.run((overlay) => {
      const keys = this.matching(overlay, 'updateMany(filter)', filter)
      for (const key of keys) updateIn(this.#transaction, overlay, key, changes)
      return keys.length
    })
  }

  /** As on the plain handle. */
  delete(key: KeyOf<D>): Promise<void> {
    return this.run((overlay) => {
      const at = checkKey(this.at('delete(key)'), key)
      deleteIn(this.#transaction, overlay, at)
    })
  }

  /** As on the plain handle. */
  deleteMany(filter: FilterOf<RecordOf<D>>): Promise<number> {
    return this.run((overlay) => {
      const keys = this.matching(overlay, 'deleteMany(filter)', filter)
      for (const key of keys) overlay.delete(key)
      return keys.length
    })
  }

  /** Deletes whatever the bucket has when the transaction commits. */
  clear(): Promise<void> {
    return this.run((overlay) => overlay.clear())
  }

  /** Keys of the records that match. */
  protected matching(overlay: Overlay, method: string, filter: unknown): Key[] {
    const parsed = parseFilter(filter, this.at(method))
    this.#transaction.readSet.readWhere(this.#bucket.name, parsed)
    return overlay.find(parsed).map((record) => this.#bucket.schema.keyOf(record))
  }
}
