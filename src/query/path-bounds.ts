import type { Value } from '../base/value.js'
import { compareValues } from '../base/value-order.js'
import type { IndexValue } from '../state/field-index.js'
import { isIndexable } from '../state/field-index.js'
import { endsOf, valuesOf } from './condition-bounds.js'
import type { End } from './condition-bounds.js'
import type { Comparison, Condition } from './filter.js'

/** A run of values in the total order of values (`compareValues`). */
export interface Interval {
  /** Whether `value` comes before the run. */
  isBelow(value: Value | undefined): boolean
  /** Whether `value` comes after it. */
  isAbove(value: Value | undefined): boolean
}

/** What the conditions of a filter, all of which have to hold, say about one field, in a form that indexes can use. */
export interface PathBounds {
  /** The field is one of these: what `by` says, and nothing else. */
  values?: { readonly list: readonly IndexValue[]; readonly by: Condition }
  /** The field is in this run: what all of `by` say together, and nothing else. */
  interval?: (Interval & { readonly by: readonly Condition[] }) | undefined
}

/** An end, and the condition that it comes from. */
type EndBy = End & { readonly by: Condition }

/** Where a run of values of one type begins and ends. */
interface Ends {
  low?: EndBy | undefined
  high?: EndBy | undefined
}

const NONE: ReadonlyMap<string, PathBounds> = new Map()

/** The bounds of each field that the conditions speak of. What indexes cannot use is not in it. */
export function pathBounds(conditions: readonly Condition[]): ReadonlyMap<string, PathBounds> {
  if (conditions.length === 0) return NONE
  const found = new Map<string, PathBounds>()
  const ends = new Map<string, Ends>()
  for (const condition of conditions) {
    if (condition.op === 'or' || condition.op === 'not') continue
    const bounds = found.get(condition.path) ?? {}
    found.set(condition.path, bounds)
    const list = indexValuesOf(condition)
    if (list !== undefined) bounds.values ??= { list, by: condition }
    else bounds.interval ??= wholeInterval(condition)
    const pair = ends.get(condition.path) ?? {}
    ends.set(condition.path, pair)
    addEnds(pair, condition)
  }
  for (const [path, { low, high }] of ends) {
    const bounds = found.get(path) as PathBounds
    const either = low ?? high
    if (bounds.interval === undefined && either !== undefined)
      bounds.interval = between(rankOf(either.value), low, high)
  }
  return found
}

function indexValuesOf(condition: Comparison): readonly IndexValue[] | undefined {
  const list = valuesOf(condition)
  if (list?.every(isIndexable) !== true) return undefined
  // Nothing equals NaN, and it has no place in any order.
  return [...new Set(list)].filter((one) => !Number.isNaN(one))
}

/** Conditions that are a run by themselves: what is null or missing comes before everything else. */
function wholeInterval(condition: Comparison): PathBounds['interval'] {
  const { op, value } = condition
  const by = [condition]
  const isNull = (op === 'eq' && value === null) || (op === 'exists' && value === false)
  if (isNull) return { by, isBelow: () => false, isAbove: (one) => one != null }
  const isThere = (op === 'ne' && value === null) || (op === 'exists' && value === true)
  if (isThere) return { by, isBelow: (one) => one == null, isAbove: () => false }
  if (op !== 'startsWith') return undefined
  const prefix = value
  const isAfter = (one: Value | undefined): boolean => compareValues(one, prefix) > 0
  return {
    by,
    isBelow: (one) => compareValues(one, prefix) < 0,
    isAbove: (one) => isAfter(one) && !(typeof one === 'string' && one.startsWith(prefix)),
  }
}

/** Makes the run shorter, where the condition's ends are of its type and not there yet. */
function addEnds(run: Ends, by: Comparison): void {
  const ends = endsOf(by)
  if (ends === undefined) return
  const [low, high] = ends
  const known = run.low ?? run.high
  const added = low ?? high
  if (known !== undefined && ((low !== undefined && high !== undefined) || typeof known.value !== typeof added?.value))
    return
  if (low !== undefined) run.low ??= { ...low, by }
  if (high !== undefined) run.high ??= { ...high, by }
}

const RANK: { readonly [type: string]: number } = { undefined: 0, boolean: 1, number: 2, string: 3, object: 4 }
const rankOf = (value: Value | undefined): number => (value === null ? 0 : (RANK[typeof value] as number))

/** A missing end is where the values of the other end's type begin or end. */
function between(rank: number, low: EndBy | undefined, high: EndBy | undefined): PathBounds['interval'] {
  const by = [...new Set([low?.by, high?.by].filter((one) => one !== undefined))]
  return {
    by,
    isBelow: (one) => {
      if (low === undefined) return rankOf(one) < rank
      const order = compareValues(one, low.value)
      return order < 0 || (order === 0 && low.isOpen)
    },
    isAbove: (one) => {
      if (high === undefined) return rankOf(one) > rank
      const order = compareValues(one, high.value)
      return order > 0 || (order === 0 && high.isOpen)
    },
  }
}
