import { describe, expect, test } from 'vitest'
import { MemoryAdapter, Store } from '../../src/index.js'
import type { ProjectionOptions } from '../../src/index.js'
import { kinds } from '../proof/support/places.js'
import { open, openVirtual, rejection } from './opened.js'

const DAILY = { key: 'day', schema: { day: { type: 'string' }, sum: { type: 'number', required: true } } } as const
const BUCKETS = { daily: DAILY, other: DAILY }

/** Sums what was sold by day. */
const SALES: ProjectionOptions = {
  from: ['sold', 'gift'],
  into: ['daily'],
  apply: ({ data }, view) => {
    const before = view.bucket('daily').get(data.day) as { sum: number } | undefined
    return { daily: { upsert: { day: data.day, sum: (before?.sum ?? 0) + Number(data.n) } } }
  },
}

describe('inline', () => {
  test('is part of the commit of its events, of sub-events as well', async () => {
    const store = await open({ buckets: BUCKETS })
    await store.defineProjection('sales', SALES)
    store.defineEvent('gift', {})
    store.defineEvent('sold', { reduce: ({ data }) => ({ events: [{ type: 'gift', data: { ...data, n: 1 } }] }) })
    const { seq } = await store.dispatch('sold', { day: 'mon', n: 5 })
    expect(await store.log.read()).toMatchObject([{ seq, changes: [{ bucket: 'daily', after: { sum: 6 } }] }])
    expect(store.projections).toEqual([{ name: 'sales', mode: 'inline', position: seq, lag: 0, error: undefined }])
  })

  test('that fails fails the event', async () => {
    const store = await open({ buckets: BUCKETS })
    await store.defineProjection('sales', { ...SALES, apply: () => ({ other: { insert: { day: 'a' } } }) })
    store.defineEvent('sold', {})
    const error = await rejection(store.dispatch('sold'))
    expect(error).toMatchObject({ phase: 'project', reducer: 'sales' })
    expect(error.message).toContain('only buckets of into (daily)')
    expect(await store.log.read()).toEqual([])
  })
})

