import { type AdapterOptions, adapterOf } from './adapter.js'
import { type Binding, CHANGING } from './binding.js'
import type { SqliteAdapter } from './port.js'
import { checkMethods } from './recognise.js'
import { readSql } from './sql-text.js'

/** `ctx.storage` of a Durable Object with SQLite. */
export interface DurableObjectSqlStorage {
  readonly sql: { exec(sql: string, ...values: never[]): { toArray(): unknown[] } }
  transactionSync<R>(fn: () => R): R
  sync?(): Promise<void>
}

/**
 * The adapter on the SQLite storage of a Durable Object: of `ctx.storage`, or of `ctx`. There is nothing to close.
 *
 * It has no integers of 64 bits: those beyond 2^53 are refused, going in and coming out. Numbers are bound as REAL; a column
 * of type INTEGER makes integers of them.
 *
 * @throws {InvalidArgumentError} it is neither.
 */
export function fromDurableObjectSql(
  storage: DurableObjectSqlStorage | { readonly storage: DurableObjectSqlStorage },
  options?: AdapterOptions,
): SqliteAdapter {
  const found = typeof storage === 'object' && storage !== null && 'storage' in storage ? storage.storage : storage
  const expected = 'ctx.storage of a Durable Object with SQLite (new_sqlite_classes)'
  checkMethods('fromDurableObjectSql', found, expected, ['transactionSync'])
  checkMethods('fromDurableObjectSql', found.sql, expected, ['exec'])
  return adapterOf('fromDurableObjectSql', durableObjectBinding(found), options, found)
}

function durableObjectBinding(storage: DurableObjectSqlStorage): Binding {
  // A cursor that is not read to its end keeps its statement open.
  const all = (sql: string, values: readonly unknown[]): unknown[] =>
    storage.sql.exec(sql, ...(values as never[])).toArray()
  const { sync } = storage
  return {
    traits: { integers: 'never', nul: true },
    lossy: true,
    // It refuses a comment at the end.
    exec: (sql) => all(/--|\/\*/.test(sql) ? sql.slice(0, readSql(sql).end) : sql, []),
    prepare(sql, { verb, end }) {
      // It keeps statements by their text itself.
      const text = sql.slice(0, end)
      return {
        run(values) {
          all(text, values)
          return CHANGING.includes(verb) ? (all('SELECT changes() AS n', [])[0] as { n: number }).n : 0
        },
        get: (values) => all(text, values)[0],
        all: (values) => all(text, values),
      }
    },
    transaction: (fn) => storage.transactionSync(fn),
    ...(typeof sync === 'function' ? { sync: () => sync.call(storage) } : {}),
    close: () => undefined,
  }
}
