import { kynetaRow, metaOfKyneta } from '../streams/kyneta-rows.js'
import type { StreamMeta, StreamRecord } from '../streams/record.js'

/** One statement of several rows has no more than this of them; it takes 65,535 values at most. */
const ROWS_MAX = 2_000
const BYTES_MAX = 16 * 1_024 * 1_024

/** A row of the table of records. */
export interface RecordRow {
  readonly key: string
  readonly seq: number
  readonly kind: string
  readonly payload: string
  readonly blob: Uint8Array | null
}

/** The row of a record. Its text is JSON, in which NUL and halves of pairs are escaped, so that PostgreSQL takes it. */
export function rowOf(key: string, seq: number, record: StreamRecord): RecordRow {
  return { key, seq, ...kynetaRow(record) }
}

/** Rows in parts that are each one statement. */
export function inChunks(rows: readonly RecordRow[]): RecordRow[][] {
  const chunks: RecordRow[][] = []
  let bytes = Infinity
  for (const row of rows) {
    const size = row.payload.length + (row.blob?.length ?? 0)
    const last = chunks.at(-1)
    if (last === undefined || last.length >= ROWS_MAX || bytes + size > BYTES_MAX) {
      chunks.push([row])
      bytes = size
    } else {
      last.push(row)
      bytes += size
    }
  }
  return chunks
}

/** `(…), (…)` with a place for each value. @param types of a row's values. */
export function valuesSql(types: readonly string[], rows: number): string {
  const lines: string[] = []
  for (let row = 0, n = 1; row < rows; row++) lines.push(`(${types.map((type) => `$${n++}::${type}`).join(', ')})`)
  return lines.join(', ')
}

/** Text of a meta for a column of type JSONB, which takes neither NUL nor halves of pairs: then the text in a text. */
export function jsonbOf(meta: StreamMeta): string {
  const json = JSON.stringify(meta)
  return /\\u(0000|d[89a-f])/.test(json) ? JSON.stringify({ varve: json }) : json
}

/** The meta that a column of type JSONB has, given as text. @throws {StreamDamagedError} */
export function metaOfJsonb(id: string, text: unknown): StreamMeta {
  const match = typeof text === 'string' && text.startsWith('{"varve":')
  return metaOfKyneta(id, match ? (JSON.parse(text) as { readonly varve: unknown }).varve : text)
}
