import fc from 'fast-check'
import { expect, test } from 'vitest'
import { indexOn } from '../../tests/support/index-on.js'
import type { Key, StoredRecord } from '../base/value.js'
import type { Change } from '../log/entry.js'
import { Table } from '../state/table.js'
import { parseFilter } from './filter.js'
import { ReadSet } from './read-set.js'
import { Reads } from './reads.js'
import { TableSource } from './source.js'

const BUCKETS = ['users', 'orders'] as const
const KEYS: readonly Key[] = [1, 2, 3, '1', true]
const GROUPS = ['x', 'y', 1, null, undefined] as const

type Read = (reads: Reads<any>) => unknown

const key = fc.constantFrom(...KEYS)
const group = fc.constantFrom(...GROUPS)
const small = fc.integer({ min: 0, max: 3 })
const filter = fc.oneof(
  group.map((value) => ({ group: value ?? null })),
  fc.record({ group: group.map((value) => value ?? null), amount: small }),
  key.map((id) => ({ id })),
  small.map((amount) => ({ amount })),
  fc.constant({}),
)

const read: fc.Arbitrary<Read> = fc.oneof(
  key.map(
    (at): Read =>
      (reads) =>
        reads.get(at),
  ),
  key.map(
    (at): Read =>
      (reads) =>
        reads.has(at),
  ),
  filter.map(
    (by): Read =>
      (reads) =>
        reads.where(by),
  ),
  filter.map(
    (by): Read =>
      (reads) =>
        reads.findOne(by),
  ),
  fc.option(filter, { nil: undefined }).map(
    (by): Read =>
      (reads) =>
        reads.count(by),
  ),
  fc.tuple(fc.constantFrom('sum', 'avg', 'min', 'max'), fc.option(filter, { nil: undefined })).map(
    ([method, by]): Read =>
      (reads) =>
        reads[method as 'sum']('amount', by),
  ),
  small.map(
    (n): Read =>
      (reads) =>
        reads.first(n),
  ),
  small.map(
    (n): Read =>
      (reads) =>
        reads.last(n),
  ),
  fc.constant<Read>((reads) => reads.all()),
  fc.constant<Read>((reads) => reads.keys()),
  fc.tuple(small, fc.option(key, { nil: undefined })).map(
    ([limit, after]): Read =>
      (reads) =>
        reads.paginate({ limit: limit + 1, after }),
  ),
)

interface Write {
  readonly bucket: (typeof BUCKETS)[number]
  readonly op: 'put' | 'delete' | 'clear'
  readonly key: Key
  readonly group: (typeof GROUPS)[number]
  readonly amount: number
}

const write = fc.record<Write>({
  bucket: fc.constantFrom(...BUCKETS),
  op: fc.constantFrom('put', 'put', 'put', 'put', 'delete', 'delete', 'clear'),
  key,
  group,
  amount: small,
})

class World {
  readonly tables = new Map<string, Table>()
  readonly sources = new Map<string, TableSource>()

  constructor(byKey: boolean) {
    for (const bucket of BUCKETS) {
      const indexes = [indexOn('group')]
      this.tables.set(bucket, new Table({ bucket, key: 'id', indexes, byKey, eviction: undefined }))
      this.sources.set(bucket, new TableSource(() => this.tables.get(bucket) as Table))
    }
  }

  /** Does one write, and says what it did, as a commit would. */
  write({ bucket, op, key: id, group: value, amount }: Write): { changes: Change[]; cleared: string[] } {
    const table = this.tables.get(bucket) as Table
    if (op === 'clear') {
      if (table.size === 0) return { changes: [], cleared: [] }
      this.tables.set(bucket, table.emptied())
      return { changes: [], cleared: [bucket] }
    }
    const before = table.get(id)
    if (op === 'delete') {
      if (before === undefined) return { changes: [], cleared: [] }
      table.delete(id)
      return { changes: [{ bucket, key: id, before, after: undefined }], cleared: [] }
    }
    const after: StoredRecord = { id, amount, ...(value === undefined ? {} : { group: value }) }
    if (before === undefined) table.insert(after)
    else table.update(after)
    return { changes: [{ bucket, key: id, before, after }], cleared: [] }
  }
}

