import { describe, expect, test } from 'vitest'
import { BucketCrashedError, MemoryAdapter, StoreDegradedError } from '../../src/index.js'
import type { BucketDefinition, Store } from '../../src/index.js'
import type { VirtualRuntime } from '../../src/testing/runtime.js'
import { KEYED, openVirtual, rejection } from './opened.js'

/** A bucket whose default throws while `fault.on` is true. */
function faulty(): { definition: BucketDefinition; fault: { on: boolean } } {
  const fault = { on: false }
  const value = (): number => {
    if (fault.on) throw new TypeError('a bug in a default')
    return 1
  }
  const schema = {
    id: { type: 'string' },
    made: { type: 'number', default: value },
    u: { type: 'string', unique: true },
    n: { type: 'number', generated: 'autoincrement' },
  } as const
  return { definition: { key: 'id', schema, indexes: ['made'] }, fault }
}

async function twoBuckets(): Promise<{ store: Store; runtime: VirtualRuntime; fault: { on: boolean } }> {
  const { definition, fault } = faulty()
  const { store, runtime } = await openVirtual({ onError: () => undefined })
  await store.defineBucket('bad', definition)
  await store.defineBucket('good', KEYED)
  return { store, runtime, fault }
}

const nodeOf = (store: Store, name: string) => store.supervision().children?.find((child) => child.name === name)

describe('a bug inside a bucket', () => {
  test('rejects the failing call with BucketCrashedError, and its cause', async () => {
    const { store, runtime, fault } = await twoBuckets()
    fault.on = true
    const error = await rejection(store.bucket('bad').insert({ id: 'a' }))
    expect(error).toBeInstanceOf(BucketCrashedError)
    expect(error).toMatchObject({ name: 'BucketCrashedError', code: 'BUCKET_CRASHED', bucket: 'bad' })
    expect(error.cause).toBeInstanceOf(TypeError)
    expect(error.message).toContain('a bug in a default')
    await runtime.runDeferred()
  })

  test('crashes that bucket only; calls meanwhile wait, handles stay valid, nothing acknowledged is lost', async () => {
    const { store, runtime, fault } = await twoBuckets()
    const [bad, good] = [store.bucket('bad'), store.bucket('good')]
    await bad.insertMany([
      { id: 'a', u: 'x' },
      { id: 'b', u: 'y' },
    ])
    await bad.update('a', { extra: [1, 2] })
    await bad.delete('b')
    const before = await bad.all()
    fault.on = true
    const crash = rejection(bad.insert({ id: 'c' }))
    const waiting = [
      bad.all(),
      bad.where({ made: 1 }).then((found) => found),
      bad.insert({ id: 'd', made: 5, u: 'y' }),
    ] as const
    expect((await crash).name).toBe('BucketCrashedError')
    await good.insert({ id: 'x' })
    expect(await good.count()).toBe(1)
    expect(nodeOf(store, 'bucket:bad')).toMatchObject({ state: 'restarting', mailbox: 3 })
    await runtime.runDeferred()
    expect(await waiting[0]).toEqual(before)
    expect(await waiting[1]).toEqual(before)
    expect(await waiting[2]).toMatchObject({ id: 'd', n: 3 })
    expect((await rejection(bad.insert({ id: 'e', made: 1, u: 'x' }))).name).toBe('UniqueConstraintError')
    expect(nodeOf(store, 'bucket:bad')).toMatchObject({ state: 'running', restarts: 1, mailbox: 0 })
    expect(nodeOf(store, 'bucket:good')).toMatchObject({ state: 'running', restarts: 0 })
  })

  test('undoes what insertMany had begun', async () => {
    const { store, runtime, fault } = await twoBuckets()
    fault.on = true
    await rejection(store.bucket('bad').insertMany([{ id: 'a', made: 1 }, { id: 'b' }]))
    await runtime.runDeferred()
    expect(await store.bucket('bad').count()).toBe(0)
  })

  test('inside a transaction rolls it back, and the bucket comes back', async () => {
    const { store, runtime, fault } = await twoBuckets()
    await store.bucket('bad').insert({ id: 'a' })
    fault.on = true
    const transaction = rejection(
      store.transaction(async (tx) => {
        await tx.bucket('good').insert({ id: 'x' })
        await tx.bucket('bad').insert({ id: 'b' })
      }),
    )
    expect((await transaction).name).toBe('BucketCrashedError')
    await runtime.runDeferred()
    expect(await store.bucket('good').count()).toBe(0)
    expect(await store.bucket('bad').keys()).toEqual(['a'])
  })

  test('a transaction that is open when a bucket crashes goes on with the same records', async () => {
    const { store, runtime } = await twoBuckets()
    await store.bucket('bad').insert({ id: 'a' })
    const transaction = store.transaction(async (tx) => {
      await tx.bucket('bad').update('a', { extra: 1 })
      store.kill('bucket:bad')
      await tx.bucket('good').insert({ id: 'x' })
    })
    await runtime.advance(10)
    await transaction
    expect(await store.bucket('bad').get('a')).toMatchObject({ extra: 1, _version: 2 })
  })

  test('subscriptions outlive it', async () => {
    const { store, runtime } = await twoBuckets()
    store.defineQuery('count', (ctx) => ctx.bucket('bad').count())
    const results: unknown[] = []
    await store.subscribe('count', (count) => results.push(count))
    await store.bucket('bad').insert({ id: 'a' })
    await store.settle()
    store.kill('bucket:bad')
    await runtime.runDeferred()
    await store.bucket('bad').insert({ id: 'b' })
    await store.settle()
    expect(results).toEqual([1, 2])
  })

  test('a bucket that is not stored comes back with its records too', async () => {
    const { store, runtime } = await openVirtual()
    await store.defineBucket('cache', { ...KEYED, persistent: false })
    await store.bucket('cache').insert({ id: 'a' })
    store.kill('bucket:cache')
    await runtime.runDeferred()
    expect(await store.bucket('cache').keys()).toEqual(['a'])
  })

  test('a bucket with a ttl still lets its records go', async () => {
    const { store, runtime } = await openVirtual()
    await store.defineBucket('b', { ...KEYED, ttl: 5_000 })
    await store.bucket('b').insert({ id: 'a' })
    store.kill('bucket:b')
    await runtime.advance(7_000)
    expect(await store.bucket('b').count()).toBe(0)
  })

  test('is told by process events', async () => {
    const { store, runtime } = await twoBuckets()
    const seen: unknown[] = []
    await store.on('process.*', (event: { type: string; process: string; error?: Error }, topic: string) =>
      seen.push([topic, event.process, event.error?.message]),
    )
    store.kill('bucket:bad')
    await runtime.runDeferred()
    expect(seen).toEqual([
      ['process.bucket:bad.crashed', 'bucket:bad', expect.stringContaining('killed')],
      ['process.bucket:bad.restarted', 'bucket:bad', undefined],
    ])
  })

  test('store.read says that the bucket cannot answer at once', async () => {
    const { store, runtime } = await twoBuckets()
    store.kill('bucket:bad')
    expect(() => store.read((view) => view.bucket('bad').count())).toThrow('Bucket "bad" is restarting')
    expect(store.read((view) => view.bucket('good').count())).toBe(0)
    await runtime.runDeferred()
    expect(store.read((view) => view.bucket('bad').count())).toBe(0)
  })
})

