import { describe, expect, test, vi } from 'vitest'
import type { BucketEvent, Store } from '../../src/index.js'
import { bridgeStoreToRules, MemoryAdapter } from '../../src/index.js'
import { bridgeStoreToRules as fromBridge } from '../../src/bridge/rules.js'
import { gate, KEYED, open, openBucket, openVirtual, rejection, turn, USERS } from './opened.js'

/** Everything that happens in `store`, as topics with their events. */
async function record(store: Store, pattern = 'bucket.*.*'): Promise<{ topic: string; event: BucketEvent }[]> {
  const seen: { topic: string; event: BucketEvent }[] = []
  await store.on(pattern, (event: BucketEvent, topic: string) => {
    seen.push({ topic, event })
  })
  return seen
}

describe('payloads', () => {
  test('inserted, updated and deleted', async () => {
    const { store, bucket } = await openBucket(KEYED)
    const seen = await record(store)
    const inserted = await bucket.insert({ id: 'a', n: 1 })
    const updated = await bucket.update('a', { n: 2 })
    await bucket.delete('a')
    expect(seen).toEqual([
      { topic: 'bucket.b.inserted', event: { type: 'inserted', bucket: 'b', key: 'a', record: inserted } },
      {
        topic: 'bucket.b.updated',
        event: { type: 'updated', bucket: 'b', key: 'a', oldRecord: inserted, newRecord: updated },
      },
      {
        topic: 'bucket.b.deleted',
        event: { type: 'deleted', bucket: 'b', key: 'a', record: updated, cause: 'delete' },
      },
    ])
  })

  test('cleared and dropped, one event each', async () => {
    const { store, bucket } = await openBucket(KEYED)
    const seen = await record(store)
    await bucket.insertMany([{ id: 'a' }, { id: 'b' }])
    seen.length = 0
    await bucket.clear()
    await bucket.clear()
    await bucket.insert({ id: 'c' })
    await store.dropBucket('b')
    expect(seen.map(({ topic, event }) => [topic, 'count' in event ? event.count : event.key])).toEqual([
      ['bucket.b.cleared', 2],
      ['bucket.b.inserted', 'c'],
      ['bucket.b.dropped', 1],
    ])
  })

  test('an update without changes is an event; a refused write and a delete of nothing are none', async () => {
    const { store, bucket } = await openBucket(USERS)
    const { id } = await bucket.insert({ name: 'A', email: 'a@b.cz' })
    const seen = await record(store)
    await bucket.update(id, {})
    await rejection(bucket.insert({}))
    await rejection(bucket.insert({ name: 'B', email: 'a@b.cz' }))
    await rejection(bucket.update('nope', {}))
    await bucket.delete('nope')
    expect(seen.map(({ topic }) => topic)).toEqual(['bucket.b.updated'])
  })

  test('the cause of a deletion is delete, ttl or evicted', async () => {
    const { store, runtime } = await openVirtual()
    await store.defineBucket('b', { ...KEYED, ttl: 1_000, maxSize: 2 })
    const bucket = store.bucket('b')
    const seen = await record(store, 'bucket.b.deleted')
    for (const id of ['a', 'b', 'c']) await bucket.insert({ id })
    await bucket.delete('b')
    await runtime.advance(3_000)
    expect(seen.map(({ event }) => 'key' in event && [event.key, 'cause' in event && event.cause])).toEqual([
      ['a', 'evicted'],
      ['b', 'delete'],
      ['c', 'ttl'],
    ])
  })

  test('records in events are the frozen records of the store', async () => {
    const { store, bucket } = await openBucket(KEYED)
    const seen = await record(store)
    const inserted = await bucket.insert({ id: 'a' })
    const [first] = seen.map(({ event }) => event)
    expect(first?.type === 'inserted' && first.record).toBe(inserted)
  })
})

describe('patterns', () => {
  test.each([
    ['bucket.users.inserted', true],
    ['bucket.users.*', true],
    ['bucket.*.inserted', true],
    ['bucket.*.*', true],
    ['bucket.*', true],
    ['*.users.*', true],
    ['*.*.*', true],
    ['*', true],
    ['*.*', false],
    ['**', false],
    ['', false],
    ['bucket.#', false],
    ['bucket.us*.*', false],
    ['bucket.users', false],
    ['bucket.users.inserted.x', false],
    ['bucket.users.inserted.*', false],
    ['bucket.users.updated', false],
    ['bucket.orders.*', false],
    ['BUCKET.users.inserted', false],
  ])('%j selects bucket.users.inserted: %s', async (pattern, expected) => {
    const store = await open()
    await store.defineBucket('users', KEYED)
    const seen = await record(store, pattern)
    await store.bucket('users').insert({ id: 'a' })
    expect(seen.length > 0).toBe(expected)
  })

  test.each(['bucket.*.*', 'bucket.a.b.*', 'bucket.a.b.inserted', 'bucket.*', '*', 'bucket.*.*.inserted'])(
    'a bucket with a dot in its name is met by %j',
    async (pattern) => {
      const store = await open()
      await store.defineBucket('a.b', KEYED)
      const seen = await record(store, pattern)
      await store.bucket('a.b').insert({ id: 'x' })
      expect(seen).toMatchObject([{ topic: 'bucket.a.b.inserted', event: { bucket: 'a.b', key: 'x' } }])
    },
  )

  test.each([[undefined], [5], [null]])(
    'the pattern %j is refused, and so is a handler that is no function',
    async (pattern) => {
      const store = await open()
      expect((await rejection(store.on(pattern as never, () => undefined))).name).toBe('InvalidArgumentError')
      expect((await rejection(store.on('*', pattern as never))).name).toBe('InvalidArgumentError')
    },
  )
})

