import type { StoredRecord, Value } from '../base/value.js'
import { fieldOf } from './field-path.js'
import type { Comparison, Condition, Filter, Scalar } from './filter.js'

/** Whether `record` matches. Logic is two-valued: each condition holds or does not, and `not` is its plain opposite. */
export function matches(filter: Filter, record: StoredRecord): boolean {
  const { conditions } = filter
  for (let i = 0; i < conditions.length; i++) {
    const condition = conditions[i] as Condition
    // Scans and read sets are mostly this: it has to cost little more than the look at the field.
    if (condition.op === 'eq' && condition.value !== null) {
      const { path, value } = condition
      const found = record[path]
      // A field that has the value has it as its own: nothing inherited is a scalar.
      if (found === value) continue
      if (found !== undefined || !path.includes('.') || fieldOf(record, path) !== value) return false
    } else if (!holds(condition, record)) return false
  }
  return true
}

function holds(condition: Condition, record: StoredRecord): boolean {
  if (condition.op === 'or') {
    for (const filter of condition.filters) if (matches(filter, record)) return true
    return false
  }
  if (condition.op === 'not') return !matches(condition.filter, record)
  return compares(condition, fieldOf(record, condition.path))
}

function compares(condition: Comparison, found: Value | undefined): boolean {
  const { op, value } = condition
  // Only these three have something to say about what is missing.
  if (op === 'eq') return (found ?? null) === value
  if (op === 'exists') return (found != null) === value
  if (op === 'in') return setOf(value).has((found ?? null) as Scalar | null)
  if (found == null) return false
  switch (op) {
    case 'ne':
      return found !== value
    case 'notIn':
      return !setOf(value).has(found as Scalar)
    case 'gt':
      return typeof found === typeof value && found > value
    case 'gte':
      return typeof found === typeof value && found >= value
    case 'lt':
      return typeof found === typeof value && found < value
    case 'lte':
      return typeof found === typeof value && found <= value
    case 'between':
      return isBetween(found, value)
    case 'has':
      return Array.isArray(found) && found.includes(value)
    default:
      return typeof found === 'string' && comparesText(op, value as string, found)
  }
}

function isBetween(found: Value, [from, to]: readonly [Scalar, Scalar]): boolean {
  const isSameType = typeof found === typeof from && typeof found === typeof to
  return isSameType && (found as Scalar) >= from && (found as Scalar) <= to
}

function comparesText(op: 'startsWith' | 'endsWith' | 'contains' | 'like', value: string, found: string): boolean {
  if (op === 'startsWith') return found.startsWith(value)
  if (op === 'endsWith') return found.endsWith(value)
  return op === 'contains' ? found.includes(value) : isLike(found, value)
}

const sets = new WeakMap<readonly (Scalar | null)[], ReadonlySet<Scalar | null>>()

/** The items of a list, to look things up in. */
function setOf(list: readonly (Scalar | null)[]): ReadonlySet<Scalar | null> {
  let set = sets.get(list)
  if (set === undefined) {
    // A set finds NaN, which equals nothing.
    set = new Set(list.filter((one) => !Number.isNaN(one)))
    sets.set(list, set)
  }
  return set
}

/**
 * Whether `text` is like `pattern`: `%` stands for any characters, `_` for one (a UTF-16 code unit), and `\` before a character
 * means the character itself. At most one step per pair of characters, whatever the pattern.
 */
export function isLike(text: string, pattern: string): boolean {
  let at = 0
  let p = 0
  let star = -1
  let starAt = 0
  while (at < text.length) {
    const char = pattern[p]
    const isEscape = char === '\\' && p + 1 < pattern.length
    if (char === '%') {
      star = p++
      starAt = at
    } else if (isEscape ? pattern[p + 1] === text[at] : char === '_' || char === text[at]) {
      p += isEscape ? 2 : 1
      at++
    } else if (star >= 0) {
      // The last % takes one character more.
      p = star + 1
      at = ++starAt
    } else return false
  }
  while (pattern[p] === '%') p++
  return p >= pattern.length
}
