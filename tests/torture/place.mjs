import { join } from 'node:path'
import { FileAdapter, Store } from '../../dist/index.js'
import { BUCKETS } from './workload.mjs'

/** Opens the store of one lane: an SQLite file, or a folder of the file adapter, in `folder`. */
export function openStore(adapter, folder) {
  const options = { name: 'torture', buckets: BUCKETS, history: 'forever', onError: (error) => console.error(error) }
  if (adapter === 'sqlite') return Store.start({ ...options, file: join(folder, 'torture.db'), waitMs: 5_000 })
  const directory = join(folder, 'torture')
  return Store.start({ ...options, persistence: { adapter: new FileAdapter({ directory, waitMs: 5_000 }) } })
}
