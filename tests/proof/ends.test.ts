import { expect, test } from 'vitest'
import { MemoryAdapter, SQLiteAdapter, Store } from '../../src/index.js'
import type { StorageAdapter } from '../../src/index.js'

const BUCKETS = {
  a: { key: 'id', schema: { id: { type: 'number' } } },
  b: { key: 'id', schema: { id: { type: 'number' } } },
} as const

async function open(adapter: StorageAdapter): Promise<any> {
  const onError = (error: Error): void => expect.unreachable(error.message)
  const store = await Store.start({ buckets: BUCKETS, persistence: { adapter }, onError })
  await store.bucket('a').insert({ id: 1 })
  return store
}

const adapters: [string, () => StorageAdapter][] = [
  ['memory', () => new MemoryAdapter()],
  ['sqlite', () => new SQLiteAdapter(':memory:')],
]

test.each(adapters)(
  'a transaction that empties a bucket while it is dropped ends before the drop or not at all: %s',
  async (_name, make) => {
    for (let ticks = 0; ticks < 12; ticks++) {
      const store = await open(make())
      let dropped: Promise<void> | undefined
      const run = store.transaction(async (tx: any) => {
        await tx.bucket('b').insert({ id: ticks })
        await tx.bucket('a').clear()
        dropped = store.dropBucket('a')
        for (let tick = 0; tick < ticks; tick++) await undefined
      })
      const outcome = await run.then(
        () => 'committed',
        (error: { code: string }) => error.code,
      )
      await dropped
      await store.flush()
      expect(outcome).toMatch(/^(committed|BUCKET_NOT_DEFINED|TRANSACTION_CONFLICT)$/)
      expect(await store.bucket('b').count()).toBe(outcome === 'committed' ? 1 : 0)
      expect(store.hasBucket('a')).toBe(false)
      await store.stop()
    }
  },
)

test('work of a transaction that nobody awaits is part of it, also when its bucket is busy', async () => {
  const store = await open(new MemoryAdapter())
  const a = store.bucket('a')
  store.kill('bucket:a')
  const many = Array.from({ length: 2_000 }, (_, id) => a.insert({ id: id + 2 }))
  await many[0]
  await store.transaction((tx: any) => void tx.bucket('a').insert({ id: -1 }))
  expect(await a.has(-1)).toBe(true)
  await Promise.all(many)
  await store.stop()
})

test('writes that wait behind a drop are refused, and harm nobody', async () => {
  const store = await open(new SQLiteAdapter(':memory:'))
  const a = store.bucket('a')
  store.kill('bucket:a')
  const before = Array.from({ length: 600 }, (_, id) => a.insert({ id: id + 2 }))
  const dropped = store.dropBucket('a')
  const after = Array.from({ length: 600 }, (_, id) => a.insert({ id: id + 10_000 }))
  const beside = store.bucket('b').insert({ id: 1 })
  await Promise.all([...before, dropped, beside])
  for (const one of await Promise.allSettled(after)) {
    if (one.status === 'rejected') expect(one.reason.code).toBe('BUCKET_NOT_DEFINED')
  }
  await store.flush()
  await store.stop()
})
