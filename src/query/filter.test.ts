import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InvalidArgumentError } from '../base/errors.js'
import type { StoredRecord, Value } from '../base/value.js'
import { filterText, parseFilter } from './filter.js'
import { matches } from './matches.js'

const parse = (filter: unknown) => parseFilter(filter, 'bucket("a").where(filter)')
const isMatch = (filter: object, record: object): boolean => matches(parse(filter), record as StoredRecord)

const DATE = new Date(86_400_000)
const ISO = DATE.toISOString()

type Row = [operand: unknown, right: readonly Value[], wrong: readonly Value[], isMissingRight?: boolean]

/** For each operator: an operand, values that hold, values that do not, and whether null and missing hold. */
const TABLE: { readonly [op: string]: readonly Row[] } = {
  eq: [
    ['x', ['x'], ['', 'X', 'xx', 0, true, ['x'], { x: 'x' }]],
    [1, [1], ['1', true, 2, [1]]],
    [0, [0, -0], ['', false, '0']],
    [false, [false], [0, '', true]],
    [Number.POSITIVE_INFINITY, [Number.POSITIVE_INFINITY], [Number.NEGATIVE_INFINITY, 1]],
    [null, [], ['', 0, false, [], {}], true],
    [Number.NaN, [], [0, 'NaN', Number.POSITIVE_INFINITY]],
    [DATE, [ISO], [86_400_000, '1970-01-02']],
  ],
  ne: [
    ['x', ['', 'X', 0, true, ['x'], {}], ['x']],
    [1, ['1', true, 2], [1]],
    [null, ['', 0, false, [], {}], []],
    [Number.NaN, ['', 0, {}], []],
    [DATE, [86_400_000], [ISO]],
  ],
  gt: [
    [1, [2, 1.5, Number.POSITIVE_INFINITY], [1, 0, '2', true, [2], {}]],
    ['b', ['c', 'ba'], ['b', 'a', '', 'B', 3, true, ['c']]],
    [false, [true], [false, 1, 'true']],
    [Number.NaN, [], [1, Number.POSITIVE_INFINITY, 'x']],
    [DATE, ['1970-01-03'], ['1970-01-01', ISO, 86_400_001]],
  ],
  gte: [
    [1, [1, 2], [0, '1', true]],
    ['b', ['b', 'c'], ['a', 1]],
    [true, [true], [false, 1]],
  ],
  lt: [
    [1, [0, -1, Number.NEGATIVE_INFINITY], [1, 2, '0', false, []]],
    ['b', ['a', '', 'B'], ['b', 'c', 0, false]],
    [true, [false], [true, 0, '']],
  ],
  lte: [
    [1, [1, 0], [2, '1', false]],
    ['b', ['b', 'a'], ['c', 0]],
    [false, [false], [true, 0]],
  ],
  in: [
    [
      ['x', 1, true],
      ['x', 1, true],
      ['1', 'true', 0, false, ['x'], {}],
    ],
    [[], [], ['', 0, false, [], {}]],
    [['x', null], ['x'], ['', 0, []], true],
    [[Number.NaN], [], [0, 'NaN']],
    [[DATE], [ISO], [86_400_000]],
  ],
  notIn: [
    [
      ['x', 1],
      ['', '1', true, ['x'], {}],
      ['x', 1],
    ],
    [[], ['', 0, false, [], {}], []],
    [['x', null], ['', 0, {}], ['x']],
    [[Number.NaN], ['', 0], []],
  ],
  between: [
    [
      [1, 3],
      [1, 2, 3],
      [0, 4, '2', true, [2]],
    ],
    [
      ['a', 'c'],
      ['a', 'b', 'c', 'bzz'],
      ['', 'ca', 2],
    ],
    [[3, 1], [], [1, 2, 3]],
    [[1, 'c'], [], [1, 2, 'a', 'c']],
    [
      [false, true],
      [false, true],
      [0, 1, 'x'],
    ],
    [[1, Number.NaN], [], [1, 2]],
  ],
  startsWith: [
    ['ab', ['ab', 'abc'], ['a', 'ba', 'AB', '', ['ab'], 0]],
    ['', ['', 'x'], [0, true, [], {}]],
  ],
  endsWith: [
    ['bc', ['bc', 'abc'], ['c', 'bcd', '', ['bc'], 0]],
    ['', ['', 'x'], [0, true, [], {}]],
  ],
  contains: [
    ['b', ['b', 'abc'], ['B', '', ['b'], 0, { b: 1 }]],
    ['', ['', 'x'], [0, [], {}]],
  ],
  like: [
    ['a%', ['a', 'abc'], ['ba', 'A', '', 0, ['a']]],
    ['_', ['x', '%', '_'], ['', 'xx', '😀', 1]],
    ['\\%', ['%'], ['', 'x', '\\%']],
    ['', [''], ['x', 0]],
  ],
  has: [
    ['x', [['x'], ['y', 'x']], ['x', [], ['xx'], [['x']], { x: 'x' }, { 0: 'x' }]],
    [1, [[1]], [1, ['1'], [true]]],
    [null, [[null], [1, null]], [[], ['null'], {}]],
    [DATE, [[ISO]], [[86_400_000]]],
  ],
  exists: [
    [true, ['', 0, false, [], {}], []],
    [false, [], ['', 0, false, [], {}], true],
  ],
}

