import { quietly } from '../base/quietly.js'
import type { Key, StoredRecord } from '../base/value.js'
import type { Bucket } from '../commit/bucket.js'
import { BucketNotDefinedError } from '../commit/errors.js'
import type { Sequencer } from '../commit/sequencer.js'
import type { Transaction } from '../commit/transaction.js'
import { TransactionBucketHandle } from '../commit/transaction-handle.js'
import { checkKey, checkList, checkOptions, checkVersion } from '../commit/write-options.js'
import type { CommitNote, UpdateOptions, WriteOptions } from '../commit/write-options.js'
import type { EventData } from '../log/entry.js'
import { sourcedType } from '../log/entry.js'
import type { Engine } from '../engine.js'
import { StoreBucketHandle } from '../history/store-bucket.js'
import { parseFilter } from '../query/filter.js'
import type { AnyDefinition, ChangesOf, FilterOf, InputOf, KeyOf, RecordOf } from '../schema/infer.js'
import type { AnyLinks } from '../schema/links.js'
import { plainFailure } from './errors.js'
import type { EventInput } from './running-event.js'
import { inverseWrite, sourcedData } from './sourced-write.js'
import type { GivenWrite, SourcedAction } from './sourced-write.js'

/** A write to a sourced bucket, as it was asked for. */
interface Write {
  readonly action: SourcedAction
  readonly key?: Key
  readonly data?: unknown
  readonly ifVersion?: number
}

/** Handles an event with what is to be said about its commit. @returns what the write returns. */
export type DispatchWrite = (input: EventInput, note: CommitNote) => Promise<unknown>

/** The writes of a sourced bucket as events; where they go is for the two kinds of handle to say. */
class SourcedWrites {
  readonly #bucket: Bucket
  readonly #at: (method: string) => string
  readonly #keepsFirst: boolean

  /** @param keepsFirst see `GivenWrite`. */
  constructor(bucket: Bucket, at: (method: string) => string, keepsFirst: boolean) {
    this.#bucket = bucket
    this.#at = at
    this.#keepsFirst = keepsFirst
  }

  insert(data: unknown): EventInput {
    return this.#input({ action: 'insert', data: read(data) })
  }

  insertMany(list: unknown): EventInput {
    return this.#input({ action: 'insertMany', data: checkList(this.#at('insertMany(list)'), list).map(read) })
  }

