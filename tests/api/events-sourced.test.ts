import { expect, test } from 'vitest'
import { Store as CoreStore } from '../../src/core.js'
import { Store } from '../../src/index.js'
import type { Entry } from '../../src/index.js'
import { kinds } from '../proof/support/places.js'
import { open, rejection } from './opened.js'

const USERS = {
  key: 'id',
  schema: {
    id: { type: 'string', generated: 'uuid' },
    name: { type: 'string', required: true },
    email: { type: 'string', unique: true },
  },
  sourced: true,
} as const
const AUDIT = {
  key: 'n',
  schema: { n: { type: 'number', generated: 'autoincrement' }, what: { type: 'string' } },
} as const

test('every write is an event with action, key, data and meta', async () => {
  const store = await open({ buckets: { users: USERS } })
  const users = store.bucket('users')
  const meta = { who: 'me', why: 'to see' }
  const { id } = await users.insert({ name: 'A' }, { meta })
  await users.update(id, { name: 'B' }, { meta })
  await users.upsert({ id, name: 'C' })
  await users.insertMany([
    { id: 'x', name: 'X' },
    { id: 'y', name: 'Y' },
  ])
  await users.updateMany({ name: 'X' }, { name: 'XX' })
  await users.deleteMany({ name: 'Y' })
  await users.delete('x')
  const entries = await store.log.read()
  expect(new Set(entries.map(({ type }) => type))).toEqual(new Set(['bucket/users']))
  expect(entries.map(({ data, meta: own }) => [data, own])).toEqual([
    [{ action: 'insert', key: id, data: { name: 'A' } }, meta],
    [{ action: 'update', key: id, data: { name: 'B' } }, meta],
    [{ action: 'upsert', key: id, data: { id, name: 'C' } }, undefined],
    [
      {
        action: 'insertMany',
        keys: ['x', 'y'],
        data: [
          { id: 'x', name: 'X' },
          { id: 'y', name: 'Y' },
        ],
      },
      undefined,
    ],
    [{ action: 'updateMany', keys: ['x'], data: { name: 'XX' } }, undefined],
    [{ action: 'deleteMany', keys: ['y'] }, undefined],
    [{ action: 'delete', key: 'x' }, undefined],
  ])
})

test('handlers of others join in: they change what is written, and add to it, or refuse it', async () => {
  const store = await open({ buckets: { users: USERS, audit: AUDIT } })
  store.extendEvent('bucket/users', {
    preprocess: ({ data }) => {
      const { email } = (data.data ?? {}) as { email?: string }
      return email === undefined
        ? undefined
        : { ...data, data: { ...(data.data as object), email: email.toLowerCase() } }
    },
    reduce: ({ data }) => {
      if ((data.data as { name?: string } | undefined)?.name === 'nobody') throw new Error('no such name')
      return { audit: { insert: { what: String(data.action) } } }
    },
  })
  const { id } = await store.bucket('users').insert({ name: 'A', email: 'A@B' })
  expect(await store.bucket('users').get(id)).toMatchObject({ email: 'a@b' })
  await store.transaction((tx) => tx.bucket('users').delete(id))
  expect((await store.bucket('audit').all()).map(({ what }) => what)).toEqual(['insert', 'delete'])
  const error = await rejection(store.bucket('users').insert({ name: 'nobody' }))
  expect(error).toMatchObject({ name: 'EventFailedError', phase: 'reduce', type: 'bucket/users' })
  expect(await store.bucket('users').count()).toBe(0)
  expect(await store.bucket('audit').count()).toBe(2)
})

test('it can be dispatched by hand, and is checked then', async () => {
  const store = await open({ buckets: { users: USERS } })
  const { result } = await store.dispatch('bucket/users', { action: 'insert', data: { id: 'a', name: 'A' } })
  expect(result).toMatchObject({ id: 'a', name: 'A', _version: 1 })
  for (const bad of [
    {},
    { action: 'toString' },
    { action: 'update', key: 'a', data: {}, other: 1 },
    { action: 'insertMany', data: 5 },
  ]) {
    expect((await rejection(store.dispatch('bucket/users', bad))).name).toBe('EventFailedError')
  }
  expect(await store.log.read()).toHaveLength(1)
})

