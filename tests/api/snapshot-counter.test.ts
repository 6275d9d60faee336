import { expect, test } from 'vitest'
import { Store } from '../../src/index.js'

test('a counter that a place tells only with the rows goes on from there', async () => {
  const saved = new Map<string, unknown>()
  const snapshot = {
    state: { records: [[2, { id: 2, _version: 1, _createdAt: 1, _updatedAt: 1 }]], autoincrementCounter: 7 },
  }
  // A place whose keys cannot be listed as they are: what is in it is found by asking for it.
  const adapter = {
    save: async (key: string, state: unknown) => void saved.set(key, structuredClone(state)),
    load: async (key: string) => saved.get(key) ?? (key === 'shop:bucket:orders' ? snapshot : undefined),
    delete: async (key: string) => saved.delete(key),
    exists: async (key: string) => saved.has(key),
    listKeys: async () => [],
  }
  const store = await Store.start({ name: 'shop', persistence: { adapter } })
  const orders = await store.defineBucket('orders', {
    key: 'id',
    schema: { id: { type: 'number', generated: 'autoincrement' } },
  })
  expect((await orders.insert({})).id).toBe(8)
  await store.stop()
})
