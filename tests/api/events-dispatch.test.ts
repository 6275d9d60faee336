import { describe, expect, test } from 'vitest'
import { EventFailedError, MemoryAdapter } from '../../src/index.js'
import type { Store } from '../../src/index.js'
import { gate, open, openVirtual, rejection } from './opened.js'

const THINGS = { key: 'id', schema: { id: { type: 'string' }, n: { type: 'number' } } } as const

async function things(): Promise<Store> {
  return open({ buckets: { things: THINGS, others: THINGS } })
}

describe('the life of an event', () => {
  test('goes through its phases in order, all handlers of one phase before the next', async () => {
    const store = await things()
    const seen: string[] = []
    const handlers = (name: string) => ({
      name,
      preprocess: () => void seen.push(`${name} preprocess`),
      reduce: () => {
        seen.push(`${name} reduce`)
        return { things: { insert: { id: name } }, ...(name === 'a' && { events: [{ type: 'sub' }] }) }
      },
      derive: () => void seen.push(`${name} derive`),
      transact: () => void seen.push(`${name} transact`),
    })
    store.defineEvent('sub', { reduce: () => void seen.push('sub') })
    store.defineEvent('main', handlers('a'))
    store.extendEvent('main', handlers('b'))
    await store.dispatch('main')
    expect(seen).toEqual([
      ...['a preprocess', 'b preprocess', 'a reduce', 'b reduce', 'a derive', 'b derive'],
      ...['sub', 'a transact', 'b transact'],
    ])
  })

  test('is one entry: its data, its changes and its sub-events', async () => {
    const store = await things()
    store.defineEvent('placed', {
      reduce: ({ data }) => ({
        things: { insert: { id: data.id, n: 1 } },
        events: [{ type: 'noted', data: { n: 2 } }],
      }),
    })
    store.defineEvent('noted', { reduce: ({ data }) => ({ others: { insert: { id: 'o', n: data.n } } }) })
    const receipt = await store.dispatch('placed', { id: 'a' }, { meta: { who: 'me' } })
    const [entry] = await store.log.read()
    expect(entry).toMatchObject({
      seq: 1,
      type: 'placed',
      data: { id: 'a' },
      meta: { who: 'me' },
      event: { events: [{ type: 'noted', data: { n: 2 } }] },
      changes: [
        { bucket: 'things', key: 'a' },
        { bucket: 'others', key: 'o' },
      ],
    })
    expect(receipt).toMatchObject({ seq: 1, data: { id: 'a' }, events: entry?.event?.events, changes: entry?.changes })
  })

  test('all reducers see the state before the event (EV2), derive sees the state after it, sub-events in between', async () => {
    const store = await things()
    const seen: [string, number | undefined][] = []
    const look = (name: string, view: { bucket(name: string): { get(key: unknown): unknown } }) => {
      seen.push([name, (view.bucket('things').get('a') as { n: number } | undefined)?.n])
    }
    const counting = (name: string) => ({
      reduce: (_: unknown, view: never) => {
        look(name, view)
        return { things: { upsert: { id: 'a', n: name === 'first' ? 1 : 2 } }, events: [{ type: 'sub' }] }
      },
    })
    store.defineEvent('sub', {
      reduce: (_, view) => {
        look('sub', view)
        return { things: { update: { id: 'a', n: 10 } } }
      },
    })
    store.defineEvent('main', counting('first'))
    store.extendEvent('main', counting('second'))
    store.extendEvent('main', {
      derive: ({ changes }, view) => {
        look('derive', view)
        expect(changes.map(({ after }) => after?.n)).toEqual([1, 2])
      },
    })
    await store.dispatch('main')
    expect(seen).toEqual([
      ['first', undefined],
      ['second', undefined],
      ['derive', 2],
      ['sub', 2],
      ['sub', 10],
    ])
  })

  test('preprocess may complete the data; what it returns is checked again and kept', async () => {
    const store = await things()
    store.defineEvent('made', {
      schema: { id: { type: 'string' }, email: { type: 'string', format: 'email' } },
      preprocess: ({ data }, view) => ({ ...data, id: data.id ?? view.uuid(), email: data.email?.toLowerCase() }),
      reduce: ({ data }) => ({ things: { insert: { id: data.id } } }),
    })
    const { data } = await store.dispatch('made', { email: 'A@B.example' })
    expect(data).toMatchObject({ email: 'a@b.example', id: expect.stringMatching(/^[0-9a-f-]{36}$/) })
    expect((await store.log.read())[0]?.data).toEqual(data)
    store.extendEvent('made', { preprocess: () => ({ email: 'no address' }) })
    const error = await rejection(store.dispatch('made', { email: 'a@b.example' }))
    expect(error).toMatchObject({ phase: 'validate', cause: { issues: [{ field: 'email' }] } })
  })

  test('insert, set, update, upsert, remove and clear are applied in their order', async () => {
    const store = await things()
    await store.bucket('things').insertMany([
      { id: 'a', n: 1 },
      { id: 'b', n: 1 },
      { id: 'c', n: 1 },
    ])
    store.defineEvent('all', {
      reduce: () => ({
        things: {
          upsert: [
            { id: 'd', n: 9 },
            { id: 'e', n: 4 },
          ],
          update: { id: 'b', n: 3 },
          set: { id: 'c', other: 1 },
          insert: [{ id: 'a', n: 2 }, { id: 'd' }],
          remove: ['a', 'nobody'],
        },
        others: { clear: true, insert: { id: 'x' } },
      }),
    })
    await store.dispatch('all')
    expect(await store.bucket('things').where({}).orderBy('id')).toMatchObject([
      { id: 'a', n: 2, _version: 1 },
      { id: 'b', n: 3, _version: 2 },
      { id: 'c', other: 1, _version: 2 },
      { id: 'd', n: 9 },
      { id: 'e', n: 4 },
    ])
    expect((await store.bucket('things').get('c'))?.n).toBeUndefined()
    expect(await store.bucket('others').keys()).toEqual(['x'])
  })

  test('an event that changes nothing is kept as well', async () => {
    const store = await things()
    store.defineEvent('seen', {})
    const { seq } = await store.dispatch('seen', { by: 'me' })
    expect(await store.log.read()).toMatchObject([{ seq, type: 'seen', data: { by: 'me' }, changes: [] }])
  })

  test('events and plain writes share one order, and events of the bus', async () => {
    const store = await things()
    const heard: unknown[] = []
    await store.on('bucket.things.inserted', ({ key }: { key: unknown }) => void heard.push(key))
    store.defineEvent('made', { reduce: ({ data }) => ({ things: { insert: data } }) })
    await Promise.all([
      store.bucket('things').insert({ id: 'a' }),
      store.dispatch('made', { id: 'b' }),
      store.bucket('things').insert({ id: 'c' }),
    ])
    expect(heard).toEqual(['a', 'b', 'c'])
    expect((await store.log.read()).map(({ type }) => type)).toEqual(['store/write', 'made', 'store/write'])
  })
})

