import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { FileAdapter, HistoryGoneError, MemoryAdapter, SQLiteAdapter, Store } from '../../src/index.js'
import type { BucketDefinition, StorageAdapter, UndoConflictError } from '../../src/index.js'
import { virtualRuntime } from '../../src/testing/runtime.js'
import { TextSnapshots } from '../proof/support/places.js'
import { pumpPatiently as pump } from '../proof/support/pump.js'
import { KEYED, open, openBucket, openVirtual, rejection, turn } from './opened.js'

const NUMBERED: BucketDefinition = {
  key: 'id',
  schema: { id: { type: 'string' }, n: { type: 'number' } },
  indexes: ['n'],
}

const folder = mkdtempSync(join(tmpdir(), 'varve-history-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('at', () => {
  test('every read, of one state, in the order that was then', async () => {
    const { store, bucket } = await openBucket(NUMBERED)
    for (const [id, n] of [
      ['a', 3],
      ['b', 1],
      ['c', 2],
    ] as const)
      await bucket.insert({ id, n })
    await bucket.delete('a')
    await bucket.insert({ id: 'a', n: 9 })
    await bucket.update('b', { n: 7 })
    const then = (await store.at(3)).bucket('b')
    expect(then.all().map(({ id }) => id)).toEqual(['a', 'b', 'c'])
    expect(then.keys()).toEqual(['a', 'b', 'c'])
    expect(then.get('a')).toMatchObject({ n: 3, _version: 1 })
    expect(then.has('x')).toBe(false)
    expect(then.where({ n: { gte: 2 } }).map(({ id }) => id)).toEqual(['a', 'c'])
    expect(
      then
        .query()
        .orderBy('n', 'desc')
        .limit(2)
        .run()
        .map(({ id }) => id),
    ).toEqual(['a', 'c'])
    expect([then.count(), then.sum('n'), then.min('n'), then.first(1)[0]?.id, then.last(1)[0]?.id]).toEqual([
      3,
      6,
      1,
      'a',
      'c',
    ])
    expect(Object.isFrozen(then.get('b'))).toBe(true)
    expect((await store.at(0)).bucket('b').count()).toBe(0)
    expect((await store.at(5)).bucket('b').keys()).toEqual(['b', 'c', 'a'])
    expect((await store.at(6)).bucket('b').all()).toEqual(await bucket.all())
  })

  test('ordered sets go by key then as now', async () => {
    const { store, bucket } = await openBucket({ ...KEYED, etsType: 'ordered_set' })
    await bucket.insertMany([{ id: 'z' }, { id: 'a' }])
    await bucket.insert({ id: 'm' })
    expect((await store.at(1)).bucket('b').keys()).toEqual(['a', 'z'])
  })

  test('what is included from other buckets is as it was, too', async () => {
    const store = await open()
    await store.defineBucket('users', KEYED)
    const schema = { id: { type: 'string' }, userId: { type: 'string', ref: 'users' } } as const
    await store.defineBucket('orders', { key: 'id', schema })
    await store.bucket('users').insert({ id: 'u', name: 'then' })
    await store.bucket('orders').insert({ id: 'o', userId: 'u' })
    await store.bucket('users').update('u', { name: 'now' })
    await store.bucket('orders').insert({ id: 'p', userId: 'u' })
    const then = await store.at(2)
    const orders = then.bucket('orders').query().include('user').run()
    expect(orders).toMatchObject([{ id: 'o', user: { name: 'then' } }])
    expect(then.bucket('users').query().include('orders').run()).toMatchObject([
      { name: 'then', orders: [{ id: 'o' }] },
    ])
  })

  test('a view stays what it is, however long others write', async () => {
    const { store, bucket } = await openBucket(KEYED)
    await bucket.insert({ id: 'a', n: 1 })
    const view = await store.at(1)
    await bucket.update('a', { n: 2 })
    await bucket.clear()
    expect(view.bucket('b').get('a')).toMatchObject({ n: 1 })
    expect(view.seq).toBe(1)
  })

  test.each(['memory', 'file', 'sqlite'])(
    'on %s, while a hundred writers never rest, it is of one commit',
    async (kind) => {
      const adapter: StorageAdapter =
        kind === 'memory'
          ? new MemoryAdapter()
          : kind === 'file'
            ? new FileAdapter(join(folder, 'busy'))
            : new SQLiteAdapter(join(folder, 'busy.db'))
      const store = await open({ persistence: { adapter }, durability: 'process', history: 'forever' })
      for (const name of ['x', 'y']) await store.defineBucket(name, KEYED)
      const total = async (seq: number): Promise<number> => {
        const view = await store.at(seq)
        return view.bucket('x').sum('n') + view.bucket('y').sum('n')
      }
      // Money moves between two buckets; there is always as much of it.
      await store.transaction(async (tx) => {
        for (let id = 0; id < 20; id++) {
          await tx.bucket('x').insert({ id: `${id}`, n: 5 })
          await tx.bucket('y').insert({ id: `${id}`, n: 5 })
        }
      })
      let isOver = false
      const writer = async (id: string): Promise<void> => {
        for (let n = 0; !isOver; n++) {
          await store.transaction(
            async (tx) => {
              await tx.bucket('x').update(id, { n: 5 - (n % 5) })
              await tx.bucket('y').update(id, { n: 5 + (n % 5) })
            },
            { retries: 100 },
          )
          if (kind === 'memory') await turn()
        }
      }
      const writers = Array.from({ length: 100 }, (_, n) => writer(`${n % 20}`))
      for (let round = 0; round < 10; round++) {
        await turn()
        const { visible } = store.position
        for (const seq of [visible, Math.ceil(visible / 2), 1]) expect(await total(seq)).toBe(200)
      }
      // Export takes its state in the same way: it need not wait for a moment without writes either.
      let lines = 0
      for await (const _ of store.export()) lines++
      expect(lines).toBe(44)
      isOver = true
      await Promise.all(writers)
    },
  )

  test('of a bucket that was cleared or dropped since, it says so; others are there', async () => {
    const store = await open()
    for (const name of ['a', 'b', 'c']) await store.defineBucket(name, KEYED)
    for (const name of ['a', 'b', 'c']) await store.bucket(name).insert({ id: 'r' })
    await store.bucket('a').clear()
    await store.dropBucket('b')
    const view = await store.at(3)
    expect(() => view.bucket('a')).toThrow(expect.objectContaining({ code: 'HISTORY_GONE', bucket: 'a', oldest: 4 }))
    expect(() => view.bucket('b')).toThrow(expect.objectContaining({ code: 'BUCKET_NOT_DEFINED', bucket: 'b' }))
    expect(view.bucket('c').count()).toBe(1)
    expect((await store.at(4)).bucket('a').count()).toBe(0)
    await store.defineBucket('b', KEYED)
    const again = await store.at(3)
    expect(() => again.bucket('b')).toThrow(expect.objectContaining({ code: 'HISTORY_GONE', bucket: 'b', oldest: 5 }))
    expect((await store.at(5)).bucket('b').count()).toBe(0)
  })

  test('a bucket that was defined later is empty; one that is not stored has no past', async () => {
    const { store, bucket } = await openBucket(KEYED)
    await bucket.insert({ id: 'a' })
    await store.defineBucket('later', KEYED)
    await store.defineBucket('memory', { ...KEYED, persistent: false })
    await store.bucket('later').insert({ id: 'a' })
    const view = await store.at(1)
    expect(view.bucket('later').count()).toBe(0)
    expect(() => view.bucket('memory')).toThrow(
      expect.objectContaining({ code: 'HISTORY_GONE', bucket: 'memory', oldest: Infinity }),
    )
    expect(() => view.bucket('never')).toThrow(expect.objectContaining({ code: 'BUCKET_NOT_DEFINED' }))
  })

  test('only the buckets that are asked for', async () => {
    const store = await open()
    for (const name of ['a', 'b']) await store.defineBucket(name, KEYED)
    await store.bucket('a').insert({ id: 'r' })
    const view = await store.at(1, { buckets: ['a'] })
    expect(view.bucket('a').count()).toBe(1)
    expect(() => view.bucket('b')).toThrow('not defined')
    expect(await rejection(store.at(1, { buckets: ['c'] }))).toMatchObject({ code: 'BUCKET_NOT_DEFINED' })
  })

  test('beyond history, in the future, and nonsense are refused', async () => {
    const { store, runtime } = await openVirtual({ history: { rows: 2 } })
    const run = <T>(promise: Promise<T>): Promise<T> => pump(runtime, promise)
    const bucket = await store.defineBucket('b', KEYED)
    const start = runtime.now()
    for (const id of ['a', 'b', 'c', 'd']) {
      await bucket.insert({ id })
      await runtime.advance(10)
    }
    await runtime.advance(61_000)
    const gone = await rejection(run(store.at(1)))
    expect(gone).toBeInstanceOf(HistoryGoneError)
    expect(gone).toMatchObject({ code: 'HISTORY_GONE', name: 'HistoryGoneError', oldest: 2 })
    expect((await run(store.at(2))).bucket('b').keys()).toEqual(['a', 'b'])
    expect(await rejection(run(store.at(5)))).toMatchObject({ code: 'NOT_YET_COMMITTED', latest: 4 })
    expect(await rejection(run(store.at(new Date(start))))).toMatchObject({ code: 'HISTORY_GONE', oldest: 2 })
    expect((await run(store.at(new Date(start + 25)))).seq).toBe(3)
    expect((await run(store.at(new Date(runtime.now())))).seq).toBe(4)
    expect(await rejection(run(store.at(new Date(runtime.now() + 1))))).toMatchObject({ code: 'NOT_YET_COMMITTED' })
    for (const when of [-1, 1.5, Number.NaN, '1', undefined, new Date(Number.NaN)]) {
      expect(await rejection(store.at(when as never))).toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    for (const options of [null, { buckets: 'b' }, { signal: {} }]) {
      expect(await rejection(store.at(1, options as never))).toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
  })

  test('an entry that is missing from the log is said, and later states are seen', async () => {
    const { store, bucket } = await openBucket(KEYED, { persistence: { adapter: new SQLiteAdapter(':memory:') } })
    for (const id of ['a', 'b', 'c']) await bucket.insert({ id })
    const read = SQLiteAdapter.prototype.readLog
    SQLiteAdapter.prototype.readLog = async function* (this: SQLiteAdapter, after, options) {
      for await (const entry of read.call(this, after, options)) if (entry.seq !== 2) yield entry
    }
    try {
      expect(await rejection(store.at(1))).toMatchObject({ code: 'HISTORY_GONE', oldest: 2 })
      expect((await store.at(2)).bucket('b').count()).toBe(2)
    } finally {
      SQLiteAdapter.prototype.readLog = read
    }
  })

  test('where rows outlive the log, there is no time before it was opened', async () => {
    const texts = new TextSnapshots()
    const first = await open({ name: 's', persistence: { adapter: texts } })
    await first.defineBucket('b', KEYED)
    await first.bucket('b').insert({ id: 'a' })
    await first.stop()
    const second = await open({ name: 's', persistence: { adapter: texts } })
    await second.defineBucket('b', KEYED)
    const opened = Date.now()
    await turn()
    await second.bucket('b').insert({ id: 'b' })
    expect((await second.at(0)).bucket('b').keys()).toEqual(['a'])
    expect(await rejection(second.at(new Date(opened - 10_000)))).toMatchObject({ code: 'HISTORY_GONE' })
  })

  test('a bucket that is dropped while it is waited for does no harm', async () => {
    const { store, bucket } = await openBucket(KEYED)
    await bucket.insert({ id: 'a' })
    const late = store.defineBucket('late', KEYED)
    const seen = store.at(1)
    const dropped = store.dropBucket('late')
    expect((await seen).bucket('b').count()).toBe(1)
    await Promise.all([late, dropped])
  })

  test('a signal ends it', async () => {
    const { store, bucket } = await openBucket(KEYED)
    await bucket.insert({ id: 'a' })
    await expect(store.at(0, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
  })
})

describe('history of a record', () => {
  test('its versions, the newest first, with who, why and how', async () => {
    const { store, runtime } = await openVirtual()
    const run = <T>(promise: Promise<T>): Promise<T> => pump(runtime, promise)
    await store.defineBucket('b', { ...KEYED, ttl: 1_000 })
    const bucket = store.bucket('b')
    const inserted = await bucket.insert({ id: 'a', n: 1 })
    await bucket.insert({ id: 'b' })
    const updated = await bucket.update('a', { n: 2 })
    await run(store.undo(3, { meta: { by: 'ada', why: 'a slip' } }))
    await store.transaction(async (tx) => {
      await tx.bucket('b').delete('a')
      await tx.bucket('b').insert({ id: 'a', n: 5 })
    })
    await runtime.advance(3_000)
    const at = { at: expect.any(Number) }
    const history = await run(bucket.history('a'))
    expect(history).toMatchObject([
      { seq: 6, ...at, type: 'store/expire', kind: 'deleted', cause: 'ttl', before: { n: 5 }, after: undefined },
      { seq: 5, ...at, type: 'store/transaction', kind: 'inserted', before: undefined, after: { n: 5, _version: 1 } },
      { seq: 5, ...at, type: 'store/transaction', kind: 'deleted', before: { n: 1, _version: 3 } },
      { seq: 4, ...at, type: 'store/undo', kind: 'updated', meta: { by: 'ada', why: 'a slip' }, after: { n: 1 } },
      { seq: 3, ...at, type: 'store/write', kind: 'updated', before: inserted, after: updated },
      { seq: 1, ...at, type: 'store/write', kind: 'inserted', after: inserted },
    ])
    expect(history).toHaveLength(6)
    expect('cause' in (history[2] ?? {})).toBe(false)
    expect(Object.isFrozen(history[0]?.before)).toBe(true)
    expect(await run(store.history('b', 'a'))).toEqual(history)
    expect(await run(store.history('b', 'x'))).toEqual([])
  })

  test.each(['memory', 'file', 'sqlite'])(
    'on %s: pages, other keys and other buckets, keys of all types',
    async (kind) => {
      const place = {
        memory: new MemoryAdapter(),
        file: new FileAdapter(join(folder, 'pages')),
        sqlite: new SQLiteAdapter(':memory:'),
      }
      const store = await open({ persistence: { adapter: place[kind as 'memory'] }, history: 'forever' })
      const any: BucketDefinition = { key: 'id', schema: z.looseObject({ id: z.any() }) }
      await store.defineBucket('b', any)
      await store.defineBucket('c', any)
      const keys = ['a', 'a"b', '1', 1, 1.5, true, 'true', '\ud800']
      for (const id of keys) await store.bucket('b').insert({ id, text: '{"bucket":"c","key":"a",' })
      for (let n = 0; n < 700; n++) await store.bucket('c').upsert({ id: 'a', n })
      for (const [at, id] of keys.entries()) {
        expect(await store.history('b', id), String(id)).toMatchObject([
          { seq: at + 1, kind: 'inserted', after: { id } },
        ])
      }
      const all = await store.history('c', 'a', { limit: 1_000 })
      expect(all.map(({ after }) => after?.['n'])).toEqual(Array.from({ length: 700 }, (_, n) => 699 - n))
      const paged: unknown[] = []
      for (let before: number | undefined; ; ) {
        const page = await store.history('c', 'a', { limit: 150, ...(before === undefined ? {} : { before }) })
        if (page.length === 0) break
        paged.push(...page)
        before = page.at(-1)?.seq
      }
      expect(paged).toEqual(all)
      expect(await store.history('c', 'a')).toHaveLength(100)
    },
  )

  test('it ends where the bucket was cleared', async () => {
    const { store, bucket } = await openBucket(KEYED)
    await bucket.insert({ id: 'a' })
    await bucket.clear()
    await bucket.insert({ id: 'a', n: 2 })
    expect(await store.history('b', 'a')).toMatchObject([{ seq: 3, kind: 'inserted' }])
  })

  test('nonsense is refused; a signal ends it', async () => {
    const { store, bucket } = await openBucket(KEYED)
    await bucket.insert({ id: 'a' })
    for (const args of [
      [{}],
      ['a', null],
      ['a', { limit: 0 }],
      ['a', { before: 'x' }],
      ['a', { signal: 1 }],
    ] as const) {
      expect(await rejection(store.history('b', args[0] as never, args[1] as never))).toMatchObject({
        code: 'INVALID_ARGUMENT',
      })
    }
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(store.history('b', 'a', { signal })).rejects.toThrow('enough')
    expect(await rejection(store.history('x', 'a'))).toMatchObject({ code: 'BUCKET_NOT_DEFINED' })
  })
})

describe('undo', () => {
  test('takes a commit over several buckets back, as a new one; undone itself, it is done again', async () => {
    const store = await open()
    for (const name of ['a', 'b']) await store.defineBucket(name, KEYED)
    await store.bucket('a').insertMany([{ id: 'x', n: 1, old: true }, { id: 'y' }, { id: 'z' }])
    const events: unknown[] = []
    await store.on('bucket.*.*', ({ type, bucket }) => events.push(`${bucket} ${type}`))
    await store.transaction(async (tx) => {
      await tx.bucket('a').update('x', { n: 2, old: undefined })
      await tx.bucket('a').deleteMany({ id: { in: ['z', 'y'] } })
      await tx.bucket('b').insert({ id: 'new' })
    })
    const done = await store.bucket('a').all()
    expect(await store.undo(2)).toBe(3)
    expect(await store.bucket('a').all()).toMatchObject([
      { id: 'x', n: 1, old: true, _version: 3 },
      { id: 'y', _version: 2 },
      { id: 'z', _version: 2 },
    ])
    expect(await store.bucket('b').count()).toBe(0)
    expect((await store.log.read({ after: 2 }))[0]).toMatchObject({ type: 'store/undo', data: { undoes: 2 } })
    expect(await store.undo(3)).toBe(4)
    expect(await store.bucket('a').all()).toMatchObject([
      { id: 'x', n: 2, _version: 4, _createdAt: done[0]?._createdAt },
    ])
    expect(await store.bucket('b').keys()).toEqual(['new'])
    expect(events.slice(0, 4)).toEqual(['a updated', 'a deleted', 'a deleted', 'b inserted'])
    expect(events.slice(4, 8)).toEqual(['b deleted', 'a updated', 'a inserted', 'a inserted'])
  })

  test('is refused where somebody has changed a record since, with who, and changes nothing', async () => {
    const { store, bucket } = await openBucket(KEYED)
    await bucket.insertMany([{ id: 'a' }, { id: 'b' }, { id: 'c' }])
    await bucket.update('a', { n: 1 })
    await bucket.update('a', { n: 2 })
    await bucket.delete('c')
    await bucket.insert({ id: 'c', n: 1 })
    const before = await bucket.all()
    const error = (await rejection(store.undo(1))) as unknown as UndoConflictError
    expect(error).toMatchObject({ code: 'UNDO_CONFLICT', name: 'UndoConflictError', seq: 1 })
    expect(error.conflicts).toEqual([
      { bucket: 'b', key: 'a', seqs: [2, 3] },
      { bucket: 'b', key: 'c', seqs: [4, 5] },
    ])
    expect(error.message).toContain('by 5, 4, 3, 2')
    expect(await bucket.all()).toEqual(before)
    expect(store.position.visible).toBe(5)
  })

  test('goes through the rules of the bucket: unique values, size, schema', async () => {
    const store = await open()
    await store.defineBucket('u', {
      key: 'id',
      schema: { id: { type: 'string' }, email: { type: 'string', unique: true } },
    })
    await store.bucket('u').insert({ id: 'a', email: 'x' })
    await store.bucket('u').delete('a')
    await store.bucket('u').insert({ id: 'b', email: 'x' })
    expect(await rejection(store.undo(2))).toMatchObject({ code: 'UNIQUE_CONSTRAINT', field: 'email' })
    await store.defineBucket('few', { ...KEYED, maxSize: 2 })
    const few = store.bucket('few')
    await few.insertMany([{ id: 'a' }, { id: 'b' }])
    await few.delete('b')
    const deleted = store.position.visible
    await few.insert({ id: 'c' })
    await store.undo(deleted)
    expect(await few.count()).toBe(2)
    expect(await few.has('a')).toBe(false)
    const adapter = new MemoryAdapter()
    const first = await Store.start({ persistence: { adapter }, buckets: { b: KEYED } })
    await first.bucket('b').insert({ id: 'a', n: 'text' })
    await first.bucket('b').delete('a')
    await first.stop()
    const second = await open({ persistence: { adapter } })
    await second.defineBucket('b', { key: 'id', schema: { id: { type: 'string' }, n: { type: 'number' } } })
    expect(await rejection(second.undo(2))).toMatchObject({ code: 'VALIDATION' })
    expect(await second.bucket('b').count()).toBe(0)
  })

  test('a clear, a drop, what was erased, what is gone, and what is to come cannot be undone', async () => {
    const { store, bucket } = await openBucket(KEYED)
    await bucket.insert({ id: 'a' })
    await bucket.clear()
    await bucket.insert({ id: 'b' })
    expect(await rejection(store.undo(2))).toMatchObject({ code: 'HISTORY_GONE', bucket: 'b' })
    expect(await rejection(store.undo(1))).toMatchObject({ code: 'HISTORY_GONE', bucket: 'b' })
    expect(await rejection(store.undo(4))).toMatchObject({ code: 'NOT_YET_COMMITTED', latest: 3 })
    for (const seq of [0, 1.5, '1', undefined]) {
      expect(await rejection(store.undo(seq as never))).toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    const circle: unknown[] = []
    circle.push(circle)
    for (const meta of [circle, Symbol('s'), () => 1]) {
      expect(await rejection(store.undo(3, { meta: meta as never }))).toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    await store.dropBucket('b')
    expect(await rejection(store.undo(4))).toMatchObject({ code: 'HISTORY_GONE', bucket: 'b' })
  })

  test('of a commit that has changed nothing does nothing', async () => {
    const { store } = await openBucket(KEYED)
    await store.transaction(async (tx) => {
      await tx.bucket('b').insert({ id: 'a' })
      await tx.bucket('b').delete('a')
    })
    expect(store.position.visible, 'what comes to nothing is no commit').toBe(0)
    store.defineEvent('seen', {})
    const { seq } = await store.dispatch('seen')
    expect(await store.undo(seq)).toBeUndefined()
    expect(store.position.visible).toBe(seq)
  })
})

describe('stateHash', () => {
  /** Written by hand, with all that records can hold; times are those of a virtual clock. */
  async function fixed(adapter: StorageAdapter): Promise<{ store: Store; hash: string }> {
    const runtime = virtualRuntime({ seed: 1 })
    const store: Store = await pump(runtime, Store.start({ runtime, history: 'forever', persistence: { adapter } }))
    const define = (name: string, definition: object): Promise<unknown> =>
      pump(runtime, store.defineBucket(name, definition as never))
    await define('things', {
      key: 'id',
      schema: { id: { type: 'number', generated: 'autoincrement' }, n: { type: 'number' } },
    })
    await define('Änderungen "z"', KEYED)
    await define('empty', KEYED)
    await define('memory', { ...KEYED, persistent: false })
    const run = <T>(promise: Promise<T>): Promise<T> => pump(runtime, promise)
    const things = store.bucket('things')
    await run(things.insertMany(Array.from({ length: 1_500 }, (_, n) => ({ n: n / 7, text: `${n} 🙂` }))))
    await run(things.insert({ n: Infinity, deep: { b: [1, null, { z: -Infinity, a: '\ud800 \u2028' }], a: 1e21 } }))
    await run(things.update(3, { n: 5e-324, text: undefined }))
    await run(things.delete(7))
    await runtime.advance(1_000)
    await run(store.bucket('Änderungen "z"').insert({ id: 'z', 10: 'ten', 9: 'nine', on: true }))
    await run(store.bucket('Änderungen "z"').insert({ id: 'a', _expiresAt: 9e15 }))
    await run(store.bucket('memory').insert({ id: 'not in it' }))
    return { store, hash: await run(store.stateHash()) }
  }

  /** The same on Node 20, 22 and 24, and wherever else: whoever has to change it has changed the format. */
  const EXPECTED = '6c1b851ac61c4ebe85d8a4535ea1ce83e2182b14438792450d19dafe73babce8'

  test('is this for these records, on every storage, also after reopening, export and import', async () => {
    const places: (() => StorageAdapter)[] = [
      (
        (adapter) => () =>
          adapter
      )(new MemoryAdapter()),
      () => new FileAdapter(join(folder, 'hash')),
      () => new SQLiteAdapter(join(folder, 'hash.db')),
    ]
    const definitions = {
      'Änderungen "z"': { ...KEYED, strict: false },
      things: { key: 'id', schema: { text: { type: 'string' }, id: { type: 'number' } } },
    } as never
    for (const place of places) {
      const { store, hash } = await fixed(place())
      expect(hash).toBe(EXPECTED)
      const lines: string[] = []
      for await (const line of store.export()) lines.push(line)
      await store.stop()
      const reopened = await open({ persistence: { adapter: place() }, buckets: definitions })
      expect(await reopened.stateHash()).toBe(EXPECTED)
      const copy = await open({ buckets: definitions })
      await copy.defineBucket('empty', KEYED)
      await copy.defineBucket('memory', { ...KEYED, persistent: false })
      await copy.import(lines)
      expect(await copy.stateHash()).toBe(EXPECTED)
    }
  })

  test('a value, a version, the order, a name: all of it counts; other things do not', async () => {
    const hashOf = async (rows: readonly object[], name = 'b', definition: object = KEYED): Promise<string> => {
      const { store, runtime } = await openVirtual()
      await store.defineBucket(name, definition as never)
      for (const row of rows) await store.bucket(name).insert(row)
      return pump(runtime, store.stateHash())
    }
    const base = await hashOf([{ id: 'a', n: 1, m: 2 }, { id: 'b' }])
    expect(await hashOf([{ m: 2, n: 1, id: 'a' }, { id: 'b' }])).toBe(base)
    expect(await hashOf([{ id: 'a', n: 1, m: 2 }, { id: 'b' }], 'b', NUMBERED)).toBe(base)
    const others = [
      await hashOf([{ id: 'b' }, { id: 'a', n: 1, m: 2 }]),
      await hashOf([{ id: 'a', n: 2, m: 2 }, { id: 'b' }]),
      await hashOf([{ id: 'a', n: '1', m: 2 }, { id: 'b' }]),
      await hashOf([{ id: 'a', n: 1, m: 2 }, { id: 'b' }], 'c'),
      await hashOf([{ id: 'a', n: 1, m: 2 }]),
      await hashOf([]),
    ]
    expect(new Set([base, ...others]).size).toBe(7)
    expect(base).toMatch(/^[0-9a-f]{64}$/)
  })
})

test('the history of a record of a sourced bucket says who and why, as that of a plain one', async () => {
  const store = await open()
  const definition = { key: 'id', schema: { id: { type: 'string' }, n: { type: 'number' } } } as const
  for (const [name, sourced] of [
    ['plain', false],
    ['told', true],
  ] as const) {
    await store.defineBucket(name, { ...definition, sourced })
    await store.bucket(name).insert({ id: 'a', n: 1 }, { meta: { by: 'ada' } })
    await store.bucket(name).update('a', { n: 2 }, { meta: { by: 'bob', why: 'a slip' } })
    const versions = await store.bucket(name).history('a')
    expect(versions.map(({ kind, meta, after }) => [kind, meta, after?.['n']])).toEqual([
      ['updated', { by: 'bob', why: 'a slip' }, 2],
      ['inserted', { by: 'ada' }, 1],
    ])
  }
})
