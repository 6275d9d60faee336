import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { LiveChanges, RecordOf, StoreOptions } from '../../src/index.js'
import { Store } from '../../src/index.js'
import { RowsView } from '../../src/reactive/rows-view.js'

const tasks = {
  key: 'id',
  schema: {
    id: { type: 'number' },
    title: { type: 'string', required: true },
    rank: { type: 'number', default: 0 },
    done: { type: 'boolean', default: false },
  },
  indexes: ['done', 'rank'],
} as const

type Task = RecordOf<typeof tasks>

async function open(options: Omit<StoreOptions, 'buckets'> = {}) {
  const store = await Store.start({ ...options, buckets: { tasks } })
  onTestFinished(() => store.stop())
  const bucket = store.bucket('tasks')
  await bucket.insertMany([1, 2, 3, 4].map((id) => ({ id, title: `t${id}`, rank: id * 10 })))
  return { store, bucket }
}

type Delivery = readonly [rows: readonly Task[], changes: LiveChanges<Task>]

const ids = (rows: readonly Task[]): number[] => rows.map(({ id }) => id)

/** What a delivery says, by ids. */
function told([rows, { added, removed, changed, moved }]: Delivery): unknown {
  return {
    rows: ids(rows),
    added: ids(added),
    removed: ids(removed),
    changed: changed.map(({ after }) => after.id),
    moved: moved.map(({ row, from, to }) => [row.id, from, to]),
  }
}

const nothing = { added: [], removed: [], changed: [], moved: [] }

test('a live query delivers its rows, and after each batch of commits what has changed', async () => {
  const { store, bucket } = await open()
  const seen: Delivery[] = []
  const stop = bucket
    .where({ done: false })
    .orderBy('rank', 'desc')
    .limit(3)
    .live((...one) => seen.push(one))
  await stop.ready
  await bucket.update(1, { rank: 100 })
  await store.settle()
  await bucket.update(4, { title: 'other' })
  await store.settle()
  await bucket.update(4, { done: true })
  await store.settle()
  // Not among the first three, and never was.
  await bucket.insert({ id: 5, title: 't5', rank: -1 })
  await store.settle()
  stop()
  await bucket.delete(1)
  await store.settle()
  expect(seen.map(told)).toEqual([
    { ...nothing, rows: [4, 3, 2], added: [4, 3, 2] },
    { ...nothing, rows: [1, 4, 3], added: [1], removed: [2] },
    { ...nothing, rows: [1, 4, 3], changed: [4] },
    { ...nothing, rows: [1, 3, 2], added: [2], removed: [4] },
  ])
  const [first, second] = seen as [Delivery, Delivery]
  expect(second[0][2]).toBe(first[0][1])
  expect(seen.every(([rows]) => Object.isFrozen(rows))).toBe(true)
  expect(stop.explain()).toMatchObject({ deliveries: 4 })
})

test('a row that stands elsewhere has moved', async () => {
  const { store, bucket } = await open()
  const seen: Delivery[] = []
  bucket
    .query()
    .orderBy('rank')
    .live((...one) => seen.push(one), { immediate: false })
  await store.settle()
  await bucket.update(1, { rank: 35 })
  await store.settle()
  expect(seen.map(told)).toEqual([{ ...nothing, rows: [2, 3, 1, 4], changed: [1], moved: [[1, 0, 2]] }])
})

test('a transaction is one delivery, a refused one none, and clear is seen', async () => {
  const { store, bucket } = await open()
  const seen: Delivery[] = []
  bucket.query().live((...one) => seen.push(one), { immediate: false })
  await store.settle()
  await store.transaction(async (tx) => {
    const own = tx.bucket('tasks')
    for (let id = 10; id < 200; id++) await own.insert({ id, title: 'x' })
    await own.delete(1)
  })
  await expect(
    store.transaction(async (tx) => {
      await tx.bucket('tasks').delete(2)
      throw new Error('no')
    }),
  ).rejects.toThrow('no')
  await store.settle()
  await bucket.clear()
  await store.settle()
  expect(seen.map(([rows, { added, removed }]) => [rows.length, added.length, removed.length])).toEqual([
    [193, 190, 1],
    [0, 0, 193],
  ])
})

