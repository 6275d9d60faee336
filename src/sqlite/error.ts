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
 * Result codes by what SQLite says, for errors that carry none: all of node-sqlite3-wasm, those of Deno's `exec`, of `all` of
 * @photostructure/sqlite. Each is the whole message, or its beginning up to where names of the application begin: those must not
 * decide. Source: sqlite3ErrStr in https://sqlite.org/src, main.c
 */
const MESSAGES: readonly (readonly [words: RegExp, result: string])[] = [
  [/^(?:(?:UNIQUE|NOT NULL|CHECK|FOREIGN KEY|PRIMARY KEY) )?constraint failed(?:: |$)/, 'CONSTRAINT'],
  [/^cannot store \w+ value in \w+ column /, 'CONSTRAINT'],
  [/^database (?:table|schema) is locked(?:: |$)/, 'LOCKED'],
  [/^database is locked$/, 'BUSY'],
  [/^attempt to write a readonly database$/, 'READONLY'],
  [/^disk I\/O error$/, 'IOERR'],
  [/^database disk image is malformed$|^malformed database schema \(/, 'CORRUPT'],
  [/^database or disk is full$/, 'FULL'],
  [/^unable to open database(?: file$|: )|^cannot open database/i, 'CANTOPEN'],
  [/^file is not a database$/, 'NOTADB'],
  [/^(?:string or blob|row) too big$|^statement too long$/, 'TOOBIG'],
  [/^datatype mismatch$/, 'MISMATCH'],
  [/^interrupted$/, 'INTERRUPT'],
  [/^out of memory$/, 'NOMEM'],
  [/^column index out of range$/, 'RANGE'],
  [/^not authorized(?: to use function: |$)|^authorization denied$/, 'AUTH'],
  [/^database schema has changed$/, 'SCHEMA'],
  [/^access permission denied$/, 'PERM'],
  [/^locking protocol$/, 'PROTOCOL'],
  [/^(?:bad parameter or other API misuse|library routine called out of sequence)$/, 'MISUSE'],
]

/** What bindings say by themselves about a connection or a statement that is no more. */
const CLOSED =
  /^(?:(?:the )?database (?:connection )?(?:is not open|is closed|already closed|has closed)|cannot use a closed database|DB has been closed|statement has (?:been )?finalized|statement (?:is |was |already )+finalized)\.?$/i

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
  if (number !== undefined && number !== 1) {
    return new SqliteError(message, RESULTS[number & 0xff] ?? 'ERROR', number, { cause: error })
  }
  if (named !== undefined && named !== 'ERROR') return new SqliteError(message, named, undefined, { cause: error })
  const isTold = number !== undefined || named !== undefined
  // @sqlite.org/sqlite-wasm answers 1 when it is closed.
  const result = CLOSED.test(message) ? 'MISUSE' : isTold ? 'ERROR' : resultIn(error)
  return new SqliteError(message, result, number, { cause: error })
}

function resultIn({ name, code, message }: BindingError): string {
  // Durable Objects: "UNIQUE constraint failed: a.x: SQLITE_CONSTRAINT (extended: …)".
  const last =
    name === 'Error' && code === undefined ? /: SQLITE_([A-Z]+)(?: \([^()]*\))?$/.exec(message)?.[1] : undefined
  return last ?? MESSAGES.find(([words]) => words.test(message))?.[1] ?? 'ERROR'
}

/** The error of a call on an adapter that was closed. */
export function closedError(): SqliteError {
  return new SqliteError('SQLite: the adapter is closed; nothing was done; make another one', 'MISUSE')
}

/** The error of closing an adapter in a function that one of its statements calls. */
export function runningError(): SqliteError {
  const message =
    'SQLite: close was called by a function that a statement has called; nothing was closed; close when it has ended'
  return new SqliteError(message, 'MISUSE')
}
