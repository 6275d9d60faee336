import { assert } from '../base/assert.js'
import type { StoredRecord } from '../base/value.js'
import { FieldIndex } from './field-index.js'
import type { IndexOptions } from './field-index.js'
import { OrderedList } from './ordered-list.js'
import type { Slot } from './slot.js'

/**
 * One index of a table: by value, in order, or both. An index on one field, or a unique one, finds by value; it is put in
 * order when that is first asked for, and kept so from then on. One on several fields is in order from the start.
 *
 * Holds S2 and S4 (see `FieldIndex`). S8: the ordered part has exactly the records that the index is of.
 */
export class TableIndex {
  readonly options: IndexOptions
  /** Finds by value; undefined for an index on several fields that need not be unique. */
  readonly hash: FieldIndex | undefined
  readonly #slots: () => Iterable<Slot>
  #ordered: OrderedList<Slot> | undefined

  /** @param slots of the table, to put in order what is there when that is first asked for. */
  constructor(options: IndexOptions, slots: () => Iterable<Slot>) {
    this.options = options
    this.hash = options.fields.length === 1 || options.unique ? new FieldIndex(options) : undefined
    this.#slots = slots
    if (this.hash === undefined) this.#ordered = new OrderedList(options.order)
  }

  #includes(record: StoredRecord): boolean {
    return this.options.where === undefined || this.options.where.test(record)
  }

  /** The records in the order of the fields, those that lack one included. */
  get ordered(): OrderedList<Slot> {
    if (this.#ordered === undefined) {
      const slots: Slot[] = []
      for (const slot of this.#slots()) if (this.#includes(slot.record)) slots.push(slot)
      this.#ordered = new OrderedList(this.options.order, slots.sort(this.options.order))
    }
    return this.#ordered
  }

  /** The ordered part, if it has been asked for. */
  get orderedIfKept(): OrderedList<Slot> | undefined {
    return this.#ordered
  }

  add(slot: Slot): void {
    this.hash?.add(slot, slot.record)
    if (this.#ordered !== undefined && this.#includes(slot.record)) this.#ordered.add(slot)
  }

  remove(slot: Slot): void {
    this.hash?.remove(slot, slot.record)
    if (this.#ordered !== undefined && this.#includes(slot.record)) this.#leave(this.#ordered, slot)
  }

  /**
   * Moves a slot whose record is about to become `after`. An ordered list is searched by what the records are, so a slot
   * has to leave it before it changes.
   *
   * @returns whether `arrive` has to be called when the slot has its new record.
   */
  move(slot: Slot, after: StoredRecord): boolean {
    const before = slot.record
    this.hash?.move(slot, before, after)
    if (this.#ordered === undefined) return false
    const wasIn = this.#includes(before)
    const willBe = this.#includes(after)
    if (wasIn && willBe && this.options.order(slot, { ordinal: slot.ordinal, record: after }) === 0) return false
    if (wasIn) this.#leave(this.#ordered, slot)
    return willBe
  }

  #leave(ordered: OrderedList<Slot>, slot: Slot): void {
    assert(ordered.delete(slot), 'S8', () => `index ${this.options.fields.join(', ')} has no such record in its order`)
  }

  /** Ends what `move` began. */
  arrive(slot: Slot): void {
    this.#ordered?.add(slot)
  }
}