/** Reads, then writes, then reads again: an answer that has changed although no write touched what was read is wrong. */
function wrongAnswers(makeReadSet: () => ReadSet, byKey: boolean, numRuns: number): void {
  const reads = fc.array(fc.tuple(fc.constantFrom(...BUCKETS), read), { minLength: 1, maxLength: 3 })
  fc.assert(
    fc.property(
      fc.array(write, { maxLength: 15 }),
      reads,
      fc.array(write, { minLength: 1, maxLength: 3 }),
      (setup, asked, writes) => {
        const world = new World(byKey)
        for (const one of setup) world.write(one)
        const readSet = makeReadSet()
        const ask = (noted: ReadSet | undefined): unknown[] =>
          asked.map(([bucket, one]) => one(new Reads(world.sources.get(bucket) as TableSource, noted)))
        const before = ask(readSet)
        const touched = writes.map((one) => readSet.touchedBy(world.write(one)) !== undefined)
        if (touched.every((one) => !one)) expect(ask(undefined)).toEqual(before)
      },
    ),
    { numRuns, endOnFailure: true },
  )
}

for (const byKey of [false, true]) {
  test(`a commit that does not touch a read set does not change what was read, ${byKey ? 'by key' : 'by insertion'}`, () => {
    wrongAnswers(() => new ReadSet(), byKey, 1_000)
  })
}

test.each<[fault: string, planted: () => ReadSet]>([
  [
    'forgets keys',
    () =>
      new (class extends ReadSet {
        override readKey(): void {}
      })(),
  ],
  [
    'forgets filters',
    () =>
      new (class extends ReadSet {
        override readWhere(bucket: string): void {
          this.readNothing(bucket)
        }
      })(),
  ],
  [
    'looks only at what a record becomes',
    () =>
      new (class extends ReadSet {
        override touchedBy(footprint: Parameters<ReadSet['touchedBy']>[0]): ReturnType<ReadSet['touchedBy']> {
          return super.touchedBy({
            ...footprint,
            changes: footprint.changes.map((one) => ({ ...one, before: undefined })),
          })
        }
      })(),
  ],
  [
    'does not notice that a bucket was cleared',
    () =>
      new (class extends ReadSet {
        override touchedBy(footprint: Parameters<ReadSet['touchedBy']>[0]): ReturnType<ReadSet['touchedBy']> {
          return super.touchedBy({ ...footprint, cleared: [] })
        }
      })(),
  ],
])('the property finds a planted fault: a read set that %s', (_fault, planted) => {
  expect(() => wrongAnswers(planted, false, 100_000)).toThrow(/Property failed/)
})

test('a filter that does not match is not touched, and the touch names the change', () => {
  const readSet = new ReadSet()
  readSet.readWhere('users', parseFilter({ group: 'x' }, 'test'))
  const change = (before: StoredRecord | undefined, after: StoredRecord | undefined): Change => ({
    bucket: 'users',
    key: 1,
    before,
    after,
  })
  expect(
    readSet.touchedBy({ changes: [change(undefined, { id: 1, group: 'y' })], cleared: ['orders'] }),
  ).toBeUndefined()
  const leaving = change({ id: 1, group: 'x' }, { id: 1, group: 'y' })
  expect(readSet.touchedBy({ changes: [leaving], cleared: [] })).toEqual({ change: leaving })
  expect(readSet.touchedBy({ changes: [], cleared: ['users'] })).toEqual({ cleared: 'users' })
})

test('very many filters count as the whole bucket', () => {
  const readSet = new ReadSet()
  for (let n = 0; n < 1_000; n++) readSet.readWhere('users', parseFilter({ group: n }, 'test'))
  const change: Change = { bucket: 'users', key: 1, before: undefined, after: { id: 1, group: 'other' } }
  expect(readSet.touchedBy({ changes: [change], cleared: [] })).toEqual({ change })
})

test('a bucket that was only asked for is touched by its end, not by its records', () => {
  const readSet = new ReadSet()
  readSet.readNothing('users')
  const change: Change = { bucket: 'users', key: 1, before: undefined, after: { id: 1 } }
  expect(readSet.touchedBy({ changes: [change], cleared: [] })).toBeUndefined()
  expect(readSet.touchedBy({ changes: [], cleared: ['users'] })).toEqual({ cleared: 'users' })
})
