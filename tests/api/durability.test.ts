import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { FileAdapter, MemoryAdapter, Store, StorageFullError } from '../../src/index.js'
import type { BucketDefinition, StorageAdapter } from '../../src/index.js'
import { RowsView } from '../../src/reactive/rows-view.js'
import { gate, KEYED, open, openBucket, rejection, turn } from './opened.js'

const folder = mkdtempSync(join(tmpdir(), 'varve-api-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let files = 0
const newFile = (): string => join(folder, `${++files}.db`)

const COUNTED: BucketDefinition = {
  key: 'id',
  schema: {
    id: { type: 'number', generated: 'autoincrement' },
    u: { type: 'string', unique: true },
    n: { type: 'number' },
  },
  indexes: ['n'],
}

/** A storage that answers when the test says so, or fails. */
class SlowStorage extends MemoryAdapter {
  override readonly immediate = false as never
  wait: Promise<void> | undefined
  failure: Error | undefined
  appends = 0

  override async open(...args: Parameters<MemoryAdapter['open']>): ReturnType<MemoryAdapter['open']> {
    return { ...(await super.open(...args)), durability: 'disk' }
  }

  override append(...args: Parameters<MemoryAdapter['append']>): never {
    const answer = async (): Promise<unknown> => {
      this.appends++
      await this.wait
      if (this.failure !== undefined) throw this.failure
      return super.append(...args)
    }
    return answer() as never
  }
}

describe('a storage that takes its time', () => {
  test('nothing is acknowledged, published or delivered before it is durable; reads may see it', async () => {
    const storage = new SlowStorage()
    const { store, bucket } = await openBucket(KEYED, { persistence: { adapter: storage as StorageAdapter } })
    store.defineQuery('count', (ctx) => ctx.bucket('b').count())
    const seen: unknown[] = []
    await store.on('*', (_, topic) => seen.push(topic))
    await store.subscribe('count', (count) => seen.push(count))
    const slow = gate()
    storage.wait = slow.opened
    const { durable } = store.position
    const insert = bucket.insert({ id: 'a' }).then(() => seen.push('resolved'))
    const read = store.runQuery('count').then((count) => seen.push(`query ${String(count)}`))
    await turn()
    await turn()
    expect(seen).toEqual([])
    expect(await bucket.count()).toBe(1)
    expect(store.position).toEqual({ visible: durable + 1, durable })
    slow.open()
    await Promise.all([insert, read])
    await store.settle()
    expect(seen.slice(0, 1)).toEqual(['bucket.b.inserted'])
    expect(seen).toEqual(expect.arrayContaining(['resolved', 'query 1', 1]))
    expect(store.position).toEqual({ visible: durable + 1, durable: durable + 1 })
  })

  test('onPosition tells of each move: seen, durable, taken back, flushed', async () => {
    const errors: Error[] = []
    const storage = new SlowStorage()
    const { store, bucket } = await openBucket(KEYED, {
      persistence: { adapter: storage as StorageAdapter },
      onError: (error) => errors.push(error),
    })
    const { durable: at } = store.position
    const moves: (readonly [number, number])[] = []
    const stop = store.onPosition(({ visible, durable }) => moves.push([visible - at, durable - at]))
    store.onPosition(() => {
      throw new Error('of the listener')
    })
    await bucket.insert({ id: 'a' })
    expect(moves).toEqual([
      [1, 0],
      [1, 1],
    ])
    expect(errors[0]?.message).toBe('of the listener')
    storage.failure = new StorageFullError('full')
    await rejection(bucket.insert({ id: 'b' }))
    await turn()
    expect(moves.slice(2)).toEqual([
      [2, 1],
      [1, 1],
    ])
    storage.failure = undefined
    await bucket.insert({ id: 'c' }, { durability: 'process' })
    await turn()
    expect(moves.at(-1)).toEqual([2, 1])
    await store.flush()
    await turn()
    expect(moves.at(-1)).toEqual([2, 2])
    stop()
    const { length } = moves
    await bucket.insert({ id: 'd' })
    await turn()
    expect(moves).toHaveLength(length)
    expect(() => store.onPosition(undefined as never)).toThrow('expected a function')
  })

  test.each(['memory', 'file'])('a listener of onPosition may write, and subscribe anew, on %s', async (kind) => {
    const { store, bucket } = await openBucket(KEYED, kind === 'file' ? { file: newFile() } : {})
    await store.defineBucket('other', KEYED)
    let calls = 0
    const written: Promise<unknown>[] = []
    let stop = (): void => undefined
    const listener = (): void => {
      if (++calls > 5) return
      written.push(store.bucket('other').insert({ id: `other ${calls}` }))
      written.push(store.transaction((tx) => tx.bucket('b').insert({ id: `from a transaction ${calls}` })))
      stop()
      stop = store.onPosition(listener)
    }
    stop = store.onPosition(listener)
    await bucket.insert({ id: 'a' })
    await store.settle()
    await turn()
    await Promise.all(written)
    expect(await bucket.count()).toBe(1 + written.length / 2)
    expect(await store.bucket('other').count()).toBe(written.length / 2)
    expect(store.position.visible).toBe(store.position.durable)
    expect(calls).toBeGreaterThan(1)
    expect(calls).toBeLessThan(50)
  })

  test('who is told that a view has diverged may write', async () => {
    const { store, bucket } = await openBucket(KEYED, { selfCheck: 1, onError: () => void bucket.insert({ id: 'b' }) })
    await store.on('view.*.diverged', () => void bucket.insert({ id: 'c' }))
    bucket.where({}).live(() => undefined)
    await store.settle()
    const planted = vi.spyOn(RowsView.prototype, 'apply').mockImplementationOnce(() => 'changed')
    await bucket.insert({ id: 'a' })
    planted.mockRestore()
    await store.settle()
    await turn()
    expect(new Set(await bucket.keys())).toEqual(new Set(['a', 'b', 'c']))
    expect(store.position).toEqual({ visible: store.position.durable, durable: store.position.durable })
  })

  test('writes that are made together are written together', async () => {
    const storage = new SlowStorage()
    const { store, bucket } = await openBucket(KEYED, { persistence: { adapter: storage as StorageAdapter } })
    storage.appends = 0
    const seen: unknown[] = []
    await store.on('*', (event) => seen.push('key' in event && event.key))
    await Promise.all(Array.from({ length: 100 }, (_, i) => bucket.insert({ id: String(i) })))
    expect(storage.appends).toBeLessThanOrEqual(2)
    expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => String(i)))
  })

  test('settle waits for writes that nobody awaited', async () => {
    const storage = new SlowStorage()
    const { store, bucket } = await openBucket(KEYED, { persistence: { adapter: storage as StorageAdapter } })
    store.defineQuery('count', (ctx) => ctx.bucket('b').count())
    const results: unknown[] = []
    await store.subscribe('count', (count) => results.push(count))
    void bucket.insert({ id: 'a' })
    await store.settle()
    expect(results).toEqual([1])
  })

  test('stop waits for them too', async () => {
    const storage = new SlowStorage()
    const { store, bucket } = await openBucket(KEYED, { persistence: { adapter: storage as StorageAdapter } })
    void bucket.insert({ id: 'a' })
    await store.stop()
    const again = await openBucket(KEYED, { persistence: { adapter: storage as StorageAdapter } })
    expect(await again.bucket.keys()).toEqual(['a'])
  })
})

