import { describe, expect, test } from 'vitest'
import { MemoryAdapter, Store } from '../../src/index.js'
import type { EventFailedError, QueuePolicy } from '../../src/index.js'
import { virtualRuntime } from '../../src/testing/runtime.js'
import { kinds } from '../proof/support/places.js'
import { gate, open, openVirtual, rejection } from './opened.js'

const THINGS = { key: 'id', schema: { id: { type: 'string' }, n: { type: 'number' } } } as const
const BUCKETS = { things: THINGS }

/** A store under a virtual clock with an event `work` that fails as long as `failing` has its id. */
async function working(policy?: QueuePolicy) {
  const errors: Error[] = []
  const { store, runtime } = await openVirtual({ buckets: BUCKETS, onError: (error) => void errors.push(error) })
  const failing = new Set<unknown>()
  const handled: unknown[] = []
  const tried: [unknown, number][] = []
  store.defineEvent('work', {
    ...(policy && { policy }),
    lane: ({ lane }) => lane as string | undefined,
    reduce: ({ data }) => {
      tried.push([data.id, runtime.now()])
      if (failing.has(data.id)) throw new Error(`cannot ${String(data.id)}`)
      handled.push(data.id)
      return { things: { insert: { id: data.id } } }
    },
  })
  return { store, runtime, failing, handled, tried, errors }
}

describe('enqueue', () => {
  test('resolves with an id when the event is in the queue; it is handled once, in an entry of its own', async () => {
    const { store, handled } = await working()
    const id = await store.enqueue('work', { id: 'a' }, { meta: { who: 'me' } })
    expect(id).toBe(1)
    await store.queue.idle()
    expect(handled).toEqual(['a'])
    expect((await store.log.read()).map(({ type, meta }) => [type, meta])).toEqual([
      ['store/enqueue', { who: 'me' }],
      ['work', { who: 'me' }],
    ])
    expect(store.queue.stats).toEqual({ waiting: 0, parked: 0, running: 0, halted: undefined, isPaused: false })
  })

  test('events are handled in the order in which they came', async () => {
    const { store, handled } = await working()
    const ids = Array.from({ length: 250 }, (_, i) => `e${i}`)
    await Promise.all(ids.map((id) => store.enqueue('work', { id })))
    await store.queue.idle()
    expect(handled).toEqual(ids)
  })

  test('the queue itself is nowhere to be seen', async () => {
    const { store } = await working()
    const heard: unknown[] = []
    await store.on('*', (event: unknown) => void heard.push(event))
    await store.enqueue('work', { id: 'a' })
    await store.queue.idle()
    expect(store.listBuckets()).toEqual(['things'])
    expect((await store.getStats()).buckets.names).toEqual(['things'])
    expect(store.hasBucket('varve/queue')).toBe(false)
    expect(() => store.bucket('varve/queue')).toThrow('is not defined')
    expect((await rejection(store.defineBucket('varve/own', THINGS))).name).toBe('DefinitionError')
    expect(heard.filter((event) => (event as { bucket?: string }).bucket?.startsWith('varve/'))).toEqual([])
    const lines: string[] = []
    for await (const line of store.export()) lines.push(line)
    expect(lines.join('')).not.toContain('varve/queue')
  })

  test.each<[unknown[], string]>([
    [['nobody', {}], 'Event "nobody" is not defined'],
    [['strict', {}], 'Field is required'],
    [['work', { n: 1n }], 'enqueue("work", data).n'],
    [['work', {}, { lane: 5 }], 'lane'],
    [['work', {}, { delayMs: -1 }], 'delayMs'],
    [['work', {}, { at: 'now' }], 'at'],
  ])('%o is refused at once', async (args, message) => {
    const { store } = await working()
    store.defineEvent('strict', { schema: { id: { type: 'string', required: true } } })
    const error = await rejection((store.enqueue as (...args: unknown[]) => Promise<unknown>)(...args))
    expect(error.message).toContain(message)
    expect(await store.log.read()).toEqual([])
  })

  test('an event can be for later', async () => {
    const { store, runtime, handled } = await working()
    await store.enqueue('work', { id: 'a' }, { delayMs: 5_000 })
    await runtime.advance(4_999)
    expect(handled).toEqual([])
    await runtime.advance(1)
    expect(handled).toEqual(['a'])
  })
})

