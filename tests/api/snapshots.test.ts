import { describe, expect, test } from 'vitest'
import { Store } from '../../src/index.js'
import type { BucketDefinition, SnapshotAdapter } from '../../src/index.js'
import { virtualRuntime } from '../../src/testing/runtime.js'
import { gate, KEYED, open, openBucket, rejection, turn } from './opened.js'

const COUNTED: BucketDefinition = {
  key: 'id',
  schema: {
    id: { type: 'number', generated: 'autoincrement' },
    email: { type: 'string', unique: true },
    at: { type: 'date' },
  },
}

type Snapshot = {
  state: { records: [unknown, Record<string, unknown>][]; autoincrementCounter: number }
  metadata: unknown
}

/** A key-value place as noex's MemoryAdapter is one: it keeps copies. Each step can be held up or made to fail. */
class Place implements SnapshotAdapter {
  readonly kept = new Map<string, Snapshot>()
  readonly calls: string[] = []
  before: (call: string, key: string) => Promise<void> | void = () => undefined

  async #step(call: string, key = ''): Promise<void> {
    this.calls.push(`${call} ${key}`)
    await this.before(call, key)
  }

  async save(key: string, state: unknown): Promise<void> {
    const copy = structuredClone(state) as Snapshot
    await this.#step('save', key)
    this.kept.set(key, copy)
  }

  async load(key: string): Promise<unknown> {
    await this.#step('load', key)
    return structuredClone(this.kept.get(key))
  }

  async delete(key: string): Promise<boolean> {
    await this.#step('delete', key)
    return this.kept.delete(key)
  }

  async exists(key: string): Promise<boolean> {
    await this.#step('exists', key)
    return this.kept.has(key)
  }

  async listKeys(prefix = ''): Promise<string[]> {
    await this.#step('listKeys')
    return [...this.kept.keys()].filter((key) => key.startsWith(prefix))
  }

  async close(): Promise<void> {
    await this.#step('close')
  }

  records(key: string): unknown[] | undefined {
    return this.kept.get(key)?.state.records.map(([id]) => id)
  }
}