type Case = [op: string, ...Row]

const CASES: readonly Case[] = Object.entries(TABLE).flatMap(([op, rows]) => rows.map((row): Case => [op, ...row]))

describe.each(CASES)('%s %j', (op, operand, right, wrong, isMissingRight = false) => {
  test(`${isMissingRight ? 'holds' : 'does not hold'} for null and missing fields`, () => {
    const filter = { 'a.b': { [op]: operand } }
    const records = [{}, { a: {} }, { a: { b: null } }, { a: null }, { a: 1 }, { a: [] }, { a: [{ b: 1 }] }]
    for (const record of records) expect(isMatch(filter, record), JSON.stringify(record)).toBe(isMissingRight)
    expect(isMatch({ toString: { [op]: operand } }, {})).toBe(isMissingRight)
  })

  test('holds for these values and not for those, at the top, nested, and in a field with a dot in its name', () => {
    for (const [values, expected] of [
      [right, true],
      [wrong, false],
    ] as const) {
      for (const value of values) {
        const message = JSON.stringify(value)
        expect(isMatch({ a: { [op]: operand } }, { a: value }), message).toBe(expected)
        expect(isMatch({ not: { a: { [op]: operand } } }, { a: value }), `not ${message}`).toBe(!expected)
        expect(isMatch({ 'a.b.c': { [op]: operand } }, { a: { b: { c: value } } }), message).toBe(expected)
        expect(isMatch({ 'a.b': { [op]: operand } }, { 'a.b': value, a: { b: null } }), message).toBe(expected)
      }
    }
  })
})

test('the table has every operator', () => {
  const known = /out of (.*), got/.exec(messageOf({ a: { nope: 1 } }))?.[1]?.split(', ')
  expect(known).toEqual(Object.keys(TABLE))
})

test('conditions on one field, and, or, not', () => {
  const record = { a: 2, b: 'x' }
  expect(isMatch({}, record)).toBe(true)
  expect(isMatch({ a: { gt: 1, lt: 3 } }, record)).toBe(true)
  expect(isMatch({ a: { gt: 1, lt: 2 } }, record)).toBe(false)
  expect(isMatch({ a: 2, and: [{ b: 'x' }, { a: { ne: 3 } }] }, record)).toBe(true)
  expect(isMatch({ a: 2, and: [{ b: 'y' }] }, record)).toBe(false)
  expect(isMatch({ or: [{ b: 'y' }, { a: 2 }] }, record)).toBe(true)
  expect(isMatch({ a: 1, or: [{ b: 'x' }] }, record)).toBe(false)
  expect([isMatch({ and: [] }, record), isMatch({ or: [] }, record), isMatch({ not: {} }, record)]).toEqual([
    true,
    false,
    false,
  ])
})

test('fields that are called and, or and not can be asked for by value, and by operators where that is no filter', () => {
  expect(isMatch({ and: 1, or: 'x', not: true }, { and: 1, or: 'x', not: true })).toBe(true)
  expect(isMatch({ or: { gt: 1 } }, { or: 2 })).toBe(true)
  expect(isMatch({ and: [{ not: true }] }, { not: false })).toBe(false)
})

test('a filter is copied: what becomes of the original does not matter', () => {
  const list = ['x']
  const given = { a: { in: list }, or: [{ b: 1 }] }
  const filter = parse(given)
  list.push('y')
  given.or.length = 0
  expect(matches(filter, { a: 'y', b: 1 })).toBe(false)
  expect(matches(filter, { a: 'x', b: 1 })).toBe(true)
})

function messageOf(filter: unknown): string {
  try {
    parse(filter)
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidArgumentError)
    return (error as Error).message
  }
  throw new Error('it was not refused')
}

const cyclic: { not?: object } = {}
cyclic.not = cyclic

