import type { Key, StoredRecord } from '../base/value.js'
import { matches } from '../query/matches.js'
import type { Filter } from '../query/filter.js'
import type { Collators } from '../query/order.js'
import type { Refs } from '../query/relation.js'
import { FRESH_ORDINALS, slotsIn } from '../query/source.js'
import type { Source } from '../query/source.js'
import { compareKeys } from '../state/key-order.js'
import type { Slot } from '../state/slot.js'
import type { Table } from '../state/table.js'
import type { Bucket, BucketOwner } from './bucket.js'

/** What a transaction wants of one record. */
export interface PendingWrite {
  /** The record as it will be; undefined: deleted. */
  readonly after: StoredRecord | undefined
  /** It goes to the end: inserted, perhaps after an older record under the same key was deleted. */
  readonly fresh: boolean
  /** Where a fresh record stands among the others of its transaction, and after all that are in the table. */
  readonly ordinal: number
}

/** A bucket as a transaction sees it: the table, with what the transaction has written laid over it. */
export class Overlay implements Source {
  readonly bucketState: Bucket
  /** Who writes now, where that is the owner of the bucket. */
  writer: BucketOwner | undefined
  readonly #writes = new Map<Key, PendingWrite>()
  /** Where fresh records stood when they were last a cursor. Most transactions page through nothing. */
  #cursors: Map<Key, number> | undefined
  #nextFresh = FRESH_ORDINALS
  #isCleared = false
  /** Records that are there through the overlay less those that are not. */
  #delta = 0

  constructor(bucket: Bucket) {
    this.bucketState = bucket
  }

  get bucket(): string {
    return this.bucketState.name
  }

  get key(): string {
    return this.bucketState.schema.key
  }

  get isCleared(): boolean {
    return this.#isCleared
  }

  /** Calls `visit` for each write, in the order in which they have to be applied. */
  forEachWrite(visit: (write: PendingWrite, key: Key) => void): void {
    this.#writes.forEach(visit)
  }

  /** Whether the transaction has written nothing here. */
  get isUntouched(): boolean {
    return this.#writes.size === 0 && !this.#isCleared
  }

  get size(): number {
    return (this.#isCleared ? 0 : this.bucketState.table.size) + this.#delta
  }

  get(key: Key): StoredRecord | undefined {
    const write = this.#writes.get(key)
    if (write !== undefined) return write.after
    return this.#isCleared ? undefined : this.bucketState.table.get(key)
  }

  /** Whether there will be a record under `key` before this transaction's writes are applied. */
  isInTable(key: Key): boolean {
    return !this.#isCleared && this.bucketState.table.slot(key) !== undefined
  }

  /** EV5 what has an owner is written by it. */
  #mustOwn(): void {
    const { owner, name } = this.bucketState
    if (owner !== this.writer) owner?.refuse(name)
  }

  /** Writes a record whose key is free. @throws what its owner says, as all writes. */
  insert(key: Key, record: StoredRecord): void {
    this.#mustOwn()
    // Back to the end of the order of writes.
    this.#writes.delete(key)
    this.#writes.set(key, { after: record, fresh: true, ordinal: this.#nextFresh++ })
    this.#delta++
  }

  /** Writes over a record that is there. */
  update(key: Key, record: StoredRecord): void {
    this.#mustOwn()
    const { fresh = false, ordinal = 0 } = this.#writes.get(key) ?? {}
    this.#writes.set(key, { after: record, fresh, ordinal })
  }

  /** Deletes a record that is there. */
  delete(key: Key): void {
    this.#mustOwn()
    this.#writes.set(key, { after: undefined, fresh: false, ordinal: 0 })
    this.#delta--
  }

  /** Deletes everything. */
  clear(): void {
    this.#mustOwn()
    this.#writes.clear()
    this.#isCleared = true
    this.#delta = 0
  }

  get refs(): Refs {
    return this.bucketState.source.refs
  }

