import type { SqliteAdapter } from '../sqlite/port.js'
import { KEY } from './sqlite-ids.js'
import type { SqliteBind } from '../sqlite/binding.js'

/** Rows of one state of a stream. */
export interface RowPage<R> {
  readonly rows: readonly R[]
  readonly more: boolean
}

/** What every row tells, besides its content. */
export interface PageRow {
  readonly seq: number
  readonly size: number
  /** Seq of the first record of the stream, in the state that the page is of. */
  readonly seqFirst: number
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
 * the limit is a seq.
 */
export class PageReader<R extends PageRow> {
  readonly #adapter: SqliteAdapter
  readonly #large: readonly string[]
  /** How many of the keys that are bound come before all else. */
  readonly #keys: number
  readonly #first: string
  readonly #sizes: string
  readonly #beyond: string
  readonly #next: string
  readonly #nextUpTo: string

  /**
   * @param table quoted. @param columns of a record, by name. @param large those of them that may be large.
   * @param sizeOf SQL for the number of bytes of a column.
   * @param about what else is asked with each page, once, of the state that it is of: an expression with one `KEY`, AS a name.
   */
  constructor(
    adapter: SqliteAdapter,
    table: string,
    columns: readonly string[],
    large: readonly string[],
    sizeOf: (column: string) => string,
    about?: string,
  ) {
    this.#adapter = adapter
    this.#large = large
    const size = large.map((column) => `ifnull(${sizeOf(column)}, 0)`).join(' + ')
    const shown = (condition: string): string =>
      columns
        .map((column) => (large.includes(column) ? `CASE WHEN ${condition} THEN ${column} END AS ${column}` : column))
        .join(', ')
    const seqFirst = `SELECT (SELECT seq FROM ${table} WHERE doc_id = ${KEY} ORDER BY seq LIMIT 1) AS seqFirst`
    const select = `${seqFirst}${about === undefined ? '' : `, ${about}`}, seq`
    this.#keys = about === undefined ? 1 : 2
    const where = `FROM ${table} WHERE doc_id = ${KEY} AND seq > ?`
    this.#first = `${select}, ${size} AS size, ${shown(`${size} <= ${FIRST_ROW_BYTES_MAX}`)} ${where} ORDER BY seq ${LIMIT}`
    this.#sizes = `SELECT count(*) AS n, sum(${size}) AS size ${where} AND seq <= ?`
    this.#beyond = `SELECT ${size} AS size ${where} ORDER BY seq LIMIT 1`
    this.#next = `${select}, ${columns.join(', ')} ${where} ORDER BY seq ${LIMIT}`
    this.#nextUpTo = `${select}, ${shown('seq <= ?')} ${where} ORDER BY seq ${LIMIT}`
  }

  /** @param after -1 for the beginning. @param limit at least 1. */
  read(key: string | Uint8Array, after: number, limit: number): RowPage<R> {
    for (;;) {
      const firstMax = Math.min(limit, FIRST_ROWS)
      const first = this.#rows(this.#first, key, [key, after, firstMax])
      const largeAt = first.findIndex(({ size }) => Number(size) > FIRST_ROW_BYTES_MAX)
      const isShort = first.length < firstMax
      if (largeAt === -1 && (isShort || limit <= FIRST_ROWS)) return { rows: first, more: !isShort }
      const page = this.#readBeyond(key, after, Number((first[0] as R).seq), limit)
      // It was replaced in between, by another program: then all of it is to be looked at anew.
      if (page.rows.length > 0 || !page.more) return page
    }
  }

  /** @param seqFirst of the first record after `after`. */
  #readBeyond(key: string | Uint8Array, after: number, seqFirst: number, limit: number): RowPage<R> {
    let count = 0
    let seqLast = seqFirst
    for (let most = limit; count === 0; most = Math.ceil(most / 8)) {
      seqLast = seqFirst + most - 1
      const [sizes] = [...this.#adapter.iterate<{ n: number; size: number }>(this.#sizes, key, after, seqLast)]
      if (most === 1 || Number(sizes?.size) <= PAGE_BYTES_MAX) count = Math.max(1, Number(sizes?.n))
    }
    // One more than wanted says whether there is more, in the same state. Its content is left out only where it is large, since
    // that takes a tenth of the time of all.
    const [beyond] = [...this.#adapter.iterate<{ size: number }>(this.#beyond, key, seqLast)]
    const isLarge = Number(beyond?.size ?? 0) > FIRST_ROW_BYTES_MAX
    const rows = isLarge
      ? this.#rows(this.#nextUpTo, key, [...this.#large.map(() => seqLast), key, after, count + 1])
      : this.#rows(this.#next, key, [key, after, count + 1])
    const isWhole = rows.length <= count && (rows.length === 0 || Number((rows.at(-1) as R).seq) <= seqLast)
    if (isWhole) return { rows, more: false }
    return { rows: rows.slice(0, count).filter(({ seq }) => Number(seq) <= seqLast), more: true }
  }

  #rows(sql: string, key: string | Uint8Array, binds: readonly SqliteBind[]): R[] {
    const keys = this.#keys === 1 ? [key] : [key, key]
    return [...this.#adapter.iterate<R>(sql, ...keys, ...binds)]
  }
}