describe('a storage that fails', () => {
  test('rejects every writer of the group, and takes everything back', async () => {
    const storage = new SlowStorage()
    const { store, bucket } = await openBucket(COUNTED, { persistence: { adapter: storage as StorageAdapter } })
    await bucket.insertMany([
      { u: 'x', n: 1 },
      { u: 'y', n: 2 },
    ])
    const before = await bucket.all()
    const seen: unknown[] = []
    await store.on('*', (_, topic) => seen.push(topic))
    storage.failure = new StorageFullError('no space')
    const outcomes = await Promise.allSettled([
      bucket.insert({ u: 'z' }),
      bucket.update(1, { u: 'w', n: 2 }),
      bucket.delete(2),
      bucket.insert({ u: 'y' }),
      store.transaction(async (tx) => {
        await tx.bucket('b').insert({ u: 'x' })
      }),
    ])
    expect(outcomes.map((outcome) => outcome.status === 'rejected' && (outcome.reason as Error).name)).toEqual(
      Array.from({ length: 5 }, () => 'StorageFullError'),
    )
    expect(await bucket.all()).toEqual(before)
    expect(await bucket.where({ u: 'x' })).toEqual([before[0]])
    expect(await bucket.where({ u: 'y' })).toEqual([before[1]])
    expect(await bucket.where({ n: 2 })).toEqual([before[1]])
    expect(await bucket.where({ u: 'z' })).toEqual([])
    expect(seen).toEqual([])
    storage.failure = undefined
    expect((await bucket.insert({ u: 'z' })).id).toBeGreaterThan(2)
    expect((await rejection(bucket.insert({ u: 'x' }))).name).toBe('UniqueConstraintError')
    expect(store.position.visible).toBe(store.position.durable)
  })

  test('undoes clear, drop and eviction', async () => {
    const storage = new SlowStorage()
    const { store, bucket } = await openBucket(
      { ...COUNTED, maxSize: 2 },
      { persistence: { adapter: storage as StorageAdapter } },
    )
    await bucket.insertMany([{ u: 'x' }, { u: 'y' }])
    const before = await bucket.all()
    storage.failure = new StorageFullError('no space')
    const writes = [() => bucket.clear(), () => store.dropBucket('b'), () => bucket.insert({ u: 'z' })]
    for (const write of writes) {
      expect((await rejection(write())).name).toBe('StorageFullError')
      expect(await store.bucket('b').all()).toEqual(before)
      expect(await bucket.where({ u: 'x' })).toEqual([before[0]])
    }
    storage.failure = undefined
    await bucket.clear()
    expect(await bucket.insert({ u: 'x' })).toMatchObject({ id: 3 })
  })

  test('a subscriber never sees what was taken back', async () => {
    const storage = new SlowStorage()
    const { store, bucket } = await openBucket(KEYED, { persistence: { adapter: storage as StorageAdapter } })
    store.defineQuery('keys', (ctx) => ctx.bucket('b').keys())
    const results: unknown[] = []
    await store.subscribe('keys', (keys) => results.push(keys))
    const slow = gate()
    storage.wait = slow.opened
    storage.failure = new StorageFullError('no space')
    const lost = rejection(bucket.insert({ id: 'lost' }))
    await turn()
    const query = store.runQuery('keys')
    await turn()
    slow.open()
    await lost
    expect(await query).toEqual([])
    storage.failure = undefined
    await bucket.insert({ id: 'kept' })
    await store.settle()
    expect(results).toEqual([['kept']])
  })

  test('numbers that a transaction holds are not given twice when a write before it is taken back', async () => {
    const storage = new SlowStorage()
    const { store, bucket } = await openBucket(COUNTED, { persistence: { adapter: storage as StorageAdapter } })
    const slow = gate()
    storage.wait = slow.opened
    storage.failure = new StorageFullError('no space')
    const lost = rejection(bucket.insert({}))
    await turn()
    await store.transaction(async (tx) => {
      const { id } = await tx.bucket('b').insert({})
      slow.open()
      await lost
      storage.failure = undefined
      const others = await Promise.all([bucket.insert({}), bucket.insert({})])
      expect(others.map((other) => other.id)).not.toContain(id)
    })
    expect(await bucket.count()).toBe(3)
  })

  test('a bucket redefined while its drop fails is the old one again', async () => {
    const storage = new SlowStorage()
    const { store, bucket } = await openBucket(KEYED, { persistence: { adapter: storage as StorageAdapter } })
    await bucket.insert({ id: 'a' })
    const slow = gate()
    storage.wait = slow.opened
    storage.failure = new StorageFullError('no space')
    const drop = rejection(store.dropBucket('b'))
    await turn()
    const define = rejection(store.defineBucket('b', KEYED))
    await turn()
    slow.open()
    expect((await drop).name).toBe('StorageFullError')
    storage.failure = undefined
    expect((await define).name).toBe('BucketAlreadyExistsError')
    expect(await store.bucket('b').keys()).toEqual(['a'])
    await bucket.insert({ id: 'b' })
  })
})

