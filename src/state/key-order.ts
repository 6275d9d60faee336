import type { Key } from '../base/value.js'

const RANK = { boolean: 0, number: 1, string: 2 } as const

/**
 * One total order over all keys, the same on every machine: booleans (false first), then numbers, then strings by
 * UTF-16 code unit.
 */
export function compareKeys(a: Key, b: Key): number {
  const rank = RANK[typeof a as keyof typeof RANK] - RANK[typeof b as keyof typeof RANK]
  if (rank !== 0) return rank
  if (a === b) return 0
  return a < b ? -1 : 1
}