test('what is delivered is durable, and a write that is in flight is not missed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'varve-live-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const { store, bucket } = await open({ file: join(folder, 'a.db') })
  const write = bucket.insert({ id: 9, title: 'in flight' })
  const lags: number[] = []
  const seen: number[][] = []
  bucket.query().live((rows, { position }) => {
    seen.push(ids(rows))
    lags.push(position - store.position.durable)
  })
  const writes = Array.from({ length: 50 }, (_, i) => bucket.update(1, { rank: i }))
  await Promise.all([write, ...writes])
  await store.settle()
  expect(seen.at(-1)).toEqual([1, 2, 3, 4, 9])
  expect(lags.every((lag) => lag <= 0)).toBe(true)
})

test('equal queries share what is kept for them, and nothing is left when the last one ends', async () => {
  const { store, bucket } = await open()
  const stops = Array.from({ length: 20 }, () => bucket.where({ done: false, rank: { gt: 5 } }).live(() => undefined))
  const same = bucket.where({ rank: { gt: 5 }, done: { eq: false } }).live(() => undefined)
  await store.settle()
  expect(same.explain().shared).toBe(21)
  for (const stop of [...stops, same]) stop()
  expect((await store.getStats()).queries.activeSubscriptions).toBe(0)
})

test('subscriptions that come and go leave nothing behind', async () => {
  const { store, bucket } = await open()
  for (let i = 0; i < 200; i++) {
    const stops = Array.from({ length: 500 }, (_, n) =>
      bucket.where({ id: n % 7, rank: { gt: i } }).live(() => undefined),
    )
    for (const stop of stops) stop()
  }
  await store.settle()
  expect((await store.getStats()).queries.activeSubscriptions).toBe(0)
  const { views } = (store as unknown as { engine: { views: { size: number } } }).engine
  expect(views.size).toBe(0)
})

test('a callback may end any subscription, also its own, and make new ones', async () => {
  const { store, bucket } = await open()
  const seen: string[] = []
  const stopB: { now?: () => void } = {}
  const stopA = bucket.query().live(() => {
    seen.push('a')
    stopA()
    stopB.now?.()
    bucket.query().live(() => seen.push('c'))
  })
  stopB.now = bucket.query().live(() => seen.push('b'))
  await store.settle()
  expect(seen).toEqual(['a', 'c'])
})

test('a callback that takes its time gets the latest result next, and nothing queues up', async () => {
  const { store, bucket } = await open()
  const seen: number[] = []
  let release: (() => void) | undefined
  bucket.where({ id: 1 }).live(([task]) => {
    seen.push(task?.rank ?? -1)
    return new Promise<void>((resolve) => (release = resolve))
  })
  await store.settle()
  for (const rank of [11, 12, 13]) {
    await bucket.update(1, { rank })
    await store.settle()
  }
  expect(seen).toEqual([10])
  release?.()
  await vi.waitFor(() => expect(seen).toEqual([10, 13]))
  release?.()
})

test('an error goes to onError, and the next commit is delivered again', async () => {
  const { store, bucket } = await open()
  const errors: string[] = []
  const seen: number[] = []
  bucket.query().live(
    (rows) => {
      seen.push(rows.length)
      if (seen.length === 1) throw new Error('in the callback')
      return rows.length === 5 ? Promise.reject(new Error('later')) : undefined
    },
    { onError: (error) => errors.push(error.message) },
  )
  await store.settle()
  for (const id of [5, 6]) {
    await bucket.insert({ id, title: 'x' })
    await store.settle()
  }
  await vi.waitFor(() => expect(seen).toEqual([4, 5, 6]))
  expect(errors).toEqual(['in the callback', 'later'])
})

test('a dropped bucket is an error, and the same bucket defined again is delivered', async () => {
  const { store, bucket } = await open()
  const errors: string[] = []
  const seen: number[] = []
  bucket.query().live((rows) => seen.push(rows.length), { onError: (error) => errors.push(error.name) })
  await store.settle()
  await store.dropBucket('tasks')
  await store.settle()
  const again = await store.defineBucket('tasks', tasks)
  await again.insert({ id: 1, title: 'new' })
  await store.settle()
  expect([seen, errors]).toEqual([[4, 0, 1], ['BucketNotDefinedError']])
})

