import fc from 'fast-check'
import { expect, it } from 'vitest'
import { stringify } from './json.js'
import type { Value } from './value.js'

it('infinities come back, anywhere', () => {
  for (const value of [
    Infinity,
    -Infinity,
    [Infinity],
    { a: { b: [null, -Infinity] } },
    { 'nu"ll': Infinity, n: null },
  ]) {
    expect(JSON.parse(stringify(value as Value))).toEqual(value)
  }
  expect(stringify(Infinity)).toBe('1e999')
})

it('without infinities it is JSON.stringify, and always well-formed', () => {
  const value = fc.jsonValue().map((made) => made as Value)
  fc.assert(
    fc.property(value, (made) => {
      expect(stringify(made)).toBe(JSON.stringify(made))
    }),
  )
  expect(stringify({ text: 'null \ud800' })).toBe('{"text":"null \\ud800"}')
})

it('with infinities it is still parsed to the same value', () => {
  const leaf = fc.oneof(fc.constantFrom(Infinity, -Infinity, null, 0, 'null', '\ud800'), fc.string({ unit: 'binary' }))
  const value = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie('tree')),
      fc.dictionary(fc.string({ unit: 'binary' }), tie('tree')),
    ),
  })).tree
  fc.assert(
    fc.property(value, (made) => {
      expect(JSON.parse(stringify(made as Value))).toEqual(made)
    }),
  )
})
