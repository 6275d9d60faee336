import { expect, expectTypeOf, test } from 'vitest'
import { Store } from '../../src/index.js'
import type { BucketDefinition, BucketEvent, BucketHandle, BucketInsertedEvent, StoreRecord } from '../../src/index.js'

// The way noex-store is used: definitions typed as BucketDefinition, queries by name, casts where a value is used.

const usersDef: BucketDefinition = {
  key: 'id',
  schema: {
    id: { type: 'string', generated: 'uuid' },
    name: { type: 'string', required: true },
    role: { type: 'string', enum: ['admin', 'user'], default: 'user' },
    score: { type: 'number', default: 0 },
  },
  indexes: ['role'],
}

let store: Store

async function createStore(): Promise<Store> {
  store = await Store.start({ name: 'my-app', ttlCheckIntervalMs: 0 })
  await store.defineBucket('users', usersDef)
  return store
}

test('code that was written for untyped stores compiles and runs', async () => {
  const s = await createStore()
  const users: BucketHandle = s.bucket('users')
  const handle = await s.defineBucket('more', { ...usersDef, ttl: '1h' })
  expectTypeOf(handle.get).returns.resolves.toEqualTypeOf<StoreRecord | undefined>()

  const inserted: BucketInsertedEvent[] = []
  const events: BucketEvent[] = []
  await s.on<BucketInsertedEvent>('bucket.users.inserted', (msg) => {
    inserted.push(msg)
  })
  await s.on('bucket.*.*', (event: BucketEvent) => {
    events.push(event)
  })
  await s.on('bucket.*.*', (event, topic) => {
    void [topic, event.type, event.bucket, event.key]
    switch (event.type) {
      case 'inserted':
        return event.record
      case 'updated':
        return [event.oldRecord, event.newRecord]
      case 'deleted':
        return event.record
      default:
        return undefined
    }
  })
  await s.on('bucket.users.inserted', (event) => expectTypeOf(event.record['name']).toEqualTypeOf<unknown>())

  const results: StoreRecord[][] = []
  s.defineQuery('all-users', async (ctx) => ctx.bucket('users').all())
  s.defineQuery('users-by-role', async (ctx, params: { role: string }) =>
    ctx.bucket('users').where({ role: params.role }),
  )
  await s.subscribe<StoreRecord[]>('all-users', (r) => {
    results.push(r)
  })
  await s.subscribe('users-by-role', { role: 'admin' }, (admins) => expectTypeOf(admins).toEqualTypeOf<unknown>())

  const alice = await users.insert({ name: 'Alice', role: 'admin' })
  expectTypeOf(alice['name']).toEqualTypeOf<unknown>()
  await s.transaction(async (tx) => {
    const bucket = await tx.bucket('users')
    const user = await bucket.get(alice['id'])
    await bucket.update(alice['id'], { score: (user!['score'] as number) + 1 })
  })
  await s.settle()

  const page = await users.paginate({ limit: 20 })
  await users.paginate({ after: page.nextCursor, limit: 20 })
  await users.sum('score', { role: 'admin' })
  const rows = await s.runQuery<StoreRecord[]>('users-by-role', { role: 'admin' })
  expect(rows[0]?.['score']).toBe(1)
  expect(results.at(-1)).toHaveLength(1)
  expect(inserted).toHaveLength(1)
  expect(events.map((event) => event.type)).toEqual(['inserted', 'updated'])
  await users.delete(alice['id'])
  await s.stop()
})
