import { indexOn } from '../../tests/support/index-on.js'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Key, StoredRecord, Value } from '../base/value.js'
import { compareKeys } from '../state/key-order.js'
import { Table } from '../state/table.js'
import { Reads } from './reads.js'
import { TableSource } from './source.js'

const VALUES: readonly (Value | undefined)[] = [
  'x',
  '',
  0,
  1,
  -1.5,
  Infinity,
  true,
  false,
  null,
  undefined,
  ['x'],
  { a: 1 },
]
const value = fc.constantFrom(...VALUES)
const scalar = value.filter((one) => one !== undefined && (one === null || typeof one !== 'object'))
const record = fc.record({ plain: value, indexed: value, other: value })
const anyFilter = fc.dictionary(fc.constantFrom('plain', 'indexed', 'other', 'id', 'missing'), scalar, { maxKeys: 3 })

function tableOf(records: readonly StoredRecord[], byKey: boolean): { table: Table; reads: Reads<any> } {
  const indexes = ['indexed', 'other'].map((field) => indexOn(field))
  const table = new Table({ bucket: 'things', key: 'id', indexes, byKey, eviction: undefined })
  for (const one of records) table.insert(one)
  return { table, reads: new Reads<any>(new TableSource(() => table)) }
}

function clean(fields: { readonly [field: string]: Value | undefined }): StoredRecord {
  return Object.fromEntries(Object.entries(fields).filter(([, one]) => one !== undefined)) as StoredRecord
}

/** What a filter means, said without looking at the code: equal, or null for null and missing. */
function isWanted(one: StoredRecord, by: { readonly [field: string]: unknown }): boolean {
  return Object.entries(by).every(([field, wanted]) =>
    wanted === null ? (one[field] ?? null) === null : one[field] === wanted,
  )
}

test('every read answers what a scan over an array answers, with and without an index', () => {
  const limits = fc.integer({ min: 0, max: 12 })
  fc.assert(
    fc.property(fc.array(record, { maxLength: 12 }), anyFilter, fc.boolean(), limits, (fields, by, byKey, n) => {
      const records = fields.map((one, at) => clean({ id: at % 2 === 0 ? at : `${at}`, ...one }))
      const { reads } = tableOf(records, byKey)
      const ordered = byKey ? [...records].sort((a, b) => compareKeys(a.id as Key, b.id as Key)) : records
      const wanted = records.filter((one) => isWanted(one, by))
      expect(reads.where(by)).toEqual(wanted)
      expect(reads.findOne(by)).toBe(wanted[0])
      expect(reads.count(by)).toBe(wanted.length)
      expect([reads.all(), reads.count()]).toEqual([records, records.length])
      expect(reads.keys()).toEqual(ordered.map(({ id }) => id))
      expect(reads.first(n)).toEqual(ordered.slice(0, n))
      expect(reads.last(n)).toEqual(n === 0 ? [] : ordered.slice(-n))
      for (const field of ['plain', 'indexed']) compareAggregates(reads, field, by, wanted)
      comparePages(reads, ordered, n + 1)
    }),
  )
})

function compareAggregates(
  reads: Reads<any>,
  field: string,
  by: Record<string, any>,
  wanted: readonly StoredRecord[],
): void {
  const numbers = wanted.map((one) => one[field]).filter((one) => typeof one === 'number')
  const sum = numbers.reduce((total, one) => total + one, 0)
  expect(reads.sum(field, by)).toBe(sum)
  expect(reads.avg(field, by)).toBe(numbers.length === 0 ? 0 : sum / numbers.length)
  expect(reads.min(field, by)).toBe(numbers.length === 0 ? undefined : Math.min(...numbers))
  expect(reads.max(field, by)).toBe(numbers.length === 0 ? undefined : Math.max(...numbers))
}

function comparePages(reads: Reads<any>, ordered: readonly StoredRecord[], limit: number): void {
  const pages: unknown[][] = []
  for (let after: Key | undefined; ; ) {
    const page = reads.paginate({ limit, after })
    pages.push(page.records)
    expect(page.nextCursor).toBe((page.records.at(-1) as StoredRecord | undefined)?.id)
    expect(page.records.length <= limit).toBe(true)
    if (!page.hasMore) break
    expect(page.records.length).toBe(limit)
    after = page.nextCursor
  }
  expect(pages.flat()).toEqual(ordered)
}

test('paging goes on from where it was when the record of the cursor is deleted, moved to the end, or cleared away', () => {
  const { table, reads } = tableOf(
    [1, 2, 3, 4, 5].map((id) => ({ id })),
    false,
  )
  const ids = (after: Key): unknown[] => reads.paginate({ limit: 10, after }).records.map((one: any) => one.id)
  reads.paginate({ limit: 2 })
  table.delete(2)
  expect(ids(2)).toEqual([3, 4, 5])
  table.insert({ id: 2 })
  expect(ids(2)).toEqual([3, 4, 5, 2])
  const after = table.emptied()
  after.insert({ id: 9 })
  expect(new Reads<any>(new TableSource(() => after)).paginate({ limit: 5, after: 2 }).records).toEqual([{ id: 9 }])
})

test('in an ordered set any key is a cursor', () => {
  const { reads } = tableOf(
    [5, 1, 'b', 3].map((id) => ({ id })),
    true,
  )
  expect(reads.paginate({ limit: 9, after: 2 }).records).toEqual([{ id: 3 }, { id: 5 }, { id: 'b' }])
  expect(reads.paginate({ limit: 9, after: 'a' }).records).toEqual([{ id: 'b' }])
  expect(reads.paginate({ limit: 9, after: 'c' })).toEqual({ records: [], hasMore: false, nextCursor: undefined })
})

test('the way with the fewest records to look at is taken: by key, then by the most selective index', () => {
  const records = Array.from({ length: 10 }, (_, id) => ({ id, indexed: 'x', other: id % 5 }))
  const { reads } = tableOf(records, false)
  const access = (by: { [field: string]: string | number | null }) => {
    const { access: kind, index, examined } = reads.query(by).explain()
    return [kind, index, examined]
  }
  expect(access({ plain: 1 })).toEqual(['scan', undefined, 10])
  expect(access({ indexed: 'x', other: 2 })).toEqual(['index', ['other'], 2])
  expect(access({ indexed: 'q', other: 2 })).toEqual(['index', ['indexed'], 0])
  expect(access({ indexed: 'x', id: 3 })).toEqual(['key', undefined, 1])
  expect(access({ indexed: null })).toEqual(['range', ['indexed'], 0])
})

test.each<[call: string, wrong: (reads: Reads<any>) => unknown]>([
  ['first(n)', (reads) => reads.first(-1)],
  ['first(n)', (reads) => reads.first(1.5)],
  ['last(n)', (reads) => reads.last(Number.NaN)],
  ['paginate({ limit })', (reads) => reads.paginate({ limit: 0 })],
  ['paginate({ limit, after })', (reads) => reads.paginate(null as never)],
  ['paginate({ after })', (reads) => reads.paginate({ limit: 1, after: {} })],
  ['get(key)', (reads) => reads.get(null)],
  ['get(key)', (reads) => reads.get(Number.NaN)],
  ['sum(field)', (reads) => reads.sum(1 as never)],
  ['max(field, filter)', (reads) => reads.max('a', 'b' as never)],
])('%s refuses an argument of the wrong type and names it', (argument, wrong) => {
  const { reads } = tableOf([{ id: 1 }], false)
  expect(() => wrong(reads)).toThrow(`bucket("things").${argument}: expected`)
})
