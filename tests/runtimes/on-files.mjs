/**
 * The suites on files, in Bun (`bun:sqlite`) or Deno (its `node:sqlite`): one line of JSON for each case.
 * Usage: `on-files.mjs <folder for the files>`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { SQLiteAdapter, Store } from '../../dist/index.js'
import { fromBunSqlite, fromDeno } from '../../dist/sqlite.js'
import { bindingSuite, placesOn, runSuites, storeSuite, streamSuite } from './suites.mjs'

const isBun = process.versions.bun !== undefined
const root = process.argv[2]
const native = isBun ? (await import('bun:sqlite')).Database : (await import('node:sqlite')).DatabaseSync
const from = isBun ? fromBunSqlite : fromDeno

function inNewFolder() {
  const folder = mkdtempSync(join(root, 'a-'))
  return { path: join(folder, 'a.db'), remove: () => rmSync(folder, { recursive: true, force: true }) }
}

function open(path, waitMs) {
  const database = new native(path)
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = ${waitMs}`)
  return database
}

const binding = {
  claims: { nul: isBun },
  open() {
    const { path, remove } = inNewFolder()
    const database = open(path, 0)
    return {
      adapter: from(database, { own: true }),
      another: () => from(open(path, 0), { own: true }),
      again: () => from(database),
      cleanup: remove,
    }
  },
}

/** Files by place; each handle has a connection of its own. */
function fileHost() {
  const places = new Map()
  const at = (place) => {
    if (!places.has(place)) places.set(place, { ...inNewFolder(), opened: [] })
    return places.get(place)
  }
  const connect = (place, sql) => {
    const { path, opened } = at(place)
    const database = open(path, 5_000)
    opened.push(database)
    if (sql !== undefined) database.exec(sql)
    return from(database, { own: true })
  }
  const crash = (place) => {
    for (const database of at(place).opened.splice(0)) {
      try {
        database.close()
      } catch (error) {
        // A store has closed it: all that is wanted is that it is closed.
        void error
      }
    }
  }
  const remove = (place) => {
    crash(place)
    at(place).remove()
    places.delete(place)
  }
  return { connect: (place) => connect(place), script: connect, crash, remove }
}

const store = {
  storage: (connection) => new SQLiteAdapter({ database: connection, waitMs: 20 }),
  exclusive: true,
  create() {
    const { path, remove } = inNewFolder()
    const opened = []
    return {
      connect() {
        const database = new native(path)
        opened.push(database)
        return from(database)
      },
      cleanup() {
        for (const database of opened) database.close()
        remove()
      },
    }
  },
}

const limits = { payloadBytesMax: 5_000_000, steps: 150 }
const tell = (line) => console.log(JSON.stringify(line))
tell({ runtime: isBun ? `Bun ${process.versions.bun}` : `Deno ${process.versions.deno}`, sqlite: version() })
await runSuites(
  [
    bindingSuite(binding),
    streamSuite('streams', placesOn(fileHost(), limits)),
    streamSuite("streams, Varve's format", placesOn(fileHost(), { ...limits, format: 'varve' })),
    storeSuite(store),
  ],
  tell,
)
await onPath()

function version() {
  const adapter = from(new native(':memory:'), { own: true })
  const [row] = adapter.iterate('SELECT sqlite_version() AS version')
  adapter.close()
  return row.version
}

/** A store of `varve` on a path, by whatever binding it finds here, and found again by another one. */
async function onPath() {
  const { path, remove } = inNewFolder()
  const definition = { key: 'id', schema: { id: { type: 'string' } } }
  const options = { name: 'on-path', file: path, buckets: { notes: definition } }
  for (const id of ['a', 'b']) {
    const store = await Store.start(options)
    await store.bucket('notes').insert({ id })
    await store.stop()
  }
  const store = await Store.start(options)
  tell({ onPath: await store.bucket('notes').keys() })
  await store.stop()
  remove()
}
