import { describe, expect, test } from 'vitest'
import {
  BucketAlreadyExistsError,
  BucketNotDefinedError,
  MemoryAdapter,
  Store,
  StoreStoppedError,
  UniqueConstraintError,
} from '../../src/index.js'
import { KEYED, open, openBucket, openVirtual, rejection, turn, USERS } from './opened.js'

describe('start', () => {
  test('stores that are given no name are called store-N, each its own', async () => {
    const [a, b] = [await open(), await open()]
    expect(a.name).toMatch(/^store-\d+$/)
    expect(b.name).toMatch(/^store-\d+$/)
    expect(b.name).not.toBe(a.name)
  })

  test('two stores may have one name at a time', async () => {
    await open({ name: 'same' })
    expect((await open({ name: 'same' })).name).toBe('same')
  })

  test('buckets that are given to start are there when it resolves', async () => {
    const store = await open({ buckets: { users: USERS, notes: KEYED } })
    expect(store.listBuckets()).toEqual(['users', 'notes'])
    await store.bucket('notes').insert({ id: 'a' })
    expect(await store.bucket('notes').count()).toBe(1)
  })

  test('one bad definition among those given to start refuses the start and leaves the adapter free', async () => {
    const adapter = new MemoryAdapter()
    const buckets = { ok: KEYED, bad: { key: 'nope', schema: {} } }
    await expect(Store.start({ buckets, persistence: { adapter } })).rejects.toThrow('Key field "nope" does not exist')
    await open({ persistence: { adapter } })
  })

  test.each([
    [null, 'options'],
    [5, 'options'],
    [{ nme: 'x' }, 'nme'],
    [{ name: '' }, 'name'],
    [{ name: 5 }, 'name'],
    [{ buckets: [] }, 'buckets'],
    [{ ttlCheckIntervalMs: 'often' }, 'ttlCheckIntervalMs'],
    [{ durability: 'always' }, 'durability'],
    [{ onError: 'x' }, 'onError'],
    [{ persistence: {} }, 'persistence'],
    [{ persistence: null }, 'persistence'],
    [{ persistence: { adapter: {} } }, 'adapter'],
    [{ persistence: { adapter: new MemoryAdapter(), debounceMs: -1 } }, 'debounceMs'],
    [{ persistence: { adapter: new MemoryAdapter(), onError: 1 } }, 'onError'],
    [{ file: '' }, 'file'],
    [{ file: 7 }, 'file'],
    [{ waitMs: 10 }, 'waitMs'],
    [{ file: 'x.db', persistence: { adapter: new MemoryAdapter() } }, 'file'],
    [{ history: 'never' }, 'history'],
  ])('options %j are refused with an error that names %s', async (options, name) => {
    const error = await rejection(Store.start(options as never))
    expect(error.name).toMatch(/InvalidArgumentError|TtlError/)
    expect(error.message).toContain(name)
  })
})

