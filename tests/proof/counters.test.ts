import { expect, test } from 'vitest'
import { MemoryAdapter, Store } from '../../src/index.js'
import type { BucketDefinition } from '../../src/index.js'
import { kinds } from './support/places.js'

const NOTES: BucketDefinition = {
  key: 'id',
  schema: { id: { type: 'number', generated: 'autoincrement' }, text: { type: 'string' } },
}

test.each(kinds)(
  'a number that a committed transaction has given is not given again, also when its record is gone: $name',
  async ({ make }) => {
    const place = make()
    const open = (): Promise<Store> =>
      Store.start({ name: 's', buckets: { notes: NOTES }, persistence: { adapter: place.adapter() } }) as any
    let store = await open()
    await store.bucket('notes').insert({ text: 'first' })
    for (const others of [0, 1]) {
      const given = await store.transaction(async (tx) => {
        const notes = tx.bucket('notes')
        const { id } = (await notes.insert({ text: 'not for long' })) as any
        await notes.delete(id)
        for (let n = 0; n < others; n++) await notes.update(1, { text: 'changed' })
        return id
      })
      await store.stop()
      store = await open()
      expect(await store.bucket('notes').insert({ text: 'next' })).toMatchObject({ id: given + 1 })
    }
    await store.stop()
    place.cleanup()
  },
)

test('concurrent transactions and inserts never share a number, and never conflict over one', async () => {
  const store = await Store.start({ buckets: { notes: NOTES }, persistence: { adapter: new MemoryAdapter() } })
  const given: unknown[] = []
  const tick = async (n: number): Promise<void> => {
    for (let i = 0; i < n; i++) await undefined
  }
  const transaction = (n: number): Promise<void> =>
    store.transaction(async (tx) => {
      const ids: unknown[] = []
      for (let i = 0; i < 3; i++) {
        ids.push(((await tx.bucket('notes').insert({ text: 't' })) as any).id)
        await tick(n % 5)
      }
      if (n % 4 === 0) throw new Error('aborted')
      given.push(...ids)
    })
  const insert = async (n: number): Promise<void> => {
    await tick(n % 7)
    given.push(((await store.bucket('notes').insert({ text: 'p' })) as any).id)
  }
  const all = Array.from({ length: 100 }, (_, n) => (n % 2 === 0 ? transaction(n) : insert(n)))
  for (const one of await Promise.allSettled(all)) {
    if (one.status === 'rejected') expect(one.reason).toMatchObject({ message: 'aborted' })
  }
  expect(new Set(given).size).toBe(given.length)
  expect((await store.bucket('notes').keys()).length).toBe(given.length)
  await store.stop()
})
