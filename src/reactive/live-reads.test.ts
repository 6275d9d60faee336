import { expect, test } from 'vitest'
import type { StoredRecord } from '../base/value.js'
import { checkPredicateIndex } from '../query/check-predicate-index.js'
import { parseFilter } from '../query/filter.js'
import { PredicateIndex } from '../query/predicate-index.js'
import { LiveReads } from './live-reads.js'

const inCity = (city: string) => parseFilter({ city }, 'test')

function touched(index: PredicateIndex<string>, after: StoredRecord, cleared: string[] = []): string[] {
  const found: string[] = []
  index.forTouched({ changes: [{ bucket: 'users', key: 1, before: undefined, after }], cleared }, (who) =>
    found.push(who),
  )
  checkPredicateIndex(index)
  return found.sort()
}

test('what the last evaluation has read counts until the running one has come to its end', () => {
  const index = new PredicateIndex<string>()
  const reads = new LiveReads(index, 'a', false)
  reads.begin()
  reads.readWhere('users', inCity('x'))
  reads.readKey('users', 1)
  reads.keepCurrent(false)
  reads.begin()
  reads.readWhere('users', inCity('y'))
  expect(touched(index, { city: 'x' })).toEqual(['a'])
  reads.keepCurrent(false)
  expect(touched(index, { city: 'x' })).toEqual([])
  expect(touched(index, { city: 'y' })).toEqual(['a'])
  reads.end()
  expect(index.isEmpty).toBe(true)
})

test('an evaluation that has failed leaves what was read before it', () => {
  const index = new PredicateIndex<string>()
  const reads = new LiveReads(index, 'a', false)
  reads.begin()
  reads.readWhere('users', inCity('x'))
  reads.keepCurrent(false)
  reads.begin()
  reads.readNothing('orders')
  reads.begin()
  expect(touched(index, { city: 'x' })).toEqual(['a'])
  expect(touched(index, {}, ['orders'])).toEqual(['a'])
  reads.readWhere('users', inCity('y'))
  reads.keepCurrent(false)
  expect(touched(index, { city: 'x' }, ['orders'])).toEqual([])
  expect(touched(index, { city: 'y' })).toEqual(['a'])
})

test('what is read after the end is not kept', () => {
  const index = new PredicateIndex<string>()
  for (const isHeld of [false, true]) {
    const reads = new LiveReads(index, 'a', isHeld)
    reads.begin()
    reads.readKey('users', 1)
    reads.end()
    reads.readKey('users', 1)
    reads.release()
    expect(index.isEmpty).toBe(true)
  }
})

test('what is held is in the index when it is released, and so is what is read from then on', () => {
  const index = new PredicateIndex<string>()
  const reads = new LiveReads(index, 'a', true)
  reads.begin()
  reads.readWhere('users', undefined)
  expect(index.isEmpty).toBe(true)
  reads.release()
  expect(touched(index, {})).toEqual(['a'])
  reads.readNothing('orders')
  reads.keepCurrent(false)
  expect(touched(index, {}, ['orders'])).toEqual(['a'])
  reads.end()
  expect(index.isEmpty).toBe(true)
})

test('a million subscriptions that have come and gone leave nothing in the index', () => {
  const index = new PredicateIndex<number>()
  const filters = Array.from({ length: 100 }, (_, n) => [
    inCity(`city ${n}`),
    parseFilter({ age: { gte: n, lt: n + 2 } }, 'test'),
  ])
  for (let n = 0; n < 1_000_000; n++) {
    const reads = new LiveReads(index, n, false)
    reads.begin()
    reads.readNothing('users')
    if (n % 2 === 0) reads.readKey('users', n)
    else reads.readWhere('users', filters[n % 100]?.[(n >> 1) % 2])
    reads.keepCurrent(false)
    reads.end()
  }
  expect(index.isEmpty).toBe(true)
})
