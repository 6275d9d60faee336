import { expect, test } from 'vitest'
import { avg, count, InvalidArgumentError, max, Store, sum } from '../../src/index.js'

async function cities() {
  const store = await Store.start({
    buckets: {
      cities: {
        key: 'id',
        schema: {
          id: { type: 'number' },
          name: { type: 'string', required: true, collate: 'de' },
          country: { type: 'string', required: true },
          population: { type: 'number' },
          tags: { type: 'array', items: { type: 'string' }, default: [] },
          location: {
            type: 'object',
            properties: { lat: { type: 'number', required: true }, name: { type: 'string' } },
          },
        },
        indexes: ['country', ['country', 'population'], { fields: ['name'], unique: true, where: { country: 'DE' } }],
      },
    },
  })
  const bucket = store.bucket('cities')
  await bucket.insertMany([
    { id: 1, name: 'Zürich', country: 'CH', population: 400, location: { lat: 47 } },
    { id: 2, name: 'Aachen', country: 'DE', population: 250, tags: ['old', 'west'] },
    { id: 3, name: 'Ärzen', country: 'DE', population: 10 },
    { id: 4, name: 'Berlin', country: 'DE', population: 3_600, tags: ['west', 'east'], location: { lat: 52 } },
    { id: 5, name: 'Bern', country: 'CH' },
  ])
  return { store, bucket }
}

const ids = (rows: readonly { readonly id: number }[]): number[] => rows.map(({ id }) => id)

test('a query is a value: nothing is read before it is awaited, and each use of it reads anew', async () => {
  const { store, bucket } = await cities()
  const german = bucket.where({ country: 'DE' })
  const byPopulation = german.orderBy('population', 'desc')
  await bucket.insert({ id: 6, name: 'Köln', country: 'DE', population: 1_000 })
  expect(ids(await german)).toEqual([2, 3, 4, 6])
  expect(ids(await byPopulation)).toEqual([4, 6, 2, 3])
  expect(ids(await byPopulation.limit(2))).toEqual([4, 6])
  expect(ids(await byPopulation.offset(1).limit(2))).toEqual([6, 2])
  await bucket.delete(6)
  expect(ids(await byPopulation)).toEqual([4, 2, 3])
  const [own] = [await german, await german]
  own.pop()
  expect(await german.count()).toBe(3)
  await store.stop()
})

test('strings sort by code unit, or as the field says; missing comes first', async () => {
  const { store, bucket } = await cities()
  expect(ids(await bucket.query().orderBy('name'))).toEqual([2, 3, 4, 5, 1])
  expect(ids(await bucket.query().orderBy('country').orderBy('population'))).toEqual([5, 1, 3, 2, 4])
  expect(ids(await bucket.query().orderBy('location.lat', 'desc'))).toEqual([4, 1, 2, 3, 5])
  await store.stop()
})

test('first, count, exists, aggregates, groups, distinct and select', async () => {
  const { store, bucket } = await cities()
  const german = bucket.where({ country: 'DE' })
  expect((await german.orderBy('population').first())?.name).toBe('Ärzen')
  expect(await german.count()).toBe(3)
  expect(await bucket.where({ country: 'FR' }).exists()).toBe(false)
  expect(await german.sum('population')).toBe(3_860)
  expect(await german.orderBy('population', 'desc').limit(2).avg('population')).toBe(1_925)
  expect([await german.min('population'), await bucket.where({ country: 'FR' }).max('population')]).toEqual([
    10,
    undefined,
  ])
  expect(await bucket.query().distinct('country')).toEqual(['CH', 'DE'])
  expect(await bucket.query().distinct('location.lat')).toEqual([null, 47, 52])
  expect(
    await bucket
      .query()
      .groupBy('country')
      .aggregate({ n: count(), people: sum('population'), mean: avg('population'), most: max('population') }),
  ).toEqual([
    { country: 'CH', n: 2, people: 400, mean: 400, most: 400 },
    { country: 'DE', n: 3, people: 3_860, mean: 3_860 / 3, most: 3_600 },
  ])
  const rows = await german.select('id', 'location.lat')
  expect(rows).toEqual([{ id: 2 }, { id: 3 }, { id: 4, 'location.lat': 52 }])
  expect(rows.every(Object.isFrozen)).toBe(true)
  await store.stop()
})

test('pages go on where they were, forward and backward, and for await walks them', async () => {
  const { store, bucket } = await cities()
  const query = bucket.query().orderBy('country', 'desc')
  const first = await query.page({ size: 2 })
  expect([ids(first.records), first.hasMore]).toEqual([[2, 3], true])
  await bucket.delete(3)
  const second = await query.page({ size: 2, after: first.nextCursor })
  expect([ids(second.records), second.hasMore]).toEqual([[4, 1], true])
  const back = await query.page({ size: 5, before: second.prevCursor })
  expect([ids(back.records), back.hasMore]).toEqual([[2], false])
  const last = await query.page({ size: 2, after: second.nextCursor })
  expect([ids(last.records), last.hasMore]).toEqual([[5], false])
  const walked: number[] = []
  for await (const { id } of query.offset(1).limit(2)) walked.push(id)
  expect(walked).toEqual([4, 1])
  await store.stop()
})

