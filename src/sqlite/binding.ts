import { InvalidArgumentError } from '../base/errors.js'
import { quietly } from '../base/quietly.js'
import { type ConnectionState, stateOf } from './connection-state.js'
import { asSqliteError, closedError, runningError, type SqliteError } from './error.js'
import { readSql, type SqlText } from './sql-text.js'
import { type BoundStatement, type SqliteStatement, Statement } from './statement.js'
import { Transactions } from './transactions.js'
import { checkCount, type Traits } from './values.js'

export { asSqliteError, SqliteError } from './error.js'
export { type BoundStatement, CHANGING, type SqliteStatement } from './statement.js'
export type { SqliteBind, SqliteRow, SqliteValue } from './values.js'

/** A connection, reduced to what every binding can do. All calls are synchronous and throw `SqliteError`. */
export interface SqliteDatabase {
  /** Runs one or more statements without parameters, rows discarded. */
  exec(sql: string): void
  /** A statement for `sql`, made once and kept for the next call with the same text. It may be kept as long as the connection. */
  prepare(sql: string): SqliteStatement
  /**
   * Runs `fn` as one unit, by BEGIN IMMEDIATE; within another one, and where the caller of the connection has one open, by a
   * savepoint; in a Durable Object by `transactionSync`, since BEGIN and SAVEPOINT are not allowed there.
   *
   * @throws whatever `fn` throws, after everything is undone; {SqliteError} it cannot begin or commit: nothing was written.
   */
  transaction<R>(fn: () => R): R
  /**
   * True while a transaction is open on the connection, whoever has begun it: `transaction`, a BEGIN or SAVEPOINT through any
   * adapter, or one on the raw connection. `undefined` where nobody can tell: in Durable Objects and on adapters of others,
   * outside of a `transaction` of ours.
   *
   * @throws {SqliteError} the adapter or the connection is closed.
   */
  isInTransaction(): boolean | undefined
  /** False where BEGIN, COMMIT and SAVEPOINT are not to be used, only `transaction`: in Durable Objects and on adapters of others. */
  readonly begins: boolean
  /** Resolves when everything that was committed survives a power cut. Absent where `PRAGMA synchronous` decides. */
  sync?(): Promise<void>
  /** What the strongest commit survives, where the binding knows: the process, a power cut, or neither. */
  readonly survives?: Survives
  /**
   * Closes the connection; safe twice. A connection that was handed in stays open.
   *
   * @throws {SqliteError} a statement is running, of whatever adapter on the connection, which has called a function of the
   * application: nothing was closed.
   */
  close(): void
}

/** What data outlives: nothing, the process, a power cut. */
export type Survives = 'memory' | 'process' | 'disk'

/** A way to open files with one of the bindings. */
export interface SqliteDriver {
  /** Name of the package or module. */
  readonly name: string
  /** @param path absolute, or `:memory:`. @param readOnly true: it is neither made nor changed. */
  open(path: string, readOnly?: boolean): SqliteDatabase
}

/** A connection of a binding, as far as the bindings differ. Its errors, and the values in its rows, are its own. */
export interface Binding {
  readonly traits: Traits
  /** Runs several statements without parameters. */
  exec(sql: string): unknown
  prepare(sql: string, text: SqlText): BoundStatement
  /** True where integers beyond 2^53 come rounded, or make a read fail, and statements have no `widen`. */
  readonly lossy?: true
  /** True while a transaction is open. `undefined`, or absent: it cannot tell. */
  inTransaction?(): boolean | undefined
  /** Where BEGIN is not allowed: what is there instead. It nests. */
  transaction?<R>(fn: () => R): R
  sync?(): Promise<void>
  readonly survives?: Survives
  close(): unknown
}

