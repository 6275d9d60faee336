import { expect, test } from 'vitest'
import type { StoredRecord } from '../../src/base/value.js'
import { inverseWrite } from '../../src/sourcing/sourced-write.js'
import { openVirtual } from './opened.js'

test('the inverse of a write gives a record back as it was, and its version goes on rising', async () => {
  const b = { key: 'id', schema: { id: { type: 'string' }, n: { type: 'number' } }, ttl: 1_000, sourced: true } as const
  const { store, runtime } = await openVirtual({ buckets: { b } })
  const inverse = async (before: object | undefined): Promise<unknown> => {
    const { type, data } = inverseWrite('b', 'a', before as StoredRecord | undefined)
    await store.dispatch(type, data)
    return store.bucket('b').get('a')
  }
  const first = await store.bucket('b').insert({ id: 'a', n: 1 })
  await runtime.advance(10)
  await store.bucket('b').update('a', { n: 2 })
  const _updatedAt = runtime.now()
  expect(await inverse(first)).toEqual({ ...first, _version: 3, _updatedAt })
  await store.bucket('b').delete('a')
  expect(await inverse(first)).toEqual({ ...first, _version: 2, _updatedAt })
  expect(await inverse(undefined)).toBeUndefined()
})
