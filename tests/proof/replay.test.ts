import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MemoryAdapter, Store } from '../../src/index.js'
import type { BucketDefinition, Entry, EventOptions, ProjectionOptions } from '../../src/index.js'
import { ReplayStore } from '../../src/sourcing/replay-store.js'
import type { ReplayReport } from '../../src/sourcing/replay.js'
import { virtualRuntime } from '../../src/testing/runtime.js'
import { kinds } from './support/places.js'
import { runs } from './support/runs.js'

const BUCKETS = {
  accounts: { key: 'id', schema: { id: { type: 'string' }, sum: { type: 'number', min: -20 } } },
  notes: {
    key: 'id',
    schema: { id: { type: 'string', generated: 'uuid' }, chance: { type: 'number' } },
    sourced: true,
  },
  lines: { key: 'n', schema: { n: { type: 'number', generated: 'autoincrement' }, text: { type: 'string' } } },
  plain: { key: 'id', schema: { id: { type: 'string' }, n: { type: 'number' } } },
  recent: { key: 'id', schema: { id: { type: 'string', generated: 'uuid' } }, maxSize: 3 },
  once: { key: 'id', schema: { id: { type: 'string' }, name: { type: 'string', unique: true } } },
  sums: {
    key: 'id',
    schema: { id: { type: 'string' }, n: { type: 'number' }, ticket: { type: 'string', generated: 'uuid' } },
  },
  log: { key: 'id', schema: { id: { type: 'string' }, at: { type: 'number' } } },
} as const satisfies { readonly [name: string]: BucketDefinition }

const EVENTS: { readonly [type: string]: EventOptions } = {
  moved: {
    reduce: ({ data, at }, view) => {
      const before = view.bucket('accounts').get(data.account) as { sum: number } | undefined
      return {
        accounts: { upsert: { id: data.account, sum: (before?.sum ?? 0) + Number(data.amount) } },
        lines: { insert: { text: `${String(data.account)} ${at} ${view.random()}` } },
        events: data.also === true ? [{ type: 'noted', data: { of: data.account } }] : [],
      }
    },
    transact: async ({ data }, tx) => {
      if (data.slow !== true) return
      await Promise.resolve()
      await tx.bucket('notes').insert({ chance: tx.random() })
      await tx.dispatch('noted', { of: 'transact' })
    },
  },
  noted: {
    preprocess: ({ data }, view) => ({ ...data, id: data.id ?? view.uuid() }),
    reduce: ({ data }) => ({
      recent: { insert: { id: data.id } },
      once: { upsert: { id: data.of, name: `n ${String(data.of)}` } },
    }),
    derive: ({ changes }) => ({ lines: { insert: { text: changes.map(({ key }) => key).join(' ') } } }),
  },
}

const PROJECTIONS: { readonly [name: string]: ProjectionOptions } = {
  sums: {
    from: ['moved', 'noted'],
    into: ['sums'],
    apply: ({ type, depth }, tx) => {
      const id = `${type} ${depth}`
      tx.bucket('sums').upsert({ id, n: Number(tx.bucket('sums').get(id)?.n ?? 0) + 1 })
    },
  },
  log: {
    from: ['*'],
    into: ['log'],
    mode: 'async',
    apply: ({ at, data }, tx) => ({ log: { insert: { id: tx.uuid(), at, was: Object.keys(data).length } } }),
  },
}

async function begin(
  adapter: MemoryAdapter,
  seed: number,
): Promise<{ store: Store; advance: (ms: number) => Promise<void> }> {
  const runtime = virtualRuntime({ seed })
  const advance = (ms: number): Promise<void> => runtime.advance(ms)
  const starting = Store.start({
    persistence: { adapter },
    runtime,
    buckets: BUCKETS,
    events: EVENTS,
    projections: PROJECTIONS,
    history: 'forever',
    onError: () => undefined,
  }) as Promise<Store>
  return { store: await driven(starting, advance), advance }
}

