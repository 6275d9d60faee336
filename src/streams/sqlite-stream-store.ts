import { InvalidArgumentError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import type { SqliteAdapter } from '../sqlite/port.js'
import { checkRuntime, RecordStreams } from './record-streams.js'
import { SqliteBackend, type SqliteStreams } from './sqlite-backend.js'
import { retryBusy } from './sqlite-busy.js'
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
  options: SqliteStreamOptions = {},
): Promise<StreamStore> {
  for (const method of ADAPTER_METHODS) {
    if (typeof (adapter as unknown as { [method: string]: unknown } | undefined)?.[method] === 'function') continue
    throw new InvalidArgumentError(
      'createSqliteStreamStore(adapter)',
      `an object with ${ADAPTER_METHODS.join(', ')}`,
      adapter,
    )
  }
  const { tables, format = 'kyneta' } = options
  const runtime = checkRuntime('createSqliteStreamStore', options.runtime)
  if (format !== 'kyneta' && format !== 'varve') {
    throw new InvalidArgumentError('createSqliteStreamStore(options.format)', "'kyneta' or 'varve'", format)
  }
  const streams = await retryBusy(runtime, () => (format === 'varve' ? openOwn : openKyneta)(adapter, tables))
  return new RecordStreams(new SqliteBackend(adapter, streams, runtime), runtime)
}

function openKyneta(adapter: SqliteAdapter, tables: object | undefined): SqliteStreams {
  const isV1 = tables === undefined ? hasOldTables(adapter) : Object.hasOwn(tables, 'meta')
  if (isV1) {
    const { meta, records } = checkTables(tables, TABLES_V1)
    makeTables(adapter, [
      [meta, DOC_META_SHAPE],
      [records, RECORDS_SHAPE],
    ])
    return new KynetaStreams(adapter, meta, records, sizeSql(adapter))
  }
  const { docMeta, records, storeMeta } = checkTables(tables, TABLES_V2)
  makeTables(
    adapter,
    [
      [docMeta, DOC_META_SHAPE],
      [records, RECORDS_SHAPE],
      [storeMeta, STORE_META_SHAPE],
    ],
    () => checkStamp(adapter, docMeta, storeMeta),
  )
  return new KynetaStreams(adapter, docMeta, records, sizeSql(adapter))
}

function openOwn(adapter: SqliteAdapter, tables: object | undefined): SqliteStreams {
  const names = checkTables(tables, TABLES_OWN)
  makeTables(
    adapter,
    [
      [names.docs, OWN_DOCS_SHAPE],
      [names.records, OWN_RECORDS_SHAPE],
      [names.parts, OWN_PARTS_SHAPE],
      [names.format, STORE_META_SHAPE],
    ],
    () => checkStamp(adapter, names.docs, names.format),
  )
  return new OwnStreams(adapter, names)
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

/** Makes the tables that are not there, all or none. @param check looks at what is in them. */
function makeTables(
  adapter: SqliteAdapter,
  tables: readonly (readonly [name: string, shape: typeof DOC_META_SHAPE])[],
  check?: () => void,
): void {
  const missing = tables.filter(([name, shape]) => !hasTable(adapter, name, shape))
  if (missing.length === 0 && check === undefined) return
  adapter.transaction(() => {
    // Somebody else may have made them meanwhile.
    for (const [name, shape] of tables) {
      if (!hasTable(adapter, name, shape)) adapter.exec(tableSql(name, shape))
    }
    check?.()
  })
}

/** Sees to it that the tables have a version, and that it is one that is read here. In a transaction. */
function checkStamp(adapter: SqliteAdapter, docMeta: string, storeMeta: string): void {
  const table = quoteTable(storeMeta)
  const [row] = [...adapter.iterate<{ value: unknown }>(`SELECT value FROM ${table} WHERE key = 'format'`)]
  const current = `${FORMAT.major}.${FORMAT.minor}`
  if (row === undefined) {
    if (hasRows(adapter, docMeta)) throw formatError('unversioned-existing-data', 'none', current, storeMeta)
    adapter.exec(`INSERT OR IGNORE INTO ${table} (key, value) VALUES ('format', ?)`, JSON.stringify(FORMAT))
    return
  }
  const stored = parseStamp(row.value)
  if (stored === undefined) throw formatError('malformed-version', String(row.value), current, storeMeta)
  if (stored.major === FORMAT.major) return
  throw formatError('incompatible-major', `${stored.major}.${stored.minor}`, current, storeMeta)
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
