import { chainAfter, checksum, checksumBytes } from '../base/checksum.js'
import type { SqliteAdapter } from '../sqlite/port.js'
import { StreamDamagedError } from './errors.js'
import { headOf, kynetaRow, plainBytes, recordOfKyneta, seqOf, traceAfter } from './kyneta-rows.js'
import type { StreamRecord } from './record.js'
import type { SqliteStreams } from './sqlite-backend.js'
import { KEY, keyOf, NEXT_SEQ } from './sqlite-ids.js'
import { quoteTable } from './sqlite-names.js'
import { PageReader, type PageRow, recordsOf } from './sqlite-page.js'
import type { EntriesToAppend, PlacedRecord, ReadState, StreamHead, StreamPage, StreamWrite } from './stream-backend.js'

interface Row extends PageRow {
  readonly kind: unknown
  readonly payload: unknown
  readonly blob: unknown
}

/** So much of the beginning and the end of a large record is looked at to tell it from others. */
const TRACE_LENGTH = 2_000

/** Records that are read at a time to find out whether a stream is still what somebody has read. */
const PAGE_RECORDS_MAX = 10_000

/**
 * What a stream was like up to a place. There is nothing in this format that says whether a stream was cleared, but its own
 * records.
 */
interface Mark {
  /** It is the last record at or before this seq that counts. */
  readonly at: number
  /** Seq of the first record of the stream; -1: there is none at or before the place. */
  readonly seqFirst: number
  /** That record, or, where that is large, the trace of it. */
  readonly last: Row | number
}

/** What there is at one place of a stream, in one state. */
interface Sight extends Ends {
  readonly seqFirst: unknown
  /** Seq of a record beyond; `null`: there is none. */
  readonly beyond: unknown
}

/** So much of a record as tells it from others; all of it is `null` where there is none. */
interface Ends {
  readonly seq: unknown
  readonly kind: unknown
  readonly start: unknown
  readonly end: unknown
  readonly length: unknown
  readonly blobStart: unknown
  readonly blobEnd: unknown
}

/** Streams in the tables of kyneta, 1.6 (two of them) and 2.x or 3.x (three). */
export class KynetaStreams implements SqliteStreams {
  readonly docs: string
  readonly isDoc = ''
  readonly statsSql: string
  readonly #adapter: SqliteAdapter
  readonly #pages: PageReader<Row>
  readonly #sql: Readonly<
    Record<'head' | 'look' | 'blob' | 'append' | 'insert' | 'clear' | 'upsert' | 'remove', string>
  >

