import { quietly } from '../base/quietly.js'
import type { SqliteAdapter } from '../sqlite/port.js'
import { StreamFormatError } from './errors.js'
import { isForbidden } from './sqlite-flush.js'
import { lowerCase, quoteTable } from './sqlite-names.js'

/** A column as a table has to have it. */
interface Column {
  readonly name: string
  readonly sql: string
  /** Place in the primary key, from 1; 0: none. */
  readonly key: number
}

/** A table as a store needs it. */
export interface TableShape {
  readonly columns: readonly Column[]
}

const text = (name: string, key = 0): Column => ({ name, sql: 'TEXT NOT NULL', key })

/** Shapes of kyneta's tables. Source: shared/research/record-streams.md, 1.4. */
export const DOC_META_SHAPE: TableShape = { columns: [text('doc_id', 1), text('data')] }
export const RECORDS_SHAPE: TableShape = {
  columns: [
    text('doc_id', 1),
    { name: 'seq', sql: 'INTEGER NOT NULL', key: 2 },
    text('kind'),
    { name: 'payload', sql: 'TEXT', key: 0 },
    { name: 'blob', sql: 'BLOB', key: 0 },
  ],
}
export const STORE_META_SHAPE: TableShape = { columns: [text('key', 1), text('value')] }

const count = (name: string, key = 0): Column => ({ name, sql: 'INTEGER NOT NULL', key })

/** Shapes of Varve's own tables. Seqs of a document that is gone go on, so its row stays, without a meta. */
export const OWN_DOCS_SHAPE: TableShape = {
  columns: [
    text('doc_id', 1),
    { name: 'meta', sql: 'TEXT', key: 0 },
    count('seq_next'),
    count('clears'),
    count('cleared_to'),
  ],
}
export const OWN_RECORDS_SHAPE: TableShape = {
  columns: [
    text('doc_id', 1),
    count('seq', 2),
    text('kind'),
    text('head'),
    // Text or bytes, as it was given: BLOB is the affinity that changes nothing.
    { name: 'data', sql: 'BLOB', key: 0 },
    count('parts'),
    count('size'),
    count('sum'),
  ],
}
export const OWN_PARTS_SHAPE: TableShape = {
  columns: [text('doc_id', 1), count('seq', 2), count('part', 3), { name: 'data', sql: 'BLOB', key: 0 }],
}

/** SQL that makes a table where there is none. */
export function tableSql(name: string, { columns }: TableShape): string {
  const keys = columns.filter(({ key }) => key > 0)
  const [only] = keys
  const single = keys.length === 1
  const lines = columns.map((column) => `${column.name} ${single && column === only ? 'TEXT PRIMARY KEY' : column.sql}`)
  if (!single) lines.push(`PRIMARY KEY (${keys.map((column) => column.name).join(', ')})`)
  return `CREATE TABLE IF NOT EXISTS ${quoteTable(name)} (${lines.join(', ')}) WITHOUT ROWID`
}

/** Whether there is a table, view or index of that name. */
export function isTaken(adapter: SqliteAdapter, name: string): boolean {
  return schemaRow(adapter, name) !== undefined
}

/**
 * Whether the table is there, and one of ours.
 *
 * @throws {StreamFormatError} something else has its name. Nothing was written.
 */
export function hasTable(adapter: SqliteAdapter, name: string, shape: TableShape): boolean {
  const found = schemaRow(adapter, name)
  if (found === undefined) return false
  const columns = found.type === 'table' ? columnsOf(adapter, name, shape) : []
  const isSame =
    columns.length === shape.columns.length &&
    shape.columns.every(({ name, key, sql }) => {
      const column = columns.find((one) => one.name === name)
      return column !== undefined && Number(column.pk) === key && affinityOf(column.type) === affinityOf(sql)
    })
  // Without regard to case, ids that differ would be the same.
  if (isSame && !/\bcollate\s+(?!binary\b)/i.test(String(found.sql))) return true
  throw foreign(name, found.type, columns, shape)
}

/** The error for tables whose content has another format. */
export function formatError(
  reason: StreamFormatError['reason'],
  found: string,
  wanted: string,
  name: string,
): StreamFormatError {
  const message =
    `sqlite store: incompatible format (${reason}) — on disk ${found}, this build ${wanted}; table "${name}". ` +
    'No migration is performed; it was left as it is; name other tables, or open it with what wrote it'
  return new StreamFormatError('STREAM_FORMAT', message, { reason, stored: found, current: wanted, table: name })
}

interface ColumnInfo {
  readonly name: string
  readonly type: string
  readonly pk: unknown
}

interface SchemaRow {
  readonly type: string
  readonly sql: unknown
}

function schemaRow(adapter: SqliteAdapter, name: string): SchemaRow | undefined {
  const sql = 'SELECT type, sql FROM main.sqlite_master WHERE lower(name) = ?'
  for (const row of adapter.iterate<SchemaRow>(sql, lowerCase(name))) return row
  return undefined
}

/**
 * What SQLite makes of values for a column of that type: in a column for numbers, ids like `1` and `01` would be the same.
 *
 * Source: https://sqlite.org/datatype3.html#determination_of_column_affinity
 */
function affinityOf(type: string): string {
  if (/INT/i.test(type)) return 'INTEGER'
  if (/CHAR|CLOB|TEXT/i.test(type)) return 'TEXT'
  if (type === '' || /BLOB/i.test(type)) return 'BLOB'
  return /REAL|FLOA|DOUB/i.test(type) ? 'REAL' : 'NUMERIC'
}

/** The columns of a table, with their places in its key. */
function columnsOf(adapter: SqliteAdapter, name: string, { columns }: TableShape): ColumnInfo[] {
  try {
    return readColumns(adapter, name)
  } catch (error) {
    if (!isForbidden(error)) throw error
    // A Durable Object lets nobody ask; but a query for columns that are not there fails.
    const found = columns.map((column) => ({ name: column.name, type: column.sql, pk: column.key }))
    const names = columns.map((column) => column.name).join(', ')
    // Whatever it says, it is not our table.
    const isThere = quietly(() => [...adapter.iterate(`SELECT ${names} FROM ${quoteTable(name)} LIMIT 1`)])
    return isThere === undefined ? [] : found
  }
}

function readColumns(adapter: SqliteAdapter, name: string): ColumnInfo[] {
  const quoted = quoteTable(name).slice('main.'.length)
  return [...adapter.iterate<ColumnInfo>(`PRAGMA main.table_info(${quoted})`)]
}

function foreign(name: string, type: string, columns: readonly ColumnInfo[], shape: TableShape): StreamFormatError {
  const found = `a ${type} with the columns ${columns.map((one) => `${one.name} ${one.type}`.trim()).join(', ') || '(none)'}`
  const names = shape.columns.map((column) => `${column.name} ${affinityOf(column.sql)}`).join(', ')
  const wanted = `a table with the columns ${names}, keys compared by bytes`
  return formatError('foreign-tables', found, wanted, name)
}
