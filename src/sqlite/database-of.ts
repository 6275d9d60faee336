import { asSqliteError, type SqliteDatabase, type SqliteRow, type SqliteStatement } from './binding.js'
import type { SqliteAdapter } from './port.js'

const METHODS = ['exec', 'iterate', 'transaction', 'close']

/** True for an object with the four methods of `SqliteAdapter`. */
export function isSqliteAdapter(value: unknown): value is SqliteAdapter {
  if (typeof value !== 'object' || value === null) return false
  return METHODS.every((name) => typeof (value as { [name: string]: unknown })[name] === 'function')
}

/** What `adapter` is a connection to, with statements; through its four methods alone. */
export function databaseOf(adapter: SqliteAdapter): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>()
  const changes = statementOf(adapter, 'SELECT changes() AS n')
  return {
    exec: (sql) => guard(() => adapter.exec(sql)),
    prepare(sql) {
      let statement = statements.get(sql)
      if (statement === undefined) {
        const made = statementOf(adapter, sql)
        statement = {
          ...made,
          run(...values) {
            guard(() => adapter.exec(sql, ...values))
            return Number(changes.get()?.n)
          },
        }
        statements.set(sql, statement)
      }
      return statement
    },
    transaction: (fn) => adapter.transaction(fn),
    // Whoever made the adapter closes it.
    close: () => statements.clear(),
  }
}

function statementOf(adapter: SqliteAdapter, sql: string): SqliteStatement {
  return {
    run: () => 0,
    get: (...values) => guard(() => Array.from(adapter.iterate<SqliteRow>(sql, ...values))[0]),
    all: (...values) => guard(() => Array.from(adapter.iterate<SqliteRow>(sql, ...values))),
  }
}

function guard<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw asSqliteError(error)
  }
}
