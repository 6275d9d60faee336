import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Key, StoredRecord, Value } from '../base/value.js'
import type { Change } from '../log/entry.js'
import type { Entry, Interest } from './bucket-predicates.js'
import { checkPredicateIndex } from './check-predicate-index.js'
import { parseFilter } from './filter.js'
import type { Filter } from './filter.js'
import { PredicateIndex } from './predicate-index.js'
import { ReadSet } from './read-set.js'
import type { Footprint } from './read-set.js'

const BUCKETS = ['users', 'orders'] as const
const KEYS: readonly Key[] = [1, 2, '1', 'a', true]
const FIELDS = ['a', 'b', 'n.x'] as const
const SCALARS = [0, 1, 2, 3, -1, '', 'a', 'ab', 'b', '\uffff', true, false] as const

const scalar = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom<string | number | boolean>(...SCALARS) },
  { weight: 1, arbitrary: fc.constantFrom<number>(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY) },
)
const orNull = fc.oneof({ weight: 5, arbitrary: scalar }, { weight: 1, arbitrary: fc.constant(null) })
const text = fc.constantFrom('', 'a', 'ab', 'b', '\uffff', '%a')

const operators = fc.oneof(
  orNull,
  fc.record({ eq: orNull }),
  fc.record({ ne: orNull }),
  fc.record({ in: fc.array(orNull, { maxLength: 3 }) }),
  fc.record({ notIn: fc.array(orNull, { maxLength: 3 }) }),
  fc.record({ gt: scalar, lte: scalar }),
  fc.record({ gte: scalar, lt: scalar }),
  fc.record({ gte: scalar }),
  fc.record({ lt: scalar }),
  fc.record({ between: fc.tuple(scalar, scalar) }),
  fc.record({ startsWith: text }),
  fc.record({ startsWith: text, gt: text }),
  fc.record({ endsWith: text }),
  fc.record({ contains: text }),
  fc.record({ like: text }),
  fc.record({ has: orNull }),
  fc.record({ exists: fc.boolean() }),
)

const { filter } = fc.letrec<{ filter: object }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 2 },
    { weight: 4, arbitrary: fc.dictionary(fc.constantFrom(...FIELDS), operators, { maxKeys: 3 }) },
    { weight: 2, arbitrary: fc.record({ or: fc.array(tie('filter'), { maxLength: 3 }) }) },
    { weight: 1, arbitrary: fc.record({ a: operators, or: fc.array(tie('filter'), { maxLength: 2 }) }) },
    { weight: 1, arbitrary: fc.record({ not: tie('filter') }) },
  ),
}))

const interest: fc.Arbitrary<Interest> = fc.oneof(
  fc.constant<Interest>('bucket'),
  fc.constant<Interest>('all'),
  fc.constantFrom(...KEYS).map((key) => ({ key })),
  { weight: 8, arbitrary: filter.map((by) => ({ filter: parseFilter(by, 'test') })) },
)

const value = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom<Value>(...SCALARS) },
  fc.constantFrom<Value>(null, Number.POSITIVE_INFINITY, ['a', 1], { x: 1 }),
)
const record = fc
  .record({ a: value, b: value, n: fc.oneof(value, fc.record({ x: value })) }, { requiredKeys: [] })
  .map((fields) => fields as unknown as StoredRecord)
const change = fc
  .record({
    bucket: fc.constantFrom(...BUCKETS),
    key: fc.constantFrom(...KEYS),
    before: record,
    after: record,
    kind: fc.nat(2),
  })
  .map(({ bucket, key, before, after, kind }): Change => {
    return { bucket, key, before: kind === 0 ? undefined : before, after: kind === 1 ? undefined : after }
  })
const footprint = fc.record<Footprint>({
  changes: fc.array(change, { maxLength: 4 }),
  cleared: fc.oneof({ weight: 5, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.subarray([...BUCKETS]) }),
})

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('add' as const),
      bucket: fc.constantFrom(...BUCKETS),
      interest,
      who: fc.nat(4),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('share' as const), pick: fc.nat(), who: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('remove' as const), pick: fc.nat() }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('commit' as const), footprint }) },
)

interface Read {
  readonly entry: Entry<number>
  readonly bucket: string
  readonly interest: Interest
  readonly who: number
}

