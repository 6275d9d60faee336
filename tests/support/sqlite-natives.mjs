/**
 * The bindings of SQLite that a process may have, for tests: one list for all of them. In JavaScript, so that child processes and
 * other runtimes take it as it is.
 */
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/** Names in `VARVE_WITHOUT`, with commas between, count as not installed: for trying what happens where they are not. */
const hidden = (process.env['VARVE_WITHOUT'] ?? '').split(',')

/** Each gives `open(path)`; `files`: on files of this machine; `nul`: text with a NUL goes through whole; `factory`: of `varve/sqlite`. */
const BINDINGS = [
  { name: 'node:sqlite', factory: 'fromNodeSqlite', files: true, nul: true, load: () => databaseSync('node:sqlite') },
  {
    name: '@photostructure/sqlite',
    factory: 'fromNodeSqlite',
    files: true,
    nul: false,
    load: () => databaseSync('@photostructure/sqlite'),
  },
  {
    name: 'better-sqlite3',
    factory: 'fromBetterSqlite3',
    files: true,
    nul: true,
    load: () => database('better-sqlite3'),
  },
  { name: 'libsql', factory: 'fromLibsql', files: true, nul: false, load: () => database('libsql') },
  {
    name: 'node-sqlite3-wasm',
    factory: 'fromSqliteWasm',
    files: false,
    nul: false,
    load() {
      const { Database } = require('node-sqlite3-wasm')
      return (path) => new Database(path)
    },
  },
  {
    name: '@sqlite.org/sqlite-wasm',
    factory: 'fromSqliteWasm',
    files: false,
    nul: true,
    async load() {
      const { default: init } = await import('@sqlite.org/sqlite-wasm')
      const sqlite3 = await init()
      sqlite3.config.warn = () => undefined
      return (path) => new sqlite3.oo1.DB(path)
    },
  },
]

/** In Bun, whose `node:sqlite` is one of these too. */
const BUN = {
  name: 'bun:sqlite',
  factory: 'fromBunSqlite',
  files: true,
  nul: true,
  load() {
    const { Database } = require('bun:sqlite')
    return (path) => new Database(path)
  },
}

function databaseSync(name) {
  const { DatabaseSync } = require(name)
  return (path) => new DatabaseSync(path)
}

function database(name) {
  const Database = require(name)
  return (path) => new Database(path)
}

/** What this process can load: each has been opened once, as some load and fail only then. `missing`: why not, by name. */
export async function loadNatives() {
  const found = []
  const missing = new Map()
  const here = process.versions.bun === undefined ? BINDINGS : [BINDINGS[0], BUN]
  for (const { load, ...one } of here) {
    try {
      if (hidden.includes(one.name)) throw new Error('VARVE_WITHOUT hides it')
      const open = await load()
      open(':memory:').close()
      found.push({ ...one, open })
    } catch (error) {
      missing.set(one.name, String(error).split('\n')[0])
    }
  }
  return { found, missing }
}