describe('the format', () => {
  test('is that of noex-store: key, records, counter and metadata', async () => {
    const place = new Place()
    const runtime = virtualRuntime()
    const store = await open({ name: 'app', persistence: { adapter: place }, runtime })
    await store.defineBucket('users', COUNTED)
    const record = await store.bucket('users').insert({ email: 'x@', at: new Date(5) })
    await store.flush()
    expect([...place.kept]).toEqual([
      [
        'app:bucket:users',
        {
          state: { records: [[1, { ...record }]], autoincrementCounter: 1 },
          metadata: { persistedAt: runtime.now(), serverId: 'app', schemaVersion: 1 },
        },
      ],
    ])
  })

  test('a snapshot that noex-store saved is restored exactly', async () => {
    const place = new Place()
    const record = {
      id: 7,
      email: 'x@',
      at: '2024-01-01',
      extra: { deep: [1] },
      _version: 4,
      _createdAt: 100,
      _updatedAt: 200,
    }
    place.kept.set('app:bucket:users', {
      state: {
        records: [
          [7, record],
          [3, { ...record, id: 3, email: 'y@', _expiresAt: 8e15 }],
        ],
        autoincrementCounter: 9,
      },
      metadata: { persistedAt: 1, serverId: 'app', schemaVersion: 1, checksum: 'by FileAdapter' },
    })
    const store = await open({ name: 'app', persistence: { adapter: place } })
    await store.defineBucket('users', COUNTED)
    const users = store.bucket('users')
    expect(await users.get(7)).toEqual(record)
    expect(await users.keys()).toEqual([7, 3])
    expect(await users.get(3)).toMatchObject({ _expiresAt: 8e15 })
    expect(await users.where({ email: 'y@' })).toHaveLength(1)
    expect(await users.insert({})).toMatchObject({ id: 10 })
    expect((await rejection(users.insert({ email: 'x@' }))).name).toBe('UniqueConstraintError')
  })

  // Known fault of src/log/snapshot-format.ts: a Date stays a Date. Becomes `test` when it is mended.
  test('dates and undefined fields, which noex keeps as they are, become what Varve stores', async () => {
    const place = new Place()
    const record = { id: 1, at: new Date(5), email: undefined, _version: 1, _createdAt: 1, _updatedAt: 1 }
    place.kept.set('app:bucket:users', {
      state: { records: [[1, record]], autoincrementCounter: 1 },
      metadata: {},
    })
    place.kept.get('app:bucket:users')!.metadata = { persistedAt: 1, serverId: 'app', schemaVersion: 1 }
    const store = await open({ name: 'app', persistence: { adapter: place } })
    await store.defineBucket('users', COUNTED)
    expect((await store.bucket('users').get(1))?.at).toBe('1970-01-01T00:00:00.005Z')
    expect(await store.bucket('users').where({ at: new Date(5) })).toHaveLength(1)
  })

  test.each([
    ['an empty bucket', []],
    ['keys that are also versions', [{ id: 1, _version: 1, _createdAt: 5, _updatedAt: 5 }]],
  ])('the key field need not show in the snapshot: %s', async (_, records) => {
    const place = new Place()
    place.kept.set('app:bucket:users', {
      state: { records: records.map((record) => [record.id, record]), autoincrementCounter: 4 },
      metadata: { persistedAt: 1, serverId: 'app', schemaVersion: 1 },
    })
    const store = await open({ name: 'app', persistence: { adapter: place } })
    await store.defineBucket('users', COUNTED)
    expect(await store.bucket('users').count()).toBe(records.length)
    expect(await store.bucket('users').insert({})).toMatchObject({ id: 5 })
  })

  test('stores and buckets do not meet in one place, whatever their names', async () => {
    const place = new Place()
    for (const name of ['one', 'two']) {
      const store = await open({ name, persistence: { adapter: place } })
      for (const bucket of ['a:b', 'a_b', 'a.b']) {
        await store.defineBucket(bucket, KEYED)
        await store.bucket(bucket).insert({ id: `${name} ${bucket}` })
      }
      await store.stop()
    }
    expect(place.kept.size).toBe(6)
    const store = await open({ name: 'one', persistence: { adapter: place } })
    await store.defineBucket('a.b', KEYED)
    expect(await store.bucket('a.b').keys()).toEqual(['one a.b'])
  })

  test('what one store kept for two records is not shared in the snapshot', async () => {
    const place = new Place()
    const shared = { nested: { list: [1] } }
    let twice = 0
    place.before = () => undefined
    const save = place.save.bind(place)
    place.save = (key, state) => {
      // Serializers like that of noex take an object that occurs twice for a circle.
      const seen = new Set<object>()
      JSON.stringify(state, (_, value: unknown) => {
        if (typeof value === 'object' && value !== null) {
          if (seen.has(value)) twice++
          seen.add(value)
        }
        return value
      })
      return save(key, state)
    }
    const { store, bucket } = await openBucket(
      { key: 'id', schema: { id: { type: 'string' }, meta: { type: 'object', default: {} } } },
      { persistence: { adapter: place } },
    )
    await bucket.insertMany([
      { id: 'a', shared },
      { id: 'b', shared },
      { id: 'c', one: shared, two: shared },
    ])
    await store.flush()
    expect(twice).toBe(0)
  })

  test('records that look like type tags are just records', async () => {
    const place = new Place()
    const tag = { __noex_type__: 'BigInt', __noex_value__: 'zzz' }
    const { bucket, store } = await openBucket(KEYED, { name: 'app', persistence: { adapter: place } })
    await bucket.insert({ id: 'a', tag })
    await store.stop()
    const again = await openBucket(KEYED, { name: 'app', persistence: { adapter: place } })
    expect(await again.bucket.get('a')).toMatchObject({ tag })
  })
})