/** What a list of read sets, each asked by itself, says about who is touched. */
function touchedOneByOne(reads: readonly Read[], by: Footprint): Set<number> {
  const readSets = new Map<number, ReadSet>()
  for (const { bucket, interest: what, who } of reads) {
    const readSet = readSets.get(who) ?? new ReadSet()
    readSets.set(who, readSet)
    readSet.readNothing(bucket)
    if (what === 'all') readSet.readWhere(bucket, undefined)
    else if (typeof what === 'object' && 'key' in what) readSet.readKey(bucket, what.key)
    else if (typeof what === 'object') readSet.readWhere(bucket, what.filter)
  }
  return new Set([...readSets].filter(([, readSet]) => readSet.touchedBy(by) !== undefined).map(([who]) => who))
}

function compareWithReadSets(makeIndex: () => PredicateIndex<number>, numRuns: number): void {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const index = makeIndex()
      const reads: Read[] = []
      const add = (bucket: string, what: Interest, who: number): void => {
        const entry = index.add(bucket, what, who)
        if (!reads.some((read) => read.entry === entry && read.who === who))
          reads.push({ entry, bucket, interest: what, who })
      }
      for (const one of steps) {
        if (one.op === 'add') add(one.bucket, one.interest, one.who)
        else if (one.op === 'share' && reads.length > 0) {
          for (const { bucket, interest: what } of reads.slice(one.pick % reads.length).slice(0, 1))
            add(bucket, what, one.who)
        } else if (one.op === 'remove' && reads.length > 0) {
          const [{ entry, who }] = reads.splice(one.pick % reads.length, 1) as [Read]
          index.remove(entry, who)
          index.remove(entry, who)
        } else if (one.op === 'commit') {
          const visited: number[] = []
          index.forTouched(one.footprint, (who) => visited.push(who))
          expect(new Set(visited).size).toBe(visited.length)
          expect(new Set(visited)).toEqual(touchedOneByOne(reads, one.footprint))
        }
        checkPredicateIndex(index)
      }
      for (const { entry, who } of reads) index.remove(entry, who)
      expect(index.isEmpty).toBe(true)
    }),
    { numRuns, endOnFailure: true },
  )
}

test('the index finds whom a list of read sets finds, after any reads, and keeps nothing (Q4)', () => {
  compareWithReadSets(() => new PredicateIndex(), 3_000)
})

test.each<[fault: string, planted: () => PredicateIndex<number>]>([
  [
    'looks only at what a record becomes',
    () =>
      new (class extends PredicateIndex<number> {
        override forTouched({ changes, cleared }: Footprint, visit: (who: number) => void): void {
          super.forTouched({ cleared, changes: changes.map((one) => ({ ...one, before: undefined })) }, visit)
        }
      })(),
  ],
  [
    'does not know of buckets that are emptied',
    () =>
      new (class extends PredicateIndex<number> {
        override forTouched({ changes }: Footprint, visit: (who: number) => void): void {
          super.forTouched({ cleared: [], changes }, visit)
        }
      })(),
  ],
  [
    'removes an interest while others still have it',
    () =>
      new (class extends PredicateIndex<number> {
        override remove(entry: Entry<number>, who: number): void {
          for (const other of entry.dependents) super.remove(entry, other)
          super.remove(entry, who)
        }
      })(),
  ],
  [
    'keeps what nobody reads',
    () =>
      new (class extends PredicateIndex<number> {
        override remove(entry: Entry<number>, who: number): void {
          entry.dependents.delete(who)
        }
      })(),
  ],
])('the property finds a planted fault: an index that %s', (_fault, planted) => {
  expect(() => compareWithReadSets(planted, 100_000)).toThrow(/Property failed/)
})

