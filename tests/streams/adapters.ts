import Database from 'better-sqlite3'
import type { SqliteAdapter } from '../../src/sqlite/port.js'

/** A connection of better-sqlite3 behind the four methods, as a user would write it. */
export function adapterOn(path = ':memory:'): SqliteAdapter {
  const database = new Database(path)
  const statements = new Map<string, ReturnType<typeof database.prepare>>()
  const prepare = (sql: string): ReturnType<typeof database.prepare> => {
    let statement = statements.get(sql)
    if (statement === undefined) statements.set(sql, (statement = database.prepare(sql)))
    return statement
  }
  return {
    exec: (sql, ...params) => void (params.length === 0 ? database.exec(sql) : prepare(sql).run(...params)),
    iterate: <T>(sql: string, ...params: readonly unknown[]) => prepare(sql).all(...params) as T[],
    transaction: (fn) => database.transaction(fn)(),
    close: () => database.close(),
  }
}
