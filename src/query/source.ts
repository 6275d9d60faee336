import type { Key, StoredRecord } from '../base/value.js'
import { isIndexable } from '../state/field-index.js'
import type { FieldIndex, IndexValue } from '../state/field-index.js'
import type { Slot } from '../state/slot.js'
import type { Table } from '../state/table.js'
import { EVERYTHING } from './filter.js'
import type { Filter } from './filter.js'
import { findSlots, looked } from './find.js'
import type { Collators } from './order.js'
import { choosePlan } from './plan.js'
import { specOf } from './query-spec.js'
import type { Refs } from './relation.js'

/** What records can be read from: a table, or a table as a transaction sees it. */
export interface Source {
  readonly bucket: string
  /** Name of the key field. */
  readonly key: string
  readonly size: number
  /** How the strings of some fields are put in order. */
  readonly collators: Collators
  /** Which fields have keys of other buckets. */
  readonly refs: Refs
  /** The table, where what is to be read is exactly what it has. */
  readonly table: Table | undefined
  /** All keys, in the bucket's order. */
  keys(): Key[]
  get(key: Key): StoredRecord | undefined
  /** How many records match. */
  count(filter: Filter): number
  /** The records that match, in insertion order; the first `limit` of them. */
  find(filter: Filter | undefined, limit?: number): StoredRecord[]
  /** The slots of the records that match, in insertion order. */
  slots(filter: Filter): Slot[]
  /** Calls `visit` for each record in the bucket's order, from the first one after `after`, until it returns false. */
  forEachInOrder(after: Key | undefined, visit: (record: StoredRecord) => boolean | void): void
  /** The last `n` records in the bucket's order. */
  last(n: number): StoredRecord[]
  /** Remembers where `key` stands for a later `forEachInOrder(key, …)`, even if its record is deleted by then. */
  rememberCursor(key: Key): void
}

/** Ordinals of what a transaction has written begin here, far beyond those of any table. */
export const FRESH_ORDINALS: number = 2 ** 52

/** A table, as something to read from. `table` is asked for each time, because clearing a bucket replaces it. */
export class TableSource implements Source {
  readonly bucket: string
  readonly key: string
  readonly collators: Collators
  readonly refs: Refs
  readonly #table: () => Table

  constructor(table: () => Table, collators: Collators = new Map(), refs: Refs = new Map()) {
    this.collators = collators
    this.refs = refs
    this.bucket = table().options.bucket
    this.key = table().options.key
    this.#table = table
  }

  keys(): Key[] {
    const keys: Key[] = []
    this.forEachInOrder(undefined, (record) => {
      keys.push(record[this.key] as Key)
    })
    return keys
  }

  get size(): number {
    return this.#table().size
  }

  get(key: Key): StoredRecord | undefined {
    return this.#table().get(key)
  }

  get table(): Table {
    return this.#table()
  }

  count(filter: Filter): number {
    const table = this.#table()
    const index = this.#indexFor(filter)
    if (index !== undefined) return index.count((filter.conditions[0] as { value: IndexValue }).value)
    if (filter.conditions.length === 0) return table.size
    const { rest, size } = choosePlan(table, specOf(this.bucket, filter), this.collators, false)
    return rest.conditions.length === 0 ? size : this.slots(filter).length
  }

  /** The index that has the answer to `filter` as it is: one value of one field. */
  #indexFor({ conditions }: Filter): FieldIndex | undefined {
    const [only] = conditions
    if (conditions.length !== 1 || only?.op !== 'eq' || !isIndexable(only.value)) return undefined
    for (const { hash, options } of this.#table().indexes) {
      if (options.fields.length === 1 && options.fields[0] === only.path && options.where === undefined) return hash
    }
    return undefined
  }

  find(filter: Filter | undefined, limit?: number): StoredRecord[] {
    const table = this.#table()
    if (filter !== undefined && limit === undefined) {
      const index = this.#indexFor(filter)
      if (index !== undefined) {
        const found = index.records((filter.conditions[0] as { value: IndexValue }).value, table.version)
        looked.records += found.length
        return found
      }
    }
    return slotsIn(table, this.collators, filter ?? EVERYTHING, limit).map((slot) => slot.record)
  }

  slots(filter: Filter): Slot[] {
    return slotsIn(this.#table(), this.collators, filter)
  }

  forEachInOrder(after: Key | undefined, visit: (record: StoredRecord) => boolean | void): void {
    const table = this.#table()
    if (after === undefined && !table.options.byKey) {
      table.forEach((slot) => visit(slot.record))
      return
    }
    const from = after === undefined ? undefined : cursorSlot(table, after)
    if (after !== undefined && from === undefined) return
    for (const slot of table.order.from(from)) if (visit(slot.record) === false) return
  }

  last(n: number): StoredRecord[] {
    return this.#table()
      .order.last(n)
      .map((slot) => slot.record)
  }

  rememberCursor(key: Key): void {
    this.#table().rememberCursor(key)
  }
}

/** Where to go on after `key`: by key any key will do; by insertion it has to be, or have been, a record's. */
function cursorSlot(table: Table, key: Key): Slot | undefined {
  if (table.options.byKey) return { ordinal: 0, record: { [table.options.key]: key } }
  return table.cursor(key)
}

/** The slots of a table whose records match, in insertion order. */
export function slotsIn(table: Table, collators: Collators, filter: Filter, limit?: number): Slot[] {
  const spec = specOf(table.options.bucket, filter)
  return findSlots(table, collators, limit === undefined ? spec : { ...spec, limit }).slots
}
