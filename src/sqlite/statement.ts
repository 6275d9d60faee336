import { asError, InvalidArgumentError } from '../base/errors.js'
import { quietly } from '../base/quietly.js'
import type { ConnectionState } from './connection-state.js'
import { asSqliteError, SqliteError } from './error.js'
import { readExactly } from './exact-rows.js'
import { readSql, type SqlText } from './sql-text.js'
import { checkCount, normaliseBinds, normaliseRow, type SqliteBind, type SqliteRow, type Traits } from './values.js'

/** A prepared statement. It is reset after each call, so that none holds a lock or a snapshot. */
export interface SqliteStatement {
  /** Runs it. @returns how many rows were changed; 0 for what is no INSERT, UPDATE, DELETE or REPLACE. */
  run(...values: readonly SqliteBind[]): number
  /** The first row, or `undefined`. */
  get(...values: readonly SqliteBind[]): SqliteRow | undefined
  all(...values: readonly SqliteBind[]): SqliteRow[]
}

/** A statement of a binding. Each call takes as many values as it has parameters, and leaves it reset. */
export interface BoundStatement {
  /** @returns how many rows were changed; counts only for a statement that changes rows and answers none. */
  run(values: unknown[]): number | bigint
  get(values: unknown[]): unknown
  all(values: unknown[]): readonly unknown[]
  /**
   * From now on integers come as bigints. Absent where those beyond 2^53 always do, and where there is no way.
   */
  widen?(): void
  /** Frees it. Absent where the garbage collector does. */
  finalize?(): void
}

/** What changes rows. */
export const CHANGING: readonly string[] = ['INSERT', 'UPDATE', 'DELETE', 'REPLACE']
/** What may run a second time when the first time has shown that integers have to come as bigints. */
const REPEATABLE: readonly string[] = ['SELECT', 'VALUES', 'EXPLAIN']

/** The connection, as far as its statements need it. */
interface Host {
  readonly binding: {
    readonly traits: Traits
    readonly lossy?: true
    prepare(sql: string, text: SqlText): BoundStatement
  }
  readonly state: ConnectionState
  checkUsable(): void
  watch<T>(text: SqlText, run: () => T): T
  failed(thrown: unknown): SqliteError
  transaction<R>(fn: () => R): R
}

/** A statement of one connection: it comes back when it was freed and is used again. */
export class Statement implements SqliteStatement {
  readonly #connection: Host
  readonly #sql: string
  readonly #text: SqlText
  readonly #traits: Traits
  readonly #changes: boolean
  #native: BoundStatement | undefined
  /** True when integers come as bigints, where they are asked for. */
  #wide = false
  /** True while the binding runs it. */
  #running = false
  /** True when it is to be freed as soon as it has ended. */
  #stale = false

  constructor(connection: Host, sql: string) {
    const text = readSql(sql)
    if (text.statements !== 1) throw new InvalidArgumentError('SQL', 'one statement', `${text.statements} of them`)
    if (!text.plain) throw new InvalidArgumentError('SQL', 'parameters that are each a ?', sql)
    this.#connection = connection
    this.#sql = sql
    this.#text = text
    this.#traits = connection.binding.traits
    this.#changes = CHANGING.includes(text.verb)
    this.#must()
  }

  run(...values: SqliteBind[]): number {
    return this.runWith(values)
  }

  /** As `run`; `values` may be changed. */
  runWith(values: unknown[]): number {
    if (this.#running) return this.#another((one) => one.runWith(values))
    return this.#watched(() => this.#runReady(values))
  }

  #runReady(values: unknown[]): number {
    const native = this.#ready(values)
    this.#enter()
    try {
      // Some bindings answer a wrong number here, and some refuse to run it.
      if (this.#text.returning) return native.all(values).length
      const changes = native.run(values)
      return this.#changes ? Number(changes) : 0
    } catch (error) {
      throw this.#failed(error)
    } finally {
      this.#leave()
    }
  }

  get(...values: SqliteBind[]): SqliteRow | undefined {
    return this.#read(values, firstOf)[0]
  }

  all(...values: SqliteBind[]): SqliteRow[] {
    return this.allWith(values)
  }

  /** As `all`; `values` may be changed. */
  allWith(values: unknown[]): SqliteRow[] {
    return this.#read(values, allOf)
  }

  /** Frees it; it comes back when it is used again. While it runs, when it has ended. */
  finalize(): void {
    if (this.#running) {
      this.#stale = true
      return
    }
    const native = this.#native
    this.#native = undefined
    if (native?.finalize === undefined) return
    // It is thrown away: an error of the last run, which some bindings tell again here, was told then.
    quietly(() => native.finalize?.())
  }

  /** A function of the application, which SQL calls, uses the statement that calls it: there has to be a second one. */
  #another<T>(work: (one: Statement) => T): T {
    const one = new Statement(this.#connection, this.#sql)
    try {
      return work(one)
    } finally {
      one.finalize()
    }
  }

  #enter(): void {
    this.#running = true
    this.#connection.state.statements++
  }

