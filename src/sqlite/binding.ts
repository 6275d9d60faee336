import { quietly } from '../base/quietly.js'
import { asError, VarveError } from '../base/errors.js'

/** What can be bound to a parameter. Booleans become 0 and 1, `undefined` becomes NULL, in every binding. */
export type SqliteBind = string | number | bigint | boolean | Uint8Array | null | undefined

/** What a column holds. A BLOB is a `Uint8Array` in every binding. */
export type SqliteValue = string | number | bigint | Uint8Array | null

/** A row by column name. It may lack a prototype. */
export type SqliteRow = { readonly [column: string]: SqliteValue }

/** A prepared statement. It is reset after each call, so that none holds a lock or a snapshot. */
export interface SqliteStatement {
  /** Runs it. @returns how many rows were changed. */
  run(...values: readonly SqliteBind[]): number
  /** The first row, or `undefined`. */
  get(...values: readonly SqliteBind[]): SqliteRow | undefined
  all(...values: readonly SqliteBind[]): SqliteRow[]
}

/** A connection, reduced to what every binding can do. All calls are synchronous and throw `SqliteError`. */
export interface SqliteDatabase {
  /** Runs one or more statements without parameters, rows discarded. */
  exec(sql: string): void
  /** A statement for `sql`, made once and kept for the next call with the same text. */
  prepare(sql: string): SqliteStatement
  /** Closes the connection; safe twice. A connection that was handed in stays open. */
  close(): void
  /**
   * Runs `fn` as one unit: committed when it returns, rolled back when it throws. Where it is there, transactions run
   * through it and by no statement (Durable Objects refuse `BEGIN`); absent: `BEGIN IMMEDIATE` and `COMMIT` do.
   */
  transaction?<R>(fn: () => R): R
  /** Resolves when all that is committed survives a power cut. Absent: a commit with `synchronous=FULL` does by itself. */
  sync?(): Promise<void>
  /** What a commit survives at best, where the binding knows that. */
  readonly survives?: 'memory' | 'process' | 'disk'
}

/** A way to open files with one of the bindings. */
export interface SqliteDriver {
  /** Name of the package or module. */
  readonly name: string
  /** @param path absolute, or `:memory:`. @param readOnly true: it is neither made nor changed. */
  open(path: string, readOnly?: boolean): SqliteDatabase
}

/** SQLite refused something. `result` is the primary result code without its prefix, such as `FULL` or `BUSY`. */
export class SqliteError extends VarveError {
  override readonly name = 'SqliteError'
  readonly result: string
  /** Extended result code, where the binding tells it. */
  readonly extended: number | undefined

  constructor(message: string, result: string, extended: number | undefined, options?: ErrorOptions) {
    super(`SQLITE_${result}`, message, options)
    this.result = result
    this.extended = extended
  }
}

/** The part of a binding's connection that is used: node:sqlite, @photostructure/sqlite and better-sqlite3 all have it. */
export interface NativeDatabase {
  exec(sql: string): unknown
  prepare(sql: string): NativeStatement
  close(): unknown
}

interface NativeStatement {
  run(...values: unknown[]): { readonly changes: number | bigint }
  get(...values: unknown[]): unknown
  all(...values: unknown[]): unknown[]
}

/** Statements kept per connection. A store uses about six per bucket. */
const STATEMENTS_MAX = 2_000

/** Primary result codes by number. Source: https://sqlite.org/rescode.html */
const RESULTS: readonly string[] = (
  'OK ERROR INTERNAL PERM ABORT BUSY LOCKED NOMEM READONLY INTERRUPT IOERR CORRUPT NOTFOUND FULL CANTOPEN ' +
  'PROTOCOL EMPTY SCHEMA TOOBIG CONSTRAINT MISMATCH MISUSE NOLFS AUTH FORMAT RANGE NOTADB'
).split(' ')

/**
 * Makes a binding's connection into a `SqliteDatabase`: binds, BLOBs and errors normalised, statements kept.
 *
 * @param owned false for a connection that was handed in: `close` then leaves it open.
 */
export function wrapDatabase(native: NativeDatabase, owned: boolean): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>()
  let open = true
  return {
    exec: (sql) => void guard(() => native.exec(sql)),
    prepare(sql) {
      const known = statements.get(sql)
      if (known !== undefined) return known
      const statement = wrapStatement(guard(() => native.prepare(sql)))
      if (statements.size >= STATEMENTS_MAX) statements.clear()
      statements.set(sql, statement)
      return statement
    },
    close() {
      statements.clear()
      if (!open) return
      open = false
      // A transaction that is left open would keep its lock: @photostructure/sqlite closes a connection only when the
      // last of its statements has been collected as garbage. Mostly there is none, and this fails.
      quietly(() => native.exec('ROLLBACK'))
      if (owned) guard(() => native.close())
    },
  }
}

/** The error in `thrown` as a `SqliteError`, whichever binding it comes from. */
export function asSqliteError(thrown: unknown): SqliteError {
  if (thrown instanceof SqliteError) return thrown
  const error = asError(thrown) as Error & { errcode?: unknown; code?: unknown }
  if (typeof error.errcode === 'number') {
    return new SqliteError(error.message, RESULTS[error.errcode & 0xff] ?? 'ERROR', error.errcode, { cause: error })
  }
  const named = typeof error.code === 'string' ? /^SQLITE_([A-Z]+)/.exec(error.code)?.[1] : undefined
  return new SqliteError(error.message, named ?? 'ERROR', undefined, { cause: error })
}

function guard<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw asSqliteError(error)
  }
}

function wrapStatement(native: NativeStatement): SqliteStatement {
  return {
    run(...values) {
      try {
        return Number(native.run(...binds(values)).changes)
      } catch (error) {
        throw asSqliteError(error)
      }
    },
    get: (...values) => guard(() => normaliseRow(native.get(...binds(values)))),
    all: (...values) => guard(() => native.all(...binds(values)).map((row) => normaliseRow(row) as SqliteRow)),
  }
}

function binds(values: readonly SqliteBind[]): unknown[] {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]
    if (typeof value === 'boolean' || value === undefined) return values.map(normaliseBind)
  }
  return values as unknown[]
}

function normaliseBind(value: SqliteBind): SqliteBind {
  if (value === undefined) return null
  return typeof value === 'boolean' ? Number(value) : value
}

function normaliseRow(row: unknown): SqliteRow | undefined {
  if (row === undefined || row === null) return undefined
  const columns = row as { [column: string]: unknown }
  for (const column of Object.keys(columns)) {
    const value = columns[column]
    if (typeof value !== 'object' || value === null) continue
    if (value instanceof ArrayBuffer) columns[column] = new Uint8Array(value)
    else if (ArrayBuffer.isView(value))
      columns[column] = new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  }
  return columns as SqliteRow
}
