import { expect, test } from 'vitest'
import { Store } from '../../src/index.js'
import type { BucketDefinition, Entry, EventOptions, ProjectionOptions } from '../../src/index.js'
import { ReplayStore } from '../../src/sourcing/replay-store.js'
import type { ReplayReport } from '../../src/sourcing/replay.js'

interface Model {
  readonly buckets: { readonly [name: string]: BucketDefinition }
  readonly events: { readonly [type: string]: EventOptions }
  readonly projections?: { readonly [name: string]: ProjectionOptions }
}

const ROWS = { key: 'id', schema: { id: { type: 'string' }, price: { type: 'number' } } } as const

async function* each(entries: readonly Entry[]): AsyncGenerator<Entry> {
  await Promise.resolve()
  yield* entries
}

/** Does `work` in a store, and replays its log under the same definitions: the state has to be the same. */
async function replayed(
  model: Model,
  work: (store: Store) => Promise<void>,
): Promise<ReplayReport & { readonly isSame: boolean }> {
  const store = (await Store.start({ ...model, history: 'forever', onError: () => undefined })) as Store
  await work(store)
  await store.projected()
  const [entries, hash] = [await store.log.read(), await store.stateHash()]
  await store.stop()
  const replay = await ReplayStore.open()
  await replay.define(model)
  const report = await replay.replay(each(entries))
  const isSame = (await replay.stateHash()) === hash
  await replay.stop()
  return { ...report, isSame }
}

const placed: EventOptions = {
  reduce: ({ data }, view) => {
    const price = (view.bucket('prices').get('tea') as { price?: number } | undefined)?.price
    return { orders: { insert: { id: data.id, price } } }
  },
}
const noted: EventOptions = { reduce: ({ data }) => ({ notes: { insert: { id: data.id } } }) }
const SHOP: Model = { buckets: { prices: ROWS, orders: ROWS, notes: ROWS }, events: { placed, noted } }

test('events that read what was cleared later are taken as they were recorded, the others are handled', async () => {
  const report = await replayed(SHOP, async (store) => {
    await store.bucket('prices').insert({ id: 'tea', price: 5 })
    for (let n = 0; n < 20; n++) {
      await store.dispatch('placed', { id: `o${n}` })
      await store.dispatch('noted', { id: `n${n}` })
    }
    await store.bucket('prices').clear()
    await store.bucket('prices').insert({ id: 'tea', price: 6 })
    for (let n = 20; n < 30; n++) await store.dispatch('placed', { id: `o${n}` })
  })
  expect(report).toMatchObject({ isSame: true, failed: 0, events: 30, recorded: 20, unknownBuckets: ['prices'] })
})

test('events that have written what was dropped later are taken as they were recorded', async () => {
  const priced: EventOptions = {
    reduce: ({ data }, view) => ({
      prices: { upsert: { id: 'tea', price: data.price } },
      orders: { insert: { id: data.id, price: view.bucket('prices').count() } },
    }),
  }
  const report = await replayed({ ...SHOP, events: { priced, noted } }, async (store) => {
    await store.dispatch('priced', { id: 'a', price: 1 })
    await store.dispatch('priced', { id: 'b', price: 2 })
    await store.dropBucket('prices')
    await store.defineBucket('prices', ROWS)
    await store.dispatch('priced', { id: 'c', price: 3 })
    await store.dispatch('noted', { id: 'n' })
  })
  expect(report).toMatchObject({ isSame: true, failed: 0, events: 2, recorded: 2, unknownBuckets: ['prices'] })
})

test('a handler that catches what it meets there is not believed', async () => {
  const careless: EventOptions = {
    reduce: (event, view) => {
      try {
        return placed.reduce?.(event, view)
      } catch {
        return { orders: { insert: { id: 'wrong' } } }
      }
    },
  }
  const report = await replayed({ ...SHOP, events: { placed: careless } }, async (store) => {
    await store.bucket('prices').insert({ id: 'tea', price: 5 })
    await store.dispatch('placed', { id: 'o' })
    await store.bucket('prices').clear()
  })
  expect(report).toMatchObject({ isSame: true, recorded: 1 })
})

test('events that fill a bucket with eviction "lru" are taken as they were recorded: reads are not in the log', async () => {
  const used: BucketDefinition = { ...ROWS, maxSize: 2, eviction: 'lru' }
  const fill: EventOptions = { reduce: ({ data }) => ({ used: { insert: { id: data.id } } }) }
  const report = await replayed({ buckets: { used, notes: ROWS }, events: { fill, noted } }, async (store) => {
    await store.dispatch('fill', { id: 'a' })
    await store.dispatch('fill', { id: 'b' })
    await store.bucket('used').get('a')
    await store.dispatch('fill', { id: 'c' })
    await store.dispatch('noted', { id: 'n' })
  })
  expect(report).toMatchObject({ isSame: true, events: 1, recorded: 3, unknownBuckets: ['used'] })
})

test('what preprocess has made of the data is not preprocessed again', async () => {
  const cents: EventOptions = {
    preprocess: ({ data }) => ({ ...data, price: Number(data.price) * 100 }),
    reduce: ({ data }) => ({ orders: { insert: data } }),
  }
  const both: EventOptions = { reduce: () => ({ events: [{ type: 'cents', data: { id: 'sub', price: 2 } }] }) }
  const report = await replayed({ ...SHOP, events: { cents, both } }, async (store) => {
    await store.dispatch('cents', { id: 'o', price: 5 })
    await store.dispatch('both')
    expect(await store.bucket('orders').get('o')).toMatchObject({ price: 500 })
  })
  expect(report).toMatchObject({ isSame: true, events: 2, failed: 0 })
})

test('an event that a projection leaves out by its policy is left out again, and is no failure', async () => {
  const projection: ProjectionOptions = {
    from: ['noted'],
    into: ['orders'],
    mode: 'async',
    policy: { retries: 0, onFailure: 'skip' },
    apply: ({ data }) => {
      if (data.id === 'bad') throw new Error('not that one')
      return { orders: { insert: { id: data.id } } }
    },
  }
  const report = await replayed({ ...SHOP, projections: { projection } }, async (store) => {
    for (const id of ['a', 'bad', 'b']) await store.dispatch('noted', { id })
  })
  expect(report).toMatchObject({ isSame: true, failed: 0, skipped: 1, events: 3 })
})
