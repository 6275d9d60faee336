import { expect, test } from 'vitest'
import { InvalidArgumentError, Store, TransactionConflictError, ValidationError } from '../../src/index.js'

const users = {
  key: 'id',
  schema: { id: { type: 'number', generated: 'autoincrement' }, name: { type: 'string' } },
} as const

function throwing(): never {
  throw new Error('hostile')
}

test('option objects and lists that throw when they are read crash no bucket', async () => {
  const store = await Store.start({ buckets: { users } })
  const bucket = store.bucket('users')
  const { id } = await bucket.insert({ name: 'Ada' })
  const durability = Object.defineProperty({}, 'durability', { get: throwing })
  const ifVersion = Object.defineProperty({}, 'ifVersion', { get: throwing })
  const list = new Proxy([{ name: 'Bob' }], { get: throwing })
  await expect(bucket.insert({ name: 'Bob' }, durability)).rejects.toThrow(InvalidArgumentError)
  await expect(bucket.update(id, { name: 'Bob' }, ifVersion)).rejects.toThrow(InvalidArgumentError)
  await expect(bucket.insertMany(list)).rejects.toThrow(InvalidArgumentError)
  expect(store.supervision().children?.map((child) => child.restarts)).toEqual([0, 0])
  expect(await bucket.count()).toBe(1)
  await store.stop()
})

test('a counter that has no numbers left says so', async () => {
  const store = await Store.start({ buckets: { users } })
  await store.bucket('users').insert({ id: Number.MAX_SAFE_INTEGER })
  await expect(store.bucket('users').insert({})).rejects.toThrow(ValidationError)
  expect(await store.bucket('users').count()).toBe(1)
  await store.stop()
})

test('a transaction that only reads, and has read everything, needs no retry', async () => {
  const store = await Store.start({ buckets: { users } })
  const { id } = await store.bucket('users').insert({ name: 'Ada' })
  const seen = await store.transaction(async (tx) => {
    const user = await tx.bucket('users').get(id)
    await store.bucket('users').update(id, { name: 'Bob' })
    return user?.name
  })
  expect(seen).toBe('Ada')
  const overtaken = store.transaction(async (tx) => {
    await tx.bucket('users').get(id)
    await store.bucket('users').update(id, { name: 'Cyd' })
    await tx.bucket('users').count()
  })
  await expect(overtaken).rejects.toThrow(TransactionConflictError)
  await store.stop()
})
