import type { SqliteBind } from './values.js'

/**
 * A connection to SQLite as record streams, and whoever else shares it, use it: four methods, all synchronous. Those that
 * `varve/sqlite` makes treat values and errors alike on every binding; any other object with these methods works, too.
 *
 * Source: the port of @kyneta/sqlite-store, whose adapters fit.
 */
export interface SqliteAdapter {
  /** Runs a statement; without `params` it may be several. Rows are discarded. @throws {SqliteError} */
  exec(sql: string, ...params: readonly SqliteBind[]): void
  /**
   * The rows of one statement, in its order, each an object by column name. The statement has ended before the first row
   * is handed out: none stays open, and writing while somebody goes through the rows is allowed.
   *
   * @throws {SqliteError} when it is called, or when the first row is asked for.
   */
  iterate<T = Readonly<Record<string, unknown>>>(sql: string, ...params: readonly SqliteBind[]): Iterable<T>
  /**
   * Runs `fn` as one unit: committed when it returns, rolled back when it throws. Within another one it is a savepoint.
   *
   * @throws whatever `fn` throws, after everything is undone; {SqliteError} when it cannot begin or commit.
   */
  transaction<R>(fn: () => R): R
  /** Lets go of the connection; safe twice. One that was handed in is closed only when its adapter was told to own it. */
  close(): void
}