test('explain says which index, how many were examined and returned, in words and as data', async () => {
  const { store, bucket } = await cities()
  expect(await bucket.where({ country: 'DE', tags: { has: 'west' } }).explain()).toMatchObject({
    access: 'index',
    index: ['country'],
    examined: 3,
    returned: 2,
  })
  const top = await bucket.where({ country: 'DE' }).orderBy('population', 'desc').limit(1).explain()
  expect(top).toMatchObject({
    access: 'range',
    index: ['country', 'population'],
    order: 'backward',
    examined: 1,
    returned: 1,
  })
  expect(top.text).toBe(
    'bucket "cities": from a range of the index on country, population, backward, in its order; 1 examined, 1 returned',
  )
  expect(await bucket.where({ country: 'DE', name: 'Aachen' }).explain()).toMatchObject({
    index: ['name'],
    examined: 1,
  })
  expect(await bucket.where({ name: 'Aachen' }).explain()).toMatchObject({ access: 'scan', examined: 5 })
  await store.stop()
})

test('a unique index on several fields, or on some of the records, is kept', async () => {
  const { store, bucket } = await cities()
  await expect(bucket.insert({ id: 7, name: 'Berlin', country: 'DE' })).rejects.toMatchObject({
    name: 'UniqueConstraintError',
    field: 'name',
  })
  await bucket.insert({ id: 7, name: 'Berlin', country: 'US' })
  await expect(bucket.update(7, { country: 'DE' })).rejects.toMatchObject({ name: 'UniqueConstraintError' })
  expect((await bucket.get(7))?.country).toBe('US')
  await store.stop()
})

test('a unique index on several fields is asked by value, and tells the infinities apart', async () => {
  const store = await Store.start({
    buckets: {
      b: {
        key: 'id',
        schema: { id: { type: 'number' }, tenant: { type: 'string' }, n: { type: 'number' } },
        indexes: [{ fields: ['tenant', 'n'], unique: true }],
      },
    },
  })
  const bucket = store.bucket('b')
  await bucket.insertMany([0, 1, Infinity, -Infinity].map((n, id) => ({ id, tenant: 'a', n })))
  await bucket.insertMany(Array.from({ length: 20 }, (_, n) => ({ id: 10 + n, tenant: 'b', n })))
  const one = bucket.where({ tenant: 'a', n: 1 })
  expect(ids(await one)).toEqual([1])
  expect(await one.explain()).toMatchObject({ access: 'index', index: ['tenant', 'n'], examined: 1, tested: '' })
  expect(ids(await bucket.where({ tenant: 'a', n: -Infinity }))).toEqual([3])
  expect(await bucket.where({ tenant: 'a', n: { in: [0, 1] } }).explain()).toMatchObject({ access: 'range' })
  await expect(bucket.insert({ id: 9, tenant: 'a', n: Infinity })).rejects.toThrow('already has value "["a",1e999]"')
  await store.stop()
})

test('NaN matches nothing, with whatever indexes', async () => {
  const store = await Store.start({
    buckets: {
      b: {
        key: 'id',
        schema: { id: { type: 'number' }, a: { type: 'number' }, t: { type: 'string' } },
        indexes: [['a', 't'], { fields: ['t'], where: { a: null } }],
      },
    },
  })
  const bucket = store.bucket('b')
  await bucket.insertMany(Array.from({ length: 9 }, (_, id) => ({ id, t: 'x', ...(id === 5 && { a: 1 }) })))
  expect(await bucket.where({ a: Number.NaN })).toEqual([])
  expect(await bucket.where({ a: Number.NaN, t: 'x' })).toEqual([])
  expect(await bucket.where({ a: { in: [Number.NaN, 1] } }).count()).toBe(1)
  expect(await bucket.where({ a: null, t: 'x' }).count()).toBe(8)
  await store.stop()
})

test('a page goes on after a value of any length, and objects are the same with their fields in any order', async () => {
  const store = await Store.start({
    buckets: {
      b: { key: 'id', schema: { id: { type: 'number' }, text: { type: 'string' }, o: { type: 'object' } } },
    },
  })
  const bucket = store.bucket('b')
  const text = 'y'.repeat(200_000)
  await bucket.insertMany([
    { id: 1, text, o: { x: 1, y: 2 } },
    { id: 2, text, o: { y: 2, x: 1 } },
  ])
  const query = bucket.query().orderBy('text')
  const { nextCursor } = await query.page({ size: 1 })
  expect(ids((await query.page({ size: 1, after: nextCursor })).records)).toEqual([2])
  expect(await query.distinct('o')).toEqual([{ x: 1, y: 2 }])
  expect(await query.groupBy('o').aggregate({ n: count() })).toEqual([{ o: { x: 1, y: 2 }, n: 2 }])
  await store.stop()
})

