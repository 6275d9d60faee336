import { assert } from '../base/assert.js'
import type { Key, StoredRecord } from '../base/value.js'
import type { IndexOptions } from './field-index.js'
import { compareKeys } from './key-order.js'
import { OrderedList } from './ordered-list.js'
import { byOrdinal } from './slot.js'
import type { Slot } from './slot.js'
import { TableIndex } from './table-index.js'

/** What a table needs to know of its bucket's definition. */
export interface TableOptions {
  readonly bucket: string
  /** Name of the key field. */
  readonly key: string
  readonly indexes: readonly IndexOptions[]
  /** `first`, `last`, `paginate` and `keys` go by key instead of by insertion. */
  readonly byKey: boolean
  /** Keep the order in which a full bucket lets records go. */
  readonly eviction: 'oldest' | 'lru' | undefined
}

/** How many deleted cursors a table remembers, so that paging goes on from where they were. */
const CURSORS_MAX = 10_000

/** The inside of a table. */
export interface TableParts {
  readonly slots: ReadonlyMap<Key, Slot>
  readonly due: OrderedList<Slot>
  readonly order: OrderedList<Slot> | undefined
  readonly nextOrdinal: number
}

/**
 * The records of one bucket with their indexes: what `Map` is to a program, plus what queries, expiry and eviction need.
 * It trusts its caller: keys and unique values were checked before, and every change can be undone.
 *
 * Holds S1: every record is under its own key. S2, S4: indexes agree with records, S8: in order too. S5: the due list has exactly the
 * records that expire. S6: no ordinal is given twice. S7: records are frozen.
 */
export class Table {
  readonly options: TableOptions
  /** Highest autoincrement number given so far. */
  counter = 0
  #slots = new Map<Key, Slot>()
  /** False after an undone deletion: the map's order is then not the order of insertion. */
  #inOrder = true
  #nextOrdinal = 1
  #version = 0
  readonly #indexes: readonly TableIndex[]
  readonly #due = new OrderedList<Slot>(byDueTime)
  readonly #oldest: OrderedList<Slot> | undefined
  /** By last use, the one used longest ago first. */
  readonly #used: Set<Slot> | undefined
  /** Made when first asked for: most buckets are never paged through. */
  #order: OrderedList<Slot> | undefined
  readonly #cursors = new Map<Key, Slot>()

  constructor(options: TableOptions) {
    this.options = options
    this.#indexes = options.indexes.map((index) => new TableIndex(index, () => this.#slots.values()))
    this.#oldest = options.eviction === 'oldest' ? new OrderedList<Slot>(byCreation) : undefined
    this.#used = options.eviction === 'lru' ? new Set() : undefined
  }

  get size(): number {
    return this.#slots.size
  }

  /** Grows with each change. */
  get version(): number {
    return this.#version
  }

  get indexes(): readonly TableIndex[] {
    return this.#indexes
  }

  /** The record under `key`. */
  get(key: Key): StoredRecord | undefined {
    return this.#slots.get(key)?.record
  }

  /** The place of the record under `key`. */
  slot(key: Key): Slot | undefined {
    return this.#slots.get(key)
  }

