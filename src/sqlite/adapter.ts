import { InvalidArgumentError } from '../base/errors.js'
import { type Binding, CHANGING, Connection, type SqliteDatabase } from './binding.js'
import type { SqliteAdapter } from './port.js'
import type { SqliteBind, Traits } from './values.js'

/** What all factories can be told. */
export interface AdapterOptions {
  /** True: `close` closes the connection, too. Default: it stays open, and is its caller's. */
  readonly own?: boolean
}

const DATABASES = new WeakMap<object, SqliteDatabase>()

/** The adapter on a binding. @param factory for messages: `fromNodeSqlite`. */
export function adapterOf(factory: string, binding: Binding, options: AdapterOptions | undefined): SqliteAdapter {
  const own: unknown = options?.own ?? false
  if (typeof own !== 'boolean') throw new InvalidArgumentError(`${factory}(options.own)`, 'a boolean', own)
  const connection = new Connection(binding, own)
  const adapter: SqliteAdapter = {
    exec(sql, ...params) {
      if (params.length === 0) connection.exec(sql)
      else connection.prepare(sql).run(...params)
    },
    iterate: <T>(sql: string, ...params: readonly SqliteBind[]) =>
      connection.prepare(sql).all(...params) as Iterable<T>,
    transaction: (fn) => connection.transaction(fn),
    close: () => connection.close(),
  }
  DATABASES.set(adapter, connection)
  return adapter
}

/**
 * The connection under `adapter`: the fast one where a factory made it, else one that is put together from the four methods,
 * with values and rows normalised. Always the same for one adapter.
 *
 * @throws {InvalidArgumentError} it lacks one of the methods.
 */
export function databaseOf(adapter: SqliteAdapter): SqliteDatabase {
  const known = typeof adapter === 'object' && adapter !== null ? DATABASES.get(adapter) : undefined
  if (known !== undefined) return known
  checkAdapter(adapter)
  // It closes what it is on, or does not, as it was told.
  const made = new Connection(foreignBinding(adapter), true)
  DATABASES.set(adapter, made)
  return made
}

const METHODS: readonly (keyof SqliteAdapter)[] = ['exec', 'iterate', 'transaction', 'close']

function checkAdapter(adapter: unknown): void {
  const found = adapter as { readonly [method: string]: unknown } | null | undefined
  if (typeof found === 'object' && found !== null && METHODS.every((method) => typeof found[method] === 'function'))
    return
  throw new InvalidArgumentError('adapter', `a SQLite adapter with the methods ${METHODS.join(', ')}`, adapter)
}

/** What is known of somebody else's adapter: only its four methods. */
const FOREIGN: Traits = { integers: 'all', nul: true }

function foreignBinding(adapter: SqliteAdapter): Binding {
  return {
    traits: FOREIGN,
    exec: (sql) => adapter.exec(sql),
    prepare: (sql, { verb }) => {
      const all = (values: unknown[]): unknown[] => {
        const rows: unknown[] = []
        // Another who asks gets the same object again, perhaps.
        for (const row of adapter.iterate(sql, ...(values as SqliteBind[]))) rows.push({ ...row })
        return rows
      }
      return {
        run(values) {
          adapter.exec(sql, ...(values as SqliteBind[]))
          if (!CHANGING.includes(verb)) return 0
          for (const { n } of adapter.iterate<{ n: number | bigint }>('SELECT changes() AS n')) return n
          return 0
        },
        get: (values) => all(values)[0],
        all,
      }
    },
    transaction: (fn) => adapter.transaction(fn),
    close: () => adapter.close(),
  }
}
