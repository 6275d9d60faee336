import { describe, expect, test } from 'vitest'
import { Store } from '../../src/index.js'
import type { BucketDefinition, BucketHandle } from '../../src/index.js'
import { openBucket, rejection } from './opened.js'

const ITEM: BucketDefinition = {
  key: 'id',
  schema: { id: { type: 'string' }, group: { type: 'string' }, n: { type: 'number' }, on: { type: 'boolean' } },
}

async function filled(definition: BucketDefinition, ids: readonly string[]): Promise<BucketHandle> {
  const { bucket } = await openBucket(definition)
  await bucket.insertMany(ids.map((id, n) => ({ id, n, group: n % 2 === 0 ? 'even' : 'odd', on: n > 1 })))
  return bucket
}

const idsOf = (records: readonly { readonly [field: string]: unknown }[]): unknown[] => records.map(({ id }) => id)

describe.each([
  ['without indexes', []],
  ['with indexes', ['group', 'n', 'on']],
])('where, findOne and count %s', (_, indexes) => {
  const definition = { ...ITEM, indexes }

  test('all conditions have to hold; {} means all', async () => {
    const bucket = await filled(definition, ['a', 'b', 'c', 'd'])
    expect(idsOf(await bucket.where({ group: 'even' }))).toEqual(['a', 'c'])
    expect(idsOf(await bucket.where({ group: 'even', on: true }))).toEqual(['c'])
    expect(idsOf(await bucket.where({ group: 'even', n: 1 }))).toEqual([])
    expect(idsOf(await bucket.where({}))).toEqual(['a', 'b', 'c', 'd'])
    expect(await bucket.findOne({ group: 'odd' })).toMatchObject({ id: 'b' })
    expect(await bucket.findOne({})).toMatchObject({ id: 'a' })
    expect(await bucket.findOne({ group: 'none' })).toBeUndefined()
    expect(await bucket.count()).toBe(4)
    expect(await bucket.count({})).toBe(4)
    expect(await bucket.count({ group: 'odd' })).toBe(2)
    expect(await bucket.count({ group: 'odd', on: false })).toBe(1)
  })

  test('insertion order, also for a record that left the value and came back', async () => {
    const bucket = await filled(definition, ['a', 'b', 'c'])
    await bucket.update('a', { group: 'other' })
    await bucket.update('a', { group: 'even' })
    expect(idsOf(await bucket.where({ group: 'even' }))).toEqual(['a', 'c'])
    expect(await bucket.findOne({ group: 'even' })).toMatchObject({ id: 'a' })
  })

  test('null matches null and missing', async () => {
    const bucket = await filled(definition, [])
    await bucket.insertMany([{ id: 'a' }, { id: 'b', group: null }, { id: 'c', group: 'x' }])
    expect(idsOf(await bucket.where({ group: null }))).toEqual(['a', 'b'])
    expect(await bucket.count({ group: null })).toBe(2)
  })

  test('undefined in a filter is refused', async () => {
    const bucket = await filled(definition, ['a'])
    // @ts-expect-error it is no value to compare with
    const error = await rejection(bucket.where({ group: undefined }))
    expect(error).toMatchObject({ name: 'InvalidArgumentError' })
    expect(error.message).toContain('to match missing values, ask for null')
  })

  test('values are compared without conversion; false and 0 are values', async () => {
    const bucket = await filled(definition, ['a', 'b'])
    expect(idsOf(await bucket.where({ n: 0 }))).toEqual(['a'])
    expect(await bucket.where({ n: '0' })).toEqual([])
    expect(idsOf(await bucket.where({ on: false }))).toEqual(['a', 'b'])
    expect(await bucket.where({ on: 0 })).toEqual([])
    expect(await bucket.where({ n: Number.NaN })).toEqual([])
  })

  test('the index follows inserts, updates, deletes and clear', async () => {
    const bucket = await filled(definition, ['a', 'b'])
    await bucket.update('b', { group: 'even' })
    expect(idsOf(await bucket.where({ group: 'even' }))).toEqual(['a', 'b'])
    expect(await bucket.where({ group: 'odd' })).toEqual([])
    await bucket.delete('a')
    expect(idsOf(await bucket.where({ group: 'even' }))).toEqual(['b'])
    await bucket.clear()
    expect(await bucket.count({ group: 'even' })).toBe(0)
  })
})

