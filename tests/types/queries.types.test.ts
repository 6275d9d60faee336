import { expectTypeOf, test } from 'vitest'
import { avg, count, max, min, Store, sum } from '../../src/index.js'
import type { Explanation, FilterOf, Query, QueryPage, StoreRecord, SyncQuery } from '../../src/index.js'
import { compiled } from './compiled.js'

const start = () =>
  Store.start({
    buckets: {
      cities: {
        key: 'id',
        schema: {
          id: { type: 'number', generated: 'autoincrement' },
          name: { type: 'string', required: true, collate: 'de' },
          role: { type: 'string', enum: ['capital', 'town'], default: 'town' },
          people: { type: 'number' },
          isOld: { type: 'boolean', default: false },
          founded: { type: 'date' },
          tags: { type: 'array', items: { type: 'string' }, default: [] },
          years: { type: 'array', items: { type: 'number' } },
          location: {
            type: 'object',
            properties: {
              lat: { type: 'number', required: true },
              label: { type: 'string' },
              grid: { type: 'object', properties: { zone: { type: 'number' } } },
            },
          },
          anything: { type: 'object' },
        },
        indexes: ['name', ['role', 'people'], 'location.lat', { fields: ['name'], unique: true, where: { people: 1 } }],
      },
    },
  })

declare const store: Awaited<ReturnType<typeof start>>
type City = NonNullable<Awaited<ReturnType<ReturnType<typeof cities>['get']>>>
const cities = () => store.bucket('cities')

test('filters take fields, paths, operators and values of the schema', () =>
  compiled(() => {
    const bucket = cities()
    void bucket.where({ name: 'x', people: { gt: 1, lte: 5 }, role: { in: ['town', null] }, isOld: { ne: true } })
    void bucket.where({
      name: { startsWith: 'a', endsWith: 'b', contains: 'c', like: '%d_' },
      people: { between: [1, 2] },
    })
    void bucket.where({ founded: { gte: new Date(0), lt: '2000-01-01' }, _createdAt: { gt: 1 } })
    void bucket.where({ tags: { has: 'x' }, years: { has: 1900, exists: true }, location: { exists: false } })
    void bucket.where({ 'location.lat': { gt: 1 }, 'location.grid.zone': 3, 'location.label': null })
    void bucket.where({
      or: [{ name: 'x' }, { not: { people: { gt: 1 } } }],
      and: [{ role: 'town' }],
      not: { isOld: true },
    })
    void bucket.query({ people: null }).exists()
    void bucket.deleteMany({ people: { lt: 1 } })
    void bucket.updateMany({ 'location.lat': { exists: false } }, { people: 0 })
    void bucket.findOne({ people: { gt: 1 } })
    void bucket.sum('people', { role: { notIn: ['town'] } })
    expectTypeOf<{ people: { gt: number } }>().toExtend<FilterOf<City>>()
  }))

test('and nothing else', () =>
  compiled(() => {
    const bucket = cities()
    // @ts-expect-error no such field
    void bucket.where({ nmae: 'x' })
    // @ts-expect-error no such field inside or
    void bucket.where({ or: [{ nmae: 'x' }] })
    // @ts-expect-error no such field inside not
    void bucket.query({ not: { nmae: 'x' } })
    // @ts-expect-error no such path
    void bucket.where({ 'location.lon': 1 })
    // @ts-expect-error no such path further down
    void bucket.where({ 'location.grid.zones': 1 })
    // @ts-expect-error a latitude is a number
    void bucket.where({ 'location.lat': '1' })
    // @ts-expect-error no such operator
    void bucket.where({ people: { above: 1 } })
    // @ts-expect-error a number has no beginning
    void bucket.where({ people: { startsWith: '1' } })
    // @ts-expect-error nor is it like anything
    void bucket.where({ people: { like: '1%' } })
    // @ts-expect-error a name has no items
    void bucket.where({ name: { has: 'x' } })
    // @ts-expect-error the number of people is a number
    void bucket.where({ people: { gt: '1' } })
    // @ts-expect-error so is each in a list
    void bucket.where({ people: { in: [1, '2'] } })
    // @ts-expect-error no such role
    void bucket.where({ role: { in: ['village'] } })
    // @ts-expect-error no such role
    void bucket.where({ role: { ne: 'village' } })
    // @ts-expect-error two ends
    void bucket.where({ people: { between: [1] } })
    // @ts-expect-error both of them numbers
    void bucket.where({ people: { between: [1, 'x'] } })
    // @ts-expect-error nothing comes before or after null
    void bucket.where({ people: { gt: null } })
    // @ts-expect-error undefined is not missing
    void bucket.where({ people: undefined })
    // @ts-expect-error nor is it in an operator
    void bucket.where({ people: { gt: undefined } })
    // @ts-expect-error nor in a list
    void bucket.where({ people: { in: [undefined] } })
    // @ts-expect-error a field is there or it is not
    void bucket.where({ people: { exists: 1 } })
    // @ts-expect-error tags are strings
    void bucket.where({ tags: { has: 1 } })
    // @ts-expect-error an array equals nothing
    void bucket.where({ tags: ['x'] })
    // @ts-expect-error only dates are dates
    void bucket.where({ name: new Date() })
    // @ts-expect-error and takes a list
    void bucket.where({ and: { name: 'x' } })
    // @ts-expect-error not takes one filter
    void bucket.where({ not: [{ name: 'x' }] })
    // @ts-expect-error no such field
    void bucket.deleteMany({ nmae: { eq: 'x' } })
    // @ts-expect-error no such operator
    void bucket.count({ people: { greater: 1 } })
  }))

