import { InvalidArgumentError } from '../base/errors.js'
import { type AdapterOptions, adapterOf } from './adapter.js'
import type { Binding, BoundStatement } from './binding.js'
import { withFreshColumns } from './fresh-columns.js'
import { inTransactionOf } from './in-transaction.js'
import type { SqliteAdapter } from './port.js'
import { traitsOf } from './traits.js'

/** A connection with `exec`, `prepare` and `close`: those of Node.js, Deno, @photostructure/sqlite and better-sqlite3. */
export interface PreparingDatabase {
  exec(sql: string): unknown
  prepare(sql: string): object
  close(): unknown
}

interface NodeStatement {
  run(...values: unknown[]): { readonly changes: number | bigint }
  get(...values: unknown[]): unknown
  all(...values: unknown[]): unknown[]
  setReadBigInts(enabled: boolean): unknown
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
  return {
    run: (values) => native.run(...values).changes,
    get: (values) => native.get(...values),
    all: (values) => native.all(...values),
    widen() {
      native.setReadBigInts(true)
      return true
    },
  }
}

/** @throws {InvalidArgumentError} `database` has not what `methods` says. */
export function checkDatabase(
  factory: string,
  database: unknown,
  expected: string,
  methods: readonly string[] = ['exec', 'prepare', 'close'],
): void {
  const found = database as { readonly [method: string]: unknown } | null | undefined
  if ((typeof found === 'object' || typeof found === 'function') && found !== null) {
    if (methods.every((method) => typeof found[method] === 'function')) return
  }
  throw new InvalidArgumentError(`${factory}(database)`, expected, database)
}
