/** Found by attacking events: what is tried again, and what handlers must not do. */
import { expect, test } from 'vitest'
import { BucketUnavailableError } from '../../src/index.js'
import type { NonDeterministicError } from '../../src/index.js'
import { open, rejection, turn } from './opened.js'

const THINGS = { key: 'id', schema: { id: { type: 'string' }, n: { type: 'number' } } } as const

test.each([false, true])('a refused write is not tried again because of later ones: sourced %s', async (sourced) => {
  const store = await open({ buckets: { things: { ...THINGS, sourced } } })
  const things = store.bucket('things')
  await things.insert({ id: 'a' })
  const inserted = await Promise.allSettled([things.insert({ id: 'a' }), things.delete('a')])
  expect(inserted.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
  expect(await things.all()).toEqual([])
  const updated = await Promise.allSettled([things.update('m', { n: 7 }), things.insert({ id: 'm', n: 1 })])
  expect(updated.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
  expect(await things.get('m')).toMatchObject({ n: 1 })
})

test('nor is an event that is refused when it is dispatched', async () => {
  const store = await open({ buckets: { things: THINGS } })
  store.defineEvent('made', { reduce: ({ data }) => ({ things: { insert: data } }) })
  await store.dispatch('made', { id: 'a' })
  const [made] = await Promise.allSettled([store.dispatch('made', { id: 'a' }), store.bucket('things').delete('a')])
  expect(made.status).toBe('rejected')
  expect(await store.bucket('things').count()).toBe(0)
})

test('a handler that says of a bucket which is up that it is not fails, and the program goes on', async () => {
  const store = await open({ buckets: { things: THINGS } })
  let runs = 0
  store.defineEvent('lies', {
    reduce: () => {
      runs++
      throw new BucketUnavailableError('things', 'loading')
    },
  })
  expect(await rejection(store.dispatch('lies'))).toMatchObject({ code: 'EVENT_FAILED', phase: 'reduce' })
  expect(runs).toBeLessThan(30)
  store.defineEvent('elsewhere', {
    reduce: () => {
      throw new BucketUnavailableError('of another store', 'loading')
    },
  })
  const { cause } = await rejection(store.dispatch('elsewhere'))
  expect(cause).toMatchObject({ code: 'BUCKET_UNAVAILABLE', bucket: 'of another store' })
})

test('a reducer that writes with the handles of the store fails its event, and nothing is written', async () => {
  const store = await open({ buckets: { things: THINGS, sourced: { ...THINGS, sourced: true } } })
  const writes: { readonly [type: string]: () => unknown } = {
    plain: () => store.bucket('things').insert({ id: 'a' }),
    sourced: () => store.bucket('sourced').insert({ id: 'a' }),
    caught: () => {
      expect(() => store.bucket('things').insert({ id: 'a' })).toThrow('outside of preprocess')
    },
    transaction: () => void store.transaction((tx) => tx.bucket('things').insert({ id: 'a' })).catch(() => undefined),
    dispatch: () => void store.dispatch('plain'),
    enqueue: () => void store.enqueue('plain'),
  }
  for (const [type, write] of Object.entries(writes)) {
    store.defineEvent(type, { reduce: () => void write() })
    const { message, phase } = await rejection(store.dispatch(type))
    expect(message).toMatch(
      /expected to be called outside of preprocess, reduce and derive .*, got a call inside of one/,
    )
    expect(phase).toBe('reduce')
  }
  await turn()
  expect([await store.bucket('things').count(), await store.bucket('sourced').count()]).toEqual([0, 0])
  expect(await store.log.read()).toEqual([])
})

test('checkDeterminism changes nothing but what onError is told, and that may dispatch', async () => {
  const told: string[] = []
  const dispatched: Promise<unknown>[] = []
  const store = await open({
    checkDeterminism: true,
    onError: (error) => {
      told.push((error as NonDeterministicError).message)
      dispatched.push(store.dispatch('told', { at: Date.now() }))
    },
  })
  let runs = 0
  store.defineEvent('told', {})
  store.defineEvent('second', {
    reduce: () => {
      if (runs++ > 0) throw new Error('the second time')
    },
  })
  expect((await store.dispatch('second')).type).toBe('second')
  expect(told).toEqual([expect.stringMatching(/throws when it is run again \(the second time\); the event stands/)])
  await Promise.all(dispatched)
  expect((await store.log.read()).map(({ type }) => type).toSorted()).toEqual(['second', 'told'])
})
