/**
 * Runs the real @kyneta/sqlite-store 3.0.0 against the fixtures of `src/testing/stream-foreign-sql.ts` and what Varve writes.
 *
 *   node tests/streams/kyneta.mjs make          prints the SQL of the fixture of 3.x
 *   node tests/streams/kyneta.mjs read <file>   prints, as JSON, what it reads in a database
 *   node tests/streams/kyneta.mjs add <file>    appends an entry to each document of a database
 */
import { fromBetterSqlite3, SqliteStore } from '@kyneta/sqlite-store'
import Database from 'better-sqlite3'

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

const [command, file] = process.argv.slice(2)
const database = new Database(file ?? ':memory:')
const store = new SqliteStore(fromBetterSqlite3(database))
if (command === 'make') console.log(await make(store, database))
if (command === 'read') console.log(JSON.stringify(await read(store)))
if (command === 'add') for (const id of await ids(store)) await store.append(id, entry('added by kyneta', 'k'))
await store.close()

/** Writes the documents that `stream-foreign-sql.ts` holds, and gives the database as SQL. */
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