test('queries are typed by what is asked of them', () =>
  compiled(async () => {
    const query = cities().where({ role: 'town' })
    expectTypeOf(query).toEqualTypeOf<Query<City>>()
    expectTypeOf(cities().query()).toEqualTypeOf<Query<City>>()
    expectTypeOf(query.orderBy('name').orderBy('location.lat', 'desc').limit(1).offset(2)).toEqualTypeOf<Query<City>>()
    expectTypeOf(await query).toEqualTypeOf<City[]>()
    expectTypeOf(await query.first()).toEqualTypeOf<City | undefined>()
    expectTypeOf(await query.count()).toEqualTypeOf<number>()
    expectTypeOf(await query.exists()).toEqualTypeOf<boolean>()
    expectTypeOf(await query.sum('location.grid.zone')).toEqualTypeOf<number>()
    expectTypeOf(await query.avg('people')).toEqualTypeOf<number>()
    expectTypeOf(await query.min('founded')).toEqualTypeOf<number | undefined>()
    expectTypeOf(await query.max('_updatedAt')).toEqualTypeOf<number | undefined>()
    expectTypeOf(await query.page({ size: 1 })).toEqualTypeOf<QueryPage<City>>()
    expectTypeOf(await query.explain()).toEqualTypeOf<Explanation>()
    for await (const city of query) expectTypeOf(city).toEqualTypeOf<City>()
    // @ts-expect-error no such field
    void query.orderBy('nmae')
    // @ts-expect-error no such path
    void query.orderBy('location.lon')
    // @ts-expect-error no such direction
    void query.orderBy('name', 'up')
    // @ts-expect-error a name is no number
    void query.sum('name')
    // @ts-expect-error nor is a label
    void query.max('location.label')
    // @ts-expect-error no such field
    void query.avg('poeple')
    // @ts-expect-error a page has a size
    void query.page({ after: 'x' })
    // @ts-expect-error a cursor is text
    void query.page({ size: 1, after: 1 })
    // @ts-expect-error no such field
    void query.distinct('nmae')
    // @ts-expect-error no such field
    void query.select('nmae')
    // @ts-expect-error no such field
    void query.groupBy('nmae')
  }))

test('select gives the fields that it names, by the names that they have there', () =>
  compiled(async () => {
    const query = cities().query().select('id', 'role', 'people', 'location.lat', 'location.label')
    const [row] = await query
    if (row === undefined) return
    expectTypeOf(row.id).toEqualTypeOf<number>()
    expectTypeOf(row.role).toEqualTypeOf<'capital' | 'town'>()
    expectTypeOf(row.people).toEqualTypeOf<number | undefined>()
    expectTypeOf(row['location.lat']).toEqualTypeOf<number | undefined>()
    expectTypeOf(row['location.label']).toEqualTypeOf<string | undefined>()
    // @ts-expect-error the name was not asked for
    void row.name
    // @ts-expect-error rows are frozen
    row.id = 1
    // What is asked for is not what can be sorted by.
    expectTypeOf((await query.orderBy('name').page({ size: 1 })).records[0]?.id).toEqualTypeOf<number | undefined>()
    expectTypeOf((await query.first())?.people).toEqualTypeOf<number | undefined>()
  }))

