/** Subscribes and unsubscribes `process.argv[3]` times with the bundle at `process.argv[2]`, and prints what that has left behind. */
import { pathToFileURL } from 'node:url'

const [, , bundle, pairs, leak] = process.argv
const { Store } = await import(pathToFileURL(bundle).href)

// Not persistent: what is written would grow the log, and that is another matter.
const store = await Store.start({
  buckets: {
    b: { persistent: false, key: 'id', schema: { id: { type: 'number' }, n: { type: 'number' } }, indexes: ['n'] },
  },
})
const b = store.bucket('b')
await b.insertMany(Array.from({ length: 20 }, (_, id) => ({ id, n: id % 5 })))
store.defineQuery('mixed', async (ctx, n) => {
  const one = await ctx.bucket('b').get(n)
  return [one, (await ctx.bucket('b').where({ n: n % 5 })).length]
})
const ends = []
const signal = new AbortController().signal
let heard = 0
const hear = () => heard++

/** One pair; each kind of subscription, and of end, has its turn. Some live through a write, some end before they have begun. */
async function pair(i) {
  const options = i % 4 === 0 ? { signal } : i % 4 === 1 ? { immediate: i % 8 === 1 } : {}
  const abort = i % 4 === 3 ? new AbortController() : undefined
  if (abort !== undefined) options.signal = abort.signal
  const stop = await (i % 2 === 0
    ? store.subscribe('mixed', (i >> 1) % 40, hear, options)
    : b.where({ n: i % 7, id: { gte: i % 11 } }).live(hear, options))
  if (i % 512 === 0) await b.update(i % 20, { n: i % 5 })
  if (i % 64 < 2) await store.settle()
  if (leak === 'leak' && i % 100 === 0) ends.push(stop)
  else if (abort !== undefined) abort.abort()
  else stop()
}

async function run(from, to) {
  for (let i = from; i < to; i++) await pair(i)
  await store.settle()
}

async function heapNow() {
  await new Promise((resolve) => setImmediate(resolve))
  for (let i = 0; i < 4; i++) globalThis.gc()
  return process.memoryUsage().heapUsed
}

const warmup = 20_000
await run(0, warmup)
const before = await heapNow()
const began = performance.now()
await run(warmup, warmup + Number(pairs))
const ms = performance.now() - began
const bytes = (await heapNow()) - before
const { live, queries } = await store.getStats()
process.stdout.write(JSON.stringify({ bytes, ms, heard, live, active: queries.activeSubscriptions }))
await store.stop()