describe('saving', () => {
  test('happens debounceMs after the first change, once for all that came meanwhile', async () => {
    const place = new Place()
    const runtime = virtualRuntime()
    const { bucket } = await openBucket(KEYED, {
      name: 'app',
      persistence: { adapter: place, debounceMs: 200 },
      runtime,
    })
    await runtime.advance(1_000)
    place.calls.length = 0
    await bucket.insert({ id: 'a' })
    await runtime.advance(150)
    await bucket.insert({ id: 'b' })
    expect(place.calls.filter((call) => call.startsWith('save'))).toEqual([])
    await runtime.advance(60)
    expect(place.calls.filter((call) => call.startsWith('save'))).toEqual(['save app:bucket:b'])
    expect(place.records('app:bucket:b')).toEqual(['a', 'b'])
  })

  test('by default it is 100 ms', async () => {
    const place = new Place()
    const runtime = virtualRuntime()
    const { bucket } = await openBucket(KEYED, { name: 'app', persistence: { adapter: place }, runtime })
    await runtime.advance(1_000)
    await bucket.insert({ id: 'a' })
    await runtime.advance(99)
    expect(place.records('app:bucket:b') ?? []).toEqual([])
    await runtime.advance(1)
    expect(place.records('app:bucket:b')).toEqual(['a'])
  })

  test('events come before the write resolves, as without persistence', async () => {
    const { store, bucket } = await openBucket(KEYED, { persistence: { adapter: new Place() } })
    const seen: string[] = []
    await store.on('*', () => seen.push('event'))
    await bucket.insert({ id: 'a' }).then(() => seen.push('resolved'))
    expect(seen).toEqual(['event', 'resolved'])
  })

  test('clear and drop are saved like any write', async () => {
    const place = new Place()
    const runtime = virtualRuntime()
    const { store, bucket } = await openBucket(KEYED, { name: 'app', persistence: { adapter: place }, runtime })
    await bucket.insert({ id: 'a' })
    await runtime.advance(100)
    await bucket.clear()
    await runtime.advance(100)
    expect(place.records('app:bucket:b')).toEqual([])
    await store.dropBucket('b')
    await runtime.advance(100)
    expect(place.kept.has('app:bucket:b')).toBe(false)
    await store.defineBucket('b', KEYED)
    expect(await store.bucket('b').count()).toBe(0)
  })

  test('persistent: false keeps a bucket out', async () => {
    const place = new Place()
    const store = await open({ name: 'app', persistence: { adapter: place } })
    await store.defineBucket('cache', { ...KEYED, persistent: false })
    await store.defineBucket('kept', KEYED)
    await store.bucket('cache').insert({ id: 'a' })
    await store.bucket('kept').insert({ id: 'a' })
    await store.stop()
    expect([...place.kept.keys()]).toEqual(['app:bucket:kept'])
  })

  test('buckets with dots in their names are saved too', async () => {
    const place = new Place()
    const runtime = virtualRuntime()
    const store = await open({ name: 'app', persistence: { adapter: place }, runtime })
    await store.defineBucket('a.b', KEYED)
    await store.bucket('a.b').insert({ id: 'x' })
    await runtime.advance(100)
    expect(place.records('app:bucket:a.b')).toEqual(['x'])
  })

  test('stop saves everything, waits for saves that are under way, and closes the place', async () => {
    const place = new Place()
    const { store, bucket } = await openBucket(KEYED, { name: 'app', persistence: { adapter: place } })
    await bucket.insert({ id: 'a' })
    const slow = gate()
    let saves = 0
    place.before = (call) => (call === 'save' && saves++ === 0 ? slow.opened : undefined)
    const flushing = store.flush()
    await turn()
    await bucket.insert({ id: 'b' })
    const stopping = store.stop()
    await turn()
    expect(place.calls).not.toContain('close ')
    slow.open()
    await Promise.allSettled([flushing, stopping])
    await stopping
    expect(place.records('app:bucket:b')).toEqual(['a', 'b'])
    expect(place.calls.at(-1)).toBe('close ')
  })

  test('saves of one bucket never overlap: an older one cannot win', async () => {
    const place = new Place()
    const runtime = virtualRuntime()
    const { bucket } = await openBucket(KEYED, { name: 'app', persistence: { adapter: place }, runtime })
    await runtime.advance(500)
    const slow = gate()
    let running = 0
    let most = 0
    let saves = 0
    place.before = async (call) => {
      if (call !== 'save') return
      most = Math.max(most, ++running)
      if (saves++ === 0) await slow.opened
      running--
    }
    await bucket.insert({ id: 'a' })
    await runtime.advance(100)
    await bucket.insert({ id: 'b' })
    await runtime.advance(100)
    await bucket.insert({ id: 'c' })
    await runtime.advance(500)
    slow.open()
    await turn()
    await runtime.advance(500)
    expect(most).toBe(1)
    expect(place.records('app:bucket:b')).toEqual(['a', 'b', 'c'])
  })

  test('a save that fails is reported and tried again, without another write', async () => {
    const place = new Place()
    const runtime = virtualRuntime()
    const errors: string[] = []
    const onError = (error: Error): void => {
      errors.push(error.message)
    }
    const { bucket } = await openBucket(KEYED, { name: 'app', persistence: { adapter: place, onError }, runtime })
    await runtime.advance(500)
    let fails = 2
    place.before = (call) => {
      if (call === 'save' && fails-- > 0) throw new Error('no network')
    }
    await bucket.insert({ id: 'a' })
    await runtime.advance(100)
    expect(errors).toEqual([expect.stringContaining('no network')])
    await runtime.advance(5_000)
    expect(errors).toHaveLength(2)
    expect(place.records('app:bucket:b')).toEqual(['a'])
  })

  test('a flush or stop that cannot save says so; data that was saved stays', async () => {
    const place = new Place()
    const store: Store = await Store.start({
      name: 'app',
      persistence: { adapter: place, onError: () => undefined },
    })
    await store.defineBucket('b', KEYED)
    const bucket = store.bucket('b')
    await bucket.insert({ id: 'a' })
    await store.flush()
    place.before = (call) => {
      if (call === 'save') throw new Error('no network')
    }
    await bucket.insert({ id: 'b' })
    await expect(store.flush()).rejects.toThrow('no network')
    await expect(store.stop()).rejects.toThrow('no network')
    expect(place.records('app:bucket:b')).toEqual(['a'])
    place.before = () => undefined
    const again = await openBucket(KEYED, { name: 'app', persistence: { adapter: place } })
    expect(await again.bucket.keys()).toEqual(['a'])
  })

  test('a place whose close throws leaves the store stopped and the place usable', async () => {
    const place = new Place()
    const store: Store = await Store.start({ name: 'app', persistence: { adapter: place } })
    await store.defineBucket('b', KEYED)
    await store.bucket('b').insert({ id: 'a' })
    place.before = (call) => {
      if (call === 'close') throw new Error('cannot close')
    }
    await expect(store.stop()).rejects.toThrow('cannot close')
    place.before = () => undefined
    const again = await openBucket(KEYED, { name: 'app', persistence: { adapter: place } })
    expect(await again.bucket.keys()).toEqual(['a'])
  })

  test('two stores may share a place; the first stop does not close it', async () => {
    const place = new Place()
    const one = await open({ name: 'one', persistence: { adapter: place } })
    const two = await open({ name: 'two', persistence: { adapter: place } })
    await two.defineBucket('b', KEYED)
    await one.stop()
    expect(place.calls).not.toContain('close ')
    await two.bucket('b').insert({ id: 'a' })
    await two.stop()
    expect(place.calls).toContain('close ')
    expect(place.records('two:bucket:b')).toEqual(['a'])
  })

  test('two stores of one name are refused a place at the same time', async () => {
    const place = new Place()
    await open({ name: 'app', persistence: { adapter: place } })
    expect((await rejection(Store.start({ name: 'app', persistence: { adapter: place } }))).name).toBe(
      'StorageLockedError',
    )
  })
})

