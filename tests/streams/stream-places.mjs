/**
 * The places that the contract of record streams is run on, in JavaScript: `node --test` and `bun test` take this file as it is.
 * It gets the library from whoever runs it: from the sources under vitest, from dist elsewhere.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadNatives } from '../support/sqlite-natives.mjs'

/** The bindings that this process has, each with `open(path)`, which gives a native connection, and `adapt`. */
export async function bindings(varve) {
  const { found, missing } = await loadNatives()
  for (const [name, reason] of missing) console.warn(`${name} is not here: ${reason}`)
  return found.filter(({ factory }) => factory in varve).map((one) => ({ ...one, adapt: varve[one.factory] }))
}

const TABLES = { kyneta: ['docMeta', 'records', 'storeMeta'], varve: ['docs', 'records', 'parts', 'format'] }

/**
 * Places of a binding, as `describeStreamStore` takes them: `open` and what such a store claims. They are files with a connection
 * for each handle, or where the binding has none, databases in memory with one connection for all.
 */
export function sqlitePlaces(varve, { open: connect, adapt, files }, { payloadBytesMax = 6_000_000, ...options } = {}) {
  const hosts = files ? fileHost(connect) : memoryHost(connect)
  const adapter = (place, script) => adapt(hosts.connect(place, script), { own: files })
  const { format = 'kyneta' } = options
  const tables = (namespace) => Object.fromEntries(TABLES[format].map((table) => [table, `${namespace} "${table}`]))
  return {
    open: (place) => varve.createSqliteStreamStore(adapter(place), options),
    options: {
      reopen: true,
      secondHandle: true,
      namespaces: (place, namespace) =>
        varve.createSqliteStreamStore(adapter(place), { ...options, tables: tables(namespace) }),
      faults: (place, plan) => varve.createSqliteStreamStore(varve.faultySqliteAdapter(adapter(place), plan), options),
      // One connection for all is not gone with the process that the test has in mind.
      ...(files ? { crash: hosts.closeAll } : {}),
      ...(format === 'varve'
        ? {}
        : {
            openForeign: async (place, script) => {
              const own = adapter(place, script)
              const store = await varve.createSqliteStreamStore(own)
              return { store, rows: (sql) => [...own.iterate(sql)] }
            },
          }),
      cleanup: hosts.remove,
      // The place of a fold is a column of Varve's own format only.
      keepsClears: format === 'varve',
      payloadBytesMax,
    },
    end: hosts.end,
  }
}

function fileHost(connect) {
  const root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'varve-streams-'))
  const natives = new Map()
  const file = (place) => join(root, `${place}.db`)
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
  return {
    connect(place, script) {
      const native = connect(file(place))
      if (script !== undefined) native.exec(script)
      native.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000')
      natives.set(place, [...(natives.get(place) ?? []), native])
      return native
    },
    closeAll,
    remove(place) {
      closeAll(place)
      for (const end of ['', '-wal', '-shm']) rmSync(`${file(place)}${end}`, { force: true })
    },
    end: () => rmSync(root, { recursive: true, force: true }),
  }
}

function memoryHost(connect) {
  const natives = new Map()
  return {
    connect(place, script) {
      if (!natives.has(place)) natives.set(place, connect(':memory:'))
      const native = natives.get(place)
      if (script !== undefined) native.exec(script)
      return native
    },
    remove(place) {
      natives.get(place)?.close()
      natives.delete(place)
    },
    end: () => undefined,
  }
}

/** Places in memory that outlive their stores. */
export function memoryPlaces(varve, { payloadBytesMax = 6_000_000 } = {}) {
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
      payloadBytesMax,
    },
    end: () => places.clear(),
  }
}