/** SQL that may have parameters, or no statement. */
const NEEDS_A_LOOK = /[?:@$#]|^\s*(?:$|--|\/\*)/
/** SQL that may begin or end a transaction. */
const TRANSACTIONAL = /\b(?:BEGIN|SAVEPOINT|RELEASE|COMMIT|END|ROLLBACK)\b/i

/** Statements kept per connection. A store uses about six per bucket. */
const STATEMENTS_MAX = 2_000

/**
 * Makes a binding's connection into a `SqliteDatabase`: values and errors are the same whatever it stands on, statements are
 * kept, none stays open, transactions nest.
 *
 * @param owned false for a connection that was handed in: `close` then leaves it open.
 * @param native what tells connections apart, where several of these are on one.
 */
export class Connection implements SqliteDatabase {
  readonly binding: Binding
  readonly begins: boolean
  readonly survives?: Survives
  readonly sync?: () => Promise<void>
  readonly state: ConnectionState
  readonly #owned: boolean
  readonly #statements = new Map<string, Statement>()
  /** The statements that begin and end transactions: they run whatever state the connection is in. */
  readonly #commands = new Map<string, BoundStatement>()
  readonly #transactions: Transactions
  #open = true

  constructor(binding: Binding, owned: boolean, native: object = binding) {
    this.binding = binding
    this.#owned = owned
    this.begins = binding.transaction === undefined
    if (binding.survives !== undefined) this.survives = binding.survives
    const { sync } = binding
    if (sync !== undefined) this.sync = () => sync.call(binding)
    this.state = stateOf(native)
    this.#transactions = new Transactions(this)
  }

  /** @throws {SqliteError} it was closed, or the transaction that is running has been undone or ended. */
  checkUsable(): void {
    if (!this.#open) throw closedError()
    this.#transactions.checkWhole()
  }

  exec(sql: string): void {
    this.checkUsable()
    if (typeof sql !== 'string') throw new InvalidArgumentError('SQL', 'a string', sql)
    if (NEEDS_A_LOOK.test(sql)) {
      const { parameters, statements } = readSql(sql)
      checkCount(0, parameters)
      // Refused by some of the bindings.
      if (statements === 0) return
    }
    const run = (): unknown => {
      this.state.statements++
      try {
        return this.binding.exec(sql)
      } catch (error) {
        throw this.failed(error)
      } finally {
        this.state.statements--
      }
    }
    if (TRANSACTIONAL.test(sql)) this.watch(readSql(sql), run)
    else run()
  }

  prepare(sql: string): Statement {
    const known = this.#statements.get(sql)
    if (known !== undefined && this.#open) return known
    this.checkUsable()
    if (typeof sql !== 'string') throw new InvalidArgumentError('SQL', 'a string', sql)
    const statement = new Statement(this, sql)
    if (this.#statements.size >= STATEMENTS_MAX) this.#dropStatements()
    this.#statements.set(sql, statement)
    return statement
  }

  command(sql: string): void {
    let native = this.#commands.get(sql)
    if (native === undefined) {
      native = this.binding.prepare(sql, readSql(sql))
      this.#commands.set(sql, native)
    }
    try {
      native.run([])
    } catch (error) {
      this.#commands.delete(sql)
      const thrownAway = native
      // It says once more what it has just said.
      quietly(() => thrownAway.finalize?.())
      throw error
    }
  }

  transaction<R>(fn: () => R): R {
    if (!this.#open) throw closedError()
    return this.#transactions.run(fn)
  }

  isInTransaction(): boolean | undefined {
    if (!this.#open) throw closedError()
    try {
      return this.#transactions.isOpen()
    } catch (error) {
      throw asSqliteError(error)
    }
  }

  /** What `thrown` by the binding is to be thrown on. */
  failed(thrown: unknown): SqliteError {
    const error = asSqliteError(thrown)
    this.#transactions.afterError()
    return error
  }

  /** Runs a statement with `run`, and keeps account of the transaction that it begins or ends. */
  watch<T>(text: SqlText, run: () => T): T {
    return this.#transactions.watch(text, run)
  }

  close(): void {
    if (!this.#open) return
    // node:sqlite ends the process, others read memory that is no more theirs.
    if (this.state.statements > 0) throw runningError()
    if (this.begins && (this.state.owner === this || this.#owned)) this.#rollBackWhatIsOpen()
    this.#dropStatements()
    this.#open = false
    if (!this.#owned) return
    try {
      this.binding.close()
    } catch (error) {
      throw asSqliteError(error)
    }
  }

  #rollBackWhatIsOpen(): void {
    // A transaction that is left open would keep its lock: @photostructure/sqlite closes a connection only when the
    // last of its statements has been collected as garbage. Mostly there is none, and this fails.
    quietly(() => this.binding.exec('ROLLBACK'))
    this.state.owner = undefined
  }

  /** They are made anew when they are used again. */
  #dropStatements(): void {
    for (const statement of this.#statements.values()) statement.finalize()
    this.#statements.clear()
    for (const native of this.#commands.values()) native.finalize?.()
    this.#commands.clear()
  }
}
