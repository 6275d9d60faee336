/** Found by attacking events: what is tried again, and what is not. */
import { expect, test } from 'vitest'
import { BucketUnavailableError } from '../../src/index.js'
import { open, rejection } from './opened.js'

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
