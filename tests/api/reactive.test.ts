import { describe, expect, test, vi } from 'vitest'
import { MemoryAdapter, QueryAlreadyDefinedError, QueryNotDefinedError } from '../../src/index.js'
import type { BucketDefinition, Store } from '../../src/index.js'
import { gate, KEYED, open, openBucket, rejection, turn } from './opened.js'

const USER: BucketDefinition = {
  key: 'id',
  schema: { id: { type: 'string' }, role: { type: 'string' }, n: { type: 'number' } },
  indexes: ['role'],
}

async function users(): Promise<Store> {
  const store = await open()
  await store.defineBucket('users', USER)
  await store.defineBucket('orders', USER)
  store.defineQuery('all', (ctx) => ctx.bucket('users').all())
  store.defineQuery('count', (ctx) => ctx.bucket('users').count())
  store.defineQuery('by-role', (ctx, params: { role: string }) => ctx.bucket('users').where({ role: params.role }))
  store.defineQuery('one', (ctx, id: string) => ctx.bucket('users').get(id))
  return store
}

describe('defineQuery and runQuery', () => {
  test('a query runs once, with and without parameters', async () => {
    const store = await users()
    await store.bucket('users').insertMany([
      { id: 'a', role: 'admin' },
      { id: 'b', role: 'user' },
    ])
    expect(await store.runQuery('count')).toBe(2)
    expect(await store.runQuery('by-role', { role: 'admin' })).toMatchObject([{ id: 'a' }])
    expect(await store.runQuery('one', 'nope')).toBeUndefined()
  })

  test('without parameters the function gets the context only', async () => {
    const store = await open()
    const fn = vi.fn<(...args: unknown[]) => number>(() => 1)
    store.defineQuery('q', fn)
    await store.runQuery('q')
    await store.runQuery('q', undefined)
    await store.runQuery('q', null)
    expect(fn.mock.calls.map((args) => args.length)).toEqual([1, 1, 2])
  })

  test('names are taken once, and have to be known', async () => {
    const store = await users()
    expect(() => store.defineQuery('all', () => 1)).toThrow(QueryAlreadyDefinedError)
    expect(() => store.defineQuery('all', () => 1)).toThrow('Query "all" is already defined')
    expect(await rejection(store.runQuery('nope'))).toBeInstanceOf(QueryNotDefinedError)
    expect((await rejection(store.subscribe('nope', () => undefined))).message).toBe('Query "nope" is not defined')
    expect(() => store.defineQuery('', () => 1)).toThrow('a name')
    expect(() => store.defineQuery('x', 5 as never)).toThrow('a function')
  })

  test('what the query throws is thrown, and harms nothing', async () => {
    const store = await users()
    store.defineQuery('bad', () => {
      throw new RangeError('mine')
    })
    store.defineQuery('unknown bucket', (ctx) => ctx.bucket('nope').all())
    await expect(store.runQuery('bad')).rejects.toThrow(RangeError)
    await expect(store.runQuery('unknown bucket')).rejects.toThrow('Bucket "nope" is not defined')
    expect(await store.runQuery('count')).toBe(0)
  })

  test('a query has every read and no write', async () => {
    const store = await users()
    await store.bucket('users').insertMany([
      { id: 'a', n: 1 },
      { id: 'b', n: 3 },
    ])
    store.defineQuery('reads', async (ctx) => {
      const b = ctx.bucket('users')
      return [
        b.name,
        (await b.get('a'))?.id,
        await b.has('x'),
        await b.keys(),
        (await b.all()).length,
        (await b.where({ n: 1 })).length,
        (await b.findOne({ n: 3 }))?.id,
        await b.count({ n: 1 }),
        (await b.first(1)).length,
        (await b.last(1)).length,
        (await b.paginate({ limit: 1 })).nextCursor,
        await b.sum('n'),
        await b.avg('n'),
        await b.min('n'),
        await b.max('n'),
        'insert' in b || 'update' in b || 'delete' in b || 'clear' in b,
      ]
    })
    expect(await store.runQuery('reads')).toEqual([
      'users',
      'a',
      false,
      ['a', 'b'],
      2,
      1,
      'b',
      1,
      1,
      1,
      'a',
      4,
      2,
      1,
      3,
      false,
    ])
  })

  test('a query over two buckets sees one state, whatever is written meanwhile', async () => {
    const store = await users()
    await store.bucket('users').insert({ id: 'a', n: 0 })
    await store.bucket('orders').insert({ id: 'a', n: 0 })
    store.defineQuery('both', async (ctx) => {
      const one = await ctx.bucket('users').get('a')
      await turn()
      const two = await ctx.bucket('orders').get('a')
      return [one?.n, two?.n]
    })
    const writer = (async () => {
      for (let n = 1; n <= 5; n++) {
        await store.transaction(async (tx) => {
          await tx.bucket('users').update('a', { n })
          await tx.bucket('orders').update('a', { n })
        })
        await turn()
      }
    })()
    const [a, b] = await store.runQuery<[number, number]>('both')
    expect(a).toBe(b)
    await writer
  })
})

