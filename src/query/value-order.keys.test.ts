import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareValues } from '../base/value-order.js'
import { compareKeys } from '../state/key-order.js'

test('for keys it is the order of keys', () => {
  const key = fc.oneof(fc.string({ unit: 'binary', maxLength: 3 }), fc.double({ noNaN: true }), fc.boolean())
  fc.assert(
    fc.property(key, key, (a, b) => {
      expect(Math.sign(compareValues(a, b))).toBe(Math.sign(compareKeys(a, b)))
    }),
    { numRuns: 3_000 },
  )
})