test('the result after an error is delivered also where it is the one before the error', async () => {
  const { store, bucket } = await open()
  const seen: (number | string)[] = []
  bucket
    .where({ id: 99 })
    .live(
      (rows, { added, removed, changed }) => seen.push(rows.length, added.length + removed.length + changed.length),
      {
        onError: (error) => seen.push(error.name),
      },
    )
  await store.settle()
  await store.dropBucket('tasks')
  await store.settle()
  await store.defineBucket('tasks', tasks)
  await store.settle()
  await store.bucket('tasks').insert({ id: 1, title: 'of no interest' })
  await store.settle()
  expect(seen).toEqual([0, 0, 'BucketNotDefinedError', 0, 0])
})

test('a crashed bucket comes back, and so do its live queries', async () => {
  const { store, bucket } = await open({ onError: () => undefined })
  const seen: number[] = []
  bucket.query().live((rows) => seen.push(rows.length))
  await store.settle()
  expect(store.kill('bucket:tasks')).toBe(true)
  await bucket.insert({ id: 7, title: 'after' })
  await store.settle()
  expect(seen).toEqual([4, 5])
})

test('an abort signal ends it, before and after it began', async () => {
  const { store, bucket } = await open()
  const seen: number[] = []
  const abort = new AbortController()
  bucket.query().live((rows) => seen.push(rows.length), { signal: abort.signal })
  bucket.query().live((rows) => seen.push(rows.length * 100), { signal: AbortSignal.abort() })
  await store.settle()
  abort.abort()
  await bucket.delete(1)
  await store.settle()
  expect(seen).toEqual([4])
})

test('it is an async iterable, an observable and a Svelte store as well', async () => {
  const { store, bucket } = await open()
  const rows = bucket
    .where({ rank: { gte: 20 } })
    .select('id')
    .live()
  const stored: unknown[] = []
  const end = rows.subscribe((result) => stored.push(result))
  const observed: unknown[] = []
  const observable = (rows as unknown as { '@@observable'(): typeof rows })['@@observable']()
  const subscription = observable.subscribe({ next: (result) => observed.push(result.length) })
  const iterated: number[] = []
  for await (const result of rows) {
    iterated.push(result.length)
    if (iterated.length === 1) await bucket.delete(2)
    else break
  }
  await store.settle()
  end()
  subscription.unsubscribe()
  await bucket.delete(3)
  await store.settle()
  expect(stored).toEqual([
    [{ id: 2 }, { id: 3 }, { id: 4 }],
    [{ id: 3 }, { id: 4 }],
  ])
  expect(observed).toEqual([3, 2])
  expect(iterated).toEqual([3, 2])
  expect((await store.getStats()).queries.activeSubscriptions).toBe(0)
})

test('what cannot be taken is refused at once, and a transaction has nothing to subscribe to', async () => {
  const { store, bucket } = await open()
  expect(() => bucket.query().live(1 as never)).toThrow(/live\(callback, options\): expected a function/)
  expect(() => bucket.query().live(() => 1, { immediate: 1 as never })).toThrow(/immediate/)
  expect(() =>
    bucket
      .query()
      .limit(-1)
      .live(() => 1),
  ).toThrow(/limit\(n\)/)
  await store.transaction(async (tx) => {
    expect(() =>
      tx
        .bucket('tasks')
        .query()
        .live(() => 1),
    ).toThrow(/not of a transaction/)
    await tx.bucket('tasks').count()
  })
})

test('selfCheck finds a result that has diverged, says so, and makes it anew (V1)', async () => {
  const errors: string[] = []
  const { store, bucket } = await open({ selfCheck: 1, onError: (error) => errors.push(error.message) })
  const events: unknown[] = []
  await store.on('view.*.diverged', (event) => events.push(event))
  const seen: number[][] = []
  bucket
    .query()
    .orderBy('rank')
    .live((rows) => seen.push(ids(rows)))
  await store.settle()
  const apply = RowsView.prototype.apply
  const spy = vi.spyOn(RowsView.prototype, 'apply').mockImplementation(function planted(this: RowsView, change) {
    return apply.call(this, { ...change, before: undefined })
  })
  await bucket.update(1, { rank: 99 })
  spy.mockRestore()
  await store.settle()
  expect(seen).toEqual([
    [1, 2, 3, 4],
    [2, 3, 4, 1],
  ])
  expect(errors).toHaveLength(1)
  expect(errors[0]).toMatch(/V1/)
  expect(events).toMatchObject([{ type: 'diverged', bucket: 'tasks' }])
})
