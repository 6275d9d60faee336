import { createRequire } from 'node:module'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  fromBetterSqlite3,
  fromLibsql,
  fromNodeSqlite,
  fromSqliteWasm,
  type AdapterOptions,
  type PreparingDatabase,
  type SqliteAdapter,
} from '../../src/sqlite.js'
import { loadNodeSqlite } from '../../src/sqlite/load.js'
import type { SqliteBindingFixture, SqliteBindingOptions } from '../../src/testing/sqlite-binding.js'

type Open = (path: string) => PreparingDatabase
type Factory = (database: PreparingDatabase, options?: AdapterOptions) => SqliteAdapter

const require = createRequire(import.meta.url)

/** Cases on a file, so that there can be two connections. */
function onFiles(open: Open, from: Factory): SqliteBindingOptions['open'] {
  return () => {
    const folder = mkdtempSync(join(tmpdir(), 'varve-binding-'))
    const path = join(folder, 'a.db')
    const native = open(path)
    native.exec('PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 0')
    return {
      adapter: from(native, { own: true }),
      another() {
        const other = open(path)
        other.exec('PRAGMA busy_timeout = 0')
        return from(other, { own: true })
      },
      again: () => from(native),
      cleanup: () => rmSync(folder, { recursive: true, force: true }),
    }
  }
}

/** Cases in memory. */
function inMemory(open: Open, from: Factory): SqliteBindingOptions['open'] {
  return (): SqliteBindingFixture => {
    const native = open(':memory:')
    return { adapter: from(native, { own: true }), again: () => from(native) }
  }
}

/** The bindings that this Node.js can load, with what they claim; and the others, with why not. */
export async function loadBindings(): Promise<{
  readonly bindings: readonly (SqliteBindingOptions & { readonly name: string })[]
  readonly missing: ReadonlyMap<string, string>
}> {
  const missing = new Map<string, string>()
  const bindings: (SqliteBindingOptions & { name: string })[] = []
  const tryOne = async (
    name: string,
    load: () => Promise<SqliteBindingOptions> | SqliteBindingOptions,
  ): Promise<void> => {
    try {
      bindings.push({ name, ...(await load()) })
    } catch (error) {
      missing.set(name, String(error).split('\n')[0] ?? '')
    }
  }
  const noNul = { nul: false }

  await tryOne('node:sqlite', async () => {
    await loadNodeSqlite()
    const { DatabaseSync } = await import('node:sqlite')
    return { open: onFiles((path) => new DatabaseSync(path), fromNodeSqlite) }
  })
  await tryOne('@photostructure/sqlite', async () => {
    const { DatabaseSync } = await import('@photostructure/sqlite')
    return { open: onFiles((path) => new DatabaseSync(path), fromNodeSqlite), claims: noNul }
  })
  await tryOne('better-sqlite3', () => {
    const Database = require('better-sqlite3') as new (path: string) => PreparingDatabase
    new Database(':memory:').close()
    return { open: onFiles((path) => new Database(path), fromBetterSqlite3) }
  })
  await tryOne('libsql', () => {
    const Database = require('libsql') as new (path: string) => PreparingDatabase
    return { open: onFiles((path) => new Database(path), fromLibsql), claims: noNul }
  })
  await tryOne('node-sqlite3-wasm', () => {
    const { Database } = require('node-sqlite3-wasm') as { Database: new (path: string) => PreparingDatabase }
    return { open: inMemory((path) => new Database(path), fromSqliteWasm), claims: noNul }
  })
  await tryOne('@sqlite.org/sqlite-wasm', async () => {
    const { default: init } = await import('@sqlite.org/sqlite-wasm')
    const sqlite3 = await init()
    sqlite3.config.warn = () => undefined
    return { open: inMemory((path) => new sqlite3.oo1.DB(path), fromSqliteWasm) }
  })
  return { bindings, missing }
}
