/** Found by attacking events: what dispatch, enqueue and defineEvent are given, and what is used too late. */
import { expect, test } from 'vitest'
import type { BucketHandle, EventTransaction, EventView } from '../../src/index.js'
import { open, rejection } from './opened.js'

const THINGS = { key: 'id', schema: { id: { type: 'string' } } } as const

test.each<[name: string, args: readonly unknown[], message: string]>([
  [
    'a whole event with options beside it',
    [{ type: 'x', data: { n: 1 } }, undefined, { meta: {} }],
    'got "data" inside',
  ],
  ['a whole event with data beside it', [{ type: 'x', data: { n: 1 } }, { meta: {} }], 'got "data" inside'],
  ['a time inside and data beside', [{ type: 'x', at: 5 }, { n: 1 }], 'got "at" inside'],
  ['null as options', ['x', {}, null], 'expected an object of options, got null'],
  [
    'options that cannot be read',
    ['x', {}, Object.defineProperty({}, 'at', { get: () => never() })],
    'reading it failed: no',
  ],
  ['an event that cannot be read', [new Proxy({}, { get: () => never() })], 'dispatch(event): reading it failed: no'],
])('refused: %s', async (_name, args, message) => {
  const store = await open()
  store.defineEvent('x', {})
  const dispatch = store.dispatch.bind(store) as (...args: readonly unknown[]) => Promise<unknown>
  const error = await rejection(dispatch(...args))
  expect(error.code).toBe('INVALID_ARGUMENT')
  expect(error.message).toContain(message)
  expect(await store.log.read()).toEqual([])
})

function never(): never {
  throw new Error('no')
}

test('a whole event, and a reference with data and options beside it, are taken', async () => {
  const store = await open()
  const x = store.defineEvent('x', {})
  await store.dispatch({ type: 'x', data: { n: 1 }, at: 5, meta: { who: 'a' } })
  await store.dispatch(x, { n: 2 } as never, { at: 6 })
  await store.enqueue({ type: 'x', data: { n: 3 }, lane: 'l' } as never)
  await store.queue.idle()
  const entries = (await store.log.read()).filter(({ type }) => type === 'x')
  expect(entries.map(({ data }) => data)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
  expect(entries.map(({ event }) => event?.at).slice(0, 2)).toEqual([5, 6])
})

test('definitions that have their options elsewhere than under names are refused', async () => {
  const store = await open()
  for (const options of [[], { upcast: new Map() }, { upcast: [] }]) {
    expect(() => store.defineEvent('x', options as never)).toThrow(/expected an object/)
  }
})

test('a validator that breaks fails what is queued as what is dispatched', async () => {
  const store = await open()
  const validate = (): unknown => undefined
  store.defineEvent('x', { schema: { '~standard': { version: 1, vendor: 'tests', validate } } as never })
  for (const failed of [store.dispatch('x', {}), store.enqueue('x', {})]) {
    expect(await rejection(failed)).toMatchObject({ code: 'EVENT_FAILED', phase: 'validate' })
  }
})

test('the events of a bucket that was dropped are not defined any more', async () => {
  const store = await open({ buckets: { things: { ...THINGS, sourced: true } } })
  await store.dropBucket('things')
  const write = { action: 'insert', data: { id: 'a' } }
  for (const refused of [store.dispatch('bucket/things', write), store.enqueue('bucket/things', write)]) {
    expect((await rejection(refused)).code).toBe('EVENT_NOT_DEFINED')
  }
  await store.defineBucket('things', THINGS)
  expect((await rejection(store.dispatch('bucket/things', write))).code).toBe('EVENT_NOT_DEFINED')
})

test('what a handler was given is of no use after the event, and says what it was', async () => {
  const store = await open({ buckets: { things: THINGS } })
  const kept: { tx?: EventTransaction; view?: EventView } = {}
  store.defineEvent('late', { transact: (_, tx) => void (kept.tx = tx) })
  store.defineEvent('failed', {
    reduce: (_, view) => {
      kept.view = view
      return { things: { insert: { id: 'never was' } } }
    },
    derive: () => never(),
  })
  await store.dispatch('late')
  await rejection(store.dispatch('failed'))
  const { tx, view } = kept as { tx: EventTransaction; view: EventView }
  const handle = tx.bucket('things') as unknown as BucketHandle
  expect((await rejection(handle.insert({ id: 'late' }))).message).toMatch(/^bucket "things": the transaction of this/)
  expect((await rejection(tx.dispatch('late'))).message).toMatch(
    /^event "late": tx\.dispatch\("late"\): the transaction/,
  )
  expect(() => view.bucket('things')).toThrow(/^view\.bucket\("things"\): the transaction of this/)
})
