import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { StoredRecord, Value } from '../base/value.js'
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

const RUNS = Number(process.env['VARVE_ORACLE_RUNS'] ?? 3_000)

/** The value of a path, found the slow way. */
function at(record: StoredRecord, path: string): Value | undefined {
  let value: Value | undefined = record
  for (const step of path.split('.')) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    value = (value as { readonly [field: string]: Value })[step]
  }
  return value
}

const RANK: { readonly [type: string]: number } = { boolean: 1, number: 2, string: 3 }

/** The order of values, said once more: null and missing, booleans, numbers, strings, arrays, objects. */
function order(a: Value | undefined, b: Value | undefined): number {
  const rank = (one: Value | undefined): number => (one == null ? 0 : Array.isArray(one) ? 4 : (RANK[typeof one] ?? 5))
  if (rank(a) !== rank(b)) return rank(a) - rank(b)
  if (rank(a) >= 4) return JSON.stringify(a) < JSON.stringify(b) ? -1 : JSON.stringify(a) > JSON.stringify(b) ? 1 : 0
  if (rank(a) === 0 || a === b) return 0
  return (a as number) < (b as number) ? -1 : 1
}

type Ops = { readonly [op: string]: Value }

function holds(value: Value | undefined, op: string, wanted: Value): boolean {
  const list = wanted as readonly Value[]
  if (op === 'exists') return (value != null) === wanted
  if (op === 'eq') return wanted === null ? value == null : value === wanted
  if (op === 'in') return list.some((one) => holds(value, 'eq', one))
  if (value == null) return false
  if (Number.isNaN(wanted)) return op === 'ne'
  if (op === 'ne') return wanted === null || value !== wanted
  if (op === 'notIn') return !list.includes(value)
  if (op === 'between') return list.every((end, at) => holds(value, at === 0 ? 'gte' : 'lte', end))
  if (op === 'startsWith') return typeof value === 'string' && value.startsWith(wanted as string)
  if (typeof value !== typeof wanted || typeof value === 'object') return false
  const sign = order(value, wanted)
  return { gt: sign > 0, gte: sign >= 0, lt: sign < 0, lte: sign <= 0 }[op] as boolean
}

function isWanted(record: StoredRecord, filter: object): boolean {
  return Object.entries(filter).every(([path, said]: [string, any]) => {
    if (path === 'and') return said.every((one: object) => isWanted(record, one))
    if (path === 'or') return said.some((one: object) => isWanted(record, one))
    if (path === 'not') return !isWanted(record, said)
    if (typeof said !== 'object' || said === null) return holds(at(record, path), 'eq', said)
    return Object.entries(said as Ops).every(([op, wanted]) => holds(at(record, path), op, wanted))
  })
}

const PATHS = ['a', 'b', 'c', 'in.x', 'id'] as const
const scalar = fc.constantFrom<Value>('', 'x', 'xa', 'xab', 'y', 0, 1, 2, -1.5, Infinity, true, false)
const value = fc.oneof({ weight: 8, arbitrary: scalar }, fc.constantFrom<Value | undefined>(null, undefined))
const path = fc.constantFrom(...PATHS)
const number = fc.constantFrom(-2, 0, 1, 2, Infinity)
const text = fc.constantFrom('', 'x', 'xa', 'z')

const ops: fc.Arbitrary<any> = fc.oneof(
  fc.oneof(scalar, fc.constant(null)),
  fc.oneof(scalar, fc.constant(null)).map((eq) => ({ eq })),
  fc.oneof(scalar, fc.constant(null)).map((ne) => ({ ne })),
  fc.record({ gt: number }),
  fc.record({ gte: scalar, lt: scalar }),
  fc.record({ lte: text }),
  fc.record({ gte: number, lte: number }),
  fc.array(fc.oneof(scalar, fc.constant(null)), { maxLength: 3 }).map((list) => ({ in: list })),
  fc.array(scalar, { maxLength: 3 }).map((list) => ({ notIn: list })),
  fc.tuple(number, number).map((between) => ({ between })),
  text.map((startsWith) => ({ startsWith })),
  fc.boolean().map((exists) => ({ exists })),
  fc.constantFrom(Number.NaN, { in: [Number.NaN, 1] }, { ne: Number.NaN }, { gte: Number.NaN }),
)

const fields = fc.dictionary(path, ops, { maxKeys: 3, noNullPrototype: true })
const filter: fc.Arbitrary<object> = fc.oneof(
  { weight: 6, arbitrary: fields },
  { weight: 1, arbitrary: fc.tuple(fields, fc.array(fields, { maxLength: 2 })).map(([one, or]) => ({ ...one, or })) },
  { weight: 1, arbitrary: fc.tuple(fields, fields).map(([one, not]) => ({ ...one, not })) },
  { weight: 1, arbitrary: fc.array(fields, { maxLength: 2 }).map((and) => ({ and })) },
)

const terms: fc.Arbitrary<OrderTerm[]> = fc.array(fc.record({ path, isDescending: fc.boolean() }), { maxLength: 3 })

const index: fc.Arbitrary<IndexDefinition> = fc.oneof(
  path,
  fc.uniqueArray(path, { minLength: 1, maxLength: 3 }),
  // With the key in it, it is unique whatever the records are.
  path.map((name) => ({ fields: [...new Set([name, 'id'])], unique: true })),
  fc
    .tuple(fc.uniqueArray(path, { minLength: 1, maxLength: 2 }), path, ops)
    .map(([names, where, said]) => ({ fields: names, where: { [where]: said } })),
)

const data = fc.record({ a: value, b: value, c: value, x: value }).map(({ x, ...rest }) => ({ ...rest, in: { x } }))

function clean(record: object): StoredRecord {
  const kept = Object.entries(record).filter(([, one]) => one !== undefined)
  return Object.freeze(
    Object.fromEntries(kept.map(([name, one]) => [name, isObject(one) ? clean(one) : one])),
  ) as StoredRecord
}

function isObject(one: unknown): one is object {
  return typeof one === 'object' && one !== null && !Array.isArray(one)
}

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

test('a query gives what a filter and a stable sort of all records give, with any indexes, after any writes', () => {
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
})

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

test('walking all pages, forward and backward, at every size, gives each record once and in order', () => {
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
})

test('a cursor stays where it was when its record is changed or deleted', () => {
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
})

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
})