/** The same two filters `or`ed, and the same two of that, and so on: few objects, and 2^30 paths to them. */
function shared(): object {
  let filter: object = { a: 1 }
  for (let i = 0; i < 30; i++) filter = { or: [filter, filter] }
  return filter
}

function nested(depth: number): object {
  let filter: object = { a: 1 }
  for (let i = 0; i < depth; i++) filter = { not: filter }
  return filter
}

const throwing = (thrown: unknown): object => ({
  get a() {
    throw thrown
  },
})

const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

const KNOWN = 'eq, ne, gt, gte, lt, lte, in, notIn, between, startsWith, endsWith, contains, like, has, exists'

test.each<[what: string, given: unknown, message: string]>([
  ['a string', 'x', 'an object of field values, got string "x"'],
  ['null', null, 'an object of field values, got null'],
  ['undefined', undefined, 'an object of field values (to match missing values, ask for null), got undefined'],
  ['a function', () => true, 'an object of field values, got a function'],
  ['an array', [], 'an object of field values, got an array'],
  ['a date', DATE, 'an object of field values, got a Date'],
  ['a map, which has no fields', new Map([['a', 1]]), 'a plain object of field values, got an object'],
  ['a promise, which has no fields', Promise.resolve({ a: 1 }), 'a plain object of field values, got a promise'],
  ['a regular expression', /a/, 'a plain object of field values, got an object'],
  [
    'undefined as a value',
    { a: undefined },
    'null or an object of operators for field string "a" (to match missing values, ask for null), got undefined',
  ],
  ['no operators', { a: {} }, `operators for field string "a": some of ${KNOWN}, got an object`],
  ['a map as a value', { a: new Map([['gt', 1]]) }, `some of ${KNOWN}`],
  ['a function as a value', { a: () => 1 }, 'an object of operators for field string "a", got a function'],
  ['an array as a value', { a: ['x'] }, 'an object of operators for field string "a", got an array'],
  ['an invalid date', { a: new Date(Number.NaN) }, 'valid Date, null or an object of operators'],
  ['a bigint', { a: 1n }, 'got a bigint'],
  ['a symbol', { a: Symbol('a') }, 'got a symbol'],
  ['an unknown operator', { a: { gt: 1, regex: 'x' } }, `operators out of ${KNOWN}, got string "regex"`],
  ['an operator of Object.prototype', { a: { toString: 1 } }, `operators out of ${KNOWN}, got string "toString"`],
  ['__proto__ as an operator', { a: JSON.parse('{"__proto__":1}') }, 'operators out of'],
  ['operators inside operators', { a: { not: { eq: 1 } } }, 'got string "not"'],
  ['undefined in an operator', { a: { gt: undefined } }, 'for operator gt of field string "a" (to match'],
  ['undefined in a list', { a: { in: ['x', undefined] } }, 'a list of strings, numbers'],
  ['a hole in a list', { a: { in: [1, , 2] } }, 'a list of strings, numbers'], // oxlint-disable-line no-sparse-arrays
  ['a value where a list is expected', { a: { in: 'x' } }, 'nulls for operator in of field string "a", got string "x"'],
  ['objects in a list', { a: { notIn: [{}] } }, 'for operator notIn'],
  ['a set where a list is expected', { a: { in: new Set([1]) } }, 'a list of strings'],
  ['one end', { a: { between: [1] } }, 'a list of two values, the smallest and the largest for operator between'],
  ['three ends', { a: { between: [1, 2, 3] } }, 'a list of two values'],
  ['an end that is null', { a: { between: [null, 2] } }, 'a list of two values'],
  ['null where there is an order', { a: { gt: null } }, 'a string, number, boolean or valid Date for operator gt'],
  ['an object where there is an order', { a: { lte: {} } }, 'for operator lte'],
  ['a number where text is expected', { a: { startsWith: 1 } }, 'a string for operator startsWith'],
  ['a RegExp where text is expected', { a: { like: /a/ } }, 'a string of at most 1000 characters, with % for any'],
  ['an array as an item', { a: { has: ['x'] } }, 'for operator has'],
  ['a number where a flag is expected', { a: { exists: 1 } }, 'true or false for operator exists'],
  ['filters that are no filters', { or: ['x'] }, 'an object of field values, got string "x"'],
  ['undefined as one of several', { and: [{ a: 1 }, undefined] }, 'an object of field values (to match'],
  ['undefined as and', { and: undefined }, 'for field string "and" (to match missing values, ask for null)'],
  ['an array to be negated', { not: [{ a: 1 }] }, 'for field string "not", got an array'],
  ['undefined to be negated', { not: undefined }, 'for field string "not" (to match'],
  ['33 filters inside each other', nested(33), 'at most 32 filters inside each other'],
  ['a filter inside itself', cyclic, 'at most 32 filters inside each other'],
  ['few filters, many ways', shared(), 'at most 10000 conditions and items of lists'],
  ['many conditions', { or: Array.from({ length: 10_001 }, () => ({})) }, 'at most 10000 conditions'],
  ['many items', { a: { in: Array.from({ length: 10_000 }, (_, at) => at) } }, 'at most 10000 conditions'],
  ['a getter that throws', throwing(new Error('planted')), 'reading it failed: planted'],
  ['a getter that throws nonsense', throwing(Symbol('x')), 'reading it failed: a non-error was thrown'],
  ['an operator that throws', { a: throwing(new Error('planted')) }, 'reading it failed: planted'],
  ['a proxy that was revoked', revoked(), 'reading it failed'],
  ['a proxy of a date', { a: new Proxy(DATE, {}) }, 'reading it failed'],
])('%s is refused, with the argument named', (_what, given, message) => {
  expect(messageOf(given)).toMatch(/^bucket\("a"\)\.where\(filter\): (expected|reading it failed)/)
  expect(messageOf(given)).toContain(message)
})

