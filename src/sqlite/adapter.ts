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

/** The adapter on a binding. @param factory for messages: `fromNodeSqlite`. */
export function adapterOf(factory: string, binding: Binding, options: AdapterOptions | undefined): SqliteAdapter {
  const own: unknown = options?.own ?? false
  if (typeof own !== 'boolean') throw new InvalidArgumentError(`${factory}(options.own)`, 'a boolean', own)
  const connection = new Connection(binding, own)
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
  return adapter
}
