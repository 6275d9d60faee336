/** Found by attacking events: promises, and other things, where results and data are expected. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EventHandlers } from '../../src/index.js'
import { open, rejection, turn } from './opened.js'

const unhandled: unknown[] = []
const note = (reason: unknown): void => void unhandled.push(reason)

beforeEach(() => {
  process.on('unhandledRejection', note)
})

afterEach(() => {
  process.off('unhandledRejection', note)
})

async function bad(): Promise<never> {
  await turn()
  throw new Error('nobody waits for this')
}

/** Nothing that was rejected meanwhile was left to the program. */
async function nothingIsLeft(): Promise<void> {
  await turn()
  await turn()
  expect(unhandled.splice(0)).toEqual([])
}

const THINGS = { things: { key: 'id', schema: { id: { type: 'string' } } } } as const

const CASES: { readonly [name: string]: object } = {
  preprocess: { preprocess: bad },
  'data of preprocess': { preprocess: () => ({ n: bad() }) },
  reduce: { reduce: bad },
  derive: { derive: bad },
  'a bucket': { reduce: () => ({ things: bad() }) },
  'an insert': { reduce: () => ({ things: { insert: bad() } }) },
  'a list of inserts': { reduce: () => ({ things: { insert: [bad(), bad()] } }) },
  'a field': { reduce: () => ({ things: { insert: { id: bad() } } }) },
  'a key': { reduce: () => ({ things: { remove: bad() } }) },
  'a sub-event': { reduce: () => ({ events: bad() }) },
  'a list of sub-events': { reduce: () => ({ events: [bad()] }) },
  'data of a sub-event': { reduce: () => ({ events: [{ type: 'x', data: bad() }] }) },
  'what comes later': { reduce: () => ({ events: [{ type: 'nobody knows' }, { type: 'x', data: bad() }] }) },
  'data of tx.dispatch': {
    transact: (_: unknown, tx: { dispatch: (...args: unknown[]) => unknown }) => tx.dispatch('x', { n: bad() }),
  },
}

describe.each([false, true])('a promise that rejects does not end the program: checkDeterminism %s', (check) => {
  test.each(Object.keys(CASES))('as %s', async (name) => {
    const store = await open({ buckets: THINGS, checkDeterminism: check, onError: () => undefined })
    store.defineEvent('x', CASES[name] ?? {})
    expect((await rejection(store.dispatch('x'))).code).toBe('EVENT_FAILED')
    await nothingIsLeft()
  })

  test('of the second reducer, where the result of the first one is refused', async () => {
    const store = await open({ buckets: THINGS, checkDeterminism: check, onError: () => undefined })
    store.defineEvent('x', { reduce: () => ({ things: { remove: {} } }) })
    store.extendEvent('x', { reduce: () => ({ things: { insert: [bad()] } }) })
    await rejection(store.dispatch('x'))
    await nothingIsLeft()
  })

  test('as data, or as a lane', async () => {
    const store = await open({ checkDeterminism: check })
    store.defineEvent('x', { lane: bad as never })
    for (const data of [bad(), { n: bad() }, { list: [bad()] }]) await rejection(store.dispatch('x', data))
    await rejection(store.enqueue('x', { n: bad() }))
    expect((await rejection(store.enqueue('x'))).message).toContain('expected a string, got a promise')
    await nothingIsLeft()
  })
})

test.each<[name: string, result: () => unknown, message: string]>([
  [
    'a promise',
    () => Promise.resolve({}),
    'what reduce returns: expected no promise (only transact may wait), got a promise',
  ],
  ['a list of events later', () => ({ events: Promise.resolve([]) }), 'the result: events: expected no promise'],
  ['a map', () => new Map(), 'the result: expected an object of results by bucket, got an object'],
  ['a generator', () => (function* none() {})(), 'the result: expected an object of results by bucket, got an object'],
  ['a verb that is none', () => ({ things: { delete: 'a' } }), 'set, update, upsert, got the unknown verb "delete"'],
  ['a key that cannot be one', () => ({ things: { remove: new Date(0) } }), 'got a Date'],
])('a result that is none is refused and named: %s', async (_name, result, message) => {
  const store = await open({ buckets: THINGS })
  store.defineEvent('x', { reduce: result as NonNullable<EventHandlers['reduce']> })
  expect((await rejection(store.dispatch('x'))).message).toContain(message)
})

test('one sub-event need not be in a list, and a bucket may be called events', async () => {
  const store = await open({ buckets: { ...THINGS, events: THINGS.things } })
  store.defineEvent('made', { reduce: ({ data }) => ({ things: { insert: data } }) })
  store.defineEvent('main', { reduce: () => ({ events: { type: 'made', data: { id: 'a' } } }) })
  store.defineEvent('stored', { reduce: ({ data }) => ({ events: { insert: data } as never }) })
  const { events } = await store.dispatch('main')
  expect(events).toEqual([{ type: 'made', data: { id: 'a' } }])
  await store.dispatch('stored', { id: 'b' })
  expect(await store.bucket('events').keys()).toEqual(['b'])
})

test('what was given is called what it is', async () => {
  const store = await open()
  store.defineEvent('x', {})
  for (const at of [new Date(0), new Date('x')]) {
    const { message } = await rejection(store.dispatch('x', {}, { at: at as never }))
    expect(message).toContain('expected a time in milliseconds, got a Date')
  }
  const { message } = await rejection(store.dispatch('x', { n: 1n }))
  expect(message).toContain(
    'dispatch("x", data).n: expected what can be stored (A bigint cannot be stored), got a bigint',
  )
})
