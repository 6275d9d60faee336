import { asError, InvalidArgumentError } from '../base/errors.js'
import { checksum } from '../base/checksum.js'
import { stringify } from '../base/json.js'
import type { StoredRecord, Value } from '../base/value.js'
import type { Slot } from '../state/slot.js'
import { fieldOf } from './field-path.js'
import { filterText } from './filter.js'
import type { QuerySpec } from './query-spec.js'
import type { OrderTerm } from './order.js'

/**
 * A place in an ordered result, as text: what the order looks at, and the ordinal. It stays exact when its record is
 * changed or deleted, because it says where the record stood, not which one it was.
 */
export function cursorAt({ ordinal, record }: Slot, spec: QuerySpec): string {
  const { order } = spec
  const values = order.map(({ path }) => fieldOf(record, path) ?? null)
  return toBase64(stringify([textOf(spec), ordinal, ...values]))
}

/**
 * The place that `cursor` stands for, as a slot that compares as its record did.
 *
 * @throws {InvalidArgumentError} it is no cursor, or one of another query.
 */
export function slotAt(cursor: unknown, spec: QuerySpec, argument: string): Slot {
  const { order } = spec
  const expected = 'a nextCursor or prevCursor of the same query'
  if (typeof cursor !== 'string') throw new InvalidArgumentError(argument, expected, cursor)
  const parts = parse(cursor, argument, expected)
  const [text, ordinal, ...values] = parts
  const isOurs = Number.isSafeInteger(ordinal) && values.length === order.length
  if (text !== textOf(spec) || !isOurs) throw new InvalidArgumentError(argument, expected, cursor)
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

/** Tells queries apart: a place in the result of one is none in that of another. */
function textOf({ bucket, filter, order }: QuerySpec): number {
  return checksum(
    JSON.stringify([bucket, filterText(filter), order.map(({ path, isDescending }) => [path, isDescending])]),
  )
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
