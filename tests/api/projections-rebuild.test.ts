import { describe, expect, test, vi } from 'vitest'
import { MemoryAdapter, Store } from '../../src/index.js'
import type { ProjectionOptions, RebuildProgress, StoreOptions } from '../../src/index.js'
import { virtualRuntime } from '../../src/testing/runtime.js'
import { kinds } from '../proof/support/places.js'
import { open, rejection } from './opened.js'

const SUMS = {
  key: 'item',
  schema: {
    item: { type: 'string' },
    sum: { type: 'number', required: true },
    id: { type: 'string', generated: 'uuid' },
  },
} as const
const BUCKETS = {
  sums: SUMS,
  other: SUMS,
  lines: { key: 'n', schema: { n: { type: 'number', generated: 'autoincrement' } } },
} as const
const EVENTS = { 'item/sold': {}, 'item/returned': {}, 'user/named': {} }

const sumsIn = (name: string): ProjectionOptions => ({
  from: ['item/*'],
  into: [name],
  apply: ({ type, data }, tx) => {
    const bucket = tx.bucket(name)
    const item = String(data.item)
    const n = type === 'item/sold' ? Number(data.n) : -Number(data.n)
    const sum = Number(bucket.get(item)?.sum ?? 0) + n
    if (sum === 0) bucket.delete(item)
    else bucket.upsert({ item, sum })
  },
})
const sums = sumsIn('sums')
const plain = (n: number): ProjectionOptions => ({
  ...sums,
  version: n,
  apply: ({ data }, tx) => void tx.bucket('sums').upsert({ item: String(data.item), sum: n }),
})

async function sell(store: Store, from: number, to: number): Promise<void> {
  const all: Promise<unknown>[] = []
  for (let i = from; i < to; i++) {
    all.push(store.dispatch(i % 5 === 4 ? 'item/returned' : 'item/sold', { item: `i${i % 7}`, n: 1 + (i % 3) }))
  }
  await Promise.all(all)
}

function start(adapter: MemoryAdapter, more: Partial<StoreOptions> = {}): Promise<Store> {
  const fixed: StoreOptions = { persistence: { adapter }, buckets: BUCKETS, events: EVENTS, onError: () => undefined }
  return Store.start({ ...fixed, ...more })
}

async function rows(store: Store): Promise<unknown> {
  return await store.bucket('sums').all()
}

describe('the buckets of a projection', () => {
  test('are written by it only (EV5)', async () => {
    const store = await open({
      buckets: BUCKETS,
      events: { ...EVENTS, 'item/moved': { reduce: () => ({ sums: { insert: { item: 'x', sum: 1 } } }) } },
    })
    await store.defineProjection('sums', sums)
    await sell(store, 0, 3)
    const before = await rows(store)
    const bucket = store.bucket('sums')
    const writes = [
      () => bucket.insert({ item: 'x', sum: 1 }),
      () => bucket.update('i0', { sum: 1 }),
      () => bucket.upsert({ item: 'i0', sum: 1 }),
      () => bucket.delete('i0'),
      () => bucket.clear(),
      () => bucket.updateMany({}, { sum: 0 }),
      () => store.transaction((tx) => tx.bucket('sums').delete('i0')),
      () => store.transaction((tx) => tx.bucket('sums').clear()),
      () => store.dropBucket('sums'),
      async () => store.import(await collect(store.export())),
    ]
    for (const write of writes) {
      const error = await rejection(write())
      expect(error.cause ?? error).toMatchObject({ name: 'BucketOwnedError' })
    }
    const failed = await rejection(store.dispatch('item/moved'))
    expect(failed).toMatchObject({ name: 'EventFailedError', cause: { name: 'BucketOwnedError', projection: 'sums' } })
    expect(failed.message).toContain('Bucket "sums" is written by projection "sums" only; nothing was written')
    expect(await rows(store)).toEqual(before)
  })

  test('are of one projection, stored, and lose nothing by themselves', async () => {
    const store = await open({
      buckets: {
        ...BUCKETS,
        short: { ...SUMS, ttl: '1h' },
        few: { ...SUMS, maxSize: 2 },
        volatile: { ...SUMS, persistent: false },
        source: { ...SUMS, sourced: true },
      },
      events: EVENTS,
    })
    await store.defineProjection('sums', sums)
    const problem = async (into: string): Promise<string> =>
      (await rejection(store.defineProjection('b', { ...sums, into: [into] }))).message
    expect(await problem('sums')).toContain('bucket "sums" is written by projection "sums"')
    expect(await problem('short')).toContain('loses records by itself')
    expect(await problem('few')).toContain('loses records by itself')
    expect(await problem('volatile')).toContain('is not stored')
    expect(await problem('source')).toContain('is sourced')
    await store.bucket('other').insert({ item: 'a', sum: 1 })
    expect(await problem('other')).toContain('bucket "other" has 1 records that it has not made; clear it first')
    await store.bucket('other').clear()
    await store.defineProjection('b', sumsIn('other'))
  })

  test('are all that apply reads and writes; it does not wait', async () => {
    const store = await open({ buckets: BUCKETS, events: EVENTS })
    let apply: (tx: { bucket(name: string): { all(): unknown } }) => unknown = () => undefined
    await store.defineProjection('sums', { ...sums, apply: (_, tx) => apply(tx) as undefined })
    apply = (tx) => tx.bucket('other').all()
    expect((await rejection(store.dispatch('item/sold'))).message).toContain('only buckets of into (sums)')
    apply = () => Promise.reject(new Error('late'))
    expect((await rejection(store.dispatch('item/sold'))).message).toContain('to be synchronous')
    apply = () => ({ events: [{ type: 'item/sold' }] })
    expect((await rejection(store.dispatch('item/sold'))).message).toContain('no events in the result')
  })
})

