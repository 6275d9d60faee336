import { quietly } from './quietly.js'

/** How deep a value may be: deeper ones, and those that contain themselves, have no text. */
const DEPTH_MAX = 64

/**
 * The same text for values that `deepEqual` finds the same, and different texts for others, to share what is kept for them:
 * primitives, dates, arrays and plain objects, whose fields may be in any order.
 *
 * @returns undefined for anything else, which only identity tells apart: functions, symbols, maps, instances of classes, values
 *   that contain themselves, and objects whose reading fails.
 */
export function stableText(value: unknown): string | undefined {
  const parts: string[] = []
  // A getter or a proxy may throw: whoever reads the value next is told so.
  return quietly(() => write(value, parts, 0)) === true ? parts.join('') : undefined
}

function write(value: unknown, parts: string[], depth: number): boolean {
  if (depth > DEPTH_MAX) return false
  switch (typeof value) {
    case 'string':
      parts.push(JSON.stringify(value))
      return true
    case 'number':
      // -0 and 0 are the same to a reader; NaN and the infinities are not null.
      parts.push(value === 0 ? '0' : String(value))
      return true
    case 'boolean':
    case 'undefined':
      parts.push(String(value))
      return true
    case 'bigint':
      parts.push(`${value}n`)
      return true
    case 'object':
      return value === null ? parts.push('null') > 0 : writeObject(value, parts, depth)
    default:
      return false
  }
}

function writeObject(value: object, parts: string[], depth: number): boolean {
  if (Array.isArray(value)) {
    parts.push('[')
    for (const item of value as unknown[]) {
      if (!write(item, parts, depth + 1)) return false
      parts.push(',')
    }
    parts.push(']')
    return true
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Date.prototype) {
    parts.push(`d${(value as Date).getTime()}`)
    return true
  }
  if (prototype !== Object.prototype && prototype !== null) return false
  if (Object.getOwnPropertySymbols(value).length > 0) return false
  parts.push('{')
  for (const name of Object.keys(value).sort()) {
    parts.push(JSON.stringify(name), ':')
    if (!write((value as Record<string, unknown>)[name], parts, depth + 1)) return false
    parts.push(',')
  }
  parts.push('}')
  return true
}
