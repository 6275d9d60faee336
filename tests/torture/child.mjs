/**
 * One life: opens the store, writes until it is killed, and says on stdout, a JSON line each, what has been acknowledged.
 *
 *   node child.mjs <adapter> <folder> <life> <seed> <planted bug or ->
 */
import { writeSync } from 'node:fs'
import { openStore } from './place.mjs'
import { fund, work } from './workload.mjs'

const [adapter, folder, life, seed, bug] = process.argv.slice(2)

/** Written before anything else happens: what has been told, the parent knows, whenever the kill comes. */
function tell(what) {
  const line = `${JSON.stringify(what)}\n`
  for (let at = 0; at < line.length; ) {
    try {
      at += writeSync(1, line.slice(at))
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error
    }
  }
}

const store = await openStore(adapter, folder)
await fund(store)
tell({ ready: true })
await work(store, life, Number(seed), bug, tell)
