import { type AdapterOptions, adapterOf } from './adapter.js'
import type { Binding, BoundStatement } from './binding.js'
import { checkDatabase, type PreparingDatabase } from './from-node.js'
import type { SqliteAdapter } from './port.js'
import type { SqlText } from './sql-text.js'
import { traitsOf } from './traits.js'

interface BetterStatement {
  /** True when it answers rows. */
  readonly reader: boolean
  run(...values: unknown[]): { readonly changes: number | bigint }
  get(...values: unknown[]): unknown
  all(...values: unknown[]): unknown[]
  safeIntegers(enabled: boolean): unknown
}

/**
 * The adapter on a connection of better-sqlite3.
 *
 * @throws {InvalidArgumentError} it is none.
 */
export function fromBetterSqlite3(database: PreparingDatabase, options?: AdapterOptions): SqliteAdapter {
  checkDatabase('fromBetterSqlite3', database, 'an open database of better-sqlite3')
  return adapterOf('fromBetterSqlite3', betterBinding(database), options)
}

/** The binding of a connection of better-sqlite3. */
export function betterBinding(database: PreparingDatabase): Binding {
  const prepare = (sql: string): BoundStatement => betterStatement(database.prepare(sql) as BetterStatement)
  return {
    traits: traitsOf(database, prepare),
    exec: (sql) => database.exec(sql),
    prepare,
    close: () => database.close(),
  }
}

/** It refuses to run what answers rows, and to read what answers none. */
function betterStatement(native: BetterStatement): BoundStatement {
  const { reader } = native
  const none = (values: unknown[]): unknown[] => {
    native.run(...values)
    return []
  }
  return {
    run: (values) => (reader ? native.all(...values).length : native.run(...values).changes),
    get: (values) => (reader ? native.get(...values) : none(values)[0]),
    all: (values) => (reader ? native.all(...values) : none(values)),
    widen() {
      if (reader) native.safeIntegers(true)
      return true
    },
  }
}

/**
 * The adapter on a connection of libsql.
 *
 * @throws {InvalidArgumentError} it is none.
 */
export function fromLibsql(database: PreparingDatabase, options?: AdapterOptions): SqliteAdapter {
  checkDatabase('fromLibsql', database, 'an open database of libsql')
  return adapterOf('fromLibsql', libsqlBinding(database), options)
}

/** The binding of a connection of libsql. */
export function libsqlBinding(database: PreparingDatabase): Binding {
  const prepare = (sql: string, text?: SqlText): BoundStatement =>
    libsqlStatement(database.prepare(sql) as BetterStatement, text)
  return {
    traits: traitsOf(database, prepare),
    exec: (sql) => database.exec(sql),
    prepare,
    close: () => database.close(),
  }
}

/** It is handed its values in an array, always: a lone BLOB would be taken for names and values, and end the process. */
function libsqlStatement(native: BetterStatement, text: SqlText | undefined): BoundStatement {
  const changesRows = text !== undefined && text.verb !== 'SELECT'
  return {
    // Of a statement with RETURNING it does not tell how many rows it has changed.
    run: (values) => (changesRows && native.reader ? native.all(values).length : native.run(values).changes),
    get(values) {
      const row = native.get(values) as { _metadata?: unknown } | undefined
      if (row !== undefined) delete row._metadata
      return row
    },
    all: (values) => native.all(values),
    widen() {
      native.safeIntegers(true)
      return true
    },
  }
}