describe('subscribe', () => {
  test('the first result is not delivered, every change of it is', async () => {
    const store = await users()
    const results: unknown[] = []
    const off = await store.subscribe('count', (count) => results.push(count))
    expect(results).toEqual([])
    await store.bucket('users').insert({ id: 'a' })
    await store.settle()
    await store.bucket('users').insert({ id: 'b' })
    await store.settle()
    expect(results).toEqual([1, 2])
    off()
    off()
    await store.bucket('users').insert({ id: 'c' })
    await store.settle()
    expect(results).toEqual([1, 2])
  })

  test('with immediate the first result is delivered too', async () => {
    const store = await users()
    await store.bucket('users').insert({ id: 'a' })
    const results: unknown[] = []
    await store.subscribe('count', (count) => results.push(count), { immediate: true })
    expect(results).toEqual([1])
    await store.subscribe('one', 'a', (record) => results.push(record), { immediate: true })
    expect(results[1]).toMatchObject({ id: 'a' })
  })

  test('parameters belong to the subscription', async () => {
    const store = await users()
    const [admins, guests]: [unknown[], unknown[]] = [[], []]
    await store.subscribe('by-role', { role: 'admin' }, (found: unknown[]) => admins.push(found.length))
    await store.subscribe('by-role', { role: 'guest' }, (found: unknown[]) => guests.push(found.length))
    await store.bucket('users').insert({ id: 'a', role: 'admin' })
    await store.settle()
    expect([admins, guests]).toEqual([[1], []])
  })

  test('parameters that are undefined are none', async () => {
    const store = await open()
    const fn = vi.fn<(...args: unknown[]) => number>(() => 1)
    store.defineQuery('q', fn)
    await store.subscribe('q', undefined, () => undefined)
    expect(fn.mock.calls[0]).toHaveLength(1)
  })

  test('an equal result is not delivered', async () => {
    const store = await users()
    store.defineQuery('roles', async (ctx) => ({
      roles: (await ctx.bucket('users').all()).map(({ role }) => role),
      at: new Date(5),
      n: Number.NaN,
    }))
    const results: unknown[] = []
    await store.bucket('users').insert({ id: 'a', role: 'x' })
    await store.subscribe('roles', (result) => results.push(result))
    await store.bucket('users').update('a', { n: 5 })
    await store.settle()
    expect(results).toEqual([])
    await store.bucket('users').update('a', { role: 'y' })
    await store.settle()
    expect(results).toHaveLength(1)
  })

  test('a callback may change what it is given: the next change is delivered all the same', async () => {
    const store = await users()
    store.defineQuery('both', async (ctx) => ({ all: await ctx.bucket('users').all(), sorted: [1] }))
    const results: number[] = []
    const consume = ({ all }: { all: unknown[] }): void => {
      results.push(all.length)
      all.length = 0
    }
    await store.subscribe('both', consume, { immediate: true })
    await store.bucket('users').insert({ id: 'a' })
    await store.settle()
    await store.bucket('users').clear()
    await store.settle()
    expect(results).toEqual([0, 1, 0])
  })

  test('each change of one record is delivered to those who read it, and only to them', async () => {
    const store = await users()
    await store.bucket('users').insertMany([
      { id: 'a', n: 0 },
      { id: 'b', n: 0 },
    ])
    const fn = vi.fn(async (ctx: { bucket(name: string): { get(key: string): Promise<unknown> } }) =>
      ctx.bucket('users').get('a'),
    )
    store.defineQuery('a', fn as never)
    const results: unknown[] = []
    await store.subscribe('a', (record) => results.push(record))
    await store.bucket('users').update('b', { n: 1 })
    await store.bucket('orders').insert({ id: 'a' })
    await store.settle()
    expect(fn).toHaveBeenCalledTimes(1)
    await store.bucket('users').update('a', { n: 1 })
    await store.settle()
    await store.bucket('users').delete('a')
    await store.settle()
    await store.bucket('users').insert({ id: 'a', n: 7 })
    await store.settle()
    expect(results).toMatchObject([{ n: 1 }, undefined, { n: 7 }])
  })

  test('what is read depends on the last run', async () => {
    const store = await users()
    await store.bucket('users').insert({ id: 'switch', role: 'users' })
    store.defineQuery('switched', async (ctx) => {
      const { role } = (await ctx.bucket('users').get('switch')) as unknown as { role: string }
      return ctx.bucket(role).count()
    })
    const results: unknown[] = []
    await store.subscribe('switched', (count) => results.push(count))
    await store.bucket('users').update('switch', { role: 'orders' })
    await store.settle()
    await store.bucket('users').insert({ id: 'x' })
    await store.bucket('orders').insert({ id: 'x' })
    await store.settle()
    expect(results).toEqual([0, 1])
  })

  test('clear and drop are seen', async () => {
    const store = await users()
    await store.bucket('users').insert({ id: 'a' })
    const results: unknown[] = []
    const errors: string[] = []
    await store.subscribe('count', (count) => results.push(count), { onError: (error) => errors.push(error.message) })
    await store.bucket('users').clear()
    await store.settle()
    expect(results).toEqual([0])
    await store.dropBucket('users')
    await store.settle()
    expect(errors).toEqual(['Bucket "users" is not defined'])
  })

  test('a query whose bucket was dropped runs again when it is defined again', async () => {
    const store = await open({ buckets: { users: KEYED }, onError: () => undefined })
    store.defineQuery('count', (ctx) => ctx.bucket('users').count())
    const counts: unknown[] = []
    await store.subscribe('count', (count) => counts.push(count), { immediate: true })
    await store.bucket('users').insert({ id: 'a' })
    await store.settle()
    await store.dropBucket('users')
    await store.settle()
    await store.defineBucket('users', KEYED)
    await store.settle()
    expect(counts).toEqual([0, 1, 0])
  })

  test('a change during the first run is delivered', async () => {
    const store = await users()
    const [read, go] = [gate(), gate()]
    store.defineQuery('slow', async (ctx) => {
      const count = await ctx.bucket('users').count()
      read.open()
      await go.opened
      return count
    })
    const results: unknown[] = []
    const subscribing = store.subscribe('slow', (count) => results.push(count))
    await read.opened
    await store.bucket('users').insert({ id: 'a' })
    go.open()
    await subscribing
    await store.settle()
    expect(results).toEqual([1])
  })

  test('with immediate, a result that was overtaken is not delivered', async () => {
    const store = await users()
    const [read, go] = [gate(), gate()]
    store.defineQuery('slow', async (ctx) => {
      const count = await ctx.bucket('users').count()
      read.open()
      await go.opened
      return [count, await ctx.bucket('users').count()]
    })
    const results: unknown[] = []
    const subscribing = store.subscribe('slow', (counts) => results.push(counts), { immediate: true })
    await read.opened
    await store.bucket('users').insert({ id: 'a' })
    go.open()
    await subscribing
    await store.settle()
    expect(results).toEqual([[1, 1]])
  })

  test('results never go back: an older, slower evaluation does not win (Q2)', async () => {
    const store = await users()
    const gates = [gate(), gate(), gate(), gate()]
    let run = 0
    store.defineQuery('slow', async (ctx) => {
      const mine = run++
      const count = await ctx.bucket('users').count()
      await gates[mine]?.opened
      return count
    })
    gates[0]?.open()
    const results: number[] = []
    await store.subscribe('slow', (count: number) => results.push(count))
    for (const id of ['a', 'b', 'c']) await store.bucket('users').insert({ id })
    for (const one of gates.slice(1).reverse()) one.open()
    await store.settle()
    expect(results.at(-1)).toBe(3)
    expect([...results].sort((a, b) => a - b)).toEqual(results)
  })

  test('a commit of many records is one evaluation', async () => {
    const store = await users()
    const fn = vi.fn((ctx: { bucket(name: string): { count(): Promise<number> } }) => ctx.bucket('users').count())
    store.defineQuery('counted', fn as never)
    const results: unknown[] = []
    await store.subscribe('counted', (count) => results.push(count))
    await store.transaction(async (tx) => {
      for (let i = 0; i < 100; i++) await tx.bucket('users').insert({ id: String(i) })
    })
    await store.settle()
    expect(results).toEqual([100])
    expect(fn).toHaveBeenCalledTimes(2)
  })

  test('a subscription never sees half a transaction', async () => {
    const store = await users()
    await store.bucket('users').insert({ id: 'a', n: 100 })
    await store.bucket('orders').insert({ id: 'a', n: 0 })
    store.defineQuery('total', async (ctx) => {
      const one = (await ctx.bucket('users').get('a')) as unknown as { n: number }
      await turn()
      const two = (await ctx.bucket('orders').get('a')) as unknown as { n: number }
      return { moved: two.n, total: one.n + two.n }
    })
    const results: { total: number; moved: number }[] = []
    await store.subscribe('total', (result: { total: number; moved: number }) => results.push(result))
    for (let moved = 10; moved <= 50; moved += 10) {
      await store.transaction(async (tx) => {
        await tx.bucket('users').update('a', { n: 100 - moved })
        await tx.bucket('orders').update('a', { n: moved })
      })
      await turn()
    }
    await store.settle()
    expect(results.every(({ total }) => total === 100)).toBe(true)
    expect(results.at(-1)?.moved).toBe(50)
  })

  test('a transaction that is rolled back is not seen', async () => {
    const store = await users()
    const results: unknown[] = []
    await store.subscribe('count', (count) => results.push(count))
    await rejection(
      store.transaction(async (tx) => {
        await tx.bucket('users').insert({ id: 'a' })
        throw new Error('no')
      }),
    )
    await store.settle()
    expect(results).toEqual([])
  })

  test('unsubscribing during an evaluation suppresses its result', async () => {
    const store = await users()
    const go = gate()
    let runs = 0
    store.defineQuery('slow', async (ctx) => {
      const count = await ctx.bucket('users').count()
      if (runs++ > 0) await go.opened
      return count
    })
    const results: unknown[] = []
    const off = await store.subscribe('slow', (count) => results.push(count))
    await store.bucket('users').insert({ id: 'a' })
    off()
    go.open()
    await store.settle()
    expect(results).toEqual([])
  })

  test('a callback may write, and unsubscribe itself', async () => {
    const store = await users()
    const results: unknown[] = []
    let off = (): void => undefined
    off = await store.subscribe('count', async (count: number) => {
      results.push(count)
      if (count === 3) off()
      else await store.bucket('users').insert({ id: `from callback ${count}` })
    })
    await store.bucket('users').insert({ id: 'a' })
    await store.settle()
    await store.bucket('users').insert({ id: 'b' })
    await store.settle()
    expect(results).toEqual([1, 2, 3])
  })
})