test('what is at the limits is taken', () => {
  expect(isMatch(nested(32), { a: 1 })).toBe(true)
  expect(isMatch({ a: { in: Array.from({ length: 9_999 }, (_, at) => at) } }, { a: 9_998 })).toBe(true)
  expect(isMatch(Object.assign(Object.create(null) as object, { a: 1 }), { a: 1 })).toBe(true)
  expect(isMatch(new Proxy({ a: 1 }, {}), { a: 1 })).toBe(true)
})

test('__proto__ is a name as any other, and nothing inherited is a field', () => {
  const filter = JSON.parse('{"__proto__": 1}') as object
  expect(parse(filter).conditions).toHaveLength(1)
  expect(isMatch(filter, {})).toBe(false)
  expect(isMatch(filter, JSON.parse('{"__proto__": 1}') as object)).toBe(true)
  expect(isMatch({ '__proto__.constructor': { exists: true } }, {})).toBe(false)
  expect(isMatch({ 'a.length': { exists: true } }, { a: 'text' })).toBe(false)
  expect(isMatch({ 'a.0': 'x' }, { a: ['x'] })).toBe(false)
})

test('a list has the items that it has, whatever its iterator says', () => {
  const endless = (list: unknown[]): unknown[] =>
    Object.assign(list, {
      *[Symbol.iterator]() {
        for (;;) yield 2
      },
    })
  expect(parse({ f: { in: endless([1]) } })).toEqual(parse({ f: { in: [1] } }))
  expect(parse({ or: endless([{ f: 1 }]) })).toEqual(parse({ or: [{ f: 1 }] }))
})

test('a date is what it says, whatever was made of its methods', () => {
  const odd = Object.assign(new Date(0), { toISOString: () => ({}), getTime: () => 1 })
  expect(isMatch({ a: odd }, { a: new Date(0).toISOString() })).toBe(true)
})

describe('filterText', () => {
  const textOf = (filter: object): string => filterText(parse(filter))

  test.each<[object, object]>([
    [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ],
    [{ a: 1 }, { a: { eq: 1 } }],
    [{ a: 1, b: 2 }, { and: [{ b: 2 }, { and: [{ a: 1 }] }] }],
    [{ a: 1 }, { and: [{ a: 1 }, { a: 1 }] }],
    [{ a: { gt: 1, lt: 5 } }, { and: [{ a: { lt: 5 } }, { a: { gt: 1 } }] }],
    [{ or: [{ a: 1 }, { b: 2 }] }, { or: [{ b: 2 }, { a: 1 }, { b: 2 }] }],
    [{ a: { in: [1, 'x', null] } }, { a: { in: [null, 'x', 1, 1] } }],
    [{ a: { notIn: [1, 2] } }, { a: { notIn: [2, 1] } }],
    [{ a: DATE }, { a: ISO }],
    [{ a: 0 }, { a: -0 }],
    [{ not: { a: 1, b: 2 } }, { not: { b: 2, a: 1 } }],
  ])('%j and %j say the same', (one, other) => {
    expect(textOf(one)).toBe(textOf(other))
  })

  test('different filters have different texts', () => {
    const filters: object[] = [
      {},
      { a: 1 },
      { a: '1' },
      { a: true },
      { a: 'true' },
      { a: null },
      { a: Number.NaN },
      { a: 'NaN' },
      { a: Number.POSITIVE_INFINITY },
      { a: Number.NEGATIVE_INFINITY },
      { 'a" eq 1 & "b': 1 },
      { a: 1, b: 1 },
      { or: [{ a: 1 }, { b: 1 }] },
      { or: [{ a: 1, b: 1 }] },
      { or: [] },
      { or: [{}] },
      { not: { a: 1 } },
      { not: {} },
      { a: { ne: 1 } },
      { a: { in: [1, 2] } },
      { a: { in: ['1,2'] } },
      { a: { in: [] } },
      { a: { in: [null] } },
      { a: { in: [Number.NaN] } },
      { a: { notIn: [1, 2] } },
      { a: { between: [1, 2] } },
      { a: { between: [2, 1] } },
      { a: { has: null } },
      { a: { has: Number.NaN } },
      { a: { exists: true } },
      { a: { exists: false } },
    ]
    expect(new Set(filters.map(textOf)).size).toBe(filters.length)
  })
})

