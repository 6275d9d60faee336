import { describe, expect, test } from 'vitest'
import type { BucketDefinition, BucketHandle, Store } from '../../src/index.js'
import { open, rejection } from './opened.js'

const definition = (indexes: BucketDefinition['indexes'] = []): BucketDefinition => ({
  key: 'id',
  schema: {
    id: { type: 'string' },
    role: { type: 'string' },
    age: { type: 'number' },
    tags: { type: 'array', items: { type: 'string' } },
    address: { type: 'object', properties: { city: { type: 'string' } } },
  },
  indexes,
})

const PEOPLE = [
  { id: 'ada', role: 'admin', age: 36, tags: ['math', 'poet'], address: { city: 'London' } },
  { id: 'bob', role: 'user', age: 17, tags: [], address: { city: 'Oslo' } },
  { id: 'cyd', role: 'user', age: null, address: {} },
  { id: 'dan', role: 'guest', age: 70, tags: ['chess'] },
  { id: 'eve', age: 36, tags: ['math'], address: { city: 'Lund' } },
]

/** A filter, and the ids that it finds. */
const CASES: readonly (readonly [filter: object, ids: string])[] = [
  [{}, 'ada bob cyd dan eve'],
  [{ age: { gte: 18, lt: 70 } }, 'ada eve'],
  [{ age: { ne: 36 } }, 'bob dan'],
  [{ not: { age: 36 } }, 'bob cyd dan'],
  [{ age: { exists: false } }, 'cyd'],
  [{ role: null }, 'eve'],
  [{ role: { in: ['admin', null] } }, 'ada eve'],
  [{ role: { notIn: ['admin'] } }, 'bob cyd dan'],
  [{ role: { in: [] } }, ''],
  [{ id: { in: ['dan', 'ada', 'dan', 'zed'] } }, 'ada dan'],
  [{ id: 'ada', age: { gt: 40 } }, ''],
  [{ age: { between: [17, 36] } }, 'ada bob eve'],
  [{ tags: { has: 'math' } }, 'ada eve'],
  [{ 'address.city': { startsWith: 'L' } }, 'ada eve'],
  [{ 'address.city': { like: 'L_nd%' } }, 'ada eve'],
  [{ 'address.city': { endsWith: 'o' } }, 'bob'],
  [{ role: { contains: 'es' } }, 'dan'],
  [{ or: [{ role: 'admin' }, { age: { lt: 18 } }] }, 'ada bob'],
  [{ role: 'user', or: [{ age: 17 }, { age: 70 }] }, 'bob'],
  [{ and: [{ role: 'user' }, { not: { age: null } }] }, 'bob'],
  [{ not: { or: [{ role: 'user' }, { role: 'guest' }] } }, 'ada eve'],
  [{ or: [] }, ''],
]

async function filled(indexes: BucketDefinition['indexes']): Promise<{ store: Store; people: BucketHandle }> {
  const store = await open()
  await store.defineBucket('people', definition(indexes))
  const people = store.bucket('people')
  await people.insertMany(PEOPLE)
  return { store, people }
}

const idsOf = (records: readonly { readonly [field: string]: unknown }[]): string =>
  records.map((record) => record['id']).join(' ')

describe.each([
  ['without an index', []],
  ['with indexes', ['role', 'age']],
] as const)('%s', (_, indexes) => {
  test.each(CASES)('%o finds the same everywhere: %s', async (given, ids) => {
    const { store, people } = await filled(indexes)
    const filter = given as never
    const count = ids === '' ? 0 : ids.split(' ').length
    expect(idsOf(await people.where(filter))).toBe(ids)
    expect(await people.count(filter)).toBe(count)
    expect((await people.findOne(filter))?.['id'] ?? '').toBe(ids.split(' ')[0])
    expect(store.read((view) => idsOf(view.bucket('people').where(filter)))).toBe(ids)
    await store.transaction(async (tx) => {
      const own = tx.bucket('people')
      expect(idsOf(await own.where(filter))).toBe(ids)
      // What the transaction has written is found, and what it has deleted is not.
      await own.deleteMany(filter)
      expect(await own.count(filter)).toBe(0)
      if (count > 0) await own.insertMany(PEOPLE.filter(({ id }) => ids.split(' ').includes(id)))
      expect(await own.count(filter)).toBe(count)
    })
    expect(await people.updateMany(filter, { seen: true })).toBe(count)
    expect(await people.count({ seen: true })).toBe(count)
    expect(await people.deleteMany(filter)).toBe(count)
    expect(await people.count()).toBe(PEOPLE.length - count)
  })

  test.each(CASES)(
    'a subscription to %o runs again when a record comes, changes and goes, and only then',
    async (given) => {
      const { store, people } = await filled(indexes)
      const filter = given as never
      let runs = 0
      let seen = ''
      const query = store.defineQuery('found', async (ctx) => {
        runs++
        return idsOf(await ctx.bucket('people').where(filter))
      })
      await store.subscribe(query, (ids) => {
        seen = ids
      })
      const check = async (): Promise<void> => {
        await store.settle()
        // The first result is not called back.
        if (runs > 1) expect(seen).toBe(idsOf(await people.where(filter)))
      }
      await people.clear()
      await check()
      for (const person of PEOPLE) {
        const before = runs
        await people.insert(person)
        await check()
        const isFound = (await people.count({ and: [given, { id: person.id }] } as never)) === 1
        expect([person.id, runs > before]).toEqual([person.id, isFound])
      }
      await people.update('ada', { age: 1, role: 'none', tags: [], address: { city: '' } })
      await check()
      await people.delete('eve')
      await check()
    },
  )
})

test('two transactions conflict over what a filter found, also where it found nothing', async () => {
  const { store } = await filled([])
  const attempt = (write: object, filter: object): Promise<unknown> =>
    store.transaction(async (tx) => {
      await tx.bucket('people').count(filter as never)
      await store.bucket('people').upsert(write)
      await tx.bucket('people').upsert({ id: 'me', age: 1 })
    })
  const among = { or: [{ age: { between: [50, 60] } }, { tags: { has: 'go' } }] }
  expect((await rejection(attempt({ id: 'new', age: 55 }, among))).name).toBe('TransactionConflictError')
  expect((await rejection(attempt({ id: 'new2', tags: ['go'] }, among))).name).toBe('TransactionConflictError')
  await attempt({ id: 'new3', age: 61, tags: ['chess'] }, among)
})

test('a filter that is refused does nothing, and says what there is', async () => {
  const { people } = await filled([])
  for (const filter of [
    { age: { above: 1 } },
    { not: { age: undefined } },
    { or: { age: 1 } },
    { age: { in: [[]] } },
  ]) {
    for (const call of [
      () => people.where(filter as never),
      () => people.updateMany(filter as never, { age: 0 }),
      () => people.deleteMany(filter as never),
    ]) {
      expect((await rejection(call())).name).toBe('InvalidArgumentError')
    }
  }
  const error = await rejection(people.where({ age: { above: 1 } }))
  expect(error.message).toContain('bucket("people").where(filter)')
  expect(error.message).toContain(
    'eq, ne, gt, gte, lt, lte, in, notIn, between, startsWith, endsWith, contains, like, has',
  )
  expect(await people.count()).toBe(PEOPLE.length)
})
