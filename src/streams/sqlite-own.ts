import type { SqliteBind } from '../sqlite/binding.js'
import type { SqliteAdapter } from '../sqlite/port.js'
import { headOf, seqOf } from './kyneta-rows.js'
import { isInParts, type OwnRow, ownRow, recordOfOwn } from './own-rows.js'
import type { SqliteStreams } from './sqlite-backend.js'
import { KEY, keyOf, NEXT_SEQ } from './sqlite-ids.js'
import { quoteTable, type TABLES_OWN } from './sqlite-names.js'
import { PageReader, type PageRow, type PageState, recordsOf } from './sqlite-page.js'
import type { EntriesToAppend, ReadState, StreamHead, StreamPage, StreamWrite } from './stream-backend.js'

/** What is known of a stream beside its records. */
interface State {
  /** How often the stream was cleared. */
  readonly clears: unknown
  /** See `StreamPage`. */
  readonly clearedTo: unknown
}

interface Row extends PageRow {
  readonly kind: unknown
  readonly head: unknown
  readonly data: unknown
  readonly parts: unknown
  readonly sum: unknown
}

type Key = string | Uint8Array
type Statement =
  | 'head'
  | 'state'
  | 'append'
  | 'last'
  | 'insert'
  | 'part'
  | 'parts'
  | 'clear'
  | 'clearParts'
  | 'upsert'
  | 'moved'

/** Streams in Varve's own tables. */
export class OwnStreams implements SqliteStreams {
  readonly docs: string
  readonly isDoc = ' AND meta IS NOT NULL'
  readonly statsSql: string
  readonly #adapter: SqliteAdapter
  readonly #pages: PageReader<Row, State & PageState>
  readonly #sql: Readonly<Record<Statement, string>>

