import { asError, InvalidArgumentError } from '../base/errors.js'
import { stringify } from '../base/json.js'
import type { StoredRecord, Value } from '../base/value.js'
import type { Slot } from '../state/slot.js'
import { fieldOf } from './field-path.js'
import type { OrderTerm } from './order.js'

/**
 * A place in an ordered result, as text: what the order looks at, and the ordinal. It stays exact when its record is
 * changed or deleted, because it says where the record stood, not which one it was.
 */
export function cursorAt({ ordinal, record }: Slot, order: readonly OrderTerm[]): string {
  const values = order.map(({ path }) => fieldOf(record, path) ?? null)
  return toBase64(stringify([textOf(order), ordinal, ...values]))
}

/**
 * The place that `cursor` stands for, as a slot that compares as its record did.
 *
 * @throws {InvalidArgumentError} it is no cursor, or one of a query in another order.
 */
export function slotAt(cursor: unknown, order: readonly OrderTerm[], argument: string): Slot {
  const expected = 'a nextCursor or prevCursor of the same query'
  if (typeof cursor !== 'string') throw new InvalidArgumentError(argument, expected, cursor)
  const parts = parse(cursor, argument, expected)
  const [text, ordinal, ...values] = parts
  const isOurs = Number.isSafeInteger(ordinal) && values.length === order.length
  if (text !== textOf(order) || !isOurs) throw new InvalidArgumentError(argument, expected, cursor)
  return { ordinal: ordinal as number, record: place(order, values) }
}

function parse(cursor: string, argument: string, expected: string): Value[] {
  try {
    const parts: unknown = JSON.parse(fromBase64(cursor))
    if (Array.isArray(parts)) return parts as Value[]
  } catch (thrown) {
    const argumentAndCause = `${argument}: it cannot be read: ${asError(thrown).message}`
    throw new InvalidArgumentError(argumentAndCause, expected, cursor)
  }
  throw new InvalidArgumentError(argument, expected, cursor)
}

function textOf(order: readonly OrderTerm[]): string {
  return order.map(({ path, isDescending }) => (isDescending ? '-' : '+') + path).join()
}

/** A record that has `values` at the paths of the order. A field of that very name is found before a nested one. */
function place(order: readonly OrderTerm[], values: readonly Value[]): StoredRecord {
  return Object.fromEntries(order.map(({ path }, at) => [path, values[at] as Value]))
}

function toBase64(text: string): string {
  const bytes = new TextEncoder().encode(text)
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

function fromBase64(text: string): string {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(binary, (one) => one.charCodeAt(0)))
}
