import { describe, expect, test } from 'vitest'
import { MemoryAdapter, Store } from '../../src/index.js'
import type { ProjectionOptions, StoreOptions } from '../../src/index.js'
import { open, rejection } from './opened.js'

const ROW = { key: 'id', schema: { id: { type: 'string' }, n: { type: 'number' } } } as const
const OPTIONS = { buckets: { p: ROW, q: ROW }, events: { e: {} }, onError: () => undefined } satisfies StoreOptions

const countIn = (bucket: string, more: Partial<ProjectionOptions> = {}): ProjectionOptions => ({
  from: ['e'],
  into: [bucket],
  apply: ({ data }, tx) => {
    const n = Number((tx.bucket(bucket).get(String(data.id)) as { n: number } | undefined)?.n ?? 0)
    tx.bucket(bucket).upsert({ id: String(data.id), n: n + 1 })
  },
  ...more,
})

function start(adapter: MemoryAdapter, more: Partial<StoreOptions> = {}): Promise<Store> {
  return Store.start({ ...OPTIONS, persistence: { adapter }, ...more }) as Promise<Store>
}

describe('a bucket of a projection that is not defined in this run', () => {
  test('is its own all the same, whenever the bucket is defined (EV5)', async () => {
    const adapter = new MemoryAdapter()
    const first = await start(adapter, { projections: { p: countIn('p'), q: countIn('q', { mode: 'async' }) } })
    await first.dispatch('e', { id: 'a' })
    await first.projected()
    await first.stop()
    const store = await start(adapter, { buckets: { p: ROW } })
    await store.defineBucket('q', ROW)
    for (const name of ['p', 'q']) {
      const error = await rejection(store.bucket(name).insert({ id: 'x', n: 1 }))
      expect(error).toMatchObject({ name: 'BucketOwnedError', bucket: name, projection: name })
      expect(error.message).toContain('not defined in this run: define it and dispatch')
      expect(error.message).toContain(`store.dropProjection("${name}")`)
      expect((await rejection(store.bucket(name).clear())).name).toBe('BucketOwnedError')
      expect((await rejection(store.dropBucket(name))).name).toBe('BucketOwnedError')
      const other = await rejection(store.defineProjection('other', countIn(name)))
      expect(other.message).toContain(`is written by projection "${name}"`)
    }
    await store.dispatch('e', { id: 'a' })
    await store.defineProjection('p', countIn('p'))
    await store.defineProjection('q', countIn('q'))
    await store.projected()
    expect(await store.bucket('p').all()).toMatchObject([{ id: 'a', n: 2 }])
    expect(await store.bucket('q').all()).toMatchObject([{ id: 'a', n: 2 }])
    await store.stop()
  })

  test('is everybody’s when a new version does without it', async () => {
    const adapter = new MemoryAdapter()
    const first = await start(adapter, { projections: { p: countIn('p') } })
    await first.dispatch('e', { id: 'a' })
    await first.stop()
    const store = await start(adapter, { projections: { p: countIn('q') } })
    await store.projected()
    await store.bucket('p').insert({ id: 'x', n: 1 })
    expect((await rejection(store.bucket('q').insert({ id: 'x', n: 1 }))).name).toBe('BucketOwnedError')
    await store.stop()
  })
})

describe('dropProjection', () => {
  test.each(['inline', 'async'] as const)('gives up an %s one that is defined', async (mode) => {
    const store = await open({ ...OPTIONS, projections: { p: countIn('p', { mode }) } })
    await store.dispatch('e', { id: 'a' })
    await store.projected()
    const asked = rejection(store.rebuild('p'))
    await store.dropProjection('p')
    expect((await asked).name).toBe('ProjectionNotDefinedError')
    await store.projected()
    expect(store.projections).toEqual([])
    await store.dispatch('e', { id: 'a' })
    expect(await store.bucket('p').all()).toMatchObject([{ id: 'a', n: 1 }])
    await store.bucket('p').update('a', { n: 9 })
    expect((await rejection(store.dropProjection('p'))).name).toBe('ProjectionNotDefinedError')
    expect((await rejection(store.defineProjection('p', countIn('p')))).message).toContain('clear it first')
    await store.bucket('p').clear()
    await store.defineProjection('p', countIn('p', { mode }))
    await store.projected()
    expect(await store.bucket('p').all()).toMatchObject([{ id: 'a', n: 2 }])
    await store.dropProjection('p')
    await store.dropBucket('p')
  })

  test('gives up one of an earlier run, with what a rebuild has left', async () => {
    const adapter = new MemoryAdapter()
    const first = await start(adapter, { projections: { p: countIn('p') } })
    for (let i = 0; i < 5; i++) await Promise.all(Array.from({ length: 900 }, () => first.dispatch('e', { id: 'a' })))
    const report = rejection(first.rebuild('p', { onProgress: () => void first.stop() }))
    expect((await report).name).toBe('StoreStoppedError')
    await first.stop()
    const store = await start(adapter)
    await store.dropProjection('p')
    await store.bucket('p').clear()
    await store.stop()
    const third = await start(adapter)
    await third.bucket('p').insert({ id: 'x', n: 1 })
    await third.stop()
    const report2 = await adapter.open({
      ...{ store: 'x', now: () => 0, uuid: () => 'x', onError: () => undefined },
      setTimer: () => ({ cancel: () => undefined }),
    })
    expect(report2.buckets.map(({ bucket }) => bucket)).toEqual(['p', 'q', 'varve/projections'])
  })
})
