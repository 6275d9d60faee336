import { expect, onTestFinished, test } from 'vitest'
import { Store } from '../../src/index.js'

async function open() {
  const store = await Store.start({
    buckets: {
      users: {
        key: 'id',
        schema: {
          id: { type: 'number' },
          role: { type: 'string', required: true },
          age: { type: 'number', default: 0 },
          note: { type: 'string' },
        },
        indexes: ['role'],
      },
    },
  })
  onTestFinished(() => store.stop())
  const users = store.bucket('users')
  await users.insertMany([1, 2, 3, 4].map((id) => ({ id, role: id % 2 === 0 ? 'even' : 'odd', age: id })))
  return { store, users }
}

test('a query function runs again only when an answer that it has read is another one', async () => {
  const { store, users } = await open()
  let runs = 0
  store.defineQuery('facts', async (ctx) => {
    runs++
    const from = ctx.bucket('users')
    const oldest = await from.where({ role: 'odd' }).orderBy('age', 'desc').limit(1).select('id')
    return { odd: await from.count({ role: 'odd' }), sum: await from.sum('age', { role: 'odd' }), oldest }
  })
  const results: unknown[] = []
  await store.subscribe('facts', (result) => results.push(result), { immediate: true })
  // It matches what was read, and changes nothing of what was answered.
  await users.update(1, { note: 'x' })
  await users.insert({ id: 6, role: 'even', age: 100 })
  await store.settle()
  expect(runs).toBe(1)
  await users.update(1, { age: 9 })
  await store.settle()
  await users.delete(3)
  await store.settle()
  expect(runs).toBe(3)
  expect(results).toEqual([
    { odd: 2, sum: 4, oldest: [{ id: 3 }] },
    { odd: 2, sum: 12, oldest: [{ id: 1 }] },
    { odd: 1, sum: 9, oldest: [{ id: 1 }] },
  ])
})

test('an array that a query function is given is its own: sorting it harms nobody', async () => {
  const { store, users } = await open()
  const byAge = async (ctx: { bucket(name: 'users'): typeof users }, role: string) =>
    (await ctx.bucket('users').where({ role })).sort((a, b) => b.age - a.age).map(({ id }) => id)
  store.defineQuery('a', byAge as never)
  store.defineQuery('b', async (ctx) => (await ctx.bucket('users').where({ role: 'odd' })).map(({ id }) => id))
  const seen: Record<string, unknown> = {}
  await store.subscribe('a', 'odd', (result) => (seen['a'] = result))
  await store.subscribe('b', (result) => (seen['b'] = result))
  await users.insert({ id: 5, role: 'odd', age: 2 })
  await store.settle()
  expect(seen).toEqual({ a: [3, 5, 1], b: [1, 3, 5] })
})

test('what the last run has not read any more is let go, and nothing is left when it ends', async () => {
  const { store, users } = await open()
  store.defineQuery('chosen', async (ctx) => {
    const [first] = await ctx.bucket('users').where({ id: 1 })
    return ctx.bucket('users').where({ role: first?.note ?? 'odd' })
  })
  const { views } = (store as unknown as { engine: { views: { size: number } } }).engine
  const stop = await store.subscribe('chosen', () => undefined)
  expect(views.size).toBe(2)
  for (const note of ['even', 'none', 'other']) {
    await users.update(1, { note })
    await store.settle()
    expect(views.size).toBe(2)
  }
  stop()
  expect(views.size).toBe(0)
})
