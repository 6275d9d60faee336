import { endsOf, valuesOf } from './condition-bounds.js'
import type { Condition, Filter, Scalar } from './filter.js'
import type { Bound } from './interval-tree.js'

/** Where a filter waits for the records that may match it: at one value of a field, or at a range of values. */
export type Place =
  /** Null: the field is null or missing. */
  | { readonly path: string; readonly isRange: false; readonly value: Scalar | null }
  | (Range & { readonly path: string; readonly isRange: true })

interface Range {
  readonly low: Bound
  /** Included, as `low` is; undefined: the range has no upper end. */
  readonly high: Bound | undefined
}

/** How crowded the places are. */
export interface Crowd {
  /** How many filters wait at this value of the field. */
  at(path: string, value: Scalar | null): number
  /** How many different values of the field filters wait at. */
  valuesOf(path: string): number
}

/** With more filters than this at one value a range is the better place, where there is one. */
const CROWD_MAX = 16

/**
 * Chooses the places that every record that matches `filter` comes by: one that is at none of them does not match, one that is
 * may match.
 *
 * Of the conditions that ask for values it takes the one at whose values the fewest filters wait already, then that of the field
 * with the most different values. So a condition that many filters share is not what they are found by.
 *
 * @returns no place for a filter that nothing matches; undefined where every record has to be looked at.
 */
export function choosePlaces({ conditions }: Filter, crowd: Crowd): readonly Place[] | undefined {
  let best: Place[] | undefined
  let bestCost = Number.POSITIVE_INFINITY
  let bestVariety = 0
  for (const condition of conditions) {
    const values = valuesOf(condition)
    if (values === undefined) continue
    const { path } = condition as { path: string }
    let cost = values.length
    for (const one of values) cost += crowd.at(path, one)
    const variety = crowd.valuesOf(path)
    if (cost > bestCost || (cost === bestCost && variety <= bestVariety)) continue
    best = values.map((one) => ({ path, isRange: false, value: one }))
    bestCost = cost
    bestVariety = variety
  }
  const isCrowded = best === undefined || bestCost > CROWD_MAX * Math.max(1, best.length)
  return (isCrowded ? rangePlace(conditions) : undefined) ?? best ?? placesOfBranches(conditions, crowd)
}

/** The range of one field that the conditions leave; one with two ends, where there is one. */
function rangePlace(conditions: readonly Condition[]): Place[] | undefined {
  const ranges = new Map<string, Range>()
  for (const condition of conditions) {
    const range = rangeOf(condition)
    if (range === undefined) continue
    const { path } = condition as { path: string }
    const known = ranges.get(path)
    if (known === undefined) ranges.set(path, range)
    // Where types differ nothing matches; either range will do.
    else if (typeof known.low === typeof range.low) ranges.set(path, intersection(known, range))
  }
  let best: Place | undefined
  for (const [path, range] of ranges) {
    const { low, high } = range
    const isClosed = low !== '' && low !== Number.NEGATIVE_INFINITY && high !== undefined
    if (best === undefined || isClosed) best = { path, isRange: true, ...range }
    if (isClosed) break
  }
  return best === undefined ? undefined : [best]
}

function intersection(a: Range, b: Range): Range {
  const low = a.low > b.low ? a.low : b.low
  if (a.high === undefined || b.high === undefined) return { low, high: a.high ?? b.high }
  return { low, high: a.high < b.high ? a.high : b.high }
}

/** The numbers or strings among which all are that the condition holds for, or undefined. */
function rangeOf(condition: Condition): Range | undefined {
  if (condition.op === 'startsWith') return { low: condition.value, high: afterPrefix(condition.value) }
  const [low, high] = endsOf(condition) ?? []
  const either = (low ?? high)?.value
  if (either === undefined || typeof either === 'boolean') return undefined
  const lowest = typeof either === 'string' ? '' : Number.NEGATIVE_INFINITY
  return { low: (low?.value as Bound | undefined) ?? lowest, high: high?.value as Bound | undefined }
}

/** The first string, by UTF-16 code unit, after all that start with `prefix`; undefined where there is none. */
function afterPrefix(prefix: string): string | undefined {
  for (let last = prefix.length - 1; last >= 0; last--) {
    const unit = prefix.charCodeAt(last)
    if (unit < 0xffff) return prefix.slice(0, last) + String.fromCharCode(unit + 1)
  }
  return undefined
}

/** The places of all branches of an `or`, where each branch has some. */
function placesOfBranches(conditions: readonly Condition[], crowd: Crowd): readonly Place[] | undefined {
  for (const condition of conditions) {
    if (condition.op !== 'or') continue
    const places: Place[] = []
    const isComplete = condition.filters.every((filter) => {
      const own = choosePlaces(filter, crowd)
      if (own !== undefined) places.push(...own)
      return own !== undefined
    })
    if (isComplete) return places
  }
  return undefined
}
