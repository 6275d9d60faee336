import { describe, expect, test, vi } from 'vitest'
import type { Evaluation, Store, StorageAdapter } from '../../src/index.js'
import { count, MemoryAdapter } from '../../src/index.js'
import type * as ReadSet from '../../src/query/read-set.js'
import { gate, open, turn } from './opened.js'

/** How often a filter was compared with a change, by whoever does that. */
const compared = vi.hoisted(() => ({ times: 0 }))

vi.mock('../../src/query/read-set.js', async (original) => {
  const real = await original<typeof ReadSet>()
  const touches: typeof real.touches = (...args) => {
    compared.times++
    return real.touches(...args)
  }
  return { ...real, touches }
})

interface LiveQueryOfRows {
  live(callback: () => void): () => void
}

const USERS = {
  key: 'id',
  schema: {
    id: { type: 'string', required: true },
    role: { type: 'string' },
    age: { type: 'number' },
  },
} as const

async function users(adapter?: StorageAdapter): Promise<Store> {
  const persistence = adapter === undefined ? {} : { persistence: { adapter } }
  const store = await open({ buckets: { users: USERS, other: USERS }, onError: () => undefined, ...persistence })
  await store.bucket('users').insertMany([
    { id: 'a', role: 'admin', age: 30 },
    { id: 'b', role: 'user', age: 20 },
  ])
  return store
}

/** A storage that takes a turn for each append, and fails when `fails` says so. */
function slow(fails: () => boolean): StorageAdapter {
  return new Proxy<StorageAdapter>(new MemoryAdapter(), {
    get: (target, name): unknown => {
      if (name === 'immediate') return false
      const value: unknown = Reflect.get(target, name)
      if (name !== 'append') return typeof value === 'function' ? value.bind(target) : value
      return async (...args: Parameters<StorageAdapter['append']>) => {
        await turn()
        if (fails()) throw new Error('the disk')
        return target.append(...args)
      }
    },
  })
}

