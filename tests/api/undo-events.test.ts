import { describe, expect, test } from 'vitest'
import { MemoryAdapter } from '../../src/index.js'
import type { ProjectionOptions, StoreOptions } from '../../src/index.js'
import { open, openVirtual, rejection } from './opened.js'

const ROW = { key: 'id', schema: { id: { type: 'string' }, n: { type: 'number' } } } as const
const OPTIONS = {
  buckets: {
    p: ROW,
    books: ROW,
    users: { ...ROW, sourced: true },
    audit: { key: 'n', schema: { n: { type: 'number', generated: 'autoincrement' }, what: { type: 'string' } } },
  },
  events: { lent: { reduce: ({ data }: { data: object }) => ({ books: { insert: data } }) }, free: {} },
  onError: () => undefined,
} as StoreOptions

const countOf = (from: string, mode: 'inline' | 'async'): ProjectionOptions => ({
  ...{ from: [from], into: ['p'], mode },
  apply: (_, tx) => {
    const n = Number((tx.bucket('p').get('all') as { n: number } | undefined)?.n ?? 0)
    tx.bucket('p').upsert({ id: 'all', n: n + 1 })
  },
})

describe('undo of an event', () => {
  test.each(['inline', 'async'] as const)('that an %s projection takes in is refused', async (mode) => {
    const adapter = new MemoryAdapter()
    const store = await open({ ...OPTIONS, persistence: { adapter } })
    await store.defineProjection('count', countOf('lent', mode))
    const { seq } = await store.dispatch('lent' as never, { id: 'a' })
    await store.projected()
    const error = await rejection(store.undo(seq))
    expect(error).toMatchObject({ name: 'UndoRefusedError', code: 'UNDO_REFUSED', seq })
    expect(error.message).toContain('taken in by projection "count"')
    expect(error.message).toContain('nothing was written; dispatch an event that takes it back')
    expect(await store.bucket('books').count()).toBe(1)
    await store.stop()
    // Also where it is not defined in this run.
    const again = await open({ ...OPTIONS, persistence: { adapter } })
    expect((await rejection(again.undo(seq))).name).toBe('UndoRefusedError')
  })

  test('that no projection takes in is as that of any commit', async () => {
    const store = await open(OPTIONS)
    await store.defineProjection('count', countOf('free', 'inline'))
    const { seq } = await store.dispatch('lent' as never, { id: 'a' })
    await store.undo(seq)
    expect(await store.bucket('books').count()).toBe(0)
  })
})

describe('undo of a write to a sourced bucket', () => {
  test('is an event, which handlers and projections take in', async () => {
    const store = await open(OPTIONS)
    await store.defineProjection('count', countOf('bucket/users', 'inline'))
    store.extendEvent('bucket/users', {
      reduce: ({ data, meta }) => ({ audit: { insert: { what: `${String(meta?.who)} ${String(data.action)}` } } }),
    })
    const users = store.bucket('users')
    const meta = { who: 'eve' }
    await users.insert({ id: 'a', n: 1 }, { meta })
    await users.update('a', { n: 2, more: 'x' }, { meta })
    const seq = store.position.visible
    const undone = await store.undo(seq, { meta })
    expect(await users.get('a')).toMatchObject({ n: 1, _version: 3 })
    expect(Object.keys((await users.get('a')) ?? {})).not.toContain('more')
    expect(await store.log.read({ after: seq })).toMatchObject([
      { seq: undone, type: 'store/undo', data: { undoes: seq }, meta, event: { events: [{ type: 'bucket/users' }] } },
    ])
    await users.delete('a', { meta })
    await store.undo(store.position.visible)
    expect(await users.get('a')).toMatchObject({ n: 1 })
    // Undoing the undo: it was an insert.
    const refused = await rejection(store.undo(store.position.visible))
    expect(refused.message).toContain(
      'handlers of writes to sourced buckets may have made what it did to bucket "audit"',
    )
    const whats = (await store.bucket('audit').all()).map(({ what }) => what)
    expect(whats).toEqual(['eve insert', 'eve update', 'undefined restore', 'eve delete', 'undefined restore'])
    expect(await store.bucket('p').get('all')).toMatchObject({ n: 5 })
    expect(await store.rebuild('count')).toMatchObject({ changed: 0 })
  })

  test('gives a record back as it was, and its version goes on rising', async () => {
    const b = {
      key: 'id',
      schema: { id: { type: 'string' }, n: { type: 'number' } },
      ttl: 1_000,
      sourced: true,
    } as const
    const { store, runtime } = await openVirtual({ buckets: { b } })
    const bucket = store.bucket('b')
    const first = await bucket.insert({ id: 'a', n: 1 })
    await runtime.advance(10)
    await bucket.update('a', { n: 2 })
    await runtime.advance(10)
    await store.undo(store.position.visible)
    expect(await bucket.get('a')).toEqual({ ...first, _version: 3, _updatedAt: runtime.now() })
    await bucket.delete('a')
    await runtime.advance(10)
    await store.undo(store.position.visible)
    expect(await bucket.get('a')).toEqual({ ...first, _version: 4, _updatedAt: runtime.now() })
    await store.undo(store.position.visible)
    expect(await bucket.get('a')).toBeUndefined()
  })

  test('together with others takes all of it back, or nothing', async () => {
    const store = await open(OPTIONS)
    await store.transaction(async (tx) => {
      await tx.bucket('users').insert({ id: 'a', n: 1 })
      await tx.bucket('books').insert({ id: 'b', n: 1 })
    })
    const seq = store.position.visible
    await store.bucket('books').update('b', { n: 2 })
    expect((await rejection(store.undo(seq))).name).toBe('UndoConflictError')
    expect(await store.bucket('users').count()).toBe(1)
    await store.undo(seq + 1)
    // As it was, though of another version: that counts as changed.
    expect((await rejection(store.undo(seq))).name).toBe('UndoConflictError')
    await store.transaction(async (tx) => {
      await tx.bucket('users').update('a', { n: 3 })
      await tx.bucket('books').update('b', { n: 3 })
    })
    const done = (await store.undo(store.position.visible)) as number
    expect([await store.bucket('users').get('a'), await store.bucket('books').get('b')]).toMatchObject([
      { n: 1 },
      { n: 1 },
    ])
    await store.undo(done)
    expect([await store.bucket('users').get('a'), await store.bucket('books').get('b')]).toMatchObject([
      { n: 3 },
      { n: 3 },
    ])
  })
})