const accounts = fc.constantFrom('a', 'b', 'c')
const step = fc.oneof(
  fc.record({
    do: fc.constant('dispatch' as const),
    account: accounts,
    amount: fc.integer({ min: -9, max: 9 }),
    also: fc.boolean(),
    slow: fc.boolean(),
  }),
  fc.record({
    do: fc.constant('enqueue' as const),
    account: accounts,
    amount: fc.integer({ min: -9, max: 9 }),
    at: fc.option(fc.nat(1_000), { nil: undefined }),
  }),
  fc.record({
    do: fc.constantFrom('plain' as const, 'erase' as const, 'clear' as const, 'note' as const, 'mix' as const),
    id: accounts,
  }),
  fc.record({ do: fc.constant('advance' as const), ms: fc.nat(50) }),
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** A store with a history of `steps`. */
async function history(steps: readonly Step[], seed: number): Promise<{ entries: Entry[]; hash: string }> {
  const { store, advance } = await begin(new MemoryAdapter(), seed)
  const failed = (): undefined => undefined
  const open: Promise<unknown>[] = []
  for (const one of steps) {
    if (one.do === 'dispatch') open.push(store.dispatch('moved', { ...one }).catch(failed))
    else if (one.do === 'enqueue')
      open.push(
        store.enqueue(
          'moved',
          { account: one.account, amount: one.amount },
          one.at === undefined ? {} : { at: one.at },
        ),
      )
    else if (one.do === 'advance') await advance(one.ms)
    else if (one.do === 'plain') open.push(store.bucket('plain').upsert({ id: one.id, n: open.length }))
    else if (one.do === 'erase') open.push(store.bucket('plain').delete(one.id))
    else if (one.do === 'clear') open.push(store.bucket('plain').clear())
    else if (one.do === 'note') open.push(store.bucket('notes').upsert({ id: one.id, chance: 1 }))
    else {
      open.push(
        store
          .transaction(async (tx) => {
            await tx.bucket('plain').upsert({ id: one.id, n: -1 })
            await tx.bucket('notes').upsert({ id: one.id, chance: 2 })
          })
          .catch(failed),
      )
    }
  }
  await advance(100_000)
  await Promise.all(open)
  await driven(store.projected(), advance)
  const entries = await driven(store.log.read(), advance)
  const hash = await driven(store.stateHash(), advance)
  await driven(store.stop(), advance)
  return { entries, hash }
}

/** What a promise resolves with that needs the virtual clock to go on. */
async function driven<T>(promise: PromiseLike<T>, advance: (ms: number) => Promise<void>): Promise<T> {
  let isDone = false
  const done = Promise.resolve(promise).finally(() => (isDone = true))
  while (!isDone) await advance(0)
  return done
}

async function replayed(
  entries: readonly Entry[],
  options: Parameters<typeof ReplayStore.open>[0] = {},
  runTransact = true,
): Promise<{ hash: string; report: ReplayReport }> {
  const replay = await ReplayStore.open(options)
  try {
    await replay.define({ buckets: BUCKETS, events: EVENTS, projections: PROJECTIONS })
    const report = await replay.replay(each(entries), { runTransact })
    return { hash: await replay.stateHash(), report }
  } finally {
    await replay.stop()
  }
}

async function* each(entries: readonly Entry[]): AsyncGenerator<Entry> {
  await Promise.resolve()
  yield* entries
}

/** As it comes out of a file. */
const stored = (entries: readonly Entry[]): Entry[] => JSON.parse(JSON.stringify(entries)) as Entry[]

describe('a replay', () => {
  test('of any history gives the same state, whatever the changes in the log are (EV7)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.nat(), async (steps, own) => {
        const { entries, hash } = await history(steps, own)
        const first = await replayed(entries)
        expect(first.report.failures).toEqual([])
        expect(first.hash).toBe(hash)
        // Events with `transact` as they were recorded: the same.
        const quiet = await replayed(stored(entries), {}, false)
        expect(quiet.hash).toBe(hash)
        expect(quiet.report.recorded).toBe(entries.filter(({ type }) => type === 'moved').length)
        // Of what the entries of events say that they have changed, only numbers are looked at.
        const blind = stored(entries).map((entry) => {
          if (entry.event === undefined || entry.type === 'store/transaction') return entry
          const changes = entry.changes.map(({ bucket, key, before, after }) => {
            return { bucket, key, before: before && {}, after: after && { n: after.n ?? 0, spoiled: true } }
          })
          return { ...entry, changes }
        })
        expect((await replayed(blind)).hash).toBe(hash)
      }),
      runs(60),
    )
  }, 120_000)

  test.each(kinds.filter(({ keepsLog }) => keepsLog))('gives the same state on $name', async ({ make }) => {
    const steps: Step[] = Array.from({ length: 60 }, (_, i) => ({
      do: 'dispatch' as const,
      account: (['a', 'b', 'c'] as const)[i % 3] ?? 'a',
      amount: (i % 7) - 2,
      also: i % 2 === 0,
      slow: i % 5 === 0,
    }))
    const { entries, hash } = await history(steps, 7)
    const place = make()
    try {
      expect((await replayed(entries, { storage: place.adapter() as MemoryAdapter })).hash).toBe(hash)
    } finally {
      place.cleanup()
    }
  })

  test('gives the hash that it always gave: the same on every version of Node.js', async () => {
    const steps: Step[] = [
      { do: 'dispatch', account: 'a', amount: 3, also: true, slow: true },
      { do: 'note', id: 'b' },
      { do: 'advance', ms: 20 },
      { do: 'dispatch', account: 'b', amount: 4, also: true, slow: false },
    ]
    const { entries, hash } = await history(steps, 1)
    expect((await replayed(stored(entries))).hash).toBe(hash)
    expect(hash).toMatchInlineSnapshot(`"28cc5942a7659d5f4ad6e1d3246186708ba7f6a92a09b656819eed22245b64ba"`)
  })
})

