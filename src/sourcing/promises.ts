import { InvalidArgumentError } from '../base/errors.js'
import { quietly } from '../base/quietly.js'
import type { EventData } from '../log/entry.js'
import { copyPlainObject } from '../schema/copy-value.js'

/** Deeper than anything that a handler returns has a promise that somebody may have meant. */
const DEPTH_MAX = 10

/**
 * Nobody waits for the promises in `value`, because it was refused: without this, one that rejects would end the program, and the
 * error that says what is wrong would not be seen.
 */
export function disown(value: unknown, depth = 0, seen: Set<object> = new Set()): void {
  if (typeof value !== 'object' || value === null || depth > DEPTH_MAX || seen.has(value)) return
  seen.add(value)
  // A proxy or a getter may throw; then there is nothing to disown.
  quietly(() => {
    if (value instanceof Promise) {
      // Whoever has refused `value` throws what is wrong.
      value.catch(() => undefined)
      return
    }
    for (const item of Object.values(value)) disown(item, depth + 1, seen)
  })
}

/** A frozen copy of what somebody gave as data. @throws {InvalidArgumentError} as `copyPlainObject`. */
export function copyData(where: string, value: unknown): EventData {
  try {
    return copyPlainObject(where, value)
  } catch (error) {
    disown(value)
    throw error
  }
}

/** `value`, which is no promise. @throws {InvalidArgumentError} */
export function mustNotWait<T>(what: string, value: T): T {
  if (!(value instanceof Promise)) return value
  disown(value)
  throw new InvalidArgumentError(what, 'no promise (only transact may wait)', value)
}