describe('store.trace says why an evaluation was made, and what it took', () => {
  test('of a query function: the commit, the change, what it matched, the views', async () => {
    const store = await users()
    store.defineQuery('facts', async (ctx, params: { role: string }) => {
      const one = await ctx.bucket('users').get('a')
      const some = await ctx.bucket('users').where(params)
      return [one?.['age'], some.length]
    })
    const seen: Evaluation[] = []
    const off = store.trace((evaluation) => seen.push(evaluation))
    await store.subscribe('facts', { role: 'user' }, () => undefined)
    await store.subscribe('facts', { role: 'user' }, () => undefined)
    await store.bucket('users').insert({ id: 'c', role: 'user' })
    await store.settle()
    await store.bucket('users').update('a', { age: 31 })
    await store.bucket('other').insert({ id: 'x', role: 'user' })
    await store.settle()
    off()
    off()
    await store.bucket('users').delete('c')
    await store.settle()
    const text = 'users where role = "user"'
    const common = { query: 'facts', params: { role: 'user' }, kind: 'query', returned: 2, error: undefined }
    const none = { commits: 0, changes: 0, matched: 0, forgotten: 0 }
    expect(seen).toMatchObject([
      {
        ...common,
        cause: 'subscribed',
        commits: [],
        changes: [],
        matched: [],
        views: [{ query: text, effect: 'rebuilt' }],
        // One record by its key, two to build the view.
        examined: 3,
        delivered: false,
        listeners: 1,
      },
      {
        ...common,
        cause: 'commit',
        commits: [{ seq: 2, type: 'store/write' }],
        changes: [{ bucket: 'users', key: 'c', kind: 'inserted' }],
        matched: ['users: role = "user"'],
        omitted: none,
        views: [{ query: text, effect: 'changed' }],
        examined: 1,
        delivered: true,
        listeners: 2,
      },
      {
        ...common,
        cause: 'commit',
        commits: [{ seq: 3, type: 'store/write' }],
        changes: [{ bucket: 'users', key: 'a', kind: 'updated' }],
        matched: ['users: key "a"'],
        views: [{ query: text, effect: 'unchanged' }],
        delivered: true,
      },
    ])
    expect(seen[1]?.commits[0]?.at).toBeGreaterThan(0)
    expect(seen.every((one) => one.durationMs >= 0 && Object.isFrozen(one) && Object.isFrozen(one.changes))).toBe(true)
  })

  test('of a live query: 0 examined where its view was brought up to date, more where it was built anew', async () => {
    const store = await users()
    const seen: Evaluation[] = []
    store.trace((evaluation) => seen.push(evaluation))
    const adults = store.bucket('users').where({ age: { gte: 18 } })
    adults.live(() => undefined)
    await store.settle()
    await store.bucket('users').update('b', { age: 21 })
    await store.settle()
    await store.bucket('users').clear()
    await store.settle()
    expect(seen).toMatchObject([
      { kind: 'live', cause: 'subscribed', examined: 2, returned: 2, views: [{ effect: 'rebuilt' }], delivered: true },
      {
        kind: 'live',
        query: 'users where age gte 18',
        cause: 'commit',
        commits: [{ seq: 2 }],
        changes: [{ bucket: 'users', key: 'b', kind: 'updated' }],
        matched: ['users: age gte 18'],
        views: [{ effect: 'changed' }],
        examined: 0,
        returned: 2,
        delivered: true,
        listeners: 1,
      },
      {
        cause: 'commit',
        changes: [{ bucket: 'users', key: undefined, kind: 'cleared' }],
        views: [{ effect: 'rebuilt' }],
        examined: 0,
        returned: 0,
      },
    ])
    expect(seen).toHaveLength(3)
  })

  test('of rows with what belongs to them: the related record that changed', async () => {
    const store = await open({
      buckets: {
        teams: { key: 'id', schema: { id: { type: 'string' }, name: { type: 'string' } } },
        people: { key: 'id', schema: { id: { type: 'string' }, team: { type: 'string', ref: 'teams' } } },
      },
    })
    await store.bucket('teams').insertMany([{ id: 't1' }, { id: 't2' }])
    await store.bucket('people').insertMany([{ id: 'p1', team: 't1' }, { id: 'p2' }])
    const people = store.bucket('people').query() as unknown as { include(what: object): LiveQueryOfRows }
    const seen: Evaluation[] = []
    people.include({ team: true }).live(() => undefined)
    await store.settle()
    store.trace((evaluation) => seen.push(evaluation))
    await store.bucket('teams').update('t2', { name: 'nobody is in it' })
    await store.bucket('teams').update('t1', { name: 'one' })
    await store.settle()
    expect(seen).toMatchObject([
      {
        cause: 'commit',
        changes: [{ bucket: 'teams', key: 't1', kind: 'updated' }],
        matched: ['teams: id = "t1"'],
        views: [{ effect: 'changed' }],
        delivered: true,
      },
    ])
  })

  test('an evaluation that was overtaken, one that failed, a bucket that was loaded anew', async () => {
    const store = await users()
    const [read, go] = [gate(), gate()]
    let runs = 0
    store.defineQuery('slow', async (ctx) => {
      runs++
      const count = await ctx.bucket('users').count()
      if (runs === 2) {
        read.open()
        await go.opened
      }
      if (count === 4) throw new RangeError('four')
      return count
    })
    const seen: Evaluation[] = []
    await store.subscribe('slow', () => undefined)
    store.trace((evaluation) => seen.push(evaluation))
    await store.bucket('users').insert({ id: 'c' })
    await read.opened
    await store.bucket('users').insert({ id: 'd' })
    go.open()
    await store.settle()
    store.kill('bucket:users')
    await store.bucket('users').delete('d')
    await store.settle()
    expect(seen).toMatchObject([
      { cause: 'commit', commits: [{ seq: 2 }], delivered: false, views: [{ effect: 'changed' }] },
      { cause: 'overtaken', commits: [{ seq: 3 }], error: { message: 'four' }, returned: 0, delivered: false },
      { cause: 'reloaded', views: [{ effect: 'rebuilt' }] },
      ...(seen.length > 3 ? [{ cause: 'commit' }] : []),
    ])
    expect(seen.some(({ delivered }) => delivered)).toBe(true)
  })

  test('a view that was there for somebody else is not built again', async () => {
    const store = await users()
    const seen: Evaluation[] = []
    store.trace((evaluation) => seen.push(evaluation))
    for (const name of ['one', 'other']) {
      store.defineQuery(name, (ctx) => ctx.bucket('users').where({ age: { gte: 1 } }))
      await store.subscribe(name, () => undefined)
    }
    expect(seen.map(({ query, examined, views }) => [query, examined, views[0]?.effect])).toEqual([
      ['one', 2, 'rebuilt'],
      ['other', 0, 'unchanged'],
    ])
  })

  test('a commit that was read before it was durable is the reason to look again when it is', async () => {
    const store = await users(slow(() => false))
    await store.settle()
    store.defineQuery('count', async (ctx) => (await ctx.bucket('users').keys()).length)
    const seen: Evaluation[] = []
    store.trace((evaluation) => seen.push(evaluation))
    const written = store.bucket('users').insert({ id: 'c' })
    await store.subscribe('count', () => undefined)
    await written
    await store.settle()
    expect(seen.map(({ cause, commits, delivered }) => [cause, commits.length, delivered])).toEqual([
      ['subscribed', 0, false],
      ['commit', 1, false],
    ])
  })

  test('a commit that was taken back', async () => {
    let fails = false
    const adapter = slow(() => fails)
    const store = await users(adapter)
    store.defineQuery('count', (ctx) => ctx.bucket('users').count())
    await store.subscribe('count', () => undefined)
    const seen: Evaluation[] = []
    store
      .bucket('users')
      .query()
      .live(() => undefined, { immediate: false })
    await store.settle()
    store.trace((evaluation) => seen.push(evaluation))
    fails = true
    await store
      .bucket('users')
      .insert({ id: 'c' })
      .catch(() => undefined)
    await store.settle()
    const told = new Set(seen.map(({ kind, cause, delivered }) => `${kind} ${cause} ${delivered}`))
    expect(told).toEqual(new Set(['live undone false', 'query undone false']))
    expect(seen[0]?.commits).toMatchObject([{ seq: 2 }])
  })

  test('of a large commit the first 32 of each list, and how many there are besides', async () => {
    const store = await users()
    const seen: Evaluation[] = []
    store
      .bucket('users')
      .query()
      .live(() => undefined)
    await store.settle()
    store.trace((evaluation) => seen.push(evaluation))
    await store.bucket('users').insertMany(Array.from({ length: 100 }, (_, n) => ({ id: `n${n}` })))
    await store.settle()
    expect(seen[0]?.changes).toHaveLength(32)
    expect(seen[0]?.omitted).toEqual({ commits: 0, changes: 68, matched: 0, forgotten: 0 })
    expect(seen[0]?.matched).toEqual(['users: all records'])
  })

  test('what a handler throws goes to onError, and the others are told all the same', async () => {
    const errors: string[] = []
    const store = await open({ buckets: { users: USERS }, onError: (error) => errors.push(error.message) })
    const seen: string[] = []
    store.trace(() => {
      throw new Error('in the handler')
    })
    store.trace(({ query }) => seen.push(query))
    store.defineQuery('q', () => 1)
    await store.subscribe('q', () => undefined)
    expect([errors, seen]).toEqual([['in the handler'], ['q']])
  })

  test('nothing but a function is taken', async () => {
    const store = await users()
    expect(() => store.trace(5 as never)).toThrow(/trace\(handler\)/)
    await expect(store.subscribe('q', () => undefined, { trace: 1 as never })).rejects.toThrow(/trace/)
    expect(() =>
      store
        .bucket('users')
        .query()
        .live(() => undefined, { trace: 'yes' as never }),
    ).toThrow(/trace/)
  })
})