describe('too many restarts', () => {
  const exhausted = async () => {
    const adapter = new MemoryAdapter()
    const { definition, fault } = faulty()
    const { store, runtime } = await openVirtual({ persistence: { adapter, onError: () => undefined } })
    await store.defineBucket('bad', definition)
    await store.defineBucket('good', KEYED)
    await store.bucket('good').insert({ id: 'kept' })
    await store.bucket('bad').insert({ id: 'kept' })
    fault.on = true
    for (let i = 0; i < 4; i++) {
      const crash = rejection(store.bucket('bad').insert({ id: 'a' }))
      await runtime.advance(400)
      await crash
    }
    return { store, runtime, adapter, definition }
  }

  test('end in a store that refuses writes with a clear error and serves reads', async () => {
    const { store, runtime } = await exhausted()
    const good = store.bucket('good')
    expect(nodeOf(store, 'bucket:bad')).toMatchObject({ state: 'failed' })
    const error = await rejection(good.insert({ id: 'x' }))
    expect(error).toBeInstanceOf(StoreDegradedError)
    expect(error.message).toMatch(/refuses writes: .* gave up: more than 3 restarts within 5000 ms/)
    expect(await good.get('kept')).toMatchObject({ id: 'kept' })
    expect(store.read((view) => view.bucket('good').count())).toBe(1)
    expect(await store.transaction((tx) => tx.bucket('good').count())).toBe(1)
    expect((await rejection(store.bucket('bad').get('kept'))).name).toBe('BucketCrashedError')
    for (const write of [
      () => good.update('kept', {}),
      () => good.delete('kept'),
      () => good.clear(),
      () => store.dropBucket('good'),
      () => store.transaction((tx) => tx.bucket('good').insert({ id: 'x' })),
    ]) {
      expect((await rejection(write())).name).toBe('StoreDegradedError')
    }
    await runtime.advance(60_000)
    expect(await good.keys()).toEqual(['kept'])
    expect((await store.getStats()).records.perBucket).toMatchObject({ good: 1 })
  })

  test('end with the store: the next one has everything that was acknowledged', async () => {
    const { store, adapter, definition } = await exhausted()
    await store.stop()
    const { store: next } = await openVirtual({ persistence: { adapter } })
    await next.defineBucket('bad', definition)
    expect(await next.bucket('bad').keys()).toEqual(['kept'])
  })

  test('spread over time are no reason to give up', async () => {
    const { store, runtime, fault } = await twoBuckets()
    fault.on = true
    for (let i = 0; i < 10; i++) {
      const crash = rejection(store.bucket('bad').insert({ id: 'a' }))
      await runtime.advance(6_000)
      expect((await crash).name).toBe('BucketCrashedError')
    }
    await store.bucket('bad').insert({ id: 'a', made: 1 })
    expect(nodeOf(store, 'bucket:bad')).toMatchObject({ state: 'running', restarts: 10 })
  })
})

test('the tree shows every process', async () => {
  const { store } = await twoBuckets()
  expect(store.supervision()).toMatchObject({
    kind: 'supervisor',
    state: 'running',
    strategy: 'one_for_one',
    restarts: 0,
    mailbox: 0,
  })
  expect(store.supervision().children?.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['expiry', 'bucket:bad', 'bucket:good']),
  )
  expect(store.kill('bucket:nope')).toBe(false)
})
