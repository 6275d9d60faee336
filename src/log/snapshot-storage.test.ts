import { describe, expect, it } from 'vitest'
import { describeStorageAdapter } from '../testing/storage-conformance.js'
import {
  clearing,
  defining,
  dropping,
  putting,
  testContext,
  testRecord,
  TestWriter,
} from '../testing/storage-fixture.js'
import { isSnapshotAdapter, type SnapshotAdapter, SnapshotStorage } from './snapshot-storage.js'
import { isStorageAdapter } from './storage.js'

interface Place extends SnapshotAdapter {
  readonly data: Map<string, unknown>
  readonly calls: string[]
  /** Rejects the next calls of that name. */
  readonly fail: Map<string, number>
  /** Holds saves back until it is called. */
  hold?: Promise<void>
  closed: number
}

function place(data: Map<string, unknown> = new Map()): Place {
  const calls: string[] = []
  const fail = new Map<string, number>()
  const enter = (name: string, key = ''): void => {
    calls.push(`${name} ${key}`)
    const left = fail.get(name) ?? 0
    if (left > 0) {
      fail.set(name, left - 1)
      throw new Error(`${name} fails`)
    }
  }
  const made: Place = {
    data,
    calls,
    fail,
    closed: 0,
    async save(key, state) {
      enter('save', key)
      const copy = structuredClone(state)
      await made.hold
      data.set(key, copy)
      calls.push(`saved ${key}`)
    },
    async load(key) {
      enter('load', key)
      return structuredClone(data.get(key))
    },
    async delete(key) {
      enter('delete', key)
      return data.delete(key)
    },
    async exists(key) {
      return data.has(key)
    },
    async listKeys(prefix = '') {
      enter('listKeys', prefix)
      return [...data.keys()].filter((key) => key.startsWith(prefix))
    },
    async close() {
      made.closed++
    },
  }
  return made
}

/** A context whose timers run when the test says so. */
function manual(store = 's') {
  const context = testContext(store)
  const timers: { ms: number; fn: () => void; cancelled: boolean }[] = []
  return {
    ...context,
    timers,
    setTimer(ms: number, fn: () => void) {
      const timer = { ms, fn, cancelled: false }
      timers.push(timer)
      return { cancel: () => void (timer.cancelled = true) }
    },
    /** Runs the timers that are due, and what follows from them. */
    async tick() {
      for (const timer of timers.splice(0)) if (!timer.cancelled) timer.fn()
      for (let i = 0; i < 50; i++) await Promise.resolve()
    },
  }
}

async function opened(adapter: SnapshotAdapter, context = manual()) {
  const writer = new TestWriter(new SnapshotStorage(adapter), context)
  await writer.open()
  return { writer, context }
}

describeStorageAdapter(
  'snapshots',
  {
    create() {
      const adapter = place()
      const make = (): SnapshotStorage => new SnapshotStorage(adapter, { debounceMs: 1 })
      return { adapter: make(), reopen: make }
    },
    durableLog: false,
    exclusive: false,
  },
  { describe, it },
)