describe('errors', () => {
  test('the first run rejects subscribe and leaves nothing behind', async () => {
    const store = await users()
    store.defineQuery('bad', () => Promise.reject(new RangeError('mine')))
    await expect(store.subscribe('bad', () => undefined)).rejects.toThrow(RangeError)
    expect((await store.getStats()).queries.activeSubscriptions).toBe(0)
  })

  test('later ones go to onError, and the subscription goes on', async () => {
    const store = await users()
    store.defineQuery('picky', async (ctx) => {
      const count = await ctx.bucket('users').count()
      if (count === 1) throw new Error('not one')
      return count
    })
    const results: unknown[] = []
    const errors: string[] = []
    await store.subscribe('picky', (count) => results.push(count), { onError: (error) => errors.push(error.message) })
    await store.bucket('users').insert({ id: 'a' })
    await store.settle()
    await store.bucket('users').insert({ id: 'b' })
    await store.settle()
    expect([results, errors]).toEqual([[2], ['not one']])
  })

  test('the result after an error is delivered also where it is the one before the error', async () => {
    const store = await users()
    store.defineQuery('odd', async (ctx) => {
      const count = await ctx.bucket('users').count()
      if (count === 1) throw new Error('one')
      return count
    })
    const seen: unknown[] = []
    await store.subscribe('odd', (count) => seen.push(count), {
      immediate: true,
      onError: (error) => seen.push(error.message),
    })
    for (const write of ['insert', 'delete', 'insert', 'delete'] as const) {
      await (write === 'insert' ? store.bucket('users').insert({ id: 'a' }) : store.bucket('users').delete('a'))
      await store.settle()
    }
    expect(seen).toEqual([0, 'one', 0, 'one', 0])
  })

  test('a query that fails before it reads anything runs again all the same', async () => {
    const store = await users()
    let fails = false
    store.defineQuery('flaky', async (ctx) => {
      if (fails) throw new Error('elsewhere')
      return ctx.bucket('users').count()
    })
    const results: unknown[] = []
    const errors: string[] = []
    await store.subscribe('flaky', (count) => results.push(count), { onError: (error) => errors.push(error.message) })
    fails = true
    await store.bucket('users').insert({ id: 'a' })
    await store.settle()
    fails = false
    await store.bucket('users').insert({ id: 'b' })
    await store.settle()
    expect([results, errors]).toEqual([[2], ['elsewhere']])
  })

  test('a callback that throws or rejects is reported, goes on, and does not disturb settle', async () => {
    const errors: string[] = []
    const { store, bucket } = await openBucket(KEYED, { onError: (error) => errors.push(error.message) })
    store.defineQuery('count', (ctx) => ctx.bucket('b').count())
    const results: unknown[] = []
    await store.subscribe('count', (count) => {
      results.push(count)
      throw new Error('thrown')
    })
    await store.subscribe('count', async () => {
      throw new Error('rejected')
    })
    await store.subscribe(
      'count',
      () => {
        throw new Error('of mine')
      },
      {
        onError: () => {
          throw new Error('onError itself')
        },
      },
    )
    await bucket.insert({ id: 'a' })
    await store.settle()
    await bucket.insert({ id: 'b' })
    await store.settle()
    await turn()
    expect(results).toEqual([1, 2])
    expect([...errors].sort()).toEqual(['onError itself', 'onError itself', 'rejected', 'rejected', 'thrown', 'thrown'])
  })

  test.each([[undefined], [null], [5], [{}]])('the callback %j is refused', async (callback) => {
    const store = await users()
    expect((await rejection(store.subscribe('count', 'params', callback as never))).name).toBe('InvalidArgumentError')
  })

  test.each([[null], [5], [{ immediate: 1 }], [{ onError: 'x' }], [{ signal: {} }]])(
    'the options %j are refused',
    async (options) => {
      const store = await users()
      expect((await rejection(store.subscribe('count', () => undefined, options as never))).name).toBe(
        'InvalidArgumentError',
      )
      expect((await store.getStats()).queries.activeSubscriptions).toBe(0)
    },
  )
})

