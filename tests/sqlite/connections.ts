import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromBetterSqlite3, fromLibsql, fromNodeSqlite, fromSqliteWasm } from '../../src/sqlite.js'
import type { AdapterOptions, PreparingDatabase, SqliteAdapter } from '../../src/sqlite.js'
import { loadNodeSqlite } from '../../src/sqlite/load.js'
import type { StoreDatabase } from '../../src/testing/store-on-sqlite.js'

/** Opens databases of one binding, and makes connections of them. */
export interface Connector {
  readonly name: string
  /** True when it opens files of this machine. */
  readonly files: boolean
  open(path: string): PreparingDatabase
  adapter(database: PreparingDatabase, options?: AdapterOptions): SqliteAdapter
}

interface Statement {
  run(...values: unknown[]): unknown
  all(...values: unknown[]): never[]
}

const require = createRequire(import.meta.url)

/**
 * Four methods and nothing else, as somebody writes them who knows nothing of ours, on a binding whose statements take
 * values one by one.
 */
export function bareAdapter(database: PreparingDatabase): SqliteAdapter {
  const prepare = (sql: string): Statement => database.prepare(sql) as Statement
  let depth = 0
  return {
    exec(sql, ...values) {
      if (values.length === 0) database.exec(sql)
      else prepare(sql).run(...values)
    },
    iterate: (sql, ...values) => prepare(sql).all(...values),
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

const LOADERS: readonly (readonly [name: string, load: () => Promise<Omit<Connector, 'name'>>])[] = [
  [
    'node:sqlite',
    async () => {
      await loadNodeSqlite()
      const { DatabaseSync } = await import('node:sqlite')
      return { files: true, open: (path) => new DatabaseSync(path), adapter: fromNodeSqlite }
    },
  ],
  [
    '@photostructure/sqlite',
    async () => {
      const { DatabaseSync } = await import('@photostructure/sqlite')
      const open = (path: string): PreparingDatabase => new DatabaseSync(path)
      return { files: true, open, adapter: fromNodeSqlite }
    },
  ],
  [
    'better-sqlite3',
    async () => {
      const Database = require('better-sqlite3') as new (path: string) => PreparingDatabase
      return { files: true, open: (path) => new Database(path), adapter: fromBetterSqlite3 }
    },
  ],
  [
    'libsql',
    async () => {
      const Database = require('libsql') as new (path: string) => PreparingDatabase
      return { files: true, open: (path) => new Database(path), adapter: fromLibsql }
    },
  ],
  [
    'node-sqlite3-wasm',
    async () => {
      const { Database } = require('node-sqlite3-wasm') as { Database: new (path: string) => PreparingDatabase }
      return { files: true, open: (path) => new Database(path), adapter: fromSqliteWasm }
    },
  ],
  [
    '@sqlite.org/sqlite-wasm',
    async () => {
      const { default: init } = await import('@sqlite.org/sqlite-wasm')
      const sqlite3 = await init()
      const open = (path: string): PreparingDatabase => new sqlite3.oo1.DB(path)
      return { files: false, open, adapter: fromSqliteWasm }
    },
  ],
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
