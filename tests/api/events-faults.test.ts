/** Faults that were reproduced in Strato-DB (the numbers are those of our notes, part D1), each as a test that Varve passes. */
import { describe, expect, test } from 'vitest'
import { MemoryAdapter } from '../../src/index.js'
import type { Store } from '../../src/index.js'
import { gate, open, openVirtual, rejection } from './opened.js'

const THINGS = { key: 'id', schema: { id: { type: 'string' }, n: { type: 'number', default: 0 } } } as const

async function things(sourced = false): Promise<Store> {
  return open({ buckets: { things: { ...THINGS, sourced } } })
}

test('1: one bad event does not poison those after it', async () => {
  const store = await things()
  store.defineEvent('made', { reduce: ({ data }) => ({ things: { insert: data } }) })
  const circular: { self?: unknown } = {}
  circular.self = circular
  for (const bad of [{ n: 1n }, circular, { id: 5 }]) await rejection(store.dispatch('made', bad))
  for (const bad of [{ n: 1n }, circular]) await rejection(store.enqueue('made', bad))
  await store.dispatch('made', { id: 'a' })
  await store.enqueue('made', { id: 'b' })
  await store.queue.idle()
  expect(await store.bucket('things').keys()).toEqual(['a', 'b'])
})

test('2, 3: every dispatch is handled, and settles with its own result, however many there are at once', async () => {
  const store = await things()
  store.defineEvent('made', {
    reduce: ({ data }) => ({ things: { insert: { id: data.id } } }),
    transact: ({ data }) => data.id,
  })
  const ids = Array.from({ length: 300 }, (_, i) => `t${i}`)
  const receipts = await Promise.all(ids.map((id) => store.dispatch('made', { id })))
  expect(receipts.map(({ result }) => result)).toEqual(ids)
  expect(receipts.map(({ seq }) => seq)).toEqual(ids.map((_, i) => i + 1))
})

test('5: the queue starts again after it was stopped, as often as one likes', async () => {
  const { store, runtime } = await openVirtual({ buckets: { things: THINGS } })
  store.defineEvent('made', { reduce: ({ data }) => ({ things: { insert: data } }) })
  for (const id of ['a', 'b', 'c', 'd']) {
    await store.enqueue('made', { id })
    store.kill('queue')
    await runtime.advance(1_000)
  }
  expect(await store.bucket('things').keys()).toEqual(['a', 'b', 'c', 'd'])
})

test('6: what others write at the same time is not part of an event, and stays when the event fails', async () => {
  const store = await things()
  const { opened, open: letGo } = gate()
  store.defineEvent('slow', {
    transact: async (_, tx) => {
      await tx.bucket('things').insert({ id: 'event' })
      await opened
      throw new Error('after all')
    },
  })
  const slow = store.dispatch('slow')
  await store.bucket('things').insert({ id: 'other' })
  letGo()
  await rejection(slow)
  expect(await store.bucket('things').keys()).toEqual(['other'])
})

test('7: an event whose commit fails has no result, and nothing is wedged', async () => {
  class Failing extends MemoryAdapter {
    failures = 2
    override append(...args: Parameters<MemoryAdapter['append']>): ReturnType<MemoryAdapter['append']> {
      if (args[1].entries.length > 0 && this.failures-- > 0) throw new Error('commit failed')
      return super.append(...args)
    }
  }
  const store = await open({ persistence: { adapter: new Failing() }, buckets: { things: THINGS } })
  store.defineEvent('made', { reduce: ({ data }) => ({ things: { insert: data } }) })
  await rejection(store.dispatch('made', { id: 'a' }))
  await rejection(store.dispatch('made', { id: 'a' }))
  expect(await store.bucket('things').count()).toBe(0)
  expect((await store.dispatch('made', { id: 'a' })).seq).toBe(1)
})

test('13: no write to a sourced bucket bypasses the log, also while an event is handled', async () => {
  const store = await things(true)
  const { opened, open: letGo } = gate()
  store.defineEvent('slow', { transact: () => opened })
  const slow = store.dispatch('slow')
  await store.bucket('things').insert({ id: 'a' })
  await store.transaction((tx) => tx.bucket('things').insert({ id: 'b' }))
  letGo()
  await slow
  const entries = await store.log.read()
  expect(entries.map(({ type }) => type)).toEqual(['bucket/things', 'store/transaction', 'slow'])
  expect(entries[1]?.event?.events).toMatchObject([{ type: 'bucket/things', data: { action: 'insert', key: 'b' } }])
})

test('14: transact sees its own writes, and gets what they return', async () => {
  const store = await things()
  const inserted = store.defineEvent('main', {
    transact: async (_, tx) => {
      const record = await tx.bucket('things').insert({ id: 'a' })
      return [record.id, (await tx.bucket('things').get('a'))?._version]
    },
  })
  expect((await store.dispatch(inserted)).result).toEqual(['a', 1])
})

