import type { SqliteBind } from '../sqlite/binding.js'
import { compareIds, idAfterPrefix, unfitAt } from './id-order.js'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * What stands for `id` in a `doc_id` column: the text itself, as kyneta has it; bytes (generalised UTF-8) where it holds
 * NUL or half a surrogate pair, which texts of SQLite cannot hold on every binding. A BLOB is never equal to a TEXT, so ids
 * keep apart, and prefixes stay prefixes.
 *
 * Source: https://sqlite.org/nulinstr.html, https://simonsapin.github.io/wtf-8/
 */
export function keyOf(id: string): string | Uint8Array {
  return unfitAt(id) === -1 ? id : bytesOf(id)
}

/** The id that `key` stands for. */
export function idOf(key: unknown): string {
  if (typeof key === 'string') return key
  const bytes = key instanceof ArrayBuffer ? new Uint8Array(key) : (key as Uint8Array)
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

/** The ids after `after` that begin with `prefix`, among those that are texts; `undefined`: there can be none. */
export function textRange(prefix: string, after: string | undefined): KeyRange | undefined {
  if (unfitAt(prefix) !== -1) return undefined
  const binds: SqliteBind[] = []
  const conditions: string[] = []
  if (after !== undefined && compareIds(after, prefix) >= 0) {
    const at = unfitAt(after)
    conditions.push(at === -1 ? 'doc_id > ?' : 'doc_id >= ?')
    binds.push(at === -1 ? after : textAfter(after, at))
  } else {
    conditions.push('doc_id >= ?')
    binds.push(prefix)
  }
  const end = idAfterPrefix(prefix)
  // All texts come before all BLOBs.
  conditions.push(end === undefined ? "doc_id < x''" : 'doc_id < ?')
  if (end !== undefined) binds.push(end)
  return { where: conditions.join(' AND '), binds }
}

/** The same among those that are bytes. */
export function bytesRange(prefix: string, after: string | undefined): KeyRange {
  const binds: SqliteBind[] = []
  const conditions: string[] = []
  const isAfter = after !== undefined && compareIds(after, prefix) >= 0
  const from = bytesOf(isAfter ? after : prefix)
  if (from.length === 0) conditions.push("doc_id >= x''")
  else {
    conditions.push(isAfter ? 'doc_id > ?' : 'doc_id >= ?')
    binds.push(from)
  }
  const end = bytesAfter(bytesOf(prefix))
  if (end !== undefined) {
    conditions.push('doc_id < ?')
    binds.push(end)
  }
  return { where: conditions.join(' AND '), binds }
}

/** The first text that can be after `id`, which cannot be a text itself from `at` on. */
export function textAfter(id: string, at: number): string {
  return id.slice(0, at) + (id[at] === '\0' ? '\u0001' : '\ue000')
}

/** The first bytes after all that begin with `bytes`; `undefined`: there are none. */
function bytesAfter(bytes: Uint8Array): Uint8Array | undefined {
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