describe('what code makes of a log', () => {
  async function made(
    entries: readonly Partial<Entry>[],
    events: { readonly [type: string]: EventOptions },
    unknownEvents: 'refuse' | 'keep' = 'refuse',
    buckets: { readonly [name: string]: BucketDefinition } = { plain: BUCKETS.plain },
    more: {
      readonly runTransact?: boolean
      readonly projections?: { readonly [name: string]: ProjectionOptions }
    } = {},
  ) {
    const replay = await ReplayStore.open({ unknownEvents })
    const { projections = {}, ...options } = more
    await replay.define({ buckets, events, projections })
    const all = entries.map((entry, i) => ({ seq: i + 1, id: `x-${i + 1}`, at: i, type: 'x', changes: [], ...entry }))
    const report = await replay.replay(each(all), options)
    const rows = Object.fromEntries([...replay.buckets].map(({ name, reads }) => [name, reads.all()]))
    await replay.stop()
    return { report, rows }
  }
  const put = (n: number): EventOptions => ({ reduce: ({ data }) => ({ plain: { upsert: { id: data.id, n } } }) })

  test('is not what the log says that older code has made', async () => {
    const before = { id: 'a', n: 1, _version: 1, _createdAt: 0, _updatedAt: 0 }
    const changes = [{ bucket: 'plain', key: 'a', before: undefined, after: before }]
    const { rows } = await made([{ type: 'put', data: { id: 'a' }, event: {}, changes }], { put: put(2) })
    expect(rows.plain).toMatchObject([{ id: 'a', n: 2 }])
    expect((await made([{ type: 'put', data: { id: 'a' }, event: {}, changes }], { put: {} })).rows.plain).toEqual([])
    expect((await made([{ type: 'store/write', changes }], {})).rows.plain).toEqual([before])
  })

  test('leaves out events that cannot be handled, with all that is theirs, and says which', async () => {
    const events = {
      put: put(1),
      bad: {
        reduce: () => ({ plain: { insert: { id: 'half' } } }),
        transact: () => {
          throw new Error('not so')
        },
      },
    }
    const list = ['a', 'b', 'c'].flatMap((id) => [
      { type: 'put', data: { id }, event: {} },
      { type: 'bad', event: {} },
    ])
    const { report, rows } = await made([...list, { type: 'nobody', event: {} }], events, 'refuse', undefined, {
      runTransact: true,
    })
    expect(rows.plain).toMatchObject([{ id: 'a' }, { id: 'b' }, { id: 'c' }])
    expect(report).toMatchObject({ entries: 7, events: 3, failed: 4, position: 7 })
    expect(report.failures.map(({ seq, type }) => [seq, type])).toEqual([
      [2, 'bad'],
      [4, 'bad'],
      [6, 'bad'],
      [7, 'nobody'],
    ])
    expect(report.failures[3]?.error).toMatchObject({
      name: 'EventFailedError',
      cause: { name: 'EventNotDefinedError' },
    })
    expect((await made([{ type: 'nobody', event: {} }], events, 'keep')).report).toMatchObject({ failed: 0, events: 1 })
  })

  test('does not run transact: the event, with its sub-events, is what was recorded, and projections hear of it', async () => {
    let calls = 0
    const events = {
      mail: { reduce: put(2).reduce as never, transact: () => void calls++ },
      order: put(2),
      quiet: put(2),
    }
    const after = (id: string) => ({ id, n: 1, _version: 1, _createdAt: 0, _updatedAt: 0 })
    const changes = (id: string) => [{ bucket: 'plain', key: id, before: undefined, after: after(id) }]
    const list = [
      { type: 'mail', data: { id: 'a' }, event: {}, changes: changes('a') },
      {
        type: 'order',
        data: { id: 'b' },
        event: { events: [{ type: 'mail', data: { id: 'b' } }] },
        changes: changes('b'),
      },
      { type: 'quiet', data: { id: 'c' }, event: {}, changes: changes('c') },
    ]
    const buckets = { plain: BUCKETS.plain, log: BUCKETS.log }
    const heard: string[] = []
    const projections: { readonly [name: string]: ProjectionOptions } = {
      log: { from: ['*'], into: ['log'], apply: ({ type, seq }) => void heard.push(`${type} ${seq}`) },
    }
    const { report, rows } = await made(list, events, 'refuse', buckets, { projections })
    expect(calls).toBe(0)
    expect(report).toMatchObject({ entries: 3, events: 1, recorded: 2, transactTypes: ['mail'], failed: 0 })
    expect(rows.plain).toMatchObject([after('a'), after('b'), { id: 'c', n: 2 }])
    expect(heard).toEqual(['mail 1', 'order 2', 'mail 2', 'quiet 3'])
    const ran = await made(list, events, 'refuse', buckets, { runTransact: true })
    expect(calls).toBe(1)
    expect(ran.report).toMatchObject({ events: 3, recorded: 0, transactTypes: [], failed: 0 })
  })

  test('that newly leads to an event with transact fails, because nothing is recorded of that', async () => {
    let calls = 0
    const events: { readonly [type: string]: EventOptions } = {
      order: { reduce: () => ({ events: [{ type: 'mail' }] }) },
      mail: { transact: () => void calls++ },
    }
    const { report } = await made([{ type: 'order', event: {} }], events)
    expect(calls).toBe(0)
    expect(report).toMatchObject({ failed: 1, failures: [{ seq: 1, type: 'order' }] })
    expect(report.failures[0]?.error.message).toMatch(/"order" → "mail": transact failed: .*--run-transact/)
  })

  test('is of the data of now: upcast step by step, and the entries stay as they are', async () => {
    const entry = Object.freeze({ type: 'put', data: Object.freeze({ name: 'a' }), event: Object.freeze({}) })
    const upcast = {
      1: ({ name }: { name: string }) => ({ key: name }),
      2: ({ key }: { key: string }) => ({ id: key }),
    }
    const { rows } = await made([entry], { put: { ...put(1), version: 3, upcast } })
    expect(rows.plain).toMatchObject([{ id: 'a' }])
    await expect(made([entry], { put: { ...put(1), version: 3, upcast: { 1: upcast[1] } } })).rejects.toThrow(
      'the step from version 2 to 3 is missing',
    )
    const { report } = await made([{ ...entry, event: { version: 5 } }], { put: put(1) })
    expect(report.failures[0]?.error.message).toContain('version 5 was written by newer code')
  })

  test('buckets that are not sourced any more keep what the log says', async () => {
    const after = { id: 'a', n: 1, _version: 1, _createdAt: 0, _updatedAt: 0 }
    const changes = [{ bucket: 'plain', key: 'a', before: undefined, after }]
    const entry = { type: 'bucket/plain', data: { action: 'insert', data: { id: 'a' } }, event: {}, changes }
    expect((await made([entry], {})).rows.plain).toEqual([after])
  })

  test('says which buckets nobody has defined', async () => {
    const changes = [{ bucket: 'gone', key: 'a', before: undefined, after: { id: 'a' } }]
    expect((await made([{ type: 'store/write', changes }], {})).report.undefinedBuckets).toEqual(['gone'])
  })
})