describe('order', () => {
  test('the event comes before the write resolves, handlers in the order of subscription', async () => {
    const { store, bucket } = await openBucket(KEYED)
    const seen: string[] = []
    await store.on('bucket.b.inserted', () => seen.push('first'))
    await store.on('*', () => seen.push('second'))
    await bucket.insert({ id: 'a' }).then(() => seen.push('resolved'))
    expect(seen).toEqual(['first', 'second', 'resolved'])
  })

  test('a handler that writes: everybody sees all events in one order', async () => {
    const { store, bucket } = await openBucket(KEYED)
    const [one, two]: [unknown[], unknown[]] = [[], []]
    const inner: Promise<unknown>[] = []
    await store.on('bucket.b.inserted', (event) => {
      one.push(event.key)
      if (event.key === 'a') inner.push(store.bucket('b').insert({ id: 'from handler' }))
    })
    await store.on('bucket.b.inserted', (event) => two.push(event.key))
    await bucket.insert({ id: 'a' })
    await Promise.all(inner)
    await bucket.insert({ id: 'c' })
    expect(one).toEqual(['a', 'from handler', 'c'])
    expect(two).toEqual(one)
  })

  test('a handler that writes to another bucket is told in turn', async () => {
    const store = await open({ buckets: { a: KEYED, b: KEYED } })
    const topics: string[] = []
    const inner: Promise<unknown>[] = []
    await store.on('bucket.a.inserted', () => {
      inner.push(store.bucket('b').insert({ id: 'x' }))
    })
    await store.on('*', (_, topic) => topics.push(topic))
    await store.bucket('a').insert({ id: 'x' })
    await Promise.all(inner)
    expect(topics).toEqual(['bucket.a.inserted', 'bucket.b.inserted'])
  })

  test('versions of a record come in order, with parallel writers', async () => {
    const { store, bucket } = await openBucket(KEYED)
    await bucket.insert({ id: 'a', n: 0 })
    const versions: unknown[] = []
    await store.on('bucket.b.updated', (event) => versions.push(event.newRecord._version))
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        i % 2 === 0
          ? bucket.update('a', { n: i })
          : store.transaction((tx) => tx.bucket('b').update('a', { n: i }), { retries: 50 }),
      ),
    )
    expect(versions).toEqual(Array.from({ length: 20 }, (_, i) => i + 2))
  })

  test('a transaction is told after its commit, in the order of its writes', async () => {
    const store = await open({ buckets: { a: KEYED, b: KEYED } })
    await store.bucket('a').insert({ id: 'old' })
    const seen = await record(store)
    await store.transaction(async (tx) => {
      await tx.bucket('a').insert({ id: 'x' })
      await tx.bucket('a').update('old', { n: 1 })
      await tx.bucket('b').insert({ id: 'y' })
      expect(seen).toEqual([])
    })
    expect(seen.map(({ topic, event }) => `${topic} ${'key' in event ? event.key : ''}`)).toEqual([
      'bucket.a.inserted x',
      'bucket.a.updated old',
      'bucket.b.inserted y',
    ])
  })
})

