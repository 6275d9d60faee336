/** Found by attacking events: where sourced buckets were not as plain ones, or the log said something else than handlers saw. */
import { describe, expect, test } from 'vitest'
import type { AppliedEvent, BucketDefinition, EventHandlers, Store } from '../../src/index.js'
import { ReplayStore } from '../../src/sourcing/replay-store.js'
import { open, openVirtual, rejection } from './opened.js'

const USERS = {
  key: 'id',
  schema: {
    token: { type: 'string', generated: 'uuid' },
    id: { type: 'string', generated: 'uuid' },
    name: { type: 'string' },
  },
  sourced: true,
} as const satisfies BucketDefinition
const NUMBERED = {
  key: 'n',
  schema: { n: { type: 'number', generated: 'autoincrement' }, name: { type: 'string' } },
  sourced: true,
} as const satisfies BucketDefinition
const AUDIT = {
  key: 'id',
  schema: { id: { type: 'string', generated: 'uuid' }, data: { type: 'object' } },
} as const satisfies BucketDefinition
const KEYED = {
  key: 'id',
  schema: { id: { type: 'string' }, n: { type: 'number' } },
} as const satisfies BucketDefinition

describe('handlers see of a write what the log has, now and in a replay', () => {
  const BUCKETS = { users: USERS, numbered: NUMBERED, audit: AUDIT }
  const audit: EventHandlers = {
    reduce: ({ data }) => ({ audit: { insert: { data } } }),
    derive: ({ data }) => ({ audit: { insert: { data } } }),
  }
  const events = { 'bucket/users': audit, 'bucket/numbered': audit }

  test.each([true, false])('with checkDeterminism %s', async (checkDeterminism) => {
    const errors: Error[] = []
    const onError = (error: Error): void => void errors.push(error)
    const store = await open({ buckets: BUCKETS, events, checkDeterminism, onError })
    const users = store.bucket('users')
    await users.insert({ id: 'given', name: 'A' })
    const { id } = await users.insert({ name: 'B' })
    await users.insert({ id: undefined, name: 'C' })
    await users.upsert({ id: 'new' })
    await users.upsert({ name: 'D' })
    await users.upsert({ id, name: 'E' })
    await users.insertMany([{ name: 'F' }, { id: 'G' }])
    await store.bucket('numbered').insert({ name: 'A' })
    await store.bucket('numbered').insertMany([{ name: 'A' }, { n: 9 }])
    await store.bucket('numbered').upsert({ name: 'B' })
    await users.delete('given')
    await users.clear()
    expect(errors).toEqual([])

    const entries = await store.log.read()
    const logged = entries.filter(({ type }) => type === 'bucket/numbered').map(({ data }) => data)
    const seen = (await store.bucket('audit').all()).map(({ data }) => data as { action: string; n?: number })
    // Each twice. What was about the cleared bucket is out of the log.
    const ofNumbered = seen.filter((data) => logged.some((other) => JSON.stringify(other) === JSON.stringify(data)))
    expect(ofNumbered).toEqual(logged.flatMap((data) => [data, data]))
    expect(logged).toEqual([
      { action: 'insert', key: 1, data: { name: 'A' } },
      { action: 'insertMany', keys: [2, 9], data: [{ name: 'A' }, { n: 9 }] },
      { action: 'upsert', key: 10, data: { name: 'B' } },
    ])
    expect(seen[0]).toEqual({ action: 'insert', key: 'given', data: { id: 'given', name: 'A' } })
    expect(seen[2]).toEqual({ action: 'insert', key: id, data: { name: 'B' } })
  })

  test('and the same comes out of it', async () => {
    const store = await open({ buckets: BUCKETS, events })
    const users = store.bucket('users')
    await users.insert({ name: 'B' })
    await users.insert({ id: 'given', name: 'A' })
    await users.upsert({ name: 'D' })
    await users.insertMany([{ name: 'F' }, { id: 'G' }, {}])
    await store.bucket('numbered').insertMany([{ name: 'A' }, { n: 9 }, {}])
    const replay = await ReplayStore.open()
    await replay.define({ buckets: BUCKETS, events })
    const report = await replay.replay(store.log.read({ after: 0 }) as never)
    expect(report.failures).toEqual([])
    expect(await replay.stateHash()).toBe(await store.stateHash())
    await replay.stop()
  })
})

