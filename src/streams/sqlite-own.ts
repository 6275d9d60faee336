import type { SqliteAdapter } from '../sqlite/port.js'
import type { SqliteBind } from '../sqlite/binding.js'
import { metaOfKyneta } from './kyneta-rows.js'
import { isInParts, type OwnRow, ownRow, recordOfOwn } from './own-rows.js'
import type { SqliteStreams } from './sqlite-backend.js'
import { KEY, keyOf } from './sqlite-ids.js'
import { quoteTable, type TABLES_OWN } from './sqlite-names.js'
import { PageReader, type PageRow } from './sqlite-page.js'
import type { EntriesToAppend, PlacedRecord, StreamHead, StreamPage, StreamWrite } from './stream-backend.js'

interface Row extends PageRow {
  /** How often the stream was cleared. */
  readonly clears: number
  readonly kind: unknown
  readonly head: unknown
  readonly data: unknown
  readonly parts: number
  readonly sum: unknown
}

type Key = string | Uint8Array
type Statement =
  | 'head'
  | 'clears'
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
  readonly #pages: PageReader<Row>
  readonly #sql: Readonly<Record<Statement, string>>

  constructor(adapter: SqliteAdapter, names: Readonly<Record<keyof typeof TABLES_OWN, string>>) {
    this.#adapter = adapter
    const [docs, rows, parts] = [quoteTable(names.docs), quoteTable(names.records), quoteTable(names.parts)]
    this.docs = docs
    const columns = ['kind', 'head', 'data', 'parts', 'sum']
    // The rest of a record that is in parts is read with it.
    const clears = `SELECT clears FROM ${docs} WHERE doc_id = ${KEY}`
    this.#pages = new PageReader(adapter, rows, columns, ['data'], () => 'size', `(${clears}) AS clears`)
    this.statsSql =
      `SELECT (SELECT count(*) FROM ${docs} WHERE meta IS NOT NULL) AS docs, count(*) AS records, ` +
      `sum(size) AS bytes FROM ${rows}`
    const last = `(SELECT seq FROM ${rows} WHERE doc_id = ${KEY} ORDER BY seq DESC LIMIT 1)`
    const insert = `INSERT INTO ${rows} (kind, head, data, parts, size, sum, doc_id, seq) VALUES (?, ?, ?, ?, ?, ?, `
    this.#sql = {
      head: `SELECT meta, max(seq_next, ifnull(${last} + 1, 0)) AS seq FROM ${docs} WHERE doc_id = ${KEY}`,
      clears,
      // As in the format of kyneta: one statement, and no document is what NOT NULL finds.
      append: `${insert}(SELECT doc_id FROM ${docs} WHERE doc_id = ${KEY}${this.isDoc}), ${last} + 1)`,
      last: `SELECT max(seq) AS seq FROM ${rows} WHERE doc_id = ${KEY}`,
      insert: `${insert}${KEY}, ?)`,
      part: `INSERT INTO ${parts} (doc_id, seq, part, data) VALUES (${KEY}, ?, ?, ?)`,
      parts: `SELECT data FROM ${parts} WHERE doc_id = ${KEY} AND seq = ? ORDER BY part`,
      clear: `DELETE FROM ${rows} WHERE doc_id = ${KEY}`,
      clearParts: `DELETE FROM ${parts} WHERE doc_id = ${KEY}`,
      upsert:
        `INSERT INTO ${docs} (doc_id, meta, seq_next, clears) VALUES (${KEY}, ?, ?, ?) ON CONFLICT (doc_id) DO UPDATE SET ` +
        'meta = excluded.meta, seq_next = excluded.seq_next, clears = clears + excluded.clears',
      moved: `UPDATE ${docs} SET seq_next = ?, clears = clears + 1 WHERE doc_id = ${KEY}`,
    }
  }

  head(id: string): StreamHead {
    const key = keyOf(id)
    const [row] = this.#rows<{ meta: unknown; seq: number }>('head', key, key)
    if (row === undefined) return { meta: null, seqNext: 0 }
    return { meta: row.meta === null ? null : metaOfKyneta(id, row.meta), seqNext: Number(row.seq) }
  }

  append({ id, records }: EntriesToAppend): boolean {
    const key = keyOf(id)
    for (const record of records) {
      const row = ownRow(record)
      try {
        this.#adapter.exec(this.#sql.append, ...bindsOf(row), key, key)
      } catch (error) {
        if (this.head(id).meta === null) return false
        throw error
      }
      if (row.parts.length > 1) this.#writeParts(key, Number(this.#rows<{ seq: number }>('last', key)[0]?.seq), row)
    }
    return true
  }

  isLarge({ records }: EntriesToAppend): boolean {
    return records.length > 1 || records.some(isInParts)
  }

  write({ id, clear, meta, records, seqNext }: StreamWrite): void {
    const key = keyOf(id)
    if (clear) {
      this.#adapter.exec(this.#sql.clear, key)
      this.#adapter.exec(this.#sql.clearParts, key)
    }
    if (meta !== undefined) {
      const text = meta === null ? null : JSON.stringify(meta)
      this.#adapter.exec(this.#sql.upsert, key, text, seqNext, clear ? 1 : 0)
    } else if (clear) this.#adapter.exec(this.#sql.moved, seqNext, key)
    for (const { seq, record } of records) {
      const row = ownRow(record)
      this.#adapter.exec(this.#sql.insert, ...bindsOf(row), key, seq)
      this.#writeParts(key, seq, row)
    }
  }

  page(id: string, after: number, limit: number, mark: unknown): StreamPage | undefined {
    const key = keyOf(id)
    const { rows, more } = this.#pages.read(key, after, limit)
    // Parts are statements of their own; only a transaction keeps them and their record of one state.
    const hasParts = rows.some(({ parts }) => Number(parts) > 1)
    const page = hasParts ? this.#adapter.transaction(() => this.#wholePage(id, after, limit)) : { rows, more }
    const [first] = page.rows
    const clears = first === undefined ? this.#clears(key) : Number(first.clears)
    if (mark !== undefined && mark !== clears) return undefined
    // Nothing was there, and then that many clears: only if it is so in this order, too, they are of one state.
    if (mark === undefined && first === undefined) {
      return this.page(id, after, limit, clears) ?? this.page(id, after, limit, undefined)
    }
    const records = page.rows.map((row): PlacedRecord => {
      const parts = 'all' in row ? (row.all as readonly unknown[]) : [row.data]
      return { seq: Number(row.seq), record: recordOfOwn(id, Number(row.seq), row, parts) }
    })
    return {
      records,
      more: page.more,
      mark: clears,
      seqFirst: first === undefined ? undefined : Number(first.seqFirst),
    }
  }

  /** In a transaction. */
  #wholePage(id: string, after: number, limit: number): { rows: readonly Row[]; more: boolean } {
    const key = keyOf(id)
    const { rows, more } = this.#pages.read(key, after, limit)
    const whole = rows.map((row) => {
      if (Number(row.parts) === 1) return row
      const rest = this.#rows<{ data: unknown }>('parts', key, Number(row.seq))
      return { ...row, all: [row.data, ...rest.map(({ data }) => data)] }
    })
    return { rows: whole, more }
  }

  #clears(key: Key): number {
    return Number(this.#rows<{ clears: number }>('clears', key)[0]?.clears ?? 0)
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
