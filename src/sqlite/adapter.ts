import { InvalidArgumentError } from '../base/errors.js'
import { type Binding, Connection, type SqliteDatabase } from './binding.js'
import type { SqliteAdapter } from './port.js'
import type { SqliteBind } from './values.js'

/** What all factories can be told. */
export interface AdapterOptions {
  /** True: `close` closes the connection, too. Default: it stays open, and is its caller's. */
  readonly own?: boolean
}

/** The connections under adapters; of those of others, what `databaseOf` has made. */
export const DATABASES: WeakMap<object, SqliteDatabase> = new WeakMap<object, SqliteDatabase>()

const NATIVES = new WeakMap<object, object>()

/**
 * What tells connections apart: two adapters on one connection have the same, and SQLite tells neither what the other has
 * written. Of an adapter of others, itself.
 */
export function connectionOf(adapter: SqliteAdapter): object {
  return NATIVES.get(adapter) ?? adapter
}

/** The adapter on a binding. @param factory for messages: `fromNodeSqlite`. @param native what the factory was given. */
export function adapterOf(
  factory: string,
  binding: Binding,
  options: AdapterOptions | undefined,
  native: object,
): SqliteAdapter {
  checkOptions(factory, options)
  const own: unknown = options?.own ?? false
  if (typeof own !== 'boolean') throw new InvalidArgumentError(`${factory}(options.own)`, 'a boolean', own)
  const connection = new Connection(binding, own, native)
  const adapter: SqliteAdapter = {
    exec(sql, ...params) {
      if (params.length === 0) connection.exec(sql)
      else connection.prepare(sql).runWith(params as unknown[])
    },
    iterate: <T>(sql: string, ...params: readonly SqliteBind[]) =>
      connection.prepare(sql).allWith(params as unknown[]) as Iterable<T>,
    transaction: (fn) => connection.transaction(fn),
    close: () => connection.close(),
  }
  DATABASES.set(adapter, connection)
  NATIVES.set(adapter, native)
  return adapter
}

const OPTIONS: readonly string[] = ['own']

/** @throws {InvalidArgumentError} there is one that nobody knows: `{ owns: true }` would leave a connection open. */
function checkOptions(factory: string, options: unknown): void {
  if (options === undefined) return
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidArgumentError(`${factory}(options)`, 'an object', options)
  }
  const known = factory === 'fromSqliteWasm' ? [...OPTIONS, 'sqlite3'] : OPTIONS
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  if (unknown !== undefined) {
    throw new InvalidArgumentError(`${factory}(options)`, known.join(' and '), options, `an option ${unknown}`)
  }
}
