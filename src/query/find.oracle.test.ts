import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { StoredRecord } from '../base/value.js'
import { at, clean, data, filter, index, isWanted, order, path, terms } from '../../tests/support/query-cases.js'
import { tableOptions } from './table-options.js'
import type { IndexDefinition } from '../schema/definition.js'
import { checkTable } from '../state/check-table.js'
import { Table } from '../state/table.js'
import { answer } from './answer.js'
import type { QueryPage } from './answer.js'
import { parseFilter } from './filter.js'
import type { OrderTerm } from './order.js'
import { specOf } from './query-spec.js'
import type { QuerySpec, Want } from './query-spec.js'
import { TableSource } from './source.js'

/** Far more than it takes, also on a busy machine. */
const TIMEOUT_MS = 300_000
const RUNS = Number(process.env['VARVE_ORACLE_RUNS'] ?? 3_000)

interface Case {
  readonly records: readonly object[]
  readonly writes: readonly { readonly at: number; readonly record: object | undefined }[]
  readonly indexes: readonly IndexDefinition[]
  readonly byKey: boolean
  readonly filters: readonly {
    readonly by: object
    readonly order: OrderTerm[]
    readonly limit: number
    readonly offset: number
  }[]
}

const aCase: fc.Arbitrary<Case> = fc.record({
  records: fc.array(data, { maxLength: 14 }),
  writes: fc.array(fc.record({ at: fc.nat(15), record: fc.option(data, { nil: undefined }) }), { maxLength: 8 }),
  indexes: fc.array(index, { maxLength: 3 }),
  byKey: fc.boolean(),
  filters: fc.array(
    fc.record({
      by: filter,
      order: terms,
      limit: fc.oneof(fc.nat(5), fc.constant(Infinity)),
      offset: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(4) }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
})

function tableOf({ indexes, byKey, records }: Pick<Case, 'indexes' | 'byKey' | 'records'>) {
  const definition = { key: 'id', schema: {}, indexes, ...(byKey && { etsType: 'ordered_set' as const }) }
  const { collators, ...options } = tableOptions('things', definition)
  const table = new Table(options)
  for (const [at, record] of records.entries()) table.insert(clean({ id: at % 3 === 0 ? `k${at}` : at, ...record }))
  return { table, source: new TableSource(() => table, collators) }
}

function write(table: Table, { at: place, record }: Case['writes'][number]): void {
  const id = place % 3 === 0 ? `k${place}` : place
  const isThere = table.slot(id) !== undefined
  if (record === undefined) {
    if (isThere) table.delete(id)
  } else if (isThere) table.update(clean({ id, ...record }))
  else table.insert(clean({ id, ...record }))
}

function naive(table: Table, { by, order: wanted }: { by: object; order: readonly OrderTerm[] }): StoredRecord[] {
  const all: StoredRecord[] = []
  table.forEach(({ record }) => {
    all.push(record)
  })
  const compare = (a: StoredRecord, b: StoredRecord): number => {
    for (const term of wanted) {
      const sign = order(at(a, term.path), at(b, term.path))
      if (sign !== 0) return term.isDescending ? -sign : sign
    }
    return 0
  }
  return all.filter((record) => isWanted(record, by)).sort(compare)
}

function check(table: Table, source: TableSource, filters: Case['filters']): void {
  checkTable(table)
  for (const one of filters) {
    const spec: QuerySpec = { ...specOf('things', parseFilter(one.by, 'where')), order: one.order }
    const ask = (want: Want, more: Partial<QuerySpec> = {}): unknown =>
      answer(source, { spec: { ...spec, ...more }, want })
    const all = naive(table, one)
    const { limit, offset } = one
    const window = all.slice(offset, offset + limit)
    expect(ask({ kind: 'rows' })).toEqual(all)
    expect(ask({ kind: 'rows' }, { limit, offset })).toEqual(window)
    expect(ask({ kind: 'count' }, { limit, offset })).toBe(window.length)
    expect(ask({ kind: 'exists' }, { limit, offset })).toBe(window.length > 0)
    expect(ask({ kind: 'first' }, { limit, offset })).toBe(window[0])
    expect(source.find(spec.filter)).toEqual(naive(table, { by: one.by, order: [] }))
    const numbers = window.map((record) => record['a']).filter((a) => typeof a === 'number' && Number.isFinite(a))
    if (window.every((record) => record['a'] !== Infinity)) {
      expect(ask({ kind: 'sum', path: 'a' }, { limit, offset })).toBe(
        numbers.reduce((sum: number, a) => sum + (a as number), 0),
      )
    }
    expect(ask({ kind: 'max', path: 'a' }, { limit, offset })).toBe(maxOf(window))
  }
}

function maxOf(records: readonly StoredRecord[]): number | undefined {
  const numbers = records.map((record) => record['a']).filter((a) => typeof a === 'number')
  return numbers.length === 0 ? undefined : Math.max(...numbers)
}

test(
  'a query gives what a filter and a stable sort of all records give, with any indexes, after any writes',
  () => {
    fc.assert(
      fc.property(aCase, ({ writes, filters, ...rest }) => {
        const { table, source } = tableOf(rest)
        check(table, source, filters)
        for (const one of writes) {
          write(table, one)
          check(table, source, filters)
        }
      }),
      { numRuns: RUNS },
    )
  },
  TIMEOUT_MS,
)

function walk(
  source: TableSource,
  spec: QuerySpec,
  size: number,
  isBackward: boolean,
  start: string | undefined,
): unknown[] {
  const pages: unknown[][] = []
  for (let cursor = start; ; ) {
    const bounds = isBackward ? { before: cursor, after: undefined } : { after: cursor, before: undefined }
    const page = answer(source, { spec, want: { kind: 'page', size, ...bounds } }) as QueryPage<unknown>
    expect(page.records.length <= size && (page.records.length === size || !page.hasMore)).toBe(true)
    if (isBackward) pages.unshift(page.records)
    else pages.push(page.records)
    cursor = isBackward ? page.prevCursor : page.nextCursor
    if (!page.hasMore) return pages.flat()
  }
}

test(
  'walking all pages, forward and backward, at every size, gives each record once and in order',
  () => {
    fc.assert(
      fc.property(aCase, fc.integer({ min: 1, max: 6 }), ({ filters, ...rest }, size) => {
        const { table, source } = tableOf(rest)
        for (const one of filters) {
          const spec: QuerySpec = { ...specOf('things', parseFilter(one.by, 'where')), order: one.order }
          const all = naive(table, one)
          expect(walk(source, spec, size, false, undefined)).toEqual(all)
          const whole = answer(source, { spec, want: { kind: 'page', size: 100, after: undefined, before: undefined } })
          const { nextCursor } = whole as QueryPage<unknown>
          if (nextCursor === undefined) continue
          expect(walk(source, spec, size, true, nextCursor)).toEqual(all.slice(0, -1))
        }
      }),
      { numRuns: RUNS },
    )
  },
  TIMEOUT_MS,
)

test(
  'a cursor stays where it was when its record is changed or deleted',
  () => {
    fc.assert(
      fc.property(aCase, fc.integer({ min: 1, max: 4 }), ({ filters, writes, ...rest }, size) => {
        const { table, source } = tableOf(rest)
        const [one] = filters as [Case['filters'][0]]
        const spec: QuerySpec = { ...specOf('things', parseFilter(one.by, 'where')), order: one.order }
        const ask = (bounds: { after?: string; before?: string }) => {
          const want = { kind: 'page', size, after: bounds.after, before: bounds.before } as const
          return answer(source, { spec, want }) as QueryPage<StoredRecord>
        }
        const page = ask({})
        if (page.nextCursor === undefined) return
        const before = naive(table, one)
        for (const change of writes) write(table, change)
        const untouched = new Set(naive(table, one).filter((record) => before.includes(record)))
        const rest2 = before.slice(page.records.length).filter((record) => untouched.has(record))
        const after = walk(source, spec, size, false, page.nextCursor).filter((record) =>
          untouched.has(record as StoredRecord),
        )
        expect(after).toEqual(rest2)
      }),
      { numRuns: RUNS },
    )
  },
  TIMEOUT_MS,
)

test('an index that is added or dropped changes no answer', () => {
  fc.assert(
    fc.property(aCase, path, ({ filters, ...rest }, by) => {
      const indexed = tableOf(rest).source
      const plain = tableOf({ ...rest, indexes: [] }).source
      const aggregates = { n: { kind: 'count' }, low: { kind: 'min', path: 'b' } } as const
      const wants: Want[] = [
        { kind: 'rows' },
        { kind: 'distinct', path: by },
        { kind: 'groups', by: [by, 'c'], aggregates },
        { kind: 'avg', path: by },
        { kind: 'page', size: 3, after: undefined, before: undefined },
      ]
      for (const one of filters) {
        const spec: QuerySpec = { ...specOf('things', parseFilter(one.by, 'where')), order: one.order }
        for (const want of wants) expect(answer(indexed, { spec, want })).toEqual(answer(plain, { spec, want }))
      }
    }),
    { numRuns: RUNS },
  )
}, 300_000)
