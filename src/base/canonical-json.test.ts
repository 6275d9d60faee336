import { expect, test } from 'vitest'
import { canonicalJson } from './canonical-json.js'
import { hex, sha256 } from './sha256.js'

test.each([
  [
    { b: 1, a: [{ d: null, c: 'x' }], 10: 1, 9: 2, ä: 3, Z: 4 },
    '{"10":1,"9":2,"Z":4,"a":[{"c":"x","d":null}],"b":1,"ä":3}',
  ],
  [[Infinity, -Infinity, 1e21, 5e-324, -0, 0.1 + 0.2], '[1e999,-1e999,1e+21,5e-324,0,0.30000000000000004]'],
  ['\ud800 \u2028 🙂 "', '"\\ud800 \u2028 🙂 \\""'],
  [{}, '{}'],
  [[], '[]'],
])('the canonical text of %j', (value, text) => {
  expect(canonicalJson(value as never)).toBe(text)
})

test('fields may have been written in any order', () => {
  expect(canonicalJson({ a: 1, b: { c: 1, d: 2 } })).toBe(canonicalJson({ b: { d: 2, c: 1 }, a: 1 }))
  expect(canonicalJson({ a: undefined } as never)).toBe('{}')
})

test('SHA-256, as the standard gives it', async () => {
  const of = async (text: string): Promise<string> => hex(await sha256(new TextEncoder().encode(text)))
  // Source: FIPS 180-2, appendix B.1, and the empty message.
  expect(await of('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  expect(await of('')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
})