  update(key: unknown, data: unknown, options: UpdateOptions | undefined): EventInput {
    const at = checkKey(this.#at('update(key)'), key)
    const version = checkVersion(this.#at('update(key, changes, { ifVersion })'), options)
    const write: Write = { action: 'update', key: at, data: read(data) }
    return this.#input(version === undefined ? write : { ...write, ifVersion: version })
  }

  upsert(data: unknown): EventInput {
    return this.#input({ action: 'upsert', data: read(data) })
  }

  delete(key: unknown): EventInput {
    return this.#input({ action: 'delete', key: checkKey(this.#at('delete(key)'), key) })
  }

  updateMany(filter: unknown, data: unknown): EventInput {
    return this.#matching({ action: 'updateMany', data: read(data) }, this.#at('updateMany(filter)'), filter)
  }

  deleteMany(filter: unknown): EventInput {
    return this.#matching({ action: 'deleteMany' }, this.#at('deleteMany(filter)'), filter)
  }

  clear(): EventInput {
    return this.#input({ action: 'clear' })
  }

  #input(write: Write): EventInput {
    const { name } = this.#bucket
    return { type: sourcedType(name), data: sourcedData(name, write), given: this.#given(write) }
  }

  /** The event names the records that match when it is handled. */
  #matching(write: Write, at: string, filter: unknown): EventInput {
    const { name, schema } = this.#bucket
    const parsed = parseFilter(filter, at)
    const data = (transaction: Transaction): EventData => {
      transaction.readSet.readWhere(name, parsed)
      const found = transaction.overlay(this.#bucket).find(parsed)
      const keys = found.map((record) => schema.keyOf(record))
      return sourcedData(name, { ...write, keys } as Write)
    }
    return { type: sourcedType(name), data, given: this.#given(write) }
  }

  #given({ data }: Write): GivenWrite {
    return { data, keepsFirst: this.#keepsFirst }
  }
}

/** What a caller gave, read once: the event and the record are both made of it. */
function read(data: unknown): unknown {
  if (typeof data !== 'object' || data === null) return data
  // What fails here fails again where it is told well.
  return quietly(() => (Array.isArray(data) || data instanceof Date ? (data as unknown) : { ...data })) ?? data
}

/** A bucket whose writes are events. To its callers it is as a plain one. */
export class SourcedBucketHandle<D = AnyDefinition, L = AnyLinks> extends StoreBucketHandle<D, L> {
  readonly #bucket: Bucket
  readonly #sequencer: Sequencer
  readonly #dispatch: DispatchWrite
  readonly #writes: SourcedWrites

  constructor(bucket: Bucket, engine: Engine, dispatch: DispatchWrite) {
    super(bucket, engine)
    this.#bucket = bucket
    this.#sequencer = engine.sequencer
    this.#dispatch = dispatch
    this.#writes = new SourcedWrites(bucket, (method) => `bucket("${bucket.name}").${method}`, false)
  }

  override insert(data: InputOf<D>, options?: WriteOptions): Promise<RecordOf<D>> {
    return this.#write('insert', options, () => this.#writes.insert(data))
  }

  override insertMany(list: readonly InputOf<D>[], options?: WriteOptions): Promise<RecordOf<D>[]> {
    return this.#write('insertMany', options, () => this.#writes.insertMany(list))
  }

  override update(key: KeyOf<D>, changes: ChangesOf<D>, options?: UpdateOptions): Promise<RecordOf<D>> {
    return this.#write('update', options, () => this.#writes.update(key, changes, options))
  }

  override upsert(data: InputOf<D>, options?: WriteOptions): Promise<RecordOf<D>> {
    return this.#write('upsert', options, () => this.#writes.upsert(data))
  }

  override updateMany(filter: FilterOf<RecordOf<D>>, changes: ChangesOf<D>, options?: WriteOptions): Promise<number> {
    return this.#write('updateMany', options, () => this.#writes.updateMany(filter, changes))
  }

  override delete(key: KeyOf<D>, options?: WriteOptions): Promise<void> {
    return this.#write('delete', options, () => this.#writes.delete(key))
  }

  override deleteMany(filter: FilterOf<RecordOf<D>>, options?: WriteOptions): Promise<number> {
    return this.#write('deleteMany', options, () => this.#writes.deleteMany(filter))
  }

  override clear(options?: WriteOptions): Promise<void> {
    return this.#write('clear', options, () => this.#writes.clear())
  }

  #write<T>(method: string, options: WriteOptions | undefined, input: () => EventInput): Promise<T> {
    const bucket = this.#bucket
    this.#sequencer.onWrite?.()
    if (bucket.dropped) return Promise.reject(new BucketNotDefinedError(bucket.name))
    return bucket.process.call(() => {
      this.#sequencer.mustTakeWrites()
      const at = `bucket("${bucket.name}").${method}(…, options)`
      // In the order in which a plain bucket checks them.
      const note = options === undefined ? {} : checkOptions(at, options)
      return this.#dispatch(input(), note) as Promise<T>
    })
  }
}

/** A sourced bucket inside a transaction: its writes are events that are part of the transaction. */
export class SourcedTransactionHandle<D = AnyDefinition, L = AnyLinks> extends TransactionBucketHandle<D, L> {
  readonly #include: (input: EventInput) => unknown
  readonly #depth: number
  readonly #writes: SourcedWrites

  /** @param depth of the events that its writes are. */
  constructor(transaction: Transaction, bucket: Bucket, include: (input: EventInput) => unknown, depth: number) {
    super(transaction, bucket)
    this.#include = include
    this.#depth = depth
    this.#writes = new SourcedWrites(bucket, (method) => this.at(method), true)
  }

  override insert(data: InputOf<D>): Promise<RecordOf<D>> {
    return this.#write(() => this.#writes.insert(data))
  }

  override insertMany(list: readonly InputOf<D>[]): Promise<RecordOf<D>[]> {
    return this.#write(() => this.#writes.insertMany(list))
  }

  override update(key: KeyOf<D>, changes: ChangesOf<D>, options?: UpdateOptions): Promise<RecordOf<D>> {
    return this.#write(() => this.#writes.update(key, changes, options))
  }

  override upsert(data: InputOf<D>): Promise<RecordOf<D>> {
    return this.#write(() => this.#writes.upsert(data))
  }

  /** Gives a record back as it was before a commit; see `inverseWrite`. */
  restore(key: Key, before: StoredRecord | undefined): Promise<void> {
    return this.#write(() => inverseWrite(this.name, key, before))
  }

  override updateMany(filter: FilterOf<RecordOf<D>>, changes: ChangesOf<D>): Promise<number> {
    return this.#write(() => this.#writes.updateMany(filter, changes))
  }

  override delete(key: KeyOf<D>): Promise<void> {
    return this.#write(() => this.#writes.delete(key))
  }

  override deleteMany(filter: FilterOf<RecordOf<D>>): Promise<number> {
    return this.#write(() => this.#writes.deleteMany(filter))
  }

  override clear(): Promise<void> {
    return this.#write(() => this.#writes.clear())
  }

  #write<T>(input: () => EventInput): Promise<T> {
    return this.run(() => {
      const plain = (error: unknown): never => {
        throw plainFailure(error, this.#depth)
      }
      const asked = input()
      // What came before the item that was refused is written.
      const written = (result: unknown): T => {
        if (asked.given?.refusal !== undefined) throw asked.given.refusal.error
        return result as T
      }
      try {
        const result = this.#include(asked)
        return result instanceof Promise ? result.then(written, plain) : written(result)
      } catch (error) {
        return plain(error)
      }
    })
  }
}