  /** Notes a use of the record under `key`, for buckets that let go of what was used longest ago. */
  touch(key: Key): void {
    if (this.#used === undefined) return
    const slot = this.#slots.get(key)
    if (slot !== undefined && this.#used.delete(slot)) this.#used.add(slot)
  }

  /** Puts a record that was read from storage at its ordinal. Ordinals rise from call to call. */
  load(ordinal: number, record: StoredRecord): void {
    assert(ordinal >= this.#nextOrdinal, 'S6', () => `ordinal ${ordinal} was given before`)
    this.#nextOrdinal = ordinal
    this.#insert({ ordinal: this.#nextOrdinal++, record })
  }

  /** Inserts a record whose key is free, at the end. @returns its place. */
  insert(record: StoredRecord): Slot {
    const slot: Slot = { ordinal: this.#nextOrdinal++, record }
    this.#insert(slot)
    return slot
  }

  #insert(slot: Slot): void {
    this.#version++
    const { record } = slot
    const key = record[this.options.key] as Key
    assert(!this.#slots.has(key), 'S1', () => `bucket ${this.options.bucket} already has a record under this key`)
    this.#slots.set(key, slot)
    for (const index of this.#indexes) index.add(slot)
    if (record._expiresAt !== undefined) this.#due.add(slot)
    this.#oldest?.add(slot)
    this.#used?.add(slot)
    this.#order?.add(slot)
  }

  /** Replaces the record under `after`'s key, which is there. @param slot its place, where the caller knows it. */
  update(after: StoredRecord, slot: Slot | undefined = this.#slots.get(after[this.options.key] as Key)): void {
    const isPlace = slot !== undefined && slot.record[this.options.key] === after[this.options.key]
    assert(isPlace, 'S1', () => `bucket ${this.options.bucket} has no record under this key`)
    this.#replace(slot, after)
    if (this.#used?.delete(slot) === true) this.#used.add(slot)
  }

  #replace(slot: Slot, after: StoredRecord): void {
    this.#version++
    const before = slot.record
    let arriving: TableIndex[] | undefined
    for (const index of this.#indexes) if (index.move(slot, after)) (arriving ??= []).push(index)
    const isDueAnew = before._expiresAt !== after._expiresAt
    if (isDueAnew && before._expiresAt !== undefined) this.#due.delete(slot)
    slot.record = after
    if (isDueAnew && after._expiresAt !== undefined) this.#due.add(slot)
    if (arriving !== undefined) for (const index of arriving) index.arrive(slot)
  }

  /** Deletes the record under `key`, which is there. @returns where it was. */
  delete(key: Key): Slot {
    const slot = this.#slots.get(key)
    assert(slot !== undefined, 'S1', () => `bucket ${this.options.bucket} has no record under this key`)
    this.#remove(key, slot)
    return slot
  }

  #remove(key: Key, slot: Slot): void {
    this.#version++
    const { record } = slot
    for (const index of this.#indexes) index.remove(slot)
    if (record._expiresAt !== undefined) this.#due.delete(slot)
    this.#oldest?.delete(slot)
    this.#used?.delete(slot)
    this.#order?.delete(slot)
    this.#slots.delete(key)
  }

  /**
   * Takes back the step that made `after` of `before`: an insertion where there was none, a deletion where there is none
   * now. Steps are taken back in the reverse of the order in which they were done.
   */
  undo(slot: Slot, before: StoredRecord | undefined, after: StoredRecord | undefined): void {
    if (before === undefined) this.#remove((after as StoredRecord)[this.options.key] as Key, slot)
    else if (after === undefined) {
      this.#inOrder = false
      slot.record = before
      this.#insert(slot)
    } else this.#replace(slot, before)
  }

  /** Calls `visit` for each slot in insertion order until it returns false. */
  forEach(visit: (slot: Slot) => boolean | void): void {
    if (!this.#inOrder) {
      const sorted = [...this.#slots].sort(([, a], [, b]) => byOrdinal(a, b))
      this.#slots = new Map(sorted)
      this.#inOrder = true
    }
    for (const slot of this.#slots.values()) if (visit(slot) === false) return
  }

  /** The order of `first`, `last`, `paginate` and `keys`. */
  get order(): OrderedList<Slot> {
    if (this.#order === undefined) {
      const { byKey, key } = this.options
      const compare = byKey ? (a: Slot, b: Slot) => compareKeys(a.record[key] as Key, b.record[key] as Key) : byOrdinal
      this.#order = new OrderedList(compare, [...this.#slots.values()].sort(compare))
    }
    return this.#order
  }

  /** Remembers where the record under `key` stands, so that paging can go on from there after it is deleted. */
  rememberCursor(key: Key): void {
    const slot = this.#slots.get(key)
    if (slot === undefined) return
    this.#cursors.delete(key)
    this.#cursors.set(key, { ordinal: slot.ordinal, record: slot.record })
    if (this.#cursors.size > CURSORS_MAX) this.#cursors.delete(this.#cursors.keys().next().value as Key)
  }

  /** Takes over what `other`, a table of the same bucket, remembers of cursors. */
  adoptCursors(other: Table): void {
    for (const [key, slot] of other.#cursors) this.#cursors.set(key, slot)
  }

  /** Where the record under `key` stands, or stood when it was last a cursor. */
  cursor(key: Key): Slot | undefined {
    return this.#cursors.get(key) ?? this.#slots.get(key)
  }

  /** The record that goes first when the bucket is full, after `skip` others. */
  evictable(skip: number): StoredRecord | undefined {
    let left = skip
    for (const slot of this.#oldest?.from() ?? this.#used ?? []) if (left-- === 0) return slot.record
    return undefined
  }

  /** When the next record is due; undefined where none expires. */
  get nextDue(): number | undefined {
    return this.#due.first?.record._expiresAt as number | undefined
  }

  /** Keys of the records that are due at `now`, the earliest first, at most `max`. */
  due(now: number, max: number): Key[] {
    const keys: Key[] = []
    this.#due.forEach((slot) => {
      if ((slot.record._expiresAt as number) > now || keys.length >= max) return false
      keys.push(slot.record[this.options.key] as Key)
      return true
    })
    return keys
  }

  /** An empty table for the same bucket, which goes on with ordinals, counter and cursors. */
  emptied(): Table {
    const table = new Table(this.options)
    table.counter = this.counter
    table.#nextOrdinal = this.#nextOrdinal
    for (const [key, { ordinal }] of this.#cursors) table.#cursors.set(key, { ordinal, record: {} })
    return table
  }

  /** For `checkTable`, which is apart so that no bundle has it. */
  get parts(): TableParts {
    return { slots: this.#slots, due: this.#due, order: this.#order, nextOrdinal: this.#nextOrdinal }
  }
}

function byDueTime(a: Slot, b: Slot): number {
  return (a.record._expiresAt as number) - (b.record._expiresAt as number) || a.ordinal - b.ordinal
}

function byCreation(a: Slot, b: Slot): number {
  return (a.record._createdAt as number) - (b.record._createdAt as number) || a.ordinal - b.ordinal
}
