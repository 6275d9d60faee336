import { describe, expect, test } from 'vitest'
import { matchesTopic, parsePattern, topicText, type Segments } from './topic.js'

const users: Segments = ['bucket', 'users', 'inserted']
const dotted: Segments = ['bucket', 'a.b', 'inserted']

function matches(pattern: string, topic: Segments): boolean {
  return matchesTopic(parsePattern(pattern), topic)
}

describe('matchesTopic', () => {
  const yes = ['*', 'bucket.*', 'bucket.*.*', 'bucket.users.*', 'bucket.*.inserted', '*.users.*', '*.*.*']
  test.each([...yes, topicText(users)])('"%s" selects bucket.users.inserted, as in noex-store 0.1', (pattern) => {
    expect(matches(pattern, users)).toBe(true)
  })

  const no = ['*.*', '**', 'bucket.#', 'bucket.us*.*', '', 'bucket.users.inserted.*', '*.*.*.*', 'bucket', 'users.*']
  test.each([...no, 'bucket.**'])('"%s" does not select bucket.users.inserted, as in noex-store 0.1', (pattern) => {
    expect(matches(pattern, users)).toBe(false)
  })

  const asSegments = ['*', 'bucket.*', 'bucket.*.*', 'bucket.*.inserted']
  const asText = ['bucket.a.b.*', 'bucket.a.*', 'bucket.a.b.inserted', 'bucket.*.*.*', '*.a.b.*']
  test.each([...asSegments, ...asText])('"%s" selects a topic whose bucket is called a.b', (pattern) => {
    expect(matches(pattern, dotted)).toBe(true)
  })

  const neither = ['bucket.b.*', 'bucket.a', 'bucket.a.b', '*.*', 'bucket.a.inserted', '*.*.*.*.*']
  test.each(neither)('"%s" does not select a topic whose bucket is called a.b', (pattern) => {
    expect(matches(pattern, dotted)).toBe(false)
  })

  test('an inner star stands for one segment only where the counts are equal', () => {
    expect(matches('bucket.*.x.*', ['bucket', 'users', 'x', 'y'])).toBe(true)
    expect(matches('bucket.*.x.*', ['bucket', 'users', 'x', 'y', 'z'])).toBe(false)
    expect(matches('bucket.users.x.*', ['bucket', 'users', 'x', 'y', 'z'])).toBe(true)
  })

  test('a trailing star needs at least one segment', () => {
    expect(matches('bucket.*', ['bucket'])).toBe(false)
  })
})
