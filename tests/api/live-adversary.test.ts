import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { BucketDefinition, LiveChanges, StoreOptions } from '../../src/index.js'
import { MemoryAdapter, SQLiteAdapter, Store } from '../../src/index.js'
import { RowsView } from '../../src/reactive/rows-view.js'
import { FaultPlan, faultyAdapter } from '../../src/testing/faults.js'

// What an adversary has broken in queries and live queries; each of these failed once.

const def = { key: 'id', schema: { id: { type: 'number' }, n: { type: 'number' } } } as const satisfies BucketDefinition

async function open(options: Omit<StoreOptions, 'buckets'> = {}) {
  const store = await Store.start({ ...options, buckets: { b: def, e: { ...def, persistent: false } } })
  onTestFinished(() => store.stop())
  return { store, b: store.bucket('b'), e: store.bucket('e') }
}

async function openFaulty() {
  const folder = mkdtempSync(join(tmpdir(), 'varve-live-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const plan = new FaultPlan()
  const adapter = faultyAdapter(new SQLiteAdapter(join(folder, 'a.db')), plan)
  const errors: string[] = []
  const opened = await open({ persistence: { adapter }, onError: (error) => errors.push(error.message) })
  return { ...opened, plan, errors }
}

const ids = (rows: readonly { readonly id: number }[]): number[] => rows.map(({ id }) => id)

describe('a commit that is taken back', () => {
  test('is never delivered to who subscribed while it was in flight', async () => {
    const { store, b, plan, errors } = await openFaulty()
    await b.insert({ id: 1 })
    const idle: number[][] = []
    b.query().live((rows) => idle.push(ids(rows)))
    await store.settle()
    plan.arm({ failAt: 1, error: () => new Error('disk'), only: /append/ })
    const write = b.insert({ id: 2 }).catch((error: unknown) => error)
    await Promise.resolve()
    const seen: unknown[] = []
    b.query().live((rows, { position }) => seen.push([ids(rows), position]))
    expect(await write).toBeInstanceOf(Error)
    await store.settle()
    await b.insert({ id: 3 })
    await store.settle()
    expect(seen).toEqual([
      [[1], 1],
      [[1, 3], 2],
    ])
    expect(idle).toEqual([[1], [1, 3]])
    expect(errors).toEqual([])
  })

  test('is not what a quiet subscription compares with; what is written as soon as it has failed is told', async () => {
    const { store, b, plan, errors } = await openFaulty()
    await b.insert({ id: 1 })
    plan.arm({ failAt: 1, error: () => new Error('disk'), only: /append/ })
    const seen: unknown[] = []
    const write = b.insert({ id: 2 }).catch(() => b.insert({ id: 3 }))
    await Promise.resolve()
    type Row = { readonly id: number }
    const told = (rows: readonly Row[], { removed }: LiveChanges<Row>) => seen.push([ids(rows), ids(removed)])
    const quiet = { immediate: false }
    b.where({ id: { lt: 3 } }).live(told, quiet)
    const stop = b.query().live(told, quiet)
    await write
    await store.settle()
    expect(seen).toEqual([[[1, 3], []]])
    stop()
    await b.delete(1)
    await store.settle()
    expect(seen.slice(1)).toEqual([[[], [1]]])
    expect(errors).toEqual([])
  })

  test.each(['keys', 'where'])('is nothing that a quiet subscription to a query was told of (%s)', async (kind) => {
    const { store, b, plan, errors } = await openFaulty()
    await b.insert({ id: 1 })
    store.defineQuery('ids', async (ctx, _params: unknown) =>
      kind === 'keys' ? ctx.bucket('b').keys() : (await ctx.bucket('b').where({})).map(({ id }) => id),
    )
    const seen: unknown[] = []
    for (const isRetried of [false, true]) {
      plan.arm({ failAt: 1, error: () => new Error('disk'), only: /append/ })
      const write = b.insert({ id: 2 }).catch(() => (isRetried ? b.insert({ id: 3 }) : undefined))
      await Promise.resolve()
      const stop = await store.subscribe('ids', { isRetried }, (result) => seen.push(result))
      await write
      await store.settle()
      expect(seen).toEqual(isRetried ? [[1, 3]] : [])
      stop()
    }
    expect(errors).toEqual([])
  })

  test('does not count in the position of a result of another bucket', async () => {
    const { store, b, e, plan, errors } = await openFaulty()
    plan.arm({ failAt: 1, error: () => new Error('disk'), only: /append/ })
    const write = b.insert({ id: 2 }).catch((error: unknown) => error)
    await Promise.resolve()
    const seen: unknown[] = []
    e.query().live((rows, { position }) => seen.push([rows.length, position]))
    await write
    await store.settle()
    await e.insert({ id: 7 })
    await store.settle()
    expect(seen).toEqual([
      [0, 0],
      [1, 0],
    ])
    expect(errors).toEqual([])
  })
})

test('a write to every row of a live list is not a write times the list', async () => {
  const { store, b } = await open()
  await b.insertMany(Array.from({ length: 20_000 }, (_, id) => ({ id, n: (id * 7_919) % 20_000 })))
  let last: readonly { readonly id: number }[] = []
  b.query()
    .orderBy('n')
    .live((rows) => (last = rows))
  await store.settle()
  const apply = vi.spyOn(RowsView.prototype, 'apply')
  await b.updateMany({}, { n: 5 })
  await store.settle()
  // Each change moves a part of the list: after some of them it is made anew instead, once.
  expect(apply.mock.calls.length).toBeLessThan(1_000)
  apply.mockRestore()
  expect(last).toHaveLength(20_000)
  expect(ids(last).slice(0, 3)).toEqual([0, 1, 2])
})

test('a query that is ended while it runs leaves nothing behind', async () => {
  const { store, b } = await open()
  let go: (() => void) | undefined
  store.defineQuery('q', async (ctx) => {
    const from = ctx.bucket('b')
    await from.count()
    await new Promise<void>((resolve) => (go = resolve))
    return from.query().orderBy('id')
  })
  for (let i = 0; i < 3; i++) {
    const abort = new AbortController()
    const subscribed = store.subscribe('q', () => undefined, { signal: abort.signal })
    while (go === undefined) await Promise.resolve()
    abort.abort()
    go()
    go = undefined
    await subscribed
  }
  const stop = b
    .query()
    .orderBy('id')
    .live(() => undefined)
  await stop.ready
  expect([(await store.getStats()).queries.activeSubscriptions, stop.explain().shared]).toEqual([1, 1])
})

test('a page that a query function is given is its own', async () => {
  const { store, b } = await open()
  await b.insertMany([1, 2, 3].map((id) => ({ id })))
  store.defineQuery('q', (ctx) => ctx.bucket('b').query().page({ size: 2 }))
  await store.subscribe('q', (page) => (page as { records: unknown[] }).records.reverse().push('junk'), {
    immediate: true,
  })
  const seen: unknown[] = []
  await store.subscribe('q', (page) => seen.push(ids((page as { records: { id: number }[] }).records)), {
    immediate: true,
  })
  expect(seen).toEqual([[1, 2]])
})

test('undefined in the filter of an index is refused', async () => {
  const { store } = await open()
  const indexes = [{ fields: ['n'], unique: true, where: { active: undefined } }]
  await expect(store.defineBucket('c', { ...def, indexes } as never)).rejects.toThrow(
    /undefined is no value to compare with/,
  )
})

test('an iterator ends while somebody waits for it: by return, by a signal, and by the end of the store', async () => {
  const { store, b } = await open()
  const abort = new AbortController()
  const done = { done: true, value: undefined }
  const iterators = [b.query().live(), b.query().live({ signal: abort.signal }), b.query().live()].map((rows) =>
    rows[Symbol.asyncIterator](),
  )
  for (const one of iterators) expect((await one.next()).value).toEqual([])
  const waiting = iterators.map((one) => one.next())
  expect(await iterators[0]?.return?.()).toEqual(done)
  expect(await waiting[0]).toEqual(done)
  abort.abort()
  expect(await waiting[1]).toEqual(done)
  await store.stop()
  expect(await waiting[2]).toEqual(done)
  expect(await iterators[2]?.next()).toEqual(done)
})

test('rows that stay have not moved because others came or went', async () => {
  const { store, b } = await open()
  await b.insertMany([1, 2, 3, 4, 5].map((id) => ({ id })))
  const seen: LiveChanges<{ readonly id: number }>[] = []
  b.query()
    .orderBy('id')
    .live((_rows, changes) => seen.push(changes), { immediate: false })
  await b.deleteMany({ id: { in: [1, 2] } })
  await store.settle()
  await store.transaction(async (tx) => {
    for (const id of [1, 2, 0]) await tx.bucket('b').insert({ id })
    await tx.bucket('b').delete(4)
  })
  await store.settle()
  expect(seen.map(({ added, removed, moved }) => [ids(added), ids(removed), moved])).toEqual([
    [[], [1, 2], []],
    [[0, 1, 2], [4], []],
  ])
})

test('a bucket that is defined again with another key says what has changed by that', async () => {
  const { store } = await open({ onError: () => undefined })
  const first = await store.defineBucket('c', def)
  const seen: unknown[] = []
  first
    .query()
    .live((rows, { removed, changed }) =>
      seen.push([rows.map((row) => (row as unknown as { sku: string }).sku), removed.length, changed.length]),
    )
  await store.settle()
  await store.dropBucket('c')
  const again = await store.defineBucket('c', {
    key: 'sku',
    schema: { sku: { type: 'string' }, id: { type: 'number' } },
  })
  await again.insertMany(['x', 'y', 'z'].map((sku) => ({ sku, id: 1 })))
  await store.settle()
  await again.delete('y')
  await store.settle()
  expect(seen.slice(-2)).toEqual([
    [['x', 'y', 'z'], 0, 0],
    [['x', 'z'], 1, 0],
  ])
})

test('nobody is called because something happened outside of his window, or the bucket was loaded anew', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'varve-live-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const { store, b } = await open({ file: join(folder, 'a.db'), onError: () => undefined })
  await b.insertMany([1, 2, 3].map((id) => ({ id })))
  const seen: number[][] = []
  b.query()
    .offset(1)
    .limit(1)
    .live((rows) => seen.push(ids(rows)))
  b.query().live((rows) => seen.push(ids(rows)))
  b.query()
    .offset(Infinity)
    .live((rows) => seen.push(ids(rows)))
  await store.settle()
  expect(seen.splice(0)).toEqual([[2], [1, 2, 3], []])
  store.kill('bucket:b')
  await b.count()
  await store.settle()
  expect(seen).toEqual([])
  await b.update(1, { n: 1 })
  await store.settle()
  expect(seen).toEqual([[1, 2, 3]])
})

test('what comes right after a quiet subscription is told', async () => {
  const { store, b } = await open()
  await b.insert({ id: 1 })
  const seen: number[][] = []
  b.query().live((_rows, { added }) => seen.push(ids(added)), { immediate: false })
  await b.insert({ id: 2 })
  await store.settle()
  expect(seen).toEqual([[2]])
})

describe('what comes right after a quiet subscription is told while', () => {
  const quiet = { immediate: false }
  const related = { id: { type: 'number' }, bId: { type: 'number', ref: 'b' } } as const

  test('its bucket is loaded: by comparison with what was there', async () => {
    const { store, b } = await open({ onError: () => undefined })
    await b.insert({ id: 1 })
    store.kill('bucket:b')
    const seen: unknown[] = []
    b.query().live((rows, { added }) => seen.push([ids(rows), ids(added)]), quiet)
    b.where({ id: 1 }).live((rows) => seen.push(rows), quiet)
    await b.insert({ id: 2 })
    await store.settle()
    expect(seen).toEqual([[[1, 2], [2]]])
  })

  test('an included bucket is loaded: with all of the first result', async () => {
    const { store, b } = await open({ onError: () => undefined })
    await store.defineBucket('c', { key: 'id', schema: related })
    await b.insert({ id: 1 })
    const seen: unknown[] = []
    const query = b.query().include('c' as never)
    for (const write of [() => b.insert({ id: 2 }), () => Promise.resolve()]) {
      store.kill('bucket:c')
      const stop = query.live((rows, { added }) => seen.push([rows.length, added.length]), quiet)
      await write()
      await stop.ready
      await store.settle()
      stop()
    }
    expect(seen).toEqual([[2, 2]])
  })
})

describe('the parameters of a query are those at the call', () => {
  test('also for one that runs again because it was overtaken, and has used up its own', async () => {
    const { store, b } = await open()
    await b.insertMany([1, 2, 3].map((id) => ({ id, n: 1 })))
    let write: Promise<unknown> | undefined
    store.defineQuery('take', async (ctx, { left }: { left: number[] }) => {
      const found: unknown[] = []
      for (let id = left.pop(); id !== undefined; id = left.pop()) found.push((await ctx.bucket('b').get(id))?.n)
      await (write ??= b.update(1, { n: 2 }))
      return found
    })
    expect(await store.runQuery('take', { left: [1, 2, 3] })).toEqual([1, 1, 2])
  })

  test('also where one of them cannot be told apart, or is another one each time', async () => {
    const { store, b } = await open()
    await b.insertMany([1, 2].map((id) => ({ id, n: id })))
    store.defineQuery('of', async (ctx, { n }: { n: number }) => ids(await ctx.bucket('b').where({ n })))
    const seen: unknown[] = []
    const params = { n: 1, map: new Map() }
    await store.subscribe('of', params, (result) => seen.push(result), { immediate: true })
    params.n = 2
    await b.insert({ id: 3, n: 1 })
    await store.settle()
    let reads = 0
    const hostile = {
      get n() {
        return reads++ === 0 ? 2 : 1
      },
    }
    for (const one of [hostile, { n: 2 }, { n: 1 }]) {
      const own: unknown[] = []
      await store.subscribe('of', one, (result) => own.push(result), { immediate: true })
      seen.push(own[0])
    }
    expect(seen).toEqual([[1], [1, 3], [2], [2], [1, 3]])
  })
})

test("what looks like a record and is not frozen to the bottom is nobody else's", async () => {
  const { store, b } = await open()
  await b.insert({ id: 1, n: 0 })
  store.defineQuery('q', async (ctx) =>
    (await ctx.bucket('b').all()).map((row) => Object.freeze({ ...row, tags: [] as string[] })),
  )
  const seen: string[] = []
  for (const name of ['first', 'second']) {
    const callback = ([row]: { tags: string[] }[]): void => {
      row?.tags.push(name)
      seen.push(String(row?.tags))
    }
    await store.subscribe<{ tags: string[] }[]>('q', callback, { immediate: true })
  }
  await b.update(1, { n: 1 })
  await store.settle()
  expect(seen).toEqual(['first', 'second', 'first', 'second'])
})

test("the lists of changes are nobody's to change", async () => {
  const { store, b } = await open()
  await b.insertMany([1, 2].map((id) => ({ id, n: id })))
  const seen: boolean[] = []
  const query = b.query().orderBy('n')
  query.live((_rows, { added, removed, changed, moved }) =>
    seen.push([added, removed, changed, moved].every((list) => Object.isFrozen(list))),
  )
  await store.settle()
  await b.update(1, { n: 5 })
  await store.settle()
  await b.updateMany({}, { n: 7 })
  await store.settle()
  expect(seen).toEqual([true, true, true])
})

test('an error of a callback that has just ended its subscription is told', async () => {
  const own: string[] = []
  const { store, b } = await open()
  const options = { onError: (error: Error) => own.push(error.message) }
  store.defineQuery('q', (ctx) => ctx.bucket('b').count())
  for (const callback of [() => Promise.reject(new Error('later')), () => expect.fail('at once')]) {
    const stopLive = b.query().live(() => {
      stopLive()
      return callback()
    }, options)
    const stop = await store.subscribe(
      'q',
      () => {
        stop()
        return callback()
      },
      options,
    )
    await b.insert({ id: own.length })
    await store.settle()
    await Promise.resolve()
  }
  expect(own.sort()).toEqual(['at once', 'at once', 'later', 'later'])
})

test('nobody waits for a query that never ends once all have left it', async () => {
  const { store } = await open()
  store.defineQuery('hang', () => new Promise(() => undefined))
  const abort = new AbortController()
  const subscribed = store.subscribe('hang', () => undefined, { signal: abort.signal })
  abort.abort()
  await subscribed
  await store.settle()
})

test('a query that fails again and again keeps what it has read last, and what it read when it did not', async () => {
  const { store, b } = await open()
  let run = 0
  store.defineQuery('bad', async (ctx) => {
    const from = ctx.bucket('b')
    run++
    await from.get(0)
    await from.where({ n: run })
    if (run === 1) return from.get(100)
    await from.get(run)
    throw new Error('bad')
  })
  await store.subscribe('bad', () => undefined, { onError: () => undefined })
  await b.insert({ id: 0, n: -1 })
  for (let i = 2; i < 20; i++) {
    await b.update(0, { n: -i })
    await store.settle()
  }
  expect((await store.getStats()).live.views).toBeLessThan(5)
  const before = run
  for (const id of [100, 7]) {
    await b.insert({ id, n: -1 })
    await store.settle()
  }
  expect(run).toBe(before + 1)
})

test('a cursor is one of its query, and of what is stored', async () => {
  const { store, b } = await open()
  const inside = await store.transaction(async (tx) => {
    await tx.bucket('b').insertMany([1, 2, 3].map((id) => ({ id, n: id })))
    const first = await tx.bucket('b').query().page({ size: 2 })
    expect(ids((await tx.bucket('b').query().page({ size: 2, after: first.nextCursor })).records)).toEqual([3])
    return first
  })
  await expect(b.query().page({ size: 9, after: inside.nextCursor })).rejects.toThrow(/what is stored/)
  const { nextCursor: after } = await b.where({ n: 1 }).orderBy('n').page({ size: 1 })
  await expect(b.where({ n: 2 }).orderBy('n').page({ size: 1, after })).rejects.toThrow(/of the same query/)
})

test('a signal is let go of when the store ends, and one that throws has subscribed nobody', async () => {
  const { store, b } = await open()
  let listeners = 0
  const signal = { aborted: false, addEventListener: () => listeners++, removeEventListener: () => listeners-- }
  b.query().live(() => undefined, { signal: signal as never })
  const hostile = {
    ...signal,
    addEventListener: () => {
      throw new Error('no')
    },
  }
  expect(() => b.query().live(() => undefined, { signal: hostile as never })).toThrow('no')
  await store.settle()
  expect((await store.getStats()).queries.activeSubscriptions).toBe(1)
  await store.stop()
  expect(listeners).toBe(0)
})

test('an onEnd that throws is told to onError, and keeps neither its view nor the other subscriptions', async () => {
  const errors: string[] = []
  const { store, b } = await open({ onError: (error) => errors.push(error.message) })
  const hostile = (): void => {
    throw new Error('no end')
  }
  const ended = vi.fn()
  const stop = b.query().live(() => undefined, { onEnd: hostile })
  await store.settle()
  stop()
  expect((await store.getStats()).live).toMatchObject({ views: 0, subscriptions: 0 })
  b.query().live(() => undefined, { onEnd: hostile })
  b.query().live(() => undefined, { onEnd: ended })
  await store.stop()
  expect(ended).toHaveBeenCalledTimes(1)
  expect(errors).toEqual(['no end', 'no end'])
})

test('the end of a store lets go of its storage, whatever signals and handlers of errors throw', async () => {
  const hostile = (): void => {
    throw new Error('hostile')
  }
  const adapter = new MemoryAdapter()
  const { store, b } = await open({ persistence: { adapter }, onError: () => undefined })
  const signal = { aborted: false, addEventListener: () => undefined, removeEventListener: hostile } as never
  store.defineQuery('q', (ctx) => ctx.bucket('b').count())
  const onEnd = vi.fn()
  const stop = b.query().live(() => undefined, { signal, onEnd: hostile, onError: hostile })
  await stop.ready
  stop()
  ;(await store.subscribe('q', () => undefined, { signal, onError: hostile }))()
  const left = await store.getStats()
  expect([left.live.views, left.live.subscriptions, left.queries.activeSubscriptions]).toEqual([0, 0, 0])
  b.query().live(() => undefined, { signal, onEnd: hostile })
  b.query().live(() => undefined, { onEnd })
  await store.subscribe('q', () => undefined, { signal })
  const close = vi.spyOn(adapter, 'close')
  await store.stop()
  expect([close.mock.calls.length, onEnd.mock.calls.length]).toEqual([1, 1])
})

test('a live query with an include that is ended while a bucket is loaded anew keeps no view', async () => {
  const { store, b } = await open({ onError: () => undefined })
  const related = { id: { type: 'number' }, bId: { type: 'number', ref: 'b' } } as const
  const c = await store.defineBucket('c', { key: 'id', schema: related })
  await b.insert({ id: 1 })
  await c.insert({ id: 1, bId: 1 })
  store.kill('bucket:c')
  const stop = b
    .query()
    .include('c' as never)
    .live(() => undefined)
  await Promise.resolve()
  stop()
  await c.count()
  await store.settle()
  expect((await store.getStats()).live.views).toBe(0)
})

test('operators right after not are refused, for they may be meant for a field of that name', async () => {
  const { b } = await open()
  await expect(b.where({ not: { gt: 6 } } as never)).rejects.toThrow(/a filter after not/)
})

describe('rows that are what they were are told as such', () => {
  type Asked = ReturnType<Awaited<ReturnType<typeof open>>['b']['query']>
  const QUERIES: Record<string, (asked: Asked) => Pick<Asked, 'live'>> = {
    whole: (asked) => asked,
    select: (asked) => asked.select('id', 'n') as never,
    'select without the key': (asked) => asked.select('n') as never,
    include: (asked) => asked.include({ es: { bucket: 'r', via: 'bId' } } as never) as never,
  }
  const r = { key: 'id', schema: { id: { type: 'number' }, bId: { type: 'number', ref: 'b' } } } as const

  test.each(Object.keys(QUERIES))(
    'after a commit that was taken back, though somebody has read it: %s',
    async (kind) => {
      const { store, b, plan } = await openFaulty()
      await store.defineBucket('r', r)
      await b.insertMany([{ id: 1, n: 1 }, { id: 2 }])
      const asked = (QUERIES[kind] as (asked: Asked) => Asked)(b.query())
      store.defineQuery('same', (ctx) => (QUERIES[kind] as (asked: Asked) => Asked)(ctx.bucket('b').query() as never))
      const told: (readonly [readonly unknown[], LiveChanges<unknown>])[] = []
      asked.live((rows, changes) => void told.push([rows, changes]))
      await store.settle()
      plan.arm({ failAt: 1, error: () => new Error('disk'), only: /append/ })
      const write = b.update(1, { n: 2 }).catch((error: unknown) => error)
      await Promise.resolve()
      const off = await store.subscribe('same', () => undefined)
      expect(await write).toBeInstanceOf(Error)
      await store.settle()
      expect(told).toHaveLength(1)
      await b.update(2, { n: 7 })
      await store.settle()
      const [[first], [last, changes]] = told as never as [[unknown[]], [unknown[], LiveChanges<unknown>]]
      expect(last[0]).toBe(first[0])
      expect(changes).toMatchObject({
        added: [],
        removed: [],
        changed: [{ before: first[1], after: last[1] }],
        moved: [],
      })
      off()
    },
  )

  test('after a value has changed and changed back within a batch', async () => {
    const { store, b, e } = await open()
    await store.defineBucket('r', r)
    await b.insertMany([
      { id: 1, n: 1 },
      { id: 2, n: 1 },
    ])
    const seen: string[] = []
    const included = () =>
      b
        .query()
        .select('id')
        .include({ rs: { bucket: 'r', via: 'bId' } } as never)
    b.query()
      .select('id', 'n')
      .live(() => void seen.push('select'))
    included().live(() => void seen.push('include'))
    store.defineQuery('same', (ctx) =>
      ctx
        .bucket('b')
        .query()
        .select('id')
        .include({ rs: { bucket: 'r', via: 'bId' } } as never),
    )
    await store.settle()
    const all: Promise<unknown>[] = [b.update(1, { n: 2 }), b.update(1, { n: 1 })]
    all.push(
      store.bucket('r').insert({ id: 1, bId: 2 }),
      store.subscribe('same', () => undefined),
    )
    all.push(store.bucket('r').delete(1), e.insert({ id: 1 }))
    await Promise.all(all)
    await store.settle()
    expect(seen).toEqual(['select', 'include'])
  })

  test('after a view could not be built, because a bucket was gone', async () => {
    const { store, b } = await open({ onError: () => undefined })
    await store.defineBucket('r', r)
    const inner = { key: 'id', schema: { id: { type: 'number' }, rId: { type: 'number', ref: 'r' } } } as const
    await store.defineBucket('inner', inner)
    await b.insertMany([{ id: 1 }, { id: 2 }])
    await store.bucket('r').insert({ id: 1, bId: 1 })
    const include = { r: { include: 'inner' } } as never
    store.defineQuery('same', (ctx) => ctx.bucket('b').query().include(include))
    await store.subscribe('same', () => undefined)
    const told: (readonly (readonly unknown[])[])[] = []
    b.query()
      .include(include)
      .live((rows, { changed }) => void told.push([rows, changed]))
    await store.settle()
    await store.dropBucket('inner')
    await store.settle()
    await store.defineBucket('inner', inner)
    await store.settle()
    expect(told).toHaveLength(2)
    expect(told[1]?.[0]?.[1]).toBe(told[0]?.[0]?.[1])
    expect(told[1]?.[1]).toEqual([])
  })

  test('rows without their key change as rows with it do, however many change at a time', async () => {
    const { store, b } = await open()
    await b.insertMany([
      { id: 1, n: 1 },
      { id: 2, n: 2 },
    ])
    await store.defineBucket('r', r)
    let n = 10
    for (const asked of [
      b.query().select('n'),
      b
        .query()
        .select('n')
        .include({ r: { bucket: 'r' } } as never),
    ]) {
      const seen: number[][] = []
      const stop = asked.live((_rows, { added, removed, changed, moved }) => {
        seen.push([added.length, removed.length, changed.length, moved.length])
      })
      await store.settle()
      await b.update(1, { n: n++ })
      await store.settle()
      await b.updateMany({}, { n: n++ })
      await store.settle()
      stop()
      expect(seen).toEqual([
        [2, 0, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 2, 0],
      ])
    }
  })
})
