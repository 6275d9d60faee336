import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Value } from './value.js'
import { compareValues } from './value-order.js'

const scalar = fc.constantFrom<Value>(
  null,
  false,
  true,
  Number.NEGATIVE_INFINITY,
  -1,
  0,
  1.5,
  Number.POSITIVE_INFINITY,
  '',
  'A',
  'a',
  'ab',
  'é',
  '\ud83d\ude00',
  '\ue000',
)
const { value } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 2 },
    { weight: 4, arbitrary: scalar },
    { weight: 1, arbitrary: fc.array(tie('value'), { maxLength: 3 }) },
    { weight: 1, arbitrary: fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value'), { maxKeys: 2 }) },
  ),
}))

const sign = (a: Value | undefined, b: Value | undefined): number => Math.sign(compareValues(a, b)) + 0

test('the order is total: reflexive, antisymmetric and transitive, and 0 only for what says the same', () => {
  fc.assert(
    fc.property(value, value, value, (a, b, c) => {
      expect(sign(a, structuredClone(a))).toBe(0)
      expect(sign(a, b)).toBe(0 - sign(b, a))
      if (sign(a, b) === 0) expect(a).toEqual(b)
      if (sign(a, b) <= 0 && sign(b, c) <= 0) expect(sign(a, c)).toBeLessThanOrEqual(0)
      if (sign(a, b) === 0) expect(sign(a, c)).toBe(sign(b, c))
    }),
    { numRuns: 2_000 },
  )
})

test('each value has its place, in this order; missing is where null is', () => {
  const inOrder: Value[] = [
    null,
    false,
    true,
    Number.NEGATIVE_INFINITY,
    -1,
    0,
    1.5,
    10,
    Number.POSITIVE_INFINITY,
    '',
    '10',
    '9',
    'A',
    'B',
    'a',
    'ab',
    'é',
    '\ud83d\ude00',
    '\ue000',
    [],
    [null],
    [1],
    [1, 2],
    [2],
    ['a'],
    [[]],
    {},
    { a: 1 },
    { a: 2 },
    { a: 2, b: 1 },
    { b: 0 },
  ]
  for (const [at, one] of inOrder.entries()) {
    for (const [other, two] of inOrder.entries()) expect(sign(one, two)).toBe(Math.sign(at - other))
    expect(sign(undefined, one)).toBe(one === null ? 0 : -1)
  }
  expect(sign(undefined, undefined)).toBe(0)
})

test('the fields of objects have no order of their own', () => {
  expect(sign({ a: 1, b: { x: 1, y: 2 } }, { b: { y: 2, x: 1 }, a: 1 })).toBe(0)
})
