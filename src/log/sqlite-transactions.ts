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

/** The transactions of `database`: by statements, unless it has a way of its own. */
export function transactionsOf(database: SqliteDatabase): Transactions {
  const { transaction } = database
  if (transaction === undefined) return new StatementTransactions(database)
  return {
    run: (work) => transaction.call(database, work) as ReturnType<typeof work>,
    // What such a way does without a write is its own affair: the store's first write comes at once, see `takeOver`.
    probe: () => undefined,
    recover: () => undefined,
  }
}

/** `BEGIN IMMEDIATE`, `COMMIT` and `ROLLBACK`, and what to do when the last one fails. */
class StatementTransactions implements Transactions {
  readonly #database: SqliteDatabase
  /** A rollback failed: there may be a transaction open. */
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
    const begin = this.#database.prepare('BEGIN IMMEDIATE')
    try {
      begin.run()
    } catch (error) {
      if (!asError(error).message.includes('within a transaction')) throw error
      this.#rollBackLeftover()
      begin.run()
    }
  }

  /** A rollback that failed may have left a transaction open, which nobody may commit now. */
  #rollBackLeftover(): void {
    try {
      this.#database.prepare('ROLLBACK').run()
    } catch (error) {
      if (!asError(error).message.includes('no transaction is active')) throw error
    }
    this.#isLeftOpen = false
  }
}