describe('an event of a sourced bucket that was dispatched by hand', () => {
  const wrong: [string, object][] = [
    ['another key than its data', { action: 'insert', key: 'a', data: { id: 'b' } }],
    ['another key than its data, as an upsert', { action: 'upsert', key: 'a', data: { id: 'there' } }],
    ['another number of keys', { action: 'insertMany', keys: ['a'], data: [{ id: 'a' }, { id: 'b' }] }],
    ['another key in a list', { action: 'insertMany', keys: ['a'], data: [{ id: 'b' }] }],
    ['keys that are no list', { action: 'updateMany', keys: 'there', data: { n: 4 } }],
    ['keys that are none', { action: 'deleteMany', keys: [{}] }],
    ['fields of another action', { action: 'update', key: 'there', keys: [], data: {} }],
    ['data that nobody wants', { action: 'delete', key: 'there', data: {} }],
    ['a version that is none', { action: 'update', key: 'there', data: {}, ifVersion: 'abc' }],
    ['no key', { action: 'update', data: {} }],
    ['no data', { action: 'insert', key: 'a' }],
    ['a record that is none', { action: 'restore', key: 'a', data: { id: 'a' } }],
  ]

  test.each(wrong)('and has %s is refused', async (_, data) => {
    const store = await open({ buckets: { b: { ...KEYED, sourced: true } } })
    await store.bucket('b').insert({ id: 'there' })
    const error = await rejection(store.dispatch('bucket/b', data))
    expect(error).toMatchObject({ name: 'EventFailedError', phase: 'apply' })
    expect((error.cause as Error).name).toMatch(/InvalidArgumentError|ValidationError/)
    expect(await store.bucket('b').keys()).toEqual(['there'])
  })

  test('may name a record twice', async () => {
    const store = await open({ buckets: { b: { ...KEYED, sourced: true } } })
    await store.bucket('b').insert({ id: 'a' })
    await store.dispatch('bucket/b', { action: 'updateMany', keys: ['a', 'a'], data: { n: 1 } })
    expect(await store.bucket('b').get('a')).toMatchObject({ n: 1 })
    const { result } = await store.dispatch('bucket/b', { action: 'deleteMany', keys: ['a', 'a', 'none'] })
    expect([result, await store.bucket('b').count()]).toEqual([1, 0])
  })
})

/** What `calls` say on a plain bucket and on a sourced one. */
async function both(calls: (store: Store) => Promise<unknown>): Promise<[unknown, unknown]> {
  const outcomes: unknown[] = []
  for (const sourced of [false, true]) {
    const { store, runtime } = await openVirtual({ buckets: { b: { ...KEYED, sourced } }, onError: () => undefined })
    let isDone = false
    const done = calls(store).finally(() => (isDone = true))
    for (let i = 0; !isDone && i < 1_000; i++) await runtime.advance(1)
    outcomes.push(await done)
  }
  return outcomes as [unknown, unknown]
}

const named = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    (value) => value,
    (error: unknown) => `${(error as Error).name}: ${(error as Error).message}`.replaceAll('tx.bucket', 'bucket'),
  )

