import { InvalidArgumentError } from '../base/errors.js'
import { type AdapterOptions, adapterOf } from './adapter.js'
import type { Binding, BoundStatement } from './binding.js'
import { asSqliteError, SqliteError } from './error.js'
import { inTransactionOf } from './in-transaction.js'
import type { SqliteAdapter } from './port.js'
import { checkDatabase, type PreparingDatabase } from './recognise.js'
import { traitsOf } from './traits.js'

interface BetterStatement {
  /** True when it answers rows. */
  readonly reader: boolean
  run(...values: unknown[]): { readonly changes: number | bigint }
  get(...values: unknown[]): unknown
  all(...values: unknown[]): unknown[]
  safeIntegers(enabled: boolean): unknown
}

/** The class that better-sqlite3 exports. */
export type BetterSqlite3Class = new (filename: string, options?: object) => PreparingDatabase

/**
 * The adapter on a connection of better-sqlite3.
 *
 * better-sqlite3 13 ends the process below Node.js 22.14, and does so while it opens a database, before anybody can be asked:
 * `openBetterSqlite3` opens one only where it works.
 *
 * @throws {InvalidArgumentError} it is none. {SqliteError} it is not open.
 */
export function fromBetterSqlite3(database: PreparingDatabase, options?: AdapterOptions): SqliteAdapter {
  checkDatabase('fromBetterSqlite3', database, 'an open database of better-sqlite3')
  return adapterOf('fromBetterSqlite3', betterBinding(database), options, database)
}

/**
 * Opens a database with better-sqlite3, unless that would end the process; the adapter owns it.
 *
 * @example openBetterSqlite3(Database, 'app.db')
 * @param Database what better-sqlite3 exports.
 * @param options of better-sqlite3: `readonly`, `timeout`, …
 * @throws {SqliteError} this version of better-sqlite3 would crash here, or it cannot open the file.
 */
export function openBetterSqlite3(Database: BetterSqlite3Class, filename: string, options: object = {}): SqliteAdapter {
  if (typeof Database !== 'function') {
    throw new InvalidArgumentError('openBetterSqlite3(Database)', 'the class of better-sqlite3', Database)
  }
  if (typeof filename !== 'string') {
    throw new InvalidArgumentError('openBetterSqlite3(filename)', 'a string', filename)
  }
  if (wouldCrash(Database)) {
    const message =
      'openBetterSqlite3: better-sqlite3 13 ends the process below Node.js 22.14 (it needs Node-API 10); nothing was opened; ' +
      'use Node.js 22.14 or newer, or better-sqlite3 12, or @photostructure/sqlite'
    throw new SqliteError(message, 'MISUSE')
  }
  let database: PreparingDatabase
  try {
    database = new Database(filename, options)
  } catch (error) {
    throw asSqliteError(error)
  }
  return fromBetterSqlite3(database, { own: true })
}

/**
 * True when a class of better-sqlite3 13 is on a runtime without Node-API 10, for which it was built.
 * Source: https://github.com/WiseLibs/better-sqlite3/issues/1514
 */
function wouldCrash(Database: BetterSqlite3Class): boolean {
  const { process } = globalThis as { process?: { versions?: { readonly napi?: string } } }
  const napi = Number(process?.versions?.napi ?? Number.NaN)
  // Versions until 12 load their binary by the package `bindings`, and versions from 13 by a function they are handed.
  return napi < 10 && /\bgetAddon\(|getBinding\(/.test(Function.prototype.toString.call(Database))
}

/** The binding of a connection of better-sqlite3. */
export function betterBinding(database: PreparingDatabase): Binding {
  const prepare = (sql: string): BoundStatement => betterStatement(database.prepare(sql) as BetterStatement)
  return {
    traits: traitsOf(database, prepare),
    exec: (sql) => database.exec(sql),
    prepare,
    inTransaction: () => inTransactionOf(database),
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
    run(values) {
      if (!reader) return native.run(...values).changes
      native.all(...values)
      return 0
    },
    get: (values) => (reader ? native.get(...values) : none(values)[0]),
    all: (values) => (reader ? native.all(...values) : none(values)),
    widen() {
      if (reader) native.safeIntegers(true)
    },
  }
}
