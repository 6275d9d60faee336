import { expect, test } from 'vitest'
import * as varve from '../../src/index.js'
import { MemoryAdapter } from '../../src/index.js'
import { KEYED, open, openBucket, USERS } from './opened.js'

test('getStats has the shape of noex-store', async () => {
  const store = await open({
    name: 'my-store',
    persistence: { adapter: new MemoryAdapter() },
    ttlCheckIntervalMs: 5_000,
  })
  await store.defineBucket('users', USERS)
  await store.defineBucket('orders', {
    key: 'id',
    schema: { id: { type: 'number', generated: 'autoincrement' }, n: { type: 'number' } },
    indexes: ['n'],
  })
  await store.bucket('users').insert({ name: 'A', email: 'a@b.cz' })
  await store.bucket('orders').insertMany([{}, {}])
  store.defineQuery('q', (ctx) => ctx.bucket('users').count())
  const off = await store.subscribe('q', () => undefined)
  await store.subscribe('q', () => undefined)
  expect(await store.getStats()).toEqual({
    name: 'my-store',
    buckets: { count: 2, names: ['users', 'orders'] },
    records: { total: 3, perBucket: { users: 1, orders: 2 } },
    indexes: { total: 3, perBucket: { users: 2, orders: 1 } },
    queries: { defined: 1, activeSubscriptions: 2 },
    live: { views: 1, subscriptions: 2, evaluations: 1, checked: 0, diverged: 0 },
    persistence: { enabled: true },
    ttl: { enabled: true, checkIntervalMs: 5_000 },
  })
  off()
  await store.dropBucket('orders')
  expect(await store.getStats()).toMatchObject({
    buckets: { count: 1, names: ['users'] },
    records: { total: 1, perBucket: { users: 1 } },
    queries: { activeSubscriptions: 1 },
  })
})

test('the defaults: no persistence, ttl checked every second; 0 switches that off', async () => {
  expect(await (await open()).getStats()).toMatchObject({
    persistence: { enabled: false },
    ttl: { enabled: true, checkIntervalMs: 1_000 },
  })
  expect(await (await open({ ttlCheckIntervalMs: 0 })).getStats()).toMatchObject({
    ttl: { enabled: false, checkIntervalMs: 0 },
  })
})

test('a query that runs once is no subscription', async () => {
  const { store } = await openBucket(KEYED)
  store.defineQuery('q', async (ctx) => {
    await ctx.bucket('b').count()
    return (await store.getStats()).queries.activeSubscriptions
  })
  expect(await store.runQuery('q')).toBe(0)
})

test('the door has every name that noex-store documents', () => {
  for (const name of [
    'Store',
    'BucketHandle',
    'BucketAlreadyExistsError',
    'BucketNotDefinedError',
    'UniqueConstraintError',
    'TransactionConflictError',
    'ValidationError',
    'QueryAlreadyDefinedError',
    'QueryNotDefinedError',
    'bridgeStoreToRules',
    'generateUuid',
    'generateCuid',
    'generateTimestamp',
    'isValidEmail',
    'isValidUrl',
    'isValidIsoDate',
    'parseTtl',
    'FileAdapter',
    'SQLiteAdapter',
    'MemoryAdapter',
  ]) {
    expect(varve, name).toHaveProperty(name)
  }
})
