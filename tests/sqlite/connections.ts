import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromBetterSqlite3, fromLibsql, fromNodeSqlite } from '../../src/sqlite.js'
import type { PreparingDatabase, SqliteAdapter } from '../../src/sqlite.js'
import { loadNodeSqlite } from '../../src/sqlite/load.js'
import type { StoreDatabase } from '../../src/testing/store-on-sqlite.js'

/** Opens databases of one binding, and makes connections of them. */
export interface Connector {
  readonly name: string
  /** True when it opens files of this machine. */
  readonly files: boolean
  open(path: string): PreparingDatabase
  adapter(database: PreparingDatabase): SqliteAdapter
  /** The same with four methods and nothing else, as somebody writes it who knows nothing of ours. */
  bare(database: PreparingDatabase): SqliteAdapter
}

interface Statement {
  run(...values: unknown[]): unknown
  all(...values: unknown[]): never[]
}

const require = createRequire(import.meta.url)

/** The four methods over `run` and `all` of a binding. */
function fourMethods(
  database: PreparingDatabase,
  run: (sql: string, values: readonly unknown[]) => unknown,
  all: (sql: string, values: readonly unknown[]) => Iterable<never>,
): SqliteAdapter {
  let depth = 0
  return {
    exec(sql, ...values) {
      if (values.length === 0) database.exec(sql)
      else run(sql, values)
    },
    iterate: (sql, ...values) => all(sql, values),
    transaction(fn) {
      const name = `level_${depth++}`
      database.exec(`SAVEPOINT ${name}`)
      try {
        const result = fn()
        database.exec(`RELEASE ${name}`)
        return result
      } catch (error) {
        database.exec(`ROLLBACK TO ${name}; RELEASE ${name}`)
        throw error
      } finally {
        depth--
      }
    },
    close: () => undefined,
  }
}

/** The four methods over a binding whose statements take values one by one. */
export function bareAdapter(database: PreparingDatabase): SqliteAdapter {
  const prepare = (sql: string): Statement => database.prepare(sql) as Statement
  return fourMethods(
    database,
    (sql, values) => prepare(sql).run(...values),
    (sql, values) => prepare(sql).all(...values),
  )
}

const LOADERS: readonly (readonly [name: string, load: () => Promise<Omit<Connector, 'name'>>])[] = [
  [
    'node:sqlite',
    async () => {
      await loadNodeSqlite()
      const { DatabaseSync } = await import('node:sqlite')
      return { files: true, open: (path) => new DatabaseSync(path), adapter: fromNodeSqlite, bare: bareAdapter }
    },
  ],
  [
    '@photostructure/sqlite',
    async () => {
      const { DatabaseSync } = await import('@photostructure/sqlite')
      const open = (path: string): PreparingDatabase => new DatabaseSync(path) as never
      return { files: true, open, adapter: fromNodeSqlite, bare: bareAdapter }
    },
  ],
  [
    'better-sqlite3',
    async () => {
      const Database = require('better-sqlite3') as new (path: string) => PreparingDatabase
      return { files: true, open: (path) => new Database(path), adapter: fromBetterSqlite3, bare: bareAdapter }
    },
  ],
  [
    'libsql',
    async () => {
      const Database = require('libsql') as new (path: string) => PreparingDatabase
      return { files: true, open: (path) => new Database(path), adapter: fromLibsql, bare: bareAdapter }
    },
  ],
  ['node-sqlite3-wasm', async () => nodeWasm()],
  ['@sqlite.org/sqlite-wasm', async () => officialWasm()],
]

/** What this Node.js can load, and the names of what it cannot. */
export async function loadConnectors(): Promise<{ connectors: readonly Connector[]; missing: readonly string[] }> {
  const connectors: Connector[] = []
  const missing: string[] = []
  for (const [name, load] of LOADERS) {
    try {
      const connector = { name, ...(await load()) }
      // Some load, and fail only here: they were built for another Node.js.
      connector.open(':memory:').close()
      connectors.push(connector)
    } catch (error) {
      missing.push(`${name}: ${String(error).split('\n')[0]}`)
    }
  }
  return { connectors, missing }
}

function nodeWasm(): Omit<Connector, 'name'> {
  interface Wasm extends PreparingDatabase {
    run(sql: string, values: readonly unknown[]): unknown
    all(sql: string, values: readonly unknown[]): never[]
  }
  const { Database } = require('node-sqlite3-wasm') as { Database: new (path: string) => Wasm }
  const bare = (database: PreparingDatabase): SqliteAdapter => {
    const wasm = database as Wasm
    return fourMethods(
      database,
      (sql, values) => wasm.run(sql, values),
      (sql, values) => wasm.all(sql, values),
    )
  }
  return { files: true, open: (path) => new Database(path), adapter: bare, bare }
}

async function officialWasm(): Promise<Omit<Connector, 'name'>> {
  interface Wasm extends PreparingDatabase {
    exec(sql: string | object): never[]
  }
  const { default: init } = await import('@sqlite.org/sqlite-wasm')
  const sqlite3 = await init()
  const bare = (database: PreparingDatabase): SqliteAdapter => {
    const wasm = database as Wasm
    const all = (sql: string, bind: readonly unknown[]): never[] =>
      wasm.exec({ sql, ...(bind.length === 0 ? {} : { bind }), rowMode: 'object', returnValue: 'resultRows' })
    return fourMethods(database, (sql, bind) => wasm.exec({ sql, bind }), all)
  }
  return { files: false, open: (path) => new sqlite3.oo1.DB(path) as never, adapter: bare, bare }
}

/** A database in memory: one connection for all. */
export function inMemory(connector: Connector, adapter: Connector['adapter']): StoreDatabase {
  const database = connector.open(':memory:')
  const connection = adapter(database)
  return { connect: () => connection, cleanup: () => void database.close() }
}

/** A database in a file: a connection of its own each time. */
export function inFile(connector: Connector, adapter: Connector['adapter']): StoreDatabase {
  const folder = mkdtempSync(join(tmpdir(), 'varve-connection-'))
  const made: PreparingDatabase[] = []
  return {
    connect() {
      const database = connector.open(join(folder, 'a.db'))
      made.push(database)
      return adapter(database)
    },
    cleanup() {
      for (const database of made) database.close()
      rmSync(folder, { recursive: true })
    },
  }
}
