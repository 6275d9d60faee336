import { describe, expect, test } from 'vitest'
import { InvalidArgumentError } from '../../src/index.js'
import type { Store } from '../../src/index.js'
import { KEYED, open, openBucket, openVirtual, rejection } from './opened.js'

const BUCKET = {
  key: 'id',
  schema: { id: { type: 'string' }, data: { type: 'object' }, u: { type: 'string', unique: true } },
} as const

class Point {
  readonly x = 1
}

function restarts(store: Store): number {
  return (store.supervision().children ?? []).reduce((sum, child) => sum + child.restarts, 0)
}

const cycle: Record<string, unknown> = { name: 'cycle' }
cycle.self = cycle
const arrayCycle: unknown[] = []
arrayCycle.push(arrayCycle)
let deep: unknown = 1
for (let i = 0; i < 10_000; i++) deep = { deep }
const revoked = Proxy.revocable({}, {})
revoked.revoke()
const throwing = (message: string) => (): never => {
  throw new Error(message)
}

describe('values that cannot be stored refuse the record and harm nothing', () => {
  test.each<[string, unknown]>([
    ['a cycle', cycle],
    ['a cycle through an array', arrayCycle],
    ['something endlessly deep', deep],
    ['a function', { f: () => 1 }],
    ['a symbol', { s: Symbol('x') }],
    ['a symbol as a name', { [Symbol('x')]: 1 }],
    ['a BigInt', { b: 5n }],
    ['NaN', { n: Number.NaN }],
    ['an own __proto__', JSON.parse('{"__proto__":{"admin":true}}')],
    ['an invalid date', { d: new Date(Number.NaN) }],
    ['a Map', { m: new Map() }],
    ['a Set', { s: new Set() }],
    ['an instance of a class', { c: new Point() }],
    ['a typed array', { t: new Uint8Array(2) }],
    ['a RegExp', { r: /x/ }],
    ['a promise', { p: Promise.resolve(1) }],
    ['a getter that throws', Object.defineProperty({}, 'x', { enumerable: true, get: throwing('getter') })],
    ['a proxy that throws', new Proxy({}, { ownKeys: throwing('ownKeys') })],
    ['a proxy without prototype', new Proxy({}, { getPrototypeOf: throwing('prototype') })],
    ['a revoked proxy', revoked.proxy],
    ['100 MB of text', { text: 'x'.repeat(100_000_000) }],
    ['text in many pieces, 20 MB', Array.from({ length: 2_000 }, () => 'x'.repeat(10_000))],
  ])('%s', async (_, value) => {
    const { store, bucket } = await openBucket(BUCKET)
    await bucket.insert({ id: 'good', u: 'x' })
    const { visible } = store.position
    for (const field of ['data', 'extra']) {
      const error = await rejection(bucket.insert({ id: 'bad', [field]: value }))
      expect(error.name).toBe('ValidationError')
      expect(error.message.length).toBeLessThan(2_000)
      expect((await rejection(bucket.update('good', { [field]: value }))).name).toBe('ValidationError')
      expect(
        (await rejection(store.transaction((tx) => tx.bucket('b').insert({ id: 'bad', [field]: value })))).name,
      ).toBe('ValidationError')
    }
    expect(await bucket.all()).toMatchObject([{ id: 'good', u: 'x', _version: 1 }])
    expect(store.position.visible).toBe(visible)
    expect(restarts(store)).toBe(0)
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
  })

  test('something small that unfolds endlessly', async () => {
    let wide: unknown = 'x'
    for (let i = 0; i < 60; i++) wide = [wide, wide]
    const { bucket } = await openBucket(BUCKET)
    const error = await rejection(bucket.insert({ id: 'bad', wide }))
    expect(error.issues).toMatchObject([{ field: '', code: 'size' }])
  })

  test('as the record itself', async () => {
    const { store, bucket } = await openBucket(BUCKET)
    await bucket.insert({ id: 'good' })
    const map = new Map([['id', 'a']])
    const records = [
      undefined,
      null,
      5,
      'text',
      true,
      [],
      new Date(),
      () => 1,
      5n,
      Symbol('x'),
      map,
      JSON.parse('{"id":"a","__proto__":{"x":1}}'),
      Object.defineProperty({ id: 'a' }, 'x', { enumerable: true, get: throwing('getter') }),
      Object.defineProperty({}, 'id', { enumerable: true, get: throwing('getter') }),
      new Proxy({ id: 'a' }, { ownKeys: throwing('ownKeys') }),
      new Proxy({ id: 'a' }, { get: throwing('get') }),
      new Proxy(
        { id: 'a' },
        { getPrototypeOf: throwing('prototype'), getOwnPropertyDescriptor: throwing('descriptor') },
      ),
      revoked.proxy,
    ]
    for (const record of records) {
      for (const call of [
        () => bucket.insert(record as never),
        () => bucket.insertMany([{ id: 'fine' }, record as never]),
        () => bucket.upsert(record as never),
        () => store.transaction((tx) => tx.bucket('b').insert(record as never)),
        () => store.transaction((tx) => tx.bucket('b').upsert(record as never)),
      ]) {
        expect((await rejection(call())).name).toMatch(/^(ValidationError|InvalidArgumentError)$/)
      }
      // A Map has no properties, so as a set of changes it is an empty one.
      if (record === map) continue
      expect((await rejection(bucket.update('good', record as never))).name).toMatch(
        /^(ValidationError|InvalidArgumentError)$/,
      )
    }
    expect(await bucket.keys()).toEqual(['good'])
    expect(restarts(store)).toBe(0)
  })
})

