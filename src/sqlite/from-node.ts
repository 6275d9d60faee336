import { type AdapterOptions, adapterOf } from './adapter.js'
import type { Binding, BoundStatement } from './binding.js'
import { withFreshColumns } from './fresh-columns.js'
import { inTransactionOf } from './in-transaction.js'
import type { SqliteAdapter } from './port.js'
import { checkDatabase, type PreparingDatabase } from './recognise.js'
import { traitsOf } from './traits.js'

interface NodeStatement {
  run(...values: unknown[]): { readonly changes: number | bigint }
  get(...values: unknown[]): unknown
  all(...values: unknown[]): unknown[]
  setReadBigInts(enabled: boolean): unknown
  /** Absent before Node.js 22.16. */
  setReturnArrays?(enabled: boolean): unknown
}

/**
 * The adapter on a connection of `node:sqlite` (`DatabaseSync`), or of @photostructure/sqlite, which has the same interface
 * and runs on Node 20.
 *
 * @throws {InvalidArgumentError} it is none.
 */
export function fromNodeSqlite(database: PreparingDatabase, options?: AdapterOptions): SqliteAdapter {
  checkDatabase('fromNodeSqlite', database, 'an open database of node:sqlite or @photostructure/sqlite')
  return adapterOf('fromNodeSqlite', nodeBinding(database), options, database)
}

/**
 * The adapter on a connection of Deno's `node:sqlite`. Text with a NUL character is refused, since Deno reads it only up to
 * there.
 *
 * @throws {InvalidArgumentError} it is none.
 */
export function fromDeno(database: PreparingDatabase, options?: AdapterOptions): SqliteAdapter {
  checkDatabase('fromDeno', database, "an open database of Deno's node:sqlite")
  return adapterOf('fromDeno', nodeBinding(database), options, database)
}

/** The binding of a `DatabaseSync`, whoever made it. */
export function nodeBinding(database: PreparingDatabase): Binding {
  const prepare = (sql: string): BoundStatement => nodeStatement(database.prepare(sql) as NodeStatement)
  return {
    traits: traitsOf(database, prepare),
    exec: (sql) => database.exec(sql),
    prepare: 'Deno' in globalThis ? withFreshColumns(prepare) : prepare,
    inTransaction: () => inTransactionOf(database),
    close: () => database.close(),
  }
}

function nodeStatement(native: NodeStatement): BoundStatement {
  // A connection may have been opened with `returnArrays`.
  native.setReturnArrays?.(false)
  return {
    run: (values) => native.run(...values).changes,
    get: (values) => native.get(...values),
    all: (values) => native.all(...values),
    widen() {
      native.setReadBigInts(true)
    },
  }
}