  /** @param docMeta the name of the index of what is known. @param sizeOf SQL for the number of bytes of a column. */
  constructor(adapter: SqliteAdapter, docMeta: string, records: string, sizeOf: (column: string) => string) {
    this.#adapter = adapter
    const [docs, rows] = [quoteTable(docMeta), quoteTable(records)]
    this.docs = docs
    this.#pages = new PageReader(adapter, rows, ['kind', 'payload', 'blob'], ['payload', 'blob'], sizeOf)
    const size = `ifnull(${sizeOf('payload')}, 0) + ifnull(${sizeOf('blob')}, 0)`
    this.statsSql = `SELECT (SELECT count(*) FROM ${docs}) AS docs, count(*) AS records, sum(${size}) AS bytes FROM ${rows}`
    const seq = (what: string): string => `(SELECT seq FROM ${rows} WHERE doc_id = ${KEY} ${what} LIMIT 1)`
    const meta = `(SELECT data FROM ${docs} WHERE doc_id = ${KEY})`
    this.#sql = {
      head: `SELECT ${meta} AS meta, ${seq('ORDER BY seq')} AS seqFirst, ${seq('ORDER BY seq DESC')} AS seqLast`,
      look:
        `SELECT ${seq('ORDER BY seq')} AS seqFirst, ${seq('AND seq > ?')} AS beyond, seq, kind, ` +
        `substr(payload, 1, ${TRACE_LENGTH}) AS start, substr(payload, -${TRACE_LENGTH}) AS end, length(blob) AS length, ` +
        `substr(blob, 1, ${TRACE_LENGTH}) AS blobStart, substr(blob, -${TRACE_LENGTH}) AS blobEnd ` +
        `FROM (SELECT 1) LEFT JOIN ${rows} ON doc_id = ${KEY} AND seq = ${seq('AND seq <= ? ORDER BY seq DESC')}`,
      blob: `SELECT typeof(blob) AS type FROM ${rows} WHERE doc_id = ${KEY} AND seq = ?`,
      // One statement finds the place, sees that the document exists (NOT NULL) and writes: it needs no transaction of its own.
      // Asked by SELECT instead of VALUES it would take a temporary table, and three times as long.
      append:
        `INSERT INTO ${rows} (doc_id, seq, kind, payload, blob) VALUES (` +
        `(SELECT doc_id FROM ${docs} WHERE doc_id = ${KEY}), ` +
        `(SELECT ${NEXT_SEQ} FROM ${rows} WHERE doc_id = ${KEY}), 'entry', ?, ?)`,
      insert: `INSERT INTO ${rows} (doc_id, seq, kind, payload, blob) VALUES (${KEY}, ?, ?, ?, ?)`,
      clear: `DELETE FROM ${rows} WHERE doc_id = ${KEY}`,
      upsert: `INSERT OR REPLACE INTO ${docs} (doc_id, data) VALUES (${KEY}, ?)`,
      remove: `DELETE FROM ${docs} WHERE doc_id = ${KEY}`,
    }
  }

  head(id: string): StreamHead {
    const key = keyOf(id)
    const sql = this.#sql.head
    const [row] = [...this.#adapter.iterate<{ meta: unknown; seqFirst: unknown; seqLast: unknown }>(sql, key, key, key)]
    const { meta = null, seqFirst = null, seqLast = null } = row ?? {}
    return headOf(id, meta, () => {
      if (seqFirst !== null) seqOf(id, seqFirst)
      return seqLast === null ? 0 : seqOf(id, seqLast) + 1
    })
  }

  append({ id, records }: EntriesToAppend): boolean {
    const key = keyOf(id)
    for (const record of records) {
      const { payload, blob } = kynetaRow(record)
      try {
        this.#adapter.exec(this.#sql.append, key, key, payload, blob)
      } catch (error) {
        // Of all that can be wrong these are what a caller can do something about.
        const { meta, damage } = this.head(id)
        if (damage !== undefined) throw damage
        if (meta === null) return false
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
    for (;;) {
      const page = this.#pages.read(key, after, limit)
      const sight = page.state === undefined ? this.#look(key, after) : undefined
      // It has come in between.
      if (sight !== undefined && sight.beyond !== null) continue
      // Asked after the page was read: what holds now has held then.
      if (before !== undefined && !this.#holds(key, before, before.at === after ? sight : undefined)) return undefined
      if (sight !== undefined) return emptyPage(id, after, sight)
      const { records, isCut } = recordsOf(id, page, (row, seq) => this.#recordOf(id, seq, row))
      const last = page.rows[records.length - 1] as Row
      const seqFirst = Number(page.state?.seqFirst)
      const next: Mark = { at: Number(last.seq), seqFirst, last: isSmall(last) ? last : traceOfRow(last) }
      return { records, more: page.more || isCut, mark: next, seqFirst }
    }
  }

  isUnmoved({ id, seqLast, mark, trace }: ReadState): boolean {
    const key = keyOf(id)
    if (this.#look(key, seqLast).beyond !== null || !this.#holds(key, mark as Mark)) return false
    // Who writes a stream anew may write the same first and last record, and others between them.
    let now = 0
    for (let after = -1; ; ) {
      const page = this.page(id, after, PAGE_RECORDS_MAX, undefined) as StreamPage
      now = traceAfter(now, page.records)
      if (!page.more) return now === trace
      after = (page.records.at(-1) as PlacedRecord).seq
    }
  }

  traceOf(records: readonly PlacedRecord[]): unknown {
    return traceAfter(0, records)
  }

  #look(key: string | Uint8Array, at: number): Sight {
    const [sight] = [...this.#adapter.iterate<Sight>(this.#sql.look, key, key, at, key, key, at)]
    return sight as Sight
  }

  /** @param sight of the place of the mark, if somebody has looked there. */
  #holds(key: string | Uint8Array, { at, seqFirst, last }: Mark, sight?: Sight): boolean {
    const now = sight ?? this.#look(key, at)
    const trace = typeof last === 'number' ? last : traceOfRow(last)
    return seqFirstOf(now) === seqFirst && traceOf(now) === trace
  }

  #recordOf(id: string, seq: number, { kind, payload, blob }: Row): StreamRecord {
    try {
      return recordOfKyneta(id, seq, kind, payload, blob)
    } catch (error) {
      if (blob !== null || !(error instanceof StreamDamagedError)) throw error
      // Some bindings make NULL of an empty BLOB.
      const [row] = [...this.#adapter.iterate<{ type: unknown }>(this.#sql.blob, keyOf(id), seq)]
      if (row?.type !== 'blob') throw error
      return recordOfKyneta(id, seq, kind, payload, new Uint8Array())
    }
  }
}

/** Nothing is beyond `after`. */
function emptyPage(id: string, after: number, sight: Sight): StreamPage {
  const seqFirst = sight.seqFirst === null ? undefined : seqOf(id, sight.seqFirst)
  const mark: Mark = { at: after, seqFirst: seqFirstOf(sight), last: traceOf(sight) }
  return { records: [], more: false, mark, seqFirst }
}

/** Where no record is at or before the place, it does not matter which one comes first beyond it. */
function seqFirstOf({ seq, seqFirst }: Sight): number {
  return seq === null ? -1 : Number(seqFirst)
}

/** Most marks are never looked at, so the trace of a small record is made when one is. */
function isSmall({ payload, blob }: Row): boolean {
  return String(payload).length <= TRACE_LENGTH && blob === null
}

function traceOfRow({ seq, kind, payload, blob }: Row): number {
  const length = blob === null ? 0 : plainBytes(blob).length
  return traceOf({ seq, kind, start: payload, end: payload, length, blobStart: blob, blobEnd: blob })
}

/**
 * Tells a record from others: by its seq, and by what it begins and ends with. SQLite counts in characters, of which each is one
 * or two of ours, so what it has cut is cut again.
 */
function traceOf({ seq, kind, start, end, length, blobStart, blobEnd }: Ends): number {
  const parts = [String(start).slice(0, TRACE_LENGTH), String(end).slice(-TRACE_LENGTH), Number(length ?? 0), kind, seq]
  const sum = checksum(parts.join())
  const bytes = [bytesOf(blobStart).subarray(0, TRACE_LENGTH), bytesOf(blobEnd).subarray(-TRACE_LENGTH)]
  return bytes.reduce((chain, part) => chainAfter(chain, checksumBytes(part)), sum)
}

/** Nothing, too, where that is text: then it is no record, and its length is told. */
function bytesOf(blob: unknown): Uint8Array {
  return blob === null || typeof blob === 'string' ? new Uint8Array() : plainBytes(blob)
}
