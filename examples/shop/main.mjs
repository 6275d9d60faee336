/**
 * A day in a shop. Kill it whenever you like, and start it again: it goes on where it was.
 *
 *   node examples/shop/main.mjs [file] [--orders n] [--quiet]
 */
import { parseArgs } from 'node:util'
import { Store } from 'varve'
import { buckets, events, projections } from './model.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { orders: { type: 'string', default: '300' }, quiet: { type: 'boolean', default: false } },
})
const [file = 'shop.db'] = positionals
/** For people, with a table where there are rows. */
const say = (line, rows) => {
  if (values.quiet) return
  console.log(line)
  if (rows !== undefined) console.table(rows)
}

const store = await Store.start({ file, buckets, events, projections, history: 'forever' })
const orders = store.bucket('orders')
const products = store.bucket('products')
if ((await products.count()) === 0) {
  for (const [item, price] of Object.entries({ tea: 4, coffee: 6, cocoa: 5 })) {
    await store.dispatch('product/delivered', { item, price, count: 1_000_000 }, { meta: { who: 'warehouse' } })
  }
}
console.log(JSON.stringify({ ready: true, orders: await orders.count() }))

// Ten customers at a time. What is said on stdout is durable: whoever reads it can rely on it.
let left = Number(values.orders)
const customer = async (name) => {
  while (left-- > 0) {
    const item = ['tea', 'coffee', 'cocoa'][Math.floor(Math.random() * 3)]
    const { data } = await store.dispatch(
      'order/placed',
      { item, count: 1 + Math.floor(Math.random() * 3) },
      { meta: { who: name } },
    )
    console.log(JSON.stringify({ placed: data.id }))
    if (Math.random() < 0.1) {
      await store.dispatch('order/cancelled', { id: data.id }, { meta: { who: name } })
      console.log(JSON.stringify({ cancelled: data.id }))
    } else {
      await store.enqueue('payment/received', { order: data.id }, { meta: { who: 'bank' } })
      console.log(JSON.stringify({ paid: data.id }))
    }
  }
}
await Promise.all(Array.from({ length: 10 }, (_, i) => customer(`customer ${i + 1}`)))

await store.queue.idle()
await store.projected()
const revenue = store.bucket('revenue').query().select('item', 'orders', 'amount')
const daily = store.bucket('daily').query().select('day', 'placed', 'cancelled', 'paid')
say('\nWhat is left', await products.query().select('item', 'price', 'left'))
say('Revenue, kept by an inline projection', await revenue)
say('Orders by day, kept by an async projection', await daily)
for (const { name, state, lag } of store.projections) say(`projection ${name}: ${state}, ${lag} entries behind`)

// Everything there is, made again from what has happened.
const before = await store.stateHash()
for (const name of Object.keys(projections)) await store.rebuild(name)
const after = await store.stateHash()
say(`\nstate   ${before}\nrebuilt ${after}`)
console.log(JSON.stringify({ hash: after, isSame: before === after }))
await store.stop()
