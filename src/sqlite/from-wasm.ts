import { InvalidArgumentError } from '../base/errors.js'
import { type AdapterOptions, adapterOf } from './adapter.js'
import { type Binding, type BoundStatement, CHANGING } from './binding.js'
import { withFreshColumns } from './fresh-columns.js'
import { inTransactionOf } from './in-transaction.js'
import type { SqliteAdapter } from './port.js'
import { checkDatabase, type PreparingDatabase } from './recognise.js'
import { readSql } from './sql-text.js'
import { traitsOf } from './traits.js'

/** What `fromSqliteWasm` can be told. */
export interface SqliteWasmOptions extends AdapterOptions {
  /**
   * What the init function of @sqlite.org/sqlite-wasm resolved to. With it, whole numbers beyond 2^53 that are no bigints can be
   * bound; without, they are refused, because `Stmt.bind` makes other numbers of them.
   */
  readonly sqlite3?: {
    readonly capi: {
      sqlite3_bind_double(statement: never, index: number, value: number): number
      sqlite3_get_autocommit(database: never): number
    }
  }
}

/** A connection of @sqlite.org/sqlite-wasm. */
interface Oo1Database extends PreparingDatabase {
  readonly pointer?: unknown
  changes(): number
  /** Name of the file system that the database is on. */
  dbVfsName?(): string | undefined
}

interface Oo1Statement {
  readonly columnCount: number
  readonly pointer?: unknown
  bind(index: number, value: unknown): unknown
  step(): boolean
  get(column: number): unknown
  getBlob(column: number): Uint8Array | null
  getColumnName(column: number): string
  reset(clearBindings: boolean): unknown
  finalize(): unknown
}

/** A statement of node-sqlite3-wasm. */
interface NswStatement {
  run(values: unknown[]): { readonly changes: number }
  all(values: unknown[]): unknown[]
  finalize(): void
}

/**
 * The adapter on a connection of SQLite in WebAssembly: of @sqlite.org/sqlite-wasm (`oo1.DB`, `oo1.OpfsDb`, or what
 * `installOpfsSAHPoolVfs` has made), or of node-sqlite3-wasm, which refuses text with a NUL character.
 *
 * @throws {InvalidArgumentError} it is neither. {SqliteError} it is not open.
 */
export function fromSqliteWasm(database: PreparingDatabase, options?: SqliteWasmOptions): SqliteAdapter {
  const expected = 'an open database of @sqlite.org/sqlite-wasm or node-sqlite3-wasm'
  checkDatabase('fromSqliteWasm', database, expected)
  const capi = options?.sqlite3?.capi as unknown as Capi | undefined
  if (options?.sqlite3 !== undefined && CAPI.some((name) => typeof capi?.[name] !== 'function')) {
    throw new InvalidArgumentError('fromSqliteWasm(options.sqlite3)', 'the module with capi', options.sqlite3)
  }
  const isOo1 = typeof (database as Partial<Oo1Database>).changes === 'function'
  const binding = isOo1 ? oo1Binding(database as Oo1Database, capi) : nswBinding(database)
  return adapterOf('fromSqliteWasm', binding, options, database)
}

type BindDouble = (statement: unknown, index: number, value: number) => number

/** What is used of the C interface. */
interface Capi {
  readonly sqlite3_bind_double: BindDouble
  readonly sqlite3_get_autocommit: (database: unknown) => number
}

const CAPI: readonly (keyof Capi)[] = ['sqlite3_bind_double', 'sqlite3_get_autocommit']

function oo1Binding(database: Oo1Database, capi: Capi | undefined): Binding {
  const bindDouble = capi?.sqlite3_bind_double
  const vfs = database.dbVfsName?.()
  return {
    traits: { integers: 'all', nul: true, ...(bindDouble === undefined ? { wholeUnsafe: true } : {}) },
    exec: (sql) => database.exec(sql),
    prepare: (sql) => oo1Statement(database, database.prepare(sql) as Oo1Statement, bindDouble),
    survives: vfs?.startsWith('opfs') === true ? 'disk' : vfs === 'kvvfs' ? 'process' : 'memory',
    inTransaction() {
      if (capi === undefined || database.pointer === undefined) return undefined
      return capi.sqlite3_get_autocommit(database.pointer) === 0
    },
    close: () => database.close(),
  }
}

function oo1Statement(database: Oo1Database, native: Oo1Statement, bindDouble: BindDouble | undefined): BoundStatement {
  const run = <T>(values: readonly unknown[], read: () => T): T => {
    for (let i = 0; i < values.length; i++) bindOne(native, i + 1, values[i], bindDouble)
    const result = read()
    native.reset(true)
    return result
  }
  const rows = (limit: number): unknown[] => {
    const found: unknown[] = []
    let names: string[] | undefined
    while (native.step()) {
      // Known after the first step only: it takes notice of a changed schema.
      names ??= Array.from({ length: native.columnCount }, (_, column) => native.getColumnName(column))
      const row: { [column: string]: unknown } = {}
      for (const [column, name] of names.entries()) setColumn(row, name, readColumn(native, column))
      found.push(row)
      if (found.length === limit) break
    }
    return found
  }
  return {
    run: (values) =>
      run(values, () => {
        while (native.step());
        return database.changes()
      }),
    get: (values) => run(values, () => rows(1)[0]),
    all: (values) => run(values, () => rows(Number.POSITIVE_INFINITY)),
    finalize: () => void native.finalize(),
  }
}

function bindOne(native: Oo1Statement, index: number, value: unknown, bindDouble: BindDouble | undefined): void {
  if (bindDouble === undefined || typeof value !== 'number' || Number.isSafeInteger(value)) native.bind(index, value)
  else bindDouble(native.pointer, index, value)
}

const DECODER = new TextDecoder('utf-8', { ignoreBOM: true })

/** `Stmt.get` drops a byte order mark at the beginning of a text. */
function readColumn(native: Oo1Statement, column: number): unknown {
  const value = native.get(column)
  if (typeof value !== 'string') return value
  const bytes = native.getBlob(column)
  return bytes === null ? value : DECODER.decode(bytes)
}

function setColumn(row: { [column: string]: unknown }, name: string, value: unknown): void {
  if (name !== '__proto__') row[name] = value
  else Object.defineProperty(row, name, { value, configurable: true, enumerable: true, writable: true })
}

function nswBinding(database: PreparingDatabase): Binding {
  const prepare = (sql: string): BoundStatement => nswStatement(database.prepare(sql) as NswStatement, sql)
  return {
    traits: traitsOf(database, prepare),
    exec: (sql) => database.exec(sql),
    prepare: withFreshColumns(prepare),
    inTransaction: () => inTransactionOf(database),
    close: () => database.close(),
  }
}

/** Its own `get`, and `run` of what answers rows, leave the statement open at the first of them. */
function nswStatement(native: NswStatement, sql: string): BoundStatement {
  const changes = CHANGING.includes(readSql(sql).verb)
  return {
    run: (values) => (changes ? native.run(values).changes : native.all(values).length),
    get: (values) => native.all(values)[0],
    all: (values) => native.all(values),
    finalize: () => native.finalize(),
  }
}
