import { VarveError } from '../base/errors.js'
import type { Key, StoredRecord } from '../base/value.js'
import type { Durability } from '../log/storage.js'
import { AsyncReads } from '../query/async-reads.js'
import { parseFilter } from '../query/filter.js'
import { ReadSet } from '../query/read-set.js'
import type { Footprint, Touch } from '../query/read-set.js'
import { Reads } from '../query/reads.js'
import type { AnyDefinition, ChangesOf, FilterOf, InputOf, KeyOf, RecordOf } from '../schema/infer.js'
import type { AnyLinks } from '../schema/links.js'
import type { Bucket } from './bucket.js'
import { checkExpected, keyIn } from './bucket-handle.js'
import { CommitDraft } from './draft.js'
import {
  BucketCrashedError,
  DuplicateKeyError,
  RecordNotFoundError,
  shorten,
  TransactionConflictError,
  TransactionEndedError,
} from './errors.js'
import { Overlay } from './overlay.js'
import type { Sequencer } from './sequencer.js'
import { checkKey, checkList, checkVersion } from './write-options.js'
import type { UpdateOptions } from './write-options.js'

/** The numbers of a bucket's counter that a transaction has taken, as far as they follow each other. */
interface TakenNumbers {
  readonly from: number
  to: number
}

/**
 * A transaction from its begin to its end: what it has read, what it wants written, and whether it still can be.
 *
 * Serializable by one rule: every commit of somebody else is tested against the read set at once. When it touches it,
 * the transaction cannot commit any more, and every further use of it says so. So at any moment everything that
 * an intact transaction has read is as it was read, and its commit happens at one point in the order of all commits.
 */
export class Transaction {
  readonly #sequencer: Sequencer
  readonly #readSet = new ReadSet()
  readonly #overlays = new Map<Bucket, Overlay>()
  #taken: Map<Bucket, TakenNumbers> | undefined
  /** Work that was begun while its bucket could not answer. */
  #open: Set<Promise<unknown>> | undefined
  #conflict: TransactionConflictError | undefined
  /** It has met the conflict: something was not read, or not written. */
  #isBroken = false
  #hasEnded = false

  constructor(sequencer: Sequencer) {
    this.#sequencer = sequencer
  }

  get readSet(): ReadSet {
    return this.#readSet
  }

  /** The handle of one bucket in this transaction. */
  handle<D>(bucket: Bucket): TransactionBucketHandle<D> {
    return new TransactionBucketHandle<D>(this, bucket, this.#sequencer)
  }

  /** The bucket as this transaction sees it. */
  overlay(bucket: Bucket): Overlay {
    let overlay = this.#overlays.get(bucket)
    if (overlay === undefined) {
      overlay = new Overlay(bucket)
      this.#overlays.set(bucket, overlay)
    }
    return overlay
  }

  /** The reads of the bucket as this transaction sees it. */
  reads(bucket: Bucket): Reads<never> {
    return new Reads<never>(this.overlay(bucket), this.#readSet, undefined, (other) => {
      const peer = bucket.peer(other)
      return { source: this.overlay(peer), reads: () => this.reads(peer.ready()) }
    })
  }