  constructor(adapter: SqliteAdapter, names: Readonly<Record<keyof typeof TABLES_OWN, string>>) {
    this.#adapter = adapter
    const [docs, rows, parts] = [quoteTable(names.docs), quoteTable(names.records), quoteTable(names.parts)]
    this.docs = docs
    const columns = ['kind', 'head', 'data', 'parts', 'sum']
    const about = {
      clears: `(SELECT clears FROM ${docs} WHERE doc_id = ${KEY})`,
      clearedTo: `(SELECT cleared_to FROM ${docs} WHERE doc_id = ${KEY})`,
    }
    // The rest of a record that is in parts is read after it.
    this.#pages = new PageReader(adapter, rows, columns, ['data'], () => 'size', about)
    this.statsSql =
      `SELECT (SELECT count(*) FROM ${docs} WHERE meta IS NOT NULL) AS docs, count(*) AS records, ` +
      `sum(size) AS bytes FROM ${rows}`
    const last = `(SELECT seq FROM ${rows} WHERE doc_id = ${KEY} ORDER BY seq DESC LIMIT 1)`
    const next = `(SELECT ${NEXT_SEQ} FROM ${rows} WHERE doc_id = ${KEY})`
    const insert = `INSERT INTO ${rows} (kind, head, data, parts, size, sum, doc_id, seq) VALUES (?, ?, ?, ?, ?, ?, `
    this.#sql = {
      head: `SELECT meta, max(seq_next, ifnull(${last} + 1, 0)) AS seq FROM ${docs} WHERE doc_id = ${KEY}`,
      state: `SELECT clears, cleared_to AS clearedTo, ${last} AS seqLast FROM ${docs} WHERE doc_id = ${KEY}`,
      // As in the format of kyneta: one statement, and no document is what NOT NULL finds.
      append: `${insert}(SELECT doc_id FROM ${docs} WHERE doc_id = ${KEY}${this.isDoc}), ${next})`,
      last: `SELECT max(seq) AS seq FROM ${rows} WHERE doc_id = ${KEY}`,
      insert: `${insert}${KEY}, ?)`,
      part: `INSERT INTO ${parts} (doc_id, seq, part, data) VALUES (${KEY}, ?, ?, ?)`,
      parts: `SELECT data FROM ${parts} WHERE doc_id = ${KEY} AND seq = ? ORDER BY part`,
      clear: `DELETE FROM ${rows} WHERE doc_id = ${KEY}`,
      clearParts: `DELETE FROM ${parts} WHERE doc_id = ${KEY}`,
      upsert:
        `INSERT INTO ${docs} (doc_id, meta, seq_next, clears, cleared_to) VALUES (${KEY}, ?, ?, ?, ?) ` +
        'ON CONFLICT (doc_id) DO UPDATE SET meta = excluded.meta, seq_next = excluded.seq_next, ' +
        'clears = clears + excluded.clears, cleared_to = CASE excluded.clears WHEN 0 THEN cleared_to ELSE excluded.cleared_to END',
      moved: `UPDATE ${docs} SET seq_next = ?, clears = clears + 1, cleared_to = ? WHERE doc_id = ${KEY}`,
    }
  }

  head(id: string): StreamHead {
    const key = keyOf(id)
    const [row] = this.#rows<{ meta: unknown; seq: unknown }>('head', key, key)
    if (row === undefined) return { meta: null, seqNext: 0 }
    return headOf(id, row.meta, () => seqOf(id, row.seq))
  }

  append({ id, records }: EntriesToAppend): boolean {
    const key = keyOf(id)
    for (const record of records) {
      const row = ownRow(record)
      try {
        this.#adapter.exec(this.#sql.append, ...bindsOf(row), key, key)
      } catch (error) {
        const { meta, damage } = this.head(id)
        if (damage !== undefined) throw damage
        if (meta === null) return false
        throw error
      }
      if (row.parts.length > 1) this.#writeParts(key, Number(this.#rows<{ seq: number }>('last', key)[0]?.seq), row)
    }
    return true
  }

  isLarge({ records }: EntriesToAppend): boolean {
    return records.length > 1 || records.some(isInParts)
  }

  write({ id, clear, clearedTo = -1, meta, records, seqNext }: StreamWrite): void {
    const key = keyOf(id)
    if (clear) {
      this.#adapter.exec(this.#sql.clear, key)
      this.#adapter.exec(this.#sql.clearParts, key)
    }
    if (meta !== undefined) {
      const text = meta === null ? null : JSON.stringify(meta)
      this.#adapter.exec(this.#sql.upsert, key, text, seqNext, clear ? 1 : 0, clear ? clearedTo : -1)
    } else if (clear) this.#adapter.exec(this.#sql.moved, seqNext, clearedTo, key)
    for (const { seq, record } of records) {
      const row = ownRow(record)
      this.#adapter.exec(this.#sql.insert, ...bindsOf(row), key, seq)
      this.#writeParts(key, seq, row)
    }
  }

  page(id: string, after: number, limit: number, mark: unknown): StreamPage | undefined {
    const key = keyOf(id)
    for (;;) {
      const page = this.#pages.read(key, after, limit)
      const state = page.state ?? this.#state(key)
      // It has come in between.
      if ('seqLast' in state && Number(state.seqLast ?? -1) > after) continue
      const clears = Number(state.clears)
      if (mark !== undefined && mark !== clears) return undefined
      const rest = page.rows.map((row) => (Number(row.parts) > 1 ? this.#rest(key, row.seq) : undefined))
      // Parts are statements of their own. While nobody clears the stream, they stay what they are.
      if (rest.some((parts) => parts !== undefined) && Number(this.#state(key).clears) !== clears) continue
      const { records, isCut } = recordsOf(id, page, (row, seq, i) => {
        const parts = rest[i]
        return recordOfOwn(id, seq, row, parts === undefined ? [row.data] : [row.data, ...parts])
      })
      const seqFirst = page.state === undefined ? undefined : Number(page.state.seqFirst)
      return { records, more: page.more || isCut, mark: clears, seqFirst, clearedTo: Number(state.clearedTo) }
    }
  }

  isUnmoved({ id, seqLast, mark }: ReadState): boolean {
    const state = this.#state(keyOf(id))
    return Number(state.clears) === mark && state.seqLast !== null && Number(state.seqLast) === seqLast
  }

  /** Of a document that never was, too. */
  #state(key: Key): State & { readonly seqLast: unknown } {
    const [state] = this.#rows<State & { readonly seqLast: unknown }>('state', key, key)
    return state ?? { clears: 0, clearedTo: -1, seqLast: null }
  }

  /** The parts of a record after the first. */
  #rest(key: Key, seq: unknown): unknown[] {
    return this.#rows<{ data: unknown }>('parts', key, seq as SqliteBind).map(({ data }) => data)
  }

  #writeParts(key: Key, seq: number, { parts }: OwnRow): void {
    for (let part = 1; part < parts.length; part++) this.#adapter.exec(this.#sql.part, key, seq, part, parts[part])
  }

  #rows<T>(statement: Statement, ...binds: SqliteBind[]): T[] {
    return [...this.#adapter.iterate<T>(this.#sql[statement], ...binds)]
  }
}

function bindsOf({ kind, head, parts, size, sum }: OwnRow): SqliteBind[] {
  return [kind, head, parts[0], parts.length, size, sum]
}
