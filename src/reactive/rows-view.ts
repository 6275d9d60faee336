import { deepEqual } from '../base/equality.js'
import type { StoredRecord } from '../base/value.js'
import { project, slotsOf } from '../query/answer.js'
import { slotOrder } from '../query/order.js'
import type { SlotOrder } from '../query/order.js'
import type { Question } from '../query/query-spec.js'
import type { Source } from '../query/source.js'
import { byOrdinal } from '../state/slot.js'
import type { Slot } from '../state/slot.js'
import { UNKNOWN } from './row-changes.js'
import type { Known } from './row-changes.js'
import { View } from './view.js'
import type { Effect, PlacedChange } from './view.js'

/** What a query with a limit keeps behind its end, so that a row that leaves is followed without looking one up. */
const SPARE_MIN = 32
/** So many changes cost more than building a list anew. */
const STEPS_MAX = 256

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
  /**
   * The kept rows in order, as three lists: what they are, where their records stand in the bucket, and what is shown, which
   * is the same list as the first where whole records are.
   */
  #records: StoredRecord[] = []
  #ordinals: number[] = []
  #rows: unknown[] = this.#records
  /** Whether there is no row beyond the kept ones. */
  #isComplete = true
  #answer: readonly unknown[] | undefined
  /** The last answer that was asked for, and how many of the kept rows at either end have not changed since. */
  #last: readonly unknown[] | undefined
  #head = 0
  #tail = 0
  /** How many changes there have been since, and what the last of them did to which places. */
  #steps = 0
  #step: Known['step']
  /** The last two answers, and what is known of them. */
  #lastTwo: { before: readonly unknown[]; after: readonly unknown[]; known: Known } | undefined
  /** A kept row, while it is compared with another. */
  readonly #probe: { ordinal: number; record: StoredRecord } = { ordinal: 0, record: {} }

  constructor(question: Question) {
    super(question)
    const { offset, limit } = question.spec
    this.#keptMax = offset + limit + Math.max(SPARE_MIN, limit)
  }

  override get answer(): readonly unknown[] {
    if (this.#answer === undefined) {
      const { offset, limit } = this.question.spec
      const end = Math.min(this.#rows.length, offset + limit)
      const after = this.#same(Object.freeze(this.#rows.slice(offset, end)))
      if (this.#last !== undefined && after !== this.#last)
        this.#lastTwo = { before: this.#last, after, known: this.#known() }
      this.#answer = this.#last = after
      this.#head = this.#tail = Number.POSITIVE_INFINITY
      this.#steps = 0
    }
    return this.#answer
  }

  /** The last answer, where the rows are the same: what has changed may lie outside of the window. */
  #same(rows: readonly unknown[]): readonly unknown[] {
    const last = this.#last
    const mayBe = this.question.spec.limit !== Number.POSITIVE_INFINITY || this.#steps === Number.POSITIVE_INFINITY
    if (last === undefined || !mayBe || last.length !== rows.length) return rows
    return rows.every((row, at) => row === last[at]) ? last : rows
  }

  protected override adopt(answer: readonly unknown[], rows: readonly unknown[]): void {
    if (answer !== this.#answer) return
    const { offset } = this.question.spec
    rows.forEach((row, at) => (this.#rows[offset + at] = row))
    this.#answer = this.#last = rows
  }

  /** The row of `record`. */
  #rowOf(record: StoredRecord): StoredRecord {
    return this.shows(project(record, this.question.spec.fields), record)
  }

  #known(): Known {
    const { offset, limit } = this.question.spec
    const head = Math.max(0, this.#head - offset)
    // Where there is a limit, rows that leave the answer at its end stay among those that are kept.
    if (limit !== Number.POSITIVE_INFINITY) return { head, tail: 0, step: undefined }
    return { head, tail: this.#tail, step: this.#steps === 1 && offset === 0 ? this.#step : undefined }
  }

  override knownOf(before: readonly unknown[], after: readonly unknown[]): Known {
    const last = this.#lastTwo
    return last?.before === before && last.after === after ? last.known : UNKNOWN
  }

  protected override build(source: Source): void {
    const { spec } = this.question
    this.#order = slotOrder(spec.order, source.collators)
    const slots = slotsOf(source, { ...spec, offset: 0, limit: this.#keptMax })
    const records = this.#recordsOf(slots)
    if (spec.fields === undefined) this.#rows = records
    else {
      const known = new Map<StoredRecord, unknown>()
      this.#records.forEach((record, at) => known.set(record, this.#rows[at]))
      this.#rows = records.map((record) => known.get(record) ?? this.#rowOf(record))
    }
    this.#ordinals = slots.map(({ ordinal }) => ordinal)
    this.#records = records
    this.#isComplete = slots.length < this.#keptMax
    this.#head = this.#tail = 0
    this.#steps = Number.POSITIVE_INFINITY
    this.#change()
  }

  /** The records of `slots`. One that is what it was is the same object, also where the bucket was loaded anew. */
  #recordsOf(slots: readonly Slot[]): StoredRecord[] {
    if (this.#records.length === 0) return slots.map(({ record }) => record)
    const known = new Map(this.#ordinals.map((ordinal, at) => [ordinal, this.#records[at] as StoredRecord]))
    return slots.map(({ ordinal, record }) => {
      const old = known.get(ordinal)
      return old !== undefined && old._version === record._version && deepEqual(old, record) ? old : record
    })
  }

  #change(): void {
    this.#answer = undefined
    this.version++
  }

  /** The kept rows before `low` and from `high` on are what they were. */
  #touched(low: number, high: number): void {
    this.#head = Math.min(this.#head, low)
    this.#tail = Math.min(this.#tail, this.#records.length - high)
  }

  /** Whether the row kept at `at` comes before `slot`. */
  #isBefore(at: number, slot: Slot): boolean {
    const probe = this.#probe
    probe.ordinal = this.#ordinals[at] as number
    probe.record = this.#records[at] as StoredRecord
    return this.#order(probe, slot) < 0
  }

  /** Place of the first kept row that does not come before `slot`. */
  #placeOf(slot: Slot): number {
    let low = 0
    let high = this.#records.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#isBefore(middle, slot)) low = middle + 1
      else high = middle
    }
    return low
  }

  override apply({ before, after, ordinal }: PlacedChange): Effect {
    const wasIn = this.isIn(before)
    const isIn = this.isIn(after)
    if (!wasIn && !isIn) return 'none'
    if (this.#steps >= STEPS_MAX) return 'stale'
    const from = wasIn ? this.#placeOf({ ordinal, record: before as StoredRecord }) : -1
    const isKept = from >= 0 && this.#ordinals[from] === ordinal
    const slot = { ordinal, record: after as StoredRecord }
    if (isKept && isIn && this.#staysAt(from, slot)) return this.#replace(from, slot)
    const row = isKept ? this.#rows[from] : undefined
    if (isKept) {
      this.#splice(from, 1)
      this.#touched(from, from)
    }
    const to = isIn ? this.#insert(slot, row) : -1
    this.#steps++
    this.#step = { from: isKept ? from : -1, to }
    const { offset, limit } = this.question.spec
    const end = offset + limit
    if (!this.#isComplete && this.#records.length < end) return 'rebuild'
    const isShown = (isKept && from < end) || (to >= 0 && to < end)
    if (!isShown || (isKept && from < offset && to >= 0 && to < offset)) return 'none'
    this.#change()
    return 'changed'
  }

  /** Whether `slot`, what the kept row at `at` has become, belongs where that is. */
  #staysAt(at: number, slot: Slot): boolean {
    if (at > 0 && !this.#isBefore(at - 1, slot)) return false
    return at + 1 < this.#records.length ? !this.#isBefore(at + 1, slot) : this.#isComplete
  }

  #replace(at: number, { record }: Slot): Effect {
    const { fields, offset, limit } = this.question.spec
    const row = this.#rows[at]
    const fresh = this.#rowOf(record)
    this.#records[at] = record
    // What is shown of it may be as it was.
    if (fields !== undefined && deepEqual(fresh, row)) return 'none'
    this.#rows[at] = fresh
    this.#touched(at, at + 1)
    this.#steps++
    this.#step = { from: at, to: at }
    if (at < offset || at >= offset + limit) return 'none'
    this.#change()
    return 'changed'
  }

  #splice(at: number, removed: number): void {
    this.#ordinals.splice(at, removed)
    this.#records.splice(at, removed)
    if (this.#rows !== this.#records) this.#rows.splice(at, removed)
  }

  /** @returns where the row is now; -1 where it is beyond what is kept. */
  #insert(slot: Slot, row: unknown): number {
    const at = this.#placeOf(slot)
    if (at === this.#records.length && !this.#isComplete) return -1
    const { fields } = this.question.spec
    this.#ordinals.splice(at, 0, slot.ordinal)
    this.#records.splice(at, 0, slot.record)
    if (fields !== undefined) {
      const fresh = this.#rowOf(slot.record)
      // What is shown of it may be as it was.
      this.#rows.splice(at, 0, deepEqual(fresh, row) ? row : fresh)
    }
    this.#touched(at, at + 1)
    if (this.#records.length > this.#keptMax) {
      this.#splice(this.#keptMax, 1)
      this.#isComplete = false
      this.#touched(this.#keptMax, this.#keptMax)
    }
    return at
  }
}