describe('filters', () => {
  test('metadata, the key and fields outside the schema can be asked for', async () => {
    const bucket = await filled(ITEM, ['a', 'b'])
    await bucket.update('b', { extra: 'x' })
    expect(idsOf(await bucket.where({ _version: 1 }))).toEqual(['a'])
    expect(idsOf(await bucket.where({ id: 'b' }))).toEqual(['b'])
    expect(idsOf(await bucket.where({ id: 'b', n: 0 }))).toEqual([])
    expect(idsOf(await bucket.where({ extra: 'x' }))).toEqual(['b'])
  })

  test('inherited properties are not fields', async () => {
    const bucket = await filled(ITEM, ['a', 'b'])
    await expect(Reflect.apply(bucket.where, bucket, [{ toString: Object.prototype.toString }])).rejects.toThrow(
      'got a function',
    )
    expect(await bucket.count({ toString: null })).toBe(2)
    expect(await bucket.count(JSON.parse('{"__proto__":null}'))).toBe(2)
    expect(await bucket.count(JSON.parse('{"__proto__":"x"}'))).toBe(0)
  })

  test.each([
    [undefined],
    [null],
    ['x'],
    [5],
    [[]],
    [new Date(0)],
    [{ a: {} }],
    [{ a: [] }],
    [{ a: () => 1 }],
    [{ a: 5n }],
    [{ a: new Date(Number.NaN) }],
  ])('the filter %o is refused', async (filter) => {
    const bucket = await filled(ITEM, ['a'])
    for (const call of [
      () => bucket.where(filter as never),
      () => bucket.findOne(filter as never),
      () => bucket.updateMany(filter as never, {}),
      () => bucket.deleteMany(filter as never),
      ...(filter === undefined ? [] : [() => bucket.count(filter as never), () => bucket.sum('n', filter as never)]),
    ]) {
      expect((await rejection(call())).name).toBe('InvalidArgumentError')
    }
    expect(await bucket.count()).toBe(1)
  })
})

describe.each([
  ['insertion', 'set', ['c', 'a', 'd', 'b']],
  ['key', 'ordered_set', ['a', 'b', 'c', 'd']],
] as const)('in %s order (%s)', (_, etsType, order) => {
  const ordered = () => filled({ ...ITEM, etsType }, ['c', 'a', 'd', 'b'])

  test('first, last and keys', async () => {
    const bucket = await ordered()
    expect(idsOf(await bucket.first(2))).toEqual(order.slice(0, 2))
    expect(idsOf(await bucket.first(100))).toEqual(order)
    expect(idsOf(await bucket.last(2))).toEqual(order.slice(-2))
    expect(idsOf(await bucket.last(100))).toEqual(order)
    expect(await bucket.first(0)).toEqual([])
    expect(await bucket.last(0)).toEqual([])
    expect(await bucket.keys()).toEqual(order)
  })

  test('all and where stay in insertion order', async () => {
    const bucket = await ordered()
    expect(idsOf(await bucket.all())).toEqual(['c', 'a', 'd', 'b'])
    expect(idsOf(await bucket.where({ group: 'even' }))).toEqual(['c', 'd'])
  })

  test('pages follow each other and end', async () => {
    const bucket = await ordered()
    const first = await bucket.paginate({ limit: 3 })
    expect(first).toMatchObject({ hasMore: true, nextCursor: order[2] })
    expect(idsOf(first.records)).toEqual(order.slice(0, 3))
    const second = await bucket.paginate({ limit: 3, after: first.nextCursor })
    expect(second).toMatchObject({ hasMore: false, nextCursor: order[3] })
    expect(idsOf(second.records)).toEqual(order.slice(3))
    const third = await bucket.paginate({ limit: 3, after: second.nextCursor })
    expect(third).toEqual({ records: [], hasMore: false, nextCursor: undefined })
  })

  test('a page that ends with the last record says that there is no more', async () => {
    const bucket = await ordered()
    expect(await bucket.paginate({ limit: 4 })).toMatchObject({ hasMore: false, nextCursor: order[3] })
    expect((await bucket.paginate({ limit: Number.MAX_SAFE_INTEGER })).records).toHaveLength(4)
  })

  test('paging goes on where it was when the record of the cursor is deleted', async () => {
    const bucket = await ordered()
    const { nextCursor } = await bucket.paginate({ limit: 2 })
    await bucket.delete(nextCursor)
    const page = await bucket.paginate({ limit: 5, after: nextCursor })
    expect(idsOf(page.records)).toEqual(order.slice(2))
  })

  test('paging meets each record once while others come and go', async () => {
    const bucket = await ordered()
    const seen: unknown[] = []
    let after: unknown
    for (let page = 0; page < 10; page++) {
      const { records, hasMore, nextCursor } = await bucket.paginate({ limit: 1, after })
      seen.push(...idsOf(records))
      if (page === 0) {
        await bucket.delete(nextCursor)
        await bucket.insert({ id: 'zz' })
      }
      if (!hasMore) break
      after = nextCursor
    }
    expect(seen).toEqual([...order, 'zz'])
  })
})

