/**
 * One life: dispatches and enqueues until it is killed, and says on stdout, a JSON line each, what was acknowledged.
 *
 *   node events-child.mjs <file> <life> <planted bug or ->
 */
import { writeSync } from 'node:fs'
import { Store } from '../../../dist/index.js'

const [file, life, bug] = process.argv.slice(2)

/** Written before anything else happens: what has been told, the parent knows, whenever the kill comes. */
function tell(what) {
  writeSync(1, `${JSON.stringify(what)}\n`)
}

const store = await Store.start({
  file,
  history: 'forever',
  buckets: {
    done: { key: 'id', schema: { id: { type: 'string' }, times: { type: 'number' } } },
    sums: { key: 'id', schema: { id: { type: 'string' }, sum: { type: 'number' } } },
  },
  events: {
    work: {
      reduce: ({ data: { id } }, view) => ({
        done: { upsert: { id, times: (view.bucket('done').get(id)?.times ?? 0) + 1 } },
        events: [{ type: 'counted', data: { by: 1 } }],
      }),
      transact: async ({ data: { id, lane } }, tx) => {
        if (lane === undefined) return
        await Promise.resolve()
        const sum = (await tx.bucket('sums').get('async'))?.sum ?? 0
        await tx.bucket('sums').upsert({ id: 'async', sum: sum + 1 })
        if (bug === 'twice') void store.enqueue('work', { id })
      },
    },
    counted: {
      reduce: ({ data: { by } }, view) => ({
        sums: { upsert: { id: 'all', sum: (view.bucket('sums').get('all')?.sum ?? 0) + by } },
      }),
    },
  },
})
tell({ ready: life })
const dispatcher = async (name) => {
  for (let i = 0; ; i++) {
    const id = `${life}-${name}-${i}`
    await store.dispatch('work', { id })
    tell({ dispatched: id })
  }
}
const producer = async (name) => {
  for (let i = 0; ; i++) {
    const id = `${life}-${name}-${i}`
    await store.enqueue('work', { id, lane: name }, { lane: name })
    tell({ queued: id })
    // Faster than it is worked off, the queue would never be empty again.
    if (i % 20 === 19) await store.queue.idle()
  }
}
await Promise.all([dispatcher('d1'), dispatcher('d2'), producer('q1'), producer('q2')])