describe('buckets', () => {
  test('a bucket works right after a defineBucket that nobody awaited', async () => {
    const store = await open()
    void store.defineBucket('users', USERS)
    const bucket = store.bucket('users')
    const alice = await bucket.insert({ name: 'Alice', email: 'a@b.cz' })
    expect(await bucket.where({ role: 'user' })).toEqual([alice])
  })

  test('reads, statistics and exports of a bucket that is still loading wait for its records', async () => {
    const adapter = new MemoryAdapter()
    const first = await open({ persistence: { adapter } })
    await first.defineBucket('b', KEYED)
    await first.bucket('b').insert({ id: 'a' })
    await first.stop()
    const store = await open({ persistence: { adapter } })
    void store.defineBucket('b', KEYED)
    let text = ''
    for await (const line of store.export()) text += line
    expect(text).toContain('"id":"a"')
    expect(await store.bucket('b').count()).toBe(1)
  })

  test('a definition that nobody awaited and that cannot be loaded ends no process; its operations say why', async () => {
    const adapter = new MemoryAdapter()
    const first = await open({ persistence: { adapter } })
    await first.defineBucket('b', { key: 'id', schema: { id: { type: 'string' }, n: { type: 'number' } } })
    await first.bucket('b').insertMany([
      { id: 'a', n: 1 },
      { id: 'b', n: 1 },
    ])
    await first.stop()
    const store = await open({ persistence: { adapter } })
    void store.defineBucket('b', { key: 'id', schema: { id: { type: 'string' }, n: { type: 'number', unique: true } } })
    await expect(store.bucket('b').count()).rejects.toBeInstanceOf(UniqueConstraintError)
    await turn()
    expect(store.hasBucket('b')).toBe(false)
    await store.defineBucket('b', { key: 'id', schema: { id: { type: 'string' }, n: { type: 'number' } } })
    expect(await store.bucket('b').count()).toBe(2)
  })

  test('a name that is taken is refused, also before the first definition has loaded', async () => {
    const store = await open()
    void store.defineBucket('users', USERS)
    const error = await rejection(store.defineBucket('users', KEYED))
    expect(error).toBeInstanceOf(BucketAlreadyExistsError)
    expect(error).toMatchObject({
      name: 'BucketAlreadyExistsError',
      bucket: 'users',
      message: 'Bucket "users" already exists',
    })
  })

  test('a bucket that is not defined is refused with BucketNotDefinedError', async () => {
    const store = await open()
    expect(() => store.bucket('nope')).toThrow(BucketNotDefinedError)
    expect(() => store.bucket('nope')).toThrow('Bucket "nope" is not defined')
    expect(() => store.describeBucket('nope')).toThrow(BucketNotDefinedError)
    expect(await rejection(store.dropBucket('nope'))).toMatchObject({ name: 'BucketNotDefinedError', bucket: 'nope' })
    expect(() => store.bucket('toString')).toThrow(BucketNotDefinedError)
    expect(() => store.bucket(undefined as never)).toThrow(BucketNotDefinedError)
  })

  test('a failed definition leaves the name free and the statistics whole', async () => {
    const store = await open()
    await rejection(store.defineBucket('b', { ...KEYED, ttl: 'abc' }))
    expect(store.hasBucket('b')).toBe(false)
    expect((await store.getStats()).buckets.count).toBe(0)
    await store.defineBucket('b', KEYED)
  })

  test('changing the definition object afterwards changes nothing', async () => {
    const definition = { key: 'id', schema: { id: { type: 'string' }, n: { type: 'number', max: 5 } }, indexes: ['n'] }
    const { bucket, store } = await openBucket(definition as never)
    definition.schema.n.max = 100
    definition.indexes.pop()
    await expect(bucket.insert({ id: 'a', n: 50 })).rejects.toThrow('Maximum value is 5')
    expect(store.describeBucket('b').indexes).toEqual([{ field: 'n', fields: ['n'], unique: false, partial: false }])
  })

  test('hasBucket, listBuckets and describeBucket say what is there', async () => {
    const store = await open()
    await store.defineBucket('users', USERS)
    await store.bucket('users').insert({ name: 'A', email: 'a@b.cz' })
    expect(store.hasBucket('users')).toBe(true)
    expect(store.hasBucket('nope')).toBe(false)
    expect(store.listBuckets()).toEqual(['users'])
    expect(store.describeBucket('users')).toMatchObject({
      name: 'users',
      records: 1,
      persistent: true,
      state: 'running',
    })
    expect(store.describeBucket('users').definition.schema).toMatchObject({ name: { type: 'string', required: true } })
  })

  test('handles are made at will and are all the same to use', async () => {
    const { store } = await openBucket(KEYED)
    await store.bucket('b').insert({ id: 'a' })
    expect(await store.bucket('b').get('a')).toBe(await store.bucket('b').get('a'))
    expect(store.bucket('b').name).toBe('b')
  })
})

