import type { Value } from './value.js'

/** Missing and null, booleans, numbers, strings, arrays, objects. */
function rankOf(value: Value | undefined): number {
  switch (typeof value) {
    case 'undefined':
      return 0
    case 'boolean':
      return 1
    case 'number':
      return 2
    case 'string':
      return 3
    default:
      return value === null ? 0 : Array.isArray(value) ? 4 : 5
  }
}

/**
 * One total order over all values of records, the same on every machine: missing and null first, which have the same
 * place, then false and true, numbers, strings by UTF-16 code unit, arrays item by item, and objects by their fields'
 * names in order and then the values. For keys it is the order of `compareKeys`.
 *
 * @returns negative when `a` comes first, 0 when they have the same place.
 */
export function compareValues(a: Value | undefined, b: Value | undefined): number {
  if (a === b) return 0
  const rank = rankOf(a)
  const difference = rank - rankOf(b)
  if (difference !== 0 || rank === 0) return difference
  if (rank === 4) return compareArrays(a as readonly Value[], b as readonly Value[])
  if (rank === 5) return compareObjects(a as Fields, b as Fields)
  return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0
}

interface Fields {
  readonly [field: string]: Value
}

function compareArrays(a: readonly Value[], b: readonly Value[]): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const order = compareValues(a[i], b[i])
    if (order !== 0) return order
  }
  return a.length - b.length
}

function compareObjects(a: Fields, b: Fields): number {
  const names = Object.keys(a).sort()
  return (
    compareArrays(names, Object.keys(b).sort()) ||
    compareArrays(
      names.map((name) => a[name] as Value),
      names.map((name) => b[name] as Value),
    )
  )
}
