import { isKey } from '../base/value.js'
import type { Key, StoredRecord } from '../base/value.js'
import { AsyncReads } from '../query/async-reads.js'
import { parseFilter } from '../query/filter.js'
import type { Durability } from '../log/storage.js'
import type { SubscribeLive } from '../query/live.js'
import type { Reads } from '../query/reads.js'
import type { AnyDefinition, ChangesOf, FilterOf, InputOf, KeyOf, RecordOf } from '../schema/infer.js'
import type { AnyLinks } from '../schema/links.js'
import type { Bucket } from './bucket.js'
import { CommitDraft } from './draft.js'
import { BucketNotDefinedError, RecordNotFoundError } from './errors.js'
import type { Sequencer } from './sequencer.js'
import { checkExpected, checkKey, checkList, checkOptions, checkVersion, keyIn } from './write-options.js'
import type { UpdateOptions, WriteOptions } from './write-options.js'

/** Type of the entries that plain writes make. */
const WRITE = 'store/write'

/**
 * A bucket, from outside. A handle has no state: it is free to make, and stays valid when the bucket restarts.
 *
 * Every write is one commit: it resolves when that is durable, and when it rejects nothing has happened. Calls made
 * while the bucket is loading or restarting wait for it.
 */
export class BucketHandle<D = AnyDefinition, L = AnyLinks> extends AsyncReads<RecordOf<D>, KeyOf<D>, L> {
  /** Never there; it carries the definition, so that the compiler finds it in what extends this type too. */
  declare readonly types?: D
  readonly #bucket: Bucket
  readonly #sequencer: Sequencer

  constructor(bucket: Bucket, sequencer: Sequencer, live?: SubscribeLive) {
    super(bucket, live)
    this.#bucket = bucket
    this.#sequencer = sequencer
  }

  protected override read<T>(read: (reads: Reads<RecordOf<D>, KeyOf<D>>) => T): Promise<T> {
    return this.#call(() => read(this.#bucket.reads as unknown as Reads<RecordOf<D>, KeyOf<D>>))
  }

