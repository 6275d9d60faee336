import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isLike } from './matches.js'

/** What `like` means, said the slow way. */
function naive(text: string, pattern: string): boolean {
  if (pattern === '') return text === ''
  const [first, second] = pattern
  if (first === '%') return naive(text, pattern.slice(1)) || (text !== '' && naive(text.slice(1), pattern))
  if (text === '') return false
  if (first === '\\' && second !== undefined) return text[0] === second && naive(text.slice(1), pattern.slice(2))
  return (first === '_' || first === text[0]) && naive(text.slice(1), pattern.slice(1))
}

test('like is what a plain recursive matcher says', () => {
  const characters = (...from: string[]) =>
    fc.array(fc.constantFrom(...from), { maxLength: 9 }).map((all) => all.join(''))
  fc.assert(
    fc.property(
      characters('a', 'b', '%', '_', '\\'),
      characters('a', 'a', 'b', '%', '%', '_', '\\'),
      (text, pattern) => {
        expect(isLike(text, pattern)).toBe(naive(text, pattern))
      },
    ),
    { numRuns: 5_000 },
  )
})

test.each<[text: string, pattern: string, isWanted: boolean]>([
  ['', '', true],
  ['', '%', true],
  ['', '_', false],
  ['50%', '50\\%', true],
  ['50x', '50\\%', false],
  ['a_b', 'a\\_b', true],
  ['axb', 'a\\_b', false],
  ['\\', '\\\\', true],
  ['\\', '\\', true],
  ['Ada', 'a%', false],
  ['one\ntwo', 'one%two', true],
  ['a.b', 'a.b', true],
  ['axb', 'a.b', false],
])('%j like %j: %s', (text, pattern, isWanted) => {
  expect(isLike(text, pattern)).toBe(isWanted)
})

test('a hostile pattern ends: it goes back to its last % only', () => {
  const many = 100_000
  expect(isLike(`${'a'.repeat(many)}b`, `${'%a'.repeat(many / 2)}%`)).toBe(true)
  expect(isLike(`${'a'.repeat(many)}b`, `${'%a'.repeat(many / 2)}c`)).toBe(false)
  expect(isLike(`${'a'.repeat(many)}b`, '%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%ac')).toBe(false)
  expect(isLike('a'.repeat(many), `${'%'.repeat(many)}b`)).toBe(false)
})
