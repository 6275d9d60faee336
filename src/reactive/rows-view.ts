import { deepEqual } from '../base/equality.js'
import type { StoredRecord } from '../base/value.js'
import { project, slotsOf } from '../query/answer.js'
import { slotOrder } from '../query/order.js'
import type { SlotOrder } from '../query/order.js'
import type { Question } from '../query/query-spec.js'
import type { Source } from '../query/source.js'
import { byOrdinal } from '../state/slot.js'
import type { Slot } from '../state/slot.js'
import { View } from './view.js'
import type { Effect, PlacedChange } from './view.js'

/** What a query with a limit keeps behind its end, so that a row that leaves is followed without looking one up. */
const SPARE_MIN = 32

/**
 * A view of rows: the records that match, in order, within a limit and offset. A change costs a binary search and a copy of
 * the list of rows; where there is a limit, rows beyond it and a few spare ones are not kept, but looked up when they are needed.
 *
 * Rows that did not change keep their identity.
 */
export class RowsView extends View {
  #order: SlotOrder = byOrdinal
  /** Rows that are kept: all, or as many as offset and limit ask for with some to spare. */
  readonly #keptMax: number
  /** The kept rows in order, as three lists: what they are, where their records stand in the bucket, and what is shown. */
  #records: StoredRecord[] = []
  #ordinals: number[] = []
  #rows: unknown[] = []
  /** Whether there is no row beyond the kept ones. */
  #isComplete = true
  #answer: unknown

  constructor(question: Question, key: string) {
    super(question, key)
    const { offset, limit } = question.spec
    this.#keptMax = offset + limit + Math.max(SPARE_MIN, limit)
  }

  override get answer(): unknown {
    if (this.#answer === undefined) {
      const { offset, limit } = this.question.spec
      const end = Math.min(this.#rows.length, offset + limit)
      this.#answer = Object.freeze(this.#rows.slice(offset, end))
    }
    return this.#answer
  }

  override build(source: Source): void {
    const { spec } = this.question
    this.#order = slotOrder(spec.order, source.collators)
    const slots = slotsOf(source, { ...spec, offset: 0, limit: this.#keptMax })
    const known = new Map<StoredRecord, unknown>()
    if (spec.fields !== undefined) this.#records.forEach((record, at) => known.set(record, this.#rows[at]))
    this.#records = slots.map(({ record }) => record)
    this.#ordinals = slots.map(({ ordinal }) => ordinal)
    this.#rows = this.#records.map((record) => known.get(record) ?? project(record, spec.fields))
    this.#isComplete = slots.length < this.#keptMax
    this.#change()
  }

  #change(): void {
    this.#answer = undefined
    this.version++
  }

  /** Place of the first kept row that does not come before `slot`. */
  #placeOf(slot: Slot): number {
    let low = 0
    let high = this.#records.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const kept = { ordinal: this.#ordinals[middle] as number, record: this.#records[middle] as StoredRecord }
      if (this.#order(kept, slot) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  override apply({ before, after, ordinal }: PlacedChange): Effect {
    const wasIn = this.isIn(before)
    const isIn = this.isIn(after)
    if (!wasIn && !isIn) return 'none'
    const from = wasIn ? this.#placeOf({ ordinal, record: before as StoredRecord }) : -1
    const isKept = from >= 0 && this.#ordinals[from] === ordinal
    const row = isKept ? this.#rows[from] : undefined
    if (isKept) this.#splice(from, 1)
    const to = isIn ? this.#insert({ ordinal, record: after as StoredRecord }, row) : -1
    const { offset, limit } = this.question.spec
    const end = offset + limit
    if (!this.#isComplete && this.#records.length < end) return 'rebuild'
    const isShown = (isKept && from < end) || (to >= 0 && to < end)
    if (!isShown || (isKept && from === to && this.#rows[to] === row)) return 'none'
    this.#change()
    return 'changed'
  }

  #splice(at: number, removed: number): void {
    this.#records.splice(at, removed)
    this.#ordinals.splice(at, removed)
    this.#rows.splice(at, removed)
  }

  /** @returns where the row is now; -1 where it is beyond what is kept. */
  #insert(slot: Slot, row: unknown): number {
    const at = this.#placeOf(slot)
    if (at === this.#records.length && !this.#isComplete) return -1
    const { fields } = this.question.spec
    const fresh = project(slot.record, fields)
    this.#records.splice(at, 0, slot.record)
    this.#ordinals.splice(at, 0, slot.ordinal)
    // What is shown of it may be as it was.
    this.#rows.splice(at, 0, fields !== undefined && deepEqual(fresh, row) ? row : fresh)
    if (this.#records.length > this.#keptMax) {
      this.#splice(this.#keptMax, 1)
      this.#isComplete = false
    }
    return at
  }
}
