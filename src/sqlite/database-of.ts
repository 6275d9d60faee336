import { InvalidArgumentError } from '../base/errors.js'
import { DATABASES } from './adapter.js'
import { type Binding, CHANGING, Connection, type SqliteDatabase } from './binding.js'
import type { SqliteAdapter } from './port.js'
import type { SqliteBind, Traits } from './values.js'

/**
 * The connection under `adapter`: the fast one where a factory made it, else one that is put together from the four methods,
 * with values and rows normalised. Always the same for one adapter.
 *
 * @throws {InvalidArgumentError} it lacks one of the methods.
 */
export function databaseOf(adapter: SqliteAdapter): SqliteDatabase {
  const known = typeof adapter === 'object' && adapter !== null ? DATABASES.get(adapter) : undefined
  if (known !== undefined) return known
  if (!isSqliteAdapter(adapter)) {
    throw new InvalidArgumentError('adapter', `a SQLite adapter with the methods ${METHODS.join(', ')}`, adapter)
  }
  // It closes what it is on, or does not, as it was told.
  const made = new Connection(foreignBinding(adapter), true)
  DATABASES.set(adapter, made)
  return made
}

const METHODS: readonly (keyof SqliteAdapter)[] = ['exec', 'iterate', 'transaction', 'close']

/** True for an object with the four methods. */
export function isSqliteAdapter(adapter: unknown): adapter is SqliteAdapter {
  const found = adapter as { readonly [method: string]: unknown } | null | undefined
  return typeof found === 'object' && found !== null && METHODS.every((method) => typeof found[method] === 'function')
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