describe('an inline projection', () => {
  test('over an old log makes itself of it, while events go on (EV4)', async () => {
    const adapter = new MemoryAdapter()
    const first = await start(adapter)
    await sell(first, 0, 2_500)
    await first.stop()
    const store = await start(adapter, { projections: { sums } })
    expect(store.projections).toMatchObject([{ state: 'building' }])
    const more = sell(store, 2_500, 2_700)
    await Promise.all([more, store.projected()])
    expect(store.projections).toMatchObject([{ state: 'running', lag: 0 }])
    await sell(store, 2_700, 2_800)
    const built = await rows(store)
    expect((built as { _version: number }[]).length).toBeGreaterThan(3)
    expect(await store.rebuild('sums')).toMatchObject({ changed: 0 })
    expect(await rows(store)).toEqual(built)
    await store.stop()
  })

  test('that was not defined for a while takes in what it has missed', async () => {
    const adapter = new MemoryAdapter()
    const first = await start(adapter, { projections: { sums } })
    await sell(first, 0, 10)
    await first.stop()
    // One run in which nothing of interest happens, then one in which something does.
    for (const type of ['user/named', 'item/sold']) {
      const store = await start(adapter)
      await store.dispatch(type, { item: 'new', n: 5 })
      await store.stop()
    }
    const store = await start(adapter, { projections: { sums } })
    await store.projected()
    expect(await store.bucket('sums').get('new')).toMatchObject({ sum: 5 })
    expect(await store.rebuild('sums')).toMatchObject({ changed: 0 })
    await store.stop()
  })

  test('is not in the way of an event that began before it was there', async () => {
    let go = (): void => undefined
    const wait = new Promise<void>((resolve) => (go = resolve))
    const store = await open({
      buckets: BUCKETS,
      events: { ...EVENTS, 'item/slow': { transact: () => wait } },
    })
    await store.dispatch('user/named')
    const slow = store.dispatch('item/slow', { item: 'slow', n: -1 })
    await store.defineProjection('sums', sums)
    await store.projected()
    go()
    await slow
    expect(await store.bucket('sums').get('slow')).toMatchObject({ sum: 1 })
  })

  test('does not make events wait for each other', async () => {
    const store = await open({ buckets: BUCKETS, events: EVENTS })
    await store.defineProjection('sums', sums)
    let conflicts = 0
    await Promise.all(
      Array.from({ length: 50 }, () => store.dispatch('item/sold', { item: 'a', n: 1 }).catch(() => conflicts++)),
    )
    expect(conflicts).toBe(0)
    expect(await store.bucket('sums').get('a')).toMatchObject({ sum: 50 })
  })

  test('takes in the writes of sourced buckets, also those of a transaction', async () => {
    const store = await open({
      buckets: { users: { ...SUMS, sourced: true }, other: SUMS },
    })
    await store.defineProjection('users', {
      from: ['bucket/users'],
      into: ['other'],
      apply: ({ data, seq }, tx) => void tx.bucket('other').set({ item: `${seq} ${String(data.action)}`, sum: 1 }),
    })
    await store.bucket('users').insert({ item: 'a', sum: 1 })
    await store.transaction(async (tx) => {
      await tx.bucket('users').update('a', { sum: 2 })
      await tx.bucket('users').delete('a')
    })
    expect(await store.bucket('other').keys()).toEqual(['2 insert', '3 update', '3 delete'])
    expect(await store.rebuild('users')).toMatchObject({ changed: 0 })
  })
})