test('what has no fields is no filter: it would be everything', async () => {
  const { store, bucket } = await cities()
  for (const wrong of [new Map([['country', 'DE']]), Promise.resolve({ country: 'DE' }), new Set()]) {
    await expect(bucket.deleteMany(wrong as never)).rejects.toThrow('a plain object of field values')
  }
  expect(await bucket.count()).toBe(5)
  await store.stop()
})

test('queries work in transactions over what was written there, in store.read, and in query functions', async () => {
  const { store, bucket } = await cities()
  const top = async (from: {
    query(): { orderBy(field: 'population', direction: 'desc'): { limit(n: number): PromiseLike<{ id: number }[]> } }
  }) => ids(await from.query().orderBy('population', 'desc').limit(2))
  await store.transaction(async (tx) => {
    await tx.bucket('cities').insert({ id: 9, name: 'Wien', country: 'AT', population: 1_900 })
    expect(await top(tx.bucket('cities'))).toEqual([4, 9])
    expect((await tx.bucket('cities').query().explain()).access).toBe('overlay')
  })
  expect(store.read((view) => ids(view.bucket('cities').query({ country: 'AT' }).orderBy('name').run()))).toEqual([9])
  store.defineQuery('top', (ctx) => top(ctx.bucket('cities')))
  const results: unknown[] = []
  await store.subscribe('top', (result) => results.push(result), { immediate: true })
  await bucket.update(9, { population: 9_000 })
  await store.settle()
  expect(results).toEqual([
    [4, 9],
    [9, 4],
  ])
  await store.stop()
})

test.each<[string, (bucket: Awaited<ReturnType<typeof cities>>['bucket']) => PromiseLike<unknown>]>([
  ['orderBy(field)', (bucket) => bucket.query().orderBy('' as never)],
  ['orderBy(field): direction', (bucket) => bucket.query().orderBy('name', 'up' as never)],
  ['limit(n)', (bucket) => bucket.query().limit(-1)],
  ['offset(n)', (bucket) => bucket.query().offset(1.5)],
  ['select(…fields)', (bucket) => bucket.query().select(1 as never)],
  ['sum(field)', (bucket) => bucket.query().sum(undefined as never)],
  ['groupBy(…fields)', (bucket) => bucket.query().groupBy().aggregate({})],
  [
    'groupBy(…).aggregate(…): n',
    (bucket) =>
      bucket
        .query()
        .groupBy('country')
        .aggregate({ n: 1 as never }),
  ],
  ['page({ size })', (bucket) => bucket.query().page({ size: 0 })],
  ['page({ after })', (bucket) => bucket.query().page({ size: 1, after: 'nonsense' })],
  ['page({ size, after, before })', (bucket) => bucket.query().limit(1).page({ size: 1 })],
])('%s refuses what it cannot take, when it is asked, and names it', async (argument, ask) => {
  const { store, bucket } = await cities()
  const error: unknown = await Promise.resolve(ask(bucket)).catch((refused: unknown) => refused)
  expect(error).toBeInstanceOf(InvalidArgumentError)
  expect((error as Error).message).toContain(`bucket("cities").where(…).${argument}`)
  await store.stop()
})

test('a filter whose getter throws a revoked proxy is refused, and harms nobody', async () => {
  const { store, bucket } = await cities()
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  const hostile = {
    get name(): string {
      // oxlint-disable-next-line typescript/only-throw-error -- that is what is tried
      throw proxy
    },
  }
  await expect(bucket.where(hostile)).rejects.toThrow(InvalidArgumentError)
  expect(store.supervision()).toMatchObject({ state: 'running' })
  await expect(bucket.where({ name: { like: '%'.repeat(1_001) } })).rejects.toThrow(/at most 1000 characters/)
  await store.stop()
})

test('an index of a large bucket is not put in order for a query that another index answers well', async () => {
  const store = await Store.start()
  const things = await store.defineBucket('things', {
    key: 'id',
    schema: { id: { type: 'number' }, group: { type: 'number' }, rank: { type: 'number' } },
    indexes: ['group', 'rank'],
  })
  await things.insertMany(Array.from({ length: 2_000 }, (_, id) => ({ id, group: id % 100, rank: id })))
  const isOrdered = (): boolean => {
    const { table } = (
      store as unknown as {
        engine: { catalog: { must(name: string): { table: { indexes: { orderedIfKept: unknown }[] } } } }
      }
    ).engine.catalog.must('things')
    return table.indexes.some(({ orderedIfKept }) => orderedIfKept !== undefined)
  }
  expect(
    (
      await things
        .where({ group: 3, rank: { gt: 50 } })
        .orderBy('rank')
        .explain()
    ).access,
  ).toBe('index')
  expect(isOrdered()).toBe(false)
  expect((await things.where({ rank: { gt: 1_990 } }).explain()).access).toBe('range')
  expect(isOrdered()).toBe(true)
  await store.stop()
})