describe('snapshots', () => {
  it('a snapshot of noex loads, with its counter, and is written back in the same shape', async () => {
    const saved = {
      state: {
        records: [
          ['b', { id: 'b', _version: 3 }],
          ['a', { id: 'a', _version: 1 }],
        ],
        autoincrementCounter: 7,
      },
      metadata: { persistedAt: 1, serverId: 's', schemaVersion: 1 },
    }
    const adapter = place(
      new Map<string, unknown>([
        ['s:bucket:users', saved],
        ['other:bucket:users', {}],
      ]),
    )
    const { writer, context } = await opened(adapter)
    expect(writer.report?.buckets).toEqual([{ bucket: 'users', key: 'id', counter: 7, fields: [] }])
    expect(await writer.load('users')).toEqual([
      { ordinal: 1, record: { id: 'b', _version: 3 } },
      { ordinal: 2, record: { id: 'a', _version: 1 } },
    ])
    await writer.write(putting('users', 3, testRecord('c')))
    await context.tick()
    expect(adapter.data.get('s:bucket:users')).toEqual({
      state: { records: [...saved.state.records, ['c', testRecord('c')]], autoincrementCounter: 7 },
      metadata: { persistedAt: expect.any(Number), serverId: 's', schemaVersion: 1 },
    })
  })

  it('changes are saved once, a debounce after the first, per bucket that changed', async () => {
    const adapter = place()
    const { writer, context } = await opened(adapter)
    await writer.writeGroup([defining('users'), defining('notes')])
    await writer.write(putting('users', 1, testRecord('1')))
    expect(context.timers.map((timer) => timer.ms)).toEqual([100])
    await context.tick()
    expect(adapter.calls.filter((call) => call.startsWith('save '))).toEqual([
      'save s:bucket:users',
      'save s:bucket:notes',
    ])
    await writer.write(putting('users', 2, testRecord('2')))
    await context.tick()
    expect(adapter.calls.filter((call) => call.startsWith('save '))).toHaveLength(3)
    await context.tick()
    expect(adapter.calls.filter((call) => call.startsWith('save '))).toHaveLength(3)
  })

  it('saves of one bucket never overlap, and the last state wins', async () => {
    const adapter = place()
    const { writer, context } = await opened(adapter)
    await writer.write(defining('users'))
    await context.tick()
    let release = (): void => undefined
    adapter.hold = new Promise((resolve) => (release = resolve))
    await writer.write(putting('users', 1, testRecord('1')))
    await context.tick()
    await writer.write(putting('users', 2, testRecord('2')))
    await context.tick()
    const flushed = writer.adapter.flush()
    release()
    await flushed
    const saves = adapter.calls.filter((call) => call.startsWith('save'))
    expect(saves.map((call) => call.split(' ')[0])).toEqual(['save', 'saved', 'save', 'saved', 'save', 'saved'])
    expect(adapter.data.get('s:bucket:users')).toMatchObject({
      state: {
        records: [
          ['1', {}],
          ['2', {}],
        ],
      },
    })
  })

  it('a failed save is reported, retried later and later, and loses nothing', async () => {
    const adapter = place()
    const { writer, context } = await opened(adapter)
    await writer.write(defining('users'))
    await writer.write(putting('users', 1, testRecord('1')))
    adapter.fail.set('save', 3)
    await context.tick()
    expect(context.errors.map((error) => error.name)).toEqual(['StorageError'])
    expect(context.timers.map((timer) => timer.ms)).toEqual([100])
    await context.tick()
    expect(context.timers.map((timer) => timer.ms)).toEqual([200])
    await expect(writer.adapter.flush()).rejects.toThrow(/users.*save fails/)
    await context.tick()
    expect(adapter.data.get('s:bucket:users')).toMatchObject({ state: { records: [['1', {}]] } })
    await writer.adapter.flush()
  })

  it('close saves what is left, and rejects when that fails', async () => {
    const adapter = place()
    const { writer } = await opened(adapter)
    await writer.write(defining('users'))
    adapter.fail.set('save', 1)
    await expect(writer.adapter.close()).rejects.toThrow(/save fails/)
    expect(adapter.closed).toBe(1)
    await writer.adapter.close()
  })

  it('a snapshot that cannot be read is refused and never overwritten', async () => {
    for (const bad of [
      'text',
      { state: {} },
      { state: { records: [['k']] } },
      { state: { records: [] }, metadata: { schemaVersion: 2 } },
    ]) {
      const adapter = place(new Map<string, unknown>([['s:bucket:users', bad]]))
      await expect(opened(adapter)).rejects.toMatchObject({ name: 'StorageUnreadableError' })
      expect(adapter.data.get('s:bucket:users')).toBe(bad)
      expect(adapter.calls.some((call) => call.startsWith('save'))).toBe(false)
    }
    for (const call of ['load', 'listKeys']) {
      const adapter = place(new Map<string, unknown>([['s:bucket:users', { state: { records: [] } }]]))
      adapter.fail.set(call, 1)
      await expect(opened(adapter)).rejects.toMatchObject({ name: 'StorageUnreadableError' })
      const { writer } = await opened(adapter)
      expect(writer.report?.buckets).toHaveLength(1)
    }
  })

  it('a bucket that the adapter does not list is found when it is loaded', async () => {
    const adapter = place(
      new Map([['s:bucket:users', { state: { records: [['1', { id: '1' }]], autoincrementCounter: 4 } }]]),
    )
    adapter.listKeys = async () => ['s_bucket_users']
    const { writer, context } = await opened(adapter)
    await writer.write(defining('users'))
    adapter.fail.set('load', 2)
    await expect(writer.load('users')).rejects.toMatchObject({ name: 'StorageUnreadableError' })
    await context.tick()
    expect(adapter.calls.some((call) => call.startsWith('save'))).toBe(false)
    expect(await writer.load('users')).toEqual([{ ordinal: 1, record: { id: '1' } }])
    expect((writer.adapter as SnapshotStorage).counterOf('users')).toBe(4)
  })

  it('what is stored is not overwritten by a bucket that was written to without loading it', async () => {
    const adapter = place(new Map([['s:bucket:users', { state: { records: [['1', { id: '1' }]] } }]]))
    adapter.listKeys = async () => []
    const { writer, context } = await opened(adapter)
    await writer.writeGroup([defining('users'), putting('users', 1, testRecord('new'))])
    await context.tick()
    expect(context.errors.length).toBeGreaterThan(0)
    await expect(writer.adapter.close()).rejects.toThrow()
    expect(adapter.data.get('s:bucket:users')).toEqual({ state: { records: [['1', { id: '1' }]] } })
  })

  it('clear saves an empty bucket, drop deletes the key', async () => {
    const adapter = place()
    const { writer } = await opened(adapter)
    await writer.writeGroup([defining('users'), defining('notes'), putting('users', 1, testRecord('1'))])
    await writer.adapter.flush()
    await writer.writeGroup([clearing('users'), dropping('notes')])
    await writer.adapter.flush()
    expect([...adapter.data.keys()]).toEqual(['s:bucket:users'])
    expect(adapter.data.get('s:bucket:users')).toMatchObject({ state: { records: [] } })
  })

  it('two stores share an adapter, which is closed with the last of them', async () => {
    const adapter = place()
    const { writer: one } = await opened(adapter, manual('one'))
    const { writer: two } = await opened(adapter, manual('two'))
    await expect(opened(adapter, manual('one'))).rejects.toMatchObject({ name: 'StorageLockedError' })
    await one.adapter.close()
    expect(adapter.closed).toBe(0)
    await two.adapter.close()
    await two.adapter.close()
    expect(adapter.closed).toBe(1)
  })

  it('nothing that is saved is shared with the store or occurs twice', async () => {
    const adapter = place()
    const seen: unknown[] = []
    adapter.save = async (_key, state) => void seen.push(state)
    const { writer } = await opened(adapter)
    const shared = Object.freeze({ deep: Object.freeze([1]) })
    await writer.writeGroup([
      defining('users'),
      putting('users', 1, testRecord('1', { shared })),
      putting('users', 2, testRecord('2', { shared })),
    ])
    await writer.adapter.flush()
    type Row = [key: string, record: { shared: unknown }]
    const [[, one], [, two]] = (seen[0] as { state: { records: [Row, Row] } }).state.records
    expect(one.shared).toEqual(shared)
    expect(one.shared).not.toBe(two.shared)
    expect(Object.isFrozen(one)).toBe(false)
  })

  it('the guards tell the two kinds of adapter apart', () => {
    expect([isSnapshotAdapter(place()), isStorageAdapter(place())]).toEqual([true, false])
    const storage = new SnapshotStorage(place())
    expect([isSnapshotAdapter(storage), isStorageAdapter(storage)]).toEqual([false, true])
    for (const other of [null, undefined, 1, 'x', {}, []])
      expect(isSnapshotAdapter(other) || isStorageAdapter(other)).toBe(false)
  })
})