describe('AbortSignal', () => {
  test('ends the subscription', async () => {
    const store = await users()
    const controller = new AbortController()
    const results: unknown[] = []
    await store.subscribe('count', (count) => results.push(count), { signal: controller.signal })
    await store.bucket('users').insert({ id: 'a' })
    await store.settle()
    controller.abort()
    await store.bucket('users').insert({ id: 'b' })
    await store.settle()
    expect(results).toEqual([1])
    expect((await store.getStats()).queries.activeSubscriptions).toBe(0)
  })

  test('that is aborted already, or during the first run, lets nothing through', async () => {
    const store = await users()
    const results: unknown[] = []
    await store.subscribe('count', (count) => results.push(count), { immediate: true, signal: AbortSignal.abort() })
    const controller = new AbortController()
    const subscribing = store.subscribe('count', (count) => results.push(count), {
      immediate: true,
      signal: controller.signal,
    })
    controller.abort()
    await subscribing
    await store.bucket('users').insert({ id: 'a' })
    await store.settle()
    expect(results).toEqual([])
    expect((await store.getStats()).queries.activeSubscriptions).toBe(0)
  })
})

test('two hundred subscriptions are not run by a write that concerns none of them', async () => {
  const store = await users()
  let runs = 0
  store.defineQuery('role', async (ctx, role: string) => {
    runs++
    return ctx.bucket('users').where({ role })
  })
  for (let i = 0; i < 200; i++) await store.subscribe('role', `role ${i}`, () => undefined)
  runs = 0
  await store.bucket('users').insert({ id: 'a', role: 'role 7' })
  await store.settle()
  expect(runs).toBe(1)
})

test('records that leave by ttl or eviction are seen', async () => {
  const { store, bucket } = await openBucket(
    { ...KEYED, maxSize: 1 },
    { persistence: { adapter: new MemoryAdapter() } },
  )
  store.defineQuery('keys', (ctx) => ctx.bucket('b').keys())
  const results: unknown[] = []
  await bucket.insert({ id: 'a' })
  await store.subscribe('keys', (keys) => results.push(keys))
  await bucket.insert({ id: 'b' })
  await store.settle()
  await bucket.update('b', {})
  await bucket.insert({ id: 'c', _expiresAt: 1 })
  await store.purgeTtl()
  await store.settle()
  expect(results).toEqual([['b'], []])
})