describe.each([
  ['an SQLite file', () => ({ file: newFile() })],
  ['a FileAdapter', () => ({ persistence: { adapter: new FileAdapter({ directory: newFile() }) } })],
])('%s', (_, where) => {
  test('has everything after a restart: records, order, indexes, counter, metadata', async () => {
    const options = where()
    const { store, bucket } = await openBucket(COUNTED, options)
    await bucket.insertMany([{ u: 'x', n: Number.POSITIVE_INFINITY }, { u: 'y', text: '\ud800 \u2028' }, { u: 'z' }])
    await bucket.update(1, { deep: { list: [1, null] } })
    await bucket.delete(3)
    const before = await bucket.all()
    await store.stop()
    const again = await openBucket(COUNTED, options)
    expect(await again.bucket.all()).toEqual(before)
    expect(await again.bucket.where({ u: 'y' })).toEqual([before[1]])
    expect(await again.bucket.insert({})).toMatchObject({ id: 4 })
    expect(again.store.openReport).toMatchObject({ created: false, quarantined: [] })
    expect((await again.store.log.read()).length).toBeGreaterThanOrEqual(4)
  })

  test('transactions, clear and drop are whole after a restart', async () => {
    const options = where()
    const store = await open(options)
    for (const name of ['a', 'b', 'c']) await store.defineBucket(name, KEYED)
    await store.bucket('b').insert({ id: 'old' })
    await store.bucket('c').insert({ id: 'old' })
    await store.transaction(async (tx) => {
      await tx.bucket('a').insert({ id: 'x' })
      await tx.bucket('b').clear()
      await tx.bucket('b').insert({ id: 'new' })
    })
    await store.dropBucket('c')
    await store.stop()
    const again = await open(options)
    for (const name of ['a', 'b', 'c']) await again.defineBucket(name, KEYED)
    expect(await Promise.all(['a', 'b', 'c'].map((name) => again.bucket(name).keys()))).toEqual([['x'], ['new'], []])
  })

  test('persistent: false keeps a bucket out of it', async () => {
    const options = where()
    const first = await openBucket({ ...KEYED, persistent: false }, options)
    await first.bucket.insert({ id: 'a' })
    expect(first.store.describeBucket('b').persistent).toBe(false)
    await first.store.stop()
    const again = await openBucket({ ...KEYED, persistent: false }, options)
    expect(await again.bucket.count()).toBe(0)
  })

  test('another key field is refused, and nothing is changed', async () => {
    const options = where()
    const first = await openBucket(KEYED, options)
    await first.bucket.insert({ id: 'a', other: 'x' })
    await first.store.stop()
    const store = await open(options)
    const error = await rejection(store.defineBucket('b', { key: 'other', schema: { other: { type: 'string' } } }))
    expect(error.name).toBe('StorageUnreadableError')
    await store.defineBucket('b', KEYED)
    expect(await store.bucket('b').keys()).toEqual(['a'])
  })
})

test('a file that is open is refused to another store, within the wait that it allows', async () => {
  const file = newFile()
  const first = await open({ file })
  expect((await rejection(Store.start({ file, waitMs: 0 }))).name).toBe('StorageLockedError')
  await first.stop()
  await open({ file })
})

test('a backup is a store of its own, made while the first goes on', async () => {
  const [file, copy] = [newFile(), newFile()]
  const { store, bucket } = await openBucket(KEYED, { file })
  await bucket.insertMany(Array.from({ length: 100 }, (_, i) => ({ id: String(i) })))
  const backup = store.backup(copy)
  await bucket.insert({ id: 'later' })
  await backup
  expect((await rejection(store.backup(copy))).name).toMatch(/Storage/)
  const other = await openBucket(KEYED, { file: copy })
  expect(await other.bucket.count()).toBeGreaterThanOrEqual(100)
  expect(await bucket.count()).toBe(101)
})