describe('handlers', () => {
  test('unsubscribing ends it, once and again; others go on', async () => {
    const { store, bucket } = await openBucket(KEYED)
    const seen: string[] = []
    const off = await store.on('*', () => seen.push('one'))
    await store.on('*', () => seen.push('two'))
    await bucket.insert({ id: 'a' })
    await off()
    await off()
    await bucket.insert({ id: 'b' })
    expect(seen).toEqual(['one', 'two', 'two'])
  })

  test('what a handler throws or rejects with goes to onError and harms nobody', async () => {
    const errors: string[] = []
    const { store, bucket } = await openBucket(KEYED, { onError: (error) => errors.push(error.message) })
    await store.on('*', () => {
      throw new Error('thrown')
    })
    await store.on('*', async () => {
      throw new Error('rejected')
    })
    await store.on('*', () => {
      throw 'a string'
    })
    const seen = await record(store)
    await bucket.insert({ id: 'a' })
    await turn()
    expect(seen).toHaveLength(1)
    expect(errors).toEqual(['thrown', expect.stringContaining('non-error'), 'rejected'])
    expect(store.supervision().children?.every(({ restarts }) => restarts === 0)).toBe(true)
  })

  test('an onError that throws harms nobody either; the console has the last word', async () => {
    const console = vi.spyOn(globalThis.console, 'error').mockReturnValue(undefined)
    const { store, bucket } = await openBucket(KEYED, {
      onError: () => {
        throw new Error('from onError')
      },
    })
    store.defineQuery('q', (ctx) => ctx.bucket('b').count())
    await store.subscribe('q', () => {
      throw new Error('from callback')
    })
    await store.on('*', () => {
      throw new Error('from handler')
    })
    await bucket.insert({ id: 'a' })
    await store.settle()
    expect(await bucket.count()).toBe(1)
    expect(console.mock.calls.map(([error]) => (error as Error).message)).toEqual(['from onError', 'from onError'])
    console.mockRestore()
  })

  test('restored records are no events', async () => {
    const adapter = new MemoryAdapter()
    const first = await open({ persistence: { adapter } })
    await first.defineBucket('b', KEYED)
    await first.bucket('b').insert({ id: 'a' })
    await first.stop()
    const store = await open({ persistence: { adapter } })
    const seen = await record(store, '*')
    await store.defineBucket('b', KEYED)
    expect(await store.bucket('b').count()).toBe(1)
    expect(seen).toEqual([])
  })
})

describe('bridgeStoreToRules', () => {
  test('is the same from both doors', () => {
    expect(fromBridge).toBe(bridgeStoreToRules)
  })

  test('forwards all events, with their payload, until it is ended', async () => {
    const { store, bucket } = await openBucket(KEYED)
    const sent: [string, Record<string, unknown>][] = []
    const unbridge = await bridgeStoreToRules(store, { emit: async (topic, data) => sent.push([topic, data]) })
    const inserted = await bucket.insert({ id: 'a' })
    const updated = await bucket.update('a', { n: 1 })
    await bucket.delete('a')
    await unbridge()
    await bucket.insert({ id: 'b' })
    expect(sent).toEqual([
      ['bucket.b.inserted', { type: 'inserted', bucket: 'b', key: 'a', record: inserted }],
      ['bucket.b.updated', { type: 'updated', bucket: 'b', key: 'a', oldRecord: inserted, newRecord: updated }],
      ['bucket.b.deleted', { type: 'deleted', bucket: 'b', key: 'a', record: updated, cause: 'delete' }],
    ])
  })

  test('filter, mapTopic and mapData', async () => {
    const store = await open({ buckets: { orders: KEYED, users: KEYED } })
    const sent: unknown[] = []
    await bridgeStoreToRules(
      store,
      { emit: (topic, data) => sent.push([topic, data]) },
      {
        filter: (event) => event.bucket === 'orders',
        mapTopic: (topic, event) => `${topic.replace(/\./g, ':')}!${event.type}`,
        mapData: (event) => ({ bucket: event.bucket, key: 'key' in event ? event.key : undefined }),
      },
    )
    await store.bucket('users').insert({ id: 'u' })
    await store.bucket('orders').insert({ id: 'o' })
    expect(sent).toEqual([['bucket:orders:inserted!inserted', { bucket: 'orders', key: 'o' }]])
  })

  test('a receiver that throws, rejects or hangs has no effect on the store', async () => {
    const { store, bucket } = await openBucket(KEYED)
    const errors: string[] = []
    const never = gate()
    const outcomes = [
      () => {
        throw new Error('thrown')
      },
      () => Promise.reject(new Error('rejected')),
      () => never.opened,
    ]
    await bridgeStoreToRules(
      store,
      { emit: () => outcomes.shift()?.() },
      { onError: (error) => errors.push(error.message) },
    )
    await bridgeStoreToRules(store, { emit: () => Promise.reject(new Error('nobody is told')) })
    for (const id of ['a', 'b', 'c']) await bucket.insert({ id })
    await turn()
    expect(await bucket.count()).toBe(3)
    expect(errors).toEqual(['thrown', 'rejected'])
  })

  test('forwards buckets with dots in their names, and clear', async () => {
    const store = await open()
    await store.defineBucket('a.b', KEYED)
    const topics: string[] = []
    await bridgeStoreToRules(store, { emit: (topic) => topics.push(topic) })
    await store.bucket('a.b').insert({ id: 'x' })
    await store.bucket('a.b').clear()
    expect(topics).toEqual(['bucket.a.b.inserted', 'bucket.a.b.cleared'])
  })

  test.each([[undefined], [null], [{}], [{ emit: 5 }]])('the receiver %j is refused', async (receiver) => {
    expect((await rejection(bridgeStoreToRules(await open(), receiver as never))).name).toBe('InvalidArgumentError')
  })
})