  /** Somebody else has committed, or a commit was undone: if that touches what was read, there is a conflict. */
  observe(footprint: Footprint, isUndone: boolean): void {
    if (this.#conflict !== undefined && !isUndone) return
    const touch = this.#readSet.touchedBy(footprint)
    if (touch === undefined) return
    this.#conflict ??= conflictOf(touch)
    // What it has read has never been, so it has no place in the order of commits, with or without writes.
    if (isUndone) this.#isBroken = true
  }

  /** @throws {TransactionEndedError} @throws {TransactionConflictError} */
  mustBeOpen(bucket: string): void {
    if (this.#hasEnded) throw new TransactionEndedError(bucket)
    if (this.#conflict === undefined) return
    this.#isBroken = true
    throw this.#conflict
  }

  /** Remembers work that was begun, so that the commit waits for it even if nobody else does. */
  track<T>(work: Promise<T>): Promise<T> {
    const open = (this.#open ??= new Set())
    const forget = (): void => {
      open.delete(work)
    }
    open.add(work)
    work.then(forget, forget)
    return work
  }

  /** Takes the numbers of autoincrement fields out of the counter, for good if the transaction commits. */
  takeNumbers(bucket: Bucket, record: StoredRecord): void {
    const { table, schema } = bucket
    for (const field of schema.counterFields) {
      const number = record[field]
      if (!Number.isSafeInteger(number) || (number as number) <= table.counter) continue
      const numbers = (this.#taken ??= new Map<Bucket, TakenNumbers>())
      const taken = numbers.get(bucket)
      if (taken === undefined) numbers.set(bucket, { from: table.counter, to: number as number })
      else if (taken.to === table.counter) taken.to = number as number
      table.counter = number as number
    }
  }

  /**
   * Writes everything as one commit.
   *
   * @param onCommit called when it can no longer conflict, right before the commit gets its place.
   * @returns when that is durable.
   * @throws {TransactionConflictError} @throws {UniqueConstraintError} nothing was written.
   */
  async commit(durability: Durability | undefined, onCommit: () => void): Promise<void> {
    while (this.#open !== undefined && this.#open.size > 0) await Promise.allSettled(this.#open)
    // A bucket that has crashed meanwhile comes back with the same records.
    for (let absent = this.#absent; absent !== undefined; absent = this.#absent) {
      await absent.process.call(() => undefined)
    }
    // Without writes it can have its place right before the commit that it is in conflict with.
    const hasWrites = this.#hasWrites
    // What it tells its caller has to be as durable as what it would have written.
    if (!hasWrites) await this.#sequencer.settled()
    if (this.#conflict !== undefined && (this.#isBroken || hasWrites)) throw this.#conflict
    this.#hasEnded = true
    onCommit()
    const draft = new CommitDraft('store/transaction')
    try {
      draft.make(() => {
        for (const overlay of this.#overlays.values()) if (overlay.isCleared) this.#clear(draft, overlay)
        for (const overlay of this.#overlays.values()) applyWrites(draft, overlay)
        // Also the numbers of records that did not last until here: somebody has seen them.
        this.#taken?.forEach(({ to }, bucket) => draft.raiseCounter(bucket, to))
        if (!draft.isEmpty || this.#taken !== undefined) this.#sequencer.mustTakeWrites()
      })
    } catch (error) {
      if (error instanceof VarveError || draft.current === undefined) throw error
      draft.current.process.kill(error)
      throw new BucketCrashedError(draft.current.name, error)
    }
    if (draft.isEmpty) return
    this.#taken = undefined
    await this.#sequencer.submit(draft, durability)
  }

  get #hasWrites(): boolean {
    for (const overlay of this.#overlays.values()) if (!overlay.isUntouched) return true
    return false
  }

  /** A bucket that cannot answer. */
  get #absent(): Bucket | undefined {
    for (const bucket of this.#overlays.keys()) if (bucket.process.state !== 'running') return bucket
    return undefined
  }

  #clear(draft: CommitDraft, { bucketState }: Overlay): void {
    if (bucketState.table.size > 0) draft.clear(bucketState, this.#sequencer.nextSeq)
  }

  /** Ends the transaction. Numbers that nobody has taken since go back. */
  end(): void {
    this.#hasEnded = true
    this.#taken?.forEach(({ from, to }, bucket) => {
      if (bucket.table.counter === to) bucket.table.counter = from
    })
  }
}

function applyWrites(draft: CommitDraft, overlay: Overlay): void {
  const bucket = overlay.bucketState
  overlay.forEachWrite(({ after, fresh }, key) => {
    const slot = bucket.table.slot(key)
    if (slot !== undefined && (after === undefined || fresh)) draft.delete(bucket, key)
    if (after === undefined) return
    if (slot !== undefined && !fresh) draft.update(bucket, slot, after)
    else draft.insert(bucket, after)
  })
}

function conflictOf(touch: Touch): TransactionConflictError {
  if ('cleared' in touch) return new TransactionConflictError(touch.cleared, '*', 'the bucket was cleared')
  const { bucket, key, before, after } = touch.change
  if (before === undefined)
    return new TransactionConflictError(bucket, key, `Record with key "${shorten(key)}" already exists`)
  if (after === undefined)
    return new TransactionConflictError(bucket, key, `Record with key "${shorten(key)}" not found`)
  const versions = `expected ${String(before._version)}, got ${String(after._version)}`
  return new TransactionConflictError(bucket, key, `Version mismatch: ${versions}`)
}

/**
 * A bucket inside a transaction, with every read and write of the plain handle. Reads see the transaction's own writes;
 * writes are kept until the transaction commits, except that what is wrong with them alone is said at once. Unique
 * fields are checked at the commit, so that records may exchange their values.
 */
export class TransactionBucketHandle<D = AnyDefinition, L = AnyLinks> extends AsyncReads<RecordOf<D>, KeyOf<D>, L> {
  readonly #transaction: Transaction
  readonly #bucket: Bucket
  readonly #sequencer: Sequencer

  constructor(transaction: Transaction, bucket: Bucket, sequencer: Sequencer) {
    super(bucket)
    this.#transaction = transaction
    this.#bucket = bucket
    this.#sequencer = sequencer
  }

  protected override read<T>(read: (reads: Reads<RecordOf<D>, KeyOf<D>>) => T): Promise<T> {
    return this.#run(() => read(this.#transaction.reads(this.#bucket) as unknown as Reads<RecordOf<D>, KeyOf<D>>))
  }

  #run<T>(work: (overlay: Overlay) => T): Promise<T> {
    const { process } = this.#bucket
    const run = (): T => {
      this.#transaction.mustBeOpen(this.#bucket.name)
      return work(this.#transaction.overlay(this.#bucket))
    }
    return process.isReady ? process.call(run) : this.#transaction.track(process.call(run))
  }

  #at(method: string): string {
    return `tx.bucket("${this.#bucket.name}").${method}`
  }

  #current(overlay: Overlay, key: Key): StoredRecord | undefined {
    this.#transaction.readSet.readKey(this.#bucket.name, key)
    return overlay.get(key)
  }

  #insert(overlay: Overlay, data: unknown): StoredRecord {
    const { schema, table, name } = this.#bucket
    const record = schema.prepareInsert(data, this.#sequencer.now(), table.counter + 1)
    const key = schema.keyOf(record)
    if (this.#current(overlay, key) !== undefined) throw new DuplicateKeyError(name, key)
    this.#transaction.takeNumbers(this.#bucket, record)
    overlay.insert(key, record)
    return record
  }

  #update(overlay: Overlay, key: Key, changes: unknown, version?: number): StoredRecord {
    const { schema, name } = this.#bucket
    const current = this.#current(overlay, key)
    if (current === undefined) throw new RecordNotFoundError(name, key)
    checkExpected(name, key, current, version)
    const record = schema.prepareUpdate(current, changes, this.#sequencer.now())
    overlay.update(key, record)
    return record
  }

  /** As on the plain handle; the record is inserted when the transaction commits. */
  insert(data: InputOf<D>): Promise<RecordOf<D>> {
    return this.#run((overlay) => this.#insert(overlay, data) as RecordOf<D>)
  }

  /** As on the plain handle. When one of `list` is refused, those before it stay part of the transaction. */
  insertMany(list: readonly InputOf<D>[]): Promise<RecordOf<D>[]> {
    return this.#run((overlay) =>
      checkList(this.#at('insertMany(list)'), list).map((data) => this.#insert(overlay, data) as RecordOf<D>),
    )
  }

  /** As on the plain handle. Several updates of a record become one change, with its version raised by each. */
  update(key: KeyOf<D>, changes: ChangesOf<D>, options?: UpdateOptions): Promise<RecordOf<D>> {
    return this.#run((overlay) => {
      const at = checkKey(this.#at('update(key)'), key)
      const version = checkVersion(this.#at('update(key, changes, { ifVersion })'), options)
      return this.#update(overlay, at, changes, version) as RecordOf<D>
    })
  }

  /** As on the plain handle. */
  upsert(data: InputOf<D>): Promise<RecordOf<D>> {
    return this.#run((overlay) => {
      const key = keyIn(this.#at('upsert(data)'), data, this.#bucket.schema.key)
      const isThere = key !== undefined && this.#current(overlay, key) !== undefined
      return (isThere ? this.#update(overlay, key, data) : this.#insert(overlay, data)) as RecordOf<D>
    })
  }

  /** As on the plain handle. */
  updateMany(filter: FilterOf<RecordOf<D>>, changes: ChangesOf<D>): Promise<number> {
    return this.#run((overlay) => {
      const keys = this.#matching(overlay, 'updateMany(filter)', filter)
      for (const key of keys) this.#update(overlay, key, changes)
      return keys.length
    })
  }

  /** As on the plain handle. */
  delete(key: KeyOf<D>): Promise<void> {
    return this.#run((overlay) => {
      const at = checkKey(this.#at('delete(key)'), key)
      if (this.#current(overlay, at) !== undefined) overlay.delete(at)
    })
  }

  /** As on the plain handle. */
  deleteMany(filter: FilterOf<RecordOf<D>>): Promise<number> {
    return this.#run((overlay) => {
      const keys = this.#matching(overlay, 'deleteMany(filter)', filter)
      for (const key of keys) overlay.delete(key)
      return keys.length
    })
  }

  /** Deletes whatever the bucket has when the transaction commits. */
  clear(): Promise<void> {
    return this.#run((overlay) => overlay.clear())
  }

  #matching(overlay: Overlay, method: string, filter: unknown): Key[] {
    const parsed = parseFilter(filter, this.#at(method))
    this.#transaction.readSet.readWhere(this.#bucket.name, parsed)
    return overlay.find(parsed).map((record) => this.#bucket.schema.keyOf(record))
  }
}
