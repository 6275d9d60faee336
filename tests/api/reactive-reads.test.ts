import { describe, expect, test } from 'vitest'
import type { BucketDefinition, Store } from '../../src/index.js'
import { gate, open, rejection } from './opened.js'

const PERSON: BucketDefinition = {
  key: 'id',
  schema: {
    id: { type: 'string' },
    city: { type: 'string' },
    age: { type: 'number' },
    nick: { type: 'string' },
    address: { type: 'object' },
  },
}

async function people(): Promise<Store> {
  const store = await open()
  await store.defineBucket('people', PERSON)
  return store
}

/** Subscribes to the records that match each filter; says whose function has run since it was last asked. */
async function watch(store: Store, filters: Record<string, object>): Promise<() => Promise<string[]>> {
  let ran: string[] = []
  store.defineQuery('watched', (ctx, name: string) => {
    ran.push(name)
    return ctx.bucket('people').where(filters[name] as never)
  })
  for (const name of Object.keys(filters)) await store.subscribe('watched', name, () => undefined)
  ran = []
  return async () => {
    await store.settle()
    const all = ran.sort()
    ran = []
    return all
  }
}

describe('a query runs again when a commit touches what it has read, and only then', () => {
  test('whatever its filter asks for', async () => {
    const store = await people()
    const ran = await watch(store, {
      'in brno': { city: 'brno' },
      'in brno or wien': { city: { in: ['brno', 'wien'] } },
      'of age': { age: { gte: 18 } },
      teens: { age: { gte: 13, lt: 20 } },
      'in br': { city: { startsWith: 'br' } },
      'no nick': { nick: null },
      'wien or old': { or: [{ city: 'wien' }, { age: { gt: 90 } }] },
      'not brno': { not: { city: 'brno' } },
      'zip 1': { 'address.zip': 1 },
    })
    const bucket = store.bucket('people')
    await bucket.insert({ id: 'a', city: 'brno', age: 13, nick: 'x' })
    expect(await ran()).toEqual(['in br', 'in brno', 'in brno or wien', 'teens'])
    await bucket.update('a', { age: 20 })
    expect(await ran()).toEqual(['in br', 'in brno', 'in brno or wien', 'of age', 'teens'])
    await bucket.update('a', { city: 'linz', age: 12 })
    expect(await ran()).toEqual(['in br', 'in brno', 'in brno or wien', 'not brno', 'of age'])
    await bucket.update('a', { nick: undefined, address: { zip: 1 } })
    expect(await ran()).toEqual(['no nick', 'not brno', 'zip 1'])
    await bucket.update('a', { city: 'wien', age: 91 })
    expect(await ran()).toEqual(['in brno or wien', 'no nick', 'not brno', 'of age', 'wien or old', 'zip 1'])
    await bucket.clear()
    expect(await ran()).toHaveLength(9)
  })

  test('what the last evaluation does not read any more does not count', async () => {
    const store = await people()
    const bucket = store.bucket('people')
    await bucket.insert({ id: 'which', city: 'brno' })
    let runs = 0
    store.defineQuery('followed', async (ctx) => {
      runs++
      const which = await ctx.bucket('people').get('which')
      return ctx.bucket('people').where({ nick: (which as { city?: string } | undefined)?.city ?? '' })
    })
    await store.subscribe('followed', () => undefined)
    await bucket.update('which', { city: 'wien' })
    await store.settle()
    runs = 0
    await bucket.insert({ id: 'a', nick: 'brno' })
    await store.settle()
    expect(runs).toBe(0)
    await bucket.insert({ id: 'b', nick: 'wien' })
    await store.settle()
    expect(runs).toBe(1)
  })

  test('a transaction of many writes is one evaluation of each query that it concerns', async () => {
    const store = await people()
    const ran = await watch(store, { brno: { city: 'brno' }, wien: { city: 'wien' }, old: { age: { gt: 90 } } })
    await store.transaction(async (tx) => {
      for (let n = 0; n < 100; n++) {
        await tx.bucket('people').insert({ id: String(n), city: n % 2 === 0 ? 'brno' : 'wien', age: 5 })
      }
    })
    expect(await ran()).toEqual(['brno', 'wien'])
  })

  test('a query that has missed a bucket runs again when it is defined', async () => {
    const store = await people()
    store.defineQuery('late', async (ctx) => {
      const known = await ctx.bucket('people').count()
      return known === 0 ? 'nobody' : ctx.bucket('cities').count()
    })
    const results: unknown[] = []
    const errors: string[] = []
    await store.subscribe('late', (result) => results.push(result), { onError: (error) => errors.push(error.message) })
    await store.bucket('people').insert({ id: 'a' })
    await store.settle()
    expect(errors).toEqual(['Bucket "cities" is not defined'])
    await store.defineBucket('cities', PERSON)
    await store.settle()
    expect(results).toEqual([0])
  })
})

test('a query that runs once, and is overtaken, runs again', async () => {
  const store = await people()
  const [read, go] = [gate(), gate()]
  let runs = 0
  store.defineQuery('slow', async (ctx) => {
    runs++
    const first = await ctx.bucket('people').count({ city: 'brno' })
    read.open()
    await go.opened
    return [first, await ctx.bucket('people').count({ city: 'brno' })]
  })
  const answer = store.runQuery('slow')
  await read.opened
  await store.bucket('people').insert({ id: 'a', city: 'wien' })
  await store.bucket('people').insert({ id: 'b', city: 'brno' })
  go.open()
  expect(await answer).toEqual([1, 1])
  expect(runs).toBe(2)
})

test('a callback may end other subscriptions and begin new ones', async () => {
  const store = await people()
  store.defineQuery('count', (ctx) => ctx.bucket('people').count())
  const heard: string[] = []
  const ends: (() => void)[] = []
  const listen = async (name: string): Promise<void> => {
    ends.push(
      await store.subscribe('count', async () => {
        heard.push(name)
        for (const end of ends.splice(0)) end()
        if (name === 'first') await listen('third')
      }),
    )
  }
  await listen('first')
  await listen('second')
  await store.bucket('people').insert({ id: 'a' })
  await store.settle()
  await store.bucket('people').insert({ id: 'b' })
  await store.settle()
  expect(heard).toEqual(['first', 'third'])
  expect((await store.getStats()).queries.activeSubscriptions).toBe(0)
})

test('a write that fails is never seen, and the query runs again on what was before it', async () => {
  const store = await people()
  const results: unknown[] = []
  store.defineQuery('adults', (ctx) => ctx.bucket('people').count({ age: { gte: 18 } }))
  await store.subscribe('adults', (count) => results.push(count), { immediate: true })
  await store.bucket('people').insert({ id: 'a', age: 20 })
  expect((await rejection(store.bucket('people').insert({ id: 'a', age: 30 }))).name).toBe('DuplicateKeyError')
  await store.settle()
  expect(results).toEqual([0, 1])
})
