import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deepEqual } from './equality.js'
import { stableText } from './stable-text.js'

const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(undefined, null, true, false, 0, -0, NaN, Infinity, '', '0', 'null', 1n, 1),
    fc.string({ maxLength: 3 }),
    fc.integer({ min: -2, max: 2 }),
    fc.date({ min: new Date(0), max: new Date(3) }),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', '"'), tie('value'), { maxKeys: 3 }),
  ),
})).value

describe('stableText', () => {
  it('is the same for values that are equal, and only for those', () => {
    fc.assert(
      fc.property(plain, plain, (a, b) => {
        expect(stableText(a) === stableText(b)).toBe(deepEqual(a, b))
      }),
      { numRuns: 3_000 },
    )
  })

  it('does not mind the order of fields', () => {
    expect(stableText({ a: 1, b: [{ c: 2, d: 3 }] })).toBe(stableText({ b: [{ d: 3, c: 2 }], a: 1 }))
  })

  it('tells fields that hold undefined from those that are missing', () => {
    expect(stableText({ a: undefined })).not.toBe(stableText({}))
  })

  it('has no text for what only identity tells apart', () => {
    const loop: unknown[] = []
    loop.push(loop)
    class Point {
      x = 1
    }
    const hostile = {
      get a(): number {
        throw new Error('no')
      },
    }
    for (const value of [
      () => 1,
      Symbol('s'),
      new Map(),
      new Set(),
      /x/,
      new Point(),
      loop,
      { a: [new Point()] },
      hostile,
    ]) {
      expect(stableText(value)).toBeUndefined()
    }
  })
})
