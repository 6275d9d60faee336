import type { Key, StoredRecord } from '../base/value.js'
import { isIndexable } from '../state/field-index.js'
import type { FieldIndex, IndexValue } from '../state/field-index.js'
import type { Slot } from '../state/slot.js'
import type { Table } from '../state/table.js'
import { matches } from './filter.js'
import type { Filter } from './filter.js'

/** What records can be read from: a table, or a table as a transaction sees it. */
export interface Source {
  readonly bucket: string
  /** Name of the key field. */
  readonly key: string
  readonly size: number
  /** All keys, in the bucket's order. */
  keys(): Key[]
  get(key: Key): StoredRecord | undefined
  /** How many records match. */
  count(filter: Filter): number
  /** The records that match, in insertion order. */
  find(filter: Filter | undefined): StoredRecord[]
  /** Calls `visit` for each record that matches, in insertion order, until it returns false. */
  forEach(filter: Filter | undefined, visit: (record: StoredRecord) => boolean | void): void
  /** Calls `visit` for each record in the bucket's order, from the first one after `after`, until it returns false. */
  forEachInOrder(after: Key | undefined, visit: (record: StoredRecord) => boolean | void): void
  /** The last `n` records in the bucket's order. */
  last(n: number): StoredRecord[]
  /** Remembers where `key` stands for a later `forEachInOrder(key, …)`, even if its record is deleted by then. */
  rememberCursor(key: Key): void
}

/** How a filter will be answered from a table. */
export interface Access {
  /** The index to use; undefined: the record under `key`, or a scan where there is no `key` either. */
  readonly index: FieldIndex | undefined
  readonly value: IndexValue | undefined
  readonly key: Key | undefined
  /** Records that will be looked at. */
  readonly examined: number
}

/** Chooses the way to `filter`'s records that looks at the fewest: by key, by the most selective index, or by a scan. */
export function chooseAccess(table: Table, filter: Filter): Access {
  let best: Access = { index: undefined, value: undefined, key: undefined, examined: table.size }
  for (const { field, value } of filter.conditions) {
    if (value === null || !isIndexable(value)) continue
    if (field === table.options.key) return { index: undefined, value: undefined, key: value, examined: 1 }
    const index = table.index(field)
    if (index === undefined) continue
    const examined = index.count(value)
    if (best.index === undefined || examined < best.examined) best = { index, value, key: undefined, examined }
  }
  return best
}

/** A table, as something to read from. `table` is asked for each time, because clearing a bucket replaces it. */
export class TableSource implements Source {
  readonly bucket: string
  readonly key: string
  readonly #table: () => Table

  constructor(table: () => Table) {
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

  count(filter: Filter): number {
    const table = this.#table()
    if (filter.conditions.length === 0) return table.size
    const access = chooseAccess(table, filter)
    if (filter.conditions.length === 1 && access.index !== undefined) return access.examined
    let count = 0
    this.forEach(filter, () => {
      count++
    })
    return count
  }

  find(filter: Filter | undefined): StoredRecord[] {
    const found: StoredRecord[] = []
    const table = this.#table()
    if (filter !== undefined && filter.conditions.length === 1) {
      const { index, value } = chooseAccess(table, filter)
      if (index !== undefined) return index.records(value as IndexValue, table.version)
    }
    this.forEach(filter, (record) => {
      found.push(record)
    })
    return found
  }

  forEach(filter: Filter | undefined, visit: (record: StoredRecord) => boolean | void): void {
    const table = this.#table()
    if (filter === undefined || filter.conditions.length === 0) table.forEach((slot) => visit(slot.record))
    else forEachSlot(table, filter, (slot) => visit(slot.record))
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

/** Calls `visit` for each slot whose record matches, in insertion order, until it returns false. */
export function forEachSlot(table: Table, filter: Filter, visit: (slot: Slot) => boolean | void): void {
  const { index, value, key } = chooseAccess(table, filter)
  if (key !== undefined) {
    const slot = table.slot(key)
    if (slot !== undefined && matches(filter, slot.record)) visit(slot)
    return
  }
  const isSettled = filter.conditions.length === 1 && index !== undefined
  const visitMatch = isSettled ? visit : (slot: Slot) => (matches(filter, slot.record) ? visit(slot) : undefined)
  if (index === undefined) table.forEach(visitMatch)
  else index.forEach(value as IndexValue, visitMatch)
}