test('15: a dispatch always settles, and one that fails for ever holds up nobody', async () => {
  const store = await things()
  store.defineEvent('bad', {
    reduce: () => {
      throw new Error('always')
    },
  })
  store.defineEvent('made', { reduce: ({ data }) => ({ things: { insert: data } }) })
  const settled = await Promise.allSettled([
    store.dispatch('bad'),
    store.dispatch('made', { id: 'a' }),
    store.dispatch('bad'),
  ])
  expect(settled.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected'])
  const stopped = store.dispatch('made', { id: 'b' })
  await store.stop()
  await stopped
  expect((await rejection(store.dispatch('made', { id: 'c' }))).name).toBe('StoreStoppedError')
})

describe('16: determinism', () => {
  test('sub-events come in the order of the reducers that asked for them', async () => {
    const store = await things()
    for (const type of ['x', 'y', 'z']) store.defineEvent(type, {})
    store.defineEvent('main', { reduce: () => ({ events: [{ type: 'z' }, { type: 'x' }] }) })
    store.extendEvent('main', { reduce: () => ({ events: [{ type: 'y' }] }) })
    const { events } = await store.dispatch('main')
    expect(events.map(({ type }) => type)).toEqual(['z', 'x', 'y'])
  })

  test('an event is frozen to the bottom, and what callers do to their data later has no effect', async () => {
    const store = await things()
    const given = { list: [{ n: 1 }] }
    store.defineEvent('main', {
      reduce: ({ data }) => {
        const list = data.list as { n: number }[]
        expect(() => list.push({ n: 2 })).toThrow(TypeError)
        expect(() => Object.assign(list[0] as object, { n: 3 })).toThrow(TypeError)
      },
    })
    const dispatched = store.dispatch('main', given)
    given.list.push({ n: 9 })
    expect((await dispatched).data).toEqual({ list: [{ n: 1 }] })
    expect((await store.log.read())[0]?.data).toEqual({ list: [{ n: 1 }] })
  })

  test('time and randomness come from the event: other events draw other numbers, attempts the same', async () => {
    const store = await things()
    const drawn: unknown[] = []
    const { opened, open: letGo } = gate()
    await store.bucket('things').insert({ id: 'a' })
    store.defineEvent('main', {
      reduce: (_, view) => void drawn.push([view.now(), view.random(), view.uuid()]),
      transact: async (_, tx) => {
        await tx.bucket('things').get('a')
        await opened
        await tx.bucket('things').update('a', { n: 1 })
      },
    })
    const dispatched = store.dispatch('main', {}, { at: 5 })
    await store.bucket('things').update('a', { n: 7 })
    letGo()
    await dispatched
    await store.dispatch('main', {}, { at: 5 })
    expect(drawn).toHaveLength(3)
    expect(drawn[1]).toEqual(drawn[0])
    expect(drawn[2]).not.toEqual(drawn[0])
    const seeds = (await store.log.read({ types: ['main'] })).map(({ event }) => event?.seed)
    expect(new Set(seeds).size).toBe(2)
  })

  test('handlers that are not repeatable are reported, once, and the event stands', async () => {
    const errors: Error[] = []
    const store = await open({
      buckets: { things: THINGS },
      checkDeterminism: true,
      onError: (error) => void errors.push(error),
    })
    const { now } = Date
    const { random } = Math
    let runs = 0
    store.defineEvent('clock', {
      name: 'clock of mine',
      reduce: () => ({ things: { upsert: { id: 'a', n: Math.min(Date.now(), 1) } } }),
    })
    store.defineEvent('dice', { preprocess: () => ({ n: Math.random(), id: crypto.randomUUID() }) })
    store.defineEvent('date', { derive: () => ({ things: { upsert: { id: new Date().toISOString().slice(0, 4) } } }) })
    store.defineEvent('counts', { reduce: () => ({ things: { upsert: { id: 'b', n: runs++ } } }) })
    store.defineEvent('good', {
      reduce: (event, view) => ({
        things: { upsert: { id: view.uuid(), n: view.random() + new Date(event.at).getTime() } },
      }),
    })
    for (const type of ['clock', 'dice', 'date', 'counts', 'good', 'counts']) await store.dispatch(type)
    expect(errors.map(({ message }) => message.split(';')[0])).toEqual([
      'event "clock": reduce of "clock of mine" uses Date.now',
      'event "dice": preprocess of "dice" uses Math.random',
      'event "dice": preprocess of "dice" uses crypto.randomUUID',
      'event "dice": preprocess of "dice" returns something else when it is run again',
      'event "date": derive of "date" uses new Date()',
      'event "counts": reduce of "counts" returns something else when it is run again',
    ])
    expect(errors[0]?.name).toBe('NonDeterministicError')
    expect([Date.now, Math.random]).toEqual([now, random])
    expect(await store.log.read()).toHaveLength(6)
  })
})

test('17: a write that changes nothing is a write as on a plain bucket, and what is returned is of that write', async () => {
  for (const sourced of [false, true]) {
    const store = await things(sourced)
    const bucket = store.bucket('things')
    await bucket.insert({ id: 'a' })
    const results = await Promise.all([1, 2, 3].map((n) => bucket.update('a', { n })))
    expect(results.map(({ n, _version }) => [n, _version])).toEqual([
      [1, 2],
      [2, 3],
      [3, 4],
    ])
    await bucket.delete('nobody')
    await bucket.deleteMany({ id: 'nobody' })
    expect(await store.log.read()).toHaveLength(4)
  }
})
