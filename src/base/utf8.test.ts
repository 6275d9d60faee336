import { expect, it, vi } from 'vitest'

it('bytes of UTF-8 are counted alike with and without Node', async () => {
  const texts = ['', 'a', 'ä', '€', '𝄞', '\ud800', 'a\udc00b', '\ud800\ud800\udc00', 'ä€𝄞\u0000'.repeat(1_000)]
  const expected = texts.map((text) => new TextEncoder().encode(text).length)
  const here = await import('./utf8.js')
  expect(texts.map(here.utf8Length)).toEqual(expected)
  vi.resetModules()
  vi.stubGlobal('Buffer', undefined)
  const elsewhere = await import('./utf8.js')
  expect(texts.map(elsewhere.utf8Length)).toEqual(expected)
  vi.unstubAllGlobals()
})
