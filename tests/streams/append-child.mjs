/** Appends to one document, from a process of its own: `append-child.mjs <path> <name> <count>`. */
import Database from 'better-sqlite3'
import { createSqliteStreamStore } from '../../dist/streams/index.js'

const [path, name, count] = process.argv.slice(2)
const database = new Database(path)
// In this order: what the test itself asks may wait, what the store asks may not.
database.pragma('synchronous = NORMAL')
database.pragma('busy_timeout = 1')
const adapter = {
  exec: (sql, ...params) => void (params.length === 0 ? database.exec(sql) : database.prepare(sql).run(...params)),
  iterate: (sql, ...params) => database.prepare(sql).all(...params),
  transaction: (fn) => database.transaction(fn)(),
  close: () => database.close(),
}
const META = {
  replicaType: ['yjs', 1, 0],
  syncMode: { writerModel: 'concurrent', delivery: 'delta-capable', durability: 'persistent' },
  schemaHash: name,
}
const store = await createSqliteStreamStore(adapter)
await store.append('shared', { kind: 'meta', meta: META })
for (let i = 0; i < Number(count); i++) {
  const payload = { kind: 'since', encoding: 'json', data: String(i) }
  await store.append('shared', { kind: 'entry', payload, version: name })
}
await store.close()
