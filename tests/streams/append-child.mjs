/** Appends to one document, from a process of its own: `append-child.mjs <path> <name> <count>`. */
import { createSqliteStreamStore } from '../../dist/streams/index.js'
import { bareAdapter, openNative } from './native.mjs'

const [path, name, count] = process.argv.slice(2)
const database = openNative(path)
// What the test itself asks may wait, also where a binding waits for nothing; what the store asks may not.
database.exec('PRAGMA busy_timeout = 5000; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 1')
const adapter = bareAdapter(database)
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