describe('keys in order', () => {
  test('an ordered_set has numbers in numeric order', async () => {
    const { bucket } = await openBucket({ key: 'id', schema: { id: { type: 'number' } }, etsType: 'ordered_set' })
    for (const id of [10, 9, 1, -5, 2.5]) await bucket.insert({ id })
    expect(await bucket.keys()).toEqual([-5, 1, 2.5, 9, 10])
    expect((await bucket.paginate({ limit: 2, after: 2 })).records).toMatchObject([{ id: 2.5 }, { id: 9 }])
  })

  test('a cursor that never was a key gives an empty page in insertion order', async () => {
    const bucket = await filled(ITEM, ['a', 'b'])
    expect(await bucket.paginate({ limit: 2, after: 'nope' })).toEqual({
      records: [],
      hasMore: false,
      nextCursor: undefined,
    })
  })
})

describe('wrong arguments', () => {
  test.each([[-1], [1.5], [Number.NaN], ['2'], [undefined], [null]])('first(%j) and last are refused', async (n) => {
    const bucket = await filled(ITEM, ['a', 'b'])
    for (const name of ['first', 'last'] as const) {
      const error = await rejection(bucket[name](n as number))
      expect(error).toMatchObject({ name: 'InvalidArgumentError', argument: `bucket("b").${name}(n)` })
    }
  })

  test.each([
    [undefined],
    [null],
    [5],
    [{}],
    [{ limit: 0 }],
    [{ limit: -1 }],
    [{ limit: Number.NaN }],
    [{ limit: '5' }],
    [{ limit: 1, after: {} }],
    [{ limit: 1, after: null }],
  ])('paginate(%j) is refused', async (options) => {
    const bucket = await filled(ITEM, ['a', 'b'])
    expect((await rejection(bucket.paginate(options as never))).name).toBe('InvalidArgumentError')
  })

  test.each([[undefined], [null], [{}], [[]], [Number.NaN], [() => 1]])('the key %j is refused', async (key) => {
    const bucket = await filled(ITEM, ['a'])
    for (const call of [
      () => bucket.get(key),
      () => bucket.has(key),
      () => bucket.update(key, {}),
      () => bucket.delete(key),
    ]) {
      expect((await rejection(call())).name).toBe('InvalidArgumentError')
    }
  })

  test.each([[undefined], [null], [5], [{}], [[]]])('the field %j of an aggregate is refused', async (field) => {
    const bucket = await filled(ITEM, ['a'])
    for (const name of ['sum', 'avg', 'min', 'max'] as const) {
      expect((await rejection(bucket[name](field as never))).name).toBe('InvalidArgumentError')
    }
  })
})