describe('rebuild', () => {
  test.each(['inline', 'async'] as const)('makes an %s one of new code, in one change (EV6)', async (mode) => {
    const store = await open({ buckets: BUCKETS, events: EVENTS })
    let factor = 1
    await store.defineProjection('sums', {
      ...sums,
      mode,
      apply: ({ data }, tx) => {
        const before = Number(tx.bucket('sums').get(String(data.item))?.sum ?? 0)
        tx.bucket('sums').upsert({ item: String(data.item), sum: before + factor * Number(data.n) })
      },
    })
    await sell(store, 0, 4_500)
    await store.projected()
    const old = await store.bucket('sums').all()
    const heard: unknown[] = []
    await store.on('bucket.sums.*', (event: { key: string }) => void heard.push(event.key))
    const seen = vi.fn()
    store.bucket('sums').query().live(seen)
    await store.settle()
    seen.mockClear()
    factor = 10
    const progress: RebuildProgress[] = []
    const { position, changed } = await store.rebuild('sums', {
      onProgress: (step) => {
        progress.push(step)
        expect(heard).toEqual([])
      },
    })
    await store.settle()
    expect(changed).toBe(old.length)
    expect(heard).toHaveLength(old.length)
    expect(seen).toHaveBeenCalledTimes(1)
    expect(progress.length).toBeGreaterThanOrEqual(2)
    expect(progress.at(-1)?.position).toBe(position)
    expect((await store.bucket('sums').all()).map(({ sum }) => sum)).toEqual(old.map(({ sum }) => Number(sum) * 10))
    factor = 1
    await sell(store, 0, 1)
    await store.projected()
    expect(store.listBuckets()).toEqual(['sums', 'other', 'lines'])
    expect(store.projections).toMatchObject([{ state: 'running', lag: 0, rebuild: undefined }])
  })

  test('takes in what happens meanwhile, and the old one is kept until then', async () => {
    const store = await open({ buckets: BUCKETS, events: EVENTS })
    await store.defineProjection('sums', sums)
    await sell(store, 0, 3_000)
    let next = 3_000
    const during: Promise<unknown>[] = []
    await store.rebuild('sums', {
      onProgress: () => {
        during.push(sell(store, next, next + 50))
        next += 50
      },
    })
    await Promise.all(during)
    const reference = await open({ buckets: BUCKETS, events: EVENTS, projections: { sums } })
    await sell(reference, 0, next)
    const bare = (list: readonly object[]): unknown =>
      list.map((row) => ({ ...row, id: 0, _createdAt: 0, _updatedAt: 0 }))
    expect(bare(await store.bucket('sums').all())).toEqual(bare(await reference.bucket('sums').all()))
    expect(await store.rebuild('sums')).toMatchObject({ changed: 0 })
  })

  test('that fails, or is given up, leaves all as it was', async () => {
    const adapter = new MemoryAdapter()
    const store = await start(adapter)
    let fails = false
    await store.defineProjection('sums', {
      ...sums,
      apply: (event, tx) => {
        if (fails) throw new Error('not so')
        return sums.apply(event, tx)
      },
    })
    await sell(store, 0, 3_000)
    const before = await rows(store)
    fails = true
    expect(await rejection(store.rebuild('sums'))).toMatchObject({ name: 'ProjectionFailedError', seq: 2 })
    fails = false
    const abort = new AbortController()
    const given = store.rebuild('sums', { signal: abort.signal, onProgress: () => abort.abort(new Error('enough')) })
    expect((await rejection(given)).message).toBe('enough')
    expect((await rejection(store.rebuild('sums', { signal: AbortSignal.abort(new Error('never')) }))).message).toBe(
      'never',
    )
    expect((await rejection(store.rebuild('nobody'))).name).toBe('ProjectionNotDefinedError')
    for (const options of [1, { onProgress: 1 }, { signal: {} }]) {
      expect((await rejection(store.rebuild('sums', options as never))).name).toBe('InvalidArgumentError')
    }
    expect(await rows(store)).toEqual(before)
    await sell(store, 0, 1)
    expect(store.projections).toMatchObject([{ state: 'running', error: undefined, rebuild: undefined }])
    await store.stop()
  })

  test('goes on after a stop where it was', async () => {
    const adapter = new MemoryAdapter()
    const first = await start(adapter, { projections: { sums } })
    await sell(first, 0, 4_000)
    let stopping: Promise<void> | undefined
    const given = first.rebuild('sums', {
      onProgress: ({ position }) => void (position >= 2_000 && (stopping ??= first.stop())),
    })
    expect((await rejection(given)).name).toBe('StoreStoppedError')
    await stopping
    const second = await start(adapter, { projections: { sums } })
    expect(second.projections).toMatchObject([{ state: 'running' }])
    const began: number[] = []
    await second.rebuild('sums', { onProgress: (step) => void began.push(step.began) })
    expect(Math.min(...began)).toBeGreaterThanOrEqual(2_000)
    await second.stop()
  })

  test.each(['inline', 'async'] as const)('happens by itself when the version of an %s one rises', async (mode) => {
    const adapter = new MemoryAdapter()
    const first = await start(adapter, { projections: { sums: { ...plain(1), mode } } })
    await sell(first, 0, 20)
    await first.projected()
    await first.stop()
    const second = await start(adapter, { projections: { sums: { ...plain(2), mode } } })
    expect((await rows(second)) as object[]).toMatchObject(Array.from({ length: 7 }, () => ({ sum: 1 })))
    await second.dispatch('item/sold', { item: 'x' })
    await second.projected()
    expect(second.projections).toMatchObject([{ state: 'running', version: 2, lag: 0 }])
    expect((await rows(second)) as object[]).toMatchObject(Array.from({ length: 8 }, () => ({ sum: 2 })))
    await second.stop()
  })

  test('of a version that fails is told, and the old one stays', async () => {
    const adapter = new MemoryAdapter()
    const first = await start(adapter, { projections: { sums: plain(1) } })
    await sell(first, 0, 3)
    await first.stop()
    const errors: Error[] = []
    const bad: ProjectionOptions = {
      ...plain(2),
      apply: () => {
        throw new Error('not so')
      },
    }
    const second = await start(adapter, { projections: { sums: bad }, onError: (error) => void errors.push(error) })
    await second.projected()
    expect(second.projections).toMatchObject([{ state: 'halted', error: { name: 'ProjectionFailedError' } }])
    expect(errors).toMatchObject([{ name: 'ProjectionFailedError' }])
    await second.dispatch('item/sold', { item: 'x' })
    expect((await rows(second)) as object[]).toMatchObject(Array.from({ length: 3 }, () => ({ sum: 1 })))
    await second.stop()
  })

  test('keeps order, times, ids and numbers', async () => {
    const runtime = virtualRuntime({ seed: 5 })
    const store = await open({ runtime, buckets: BUCKETS, events: EVENTS })
    await store.defineProjection('lines', {
      from: ['*'],
      into: ['lines', 'sums'],
      apply: ({ data, at }, tx) => {
        expect(tx.now()).toBe(at)
        tx.bucket('lines').insert({ at, chance: tx.random(), uuid: tx.uuid() })
        if (data.n === 1) tx.bucket('lines').delete(2)
        return { sums: { set: { item: String(data.item), sum: 1 } } }
      },
    })
    for (let i = 0; i < 30; i++) {
      await runtime.advance(10)
      await store.dispatch('item/sold', { item: `i${(i * 7) % 5}`, n: i % 4 }, i % 3 === 0 ? { at: 5 } : {})
    }
    const before = [await store.bucket('lines').all(), await store.bucket('sums').all()]
    expect(new Set(before[0]?.map(({ uuid }) => uuid)).size).toBe(29)
    expect(await store.rebuild('lines')).toMatchObject({ changed: 0 })
    expect([await store.bucket('lines').all(), await store.bucket('sums').all()]).toEqual(before)
    expect((await store.dispatch('item/sold', {})).changes[0]).toMatchObject({ key: 31 })
  })
})

