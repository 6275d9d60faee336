import { chainAfter, checksum, checksumBytes } from '../base/checksum.js'
import type { SqliteAdapter } from '../sqlite/port.js'
import { kynetaRow, metaOfKyneta, plainBytes, recordOfKyneta } from './kyneta-rows.js'
import type { SqliteStreams } from './sqlite-backend.js'
import { KEY, keyOf } from './sqlite-ids.js'
import { quoteTable } from './sqlite-names.js'
import { PageReader, type PageRow } from './sqlite-page.js'
import type { EntriesToAppend, PlacedRecord, StreamHead, StreamPage, StreamWrite } from './stream-backend.js'

interface Row extends PageRow {
  readonly kind: unknown
  readonly payload: unknown
  readonly blob: unknown
}

/** So much of the beginning and the end of a large record is looked at to tell it from others. */
const TRACE_LENGTH = 2_000

/** Where a page ended. There is nothing in this format that says whether a stream was cleared, but its own records. */
interface Mark {
  /** Seq of the first record of the stream. */
  readonly seqFirst: number
  /** Its last record, or, where that is large, the trace of it. */
  readonly last: Row | number
}

/** Streams in the tables of kyneta, 1.6 (two of them) and 2.x or 3.x (three). */
export class KynetaStreams implements SqliteStreams {
  readonly docs: string
  readonly isDoc = ''
  readonly statsSql: string
  readonly #adapter: SqliteAdapter
  readonly #pages: PageReader<Row>
  readonly #sql: Readonly<Record<'head' | 'append' | 'insert' | 'clear' | 'upsert' | 'remove', string>>

  /** @param docMeta the name of the index of what is known. @param sizeOf SQL for the number of bytes of a column. */
  constructor(adapter: SqliteAdapter, docMeta: string, records: string, sizeOf: (column: string) => string) {
    this.#adapter = adapter
    const [docs, rows] = [quoteTable(docMeta), quoteTable(records)]
    this.docs = docs
    this.#pages = new PageReader(adapter, rows, ['kind', 'payload', 'blob'], ['payload', 'blob'], sizeOf)
    const size = `ifnull(${sizeOf('payload')}, 0) + ifnull(${sizeOf('blob')}, 0)`
    this.statsSql = `SELECT (SELECT count(*) FROM ${docs}) AS docs, count(*) AS records, sum(${size}) AS bytes FROM ${rows}`
    this.#sql = {
      head: `SELECT (SELECT data FROM ${docs} WHERE doc_id = ${KEY}) AS data, (SELECT max(seq) FROM ${rows} WHERE doc_id = ${KEY}) AS seq`,
      // One statement finds the place, sees that the document exists (NOT NULL) and writes: it needs no transaction of its own.
      // Asked by SELECT instead of VALUES it would take a temporary table, and three times as long.
      append:
        `INSERT INTO ${rows} (doc_id, seq, kind, payload, blob) VALUES ((SELECT doc_id FROM ${docs} WHERE doc_id = ${KEY}), ` +
        `ifnull((SELECT seq FROM ${rows} WHERE doc_id = ${KEY} ORDER BY seq DESC LIMIT 1), -1) + 1, 'entry', ?, ?)`,
      insert: `INSERT INTO ${rows} (doc_id, seq, kind, payload, blob) VALUES (${KEY}, ?, ?, ?, ?)`,
      clear: `DELETE FROM ${rows} WHERE doc_id = ${KEY}`,
      upsert: `INSERT OR REPLACE INTO ${docs} (doc_id, data) VALUES (${KEY}, ?)`,
      remove: `DELETE FROM ${docs} WHERE doc_id = ${KEY}`,
    }
  }

  head(id: string): StreamHead {
    const key = keyOf(id)
    const [row] = [...this.#adapter.iterate<{ data: unknown; seq: number | null }>(this.#sql.head, key, key)]
    const data = row?.data ?? null
    const seqNext = row?.seq == null ? 0 : Number(row.seq) + 1
    return { meta: data === null ? null : metaOfKyneta(id, data), seqNext }
  }

  append({ id, records }: EntriesToAppend): boolean {
    const key = keyOf(id)
    for (const record of records) {
      const { payload, blob } = kynetaRow(record)
      try {
        this.#adapter.exec(this.#sql.append, key, key, payload, blob)
      } catch (error) {
        // Of all that can be wrong this is the one that a caller can do something about.
        if (this.head(id).meta === null) return false
        throw error
      }
    }
    return true
  }

  isLarge({ records }: EntriesToAppend): boolean {
    return records.length > 1
  }

  write({ id, clear, meta, records }: StreamWrite): void {
    const key = keyOf(id)
    if (clear) this.#adapter.exec(this.#sql.clear, key)
    if (meta === null) this.#adapter.exec(this.#sql.remove, key)
    else if (meta !== undefined) this.#adapter.exec(this.#sql.upsert, key, JSON.stringify(meta))
    for (const { seq, record } of records) {
      const { kind, payload, blob } = kynetaRow(record)
      this.#adapter.exec(this.#sql.insert, key, seq, kind, payload, blob)
    }
  }

  page(id: string, after: number, limit: number, mark: unknown): StreamPage | undefined {
    const key = keyOf(id)
    const before = mark as Mark | undefined
    const { rows, more } = this.#pages.read(
      key,
      before === undefined ? after : after - 1,
      before === undefined ? limit : limit + 1,
    )
    if (before !== undefined) {
      const [again] = rows
      if (again === undefined || Number(again.seqFirst) !== before.seqFirst || !isTraced(again, before.last))
        return undefined
    }
    const fresh = before === undefined ? rows : rows.slice(1)
    const records = fresh.map(({ seq, kind, payload, blob }): PlacedRecord => {
      return { seq: Number(seq), record: recordOfKyneta(id, Number(seq), kind, payload, blob) }
    })
    const last = rows.at(-1)
    if (last === undefined) return { records, more: false, mark: undefined }
    const seqFirst = Number(last.seqFirst)
    return { records, more, mark: { seqFirst, last: isSmall(last) ? last : traceOf(last) } satisfies Mark, seqFirst }
  }
}

/** Most marks are never looked at, so the trace of a small record is made when one is. */
function isSmall({ payload, blob }: Row): boolean {
  return String(payload).length <= TRACE_LENGTH && blob === null
}

function isTraced(row: Row, before: Row | number): boolean {
  return traceOf(row) === (typeof before === 'number' ? before : traceOf(before))
}

/** Tells a row from others: by its seq, its sizes, and what it begins and ends with. */
function traceOf({ seq, kind, payload, blob }: Row): number {
  const text = String(payload)
  const bytes = blob === null ? undefined : plainBytes(blob)
  const parts = [text.slice(0, TRACE_LENGTH), text.slice(-TRACE_LENGTH), text.length, String(kind), String(seq)]
  const sum = checksum(parts.join())
  if (bytes === undefined) return sum
  const [start, end] = [checksumBytes(bytes.subarray(0, TRACE_LENGTH)), checksumBytes(bytes.subarray(-TRACE_LENGTH))]
  return chainAfter(chainAfter(chainAfter(sum, start), end), bytes.length)
}
