/**
 * The places that the contract of record streams is run on, in JavaScript: `node --test` and `bun test` take this file as it is.
 * It gets the library from whoever runs it: from the sources under vitest, from dist elsewhere.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const require = createRequire(import.meta.url)

/** The bindings that this process has, each with `open(path)`, which gives a native connection, and `adapt`. */
export function bindings(varve) {
  const found = []
  const add = (name, load, adapt) => {
    let open
    try {
      open = load()
      open(':memory:').close()
    } catch (error) {
      console.warn(`${name} is not here: ${String(error).split('\n')[0]}`)
      return
    }
    found.push({ name, open, adapt })
  }
  const builtin = (name) => {
    const { DatabaseSync } = require(name)
    return (path) => new DatabaseSync(path)
  }
  add('node:sqlite', () => builtin('node:sqlite'), varve.fromNodeSqlite)
  if (process.versions.bun !== undefined) {
    if (varve.fromBunSqlite !== undefined)
      add(
        'bun:sqlite',
        () => {
          const { Database } = require('bun:sqlite')
          return (path) => new Database(path)
        },
        varve.fromBunSqlite,
      )
    return found
  }
  add('@photostructure/sqlite', () => builtin('@photostructure/sqlite'), varve.fromNodeSqlite)
  add(
    'better-sqlite3',
    () => {
      const Database = require('better-sqlite3')
      return (path) => new Database(path)
    },
    varve.fromBetterSqlite3,
  )
  add(
    'libsql',
    () => {
      const Database = require('libsql')
      return (path) => new Database(path)
    },
    varve.fromLibsql,
  )
  return found
}

/** Files of a binding, as `describeStreamStore` takes them: `open` and what such a store claims. */
export function sqlitePlaces(varve, { open: connect, adapt }, options = {}) {
  const root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'varve-streams-'))
  const natives = new Map()
  const file = (place) => join(root, `${place}.db`)
  const adapter = (place, script) => {
    const native = connect(file(place))
    if (script !== undefined) native.exec(script)
    native.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000')
    natives.set(place, [...(natives.get(place) ?? []), native])
    return adapt(native, { own: true })
  }
  const closeAll = (place) => {
    for (const native of natives.get(place) ?? []) {
      try {
        native.close()
      } catch (error) {
        // A store has closed it: all that is wanted is that it is closed.
        void error
      }
    }
    natives.delete(place)
  }
  const kynetaTables = (namespace) => ({
    docMeta: `${namespace} docs`,
    records: `${namespace}"records`,
    storeMeta: `${namespace}_store`,
  })
  const ownTables = (namespace) => ({
    docs: `${namespace}_own_docs`,
    records: `${namespace}_own_records`,
    parts: `${namespace}_own_parts`,
    format: `${namespace}_own_format`,
  })
  const tables = options.format === 'varve' ? ownTables : kynetaTables
  return {
    open: (place) => varve.createSqliteStreamStore(adapter(place), options),
    options: {
      reopen: true,
      secondHandle: true,
      namespaces: (place, namespace) =>
        varve.createSqliteStreamStore(adapter(place), { ...options, tables: tables(namespace) }),
      faults: (place, plan) => varve.createSqliteStreamStore(varve.faultySqliteAdapter(adapter(place), plan), options),
      crash: closeAll,
      openForeign: async (place, script) => {
        const own = adapter(place, script)
        const store = await varve.createSqliteStreamStore(own)
        return { store, rows: (sql) => [...own.iterate(sql)] }
      },
      cleanup: (place) => {
        closeAll(place)
        for (const end of ['', '-wal', '-shm']) rmSync(`${file(place)}${end}`, { force: true })
      },
      // The place of a fold is a column of Varve's own format only.
      keepsClears: options.format === 'varve',
      payloadBytesMax: 6_000_000,
    },
    end: () => rmSync(root, { recursive: true, force: true }),
  }
}

/** Places in memory that outlive their stores. */
export function memoryPlaces(varve) {
  const places = new Map()
  const at = (place) => {
    if (!places.has(place)) places.set(place, new varve.MemoryStreams())
    return places.get(place)
  }
  const open = (place) => varve.createMemoryStreamStore({ streams: at(place) })
  return {
    open,
    options: {
      reopen: true,
      secondHandle: true,
      keepsClears: true,
      namespaces: (place, namespace) => open(`${place}/${namespace}`),
      cleanup: (place) => void places.delete(place),
    },
    end: () => places.clear(),
  }
}