const value = fc.constantFrom<Value | undefined>('', 'x', 'xa', 'y', 0, 1, 2, true, false, null, undefined, ['x'], {})
const record = fc
  .record({ a: value, b: value })
  .map((fields) => Object.fromEntries(Object.entries(fields).filter(([, one]) => one !== undefined)) as StoredRecord)
const scalar = fc.constantFrom('', 'x', 'xa', 0, 1, Number.NaN, true, null)
const end = fc.constantFrom('', 'x', 0, 1, 1.5, true)
const condition = fc.oneof(
  scalar,
  fc.record({ ne: scalar }),
  fc.record({ gte: end, lt: end }),
  fc.record({ in: fc.array(scalar, { maxLength: 3 }) }),
  fc.record({ exists: fc.boolean() }),
  fc.record({ startsWith: fc.constantFrom('', 'x') }),
)
const { filter } = fc.letrec<{ filter: object }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 3 },
    fc.dictionary(fc.constantFrom('a', 'b'), condition, { maxKeys: 2, noNullPrototype: true }),
    fc.record({ not: tie('filter') }),
    fc.record({ or: fc.array(tie('filter'), { maxLength: 3 }) }),
    fc.record({ and: fc.array(tie('filter'), { maxLength: 3 }), a: condition }),
  ),
}))

describe('filters that say the same match the same', () => {
  const same = (one: object, other: object, of: StoredRecord): void =>
    expect(isMatch(one, of), JSON.stringify({ one, other, of })).toBe(isMatch(other, of))

  test('not not f is f, and not f is its opposite', () => {
    fc.assert(
      fc.property(filter, record, (one, of) => {
        same({ not: { not: one } }, one, of)
        expect(isMatch({ not: one }, of)).toBe(!isMatch(one, of))
      }),
    )
  })

  test('the order of conditions does not matter, nor does saying one twice', () => {
    fc.assert(
      fc.property(filter, filter, record, (one, other, of) => {
        same({ and: [one, other] }, { and: [other, one, other] }, of)
        same({ or: [one, other] }, { or: [other, one, other] }, of)
        expect(filterText(parse({ and: [one, other] }))).toBe(filterText(parse({ and: [other, one, other] })))
      }),
    )
  })

  test('not (f and g) is not f or not g', () => {
    fc.assert(
      fc.property(filter, filter, record, (one, other, of) => {
        same({ not: { and: [one, other] } }, { or: [{ not: one }, { not: other }] }, of)
      }),
    )
  })

  test('a range is the union of its parts', () => {
    fc.assert(
      fc.property(end, end, end, record, (low, middle, high, of) => {
        fc.pre(typeof low === typeof middle && typeof middle === typeof high && low <= middle && middle <= high)
        const parts = [{ a: { gte: low, lt: middle } }, { a: { gte: middle, lte: high } }]
        same({ a: { gte: low, lte: high } }, { or: parts }, of)
        same({ a: { between: [low, high] } }, { or: parts }, of)
      }),
    )
  })

  test('operators have their opposites among values that are there', () => {
    fc.assert(
      fc.property(fc.array(scalar, { maxLength: 3 }), scalar, record, (list, one, of) => {
        const isThere = { a: { exists: true } }
        same({ a: { notIn: list } }, { and: [isThere, { not: { a: { in: list } } }] }, of)
        same({ a: { ne: one } }, { and: [isThere, { not: { a: one } }] }, of)
        same({ a: { in: list } }, { or: list.map((item) => ({ a: item })) }, of)
        same({ a: { exists: false } }, { a: null }, of)
      }),
    )
  })
})