test('a transaction that has written to it goes on after a write that was refused', async () => {
  const store = await open({ buckets: { users: USERS } })
  await store.bucket('users').insert({ id: 'a', name: 'A' })
  await store.transaction(async (tx) => {
    const users = tx.bucket('users')
    await users.insert({ id: 'b', name: 'B' })
    expect((await rejection(users.insert({ id: 'a', name: 'again' }))).name).toBe('DuplicateKeyError')
    expect(
      (
        await rejection(
          users.insertMany([
            { id: 'c', name: 'C' },
            { id: 'b', name: 'again' },
          ]),
        )
      ).name,
    ).toBe('DuplicateKeyError')
  })
  // As in a plain bucket: of a list, what came before the record that was refused is part of the transaction.
  expect(await store.bucket('users').keys()).toEqual(['a', 'b', 'c'])
  expect((await store.log.read()).at(-1)?.event?.events).toEqual([
    { type: 'bucket/users', data: { action: 'insert', key: 'b', data: { id: 'b', name: 'B' } } },
    { type: 'bucket/users', data: { action: 'insertMany', keys: ['c'], data: [{ id: 'c', name: 'C' }] } },
  ])
})

test('validators see what was given, and the event keeps what can be kept of it', async () => {
  const when = {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) =>
        value instanceof Map
          ? { value: [...(value as Map<unknown, unknown>).keys()] }
          : { issues: [{ message: 'no map' }] },
    },
  }
  const store = await open({
    buckets: { maps: { key: 'id', schema: { id: { type: 'string' }, map: when }, sourced: true } },
  })
  await store.bucket('maps').insert({ id: 'a', map: new Map([['x', 1]]) })
  expect(await store.bucket('maps').get('a')).toMatchObject({ map: ['x'] })
  expect((await store.log.read())[0]?.data).toEqual({ action: 'insert', key: 'a', data: { id: 'a', map: ['x'] } })
})

test('varve/core has none', async () => {
  const store = await CoreStore.start()
  expect((await rejection(store.defineBucket('users', USERS))).name).toBe('DefinitionError')
  await store.stop()
})

test('plain writes and transactions keep who and why as well', async () => {
  const store = await open({ buckets: { audit: AUDIT } })
  await store.bucket('audit').insert({ what: 'a' }, { meta: { who: 'me' } })
  await store.transaction((tx) => tx.bucket('audit').insert({ what: 'b' }), { meta: { who: 'you' } })
  expect((await store.log.read()).map(({ meta }) => meta)).toEqual([{ who: 'me' }, { who: 'you' }])
  expect((await rejection(store.bucket('audit').insert({}, { meta: { n: 1n } }))).name).toBe('InvalidArgumentError')
})

test.each(kinds.filter(({ keepsLog }) => keepsLog))(
  'clearing it takes its data out of the log, on $name',
  async ({ make }) => {
    const place = make()
    const texts = (entries: readonly Entry[]) => JSON.stringify(entries)
    try {
      const start = () =>
        Store.start({ persistence: { adapter: place.adapter() }, buckets: { users: USERS, audit: AUDIT } })
      let store = await start()
      store.defineEvent('joined', {
        reduce: () => ({ audit: { insert: { what: 'joined' } } }),
        transact: async (_, tx) => {
          await tx.bucket('users').insert({ id: 's', name: 'secret sub' })
          await tx.bucket('users').delete('s')
        },
      })
      await store.bucket('users').insert({ name: 'secret write' })
      await store.dispatch('joined')
      await store.transaction((tx) => tx.bucket('users').insert({ name: 'secret transaction' }))
      await store.bucket('users').clear()
      for (let round = 0; round < 2; round++) {
        const entries = await store.log.read()
        expect(texts(entries)).not.toContain('secret')
        expect(entries.map(({ type }) => type)).toEqual(['bucket/users', 'joined', 'store/transaction', 'bucket/users'])
        expect(entries[1]).toMatchObject({ changes: [{ bucket: 'audit' }], redacted: ['users'] })
        await store.stop()
        store = await start()
      }
      await store.stop()
    } finally {
      place.cleanup()
    }
  },
)
