import { describe, expect, test } from 'vitest'
import { MemoryAdapter, Store } from '../../src/index.js'
import type { ProjectionOptions } from '../../src/index.js'
import { kinds } from '../proof/support/places.js'
import { open, openVirtual, rejection } from './opened.js'

const DAILY = { key: 'day', schema: { day: { type: 'string' }, sum: { type: 'number', required: true } } } as const
const BUCKETS = { daily: DAILY, other: DAILY }
const EVENTS = { sold: {}, gift: {}, noise: {} }

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
    store.defineEvent('gift', {})
    store.defineEvent('sold', { reduce: ({ data }) => ({ events: [{ type: 'gift', data: { ...data, n: 1 } }] }) })
    await store.defineProjection('sales', SALES)
    const { seq, changes } = await store.dispatch('sold', { day: 'mon', n: 5 })
    expect(changes).toMatchObject([{ bucket: 'daily', after: { sum: 6 } }])
    expect(await store.log.read({ after: seq - 1 })).toMatchObject([
      { seq, changes: [{ bucket: 'daily', after: { sum: 6 } }] },
    ])
    expect(store.projections).toEqual([
      {
        ...{ name: 'sales', mode: 'inline', version: 1, state: 'running', position: seq, lag: 0, skipped: 0 },
        ...{ error: undefined, rebuild: undefined },
      },
    ])
    expect((await store.getStats()).projections).toEqual(store.projections)
  })

  test('that fails fails the event', async () => {
    const store = await open({ buckets: BUCKETS, events: EVENTS })
    await store.defineProjection('sales', { ...SALES, apply: () => ({ other: { insert: { day: 'a' } } }) })
    const before = await store.log.read()
    const error = await rejection(store.dispatch('sold'))
    expect(error).toMatchObject({ phase: 'project', reducer: 'sales' })
    expect(error.message).toContain('only buckets of into (daily)')
    expect(await store.log.read()).toEqual(before)
  })
})

describe('async', () => {
  const async: ProjectionOptions = { ...SALES, mode: 'async' }

  test('follows the log in commits of its own, each event once (EV4)', async () => {
    const errors: string[] = []
    const store = await open({ buckets: BUCKETS, events: EVENTS, onError: ({ message }) => void errors.push(message) })
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
    expect(await store.bucket('daily').all()).toMatchObject([{ sum: 51 }, { sum: 2 }])
    expect(errors).toEqual(['killed: by store.kill'])
  })

  test('entries of no interest, its own among them, do not make it write', async () => {
    const store = await open({ buckets: BUCKETS, events: EVENTS })
    await store.defineProjection('sales', async)
    for (let i = 0; i < 20; i++) await store.dispatch('noise')
    await store.projected()
    expect(await store.log.read()).toHaveLength(21)
    expect(store.projections[0]).toMatchObject({ position: 21, lag: 0 })
  })

  test('one that fails holds up nobody, is tried again ever more slowly, and then stands still', async () => {
    const errors: Error[] = []
    const { store, runtime } = await openVirtual({
      buckets: BUCKETS,
      events: EVENTS,
      onError: (error) => void errors.push(error),
    })
    let fails = true
    await store.defineProjection('sales', {
      ...async,
      policy: { retries: 2 },
      apply: (event, tx) => {
        if (fails && event.data.day === 'bad') throw new Error('not now')
        return SALES.apply(event, tx)
      },
    })
    await Promise.all(['mon', 'bad', 'tue'].map((day) => store.dispatch('sold', { day, n: 1 })))
    await runtime.advance(0)
    expect(store.projections[0]).toMatchObject({
      state: 'retrying',
      error: { name: 'ProjectionFailedError', type: 'sold' },
    })
    expect(await store.bucket('daily').keys()).toEqual(['mon'])
    await runtime.advance(99)
    expect(errors).toHaveLength(2)
    await runtime.advance(1)
    await store.projected()
    expect(errors.map(({ message }) => message)).toEqual(Array(3).fill(errors[0]?.message))
    expect(errors[0]?.message).toContain(
      'projection "sales": event "sold" of entry 3: not now; nothing of it was written',
    )
    expect(store.projections[0]).toMatchObject({ state: 'halted', lag: 3, error: { seq: 3 } })
    await runtime.advance(100_000)
    expect(errors).toHaveLength(3)
    fails = false
    store.resumeProjection('sales')
    await store.projected()
    expect(store.projections[0]).toMatchObject({ state: 'running', lag: 0, error: undefined })
    expect(await store.bucket('daily').keys()).toEqual(['mon', 'bad', 'tue'])
  })

  test('one that may skip leaves out what keeps failing, and counts it', async () => {
    const errors: Error[] = []
    const { store, runtime } = await openVirtual({
      buckets: BUCKETS,
      events: EVENTS,
      onError: (error) => void errors.push(error),
    })
    await store.defineProjection('sales', {
      ...async,
      policy: { retries: 1, onFailure: 'skip' },
      apply: (event, tx) => {
        if (event.data.day === 'bad') throw new Error('never')
        return SALES.apply(event, tx)
      },
    })
    for (const day of ['mon', 'bad', 'tue']) await store.dispatch('sold', { day, n: 1 })
    await runtime.advance(1_000)
    await store.projected()
    expect(store.projections[0]).toMatchObject({ state: 'running', lag: 0, skipped: 1, error: undefined })
    expect(await store.bucket('daily').keys()).toEqual(['mon', 'tue'])
    expect(errors).toHaveLength(2)
  })

  test('events of earlier versions are brought forward', async () => {
    const adapter = new MemoryAdapter()
    const first = await Store.start({ persistence: { adapter }, events: EVENTS })
    await first.dispatch('sold', { date: 'mon', n: 3 })
    await first.stop()
    const store = await open({ persistence: { adapter }, buckets: BUCKETS })
    store.defineEvent('gift', {})
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
      open({
        persistence: { adapter },
        buckets: BUCKETS,
        events: EVENTS,
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
          events: EVENTS,
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
  ['a', { ...SALES, version: 0 }, 'version: expected a whole number'],
  ['a', { ...SALES, history: 'all' }, 'history: expected "complete" or "kept"'],
  ['a', { ...SALES, policy: { retries: -1 } }, 'retries: expected a whole number'],
  ['a', { ...SALES, policy: { onFailure: 'park' } }, 'onFailure: expected "halt" or "skip"'],
  ['a', { ...SALES, from: ['a*b'] }, 'a star stands at the end'],
  ['a', { ...SALES, from: ['nobody'] }, 'Event "nobody" is not defined'],
  ['a', { ...SALES, apply: 1 }, 'apply: expected a function'],
  ['a', { ...SALES, to: [] }, 'unknown option "to"'],
])('%j %o is refused', async (name, options, message) => {
  const store = await open({ buckets: BUCKETS, events: EVENTS })
  expect((await rejection(store.defineProjection(name, options as never))).message).toContain(message)
  expect(store.projections).toEqual([])
})
