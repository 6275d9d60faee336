import { assert } from '../base/assert.js'
import type { SqliteBind } from '../sqlite/binding.js'
import type { SqliteAdapter } from '../sqlite/port.js'
import { StreamDamagedError } from './errors.js'
import { seqOf } from './kyneta-rows.js'
import type { StreamRecord } from './record.js'
import { KEY } from './sqlite-ids.js'
import type { PlacedRecord } from './stream-backend.js'

/** Rows of one state of a stream. */
export interface RowPage<R, S extends PageState> {
  readonly rows: readonly R[]
  /** False where there are none. */
  readonly more: boolean
  /** `undefined`: there are no rows. */
  readonly state: S | undefined
}

/** What every row tells, besides its content. Seqs are what somebody has put there: `seqOf` says whether they are any. */
export interface PageRow {
  readonly seq: unknown
  /** Only of the first rows. */
  readonly size?: unknown
}

/** What is asked with each page, of the state that it is of. */
export interface PageState {
  /** Seq of the first record of the stream. */
  readonly seqFirst: unknown
}

/** A stream of up to this many small records is read by one statement without a look at its size before. */
const FIRST_ROWS = 64
/** Small: all of those together are not more than a page. */
const FIRST_ROW_BYTES_MAX = 262_144
/**
 * Not `LIMIT ?`: from SQLite 3.47 on the planner looks at the value that is bound there, and prepares the statement anew each
 * time that one is, which takes several times as long as reading a short page.
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
export class PageReader<R extends PageRow, S extends PageState = PageState> {
  readonly #adapter: SqliteAdapter
  readonly #columns: readonly string[]
  /** Names of what is told of the state. */
  readonly #about: readonly string[]
  /** How often the first statement has the key. */
  readonly #keys: number
  readonly #first: string
  readonly #sizes: string
  readonly #upTo: string

  /**
   * @param table quoted. @param columns of a record, by name. @param large those of them that may be large.
   * @param sizeOf SQL for the number of bytes of a column.
   * @param about what else is asked with each page, by name: expressions with one `KEY` each.
   */
  constructor(
    adapter: SqliteAdapter,
    table: string,
    columns: readonly string[],
    large: readonly string[],
    sizeOf: (column: string) => string,
    about: Readonly<Record<string, string>> = {},
  ) {
    this.#adapter = adapter
    const size = large.map((column) => `ifnull(${sizeOf(column)}, 0)`).join(' + ')
    const unlessLarge = (column: string): string =>
      large.includes(column) ? `CASE WHEN ${size} <= ${FIRST_ROW_BYTES_MAX} THEN ${column} END AS ${column}` : column
    const end = (order: string): string =>
      `(SELECT seq FROM ${table} WHERE doc_id = ${KEY} ORDER BY seq ${order} LIMIT 1)`
    const state = { seqFirst: end('ASC'), ...about }
    this.#columns = columns
    this.#about = Object.keys(state)
    this.#keys = this.#about.length + 1
    const where = `FROM ${table} WHERE doc_id = ${KEY} AND seq > ?`
    const told = Object.entries(state).map(([name, sql]) => `${sql} AS ${name}`)
    this.#first = `SELECT ${told.join(', ')}, seq, ${size} AS size, ${columns.map(unlessLarge).join(', ')} ${where} ORDER BY seq ${LIMIT}`
    this.#sizes =
      `SELECT count(*) AS n, sum(size) AS size, max(seq) AS seqLast FROM ` +
      `(SELECT seq, ${size} AS size ${where} ORDER BY seq ${LIMIT})`
    // What is told of the state is a row of its own, without a seq, and in the columns of the others: told with each of ten
    // thousand rows it would take a third of their time.
    const row = [...Object.values(state), end('DESC')]
    const filled = columns.map((column, i) => `${row[i] ?? 'NULL'} AS ${column}`)
    this.#upTo =
      `SELECT NULL AS seq, ${filled.join(', ')} UNION ALL ` +
      `SELECT * FROM (SELECT seq, ${columns.join(', ')} ${where} AND seq <= ? ORDER BY seq ${LIMIT})`
    assert(row.length <= columns.length, 'RS2', `${row.length} facts do not fit into ${columns.length} columns`)
  }

  /** @param after -1 for the beginning. @param limit at least 1. */
  read(key: string | Uint8Array, after: number, limit: number): RowPage<R, S> {
    for (;;) {
      const firstMax = Math.min(limit, FIRST_ROWS)
      // One more than wanted says whether there is more; a column that says it takes a tenth of the time of all.
      const found = this.#rows<R & S>(this.#first, this.#keys, key, after, firstMax + 1)
      const more = found.length > firstMax
      const rows = more ? found.slice(0, firstMax) : found
      const isSmall = !rows.some(({ size }) => Number(size) > FIRST_ROW_BYTES_MAX)
      if (isSmall && (!more || limit <= FIRST_ROWS)) return { rows, more, state: rows[0] }
      const page = this.#readSized(key, after, limit)
      // Otherwise all of it has gone in between, and what is there now, if anything, has to be looked at anew.
      if (page.rows.length > 0) return page
    }
  }

  /** As many of the next records as a page may have bytes, but one at least. */
  #readSized(key: string | Uint8Array, after: number, limit: number): RowPage<R, S> {
    let count = limit
    for (;;) {
      const sql = this.#sizes
      const [sizes] = [
        ...this.#adapter.iterate<{ n: number; size: number; seqLast: SqliteBind }>(sql, key, after, count),
      ]
      const found = Number(sizes?.n ?? 0)
      if (found <= 1 || Number(sizes?.size) <= PAGE_BYTES_MAX) {
        return this.#pageOf(this.#rows<R>(this.#upTo, this.#keys + 1, key, after, sizes?.seqLast ?? after, limit))
      }
      count = Math.ceil(found / 8)
    }
  }

  #pageOf(found: readonly R[]): RowPage<R, S> {
    // Of two queries in one, nobody promises which comes first.
    const at = found.findIndex(({ seq }) => seq === null)
    const told = found[at] as { readonly [column: string]: unknown } | undefined
    const rows = at === 0 ? found.slice(1) : found.filter(({ seq }) => seq !== null)
    const facts = this.#columns.map((column) => told?.[column])
    const state = Object.fromEntries(this.#about.map((name, i) => [name, facts[i]])) as unknown as S
    const last = rows.at(-1)
    return { rows, more: last !== undefined && last.seq !== facts[this.#about.length], state }
  }

  #rows<T>(sql: string, keyCount: number, key: string | Uint8Array, ...binds: readonly SqliteBind[]): T[] {
    const keys = new Array<string | Uint8Array>(keyCount).fill(key)
    return [...this.#adapter.iterate<T>(sql, ...keys, ...binds)]
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
  { rows, state }: RowPage<R, PageState>,
  recordOf: (row: R, seq: number, index: number) => StreamRecord,
): { readonly records: readonly PlacedRecord[]; readonly isCut: boolean } {
  const records: PlacedRecord[] = []
  if (state !== undefined) seqOf(id, state.seqFirst)
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] as R
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
