/** Every test of plain buckets holds for sourced ones: they are a drop-in replacement. */
import { expect, test } from 'vitest'
import './bad-input.test.js'
import './crud.test.js'
import './expiry.test.js'
import './reads.test.js'
import './standard-schema.test.js'
import './transactions.test.js'
import './validation.test.js'
import { KEYED, openBucket, sourced } from './opened.js'

sourced.isOn = true

test('the buckets of these suites are sourced', async () => {
  const { store, bucket } = await openBucket(KEYED)
  await bucket.insert({ id: 'a' })
  expect((await store.log.read()).map(({ type }) => type)).toEqual(['bucket/b'])
})
