import { asError, InvalidArgumentError } from '../base/errors.js'
import type { Value } from '../base/value.js'
import type { ValidationIssue } from './errors.js'

/** Deepest nesting of a record, to keep every later walk over it off the end of the stack. */
export const RECORD_DEPTH_MAX = 100

/** Largest record, in characters of its text plus eight for each value; about 16 MB. */
export const RECORD_CHARACTERS_MAX: number = 16 * 1024 * 1024

/** A value of a record before it is frozen. */
export type Draft = string | number | boolean | null | Draft[] | { [field: string]: Draft }

/** What a walk over one record has found so far. */
export interface CopyState {
  readonly issues: ValidationIssue[]
  characters: number
  /** What the first issue is about. */
  refused?: unknown
}

/**
 * Copies `value` to the bottom, so that what the caller does to the original later has no effect. A `Date` becomes its
 * ISO string; an undefined property is left out; -0 becomes 0.
 *
 * @param path of the value within its record, for issues.
 * @returns the copy, or undefined where an issue was added to `state`.
 */
export function copyValue(value: unknown, path: string, state: CopyState, depth = 0): Draft | undefined {
  state.characters += 8
  switch (typeof value) {
    case 'string':
      state.characters += value.length
      return value
    case 'number':
      return Number.isNaN(value) ? refuse(state, path, 'NaN cannot be stored', value) : value + 0
    case 'boolean':
      return value
    case 'object':
      return value === null ? null : copyObject(value, path, state, depth)
    default:
      return refuse(state, path, `A ${typeof value} cannot be stored`, value)
  }
}

function refuse(state: CopyState, field: string, message: string, value: unknown): undefined {
  if (state.issues.length === 0) state.refused = value
  state.issues.push({ field, message, code: 'value' })
}

function copyObject(value: object, path: string, state: CopyState, depth: number): Draft | undefined {
  if (depth >= RECORD_DEPTH_MAX) {
    return refuse(state, path.slice(0, 80), `Nested deeper than ${RECORD_DEPTH_MAX} levels, or contains itself`, value)
  }
  // A walk over shared references can be exponentially longer than what it walks over: stop as soon as it is too much.
  if (state.characters > RECORD_CHARACTERS_MAX) return undefined
  try {
    if (value instanceof Date) return copyDate(value, path, state)
    if (Array.isArray(value)) return copyArray(value, path, state, depth)
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      return refuse(state, path, 'Only plain objects, arrays and dates can be stored', value)
    }
    return copyPlain(value as Record<string, unknown>, path, state, depth)
  } catch (thrown) {
    return refuse(state, path, `Reading it failed: ${asError(thrown).message}`, value)
  }
}

function copyDate(value: Date, path: string, state: CopyState): string | undefined {
  const time = Date.prototype.getTime.call(value)
  return Number.isNaN(time) ? refuse(state, path, 'Invalid date', value) : new Date(time).toISOString()
}

function copyArray(value: readonly unknown[], path: string, state: CopyState, depth: number): Draft[] {
  const copy: Draft[] = []
  for (let i = 0; i < value.length && state.characters <= RECORD_CHARACTERS_MAX; i++) {
    const item = copyValue(value[i], `${path}[${i}]`, state, depth + 1)
    if (item !== undefined) copy.push(item)
    else if (state.issues.length > 0) return copy
  }
  return copy
}

function copyPlain(value: Record<string, unknown>, path: string, state: CopyState, depth: number): Draft {
  const copy: { [field: string]: Draft } = {}
  if (Object.getOwnPropertySymbols(value).length > 0)
    refuse(state, path, 'A property with a symbol for a name cannot be stored', value)
  for (const name of Object.keys(value)) {
    if (name === '__proto__') {
      refuse(state, path, 'A property named "__proto__" cannot be stored', value)
      continue
    }
    const property = value[name]
    if (property === undefined) continue
    state.characters += name.length
    const item = copyValue(property, `${path}.${name}`, state, depth + 1)
    if (item !== undefined) copy[name] = item
    else if (state.characters > RECORD_CHARACTERS_MAX) return copy
  }
  return copy
}

/**
 * A frozen copy of a plain object that the log is to keep.
 *
 * @param where the argument that it was given as, for the error.
 * @throws {InvalidArgumentError} it is none, or something in it cannot be stored; the message names the path.
 */
export function copyPlainObject(where: string, value: unknown): { readonly [field: string]: Value } {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Date) {
    throw new InvalidArgumentError(where, 'a plain object', value)
  }
  const state: CopyState = { issues: [], characters: 0 }
  const copy = copyValue(value, where, state)
  const issue = state.issues[0]
  if (issue !== undefined)
    throw new InvalidArgumentError(issue.field, `what can be stored (${issue.message})`, state.refused)
  if (state.characters > RECORD_CHARACTERS_MAX || copy === undefined) {
    throw new InvalidArgumentError(where, `at most ${RECORD_CHARACTERS_MAX} characters`, value)
  }
  return deepFreeze(copy as { readonly [field: string]: Value })
}

/** Freezes `value` and everything in it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    for (const item of Object.values(value)) deepFreeze(item)
    Object.freeze(value)
  }
  return value
}