  get collators(): Collators {
    return this.bucketState.source.collators
  }

  get table(): Table | undefined {
    return this.isUntouched ? this.bucketState.table : undefined
  }

  count(filter: Filter): number {
    if (this.isUntouched) return this.bucketState.source.count(filter)
    return this.#collect(filter).length
  }

  find(filter: Filter | undefined, limit?: number): StoredRecord[] {
    if (this.isUntouched) return this.bucketState.source.find(filter, limit)
    return this.#collect(filter)
      .slice(0, limit)
      .map(({ record }) => record)
  }

  slots(filter: Filter): Slot[] {
    return this.#collect(filter)
  }

  /** What matches, in the order that it will have after the commit. */
  #collect(filter: Filter | undefined): Slot[] {
    const { table } = this.bucketState
    const found: Slot[] = []
    const visit = (slot: Slot): void => {
      if (!this.#writes.has(slot.record[this.key] as Key)) found.push(slot)
    }
    if (!this.#isCleared) {
      if (filter === undefined) table.forEach(visit)
      else for (const slot of slotsIn(table, this.collators, filter)) visit(slot)
    }
    const untouched = found.length
    for (const [key, { after, fresh }] of this.#writes) {
      if (after === undefined || fresh || (filter !== undefined && !matches(filter, after))) continue
      found.push({ ordinal: (table.slot(key) as Slot).ordinal, record: after })
    }
    if (found.length > untouched) found.sort((a, b) => a.ordinal - b.ordinal)
    for (const { after, fresh, ordinal } of this.#writes.values()) {
      if (after === undefined || !fresh || (filter !== undefined && !matches(filter, after))) continue
      found.push({ ordinal, record: after })
    }
    return found
  }

  #ordered(): Slot[] {
    const found = this.#collect(undefined)
    if (this.bucketState.table.options.byKey) {
      found.sort((a, b) => compareKeys(a.record[this.key] as Key, b.record[this.key] as Key))
    }
    return found
  }

  forEachInOrder(after: Key | undefined, visit: (record: StoredRecord) => boolean | void): void {
    if (this.isUntouched) return this.bucketState.source.forEachInOrder(after, visit)
    const found = this.#ordered()
    for (let i = this.#startAfter(found, after); i < found.length; i++) {
      if (visit((found[i] as Slot).record) === false) return
    }
  }

  #startAfter(found: readonly Slot[], after: Key | undefined): number {
    if (after === undefined) return 0
    const { table } = this.bucketState
    if (table.options.byKey) {
      const at = found.findIndex(({ record }) => compareKeys(record[this.key] as Key, after) > 0)
      return at === -1 ? found.length : at
    }
    const ordinal = this.#cursor(after)
    const at = ordinal === undefined ? -1 : found.findIndex((placed) => placed.ordinal > ordinal)
    return at === -1 ? found.length : at
  }

  /** Where to go on after `key`. Where it was last a cursor comes before where it has been put since. */
  #cursor(key: Key): number | undefined {
    const { table } = this.bucketState
    const known = table.cursor(key)
    const wasCursor = known !== table.slot(key)
    const write = this.#writes.get(key)
    return this.#cursors?.get(key) ?? (write?.fresh === true && !wasCursor ? write.ordinal : known?.ordinal)
  }

  last(n: number): StoredRecord[] {
    if (this.isUntouched) return this.bucketState.source.last(n)
    return n === 0
      ? []
      : this.#ordered()
          .slice(-n)
          .map(({ record }) => record)
  }

  keys(): Key[] {
    if (this.isUntouched) return this.bucketState.source.keys()
    return this.#ordered().map(({ record }) => record[this.key] as Key)
  }

  rememberCursor(key: Key): void {
    const write = this.#writes.get(key)
    if (write?.fresh === true) (this.#cursors ??= new Map()).set(key, write.ordinal)
    else this.bucketState.table.rememberCursor(key)
  }
}
