import { InvalidArgumentError } from '../base/errors.js'
import { DATABASES } from './adapter.js'
import { type Binding, Connection, type SqliteDatabase } from './binding.js'
import { type SimpleBinding, simpleBinding } from './from-binding.js'
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

/** What is known of somebody else's adapter: that it is to keep to the contract. */
const FOREIGN: Traits = { integers: 'all', nul: true }

function foreignBinding(adapter: SqliteAdapter): Binding {
  const binding: SimpleBinding = {
    exec: (sql) => adapter.exec(sql),
    all: (sql, values) => adapter.iterate(sql, ...(values as SqliteBind[])),
    run: (sql, values) => adapter.exec(sql, ...(values as SqliteBind[])),
    transaction: (fn) => adapter.transaction(fn),
    close: () => adapter.close(),
  }
  return simpleBinding(binding, FOREIGN, false)
}
