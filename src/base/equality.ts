/**
 * Whether two query results are the same to a reader: primitives by value (NaN equals NaN), dates by time, regular
 * expressions by source, arrays, plain objects, maps and sets by content; anything else by identity. A key that holds
 * undefined differs from one that is missing. Values that contain themselves are not supported.
 */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b || (a !== a && b !== b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && equalItems(a, b as unknown[])
  const prototype: unknown = Object.getPrototypeOf(a)
  if (prototype !== Object.getPrototypeOf(b)) return isPlain(a) && isPlain(b) && equalProperties(a, b)
  if (a instanceof Date) return Object.is(a.getTime(), (b as Date).getTime())
  if (a instanceof RegExp) return String(a) === String(b)
  if (a instanceof Map) return equalMaps(a, b as Map<unknown, unknown>)
  if (a instanceof Set)
    return a.size === (b as Set<unknown>).size && [...a].every((item) => (b as Set<unknown>).has(item))
  return isPlain(a) && equalProperties(a, b)
}

/**
 * `value` as it is now, to be compared with later: plain objects, arrays, dates, maps and sets are copied as far down as
 * they can change, which is to say, down to records.
 *
 * @param before what was remembered last: items of lists that are still the same need not be looked at.
 */
export function remember(value: unknown, before?: unknown): unknown {
  if (typeof value !== 'object' || value === null || isRecord(value)) return value
  if (Array.isArray(value)) {
    const known: readonly unknown[] = Array.isArray(before) ? before : []
    // What can change is remembered as a copy, which nobody else has: what is there again cannot change.
    return value.map((item, at) => (item === known[at] ? item : remember(item)))
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Date.prototype) return new Date(value as Date)
  if (prototype === Map.prototype) {
    return new Map([...(value as Map<unknown, unknown>)].map(([key, item]) => [key, remember(item)]))
  }
  if (prototype === Set.prototype) return new Set(value as Set<unknown>)
  if (!isPlain(value)) return value
  const copy: Record<string, unknown> = { ...value }
  for (const name of Object.keys(copy)) copy[name] = remember(copy[name])
  return copy
}

/** Records are frozen to the bottom; what looks like one may be so at the top only. */
function isRecord(value: object): boolean {
  return Object.hasOwn(value, '_version') && isFrozen(value)
}

function isFrozen(value: object): boolean {
  if (!Object.isFrozen(value)) return false
  for (const name in value) {
    const item = (value as Record<string, unknown>)[name]
    if (typeof item === 'object' && item !== null && !isFrozen(item)) return false
  }
  return true
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

function equalProperties(a: object, b: object): boolean {
  const names = Object.keys(a)
  if (names.length !== Object.keys(b).length) return false
  return names.every(
    (name) =>
      Object.hasOwn(b, name) && deepEqual((a as Record<string, unknown>)[name], (b as Record<string, unknown>)[name]),
  )
}

function equalItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i] && !deepEqual(a[i], b[i])) return false
  return true
}

function equalMaps(a: Map<unknown, unknown>, b: Map<unknown, unknown>): boolean {
  if (a.size !== b.size) return false
  for (const [key, value] of a) if (!b.has(key) || !deepEqual(value, b.get(key))) return false
  return true
}
