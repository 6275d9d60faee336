import { InvalidArgumentError } from '../base/errors.js'
import type { StoredRecord, Value } from '../base/value.js'

const NAMES_MAX = 10_000
const names = new Map<string, readonly string[]>()

/** @param argument how the caller knows it, for errors. @throws {InvalidArgumentError} `path` is no name of a field. */
export function parsePath(path: unknown, argument: string): string {
  if (typeof path === 'string' && path !== '') return path
  throw new InvalidArgumentError(argument, 'the name of a field', path)
}

/** The names that a path goes through. */
function namesIn(path: string): readonly string[] {
  let known = names.get(path)
  if (known === undefined) {
    // Paths come from programs, not from data; but a program may make them from data.
    if (names.size >= NAMES_MAX) names.clear()
    known = path.split('.')
    names.set(path, known)
  }
  return known
}

/**
 * What a record has at `path`: in the field of that very name, else in a nested one (`'address.city'`). Undefined where there
 * is no such field; inherited properties and items of arrays are not fields.
 */
export function fieldOf(record: StoredRecord, path: string): Value | undefined {
  const found = record[path]
  // No field holds undefined, so only what is found has to be looked at for whose it is.
  if (found !== undefined && Object.hasOwn(record, path)) return found
  if (!path.includes('.')) return undefined
  let value: Value | undefined = record
  for (const name of namesIn(path)) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name))
      return undefined
    value = (value as StoredRecord)[name]
  }
  return value
}