describe('values that only look dangerous are stored as they are', () => {
  test('lone surrogates, control characters, long and odd names', async () => {
    const { bucket } = await openBucket(KEYED)
    const record = {
      id: '\ud800',
      text: 'a\udc00\u0000\u2028"\\',
      '': 'no name',
      constructor: 'x',
      toString: 'y',
      'a.b[0]': 1,
      ['n'.repeat(10_000)]: true,
    }
    const stored = await bucket.insert(record)
    expect(await bucket.get('\ud800')).toMatchObject(record)
    expect(await bucket.where({ constructor: 'x' })).toEqual([stored])
    expect(await bucket.where({ text: record.text })).toEqual([stored])
  })

  test('one object in two places, toJSON, objects without prototype, sparse arrays', async () => {
    const { bucket } = await openBucket(KEYED)
    const shared = { n: 1 }
    const bare = Object.assign(Object.create(null) as object, { x: 1 })
    await bucket.insert({ id: 'a', one: shared, two: [shared, shared], bare })
    expect(await bucket.get('a')).toMatchObject({ one: { n: 1 }, two: [{ n: 1 }, { n: 1 }], bare: { x: 1 } })
    const error = await rejection(bucket.insert({ id: 'b', hostile: { toJSON: throwing('toJSON') } }))
    expect(error.issues).toMatchObject([{ field: 'hostile.toJSON', code: 'value' }])
    await bucket.insert({ id: 'c', fine: { toJSON: 'text' } })
    expect(await bucket.get('c')).toMatchObject({ fine: { toJSON: 'text' } })
  })

  test('a getter is read once', async () => {
    const { bucket } = await openBucket(KEYED)
    let reads = 0
    const record = Object.defineProperty({ id: 'a' }, 'n', { enumerable: true, get: () => ++reads })
    expect(await bucket.insert(record)).toMatchObject({ n: 1 })
    await bucket.update('a', Object.defineProperty({}, 'n', { enumerable: true, get: () => ++reads }))
    expect(await bucket.get('a')).toMatchObject({ n: 2 })
  })

  test('-0 is 0', async () => {
    const { bucket } = await openBucket({ key: 'id', schema: { id: { type: 'number' }, n: { type: 'number' } } })
    const record = await bucket.insert({ id: -0, n: -0 })
    expect([Object.is(record.id, 0), Object.is(record.n, 0)]).toEqual([true, true])
    expect(await bucket.get(0)).toBe(record)
  })
})

