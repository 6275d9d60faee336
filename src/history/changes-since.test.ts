import { describe, expect, test } from 'vitest'
import type { Change, Entry, StoredRecord } from '../log/entry.js'
import { ChangesSince } from './changes-since.js'

const record = (id: string, version = 1): StoredRecord => ({ id, _version: version })
const entry = (seq: number, changes: readonly Change[], more: Partial<Entry> = {}): Entry => ({
  seq,
  id: `log-${seq}`,
  at: seq,
  type: 'store/write',
  changes,
  ...more,
})
const put = (id: string, before: number | undefined, after: number): Change => ({
  bucket: 'b',
  key: id,
  before: before === undefined ? undefined : record(id, before),
  after: record(id, after),
})
const remove = (id: string, before: number, ordinal?: number): Change => ({
  bucket: 'b',
  key: id,
  before: record(id, before),
  after: undefined,
  ...(ordinal === undefined ? {} : { ordinal }),
})
const then = (entries: readonly Entry[], now: readonly (readonly [number, StoredRecord])[]): unknown => {
  const since = new ChangesSince()
  for (const one of entries) since.add(one)
  const rows = { ordinals: now.map(([ordinal]) => ordinal), records: now.map(([, one]) => one) }
  return since.rowsThen('b', rows, 'id')?.map((row) => [row.ordinal, row.record['id'], row.record['_version']])
}

describe('rowsThen', () => {
  test('a record that was updated, deleted, inserted, and came and went', () => {
    const entries = [
      entry(1, [put('a', 1, 2), remove('b', 1, 2), put('new', undefined, 1)]),
      entry(2, [put('a', 2, 3), remove('new', 1, 9), put('b', undefined, 1)]),
    ]
    expect(
      then(entries, [
        [1, record('a', 3)],
        [5, record('c')],
        [10, record('b')],
      ]),
    ).toEqual([
      [1, 'a', 1],
      [2, 'b', 1],
      [5, 'c', 1],
    ])
  })

  test('a record that was deleted twice stands where it stood first', () => {
    const entries = [
      entry(1, [remove('a', 4, 1)]),
      entry(2, [put('a', undefined, 1)]),
      entry(3, [put('a', 1, 2), remove('a', 2, 7)]),
    ]
    expect(then(entries, [[3, record('c')]])).toEqual([
      [1, 'a', 4],
      [3, 'c', 1],
    ])
  })

  test('an order that the log does not say is not guessed', () => {
    expect(then([entry(1, [remove('a', 1)])], [[3, record('c')]])).toBeUndefined()
  })

  test('what was erased is known', () => {
    const since = new ChangesSince()
    since.add(entry(3, [], { redacted: ['x'] }))
    since.add(entry(5, [], { cleared: ['b'] }))
    since.add(entry(6, [], { type: 'store/drop', data: { bucket: 'c' } }))
    expect(['x', 'b', 'c', 'd'].map((name) => since.erasedAt(name))).toEqual([4, 5, 6, 0])
  })

  test('H1: changes that do not follow each other, or do not lead to the rows, are not taken for history', () => {
    const broken = expect.objectContaining({ name: 'InvariantError', invariant: 'H1' })
    const twice = [entry(1, [put('a', undefined, 1)]), entry(2, [put('a', undefined, 1)])]
    expect(() => then(twice, [[1, record('a')]])).toThrow(broken)
    expect(() => then([entry(1, [put('a', 1, 3)]), entry(2, [put('a', 2, 3)])], [[1, record('a', 3)]])).toThrow(broken)
    expect(() => then([entry(1, [put('a', 1, 2)])], [[1, record('a', 1)]])).toThrow(broken)
    expect(() => then([entry(1, [put('a', 1, 2)])], [])).toThrow(broken)
  })

  test('only the buckets that will be asked about', () => {
    const since = new ChangesSince(['other'])
    since.add(entry(1, [put('a', 5, 6)]))
    expect(since.rowsThen('b', { ordinals: [1], records: [record('a')] }, 'id')).toEqual([
      { ordinal: 1, record: record('a') },
    ])
  })
})
