/**
 * One life: sells until it is killed, with an inline and an async projection, which it rebuilds again and again. Says on stdout, a JSON line
 * each, what was acknowledged.
 *
 *   node projections-child.mjs <file> <life> <planted bug or ->
 */
import { writeSync } from 'node:fs'
import { Store } from '../../../dist/index.js'

const [file, life, bug] = process.argv.slice(2)

/** Written before anything else happens: what has been told, the parent knows, whenever the kill comes. */
function tell(what) {
  writeSync(1, `${JSON.stringify(what)}\n`)
}

const row = { key: 'id', schema: { id: { type: 'string' }, times: { type: 'number' } } }
const counts = (into) => ({
  from: ['sold', 'gift'],
  into: [into],
  apply: ({ data: { id }, type }, tx) => {
    const bucket = tx.bucket(into)
    for (const key of [id, `all of ${type}`]) bucket.upsert({ id: key, times: (bucket.get(key)?.times ?? 0) + 1 })
  },
})
const store = await Store.start({
  file,
  history: 'forever',
  buckets: { inline: row, async: row, plain: row },
  events: {
    sold: { reduce: ({ data: { id } }) => ({ events: [{ type: 'gift', data: { id: `${id} gift` } }] }) },
    gift: {},
  },
  projections: { inline: counts('inline'), async: { ...counts('async'), mode: 'async' } },
})
tell({ ready: life })
const seller = async (name) => {
  for (let i = 0; ; i++) {
    const id = `${life}-${name}-${i}`
    await store.dispatch('sold', { id })
    tell({ sold: id })
  }
}
const writer = async () => {
  for (let i = 0; ; i++) await store.bucket('plain').upsert({ id: `p${i % 10}`, times: i })
}
const rebuilder = async (name) => {
  for (;;) {
    await store.rebuild(name)
    tell({ rebuilt: name })
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
// As if an event had been dispatched twice for one acknowledgement.
if (bug === 'twice') await store.dispatch('sold', { id: `${life}-s1-0` })
await Promise.all([seller('s1'), seller('s2'), writer(), rebuilder('inline'), rebuilder('async')])