describe('loading', () => {
  const saved = async (): Promise<Place> => {
    const place = new Place()
    const { store, bucket } = await openBucket(KEYED, { name: 'app', persistence: { adapter: place } })
    await bucket.insertMany([{ id: 'a' }, { id: 'b' }])
    await store.stop()
    return place
  }

  test.each<[string, (place: Place) => void]>([
    [
      'cannot be loaded',
      (place) => {
        place.before = (call) => {
          if (call === 'load') throw new Error('no network')
        }
      },
    ],
    [
      'cannot be listed',
      (place) => {
        place.before = (call) => {
          if (call === 'listKeys') throw new Error('no network')
        }
      },
    ],
    ['is no snapshot', (place) => place.kept.set('app:bucket:b', 'rubbish' as never)],
    ['has a record without key', (place) => place.kept.get('app:bucket:b')?.state.records.push([{}, {}])],
    [
      'is from a newer version',
      (place) => Object.assign(place.kept.get('app:bucket:b')?.metadata as object, { schemaVersion: 2 }),
    ],
  ])('a snapshot that %s refuses the store, and is never overwritten', async (_, spoil) => {
    const place = await saved()
    spoil(place)
    const before = structuredClone([...place.kept])
    const outcome = await Store.start({
      name: 'app',
      buckets: { b: KEYED },
      persistence: { adapter: place, onError: () => undefined },
    }).then(
      (store) => store,
      (error: Error) => error,
    )
    expect(outcome).toBeInstanceOf(Error)
    expect((outcome as Error).name).toBe('StorageUnreadableError')
    expect([...place.kept]).toEqual(before)
  })

  test('a place that answers again is loaded as it was', async () => {
    const place = await saved()
    let fails = 1
    place.before = (call) => {
      if (call === 'load' && fails-- > 0) throw new Error('no network')
    }
    await rejection(Store.start({ name: 'app', buckets: { b: KEYED }, persistence: { adapter: place } }))
    const { bucket } = await openBucket(KEYED, { name: 'app', persistence: { adapter: place } })
    expect(await bucket.keys()).toEqual(['a', 'b'])
  })

  test('records that break a new unique field refuse the bucket and stay stored', async () => {
    const place = new Place()
    const first = await openBucket(
      { key: 'id', schema: { id: { type: 'string' }, u: { type: 'string' } } },
      { name: 'app', persistence: { adapter: place } },
    )
    await first.bucket.insertMany([
      { id: 'a', u: 'x' },
      { id: 'b', u: 'x' },
    ])
    await first.store.stop()
    const store = await open({ name: 'app', persistence: { adapter: place } })
    const definition = { key: 'id', schema: { id: { type: 'string' }, u: { type: 'string', unique: true } } } as const
    expect((await rejection(store.defineBucket('b', definition))).name).toBe('UniqueConstraintError')
    await store.stop()
    expect(place.records('app:bucket:b')).toEqual(['a', 'b'])
  })

  test('buckets that are not defined in this run stay stored', async () => {
    const place = await saved()
    const store = await open({ name: 'app', persistence: { adapter: place } })
    await store.defineBucket('other', KEYED)
    await store.bucket('other').insert({ id: 'x' })
    await store.stop()
    expect(place.records('app:bucket:b')).toEqual(['a', 'b'])
  })

  test('a bucket that crashes comes back with what was written, saved or not', async () => {
    const { store, bucket } = await openBucket(KEYED, { persistence: { adapter: new Place() } })
    await bucket.insert({ id: 'a' })
    expect(store.kill('bucket:b')).toBe(true)
    expect(await bucket.keys()).toEqual(['a'])
  })

  test('the statistics and the report say what it is', async () => {
    const store = await open({ persistence: { adapter: new Place() } })
    expect((await store.getStats()).persistence).toEqual({ enabled: true })
    expect(store.openReport).toMatchObject({ adapter: 'snapshot', durability: 'memory' })
  })
})