describe('an event that fails', () => {
  test('is tried again, each time after twice the wait, and nobody else waits for it', async () => {
    const { store, runtime, failing, tried, handled } = await working({ retries: 4, backoffMs: 100, backoffMaxMs: 500 })
    const start = runtime.now()
    failing.add('a')
    await store.enqueue('work', { id: 'a' })
    await store.enqueue('work', { id: 'b' })
    await runtime.advance(0)
    expect(handled).toEqual(['b'])
    await runtime.advance(799)
    failing.clear()
    await runtime.advance(10_000)
    expect(tried.filter(([id]) => id === 'a').map(([, at]) => at - start)).toEqual([0, 100, 300, 700, 1_200])
    expect(handled).toEqual(['b', 'a'])
  })

  test('is parked when it has failed too often; those of other lanes go on, those of its lane wait', async () => {
    const { store, runtime, failing, handled, errors } = await working({ retries: 1, backoffMs: 100 })
    failing.add('a1')
    for (const [id, lane] of [
      ['a1', 'A'],
      ['a2', 'A'],
      ['b1', 'B'],
      ['x', undefined],
    ] as const) {
      await store.enqueue('work', { id, ...(lane && { lane }) })
    }
    await runtime.advance(1_000)
    expect(handled).toEqual(['b1', 'x'])
    expect(store.parked.list()).toMatchObject([
      {
        id: 1,
        type: 'work',
        data: { id: 'a1' },
        state: 'parked',
        attempts: 2,
        lane: 'A',
        error: { phase: 'reduce', message: 'cannot a1' },
      },
    ])
    expect(errors.map(({ name }) => name)).toEqual(['EventFailedError'])
    expect(store.queue.stats).toMatchObject({ waiting: 1, parked: 1 })
    const error = await rejection(store.parked.replay(1))
    expect(error.name).toBe('EventFailedError')
    expect(store.parked.get(1)).toMatchObject({ attempts: 3 })
    await store.parked.edit(1, { id: 'a1 mended' })
    expect(store.parked.get(1)?.data).toEqual({ id: 'a1 mended' })
    expect((await store.parked.replay(1)).changes).toMatchObject([{ key: 'a1 mended' }])
    await runtime.advance(0)
    expect(handled).toEqual(['b1', 'x', 'a1 mended', 'a2'])
    expect(store.parked.list()).toEqual([])
  })

  test('that is parked can be dropped, and its lane goes on', async () => {
    const { store, runtime, failing, handled } = await working({ retries: 0 })
    failing.add('a1')
    await store.enqueue('work', { id: 'a1', lane: 'A' })
    await store.enqueue('work', { id: 'a2', lane: 'A' })
    await runtime.advance(0)
    await store.parked.drop(1)
    await runtime.advance(0)
    expect(handled).toEqual(['a2'])
    for (const method of ['edit', 'replay', 'drop'] as const) {
      expect(await rejection(store.parked[method](1, {}) as Promise<unknown>)).toMatchObject({
        name: 'EventNotParkedError',
        id: 1,
      })
    }
  })

  test('is skipped where its policy says so, with a record of it where its type wants that', async () => {
    const { store, runtime } = await openVirtual({ buckets: BUCKETS, onError: () => undefined })
    store.defineEvent('work', {
      policy: { retries: 0, onFailure: 'skip' },
      recordFailures: true,
      reduce: () => ({ things: { update: { id: 'nobody' } } }),
    })
    await store.enqueue('work', { n: 1 })
    await runtime.advance(0)
    expect(store.queue.stats).toMatchObject({ waiting: 0, parked: 0 })
    expect((await store.log.read({ types: ['store/failure'] })).map(({ data }) => data)).toMatchObject([
      { type: 'work', data: { n: 1 }, error: { phase: 'apply', code: 'RECORD_NOT_FOUND' } },
    ])
  })

  test('halts the queue where its policy says so, until it is resumed', async () => {
    const { store, runtime, failing, handled } = await working({ retries: 0, onFailure: 'halt' })
    failing.add('a')
    await store.enqueue('work', { id: 'a' })
    await runtime.advance(0)
    await store.enqueue('work', { id: 'b' })
    await runtime.advance(60_000)
    expect(handled).toEqual([])
    expect((store.queue.stats.halted as EventFailedError).message).toContain('cannot a')
    failing.clear()
    store.queue.resume()
    await runtime.advance(0)
    expect(handled).toEqual(['a', 'b'])
    expect(store.queue.stats.halted).toBeUndefined()
  })
})

test('a storage that cannot write is no failure of the event', async () => {
  class Failing extends MemoryAdapter {
    fails = false
    override append(...args: Parameters<MemoryAdapter['append']>): ReturnType<MemoryAdapter['append']> {
      if (this.fails && args[1].entries.some(({ type }) => type === 'work')) throw new Error('disk full')
      return super.append(...args)
    }
  }
  const adapter = new Failing()
  const { store, runtime } = await openVirtual({ persistence: { adapter }, buckets: BUCKETS, onError: () => undefined })
  store.defineEvent('work', { policy: { retries: 0 }, reduce: () => ({ things: { insert: { id: 'a' } } }) })
  adapter.fails = true
  await store.enqueue('work')
  await runtime.advance(2_500)
  expect(store.queue.stats).toMatchObject({ waiting: 1, parked: 0 })
  adapter.fails = false
  await runtime.advance(1_000)
  expect(await store.bucket('things').keys()).toEqual(['a'])
})