describe('what a trace costs is bounded', () => {
  test('a commit of many changes is not compared with each of many included rows', async () => {
    const store = await open({
      buckets: {
        teams: { key: 'id', schema: { id: { type: 'number' } } },
        people: { key: 'id', schema: { id: { type: 'number' }, team: { type: 'number', ref: 'teams' } } },
      },
    })
    const ids = Array.from({ length: 300 }, (_, id) => id)
    await store.bucket('teams').insertMany(ids.map((id) => ({ id })))
    await store.bucket('people').insertMany(ids.map((id) => ({ id, team: id })))
    const teams = store.bucket('teams').query() as unknown as { include(what: string): LiveQueryOfRows }
    teams.include('people').live(() => undefined)
    await store.settle()
    const seen: Evaluation[] = []
    store.trace((evaluation) => seen.push(evaluation))
    const before = compared.times
    await store.bucket('people').updateMany({}, { name: 'all of them' })
    await store.settle()
    const times = compared.times - before
    expect(seen).toHaveLength(1)
    expect(seen[0]?.omitted).toEqual({ commits: 0, changes: 268, matched: 268, forgotten: 0 })
    expect(seen[0]?.matched.slice(0, 2)).toEqual(['people: team = 0', 'people: team = 1'])
    expect(times).toBeLessThan(10 * ids.length)
  })

  /** The evaluation of all users after one during whose callback `write` was done. */
  async function evaluationAfter(write: (store: Store) => Promise<unknown>): Promise<Evaluation | undefined> {
    const store = await users()
    const called = gate()
    const live = store
      .bucket('users')
      .query()
      .live(() => called.opened, { trace: true })
    await live.ready
    await write(store)
    called.open()
    await store.settle()
    expect(live.explain().evaluations).toHaveLength(2)
    return live.explain().evaluations.at(-1)
  }

  test('of more than 1,000 commits the first are forgotten, which is said', async () => {
    const evaluation = await evaluationAfter(async (store) => {
      await store.bucket('users').insert({ id: 'c' })
      for (let n = 0; n < 1_100; n++) await store.bucket('other').insert({ id: `${n}` })
    })
    const omitted = { commits: 0, changes: 0, matched: 0, forgotten: 101 }
    expect(evaluation).toMatchObject({ cause: 'commit', commits: [], changes: [], matched: [], omitted })
  })

  test('a commit from before somebody wanted to know is a commit all the same', async () => {
    const store = await users()
    const called = gate()
    const live = store
      .bucket('users')
      .query()
      .live(() => called.opened)
    await live.ready
    await store.bucket('users').insert({ id: 'c' })
    const seen: Evaluation[] = []
    store.trace((evaluation) => seen.push(evaluation))
    called.open()
    await store.settle()
    expect(seen).toMatchObject([{ cause: 'commit', commits: [], omitted: { forgotten: 0 }, delivered: true }])
  })

  test('a first evaluation has no commits, and one that only somebody new asks for is for that', async () => {
    const store = await users()
    const seen: Evaluation[] = []
    store.trace((evaluation) => seen.push(evaluation))
    await store.bucket('users').insert({ id: 'c' })
    store
      .bucket('users')
      .query()
      .live(() => undefined)
    let fails = false
    store.defineQuery('fails', async (ctx) => {
      const count = await ctx.bucket('other').count()
      if (fails) throw new RangeError('it does')
      return count
    })
    await store.subscribe('fails', () => undefined)
    fails = true
    await store.bucket('other').insert({ id: 'x' })
    await store.settle()
    fails = false
    await store.subscribe('fails', () => undefined)
    expect(seen.map(({ kind, cause, commits }) => [kind, cause, commits.length])).toEqual([
      ['live', 'subscribed', 0],
      ['query', 'subscribed', 0],
      ['query', 'commit', 1],
      ['query', 'subscribed', 0],
    ])
  })

  test('a few commits of large records are kept, and as many as fit of small ones', async () => {
    const kept = async (length: number): Promise<unknown> => {
      const evaluation = await evaluationAfter(async (store) => {
        for (let n = 0; n < 100; n++) await store.bucket('users').insert({ id: `${n}`, text: 'x'.repeat(length) })
      })
      const { commits = [], omitted } = evaluation ?? {}
      return [commits.length + (omitted?.commits ?? 0), omitted?.forgotten]
    }
    expect(await kept(10)).toEqual([100, 0])
    // 8 MB of them.
    expect(await kept(200_000)).toEqual([39, 61])
    // The last one always.
    expect(await kept(9_000_000)).toEqual([1, 99])
  })
})