describe('drop', () => {
  test('a dropped bucket is gone, and its handles say so', async () => {
    const { store, bucket } = await openBucket(KEYED)
    await bucket.insert({ id: 'a' })
    await store.dropBucket('b')
    expect(() => store.bucket('b')).toThrow(BucketNotDefinedError)
    expect(await rejection(bucket.get('a'))).toMatchObject({ name: 'BucketNotDefinedError', bucket: 'b' })
    expect(await rejection(bucket.insert({ id: 'b' }))).toMatchObject({ name: 'BucketNotDefinedError' })
    expect(store.listBuckets()).toEqual([])
  })

  test('a bucket can be defined again at once, and is empty', async () => {
    const { store, bucket } = await openBucket(KEYED)
    await bucket.insert({ id: 'a' })
    const dropped = store.dropBucket('b')
    await dropped
    await store.defineBucket('b', KEYED)
    expect(await store.bucket('b').all()).toEqual([])
    await store.bucket('b').insert({ id: 'c' })
    await expect(bucket.get('c')).rejects.toThrow('not defined')
  })

  test('a listener may define the bucket again while it is being dropped', async () => {
    const { store } = await openBucket(KEYED)
    const defined: Promise<unknown>[] = []
    await store.on('bucket.b.dropped', () => {
      defined.push(store.defineBucket('b', KEYED))
    })
    await store.dropBucket('b')
    await Promise.all(defined)
    await store.bucket('b').insert({ id: 'a' })
    expect(await store.bucket('b').keys()).toEqual(['a'])
  })

  test('many buckets may be dropped in a row: nothing restarts and the store goes on', async () => {
    const store = await open()
    for (let i = 0; i < 10; i++) {
      await store.defineBucket('b', KEYED)
      await store.bucket('b').insert({ id: 'a' })
      await store.dropBucket('b')
    }
    await turn()
    expect(store.supervision().children?.filter(({ name }) => name.startsWith('bucket:'))).toEqual([])
    await store.defineBucket('b', KEYED)
    expect(await store.bucket('b').count()).toBe(0)
  })

  test('dropping twice at a time: one does it, the other is told that it is gone', async () => {
    const { store } = await openBucket(KEYED)
    const outcomes = await Promise.allSettled([store.dropBucket('b'), store.dropBucket('b')])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
  })

  test('what was dropped does not come back with the next store', async () => {
    const adapter = new MemoryAdapter()
    const first = await open({ persistence: { adapter } })
    await first.defineBucket('b', { key: 'id', schema: { id: { type: 'number', generated: 'autoincrement' } } })
    await first.bucket('b').insert({})
    await first.dropBucket('b')
    await first.stop()
    const store = await open({ persistence: { adapter } })
    await store.defineBucket('b', { key: 'id', schema: { id: { type: 'number', generated: 'autoincrement' } } })
    expect(await store.bucket('b').insert({})).toMatchObject({ id: 1 })
  })

  test('an open transaction on a bucket that is dropped does not commit', async () => {
    const { store, bucket } = await openBucket(KEYED)
    await bucket.insert({ id: 'a' })
    const error = await rejection(
      store.transaction(async (tx) => {
        await tx.bucket('b').get('a')
        await store.dropBucket('b')
        await tx.bucket('b').insert({ id: 'x' })
      }),
    )
    expect(error.name).toBe('BucketNotDefinedError')
    expect(store.hasBucket('b')).toBe(false)
  })

  test('a handle of a transaction says that its bucket was dropped', async () => {
    const { store } = await openBucket(KEYED)
    const error = await rejection(
      store.transaction(async (tx) => {
        const handle = tx.bucket('b')
        await store.dropBucket('b')
        await handle.clear()
      }),
    )
    expect(error).toMatchObject({ name: 'BucketNotDefinedError', bucket: 'b' })
  })
})