  /** Safe twice. */
  #leave(): void {
    if (!this.#running) return
    this.#running = false
    this.#connection.state.statements--
    if (!this.#stale) return
    this.#stale = false
    this.finalize()
  }

  #must(): BoundStatement {
    if (this.#native !== undefined) return this.#native
    try {
      this.#native = this.#connection.binding.prepare(this.#sql, this.#text)
    } catch (error) {
      throw this.#connection.failed(error)
    }
    // What writes must not run twice, so its integers are taken whole from the start.
    if (this.#wide || !REPEATABLE.includes(this.#text.verb)) this.#widen(this.#native)
    return this.#native
  }

  /** Statements that begin or end transactions are few, and the others are not to be slowed down. */
  #watched<T>(run: () => T): T {
    const { begins, ends, savepoints } = this.#text
    if (!begins && savepoints.length === 0 && ends === '') return run()
    this.#connection.checkUsable()
    return this.#connection.watch(this.#text, run)
  }

  #ready(values: unknown[]): BoundStatement {
    this.#connection.checkUsable()
    checkCount(values.length, this.#text.parameters)
    normaliseBinds(values, this.#traits)
    return this.#must()
  }

  #read(values: unknown[], call: Call): SqliteRow[] {
    if (this.#running) return this.#another((one) => one.#read(values, call))
    return this.#watched(() => this.#readReady(values, call))
  }

  #readReady(values: unknown[], call: Call): SqliteRow[] {
    const native = this.#ready(values)
    const { lossy } = this.#connection.binding
    this.#enter()
    try {
      if (!lossy) return this.#readTwice(native, values, call)
      // What writes cannot run again: it is undone when its rows cannot be told.
      const read = (): SqliteRow[] => this.#readLossy(native, values, call)
      return this.#text.returning ? this.#connection.transaction(read) : read()
    } finally {
      this.#leave()
    }
  }

  /** Twice only where the first time has shown that integers have to come as bigints. */
  #readTwice(native: BoundStatement, values: unknown[], call: Call): SqliteRow[] {
    try {
      const rows = call(native, values)
      if (normaliseRows(rows) || this.#wide || native.widen === undefined) return rows
      this.#widen(native)
    } catch (error) {
      if (this.#wide || native.widen === undefined || !isOutOfRange(error)) throw this.#failed(error)
      this.#widen(native)
    }
    try {
      const rows = call(native, values)
      normaliseRows(rows)
      return rows
    } catch (error) {
      throw this.#failed(error)
    }
  }

  /** Reads where integers beyond 2^53 come rounded, or make it fail: then it runs again, as `readExactly` does. */
  #readLossy(native: BoundStatement, values: unknown[], call: Call): SqliteRow[] {
    const repeatable = this.#text.verb === 'SELECT' || this.#text.verb === 'VALUES'
    let refusal: unknown
    let first: SqliteRow | undefined
    try {
      const rows = call(native, values)
      if (normaliseRows(rows)) return rows
      first = rows[0]
      if (!repeatable) throw roundedError()
    } catch (error) {
      if (!repeatable || asSqliteError(error).result !== 'ERROR') throw this.#failed(error)
      refusal = error
    }
    // Where it fails as well, what was found first says more.
    const rows = quietly(() => this.#readExactly(values, first))
    if (rows !== undefined) {
      normaliseRows(rows)
      const isTooLarge = this.#traits.integers === 'never' && rows.some(hasBigint)
      if (!isTooLarge) return call === firstOf ? rows.slice(0, 1) : rows
    }
    throw refusal === undefined || rows !== undefined ? roundedError() : this.#failed(refusal)
  }

  /** With bigints where they have to be; `undefined` when there is no telling. Its errors are the binding's. */
  #readExactly(values: unknown[], first: SqliteRow | undefined): SqliteRow[] | undefined {
    const all = (wrapped: string, bound: unknown[]): readonly unknown[] => {
      const native = this.#connection.binding.prepare(wrapped, readSql(wrapped))
      const rows = native.all(bound)
      native.finalize?.()
      return rows
    }
    return readExactly(all, this.#sql, this.#text, values, first)
  }

  /** Whatever state the statement is in now: another one takes its place. node-sqlite3-wasm cannot reset one that has failed. */
  #failed(thrown: unknown): SqliteError {
    const error = asSqliteError(thrown)
    this.#leave()
    this.finalize()
    return this.#connection.failed(error)
  }

  #widen(native: BoundStatement): void {
    if (native.widen === undefined) return
    native.widen()
    this.#wide = true
  }
}

type Call = (native: BoundStatement, values: unknown[]) => SqliteRow[]

function firstOf(native: BoundStatement, values: unknown[]): SqliteRow[] {
  const row = native.get(values) as SqliteRow | null | undefined
  return row === undefined || row === null ? [] : [row]
}

function allOf(native: BoundStatement, values: unknown[]): SqliteRow[] {
  return native.all(values) as SqliteRow[]
}

function hasBigint(row: SqliteRow): boolean {
  return Object.values(row).some((value) => typeof value === 'bigint')
}

function normaliseRows(rows: readonly SqliteRow[]): boolean {
  let exact = true
  for (const row of rows) if (!normaliseRow(row)) exact = false
  return exact
}

/** node:sqlite, Deno and @photostructure/sqlite refuse to read an integer beyond 2^53 as a number. */
function isOutOfRange(thrown: unknown): boolean {
  const error = asError(thrown) as Error & { code?: unknown }
  return error.code === 'ERR_OUT_OF_RANGE' || error.message.startsWith('Value is too large to be represented')
}

function roundedError(): SqliteError {
  const message =
    'SQLite: a row has a number beyond 2^53, of which this binding does not tell whether it is an integer that was rounded; ' +
    'nothing was written; read it as text: CAST(… AS TEXT)'
  return new SqliteError(message, 'MISMATCH')
}