test('one event of a lane at a time, also where handling it takes a while (EV3)', async () => {
  const store = await open({ buckets: BUCKETS })
  const gates = [gate(), gate()]
  const begun: unknown[] = []
  store.defineEvent('work', {
    transact: async ({ data }) => {
      begun.push(data.i)
      await gates[data.i as number]?.opened
    },
  })
  await store.enqueue('work', { i: 0 }, { lane: 'A' })
  await store.enqueue('work', { i: 1 }, { lane: 'A' })
  await store.enqueue('work', { i: 2 }, { lane: 'B' })
  expect(begun).toEqual([0, 2])
  gates[0]?.open()
  gates[1]?.open()
  await store.queue.idle()
  expect(begun).toEqual([0, 2, 1])
})

test('a store that is started with a paused queue handles nothing of it, until it is told to', async () => {
  const adapter = new MemoryAdapter()
  const handled: unknown[] = []
  const start = (queue?: 'paused') =>
    open({
      persistence: { adapter },
      buckets: BUCKETS,
      ...(queue && { queue }),
      events: { work: { transact: ({ data }) => void handled.push(data.i) } },
    })
  const first = await start('paused')
  await first.enqueue('work', { i: 0 })
  await first.queue.idle()
  expect(first.queue.stats).toMatchObject({ waiting: 1, isPaused: true })
  await first.stop()
  const second = await start('paused')
  await second.queue.idle()
  expect(handled).toEqual([])
  second.queue.resume()
  await second.queue.idle()
  expect(handled).toEqual([0])
  expect(second.queue.stats).toMatchObject({ waiting: 0, isPaused: false })
  expect((await rejection(open({ queue: 'off' as never }))).message).toContain('"running" or "paused"')
})

describe('the queue outlives its store', () => {
  test.each(kinds.filter(({ name }) => name !== 'snapshot'))('on $name', async ({ make }) => {
    const place = make()
    try {
      const start = (handle: boolean) =>
        Store.start({
          persistence: { adapter: place.adapter() },
          buckets: BUCKETS,
          onError: () => undefined,
          events: {
            work: {
              policy: { retries: 0 },
              reduce: ({ data }) => {
                if (!handle || data.bad === true) throw new Error('not now')
                return { things: { insert: { id: data.id as string } } }
              },
            },
          },
        })
      const first = await start(false)
      // Queued, and stopped before it was handled; and one that was parked.
      await first.enqueue('work', { id: 'parked' })
      await first.queue.idle()
      await first.enqueue('work', { id: 'later' }, { delayMs: 100 })
      await first.stop()
      const second = await start(true)
      expect(second.parked.list()).toMatchObject([{ data: { id: 'parked' } }])
      await new Promise((resolve) => setTimeout(resolve, 110))
      await second.queue.idle()
      expect(await second.bucket('things').keys()).toEqual(['later'])
      await second.stop()
      const third = await start(true)
      await third.parked.replay(1)
      expect(await third.bucket('things').keys()).toEqual(['later', 'parked'])
      expect(third.queue.stats).toMatchObject({ waiting: 0, parked: 0 })
      await third.stop()
    } finally {
      place.cleanup()
    }
  })

  test('an event whose definition is gone is parked, and one of an earlier version is brought forward', async () => {
    const adapter = new MemoryAdapter()
    const runtime = virtualRuntime()
    const options = { persistence: { adapter }, runtime, buckets: BUCKETS, onError: () => undefined }
    const first = await Store.start({ ...options, events: { old: {}, work: { schema: { name: { type: 'string' } } } } })
    await first.enqueue('old', {}, { delayMs: 10 })
    await first.enqueue('work', { name: 'a' }, { delayMs: 10 })
    await first.stop()
    const second = await Store.start({
      ...options,
      events: {
        work: {
          version: 2,
          schema: { id: { type: 'string', required: true } },
          upcast: { 1: ({ name }: { name: string }) => ({ id: name }) },
          reduce: ({ data }) => ({ things: { insert: { id: data.id } } }),
        },
      },
    })
    await runtime.advance(10)
    expect(await second.bucket('things').keys()).toEqual(['a'])
    expect(second.parked.list()).toMatchObject([{ type: 'old', error: { code: 'EVENT_NOT_DEFINED' } }])
    expect((await second.log.read({ types: ['work'] })).map(({ data, event }) => [data, event?.version])).toEqual([
      [{ id: 'a' }, 2],
    ])
    await second.stop()
  })
})