describe('async', () => {
  const async: ProjectionOptions = { ...SALES, mode: 'async' }

  test('follows the log in commits of its own, each event once (EV4)', async () => {
    const store = await open({ buckets: BUCKETS, events: { sold: {}, gift: {}, noise: {} } })
    await store.dispatch('sold', { day: 'mon', n: 1 })
    await store.defineProjection('sales', async)
    for (let i = 0; i < 50; i++) {
      void store.dispatch('sold', { day: 'mon', n: 1 })
      void store.dispatch('noise', { day: 'mon', n: 1 })
    }
    await store.settle()
    await store.projected()
    expect(await store.bucket('daily').get('mon')).toMatchObject({ sum: 51 })
    const [stats] = store.projections
    expect(stats).toMatchObject({ name: 'sales', lag: 0, error: undefined, position: store.position.durable })
    store.kill('projection:sales')
    await store.dispatch('sold', { day: 'tue', n: 2 })
    await store.projected()
    expect(await store.bucket('daily').get('mon')).toMatchObject({ sum: 51 })
  })

  test('entries of no interest, its own among them, do not make it write', async () => {
    const store = await open({ buckets: BUCKETS, events: { noise: {} } })
    await store.defineProjection('sales', async)
    for (let i = 0; i < 20; i++) await store.dispatch('noise')
    await store.projected()
    expect(await store.log.read()).toHaveLength(20)
    expect(store.projections[0]).toMatchObject({ position: 20, lag: 0 })
  })

  test('one that fails holds up nobody, says so, and is tried again', async () => {
    const errors: Error[] = []
    const { store, runtime } = await openVirtual({
      buckets: BUCKETS,
      events: { sold: {} },
      onError: (error) => void errors.push(error),
    })
    let fails = true
    await store.defineProjection('sales', {
      ...async,
      apply: (event, view) => {
        if (fails) throw new Error('not now')
        return SALES.apply(event, view)
      },
    })
    await store.dispatch('sold', { day: 'mon', n: 1 })
    await runtime.advance(0)
    await store.projected()
    expect(store.projections[0]).toMatchObject({ lag: 1, error: { message: 'not now' } })
    await runtime.advance(3_500)
    expect(errors.map(({ message }) => message)).toEqual(['not now', 'not now', 'not now'])
    fails = false
    await runtime.advance(10_000)
    expect(store.projections[0]).toMatchObject({ lag: 0, error: undefined })
    expect(await store.bucket('daily').get('mon')).toMatchObject({ sum: 1 })
  })

  test('events of earlier versions are brought forward', async () => {
    const adapter = new MemoryAdapter()
    const first = await Store.start({ persistence: { adapter }, events: { sold: {} } })
    await first.dispatch('sold', { date: 'mon', n: 3 })
    await first.stop()
    const store = await open({ persistence: { adapter }, buckets: BUCKETS })
    store.defineEvent('sold', {
      version: 2,
      upcast: { 1: ({ date, n }: { date: string; n: number }) => ({ day: date, n }) },
    })
    await store.defineProjection('sales', async)
    await store.projected()
    expect(await store.bucket('daily').get('mon')).toMatchObject({ sum: 3 })
  })

  test('what has left the log before it was taken in is told', async () => {
    const errors: Error[] = []
    const adapter = new MemoryAdapter()
    const start = (history: number) =>
      Store.start({
        persistence: { adapter },
        buckets: BUCKETS,
        events: { sold: {} },
        history: { rows: history },
        onError: (error) => void errors.push(error),
      })
    const first = await start(1_000)
    await first.defineProjection('sales', async)
    await first.dispatch('sold', { day: 'mon', n: 1 })
    await first.projected()
    await first.stop()
    const second = await start(1_000)
    for (let i = 0; i < 10; i++) await second.dispatch('sold', { day: 'mon', n: 1 })
    await second.stop()
    await adapter.open({
      store: 'x',
      now: () => 0,
      uuid: () => 'x',
      setTimer: () => ({ cancel: () => undefined }),
      onError: () => undefined,
    })
    await adapter.trim({ rows: 2 })
    await adapter.close()
    const third = await start(1_000)
    await third.defineProjection('sales', async)
    await third.projected()
    expect(errors.at(-1)).toMatchObject({ name: 'ProjectionGapError' })
    expect(await third.bucket('daily').get('mon')).toMatchObject({ sum: 1 })
    await third.stop()
  })

  test.each(kinds.filter(({ keepsLog }) => keepsLog))('goes on where it was, on $name', async ({ make }) => {
    const place = make()
    try {
      for (let round = 1; round <= 3; round++) {
        const store = await Store.start({
          persistence: { adapter: place.adapter() },
          buckets: BUCKETS,
          events: { sold: {} },
          projections: { sales: async },
        })
        await Promise.all(Array.from({ length: 10 }, () => store.dispatch('sold', { day: 'mon', n: 1 })))
        // Sometimes it has taken them in before the end, sometimes the next run has to.
        if (round !== 2) await store.projected()
        if (round === 3) expect(await store.bucket('daily').get('mon')).toMatchObject({ sum: 30 })
        await store.stop()
      }
    } finally {
      place.cleanup()
    }
  })
})

test.each<[string, unknown, string]>([
  ['', SALES, 'its name has to have'],
  ['a', null, 'expected an object'],
  ['a', { ...SALES, from: [] }, 'from: expected a list'],
  ['a', { ...SALES, into: 'daily' }, 'into: expected a list'],
  ['a', { ...SALES, into: ['nobody'] }, 'Bucket "nobody" is not defined'],
  ['a', { ...SALES, mode: 'later' }, 'mode: expected "inline" or "async"'],
  ['a', { ...SALES, apply: 1 }, 'apply: expected a function'],
  ['a', { ...SALES, to: [] }, 'unknown option "to"'],
])('%j %o is refused', async (name, options, message) => {
  const store = await open({ buckets: BUCKETS })
  expect((await rejection(store.defineProjection(name, options as never))).message).toContain(message)
  expect(store.projections).toEqual([])
})