describe('as a plain bucket', () => {
  test('it checks its arguments in the same order', async () => {
    const [plain, sourced] = await both(async (store) => {
      const b = store.bucket('b')
      return [
        await named(b.update({}, {}, null as never)),
        await named(b.update({}, {}, { ifVersion: 'x' as never })),
        await named(b.updateMany({ id: { bad: 1 } }, {}, { durability: 'x' as never })),
        await named(b.insertMany(5 as never, { meta: 5 as never })),
        await named(store.transaction((tx) => tx.bucket('b').update({}, {}, { ifVersion: 'x' as never }))),
      ]
    })
    expect(sourced).toEqual(plain)
  })

  test('it fails in transact with the same errors', async () => {
    const [plain, sourced] = await both(async (store) => {
      store.defineEvent('x', {
        transact: async (_, tx) => {
          const b = tx.bucket('b')
          await b.insert({ id: 'a' })
          return [
            await named(b.insert({ id: 'a' })),
            await named(b.update('none', {})),
            await named(b.insert({ id: 'q', n: 's' as never })),
            await named(b.update('a', {}, { ifVersion: 9 })),
            await named(b.insertMany([{ id: 'c' }, { id: 'a' }])),
            await named(b.keys()),
          ]
        },
      })
      return (await store.dispatch('x')).result
    })
    expect(sourced).toEqual(plain)
  })

  test('what failed in an event below that of the write is for an event to say', async () => {
    const store = await open({ buckets: { b: { ...KEYED, sourced: true } } })
    store.extendEvent('bucket/b', {
      reduce: ({ data }) =>
        data.action === 'insert' ? { events: [{ type: 'bucket/b', data: { action: 'update', key: 'none' } }] } : {},
    })
    store.defineEvent('x', { transact: (_, tx) => tx.bucket('b').insert({ id: 'a' }) })
    const error = await rejection(store.dispatch('x'))
    expect(error).toMatchObject({ name: 'EventFailedError', path: ['x', 'bucket/b', 'bucket/b'] })
    expect((await rejection(store.bucket('b').insert({ id: 'a' }))).name).toBe('EventFailedError')
  })

  test('it takes as many writes in a transaction', async () => {
    const store = await open({ buckets: { b: { ...KEYED, sourced: true } } })
    await store.transaction(async (tx) => {
      for (let i = 0; i <= 10_001; i++) await tx.bucket('b').insert({ id: `k${i}` })
    })
    expect(await store.bucket('b').count()).toBe(10_002)
  })

  test('it keeps in a transaction what came before a record that was refused', async () => {
    const [plain, sourced] = await both(async (store) => {
      const inside = await store.transaction(async (tx) => {
        const b = tx.bucket('b')
        await b.insertMany([{ id: 'x' }, { id: 'y', n: 1 }])
        return [
          await named(b.insertMany([{ id: 'a' }, { id: 'b' }, { id: 'a' }, { id: 'c' }])),
          await named(b.insertMany([{ id: 'x' }, { id: 'd' }])),
          await named(b.updateMany({}, { n: 'bad' as never })),
          await named(b.keys()),
        ]
      })
      return [inside, await store.bucket('b').all()]
    })
    expect(sourced).toEqual(plain)
  })

  test('its records are of the time of each write, also in a long transaction', async () => {
    const times: unknown[] = []
    for (const sourced of [false, true]) {
      const { store, runtime } = await openVirtual({ buckets: { b: { ...KEYED, ttl: 1_000, sourced } } })
      const done = store.transaction(async (tx) => {
        await tx.bucket('b').insert({ id: 'first' })
        await new Promise<void>((resolve) => runtime.setTimer(5_000, resolve))
        await tx.bucket('b').insert({ id: 'second' })
      })
      await runtime.advance(5_000)
      await done
      times.push(await store.bucket('b').all())
      const [entry] = await store.log.read()
      expect(entry?.at).toBe(runtime.now())
    }
    expect(times[1]).toEqual(times[0])
    expect(times[1]).toMatchObject([{ id: 'second' }])
  })

  test('its writes return what they return, whatever handlers do', async () => {
    const store = await open({ buckets: { b: { ...KEYED, sourced: true } } })
    store.extendEvent('bucket/b', { transact: () => 'something else' })
    const b = store.bucket('b')
    expect(await b.insert({ id: 'a' })).toMatchObject({ id: 'a', _version: 1 })
    expect(await b.deleteMany({})).toBe(1)
    expect(await b.delete('a')).toBeUndefined()
  })
})

test('what was in it when it was cleared is part of what happened', async () => {
  const store = await open({ buckets: { b: { ...KEYED, sourced: true }, live: KEYED } })
  const mirror = ({ changes }: AppliedEvent) => ({
    live: {
      remove: changes.filter(({ after }) => after === undefined).map(({ key }) => String(key)),
      upsert: changes.filter(({ after }) => after !== undefined).map(({ key }) => ({ id: String(key) })),
    },
  })
  store.extendEvent('bucket/b', { derive: mirror })
  await store.bucket('b').insertMany([{ id: 'a' }, { id: 'b' }])
  expect(await store.bucket('live').keys()).toEqual(['a', 'b'])
  await store.bucket('b').clear()
  expect(await store.bucket('live').keys()).toEqual([])
})

