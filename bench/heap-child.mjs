/** Prints what `process.argv[3]` records cost on the heap of one contestant, in bytes. A process of its own, so that nothing else is counted. */
import { makeRecord } from './data.mjs'

const [contestant, count, file] = [process.argv[2], Number(process.argv[3]), process.argv[4]]
const OPENERS = {
  map: async () => (await import('./contestants/map.mjs')).openMap({ twoIndexes: true }),
  varve: async () => (await import('./contestants/varve.mjs')).openVarve({ twoIndexes: true }),
  'varve-file': async () => (await import('./contestants/varve.mjs')).openVarve({ twoIndexes: true, file }),
  'varve-opened': async () => (await import('./contestants/varve.mjs')).openVarve({ twoIndexes: true, file }),
  peer: async (name) => (await import('./contestants/peers.mjs')).peers.find((peer) => peer.name === name).open(),
}
const CHUNK = 1_000

function heapNow() {
  for (let i = 0; i < 4; i++) globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const [kind, name] = contestant.split(':')
// Opened once without counting: modules and compiled code are not what a record costs.
if (kind !== 'varve-opened') {
  const trial = kind === 'varve-file' ? await OPENERS.varve() : await OPENERS[kind](name)
  await trial.insertMany(Array.from({ length: CHUNK }, (_, i) => makeRecord(i)))
  await trial.close()
}
await new Promise((resolve) => setTimeout(resolve, 50))
const before = heapNow()
const store = await OPENERS[kind](name)
if (kind !== 'varve-opened') {
  for (let at = 0; at < count; at += CHUNK) {
    const size = Math.min(CHUNK, count - at)
    await store.insertMany(Array.from({ length: size }, (_, i) => makeRecord(at + i)))
  }
}
await new Promise((resolve) => setTimeout(resolve, 50))
const after = heapNow()
const found = await store.getEach([makeRecord(count - 1).id])
process.stdout.write(`${JSON.stringify({ bytes: after - before, found, expected: makeRecord(count - 1).age })}\n`)
if (store.close !== undefined) await store.close()
process.exit(0)
