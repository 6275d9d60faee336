import { asError } from '../base/errors.js'
import { quietly } from '../base/quietly.js'
import type { SqliteDatabase } from '../sqlite/binding.js'

/** How one connection runs a transaction. */
export interface Transactions {
  /**
   * Runs `work` as one transaction, which nobody else writes during: committed when it returns, rolled back when it throws.
   *
   * @throws what `work` throws, after everything is undone; {SqliteError} it could not begin, and `work` was not called; or
   * it could not commit, and `work` had returned: then it is not known here whether it is committed.
   */
  run<T>(work: () => T): T
  /** Ends what a rollback that failed has left open; outside of a transaction. @throws {SqliteError} it is still open. */
  recover(): void
  /** Begins and ends a transaction of nothing: finds out whether writing is possible at all. */
  probe(): void
}

/** The transactions of `database`: by statements, where those are allowed. */
export function transactionsOf(database: SqliteDatabase): Transactions {
  if (database.begins) return new StatementTransactions(database)
  return {
    run: (work) => database.transaction(work),
    recover: () => undefined,
    // What such a way does without a write is its own affair; the first write comes soon enough.
    probe: () => undefined,
  }
}

/**
 * `BEGIN IMMEDIATE`, `COMMIT` and `ROLLBACK`, and what to do when one of them fails. A transaction that somebody else has begun
 * on the connection is never ended here.
 */
class StatementTransactions implements Transactions {
  readonly #database: SqliteDatabase
  /** True when a statement failed that may have left a transaction open. */
  #isLeftOpen = false

  constructor(database: SqliteDatabase) {
    this.#database = database
  }

  run<T>(work: () => T): T {
    this.#begin()
    try {
      const result = work()
      this.#database.prepare('COMMIT').run()
      return result
    } catch (error) {
      // SQLite has rolled back by itself, or cannot: then `recover` tries again.
      if (quietly(() => this.#database.prepare('ROLLBACK').run()) === undefined) this.#isLeftOpen = true
      throw error
    }
  }

  recover(): void {
    if (this.#isLeftOpen) this.#rollBackLeftover()
  }

  probe(): void {
    this.#database.exec('BEGIN IMMEDIATE; ROLLBACK')
  }

  #begin(): void {
    try {
      this.#database.prepare('BEGIN IMMEDIATE').run()
    } catch (error) {
      // It may have begun all the same, unless somebody else's transaction was in the way.
      this.#isLeftOpen = !asError(error).message.includes('within a transaction')
      throw error
    }
  }

  /** Nobody may commit what is left open. */
  #rollBackLeftover(): void {
    try {
      this.#database.prepare('ROLLBACK').run()
    } catch (error) {
      if (!asError(error).message.includes('no transaction is active')) throw error
    }
    this.#isLeftOpen = false
  }
}
