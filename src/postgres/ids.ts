import { InvalidArgumentError } from '../base/errors.js'
import { compareIds, unfitAt } from '../streams/id-order.js'
import { bytesOf, idOf } from '../streams/sqlite-ids.js'

/** What a key begins with that is not the id itself. The last code point: such keys come after all others. */
const MARK = '\u{10ffff}'
/** A key of an index has to fit into a third of a page of 8 KB. */
export const KEY_BYTES_MAX = 2_600

/**
 * What stands for `id` in a `doc_id` column: the text itself, as kyneta has it; where it holds NUL or half a surrogate pair,
 * which no text of PostgreSQL can, or begins like such a key, a mark and the bytes (generalised UTF-8) in hexadecimal digits.
 * So ids keep apart, prefixes stay prefixes, and keys are in the order of the ids' bytes, each kind by itself.
 *
 * @throws {InvalidArgumentError} it is too long. Nothing was done.
 */
export function keyOf(id: string): string {
  const key = isPlain(id) ? id : MARK + hexOf(bytesOf(id))
  // A character has at most three bytes for each of its units.
  if (3 * key.length > KEY_BYTES_MAX && new TextEncoder().encode(key).length > KEY_BYTES_MAX) {
    const limit = `an id of at most ${KEY_BYTES_MAX} bytes (half as many with NUL or half a surrogate pair in it)`
    throw new InvalidArgumentError('postgres stream store(id)', limit, id)
  }
  return key
}

/** The id that `key` stands for. */
export function idOfKey(key: string): string {
  if (!key.startsWith(MARK)) return key
  const hex = key.slice(MARK.length)
  return idOf(Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)))
}

/** Keys from `from` on, without itself when `isAfter`, and before `end`. */
export interface KeyRange {
  readonly from: string
  readonly isAfter: boolean
  readonly end: string | undefined
}

/** The keys of the ids that begin with `prefix` and come after `after`: those that are the ids, and the others. */
export function keyRanges(prefix: string, after: string | undefined): KeyRange[] {
  const start = after !== undefined && compareIds(after, prefix) >= 0 ? after : undefined
  const hex: KeyRange = {
    from: MARK + hexOf(bytesOf(start ?? prefix)),
    isAfter: start !== undefined,
    // No digit is a g.
    end: `${MARK}${hexOf(bytesOf(prefix))}g`,
  }
  if (!isPlain(prefix) || (start !== undefined && start.startsWith(MARK))) return [hex]
  const at = start === undefined ? -1 : unfitAt(start)
  const from = start === undefined ? prefix : at === -1 ? start : textAfter(start, at)
  return [{ from, isAfter: start !== undefined && at === -1, end: idAfterPrefix(prefix) ?? MARK }, hex]
}

/** The first text that can be after `id`, which cannot be a text itself from `at` on. */
function textAfter(id: string, at: number): string {
  return id.slice(0, at) + (id[at] === '\0' ? '\u0001' : '\ue000')
}

/**
 * The first string, of those without lone surrogates, after all that begin with `prefix`, which has none, either;
 * `undefined` where there is none: `prefix` is empty, or nothing but U+10FFFF.
 */
function idAfterPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix)
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const point = last.codePointAt(0) as number
    if (point === 0x10ffff) continue
    return points.join('') + String.fromCodePoint(point === 0xd7ff ? 0xe000 : point + 1)
  }
  return undefined
}

function isPlain(id: string): boolean {
  return unfitAt(id) === -1 && !id.startsWith(MARK)
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