describe('aggregates', () => {
  const SALES: BucketDefinition = {
    key: 'id',
    schema: { id: { type: 'string' }, kind: { type: 'string' }, price: { type: 'number' } },
    indexes: ['kind'],
  }

  test('over all and over what matches', async () => {
    const { bucket } = await openBucket(SALES)
    await bucket.insertMany([
      { id: 'a', kind: 'x', price: 10 },
      { id: 'b', kind: 'x', price: -4 },
      { id: 'c', kind: 'y', price: 3 },
    ])
    expect(
      await Promise.all([bucket.sum('price'), bucket.avg('price'), bucket.min('price'), bucket.max('price')]),
    ).toEqual([9, 3, -4, 10])
    const filter = { kind: 'x' }
    expect(
      await Promise.all([
        bucket.sum('price', filter),
        bucket.avg('price', filter),
        bucket.min('price', filter),
        bucket.max('price', filter),
      ]),
    ).toEqual([6, 3, -4, 10])
  })

  test('of nothing: sum and avg are 0, min and max undefined', async () => {
    const { bucket } = await openBucket(SALES)
    await bucket.insert({ id: 'a', kind: 'x' })
    for (const filter of [undefined, { kind: 'none' }, { kind: 'x' }]) {
      expect(await bucket.sum('price', filter)).toBe(0)
      expect(await bucket.avg('price', filter)).toBe(0)
      expect(await bucket.min('price', filter)).toBeUndefined()
      expect(await bucket.max('price', filter)).toBeUndefined()
    }
  })

  test('values that are no numbers do not count', async () => {
    const { bucket } = await openBucket(SALES)
    await bucket.insertMany([{ id: 'a', extra: 4 }, { id: 'b', extra: '6' }, { id: 'c', extra: null }, { id: 'd' }])
    expect(await bucket.sum('extra')).toBe(4)
    expect(await bucket.avg('extra')).toBe(4)
    expect(await bucket.max('kind')).toBeUndefined()
    expect(await bucket.sum('_version')).toBe(4)
    expect(await bucket.sum('toString')).toBe(0)
  })

  test('infinities count', async () => {
    const { bucket } = await openBucket(SALES)
    await bucket.insertMany([
      { id: 'a', price: Number.POSITIVE_INFINITY },
      { id: 'b', price: 1 },
    ])
    expect(await bucket.max('price')).toBe(Number.POSITIVE_INFINITY)
    expect(await bucket.min('price')).toBe(1)
  })
})

describe('store.read', () => {
  test('has every read of the handle, as values, over one state', async () => {
    const { store, bucket } = await openBucket({ ...ITEM, indexes: ['group'] })
    await bucket.insertMany([
      { id: 'a', group: 'x', n: 1 },
      { id: 'b', group: 'x', n: 3 },
    ])
    const seen = store.read((view) => {
      const b = view.bucket('b')
      return [
        b.get('a')?.id,
        b.has('z'),
        b.all().length,
        b.keys(),
        b.where({ group: 'x' }).length,
        b.findOne({ n: 3 })?.id,
        b.count(),
        b.first(1).length,
        b.last(1)[0]?.id,
        b.paginate({ limit: 1 }).hasMore,
        b.sum('n'),
        b.avg('n'),
        b.min('n'),
        b.max('n'),
      ]
    })
    expect(seen).toEqual(['a', false, 2, ['a', 'b'], 2, 'b', 2, 1, 'b', true, 4, 2, 1, 3])
  })

  test('refuses what is asynchronous or no function, and unknown or loading buckets', async () => {
    const { store } = await openBucket(ITEM)
    // @ts-expect-error the function must not be asynchronous
    expect(() => store.read(async () => 1)).toThrow('a synchronous function')
    expect(() => store.read(5 as never)).toThrow('a function')
    expect(() => store.read((view) => view.bucket('nope'))).toThrow('Bucket "nope" is not defined')
    const other: Store = await Store.start()
    void other.defineBucket('slow', ITEM)
    expect(() => other.read((view) => view.bucket('slow').count())).toThrow('Bucket "slow" is starting')
    await other.stop()
  })

  test('passes on what the function throws, and the bucket stays as it is', async () => {
    const { store, bucket } = await openBucket(ITEM)
    expect(() =>
      store.read(() => {
        throw new RangeError('mine')
      }),
    ).toThrow(RangeError)
    expect(await bucket.count()).toBe(0)
  })
})