describe('transact', () => {
  test('sees what the event has done, its own writes, and those of the sub-events that it dispatches', async () => {
    const store = await things()
    const counts: number[] = []
    store.defineEvent('sub', { reduce: ({ data }) => ({ things: { insert: { id: data.id } } }) })
    const main = store.defineEvent('main', {
      reduce: () => ({ things: { insert: { id: 'a' } } }),
      transact: async (_, tx) => {
        const bucket = tx.bucket('things')
        counts.push(await bucket.count())
        await bucket.insert({ id: 'b' })
        counts.push(await bucket.count())
        await tx.dispatch('sub', { id: 'c' })
        counts.push(await bucket.count())
        return 'done'
      },
    })
    const { result, events } = await store.dispatch(main)
    expect(counts).toEqual([1, 2, 3])
    expect(result).toBe('done')
    expect(events).toEqual([{ type: 'sub', data: { id: 'c' } }])
    expect((await store.log.read()).length).toBe(1)
  })

  test('is run again when somebody else has changed what it had read', async () => {
    const store = await things()
    await store.bucket('things').insert({ id: 'a', n: 1 })
    const { opened, open: letGo } = gate()
    let runs = 0
    const add = store.defineEvent('add', {
      transact: async (_, tx) => {
        runs++
        const { n } = (await tx.bucket('things').get('a')) as unknown as { n: number }
        await opened
        await tx.bucket('things').update('a', { n: n + 1 })
        return n
      },
    })
    const added = store.dispatch(add)
    await store.bucket('things').update('a', { n: 10 })
    letGo()
    expect((await added).result).toBe(10)
    expect(runs).toBe(2)
    expect(await store.bucket('things').get('a')).toMatchObject({ n: 11 })
  })

  test('a sub-event that fails fails the whole event, also where it is caught or not awaited', async () => {
    const store = await things()
    store.defineEvent('bad', { reduce: () => ({ things: { update: { id: 'nobody', n: 1 } } }) })
    store.defineEvent('catches', {
      reduce: () => ({ things: { insert: { id: 'x' } } }),
      transact: async (_, tx) => void (await tx.dispatch('bad').catch(() => 'caught')),
    })
    store.defineEvent('forgets', { transact: (_, tx) => void tx.dispatch('bad') })
    for (const type of ['catches', 'forgets']) {
      const error = await rejection(store.dispatch(type))
      expect(error).toMatchObject({ name: 'EventFailedError', path: [type, 'bad'], phase: 'apply' })
    }
    expect(await store.bucket('things').count()).toBe(0)
    expect(await store.log.read()).toEqual([])
  })

  test('its handles are of no use after it', async () => {
    const store = await things()
    let late: Promise<unknown> | undefined
    const { opened, open: letGo } = gate()
    store.defineEvent('main', {
      transact: (_, tx) => {
        late = opened.then(() => tx.dispatch('main'))
      },
    })
    await store.dispatch('main')
    letGo()
    expect(await rejection(late as Promise<unknown>)).toMatchObject({ name: 'TransactionEndedError' })
    expect(await store.log.read()).toHaveLength(1)
  })
})