describe('a log that has lost its beginning', () => {
  async function cut(): Promise<MemoryAdapter> {
    const adapter = new MemoryAdapter()
    const store = await start(adapter, { history: { rows: 1_000_000 } })
    await sell(store, 0, 20)
    await store.stop()
    const host = { store: 'x', now: () => 0, uuid: () => 'x', setTimer: () => ({ cancel: () => undefined }) }
    await adapter.open({ ...host, onError: () => undefined })
    await adapter.trim({ rows: 5 })
    await adapter.close()
    return adapter
  }

  test('makes no new projection, unless it may begin with what is there', async () => {
    const store = await start(await cut(), { history: { rows: 1_000_000 } })
    const error = await rejection(store.defineProjection('sums', sums))
    expect(error).toMatchObject({ name: 'ProjectionGapError', first: 1, last: 15 })
    expect(error.message).toContain('history: "kept"')
    expect(store.projections).toEqual([])
    await store.bucket('sums').insert({ item: 'free', sum: 1 })
    await store.bucket('sums').clear()
    await store.defineProjection('sums', { ...sums, history: 'kept' })
    await store.projected()
    expect(await store.bucket('sums').count()).toBeGreaterThan(0)
    expect(await store.rebuild('sums', { fromKept: true })).toMatchObject({ changed: 0 })
    await store.stop()
  })

  test('does not make a complete projection less without being told to', async () => {
    const adapter = new MemoryAdapter()
    const kept = { ...sums, history: 'kept' as const }
    const errors: Error[] = []
    const options = { history: { rows: 1_000_000 }, onError: (error: Error) => void errors.push(error) }
    const first = await start(adapter, { ...options, projections: { sums: kept } })
    await sell(first, 0, 20)
    const before = await rows(first)
    await first.stop()
    const host = { store: 'x', now: () => 0, uuid: () => 'x', setTimer: () => ({ cancel: () => undefined }) }
    await adapter.open({ ...host, onError: () => undefined })
    await adapter.trim({ rows: 5 })
    await adapter.close()
    const store = await start(adapter, { ...options, projections: { sums: kept } })
    const error = await rejection(store.rebuild('sums'))
    expect(error).toMatchObject({ name: 'ProjectionGapError', first: 1 })
    expect(error.message).toContain('it stands as it was, and would be without what it may have of them')
    expect(await rows(store)).toEqual(before)
    expect(errors).toEqual([])
    await store.stop()
    // One whose definition has changed is made anew by itself: that is told.
    const raised = await start(adapter, { ...options, projections: { sums: { ...kept, version: 2 } } })
    await raised.projected()
    expect(errors).toMatchObject([{ name: 'ProjectionGapError' }])
    expect(await rows(raised)).not.toEqual(before)
    expect((await rejection(raised.rebuild('sums', { fromKept: 1 as never }))).message).toContain('true or false')
    await raised.stop()
  })

  test('progress ends at the total', async () => {
    const store = await start(new MemoryAdapter(), { projections: { sums } })
    await sell(store, 0, 20)
    const seen: { position: number; total: number }[] = []
    await store.rebuild('sums', { onProgress: (progress) => void seen.push(progress) })
    expect(seen.at(-1)?.position).toBe(seen.at(-1)?.total)
    await store.stop()
  })
})

test.each(kinds.filter(({ keepsLog }) => keepsLog))('a rebuild outlives the store, on $name', async ({ make }) => {
  const place = make()
  try {
    const begin = () =>
      Store.start({
        persistence: { adapter: place.adapter() },
        buckets: BUCKETS,
        events: EVENTS,
        projections: { sums, other: { ...sumsIn('other'), mode: 'async' } },
      }) as Promise<Store>
    let store = await begin()
    await sell(store, 0, 2_000)
    await store.projected()
    const before = [await store.bucket('sums').all(), await store.bucket('other').all()]
    const bare = (list: readonly object[] | undefined): unknown => list?.map((row) => ({ ...row, id: 0 }))
    expect(bare(before[0])).toEqual(bare(before[1]))
    await store.rebuild('sums')
    await store.rebuild('other')
    await store.stop()
    store = await begin()
    expect([await store.bucket('sums').all(), await store.bucket('other').all()]).toEqual(before)
    await store.stop()
  } finally {
    place.cleanup()
  }
})

async function collect(lines: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = []
  for await (const line of lines) all.push(line)
  return all
}