  override get(key: KeyOf<D>): Promise<RecordOf<D> | undefined> {
    return this.#call(() => {
      const record = this.#bucket.reads.get(key)
      if (record !== undefined) this.#bucket.table.touch(key as Key)
      return record
    })
  }

  /**
   * Inserts a record: generated fields and defaults are filled in, then it is checked.
   *
   * @returns the record as it is stored, frozen.
   * @throws {ValidationError} it does not fit the schema, or has no key.
   * @throws {DuplicateKeyError} its key is taken.
   * @throws {UniqueConstraintError} another record has the same value in a unique field.
   */
  insert(data: InputOf<D>, options?: WriteOptions): Promise<RecordOf<D>> {
    return this.#write('insert', options, (draft) => this.#insert(draft, data) as RecordOf<D>)
  }

  #insert(draft: CommitDraft, data: unknown): StoredRecord {
    const { schema, table } = this.#bucket
    const record = schema.prepareInsert(data, this.#sequencer.now(), table.counter + 1)
    draft.insert(this.#bucket, record)
    return record
  }

  /** Inserts all of `list` in one commit, or none of it. @returns the records, in the order of `list`. */
  insertMany(list: readonly InputOf<D>[], options?: WriteOptions): Promise<RecordOf<D>[]> {
    return this.#write('insertMany', options, (draft) =>
      checkList(this.#at('insertMany(list)'), list).map((data) => this.#insert(draft, data) as RecordOf<D>),
    )
  }

  /**
   * Merges `changes` into the record under `key`, at the top level. A field that is `undefined` in it is removed. The key,
   * generated fields and metadata do not change, whatever `changes` says of them.
   *
   * @throws {RecordNotFoundError} there is no such record.
   * @throws {TransactionConflictError} its version is not `options.ifVersion`.
   * @throws {ValidationError} the result does not fit the schema.
   * @throws {UniqueConstraintError} another record has the same value in a unique field.
   */
  update(key: KeyOf<D>, changes: ChangesOf<D>, options?: UpdateOptions): Promise<RecordOf<D>> {
    return this.#write('update', options, (draft) => {
      const at = isKey(key) ? key : checkKey(this.#at('update(key)'), key)
      const version =
        options === undefined ? undefined : checkVersion(this.#at('update(key, changes, { ifVersion })'), options)
      return this.#update(draft, at, changes, version) as RecordOf<D>
    })
  }

  #update(draft: CommitDraft, key: Key, changes: unknown, version?: number): StoredRecord {
    const { name, table, schema } = this.#bucket
    const slot = table.slot(key)
    if (slot === undefined) throw new RecordNotFoundError(name, key)
    const { record: current } = slot
    checkExpected(name, key, current, version)
    const record = schema.prepareUpdate(current, changes, this.#sequencer.now())
    draft.update(this.#bucket, slot, record)
    return record
  }

  /** Updates the record that has the key in `data`, or inserts `data` where there is none. */
  upsert(data: InputOf<D>, options?: WriteOptions): Promise<RecordOf<D>> {
    return this.#write('upsert', options, (draft) => {
      const key = keyIn(this.#at('upsert(data)'), data, this.#bucket.schema.key)
      const isThere = key !== undefined && this.#bucket.table.slot(key) !== undefined
      return (isThere ? this.#update(draft, key, data) : this.#insert(draft, data)) as RecordOf<D>
    })
  }

  /** Updates every record that matches, in one commit. @returns how many. */
  updateMany(filter: FilterOf<RecordOf<D>>, changes: ChangesOf<D>, options?: WriteOptions): Promise<number> {
    return this.#write('updateMany', options, (draft) => {
      const keys = this.#matching('updateMany(filter)', filter)
      for (const key of keys) this.#update(draft, key, changes)
      return keys.length
    })
  }

  /** Deletes the record under `key`. Does nothing where there is none. */
  delete(key: KeyOf<D>, options?: WriteOptions): Promise<void> {
    return this.#write('delete', options, (draft) => {
      const at = isKey(key) ? key : checkKey(this.#at('delete(key)'), key)
      if (this.#bucket.table.slot(at) !== undefined) draft.delete(this.#bucket, at)
    })
  }

  /** Deletes every record that matches, in one commit. @returns how many. */
  deleteMany(filter: FilterOf<RecordOf<D>>, options?: WriteOptions): Promise<number> {
    return this.#write('deleteMany', options, (draft) => {
      const keys = this.#matching('deleteMany(filter)', filter)
      for (const key of keys) draft.delete(this.#bucket, key)
      return keys.length
    })
  }

  /** Deletes all records in one commit, from the disk too, and what the log says about them. The counter goes on. */
  clear(options?: WriteOptions): Promise<void> {
    return this.#write('clear', options, (draft) => {
      if (this.#bucket.table.size > 0) draft.clear(this.#bucket, this.#sequencer.nextSeq)
    })
  }

  #matching(method: string, filter: unknown): Key[] {
    const { schema, source } = this.#bucket
    return source.find(parseFilter(filter, this.#at(method))).map((record) => schema.keyOf(record))
  }

  #at(method: string): string {
    return `bucket("${this.#bucket.name}").${method}`
  }

  #call<T>(fn: () => T | Promise<T>): Promise<T> {
    if (this.#bucket.dropped) return Promise.reject(new BucketNotDefinedError(this.#bucket.name))
    return this.#bucket.process.call(fn)
  }

  #write<T>(method: string, options: WriteOptions | undefined, steps: (draft: CommitDraft) => T): Promise<T> {
    this.#sequencer.onWrite?.()
    return this.#call(() => {
      this.#sequencer.mustTakeWrites()
      const draft = new CommitDraft(WRITE)
      let durability: Durability | undefined
      if (options !== undefined)
        ({ durability, meta: draft.meta } = checkOptions(this.#at(`${method}(…, options)`), options))
      const result = draft.make(steps)
      if (draft.isEmpty) return result
      const written = this.#sequencer.submit(draft, durability)
      return written === undefined ? result : written.then(() => result)
    })
  }
}