describe('what fails leaves no trace', () => {
  const boom = (): never => {
    throw new TypeError('boom')
  }

  test.each(['preprocess', 'reduce', 'derive', 'transact'] as const)('in %s', async (phase) => {
    const store = await things()
    store.defineEvent('main', { reduce: () => ({ things: { insert: { id: 'a' } } }) })
    store.extendEvent('main', { name: 'second', [phase]: boom })
    const error = await rejection(store.dispatch('main'))
    expect(error).toBeInstanceOf(EventFailedError)
    expect(error).toMatchObject({ code: 'EVENT_FAILED', type: 'main', phase, reducer: 'second', path: ['main'] })
    expect((error.cause as Error).message).toBe('boom')
    expect(error.message).toBe(`event "main": ${phase} of "second" failed: boom; nothing was written`)
    expect(await store.bucket('things').count()).toBe(0)
    expect(await store.log.read()).toEqual([])
    expect(store.supervision().children?.every(({ restarts }) => restarts === 0)).toBe(true)
  })

  test.each<[string, unknown, string]>([
    ['a number', 5, 'the result'],
    ['a list', [], 'the result'],
    ['a promise', Promise.resolve(), 'only transact may wait'],
    ['an unknown bucket', { nothing: {} }, 'Bucket "nothing" is not defined'],
    ['an internal bucket', { 'varve/queue': { clear: true } }, 'is not defined'],
    ['a bucket called __proto__', JSON.parse('{"__proto__":{"insert":{"id":"a"}}}'), 'is not defined'],
    ['an unknown step', { things: { put: {} } }, 'the result for bucket "things"'],
    ['a key that is none', { things: { remove: {} } }, 'things.remove'],
    ['an update without a key', { things: { update: { n: 1 } } }, 'things.update'],
    ['a record that does not fit', { things: { insert: { id: 'b', n: 'x' } } }, 'Expected type "number"'],
    ['a record that is there', { things: { insert: [{ id: 'b' }, { id: 'b' }] } }, 'already has a record'],
    ['sub-events that are none', { events: [5] }, 'events[]'],
    ['a sub-event without a definition', { events: [{ type: 'nobody' }] }, 'Event "nobody" is not defined'],
    ['a sub-event that cannot be stored', { events: [{ type: 'main', data: { x: 5n } }] }, 'A bigint cannot be stored'],
  ])('a reducer that returns %s', async (_, result, message) => {
    const store = await things()
    store.defineEvent('main', { reduce: () => result as never })
    const error = await rejection(store.dispatch('main'))
    expect(error.name).toBe('EventFailedError')
    expect(error.message).toContain(message)
    expect(await store.bucket('things').count()).toBe(0)
  })

  test('records that would break a unique field are refused at the commit', async () => {
    const store = await open({
      buckets: { users: { key: 'id', schema: { id: { type: 'string' }, email: { type: 'string', unique: true } } } },
    })
    store.defineEvent('joined', { reduce: ({ data }) => ({ users: { insert: data } }) })
    await store.dispatch('joined', { id: 'a', email: 'x' })
    const error = await rejection(store.dispatch('joined', { id: 'b', email: 'x' }))
    expect(error).toMatchObject({ phase: 'commit', cause: { code: 'UNIQUE_CONSTRAINT' } })
    expect(await store.bucket('users').count()).toBe(1)
  })

  test('events that answer each other without end are stopped, and the path is told', async () => {
    const store = await things()
    store.defineEvent('ping', { reduce: () => ({ events: [{ type: 'pong' }] }) })
    store.defineEvent('pong', { reduce: () => ({ events: [{ type: 'ping' }] }) })
    const error = await rejection(store.dispatch('ping'))
    expect(error).toMatchObject({ phase: 'events', cause: { code: 'EVENT_RECURSION' } })
    expect(error.path).toHaveLength(102)
    expect(error.message).toContain('more than 100, along "ping" → "pong" → "ping" → "pong" → … 94 more …')
    store.defineEvent('wide', {
      reduce: ({ depth }) => ({ events: depth < 90 ? [{ type: 'wide' }, { type: 'wide' }] : [] }),
    })
    expect((await rejection(store.dispatch('wide'))).message).toContain('sub-events of one event: more than 10000')
    expect(await store.log.read()).toEqual([])
  })

  test('a nesting of a hundred is fine', async () => {
    const store = await things()
    store.defineEvent('down', { reduce: ({ depth }) => ({ events: depth < 100 ? [{ type: 'down' }] : [] }) })
    await store.dispatch('down')
    expect(await store.log.read()).toHaveLength(1)
  })

  test('a failure is kept in the log where its type wants that', async () => {
    const store = await things()
    store.defineEvent('main', { recordFailures: true, reduce: boom })
    await rejection(store.dispatch('main', { n: 1 }, { meta: { who: 'me' } }))
    expect(await store.log.read()).toMatchObject([
      {
        type: 'store/failure',
        data: {
          type: 'main',
          data: { n: 1 },
          error: { phase: 'reduce', reducer: 'main', name: 'TypeError', message: 'boom' },
        },
        meta: { who: 'me' },
        changes: [],
      },
    ])
  })

  test('dispatching from a reducer is refused', async () => {
    const store = await things()
    let inner: Promise<unknown> | undefined
    store.defineEvent('main', { reduce: () => void (inner = store.dispatch('main')) })
    expect(await rejection(store.dispatch('main'))).toMatchObject({ code: 'EVENT_FAILED', phase: 'reduce' })
    expect((await rejection(inner as Promise<unknown>)).message).toContain('use transact')
  })

  test('a write that the storage refuses undoes the event, and says so as for any write', async () => {
    class Failing extends MemoryAdapter {
      fails = false
      override append(...args: Parameters<MemoryAdapter['append']>): ReturnType<MemoryAdapter['append']> {
        if (this.fails) throw new Error('disk full')
        return super.append(...args)
      }
    }
    const adapter = new Failing()
    const store = await open({ persistence: { adapter }, buckets: { things: THINGS } })
    store.defineEvent('made', { reduce: ({ data }) => ({ things: { insert: data } }) })
    adapter.fails = true
    expect((await rejection(store.dispatch('made', { id: 'a' }))).name).toBe('StorageError')
    adapter.fails = false
    expect(await store.bucket('things').count()).toBe(0)
    await store.dispatch('made', { id: 'a' })
    expect(await store.bucket('things').count()).toBe(1)
  })
})