describe('what handlers return for a sourced bucket', () => {
  const BUCKETS = { s: { ...KEYED, sourced: true }, p: KEYED, audit: AUDIT } as const

  /** What became of an event with these results, for the bucket `name`. */
  async function outcome(name: 's' | 'p', results: readonly object[]): Promise<unknown> {
    const { store } = await openVirtual({ buckets: BUCKETS })
    await store.bucket(name).insertMany([{ id: 'a' }, { id: 'b', n: 1 }, { id: 'c' }])
    const seen: unknown[] = []
    for (const result of results) {
      store.defineEvent(JSON.stringify(result), {
        reduce: () => ({ [name]: result }),
        derive: ({ changes }, view) => {
          seen.push(
            changes.map((change) => ({ ...change, bucket: '' })),
            view.bucket(name).all(),
          )
        },
      })
      const failed = (error: Error): string => (error.cause as Error).name
      const done = store.dispatch(JSON.stringify(result)).then(() => 'done', failed)
      seen.push(await done)
    }
    return [seen, await store.bucket(name).all()]
  }

  test('does to it what it does to a plain one', async () => {
    const results = [
      { insert: { id: 'd', n: 1 } },
      { insert: [{ id: 'e' }, { id: 'f' }], remove: 'a' },
      { insert: [{ id: 'g' }, { id: 'g' }] },
      { insert: [], remove: [], update: [] },
      { set: { id: 'b' }, remove: ['c', 'none'] },
      { set: [{ id: 'new', n: 5 }, { id: 'new' }], update: { id: 'new', n: 6 } },
      {
        update: [
          { id: 'b', n: 7 },
          { id: 'd', n: 8 },
        ],
      },
      { update: { id: 'none', n: 7 } },
      { update: { n: 7 } },
      { upsert: [{ id: 'b', n: 9 }, { id: 'h' }] },
      { remove: {} },
      { clear: 1 },
      { clear: false },
      { clear: true, insert: { id: 'z' } },
      { clear: true },
    ]
    expect(await outcome('s', results)).toEqual(await outcome('p', results))
  })

  test('are events, which others join in, and which come again in a replay', async () => {
    const seen: string[] = []
    const events = {
      'bucket/s': {
        reduce: ({ data }) => ({ audit: { insert: { data } }, events: [{ type: 'told' }] }),
        transact: async ({ data }) => {
          await Promise.resolve()
          seen.push(String(data.action))
        },
      },
      told: { reduce: () => void seen.push('told') },
      asked: { reduce: () => void seen.push('asked') },
      x: {
        reduce: () => ({
          s: { insert: [{ id: 'a' }, { id: 'b' }], upsert: { id: 'a', n: 1 } },
          events: [{ type: 'asked' }],
        }),
        derive: ({ changes }, view) => {
          seen.push(`derive ${changes.length} ${view.bucket('s').count()}`)
          return { s: { remove: 'b' } }
        },
      },
    } satisfies { readonly [type: string]: EventHandlers }
    const store = await open({ buckets: BUCKETS, events })
    await store.defineProjection('copies', {
      from: ['bucket/s'],
      into: ['p'],
      apply: ({ data }, tx) => void tx.bucket('p').upsert({ id: `${String(data.action)} ${tx.uuid()}` }),
    })
    const { events: subs } = await store.dispatch('x')
    expect(subs).toEqual([
      {
        type: 'bucket/s',
        data: { action: 'insertMany', keys: ['a', 'b'], data: [{ id: 'a' }, { id: 'b' }] },
        events: [{ type: 'told' }],
      },
      { type: 'bucket/s', data: { action: 'upsert', key: 'a', data: { id: 'a', n: 1 } }, events: [{ type: 'told' }] },
      { type: 'bucket/s', data: { action: 'delete', key: 'b' }, events: [{ type: 'told' }] },
      { type: 'asked' },
    ])
    expect(seen).toEqual(['derive 3 2', 'told', 'insertMany', 'told', 'upsert', 'asked', 'told', 'delete'])
    expect(await store.bucket('p').count()).toBe(3)
    expect(await store.bucket('s').all()).toMatchObject([{ id: 'a', n: 1 }])

    const replay = await ReplayStore.open()
    await replay.define({ buckets: { s: BUCKETS.s, audit: AUDIT, p: KEYED }, events })
    expect((await replay.replay(store.log.read({ after: 0 }) as never)).failures).toEqual([])
    const rows = Object.fromEntries([...replay.buckets].map(({ name, reads }) => [name, reads.all()]))
    expect(rows).toMatchObject({ s: await store.bucket('s').all(), audit: await store.bucket('audit').all() })
    await replay.stop()
  })

  test('that never end are refused', async () => {
    const store = await open({ buckets: BUCKETS })
    store.extendEvent('bucket/s', { reduce: () => ({ s: { upsert: { id: 'a' } } }) })
    const error = await rejection(store.bucket('s').insert({ id: 'b' }))
    expect(error.cause).toMatchObject({ name: 'EventRecursionError' })
    expect(await store.bucket('s').count()).toBe(0)
  })
})

test('with the bucket, its events and their handlers go', async () => {
  const store = await open({ buckets: { s: { ...KEYED, sourced: true }, p: KEYED } })
  store.extendEvent('bucket/s', { reduce: () => ({ p: { upsert: { id: 'seen' } } }) })
  await store.dropBucket('s')
  const call = () => store.dispatch('bucket/s', { action: 'insert', data: { id: 'a' } })
  expect((await rejection(call())).name).toBe('EventNotDefinedError')
  expect((await rejection(store.enqueue('bucket/s', { action: 'clear' }))).name).toBe('EventNotDefinedError')
  await store.defineBucket('s', KEYED)
  expect((await rejection(call())).name).toBe('EventNotDefinedError')
  const dropped = store.dropBucket('s')
  while (store.hasBucket('s')) await Promise.resolve()
  await Promise.all([dropped, store.defineBucket('s', { ...KEYED, sourced: true })])
  await call()
  expect([await store.bucket('s').count(), await store.bucket('p').count()]).toEqual([1, 0])
})
