import { asError, VarveError } from '../base/errors.js'

/** SQLite refused something. `result` is the primary result code without its prefix, such as `FULL` or `BUSY`. */
export class SqliteError extends VarveError {
  override readonly name = 'SqliteError'
  readonly result: string
  /** Extended result code, where the binding tells it. */
  readonly extended: number | undefined

  constructor(message: string, result: string, extended?: number, options?: ErrorOptions) {
    super(`SQLITE_${result}`, message, options)
    this.result = result
    this.extended = extended
  }
}

/** Primary result codes by number. Source: https://sqlite.org/rescode.html */
const RESULTS: readonly string[] = (
  'OK ERROR INTERNAL PERM ABORT BUSY LOCKED NOMEM READONLY INTERRUPT IOERR CORRUPT NOTFOUND FULL CANTOPEN ' +
  'PROTOCOL EMPTY SCHEMA TOOBIG CONSTRAINT MISMATCH MISUSE NOLFS AUTH FORMAT RANGE NOTADB'
).split(' ')

/**
 * Result codes by what SQLite says, for errors that carry no code: all of node-sqlite3-wasm, those of Deno's `exec`, and
 * what bindings say by themselves about a connection that is closed. Source: sqlite3ErrStr in https://sqlite.org/src, main.c
 */
const MESSAGES: readonly (readonly [words: RegExp, result: string])[] = [
  [/constraint failed/, 'CONSTRAINT'],
  [/database table is locked|database schema is locked/, 'LOCKED'],
  [/database is locked/, 'BUSY'],
  [/readonly database/, 'READONLY'],
  [/disk I\/O error/, 'IOERR'],
  [/disk image is malformed|malformed database schema/, 'CORRUPT'],
  [/database or disk is full/, 'FULL'],
  [/unable to open database|cannot open database/, 'CANTOPEN'],
  [/file is not a database/, 'NOTADB'],
  [/too big/, 'TOOBIG'],
  [/datatype mismatch/, 'MISMATCH'],
  [/^interrupted$/, 'INTERRUPT'],
  [/out of memory/, 'NOMEM'],
  [/column index out of range/, 'RANGE'],
  [/not authorized|authorization denied/, 'AUTH'],
  [/schema has changed/, 'SCHEMA'],
  [/access permission denied/, 'PERM'],
  [/locking protocol/, 'PROTOCOL'],
  [
    /database (connection )?(is |has |already )+(been )?(not open|closed|already closed)|closed database|has finalized|API misuse/i,
    'MISUSE',
  ],
]

/** What errors of the bindings carry: each of them something else. */
interface BindingError extends Error {
  /** node:sqlite, @photostructure/sqlite. */
  readonly errcode?: unknown
  /** bun:sqlite. */
  readonly errno?: unknown
  /** libsql. */
  readonly rawCode?: unknown
  /** @sqlite.org/sqlite-wasm. */
  readonly resultCode?: unknown
  /** better-sqlite3, libsql, bun:sqlite: the name of the code. */
  readonly code?: unknown
}

/** The error in `thrown` as a `SqliteError` with that as its `cause`, whichever binding it comes from. */
export function asSqliteError(thrown: unknown): SqliteError {
  if (thrown instanceof SqliteError) return thrown
  const error = asError(thrown) as BindingError
  const { message } = error
  const named = typeof error.code === 'string' ? /^SQLITE_([A-Z]+)/.exec(error.code)?.[1] : undefined
  const number = [error.errcode, error.rawCode, error.resultCode, named === undefined ? undefined : error.errno].find(
    (code): code is number => typeof code === 'number' && code > 0,
  )
  // Bindings answer 1 for complaints of their own, too: then the words say more.
  if (number !== undefined && number !== 1) {
    return new SqliteError(message, RESULTS[number & 0xff] ?? 'ERROR', number, { cause: error })
  }
  if (named !== undefined && named !== 'ERROR') return new SqliteError(message, named, undefined, { cause: error })
  // Durable Objects: "UNIQUE constraint failed: a.x: SQLITE_CONSTRAINT (extended: …)".
  const result =
    /: SQLITE_([A-Z]+)(?: \(|$)/.exec(message)?.[1] ?? MESSAGES.find(([words]) => words.test(message))?.[1] ?? 'ERROR'
  return new SqliteError(message, result, number, { cause: error })
}

/** The error of a call on an adapter that was closed. */
export function closedError(): SqliteError {
  return new SqliteError('SQLite: the adapter is closed; nothing was done; make another one', 'MISUSE')
}
