/**
 * Runs the real @kyneta/sqlite-store 3.0.0 against the fixtures of `src/testing/stream-foreign.ts` and what Varve writes.
 *
 *   node tests/streams/kyneta.mjs make <folder>          prints the SQL of the fixture of 3.x
 *   node tests/streams/kyneta.mjs read <folder> <file>   prints, as JSON, what it reads in a database
 *   node tests/streams/kyneta.mjs add <folder> <file>    appends an entry to each document of a database
 *
 * `folder` holds the unpacked packages, as `sqlite-store` and `sql-store-core`. They need @kyneta/exchange, which is not in the
 * registry: its five helpers are written here by the description in the research of record streams, not copied.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const Database = createRequire(import.meta.url)('better-sqlite3')

const EXCHANGE = `
export const STORE_META_FORMAT_KEY = 'format'
export class StoreFormatVersionError extends Error {
  constructor(fields) { super('incompatible format (' + fields.reason + ')'); Object.assign(this, fields) }
}
export class SeqNoTracker {
  #last = new Map()
  async next(id, discover) {
    const last = this.#last.has(id) ? this.#last.get(id) : ((await discover()) ?? -1)
    this.#last.set(id, last + 1)
    return last + 1
  }
  reset(id, seq) { this.#last.set(id, seq) }
  remove(id) { this.#last.delete(id) }
}
export function parseStoreFormat(text) {
  try {
    const { major, minor } = JSON.parse(text)
    return Number.isInteger(major) && Number.isInteger(minor) ? { major, minor } : 'malformed'
  } catch { return 'malformed' }
}
export function decideStoreFormat({ current, stored, storeHasData }) {
  if (stored === null) return storeHasData ? { action: 'refuse', reason: 'unversioned-existing-data' } : { action: 'stamp', value: current }
  return stored.major === current.major ? { action: 'open' } : { action: 'refuse', reason: 'incompatible-major' }
}
const mode = (meta) => JSON.stringify([meta.syncMode.writerModel, meta.syncMode.delivery, meta.syncMode.durability])
function compare(existing, incoming, where) {
  if (existing.replicaType[0] !== incoming.replicaType[0] || existing.replicaType[1] !== incoming.replicaType[1])
    throw new Error('Store: replicaType mismatch ' + where)
  if (mode(existing) !== mode(incoming)) throw new Error('Store: syncMode mismatch ' + where)
}
export function validateAppend(id, record, existing) {
  if (record.kind === 'entry') {
    if (existing === null) throw new Error('Store: first record for doc must be meta, got entry')
    return null
  }
  if (existing !== null) compare(existing, record.meta, 'for document')
  return record.meta
}
export function resolveMetaFromBatch(records, existing) {
  const metas = records.filter((record) => record.kind === 'meta').map((record) => record.meta)
  if (metas.length === 0) throw new Error('Store: batch must contain at least one meta record')
  for (const meta of metas) { if (existing !== null) compare(existing, meta, 'for document'); compare(metas[0], meta, 'within batch') }
  return metas.at(-1)
}
`

const COLLABORATIVE = { writerModel: 'concurrent', delivery: 'delta-capable', durability: 'persistent' }
const meta = (schemaHash = 'h1', replicaType = ['yjs', 1, 0], syncMode = COLLABORATIVE) => ({
  kind: 'meta',
  meta: { replicaType, syncMode, schemaHash },
})
const entry = (data, version, kind = 'since', rest = {}) => ({
  kind: 'entry',
  payload: { kind, encoding: typeof data === 'string' ? 'json' : 'binary', data, ...rest },
  version,
})

const [command, folder, file] = process.argv.slice(2)
const work = mkdtempSync(join(tmpdir(), 'varve-kyneta-'))
try {
  const scope = join(work, 'node_modules/@kyneta')
  mkdirSync(join(scope, 'exchange'), { recursive: true })
  writeFileSync(
    join(scope, 'exchange/package.json'),
    JSON.stringify({ name: '@kyneta/exchange', type: 'module', exports: './index.js' }),
  )
  writeFileSync(join(scope, 'exchange/index.js'), EXCHANGE)
  for (const name of ['sqlite-store', 'sql-store-core'])
    cpSync(join(folder, name), join(scope, name), { recursive: true, dereference: true })
  const { SqliteStore, fromBetterSqlite3 } = await import(pathToFileURL(join(scope, 'sqlite-store/dist/index.js')).href)
  const database = new Database(file ?? ':memory:')
  const store = new SqliteStore(fromBetterSqlite3(database))
  if (command === 'make') console.log(await make(store, database))
  if (command === 'read') console.log(JSON.stringify(await read(store)))
  if (command === 'add') for (const id of await ids(store)) await store.append(id, entry('added by kyneta', 'k'))
  await store.close()
} finally {
  rmSync(work, { recursive: true, force: true })
}

/** Writes the documents that `stream-foreign.ts` expects, and gives the database as SQL. */
async function make(store, database) {
  await store.append('text', meta())
  await store.append('text', entry('{"a":"é😀\\u0000\\ud800"}', '1', 'entirety'))
  await store.append('text', entry('x\0"\\\n', '2', 'since', { lineage: 'L1' }))
  await store.append('bytes', meta())
  await store.append('bytes', entry(Uint8Array.of(0, 1, 255), 'AQ=='))
  await store.append('bytes', entry(new Uint8Array(0), '', 'entirety'))
  await store.append('bytes', entry(Uint8Array.of(7), 'v', 'since', { lineage: '' }))
  await store.append('odd', meta())
  await store.append('odd', entry('text that calls itself binary', 'v', 'since', { encoding: 'binary' }))
  await store.append('odd', entry(Uint8Array.of(9), 'v', 'since', { encoding: 'json' }))
  for (const record of [meta(), entry('a', '1'), entry('b', '2'), entry('c', '3')])
    await store.append('replaced', record)
  await store.replace('replaced', [entry('snapshot', '9', 'entirety'), meta('h2', ['yjs', 1, 4])])
  await store.append('replaced', entry('d', '10'))
  await store.append('gap', meta())
  await store.append('gap', meta('h', ['loro', 1, 0])).catch((error) => console.error(`as wanted: ${error.message}`))
  await store.append('gap', entry('after a gap', '1'))
  for (const id of ['', 'a\0b', 'a', '日本/é', 'Users/A', 'users/a'])
    await store.append(id, meta(`of ${id.length}`, ['plain', 1, 0]))
  await store.append('gone', meta())
  await store.delete('gone')
  return dump(database)
}

function dump(database) {
  const lines = []
  for (const { name, sql } of database
    .prepare("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name")
    .all()) {
    lines.push(`${sql.replace(/\s+/g, ' ')};`)
    for (const row of database.prepare(`SELECT * FROM ${name}`).all())
      lines.push(`INSERT INTO ${name} VALUES (${Object.values(row).map(literal).join(', ')});`)
  }
  return lines.join('\n')
}

function literal(value) {
  if (value === null) return 'NULL'
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'string') return `X'${value.toString('hex')}'`
  if (/^[\x20-\x7e]*$/.test(value)) return `'${value.replaceAll("'", "''")}'`
  return `CAST(X'${Buffer.from(value).toString('hex')}' AS TEXT)`
}

async function ids(store) {
  const found = []
  for await (const id of store.listDocIds()) found.push(id)
  return found
}

async function read(store) {
  const documents = []
  for (const id of await ids(store)) {
    const records = []
    for await (const record of store.loadAll(id)) {
      const { payload } = record
      if (payload?.data instanceof Uint8Array)
        records.push({ ...record, payload: { ...payload, data: { bytes: [...payload.data] } } })
      else records.push(record)
    }
    documents.push([id, await store.currentMeta(id), records])
  }
  return documents
}