test('distinct values and groups are typed, with null for missing', () =>
  compiled(async () => {
    const query = cities().query()
    expectTypeOf(await query.distinct('role')).toEqualTypeOf<('capital' | 'town' | null)[]>()
    expectTypeOf(await query.distinct('people')).toEqualTypeOf<(number | null)[]>()
    expectTypeOf(await query.distinct('location.label')).toEqualTypeOf<(string | null)[]>()
    const rows = await query.groupBy('role', 'location.lat').aggregate({
      n: count(),
      people: sum('people'),
      mean: avg('location.lat'),
      low: min('people'),
      high: max('founded'),
    })
    const [row] = rows
    if (row === undefined) return
    expectTypeOf(row.role).toEqualTypeOf<'capital' | 'town' | null>()
    expectTypeOf(row['location.lat']).toEqualTypeOf<number | null>()
    expectTypeOf(row.n).toEqualTypeOf<number>()
    expectTypeOf(row.people).toEqualTypeOf<number>()
    expectTypeOf(row.mean).toEqualTypeOf<number>()
    expectTypeOf(row.low).toEqualTypeOf<number | undefined>()
    expectTypeOf(row.high).toEqualTypeOf<number | undefined>()
    // @ts-expect-error no such aggregate
    void row.most
    // @ts-expect-error a name is no number
    void query.groupBy('role').aggregate({ total: sum('name') })
    // @ts-expect-error no such field
    void query.groupBy('role').aggregate({ total: sum('poeple') })
    // @ts-expect-error that is no aggregate
    void query.groupBy('role').aggregate({ total: 'people' })
    // @ts-expect-error fields have names
    void query.groupBy(1)
  }))

test('in store.read queries answer at once; in transactions and query functions they are as outside', () =>
  compiled(async () => {
    store.read((view) => {
      const query = view.bucket('cities').query({ people: { gt: 1 } })
      expectTypeOf(query).toEqualTypeOf<SyncQuery<City>>()
      expectTypeOf(query.orderBy('name').run()).toEqualTypeOf<City[]>()
      expectTypeOf(query.first()).toEqualTypeOf<City | undefined>()
      expectTypeOf(query.count()).toEqualTypeOf<number>()
      expectTypeOf(query.page({ size: 1 })).toEqualTypeOf<QueryPage<City>>()
      expectTypeOf(query.select('id').run()[0]?.id).toEqualTypeOf<number | undefined>()
      expectTypeOf(view.bucket('cities').where({ name: 'x' })).toEqualTypeOf<City[]>()
      // @ts-expect-error it is no promise
      void query.then
      // @ts-expect-error no such field
      view.bucket('cities').query({ nmae: 1 })
    })
    await store.transaction(async (tx) => {
      expectTypeOf(
        await tx
          .bucket('cities')
          .where({ people: { gt: 1 } })
          .orderBy('name'),
      ).toEqualTypeOf<City[]>()
      // @ts-expect-error no such operator
      await tx.bucket('cities').where({ people: { above: 1 } })
    })
    const names = store.defineQuery('names', async (ctx, params: { readonly above: number }) =>
      ctx
        .bucket('cities')
        .where({ people: { gt: params.above } })
        .orderBy('people', 'desc')
        .limit(3)
        .select('name'),
    )
    expectTypeOf((await store.runQuery(names, { above: 1 }))[0]?.name).toEqualTypeOf<string | undefined>()
  }))

test('without a definition, fields are any, and their values unknown', () =>
  compiled(async () => {
    const bucket = (store as unknown as Store).bucket('cities')
    void bucket.where({ anything: { gt: 1 }, 'any.path': { in: ['x'] }, or: [{ x: 1 }], not: { y: null } })
    expectTypeOf(bucket.query()).toEqualTypeOf<Query<StoreRecord>>()
    expectTypeOf((await bucket.query().orderBy('x').first())?.['x']).toEqualTypeOf<unknown>()
    expectTypeOf((await bucket.query().select('x'))[0]?.x).toEqualTypeOf<unknown>()
    expectTypeOf(await bucket.query().sum('any.path')).toEqualTypeOf<number>()
    const rows = await bucket
      .query()
      .groupBy('x')
      .aggregate({ n: count(), low: min('y') })
    expectTypeOf(rows[0]?.n).toEqualTypeOf<number | undefined>()
    // @ts-expect-error undefined is refused
    void bucket.where({ x: undefined })
    // @ts-expect-error a function is no value
    void bucket.where({ x: () => 1 })
  }))

test('indexes and collations of a definition are checked', () =>
  compiled(() => {
    const schema = {
      id: { type: 'string' },
      place: { type: 'object', properties: { lat: { type: 'number' } } },
    } as const
    void store.defineBucket('a', { key: 'id', schema, indexes: ['place.lat', ['id', 'place.lat'], '_createdAt'] })
    // @ts-expect-error no such field
    void store.defineBucket('a', { key: 'id', schema, indexes: ['plcae'] })
    // @ts-expect-error no such field in a list
    void store.defineBucket('a', { key: 'id', schema, indexes: [['id', 'plcae']] })
    // @ts-expect-error no such field in an object
    void store.defineBucket('a', { key: 'id', schema, indexes: [{ fields: ['plcae'], unique: true }] })
    // @ts-expect-error unique is a flag
    void store.defineBucket('a', { key: 'id', schema, indexes: [{ fields: ['id'], unique: 'yes' }] })
    // @ts-expect-error a collation has a locale
    void store.defineBucket('a', { key: 'id', schema: { id: { type: 'string', collate: { numeric: true } } } })
  }))