describe('how many filters a change is compared with', () => {
  /** `count` filters in an index, and how many of them `record` is compared with when it is inserted. */
  function asked(count: number, make: (n: number) => object, record: StoredRecord): { asked: number; hit: number } {
    const index = new PredicateIndex<number>()
    let comparisons = 0
    for (let n = 0; n < count; n++) {
      const { conditions } = parseFilter(make(n), 'test')
      const counting: Filter = {
        get conditions() {
          comparisons++
          return conditions
        },
      }
      index.add('users', { filter: counting }, n)
    }
    comparisons = 0
    let hit = 0
    index.forTouched(
      { changes: [{ bucket: 'users', key: 1, before: undefined, after: record }], cleared: [] },
      () => hit++,
    )
    return { asked: comparisons, hit }
  }

  const PERSON = {
    id: 500,
    city: 'c500',
    score: 500.5,
    name: 'name 500 x',
    active: true,
    address: { zip: 500 },
    deleted: null,
  }

  test.each<[what: string, make: (n: number) => object, asked: number, hit: number]>([
    ['a value', (n) => ({ city: `c${n}` }), 1, 1],
    ['a key among other conditions', (n) => ({ active: true, id: n }), 2, 1],
    ['a nested value', (n) => ({ 'address.zip': n }), 1, 1],
    ['one of several values', (n) => ({ city: { in: [`c${n}`, `c${n + 1}`] } }), 2, 2],
    ['a range', (n) => ({ score: { gte: n, lt: n + 1 } }), 1, 1],
    ['a range of texts', (n) => ({ name: { between: [`name ${n} `, `name ${n} z`] } }), 1, 1],
    ['the beginning of a text', (n) => ({ name: { startsWith: `name ${n} ` } }), 1, 1],
    ['either of two fields', (n) => ({ or: [{ city: `c${n}` }, { score: { between: [n, n + 1] } }] }), 1, 1],
    ['a value that all share, and a range', (n) => ({ active: true, score: { between: [n, n + 1] } }), 18, 1],
    ['a missing field that all share, and a value', (n) => ({ deleted: null, city: `c${n}` }), 2, 1],
    ['nothing that can be looked up', (n) => ({ name: { endsWith: ` ${n} x` } }), 1_000, 1],
  ])('that ask for %s', (_what, make, expected, hit) => {
    const found = asked(1_000, make, PERSON)
    expect(found.hit).toBe(hit)
    expect(found.asked).toBeLessThanOrEqual(expected)
  })

  test('equal filters are compared once, whoever has them and however they are written', () => {
    const filters = [
      { name: { endsWith: 'x' }, active: true },
      { active: true, name: { endsWith: 'x' } },
    ]
    const index = new PredicateIndex<number>()
    const entries = new Set(
      Array.from({ length: 100 }, (_, n) => index.add('users', { filter: parseFilter(filters[n % 2], 'test') }, n)),
    )
    expect(entries.size).toBe(1)
  })
})

test('filters for NaN, which nothing is equal to, and for null are not the same', () => {
  const index = new PredicateIndex<string>()
  const pairs = [
    [{ a: Number.NaN }, { a: null }],
    [{ a: { in: [Number.NaN] } }, { a: { in: [null] } }],
    [
      { a: Number.NaN, b: null },
      { a: null, b: Number.NaN },
    ],
  ]
  for (const [at, pair] of pairs.entries()) {
    for (const [which, by] of pair.entries()) index.add('users', { filter: parseFilter(by, 'test') }, `${at} ${which}`)
  }
  const visited: string[] = []
  const inserted: Change = { bucket: 'users', key: 1, before: undefined, after: { id: 1 } }
  index.forTouched({ changes: [inserted], cleared: [] }, (who) => visited.push(who))
  expect(visited).toEqual(['0 1', '1 1'])
  checkPredicateIndex(index)
})

test('those who are visited may add and remove', () => {
  const index = new PredicateIndex<string>()
  const all = (who: string): Entry<string> => index.add('users', 'all', who)
  const entries = ['a', 'b'].map(all)
  const visited: string[] = []
  const commit: Footprint = { changes: [{ bucket: 'users', key: 1, before: undefined, after: {} }], cleared: [] }
  index.forTouched(commit, (who) => {
    visited.push(who)
    for (const entry of entries) for (const other of ['a', 'b']) index.remove(entry, other)
    all('c')
  })
  expect(visited).toEqual(['a', 'b'])
  index.forTouched(commit, (who) => visited.push(who))
  expect(visited).toEqual(['a', 'b', 'c'])
  checkPredicateIndex(index)
})

test.each<[fault: string, spoil: (index: PredicateIndex<string>, entry: Entry<string>) => void]>([
  ['nobody has an interest', (_index, entry) => entry.dependents.clear()],
  ['a filter is not where it waits', (_index, entry) => void (entry.places = undefined)],
  [
    'a filter waits that nobody has read',
    (index, entry) => {
      const { others } = entry.bucket.parts
      ;(others as Map<string, unknown>).delete(entry.name as string)
      index.add('users', 'all', 'a')
    },
  ],
])('the check finds that %s (Q4)', (_fault, spoil) => {
  for (const by of [{ city: 'x' }, { score: { gt: 1 } }]) {
    const index = new PredicateIndex<string>()
    spoil(index, index.add('users', { filter: parseFilter(by, 'test') }, 'a'))
    expect(() => checkPredicateIndex(index)).toThrow(/Q4/)
  }
})
