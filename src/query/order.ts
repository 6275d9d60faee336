import { InvalidArgumentError } from '../base/errors.js'
import type { StoredRecord } from '../base/value.js'
import { compareValues } from '../base/value-order.js'
import type { Slot } from '../state/slot.js'
import { fieldOf, parsePath } from './field-path.js'

/** One term of an order: a field, or a path into nested ones. */
export interface OrderTerm {
  readonly path: string
  readonly isDescending: boolean
}

/** How the strings of some fields are compared, where that is not by UTF-16 code unit. */
export type Collators = ReadonlyMap<string, Intl.Collator>

/** What puts slots in order: negative when `a` comes first. Never 0 for two slots of one bucket. */
export type SlotOrder = (a: Slot, b: Slot) => number

/** @throws {InvalidArgumentError} `path` is no name of a field, or `direction` neither `asc` nor `desc`. */
export function parseOrderTerm(path: unknown, direction: unknown, argument: string): OrderTerm {
  const field = parsePath(path, argument)
  if (direction !== 'asc' && direction !== 'desc') {
    throw new InvalidArgumentError(`${argument}: direction`, '"asc" or "desc"', direction)
  }
  return { path: field, isDescending: direction === 'desc' }
}

/** Compares one term of two records; 0 where they are the same to it. */
export function compareTerm(a: StoredRecord, b: StoredRecord, term: OrderTerm, collators: Collators): number {
  const x = fieldOf(a, term.path)
  const y = fieldOf(b, term.path)
  const collator = collators.get(term.path)
  let order = collator !== undefined && typeof x === 'string' && typeof y === 'string' ? collator.compare(x, y) : 0
  // What a collator takes for the same still needs its place, the same on every run.
  if (order === 0) order = compareValues(x, y)
  return term.isDescending ? -order : order
}

/**
 * The order that `terms` mean, in one total order over all values and types (see `compareValues`). What is the same to
 * all terms stays in insertion order, whatever their direction, as in a stable sort.
 */
export function slotOrder(terms: readonly OrderTerm[], collators: Collators): SlotOrder {
  const [only] = terms
  if (only === undefined) return (a, b) => a.ordinal - b.ordinal
  if (terms.length === 1) return (a, b) => compareTerm(a.record, b.record, only, collators) || a.ordinal - b.ordinal
  return (a, b) => {
    for (const term of terms) {
      const order = compareTerm(a.record, b.record, term, collators)
      if (order !== 0) return order
    }
    return a.ordinal - b.ordinal
  }
}
