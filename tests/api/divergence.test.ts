import { expect, test, vi } from 'vitest'
import { RowsView } from '../../src/reactive/rows-view.js'
import { failOnDivergence } from '../../src/testing/divergence.js'
import { KEYED, openBucket, rejection } from './opened.js'

async function observed(selfCheck: number) {
  const { store, bucket } = await openBucket(KEYED, { selfCheck, onError: () => undefined })
  bucket.query().live(() => undefined)
  await store.settle()
  return { store, bucket, end: await failOnDivergence(store) }
}

test('live results that are what they should be pass, and are counted', async () => {
  const { store, bucket, end } = await observed(1)
  await bucket.insert({ id: 'a' })
  await end()
  expect((await store.getStats()).live).toMatchObject({ views: 1, subscriptions: 1, checked: 1, diverged: 0 })
})

test('a result that differs fails the test, with what it was and why (V1)', async () => {
  const { store, bucket, end } = await observed(1)
  const spy = vi.spyOn(RowsView.prototype, 'apply').mockReturnValue('changed')
  await bucket.insert({ id: 'a' })
  spy.mockRestore()
  const error = await rejection(end())
  expect(error).toMatchObject({ name: 'CheckError', cause: { name: 'InvariantError' } })
  expect(error.message).toMatch(/1 of 1 live results have diverged: first \["b"/)
  expect((await store.getStats()).live).toMatchObject({ checked: 1, diverged: 1 })
})

test('where nothing was compared the test fails too: it would show nothing', async () => {
  const { bucket, end } = await observed(0)
  await bucket.insert({ id: 'a' })
  expect((await rejection(end())).message).toMatch(/selfCheck: 1/)
})
