import { type AdapterOptions, adapterOf } from './adapter.js'
import type { Binding, BoundStatement } from './binding.js'
import { inTransactionOf } from './in-transaction.js'
import type { SqliteAdapter } from './port.js'
import { checkDatabase, type PreparingDatabase } from './recognise.js'
import { traitsOf } from './traits.js'

interface BunStatement {
  run(...values: unknown[]): { readonly changes: number | bigint }
  get(...values: unknown[]): unknown
  all(...values: unknown[]): unknown[]
  safeIntegers(enabled: boolean): unknown
  finalize(): void
}

/**
 * The adapter on a connection of `bun:sqlite`.
 *
 * @throws {InvalidArgumentError} it is none. {SqliteError} it is not open.
 */
export function fromBunSqlite(database: PreparingDatabase, options?: AdapterOptions): SqliteAdapter {
  checkDatabase('fromBunSqlite', database, 'an open database of bun:sqlite')
  return adapterOf('fromBunSqlite', bunBinding(database), options, database)
}

/** The binding of a connection of bun:sqlite. */
export function bunBinding(database: PreparingDatabase): Binding {
  const prepare = (sql: string): BoundStatement => bunStatement(database.prepare(sql) as BunStatement)
  return {
    traits: traitsOf(database, prepare),
    exec: (sql) => database.exec(sql),
    prepare,
    inTransaction: () => inTransactionOf(database),
    close: () => database.close(),
  }
}

function bunStatement(native: BunStatement): BoundStatement {
  return {
    run: (values) => native.run(...values).changes,
    get: (values) => native.get(...values),
    all: (values) => native.all(...values),
    widen() {
      native.safeIntegers(true)
    },
    finalize: () => native.finalize(),
  }
}
