import { InvalidArgumentError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import { DATABASES } from '../sqlite/adapter.js'
import type { SqliteAdapter } from '../sqlite/port.js'
import { checkOptions } from './check-options.js'
import { checkRuntime, RecordStreams } from './record-streams.js'
import { SqliteBackend, type SqliteStreams } from './sqlite-backend.js'
import { mustNotBeInTransaction, retryBusy } from './sqlite-busy.js'
import { KynetaStreams } from './sqlite-kyneta.js'
import { OwnStreams } from './sqlite-own.js'
import {
  checkTables,
  quoteTable,
  type StreamTablesOwn,
  type StreamTablesV1,
  type StreamTablesV2,
  TABLES_OWN,
  TABLES_V1,
  TABLES_V2,
} from './sqlite-names.js'
import {
  DOC_META_SHAPE,
  formatError,
  hasTable,
  isTaken,
  OWN_DOCS_SHAPE,
  OWN_PARTS_SHAPE,
  OWN_RECORDS_SHAPE,
  RECORDS_SHAPE,
  STORE_META_SHAPE,
  tableSql,
  type TableShape,
} from './sqlite-schema.js'
import type { StreamStore } from './stream-store.js'

/** Where in a database a store keeps its streams, and in which format. */
export interface SqliteStreamOptions {
  /**
   * Names of the tables, for other tables beside them and for several stores in one database. `{ meta, records }` asks for
   * the format of kyneta 1.6. Default: those of kyneta 2.x, or of 1.6 where the database has those.
   */
  readonly tables?: StreamTablesV2 | StreamTablesV1 | StreamTablesOwn
  /** `'kyneta'` (the default): kyneta reads and writes them, too. `'varve'`: Varve's own, with checksums, in pieces. */
  readonly format?: 'kyneta' | 'varve'
  /** Clock and timers. Default: the host's. */
  readonly runtime?: Runtime
}

/** The version of kyneta's tables, and of Varve's own, that is written here; the major that is read. */
const FORMAT = { major: 1, minor: 0 }
const ADAPTER_METHODS = ['exec', 'iterate', 'transaction', 'close']

/**
 * A store of record streams in tables of a SQLite database; makes the tables where there are none. `close` closes the
 * adapter when no other store is on it, and that closes the connection only if it owns it.
 *
 * Pragmas are the caller's: `journal_mode = WAL` and `synchronous = FULL` where commits should survive a power cut.
 *
 * @throws {StreamFormatError} tables of these names are something else, or of another format. Nothing was written.
 * {InvalidArgumentError} {SqliteError}
 */
export async function createSqliteStreamStore(
  adapter: SqliteAdapter,
  options?: SqliteStreamOptions,
): Promise<StreamStore> {
  for (const method of ADAPTER_METHODS) {
    if (typeof (adapter as unknown as { [method: string]: unknown } | undefined)?.[method] === 'function') continue
    throw new InvalidArgumentError(
      'createSqliteStreamStore(adapter)',
      `an object with ${ADAPTER_METHODS.join(', ')}`,
      adapter,
    )
  }
  const given = checkOptions('createSqliteStreamStore', options, ['tables', 'format', 'runtime'])
  const { tables, format = 'kyneta' } = given
  const runtime = checkRuntime('createSqliteStreamStore', given.runtime)
  if (format !== 'kyneta' && format !== 'varve') {
    throw new InvalidArgumentError('createSqliteStreamStore(options.format)', "'kyneta' or 'varve'", format)
  }
  const streams = await retryBusy(runtime, () => (format === 'varve' ? openOwn : openKyneta)(adapter, tables))
  return new RecordStreams(new SqliteBackend(adapter, streams, runtime), runtime)
}

function openKyneta(adapter: SqliteAdapter, tables: object | undefined): SqliteStreams {
  const isV1 = tables === undefined ? hasOldTables(adapter) : Object.hasOwn(Object(tables) as object, 'meta')
  if (isV1) {
    const { meta, records } = checkTables(tables, TABLES_V1, ['meta', 'records'])
    if (records === TABLES_V1.records) mustNotBeOfV2(adapter, meta)
    makeTables(adapter, [
      [meta, DOC_META_SHAPE],
      [records, RECORDS_SHAPE],
    ])
    return new KynetaStreams(adapter, meta, records, sizeSql(adapter))
  }
  const { docMeta, records, storeMeta } = checkTables(tables, TABLES_V2, ['docMeta', 'records'])
  if (tables === undefined) mustNotBeOwn(adapter)
  makeTables(
    adapter,
    [
      [docMeta, DOC_META_SHAPE],
      [records, RECORDS_SHAPE],
      [storeMeta, STORE_META_SHAPE],
    ],
    { docs: docMeta, format: storeMeta },
  )
  return new KynetaStreams(adapter, docMeta, records, sizeSql(adapter))
}

function openOwn(adapter: SqliteAdapter, tables: object | undefined): SqliteStreams {
  const names = checkTables(tables, TABLES_OWN, ['docs', 'records', 'parts'])
  makeTables(
    adapter,
    [
      [names.docs, OWN_DOCS_SHAPE],
      [names.records, OWN_RECORDS_SHAPE],
      [names.parts, OWN_PARTS_SHAPE],
      [names.format, STORE_META_SHAPE],
    ],
    names,
  )
  return new OwnStreams(adapter, names)
}

/** @throws {InvalidArgumentError} the records under the default name are those of kyneta 2.x. */
function mustNotBeOfV2(adapter: SqliteAdapter, meta: string): void {
  if (!isTaken(adapter, TABLES_V2.docMeta)) return
  if (isTaken(adapter, meta) && !hasRows(adapter, TABLES_V2.docMeta)) return
  throw new InvalidArgumentError(
    'createSqliteStreamStore(options.tables)',
    `names for meta and records: this database has streams of kyneta 2.x, and "${TABLES_V2.records}" has their records`,
    meta,
  )
}

/** @throws {StreamFormatError} the streams of this database are in Varve's own format. */
function mustNotBeOwn(adapter: SqliteAdapter): void {
  if (isTaken(adapter, TABLES_V2.docMeta) || !isTaken(adapter, TABLES_OWN.docs)) return
  const wanted = "kyneta's tables, or none; open it with { format: 'varve' }, or name tables for another store"
  throw formatError('foreign-tables', "streams in Varve's own format", wanted, TABLES_OWN.docs)
}

/** Whether the documents of this database are those of kyneta 1.6, whose records are in a table that 2.x uses, too. */
function hasOldTables(adapter: SqliteAdapter): boolean {
  if (!isTaken(adapter, TABLES_V1.meta)) return false
  if (!isTaken(adapter, TABLES_V2.docMeta)) return true
  return !hasRows(adapter, TABLES_V2.docMeta) && hasRows(adapter, TABLES_V1.meta)
}

function hasRows(adapter: SqliteAdapter, table: string): boolean {
  return [...adapter.iterate(`SELECT 1 FROM ${quoteTable(table)} LIMIT 1`)].length > 0
}

/** Where a format keeps its version. */
interface Stamp {
  readonly docs: string
  readonly format: string
}

/** Makes what is not there of tables and stamp, all or nothing; where all is there, nothing is locked. */
function makeTables(
  adapter: SqliteAdapter,
  tables: readonly (readonly [name: string, shape: TableShape])[],
  stamp?: Stamp,
): void {
  const missing = tables.filter(([name, shape]) => !hasTable(adapter, name, shape))
  if (missing.length === 0 && (stamp === undefined || hasStamp(adapter, stamp))) return
  mustNotBeInTransaction(DATABASES.get(adapter), 'open')
  adapter.transaction(() => {
    // Somebody else may have made them meanwhile.
    for (const [name, shape] of tables) {
      if (!hasTable(adapter, name, shape)) adapter.exec(tableSql(name, shape))
    }
    if (stamp === undefined || hasStamp(adapter, stamp)) return
    const sql = `INSERT INTO ${quoteTable(stamp.format)} (key, value) VALUES ('format', ?)`
    adapter.exec(sql, JSON.stringify(FORMAT))
  })
}

/** Whether the tables have a version. @throws {StreamFormatError} it is none that is read here. */
function hasStamp(adapter: SqliteAdapter, { docs, format }: Stamp): boolean {
  const sql = `SELECT value FROM ${quoteTable(format)} WHERE key = 'format'`
  const [row] = [...adapter.iterate<{ value: unknown }>(sql)]
  const current = `${FORMAT.major}.${FORMAT.minor}`
  if (row === undefined) {
    if (hasRows(adapter, docs)) throw formatError('unversioned-existing-data', 'none', current, format)
    return false
  }
  const stored = parseStamp(row.value)
  if (stored === undefined) throw formatError('malformed-version', String(row.value), current, format)
  if (stored.major === FORMAT.major) return true
  throw formatError('incompatible-major', `${stored.major}.${stored.minor}`, current, format)
}

function parseStamp(value: unknown): { major: number; minor: number } | undefined {
  try {
    const { major, minor } = JSON.parse(value as string) as { major?: unknown; minor?: unknown }
    const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0
    return isCount(major) && isCount(minor) ? { major, minor } : undefined
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined
    throw error
  }
}

/** SQL for the bytes of a column: `octet_length` does not read a large value, and is there from SQLite 3.43 on. */
function sizeSql(adapter: SqliteAdapter): (column: string) => string {
  try {
    for (const _ of adapter.iterate("SELECT octet_length('')"));
    return (column) => `octet_length(${column})`
  } catch (error) {
    if (!/octet_length/.test(String(error))) throw error
    return (column) => `length(CAST(${column} AS BLOB))`
  }
}