describe('filters that throw when they are read', () => {
  test.each<[string, unknown]>([
    ['a getter', Object.defineProperty({}, 'id', { enumerable: true, get: throwing('getter') })],
    ['a proxy', new Proxy({}, { ownKeys: throwing('ownKeys') })],
    ['a proxy without prototype', new Proxy({}, { getPrototypeOf: throwing('prototype') })],
    ['a revoked proxy', revoked.proxy],
  ])('%s', async (_, filter) => {
    const { store, bucket } = await openBucket(BUCKET)
    for (const call of [
      () => bucket.where(filter as never),
      () => bucket.count(filter as never),
      () => bucket.sum('n', filter as never),
      () => bucket.deleteMany(filter as never),
      () => store.transaction((tx) => tx.bucket('b').where(filter as never)),
    ]) {
      expect(await rejection(call())).toBeInstanceOf(InvalidArgumentError)
    }
    expect(restarts(store)).toBe(0)
  })
})

describe('options', () => {
  test.each([[5], [null], ['disk'], [{ durability: 'maybe' }]])(
    '%j of a write are refused, and nothing is written',
    async (options) => {
      const { bucket } = await openBucket(BUCKET)
      await bucket.insert({ id: 'a' })
      for (const call of [
        () => bucket.insert({ id: 'x' }, options as never),
        () => bucket.insertMany([{ id: 'x' }], options as never),
        () => bucket.update('a', {}, options as never),
        () => bucket.upsert({ id: 'x' }, options as never),
        () => bucket.delete('a', options as never),
        () => bucket.clear(options as never),
      ]) {
        expect((await rejection(call())).name).toBe('InvalidArgumentError')
      }
      expect(await bucket.all()).toMatchObject([{ id: 'a', _version: 1 }])
    },
  )

  test.each([['1'], [1.5], [null], [Number.NaN]])('ifVersion %j is refused', async (ifVersion) => {
    const { bucket } = await openBucket(BUCKET)
    await bucket.insert({ id: 'a' })
    expect((await rejection(bucket.update('a', {}, { ifVersion: ifVersion as never }))).name).toBe(
      'InvalidArgumentError',
    )
  })

  test.each([[undefined], [null], [{}], ['ab'], [new Set()]])('insertMany(%j) is refused', async (list) => {
    const { bucket } = await openBucket(BUCKET)
    expect((await rejection(bucket.insertMany(list as never))).name).toBe('InvalidArgumentError')
  })

  test('an error names the argument, what was expected and what was given', async () => {
    const { bucket } = await openBucket(BUCKET)
    const error = await rejection(bucket.first('two' as never))
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', argument: 'bucket("b").first(n)' })
    expect(error.message).toBe(
      'bucket("b").first(n): expected a whole number from 0, got string "two"; nothing was done',
    )
  })
})

test('a pattern with catastrophic backtracking aside, the format checks are linear', async () => {
  const { bucket } = await openBucket({
    key: 'id',
    schema: { id: { type: 'string' }, email: { type: 'string', format: 'email' } },
  })
  const nasty = `${'a@'.repeat(200_000)}!`
  expect((await rejection(bucket.insert({ id: 'a', email: nasty }))).message).toContain('Invalid email format')
})

test('a clock that jumps back, or stands still, changes no order', async () => {
  const { store, runtime } = await openVirtual()
  await store.defineBucket('b', { key: 'id', schema: { id: { type: 'string' } }, maxSize: 2 })
  const bucket = store.bucket('b')
  await bucket.insert({ id: 'a' })
  runtime.jump(-1_000_000)
  await bucket.insert({ id: 'b' })
  await bucket.insert({ id: 'c' })
  expect(await bucket.keys()).toEqual(['b', 'c'])
  const at = (await store.log.read()).map((entry) => entry.at)
  expect([...at].sort((x, y) => x - y)).toEqual(at)
})

test('a hostile record does not keep others from being written at the same time', async () => {
  const store = await open({ buckets: { b: KEYED } })
  const bucket = store.bucket('b')
  const outcomes = await Promise.allSettled([
    bucket.insert({ id: 'a' }),
    bucket.insert({ id: 'b', cycle }),
    bucket.insert({ id: 'c' }),
  ])
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(await bucket.keys()).toEqual(['a', 'c'])
})
