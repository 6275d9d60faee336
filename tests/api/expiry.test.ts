import { describe, expect, test } from 'vitest'
import { MemoryAdapter } from '../../src/index.js'
import { KEYED, open, openBucket, openVirtual, rejection } from './opened.js'

describe('ttl', () => {
  test.each([
    ['30s', 30_000],
    ['5m', 300_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
    [60_000, 60_000],
    [0.5, 0.5],
  ])('%j makes records expire after %d ms', async (ttl, ms) => {
    const { store } = await openVirtual()
    await store.defineBucket('b', { ...KEYED, ttl })
    const record = await store.bucket('b').insert({ id: 'a' })
    expect((record._expiresAt as number) - record._createdAt).toBe(ms)
  })

  test('records without ttl have no _expiresAt', async () => {
    const { bucket } = await openBucket(KEYED)
    expect('_expiresAt' in (await bucket.insert({ id: 'a' }))).toBe(false)
  })

  test('a record goes within 50 ms of its time, not before', async () => {
    const { store, runtime } = await openVirtual({ ttlCheckIntervalMs: 10 })
    await store.defineBucket('b', { ...KEYED, ttl: '5m' })
    const bucket = store.bucket('b')
    await bucket.insert({ id: 'a' })
    await runtime.advance(299_999)
    expect(await bucket.has('a')).toBe(true)
    await runtime.advance(51)
    expect(await bucket.has('a')).toBe(false)
  })

  test('with the default interval a later record waits for its own time', async () => {
    const { store, runtime } = await openVirtual()
    await store.defineBucket('b', { ...KEYED, ttl: 1_000 })
    const bucket = store.bucket('b')
    await bucket.insert({ id: 'a' })
    await runtime.advance(500)
    await bucket.insert({ id: 'b' })
    await runtime.advance(550)
    expect(await bucket.keys()).toEqual(['b'])
    await runtime.advance(1_100)
    expect(await bucket.keys()).toEqual([])
  })

  test('purgeTtl deletes what is due and tells how many, in all buckets', async () => {
    const { store, runtime } = await openVirtual({ ttlCheckIntervalMs: 0 })
    await store.defineBucket('a', { ...KEYED, ttl: 1_000 })
    await store.defineBucket('b', { ...KEYED, ttl: 5_000 })
    for (const id of ['x', 'y']) {
      await store.bucket('a').insert({ id })
      await store.bucket('b').insert({ id })
    }
    expect(await store.purgeTtl()).toBe(0)
    await runtime.advance(1_000)
    expect(await store.bucket('a').count()).toBe(2)
    expect(await store.purgeTtl()).toBe(2)
    expect(await store.purgeTtl()).toBe(0)
    await runtime.advance(10_000)
    expect(await store.bucket('b').count()).toBe(2)
    expect(await store.purgeTtl()).toBe(2)
  })

  test('many records due at once all go', async () => {
    const { store, runtime } = await openVirtual()
    await store.defineBucket('b', { ...KEYED, ttl: 1_000 })
    await store.bucket('b').insertMany(Array.from({ length: 2_500 }, (_, i) => ({ id: String(i) })))
    await runtime.advance(5_000)
    expect(await store.bucket('b').count()).toBe(0)
  })

  test('an update does not prolong a record, and cannot', async () => {
    const { store, runtime } = await openVirtual()
    await store.defineBucket('b', { ...KEYED, ttl: 1_000 })
    const bucket = store.bucket('b')
    const { _expiresAt } = await bucket.insert({ id: 'a' })
    await runtime.advance(900)
    expect((await bucket.update('a', { n: 1, _expiresAt: runtime.now() + 99_999 }))._expiresAt).toBe(_expiresAt)
    await runtime.advance(1_200)
    expect(await bucket.count()).toBe(0)
  })

  test('an insert may name the time itself, also in a bucket without ttl', async () => {
    const { store, runtime } = await openVirtual()
    await store.defineBucket('b', KEYED)
    const bucket = store.bucket('b')
    await bucket.insert({ id: 'a', _expiresAt: runtime.now() + 100 })
    await bucket.insert({ id: 'b' })
    expect((await rejection(bucket.insert({ id: 'c', _expiresAt: 'soon' }))).message).toContain(
      '_expiresAt: Expected a time',
    )
    await runtime.advance(2_000)
    expect(await bucket.keys()).toEqual(['b'])
  })

  test('records that were stored go in time after the next start, without any other write', async () => {
    const adapter = new MemoryAdapter()
    const first = await openVirtual({ persistence: { adapter } })
    await first.store.defineBucket('b', { ...KEYED, ttl: 5_000 })
    await first.store.bucket('b').insert({ id: 'a' })
    await first.store.stop()
    const { runtime } = first
    const store = await open({ persistence: { adapter }, runtime })
    await store.defineBucket('b', { ...KEYED, ttl: 5_000 })
    await runtime.advance(4_000)
    expect(await store.bucket('b').count()).toBe(1)
    await runtime.advance(2_000)
    expect(await store.bucket('b').count()).toBe(0)
  })

  test('a clock that jumps back keeps records longer; one that jumps forth lets them go', async () => {
    const { store, runtime } = await openVirtual()
    await store.defineBucket('b', { ...KEYED, ttl: '1h' })
    const bucket = store.bucket('b')
    await bucket.insert({ id: 'a' })
    runtime.jump(-86_400_000)
    await runtime.advance(3_600_000)
    expect(await bucket.count()).toBe(1)
    runtime.jump(2 * 86_400_000)
    await runtime.advance(61_000)
    expect(await bucket.count()).toBe(0)
  })

  test('a unique value is free again once its record has expired', async () => {
    const { store, runtime } = await openVirtual()
    await store.defineBucket('b', {
      key: 'id',
      schema: { id: { type: 'string' }, u: { type: 'string', unique: true } },
      ttl: 1_000,
    })
    await store.bucket('b').insert({ id: 'a', u: 'x' })
    await runtime.advance(2_500)
    await store.bucket('b').insert({ id: 'b', u: 'x' })
  })
})

describe('maxSize', () => {
  test('the oldest go when the bucket is full', async () => {
    const { bucket } = await openBucket({ ...KEYED, maxSize: 3 })
    for (const id of ['a', 'b', 'c', 'd', 'e']) await bucket.insert({ id })
    expect(await bucket.keys()).toEqual(['c', 'd', 'e'])
    await bucket.update('c', { n: 1 })
    await bucket.get('c')
    await bucket.insert({ id: 'f' })
    expect(await bucket.keys()).toEqual(['d', 'e', 'f'])
  })

  test('with eviction lru it is the one used longest ago', async () => {
    const { bucket } = await openBucket({ ...KEYED, maxSize: 3, eviction: 'lru' })
    for (const id of ['a', 'b', 'c']) await bucket.insert({ id })
    await bucket.get('a')
    await bucket.update('b', { n: 1 })
    await bucket.insert({ id: 'd' })
    expect(await bucket.keys()).toEqual(['a', 'b', 'd'])
    await bucket.insert({ id: 'e' })
    expect(await bucket.keys()).toEqual(['b', 'd', 'e'])
  })

  test('a refused insert evicts nothing', async () => {
    const { bucket } = await openBucket({
      key: 'id',
      schema: { id: { type: 'string' }, u: { type: 'string', unique: true }, n: { type: 'number' } },
      maxSize: 2,
    })
    await bucket.insertMany([
      { id: 'a', u: 'x' },
      { id: 'b', u: 'y' },
    ])
    for (const bad of [{ id: 'c', u: 'y' }, { id: 'b' }, { id: 'c', n: 'no' }, { id: 'c', u: 'x' }])
      await rejection(bucket.insert(bad))
    expect(await bucket.keys()).toEqual(['a', 'b'])
    expect(await bucket.where({ u: 'x' })).toHaveLength(1)
  })

  test('inserting more than fits leaves the last of them', async () => {
    const { bucket } = await openBucket({ ...KEYED, maxSize: 2 })
    await bucket.insertMany(['a', 'b', 'c', 'd'].map((id) => ({ id })))
    expect(await bucket.keys()).toEqual(['c', 'd'])
  })

  test('restored records over the limit stay until the next insert', async () => {
    const adapter = new MemoryAdapter()
    const first = await open({ persistence: { adapter } })
    await first.defineBucket('b', KEYED)
    await first.bucket('b').insertMany(['a', 'b', 'c', 'd'].map((id) => ({ id })))
    await first.stop()
    const { bucket } = await openBucket({ ...KEYED, maxSize: 2 }, { persistence: { adapter } })
    expect(await bucket.count()).toBe(4)
    await bucket.insert({ id: 'e' })
    expect(await bucket.keys()).toEqual(['d', 'e'])
  })
})
