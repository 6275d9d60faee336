import { assert } from '../base/assert.js'
import { stringify } from '../base/json.js'
import type { StoredRecord, Value } from '../base/value.js'
import { OrderedList } from './ordered-list.js'
import { byOrdinal } from './slot.js'
import type { Slot } from './slot.js'

/** What an index can hold. Missing and null are not in any index. */
export type IndexValue = string | number | boolean

/** True for values that an index holds. */
export function isIndexable(value: Value | undefined): value is IndexValue {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

/** What a record with `values` in the fields of an index on several is found under. */
export function compoundValue(values: readonly IndexValue[]): IndexValue {
  return stringify(values)
}

/** What an index is of. */
export interface IndexOptions {
  /** Names of fields, or paths into nested ones; at least one. */
  readonly fields: readonly string[]
  readonly unique: boolean
  /** Records that it has; undefined: all. */
  readonly where?: IndexPredicate | undefined
  /** What a record is found under, where that is not simply the value of a field of its own. */
  readonly valueIn?: ((record: StoredRecord) => IndexValue | undefined) | undefined
  /** The order of its fields, then of insertion. */
  readonly order: (a: Slot, b: Slot) => number
}

/** The condition of a partial index. */
export interface IndexPredicate {
  /** Its parts, all of which have to hold, in their canonical text. */
  readonly texts: readonly string[]
  test(record: StoredRecord): boolean
}

/** Stands for what was asked for once: most values are not asked for twice between two changes. */
const ASKED: readonly StoredRecord[] = []

/**
 * Finds the records with a value in one field, or with values in several, in insertion order.
 *
 * Holds S2: a record is under the value of its field, and nowhere else. S4: in a unique index no record has lost its
 * place to another.
 */
export class FieldIndex {
  readonly name: string
  readonly unique: boolean
  readonly #field: string
  readonly #valueIn: IndexOptions['valueIn']
  // A lone slot stands for itself: most values of most indexes occur once, and a list costs ten times as much.
  readonly #slots = new Map<IndexValue, Slot | OrderedList<Slot>>()

  /** What was found since the table last changed, for values that were asked for more than once. */
  readonly #found = new Map<IndexValue, readonly StoredRecord[]>()
  #foundAt = -1

  constructor({ fields, unique, valueIn }: IndexOptions) {
    this.name = fields.join(', ')
    this.unique = unique
    this.#field = fields[0] as string
    this.#valueIn = valueIn
  }

  /** What `record` is found under; undefined where it is not in the index. */
  valueIn(record: StoredRecord): IndexValue | undefined {
    if (this.#valueIn !== undefined) return this.#valueIn(record)
    const value = record[this.#field]
    return isIndexable(value) ? value : undefined
  }

  /**
   * Adds a slot under the value of `record`. In a unique index it takes the place of one that is there: within a commit
   * two records may exchange their values, and the commit makes sure at its end that no record has lost its own (S4).
   */
  add(slot: Slot, record: StoredRecord): void {
    const value = this.valueIn(record)
    if (value === undefined) return
    const found = this.unique ? undefined : this.#slots.get(value)
    if (found === undefined) {
      this.#slots.set(value, slot)
      return
    }
    if (found instanceof OrderedList) found.add(slot)
    else
      this.#slots.set(value, new OrderedList(byOrdinal, found.ordinal < slot.ordinal ? [found, slot] : [slot, found]))
  }

  /** Removes a slot from under the value of `record`. */
  remove(slot: Slot, record: StoredRecord): void {
    const value = this.valueIn(record)
    if (value === undefined) return
    const found = this.#slots.get(value)
    if (this.unique) {
      if (found === slot) this.#slots.delete(value)
    } else {
      const isThere = found instanceof OrderedList ? found.delete(slot) : found === slot
      assert(isThere, 'S2', () => `index ${this.name} has no record with ordinal ${slot.ordinal} under this value`)
      if (!(found instanceof OrderedList) || found.size === 0) this.#slots.delete(value)
    }
  }

  /** Moves a slot when its record changes; does nothing when this field stays as it is. */
  move(slot: Slot, before: StoredRecord, after: StoredRecord): void {
    if (this.valueIn(before) === this.valueIn(after)) return
    this.remove(slot, before)
    this.add(slot, after)
  }

  /** How many records have `value`. */
  count(value: IndexValue): number {
    const found = this.#slots.get(value)
    if (found === undefined) return 0
    return found instanceof OrderedList ? found.size : 1
  }

  /**
   * The records with `value`, in insertion order, in an array of the caller's own.
   *
   * @param version of the table: grows with each change. Collecting records touches the memory of each, which costs more
   *   than everything else; so what is asked for again, with no change in between, is copied from the last time.
   */
  records(value: IndexValue, version: number): StoredRecord[] {
    const found = this.#slots.get(value)
    if (found === undefined) return []
    if (!(found instanceof OrderedList)) return [found.record]
    if (version !== this.#foundAt) {
      this.#found.clear()
      this.#foundAt = version
    }
    const known = this.#found.get(value)
    if (known !== undefined && known !== ASKED) return known.slice()
    const records = found.map((slot) => slot.record)
    this.#found.set(value, known === undefined ? ASKED : records)
    return known === undefined ? records : records.slice()
  }

  /** Calls `visit` for each slot with `value` in insertion order, until it returns false. */
  forEach(value: IndexValue, visit: (slot: Slot) => boolean | void): void {
    const found = this.#slots.get(value)
    if (found === undefined) return
    if (found instanceof OrderedList) found.forEach(visit)
    else visit(found)
  }

  /** The one slot with `value`, in a unique index. */
  only(value: IndexValue): Slot | undefined {
    const found = this.#slots.get(value)
    return found instanceof OrderedList ? found.first : found
  }

  /** Number of slots under all values. */
  get size(): number {
    let size = 0
    for (const found of this.#slots.values()) size += found instanceof OrderedList ? found.size : 1
    return size
  }
}
