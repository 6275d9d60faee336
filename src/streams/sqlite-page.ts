import type { SqliteBind } from '../sqlite/binding.js'
import type { SqliteAdapter } from '../sqlite/port.js'
import { StreamDamagedError } from './errors.js'
import { seqOf } from './kyneta-rows.js'
import type { StreamRecord } from './record.js'
import { KEY } from './sqlite-ids.js'
import type { PlacedRecord } from './stream-backend.js'

/** Rows of one state of a stream. */
export interface RowPage<R> {
  readonly rows: readonly R[]
  /** False where there are none. */
  readonly more: boolean
}

/** What every row tells, besides its content. Seqs are what somebody has put there: `seqOf` says whether they are any. */
export interface PageRow {
  readonly seq: unknown
  readonly size: unknown
  /** Seqs of the first and the last record of the stream, in the state that the page is of. */
  readonly seqFirst: unknown
  readonly seqEnd: unknown
}

/** A stream of up to this many small records is read by one statement without a look at its size before. */
const FIRST_ROWS = 64
/** Small: all of those together are not more than a page. */
const FIRST_ROW_BYTES_MAX = 262_144
/**
 * Not `LIMIT ?`: from SQLite 3.47 on the planner looks at the value that is bound there, and prepares the statement anew each
 * time that one is, which takes twice as long as reading.
 */
export const LIMIT = 'LIMIT CAST(? AS INTEGER)'
/** A page has not more than this, unless it is one record. */
const PAGE_BYTES_MAX = 16 * 1_024 * 1_024

/**
 * Reads a stream in pages that are limited in bytes, each by one statement, so that it is of one state.
 *
 * A binding gives all rows of a statement at once; so what they hold has to be known before. The first rows are read with
 * their content left out where it is large. If that was not all, sizes are looked at, which does not touch the content, and
 * the limit is a seq. It is records that are counted, never seqs: there may be any number of them between two records.
 */
export class PageReader<R extends PageRow> {
  readonly #adapter: SqliteAdapter
  /** How many of the keys that are bound come before all else. */
  readonly #keys: number
  readonly #first: string
  readonly #sizes: string
  readonly #upTo: string

  /**
   * @param table quoted. @param columns of a record, by name. @param large those of them that may be large.
   * @param sizeOf SQL for the number of bytes of a column.
   * @param about what else is asked with each page, once, of the state that it is of: expressions with one `KEY` each, AS a name.
   */
  constructor(
    adapter: SqliteAdapter,
    table: string,
    columns: readonly string[],
    large: readonly string[],
    sizeOf: (column: string) => string,
    about: readonly string[] = [],
  ) {
    this.#adapter = adapter
    const size = large.map((column) => `ifnull(${sizeOf(column)}, 0)`).join(' + ')
    const unlessLarge = (column: string): string =>
      large.includes(column) ? `CASE WHEN ${size} <= ${FIRST_ROW_BYTES_MAX} THEN ${column} END AS ${column}` : column
    const end = (order: string): string =>
      `(SELECT seq FROM ${table} WHERE doc_id = ${KEY} ORDER BY seq ${order} LIMIT 1)`
    const select = `SELECT ${[`${end('ASC')} AS seqFirst`, `${end('DESC')} AS seqEnd`, ...about].join(', ')}, seq`
    this.#keys = 2 + about.length
    const where = `FROM ${table} WHERE doc_id = ${KEY} AND seq > ?`
    this.#first = `${select}, ${size} AS size, ${columns.map(unlessLarge).join(', ')} ${where} ORDER BY seq ${LIMIT}`
    this.#sizes =
      `SELECT count(*) AS n, sum(size) AS size, max(seq) AS seqLast FROM ` +
      `(SELECT seq, ${size} AS size ${where} ORDER BY seq ${LIMIT})`
    this.#upTo = `${select}, ${columns.join(', ')} ${where} AND seq <= ? ORDER BY seq ${LIMIT}`
  }

  /** @param after -1 for the beginning. @param limit at least 1. */
  read(key: string | Uint8Array, after: number, limit: number): RowPage<R> {
    for (;;) {
      const firstMax = Math.min(limit, FIRST_ROWS)
      const first = pageOf(this.#rows(this.#first, key, after, firstMax))
      const isSmall = !first.rows.some(({ size }) => Number(size) > FIRST_ROW_BYTES_MAX)
      if (isSmall && (!first.more || limit <= FIRST_ROWS)) return first
      const page = this.#readSized(key, after, limit)
      // Otherwise all of it has gone in between, and what is there now, if anything, has to be looked at anew.
      if (page.rows.length > 0) return page
    }
  }

  /** As many of the next records as a page may have bytes, but one at least. */
  #readSized(key: string | Uint8Array, after: number, limit: number): RowPage<R> {
    let count = limit
    for (;;) {
      const sql = this.#sizes
      const [sizes] = [
        ...this.#adapter.iterate<{ n: number; size: number; seqLast: SqliteBind }>(sql, key, after, count),
      ]
      const found = Number(sizes?.n ?? 0)
      if (found <= 1 || Number(sizes?.size) <= PAGE_BYTES_MAX) {
        return pageOf(this.#rows(this.#upTo, key, after, sizes?.seqLast ?? after, limit))
      }
      count = Math.ceil(found / 8)
    }
  }

  #rows(sql: string, key: string | Uint8Array, ...binds: readonly SqliteBind[]): R[] {
    const keys = new Array<string | Uint8Array>(this.#keys + 1).fill(key)
    return [...this.#adapter.iterate<R>(sql, ...keys, ...binds)]
  }
}

/**
 * The records of the rows of a page, up to the first row that is none: the next page begins with that one, so that readers get
 * all that is good before it.
 *
 * @throws {StreamDamagedError} the first row is none, or the stream begins with a seq that is none.
 */
export function recordsOf<R extends PageRow>(
  id: string,
  rows: readonly R[],
  recordOf: (row: R, seq: number, index: number) => StreamRecord,
): { readonly records: readonly PlacedRecord[]; readonly isCut: boolean } {
  const records: PlacedRecord[] = []
  if (rows[0] !== undefined) seqOf(id, rows[0].seqFirst)
  for (const [index, row] of rows.entries()) {
    try {
      const seq = seqOf(id, row.seq)
      records.push({ seq, record: recordOf(row, seq, index) })
    } catch (error) {
      if (records.length === 0 || !(error instanceof StreamDamagedError)) throw error
      return { records, isCut: true }
    }
  }
  return { records, isCut: false }
}

function pageOf<R extends PageRow>(rows: readonly R[]): RowPage<R> {
  const last = rows.at(-1)
  return { rows, more: last !== undefined && last.seq !== last.seqEnd }
}