describe('what dispatch takes', () => {
  test.each<[string, unknown, string]>([
    ['a bigint', { a: { b: [1n] } }, 'dispatch("main", data).a.b[0]'],
    ['a function', { f: () => 1 }, 'dispatch("main", data).f'],
    ['NaN', { n: Number.NaN }, 'dispatch("main", data).n'],
    [
      'something circular',
      (() => {
        const a: { a?: unknown } = {}
        a.a = a
        return a
      })(),
      'Nested deeper than 100',
    ],
    ['a Map', new Map(), 'dispatch("main", data)'],
    ['a list', [1], 'dispatch("main", data)'],
    ['null', null, 'dispatch("main", data)'],
    ['a text', 'text', 'dispatch("main", data)'],
    ['__proto__', JSON.parse('{"__proto__":{"polluted":1}}'), '__proto__'],
    ['more than can be kept', { text: 'x'.repeat(17 * 1024 * 1024) }, 'characters'],
  ])('%s is refused, and harms nobody else', async (_, data, message) => {
    const store = await things()
    store.defineEvent('main', { reduce: () => ({ things: { upsert: { id: 'a' } } }) })
    const [good, bad, also] = await Promise.allSettled([
      store.dispatch('main'),
      store.dispatch('main', data as never),
      store.dispatch('main'),
    ])
    expect([good.status, also.status]).toEqual(['fulfilled', 'fulfilled'])
    expect((bad as PromiseRejectedResult).reason).toMatchObject({ name: 'InvalidArgumentError' })
    expect(String((bad as PromiseRejectedResult).reason)).toContain(message)
    expect(await store.log.read()).toHaveLength(2)
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  test('data that does not fit is refused with everything that is wrong', async () => {
    const store = await things()
    store.defineEvent('main', { schema: { a: { type: 'string', required: true }, n: { type: 'number', min: 1 } } })
    const error = await rejection(store.dispatch('main', { n: 0 }))
    expect(error).toMatchObject({ name: 'EventFailedError', phase: 'validate' })
    expect((error.cause as { issues: unknown }).issues).toMatchObject([
      { field: 'a', code: 'required' },
      { field: 'n', code: 'min' },
    ])
    expect(error.message).toContain('Validation failed for event "main"')
  })

  test('defaults and generated fields are filled in before reducers see the data', async () => {
    const { store, runtime } = await openVirtual()
    store.defineEvent('main', {
      schema: {
        id: { type: 'string', generated: 'uuid' },
        at: { type: 'number', generated: 'timestamp' },
        n: { type: 'number', default: 5 },
        deep: { type: 'object', properties: { flag: { type: 'boolean', default: true } }, default: {} },
      },
    })
    const { data } = await store.dispatch('main')
    expect(data).toEqual({ id: expect.any(String), at: runtime.now(), n: 5, deep: { flag: true } })
  })

  test('one object with everything, a reference, and a time of its own', async () => {
    const { store, runtime } = await openVirtual()
    const main = store.defineEvent('main', { transact: ({ at }, tx) => [at, tx.now()] })
    const receipt = await store.dispatch({ type: 'main', data: { n: 1 }, at: 5, meta: { who: 'me' } })
    expect(receipt).toMatchObject({ at: 5, result: [5, 5], data: { n: 1 } })
    expect((await store.dispatch(main, { n: 2 })).at).toBe(runtime.now())
    expect(await store.log.read()).toMatchObject([
      { data: { n: 1 }, meta: { who: 'me' }, event: { at: 5 }, at: runtime.now() },
      { data: { n: 2 }, event: {} },
    ])
  })

  test.each<[unknown[], string]>([
    [[], 'dispatch(type)'],
    [[5], 'dispatch(type)'],
    [['nobody'], 'Event "nobody" is not defined'],
    [['__proto__'], 'Event "__proto__" is not defined'],
    [['main', {}, { at: Number.NaN }], '{ at }'],
    [['main', {}, { meta: 5 }], 'meta'],
    [['main', {}, { meta: { f: () => 1 } }], 'meta.f'],
    [['main', {}, { durability: 'paper' }], 'durability'],
  ])('%j is refused', async (args, message) => {
    const store = await things()
    store.defineEvent('main', {})
    const error = await rejection((store.dispatch as (...args: unknown[]) => Promise<unknown>)(...args))
    expect(error.message).toContain(message)
    expect(await store.log.read()).toEqual([])
  })

  test('unknown events can be kept instead', async () => {
    const store = await open({ unknownEvents: 'keep' })
    await store.dispatch('from/elsewhere', { n: 1 })
    expect(await store.log.read()).toMatchObject([{ type: 'from/elsewhere', data: { n: 1 } }])
    expect((await rejection(store.dispatch('store/write'))).name).toBe('EventNotDefinedError')
  })

  test('events wait for a bucket that is loading, or that comes back after a crash', async () => {
    const store = await open()
    const defined = store.defineBucket('things', THINGS)
    store.defineEvent('made', { reduce: ({ data }) => ({ things: { insert: data } }) })
    await store.dispatch('made', { id: 'a' })
    await defined
    store.kill('bucket:things')
    await store.dispatch('made', { id: 'b' })
    expect(await store.bucket('things').keys()).toEqual(['a', 'b'])
  })
})
