import fc from 'fast-check'
import type { StoredRecord, Value } from '../../src/base/value.js'
import type { OrderTerm } from '../../src/query/order.js'
import type { IndexDefinition } from '../../src/schema/definition.js'

// What queries mean, said once more and naively, and random data, filters, orders and indexes to try it on.

/** The value of a path, found the slow way. */
export function at(record: StoredRecord, path: string): Value | undefined {
  let value: Value | undefined = record
  for (const step of path.split('.')) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    value = (value as { readonly [field: string]: Value })[step]
  }
  return value
}

const RANK: { readonly [type: string]: number } = { boolean: 1, number: 2, string: 3 }

/** The order of values, said once more: null and missing, booleans, numbers, strings, arrays, objects. */
export function order(a: Value | undefined, b: Value | undefined): number {
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

export function isWanted(record: StoredRecord, filter: object): boolean {
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
export const value: fc.Arbitrary<any> = fc.oneof(
  { weight: 8, arbitrary: scalar },
  fc.constantFrom<Value | undefined>(null, undefined),
)
export const path: fc.Arbitrary<any> = fc.constantFrom(...PATHS)
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
)

/** Allowed in filters, and not in the conditions of indexes. */
const NAN_OPS = [Number.NaN, { in: [Number.NaN, 1] }, { ne: Number.NaN }, { gte: Number.NaN }]

const fields = fc.dictionary(path, fc.oneof({ weight: 12, arbitrary: ops }, fc.constantFrom<any>(...NAN_OPS)), {
  maxKeys: 3,
  noNullPrototype: true,
})
export const filter: fc.Arbitrary<object> = fc.oneof(
  { weight: 6, arbitrary: fields },
  { weight: 1, arbitrary: fc.tuple(fields, fc.array(fields, { maxLength: 2 })).map(([one, or]) => ({ ...one, or })) },
  { weight: 1, arbitrary: fc.tuple(fields, fields).map(([one, not]) => ({ ...one, not })) },
  { weight: 1, arbitrary: fc.array(fields, { maxLength: 2 }).map((and) => ({ and })) },
)

export const terms: fc.Arbitrary<OrderTerm[]> = fc.array(fc.record({ path, isDescending: fc.boolean() }), {
  maxLength: 3,
})

export const index: fc.Arbitrary<IndexDefinition> = fc.oneof(
  path,
  fc.uniqueArray(path, { minLength: 1, maxLength: 3 }),
  // With the key in it, it is unique whatever the records are.
  path.map((name) => ({ fields: [...new Set([name, 'id'])], unique: true })),
  fc
    .tuple(fc.uniqueArray(path, { minLength: 1, maxLength: 2 }), path, ops)
    .map(([names, where, said]) => ({ fields: names, where: { [where]: said } })),
)

export const data: fc.Arbitrary<object> = fc
  .record({ a: value, b: value, c: value, x: value })
  .map(({ x, ...rest }) => ({ ...rest, in: { x } }))

export function clean(record: object): StoredRecord {
  const kept = Object.entries(record).filter(([, one]) => one !== undefined)
  return Object.freeze(
    Object.fromEntries(kept.map(([name, one]) => [name, isObject(one) ? clean(one) : one])),
  ) as StoredRecord
}

function isObject(one: unknown): one is object {
  return typeof one === 'object' && one !== null && !Array.isArray(one)
}