describe('explain', () => {
  test('has what was delivered and, where it is traced, the last 16 evaluations', async () => {
    const store = await users()
    store.defineQuery('by', (ctx, params: { role: string }) => ctx.bucket('users').where(params))
    const seen: unknown[] = []
    const params = { role: 'user' }
    const stop = await store.subscribe('by', params, (rows) => seen.push(rows), { immediate: true, trace: true })
    const live = store
      .bucket('users')
      .where(params)
      .live((rows) => seen.push(rows), { trace: true })
    await live.ready
    for (let age = 0; age < 20; age++) {
      await store.bucket('users').update('b', { age })
      await store.settle()
    }
    const position = store.position.durable
    for (const one of [stop.explain(), live.explain()]) {
      expect(one).toMatchObject({ deliveries: 21, position })
      expect(one.evaluations).toHaveLength(16)
      expect(one.evaluations.at(-1)).toMatchObject({ cause: 'commit', commits: [{ seq: position }], delivered: true })
    }
    expect(stop.explain()).toMatchObject({ query: 'by', params, shared: 1 })
    stop()
    live()
    expect(stop.explain()).toMatchObject({ deliveries: 21, shared: 0 })
  })

  test('has no evaluations while nobody asks for traces, and none of before', async () => {
    const store = await users()
    const stop = await store.subscribe('q-none', () => undefined).catch(() => undefined)
    expect(stop).toBeUndefined()
    const live = store
      .bucket('users')
      .query()
      .live(() => undefined)
    await store.settle()
    expect(live.explain()).toMatchObject({ params: undefined, shared: 1, evaluations: [] })
    await store.bucket('users').insert({ id: 'before' })
    const off = store.trace(() => undefined)
    await store.settle()
    await store.bucket('users').insert({ id: 'c' })
    await store.settle()
    off()
    await store.bucket('users').insert({ id: 'd' })
    await store.settle()
    const { evaluations } = live.explain()
    expect(evaluations.at(-1)?.changes).toMatchObject([{ key: 'c' }])
    expect(evaluations.length).toBeLessThanOrEqual(2)
  })

  test('of a subscription that was aborted before it began', async () => {
    const store = await users()
    store.defineQuery('q', () => 1)
    const stop = await store.subscribe('q', 5, () => undefined, { signal: AbortSignal.abort() })
    expect(stop.explain()).toEqual({ query: 'q', params: 5, deliveries: 0, shared: 0, position: 0, evaluations: [] })
  })
})

test('a question is told in words', async () => {
  const store = await open()
  const number = { type: 'number' } as const
  await store.defineBucket('users', { key: 'id', schema: { id: number } })
  await store.defineBucket('orders', {
    key: 'id',
    schema: { id: number, userId: { ...number, ref: 'users' }, n: number },
  })
  const told: string[] = []
  store.trace(({ query, views }) => told.push(query, ...views.map((view) => view.query)))
  store
    .bucket('orders')
    .where({ n: { gt: 1 } })
    .orderBy('n', 'desc')
    .orderBy('id')
    .limit(2)
    .offset(1)
    .select('n')
    .include('user')
    .live(() => undefined)
  store.defineQuery('sums', async (ctx) => [
    await ctx.bucket('orders').where({ n: 1 }).sum('n'),
    await ctx.bucket('orders').query().groupBy('userId').aggregate({ n: count() }),
  ])
  await store.subscribe('sums', () => undefined)
  await store.settle()
  const words = 'orders where n gt 1 order by n desc, id, limit 2, offset 1, select n, include user'
  expect(told).toEqual(
    expect.arrayContaining([words, 'sums', 'sum of n of orders where n = 1', 'groups of orders by userId']),
  )
})