describe('stop', () => {
  test('may be called any number of times', async () => {
    const store = await open()
    await Promise.all([store.stop(), store.stop()])
    await store.stop()
  })

  test('what was begun before it is done, what comes after is refused', async () => {
    const adapter = new MemoryAdapter()
    const store = await open({ persistence: { adapter } })
    await store.defineBucket('b', KEYED)
    const bucket = store.bucket('b')
    const before = bucket.insert({ id: 'before' })
    const stopping = store.stop()
    const after = bucket.insert({ id: 'after' })
    await before
    expect(await rejection(after)).toBeInstanceOf(StoreStoppedError)
    await stopping
    const next = await open({ persistence: { adapter } })
    await next.defineBucket('b', KEYED)
    expect(await next.bucket('b').keys()).toEqual(['before'])
  })

  test('afterwards every call says that the store is stopped', async () => {
    const { store, bucket } = await openBucket(KEYED)
    store.defineQuery('q', () => 1)
    await store.stop()
    expect(() => store.bucket('b')).toThrow(BucketNotDefinedError)
    expect(() => store.read(() => 1)).toThrow(StoreStoppedError)
    expect(() => store.defineQuery('r', () => 1)).toThrow(StoreStoppedError)
    expect(() => store.export()).toThrow(StoreStoppedError)
    for (const call of [
      () => bucket.get('a'),
      () => bucket.insert({ id: 'a' }),
      () => bucket.clear(),
      () => store.defineBucket('c', KEYED),
      () => store.dropBucket('b'),
      () => store.transaction(() => 1),
      () => store.runQuery('q'),
      () => store.subscribe('q', () => undefined),
      () => store.on('*', () => undefined),
      () => store.getStats(),
      () => store.purgeTtl(),
      () => store.settle(),
      () => store.flush(),
      () => store.import([]),
    ]) {
      expect((await rejection(call())).name).toBe('StoreStoppedError')
    }
  })

  test('a transaction that is open when the store stops writes nothing', async () => {
    const adapter = new MemoryAdapter()
    const store = await open({ persistence: { adapter } })
    await store.defineBucket('b', KEYED)
    const transaction = store.transaction(async (tx) => {
      await tx.bucket('b').insert({ id: 'a' })
      await store.stop()
    })
    expect((await rejection(transaction)).name).toBe('StoreStoppedError')
    const next = await open({ persistence: { adapter } })
    await next.defineBucket('b', KEYED)
    expect(await next.bucket('b').count()).toBe(0)
  })

  test('no timer is left behind', async () => {
    const { store, runtime } = await openVirtual()
    await store.defineBucket('b', { ...KEYED, ttl: '1h' })
    await store.bucket('b').insert({ id: 'a' })
    await store.stop()
    expect(runtime.pending).toEqual({ timers: 0, deferred: 0 })
  })

  test('an adapter can be handed on after the stop, and not before', async () => {
    const adapter = new MemoryAdapter()
    const first = await open({ persistence: { adapter } })
    expect((await rejection(Store.start({ persistence: { adapter } }))).name).toBe('StorageLockedError')
    await first.stop()
    await open({ persistence: { adapter } })
  })
})

test('settle resolves at once when there is nothing to wait for', async () => {
  const store = await open()
  await store.settle()
})

test('position tells how far the log has got; flush makes it durable', async () => {
  const { store, bucket } = await openBucket(KEYED)
  const { visible } = store.position
  await bucket.insert({ id: 'a' })
  await store.flush()
  expect(store.position).toEqual({ visible: visible + 1, durable: visible + 1 })
})

test('the open report says what was found', async () => {
  const adapter = new MemoryAdapter()
  const first = await open({ persistence: { adapter } })
  expect(first.openReport).toMatchObject({ adapter: 'memory', created: true, head: 0, quarantined: [] })
  await first.defineBucket('b', KEYED)
  await first.bucket('b').insert({ id: 'a' })
  await first.stop()
  const store = await open({ persistence: { adapter } })
  expect(store.openReport).toMatchObject({ created: false, head: 1, logId: first.openReport.logId })
  expect(store.openReport.durationMs).toBeGreaterThanOrEqual(0)
})
