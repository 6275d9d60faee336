import { chainAfter, checksum, checksumBytes } from '../base/checksum.js'
import { unfitAt } from './id-order.js'
import { damaged, metaOfKyneta, plainBytes } from './kyneta-rows.js'
import type { StreamPayload, StreamRecord } from './record.js'

type Data = string | Uint8Array

/** A record as Varve keeps it: `head` is JSON and says what `data` is; a large `data` is in several parts. */
export interface OwnRow {
  readonly kind: 'meta' | 'entry'
  readonly head: string
  /** At least one; text or bytes, as the whole is. */
  readonly parts: readonly Data[]
  /** Characters or bytes of all parts, and of `head`. */
  readonly size: number
  /** Of kind, head and data: 53 bits, see `checksum`. */
  readonly sum: number
}

interface Head {
  readonly kind: StreamPayload['kind']
  readonly encoding: StreamPayload['encoding']
  readonly version: string
  readonly lineage?: string
  /** True: data is the JSON of a text that SQLite cannot hold as it is. */
  readonly escaped?: boolean
}

/** Durable Objects take no rows beyond 2 MB. A character is up to three bytes. */
const PART_BYTES_MAX = 1_000_000
const PART_LENGTH_MAX = 330_000

/** Larger than this, `data` is in several parts, which makes appending it more than one statement. */
export function isInParts(record: StreamRecord): boolean {
  if (record.kind === 'meta') return ownRow(record).parts.length > 1
  const { data } = record.payload
  // Escaped, a character is up to six.
  return typeof data === 'string' ? data.length > PART_LENGTH_MAX / 6 : data.length > PART_BYTES_MAX
}

/** The row of a record. */
export function ownRow(record: StreamRecord): OwnRow {
  if (record.kind === 'meta') return rowOf('meta', '', JSON.stringify(record.meta))
  const { kind, encoding, data, lineage } = record.payload
  const escaped = typeof data === 'string' && unfitAt(data) !== -1 ? true : undefined
  // JSON leaves out what is undefined, and escapes whatever SQLite cannot hold.
  const head = JSON.stringify({ kind, encoding, version: record.version, lineage, escaped })
  return rowOf('entry', head, escaped === undefined ? data : JSON.stringify(data))
}

/** The record of a row. @param parts all of them, in order. @throws {StreamDamagedError} it is not what was written. */
export function recordOfOwn(
  id: string,
  seq: number,
  row: { readonly kind: unknown; readonly head: unknown; readonly sum: unknown },
  parts: readonly unknown[],
): StreamRecord {
  const data = joined(id, seq, parts)
  const head = String(row.head)
  const kind = row.kind === 'meta' ? 'meta' : 'entry'
  if (row.kind !== kind || sumOf(kind, head, data) !== Number(row.sum)) {
    throw damaged(id, seq, new Error('its checksum does not fit'))
  }
  if (kind === 'meta') return { kind, meta: metaOfKyneta(id, data) }
  // Field by field: what is left of an object when some are taken out takes four times as long.
  const { kind: part, encoding, version, lineage, escaped } = JSON.parse(head) as Head
  const content = escaped === true ? (JSON.parse(data as string) as string) : data
  const payload =
    lineage === undefined ? { kind: part, encoding, data: content } : { kind: part, encoding, data: content, lineage }
  return { kind, payload, version }
}

function rowOf(kind: OwnRow['kind'], head: string, data: Data): OwnRow {
  return { kind, head, parts: partsOf(data), size: data.length + head.length, sum: sumOf(kind, head, data) }
}

function sumOf(kind: string, head: string, data: Data): number {
  return chainAfter(checksum(`${kind} ${head}`), typeof data === 'string' ? checksum(data) : checksumBytes(data))
}

function partsOf(data: Data): Data[] {
  const parts: Data[] = []
  for (let from = 0; from < data.length || parts.length === 0; ) {
    let to = from + (typeof data === 'string' ? PART_LENGTH_MAX : PART_BYTES_MAX)
    // Not between the halves of a pair.
    if (typeof data === 'string' && /[\ud800-\udbff]/.test(data[to - 1] ?? '')) to--
    parts.push(typeof data === 'string' ? data.slice(from, to) : data.subarray(from, to))
    from = to
  }
  return parts
}

function joined(id: string, seq: number, parts: readonly unknown[]): Data {
  if (parts.every((part) => typeof part === 'string')) return parts.length === 1 ? (parts[0] as string) : parts.join('')
  // Some bindings make NULL of an empty BLOB.
  if (parts.length === 1 && parts[0] === null) return new Uint8Array()
  try {
    const bytes = parts.map(plainBytes)
    const [only] = bytes
    if (bytes.length === 1 && only !== undefined) return only
    const all = new Uint8Array(bytes.reduce((length, part) => length + part.length, 0))
    let at = 0
    for (const part of bytes) {
      all.set(part, at)
      at += part.length
    }
    return all
  } catch (error) {
    throw damaged(id, seq, error)
  }
}
