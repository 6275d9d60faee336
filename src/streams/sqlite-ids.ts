import type { SqliteBind } from '../sqlite/binding.js'
import { compareIds, unfitAt } from './id-order.js'
import { plainBytes } from './kyneta-rows.js'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * What is bound for an id, in SQL. `keyOf` may be bytes, and the column holds text, also with NUL in it, which not every binding
 * can bind or read; half a surrogate pair is text that is no UTF-8, which SQLite compares byte by byte like any other. So ids are
 * as kyneta has them, they keep apart, and their order and their prefixes are those of their bytes.
 *
 * Source: https://sqlite.org/lang_expr.html#castexpr, https://simonsapin.github.io/wtf-8/
 */
export const KEY = 'CAST(? AS TEXT)'

/**
 * The seq after the last of those that are selected, in SQL: 0 where there are none, NULL where the last is no seq.
 *
 * One aggregate, asked for several times: SQLite then looks at the end of the index only.
 */
export const NEXT_SEQ: string =
  "CASE WHEN max(seq) IS NULL THEN 0 WHEN typeof(max(seq)) = 'integer' AND max(seq) BETWEEN 0 AND 9007199254740990 " +
  'THEN max(seq) + 1 END'

/** What stands for `id`, to be bound to `KEY`. */
export function keyOf(id: string): string | Uint8Array {
  return unfitAt(id) === -1 ? id : bytesOf(id)
}

/** The id of which these are the bytes: `CAST(doc_id AS BLOB)`. */
export function idOf(key: unknown): string {
  // Some bindings make NULL of an empty BLOB.
  const bytes = key === null ? new Uint8Array() : plainBytes(key)
  let id = ''
  let from = 0
  // Halves of pairs are ED A0..BF xx; the decoder would put U+FFFD in their place.
  for (let i = 0; i + 2 < bytes.length; i++) {
    if (bytes[i] !== 0xed || (bytes[i + 1] as number) < 0xa0) continue
    const half = 0xd000 | (((bytes[i + 1] as number) & 0x3f) << 6) | ((bytes[i + 2] as number) & 0x3f)
    id += decoder.decode(bytes.subarray(from, i)) + String.fromCharCode(half)
    from = i + 3
    i += 2
  }
  return id + decoder.decode(bytes.subarray(from))
}

/** A condition on `doc_id`, and what is bound to it. */
export interface KeyRange {
  readonly where: string
  readonly binds: readonly SqliteBind[]
}

/** The ids after `after` that begin with `prefix`. */
export function keyRange(prefix: string, after: string | undefined): KeyRange {
  const isAfter = after !== undefined && compareIds(after, prefix) >= 0
  const end = bytesAfter(bytesOf(prefix))
  const from = keyOf(isAfter ? after : prefix)
  const where = `doc_id ${isAfter ? '>' : '>='} ${KEY}`
  return end === undefined ? { where, binds: [from] } : { where: `${where} AND doc_id < ${KEY}`, binds: [from, end] }
}

/** The first bytes after all that begin with `bytes`; `undefined`: there are none. */
export function bytesAfter(bytes: Uint8Array): Uint8Array | undefined {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0xff) end--
  if (end === 0) return undefined
  const after = bytes.slice(0, end)
  after[end - 1] = (after[end - 1] as number) + 1
  return after
}

/** The bytes of `id`: generalised UTF-8, in which halves of pairs stand for themselves. */
export function bytesOf(id: string): Uint8Array {
  const parts: number[] = []
  for (const point of id) {
    const code = point.codePointAt(0) as number
    if (code < 0xd800 || code > 0xdfff) parts.push(...encoder.encode(point))
    else parts.push(0xed, 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f))
  }
  return Uint8Array.from(parts)
}
