/**
 * The suites in a browser, bundled by browser.test.ts for the page and for a worker: `run(where)` of SQLite in memory, in OPFS by
 * a pool of access handles (`sah`, worker only), in OPFS by itself (`opfs`, worker only), or of streams in IndexedDB (`idb`).
 * Outcomes go to `report`.
 */
import { Store } from '../../dist/core.js'
import { createIndexedDbStreamStore, deleteIndexedDbStreamStore } from '../../dist/idb/index.js'
import { fromSqliteWasm, SqliteStorage } from '../../dist/sqlite.js'
import { createSqliteStreamStore } from '../../dist/streams/index.js'
import { ALL_BYTES, bindingSuite, placesOn, runSuites, storeSuite, streamSuite } from './suites.mjs'

const META = {
  replicaType: ['yjs', 1, 0],
  syncMode: { writerModel: 'concurrent', delivery: 'delta-capable', durability: 'persistent' },
  schemaHash: 'h',
}

/** `open(name)` and `remove(name)` of databases, by where they are. */
const OPENERS = {
  memory: (sqlite3) => ({ open: () => new sqlite3.oo1.DB(':memory:'), remove: () => undefined }),
  async sah(sqlite3) {
    const pool = await sqlite3.installOpfsSAHPoolVfs({ name: 'opfs-sahpool', initialCapacity: 200 })
    return { open: (name) => new pool.OpfsSAHPoolDb(`/${name}`), remove: (name) => pool.unlink(`/${name}`) }
  },
  async opfs(sqlite3) {
    if (sqlite3.oo1.OpfsDb === undefined) throw new Error('no OPFS: the page is not isolated (COOP, COEP)')
    const folder = await navigator.storage.getDirectory()
    return {
      open: (name) => new sqlite3.oo1.OpfsDb(`/${name}`, 'c'),
      remove: (name) => folder.removeEntry(name).catch(() => undefined),
    }
  },
}

async function load(where) {
  const { default: init } = await import('/sqlite/index.mjs')
  const sqlite3 = await init()
  sqlite3.config.warn = () => undefined
  return { sqlite3, ...(await OPENERS[where](sqlite3)) }
}

/** @param limits `{ steps, payloadBytesMax }`; `suites` are the names of those to run. */
export async function run(where, suites, limits, report) {
  if (where === 'idb') return runIdb(limits, report)
  const { sqlite3, open, remove } = await load(where)
  report({ runtime: `${navigator.userAgent}, SQLite ${sqlite3.version.libVersion} (${where})` })
  let made = 0
  const from = (native, own = false) => fromSqliteWasm(native, { own, sqlite3 })
  const binding = {
    only: { another: false },
    open() {
      const name = `binding-${made++}`
      const native = open(name)
      return { adapter: from(native, true), again: () => from(native), cleanup: () => remove(name) }
    },
  }
  const natives = new Map()
  const at = (place) => {
    if (!natives.has(place)) natives.set(place, open(place))
    return natives.get(place)
  }
  const host = {
    connect: (place) => from(at(place)),
    script(place, sql) {
      at(place).exec(sql)
      return from(at(place))
    },
    async remove(place) {
      natives.get(place)?.close()
      natives.delete(place)
      await remove(place)
    },
  }
  const store = {
    create() {
      const name = `store-${made++}`
      const native = open(name)
      const connection = from(native)
      return {
        connect: () => connection,
        async cleanup() {
          native.close()
          await remove(name)
        },
      }
    },
  }
  const all = [
    bindingSuite(binding),
    streamSuite('streams', placesOn(host, limits)),
    streamSuite("streams, Varve's format", placesOn(host, { ...limits, format: 'varve' })),
    storeSuite(store),
  ]
  await runSuites(
    all.filter(({ name }) => suites.includes(name)),
    report,
  )
}

async function runIdb(limits, report) {
  report({ runtime: `${navigator.userAgent}, IndexedDB` })
  const options = {
    reopen: true,
    secondHandle: true,
    keepsClears: true,
    namespaces: (place, namespace) => createIndexedDbStreamStore(`${place}/${namespace}`),
    cleanup: (place) => deleteIndexedDbStreamStore(place),
    ...limits,
  }
  await runSuites([streamSuite('streams', { open: (place) => createIndexedDbStreamStore(place), options })], report)
}

/** Opens a store and streams in one database, adds to both, and tells what is in them: with what was there before. */
export async function visit(where) {
  if (where === 'idb') return { bytes: await visitStreams(await createIndexedDbStreamStore('kept')) }
  const { sqlite3, open } = await load(where)
  const native = open('kept')
  const connection = fromSqliteWasm(native, { sqlite3 })
  const definition = { key: 'id', schema: { id: { type: 'number', generated: 'autoincrement' } } }
  const persistence = { adapter: new SqliteStorage(connection) }
  const store = await Store.start({ name: 'kept', persistence, buckets: { visits: definition } })
  await store.bucket('visits').insert({})
  const { durability } = store.openReport
  const visits = await store.bucket('visits').keys()
  await store.stop()
  const bytes = await visitStreams(await createSqliteStreamStore(connection))
  native.close()
  return { durability, visits, bytes }
}

async function visitStreams(streams) {
  await streams.append('doc', { kind: 'meta', meta: META })
  const payload = { kind: 'since', encoding: 'binary', data: ALL_BYTES }
  await streams.append('doc', { kind: 'entry', payload, version: 'v' })
  await streams.flush()
  const bytes = []
  for await (const record of streams.loadAll('doc')) if (record.kind === 'entry') bytes.push([...record.payload.data])
  await streams.close()
  return bytes
}

/** In a worker: each message is the name of one of the functions above and its arguments. */
if (typeof document === 'undefined') {
  self.addEventListener('message', async ({ data: [name, ...args] }) => {
    const tell = (message) => self.postMessage(message, { transfer: [] })
    const report = (line) => tell({ line })
    try {
      tell({ result: await (name === 'run' ? run(...args, report) : visit(...args)) })
    } catch (error) {
      tell({ error: `${error?.name}: ${error?.message}` })
    }
  })
}
