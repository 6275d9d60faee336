import { describe, expect, test } from 'vitest'
import {
  DuplicateKeyError,
  MemoryAdapter,
  RecordNotFoundError,
  TransactionConflictError,
  UniqueConstraintError,
} from '../../src/index.js'
import { KEYED, open, openBucket, openVirtual, rejection, USERS } from './opened.js'

const NOTES = {
  key: 'id',
  schema: { id: { type: 'string', required: true }, text: { type: 'string' }, n: { type: 'number' } },
} as const

describe('insert', () => {
  test('returns the whole record, with generated fields, defaults and metadata', async () => {
    const { store, runtime } = await openVirtual()
    await store.defineBucket('users', USERS)
    const alice = await store.bucket('users').insert({ name: 'Alice', email: 'alice@example.com' })
    expect(alice).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
      name: 'Alice',
      email: 'alice@example.com',
      role: 'user',
      _version: 1,
      _createdAt: runtime.now(),
      _updatedAt: runtime.now(),
    })
  })

  test('metadata that the caller gives is overwritten', async () => {
    const { bucket } = await openBucket(NOTES)
    const record = await bucket.insert({ id: 'a', _version: 9, _createdAt: 1, _updatedAt: 2 })
    expect(record._version).toBe(1)
    expect(record._createdAt).toBeGreaterThan(1_000_000)
    expect(record._updatedAt).toBe(record._createdAt)
  })

  test('fields that the schema does not name are kept', async () => {
    const { bucket } = await openBucket(NOTES)
    await bucket.insert({ id: 'a', tags: ['x', { deep: null }] })
    expect(await bucket.get('a')).toMatchObject({ tags: ['x', { deep: null }] })
  })

  test('a strict bucket refuses fields that the schema does not name', async () => {
    const { bucket } = await openBucket({ ...NOTES, strict: true })
    const error = await rejection(bucket.insert({ id: 'a', extra: 1, more: 2 }))
    expect(error.issues).toEqual([
      { field: 'extra', message: 'Field is not in the schema', code: 'unknown' },
      { field: 'more', message: 'Field is not in the schema', code: 'unknown' },
    ])
    await bucket.insert({ id: 'a' })
    await expect(bucket.update('a', { extra: 1 })).rejects.toThrow('extra: Field is not in the schema')
  })

  test('a key that is taken is refused, and the record that has it stays as it is', async () => {
    const { bucket } = await openBucket({ ...NOTES, indexes: ['text'] })
    await bucket.insert({ id: 'a', text: 'old' })
    const error = await rejection(bucket.insert({ id: 'a', text: 'new' }))
    expect(error).toBeInstanceOf(DuplicateKeyError)
    expect(error).toMatchObject({ code: 'DUPLICATE_KEY', bucket: 'b', key: 'a' })
    expect(await bucket.get('a')).toMatchObject({ text: 'old', _version: 1 })
    expect(await bucket.where({ text: 'new' })).toEqual([])
    expect(await bucket.where({ text: 'old' })).toHaveLength(1)
  })

  test.each([[undefined], [null], [Number.NaN], [Number.POSITIVE_INFINITY], [{}], [['a']]])(
    'a record with key %j is refused',
    async (key) => {
      const { bucket } = await openBucket({ key: 'id', schema: { id: { type: 'number' }, n: { type: 'number' } } })
      const error = await rejection(bucket.insert({ id: key, n: 1 }))
      expect(error.name).toBe('ValidationError')
      expect(error.issues).toMatchObject([{ field: 'id' }])
      expect(await bucket.count()).toBe(0)
    },
  )

  test('keys are compared without conversion', async () => {
    const { bucket } = await openBucket({ key: 'id', schema: { id: { type: 'number' } } })
    await bucket.insert({ id: 1 })
    expect(await bucket.get('1')).toBeUndefined()
    expect(await bucket.get(1)).toBeDefined()
    expect(await bucket.has(-0)).toBe(false)
  })

  test('what the caller does to its objects afterwards has no effect on the store', async () => {
    const { bucket } = await openBucket(NOTES)
    const item = { n: 1 }
    const given = { id: 'a', list: [item] }
    await bucket.insert(given)
    item.n = 2
    given.list.push({ n: 3 })
    expect(await bucket.get('a')).toMatchObject({ list: [{ n: 1 }] })
  })

  test('records are frozen to the bottom, and the same object until they change', async () => {
    const { bucket } = await openBucket(NOTES)
    const inserted = await bucket.insert({ id: 'a', deep: { list: [1] } })
    expect(Object.isFrozen(inserted)).toBe(true)
    expect(() => (inserted.deep as { list: number[] }).list.push(2)).toThrow(TypeError)
    expect(await bucket.get('a')).toBe(inserted)
    expect((await bucket.all())[0]).toBe(inserted)
  })

  test('arrays that are returned are the caller’s own', async () => {
    const { bucket } = await openBucket(NOTES)
    await bucket.insert({ id: 'a' })
    ;(await bucket.all()).pop()
    expect(await bucket.all()).toHaveLength(1)
  })

  test('undefined fields are as if they were not there; null is kept', async () => {
    const { bucket } = await openBucket(NOTES)
    const record = await bucket.insert({ id: 'a', text: undefined, other: undefined, n: null })
    expect('text' in record).toBe(false)
    expect('other' in record).toBe(false)
    expect(record.n).toBeNull()
  })
})

describe('get, has, keys', () => {
  test('a missing record is undefined', async () => {
    const { bucket } = await openBucket(NOTES)
    expect(await bucket.get('nope')).toBeUndefined()
    expect(await bucket.has('nope')).toBe(false)
    expect(await bucket.keys()).toEqual([])
  })

  test('keys come in insertion order', async () => {
    const { bucket } = await openBucket(NOTES)
    for (const id of ['c', 'a', 'b']) await bucket.insert({ id })
    expect(await bucket.keys()).toEqual(['c', 'a', 'b'])
  })
})

describe('update', () => {
  test('merges at the top level, raises the version and notes the time', async () => {
    const { store, runtime } = await openVirtual()
    await store.defineBucket('b', NOTES)
    const bucket = store.bucket('b')
    const inserted = await bucket.insert({ id: 'a', text: 'x', deep: { a: 1, b: 2 } })
    await runtime.advance(50)
    const updated = await bucket.update('a', { deep: { a: 3 } })
    expect(updated).toEqual({ ...inserted, deep: { a: 3 }, _version: 2, _updatedAt: inserted._createdAt + 50 })
    expect(inserted._version).toBe(1)
  })

  test('an empty update still raises the version', async () => {
    const { bucket } = await openBucket(NOTES)
    await bucket.insert({ id: 'a' })
    expect((await bucket.update('a', {}))._version).toBe(2)
  })

  test('key, generated fields and metadata stay, whatever the changes say', async () => {
    const { bucket } = await openBucket({
      key: 'id',
      schema: {
        id: { type: 'string', generated: 'uuid' },
        at: { type: 'number', generated: 'timestamp' },
        n: { type: 'number' },
      },
    })
    const inserted = await bucket.insert({ n: 1 })
    const changes = { id: 'other', at: 5, n: 2, _version: 50, _createdAt: 1, _updatedAt: 1, _expiresAt: 1 }
    const updated = await bucket.update(inserted.id, changes)
    expect(updated).toEqual({ ...inserted, n: 2, _version: 2, _updatedAt: updated._updatedAt })
    expect(updated._updatedAt).toBeGreaterThanOrEqual(inserted._updatedAt)
  })

  test('a field that is undefined in the changes is removed', async () => {
    const { bucket } = await openBucket(NOTES)
    await bucket.insert({ id: 'a', text: 'x', extra: 1 })
    const updated = await bucket.update('a', { text: undefined, extra: undefined })
    expect(Object.keys(updated).sort()).toEqual(['_createdAt', '_updatedAt', '_version', 'id'])
  })

  test('a missing record is refused', async () => {
    const { bucket } = await openBucket(NOTES)
    const error = await rejection(bucket.update('nope', {}))
    expect(error).toBeInstanceOf(RecordNotFoundError)
    expect(error.message).toBe('Record with key "nope" not found in bucket "b"')
  })

  test('the whole merged record is checked; a refused update changes nothing', async () => {
    const { bucket } = await openBucket({
      key: 'id',
      schema: { id: { type: 'string' }, n: { type: 'number', required: true, max: 5 } },
    })
    await bucket.insert({ id: 'a', n: 1 })
    await expect(bucket.update('a', { n: 9 })).rejects.toThrow('n: Maximum value is 5')
    await expect(bucket.update('a', { n: undefined })).rejects.toThrow('n: Field is required')
    await expect(bucket.update('a', { n: null })).rejects.toThrow('n: Field is required')
    expect(await bucket.get('a')).toMatchObject({ n: 1, _version: 1 })
  })

  test('ifVersion updates only what has not changed since', async () => {
    const { bucket } = await openBucket(NOTES)
    await bucket.insert({ id: 'a', n: 1 })
    await bucket.update('a', { n: 2 }, { ifVersion: 1 })
    const error = await rejection(bucket.update('a', { n: 3 }, { ifVersion: 1 }))
    expect(error).toBeInstanceOf(TransactionConflictError)
    expect(error).toMatchObject({ bucket: 'b', key: 'a' })
    expect(error.message).toBe('Transaction conflict in bucket "b" for key "a": Version mismatch: expected 1, got 2')
    expect(await bucket.get('a')).toMatchObject({ n: 2 })
  })

  test('a property default that came later does not stop updates of older records', async () => {
    const adapter = new MemoryAdapter()
    const first = await open({ persistence: { adapter } })
    await first.defineBucket('b', { key: 'id', schema: { id: { type: 'string' }, address: { type: 'object' } } })
    await first.bucket('b').insert({ id: 'a', address: { city: 'Brno' } })
    await first.stop()
    const { bucket } = await openBucket(
      {
        key: 'id',
        schema: {
          id: { type: 'string' },
          n: { type: 'number' },
          address: {
            type: 'object',
            properties: { city: { type: 'string' }, country: { type: 'string', default: 'CZ' } },
          },
        },
      },
      { persistence: { adapter } },
    )
    expect(await bucket.update('a', { n: 1 })).toMatchObject({ n: 1, address: { city: 'Brno' } })
    expect(await bucket.update('a', { address: { city: 'Zlín' } })).toMatchObject({
      address: { city: 'Zlín', country: 'CZ' },
    })
  })
})

describe('delete and clear', () => {
  test('delete removes the record and its index entries, and returns nothing', async () => {
    const { bucket } = await openBucket({ ...NOTES, indexes: ['text'] })
    await bucket.insert({ id: 'a', text: 'x' })
    expect(await bucket.delete('a')).toBeUndefined()
    expect(await bucket.get('a')).toBeUndefined()
    expect(await bucket.where({ text: 'x' })).toEqual([])
  })

  test('deleting what is not there does nothing', async () => {
    const { store, bucket } = await openBucket(NOTES)
    const { visible } = store.position
    await bucket.delete('nope')
    expect(store.position.visible).toBe(visible)
  })

  test('a deleted key can be inserted again, as a new record at the end', async () => {
    const { bucket } = await openBucket(NOTES)
    for (const id of ['a', 'b']) await bucket.insert({ id })
    await bucket.update('a', { n: 1 })
    await bucket.delete('a')
    expect((await bucket.insert({ id: 'a' }))._version).toBe(1)
    expect(await bucket.keys()).toEqual(['b', 'a'])
  })

  test('clear empties records and indexes; autoincrement goes on', async () => {
    const { bucket } = await openBucket({
      key: 'id',
      schema: { id: { type: 'number', generated: 'autoincrement' }, email: { type: 'string', unique: true } },
    })
    await bucket.insertMany([{ email: 'x' }, { email: 'y' }])
    await bucket.clear()
    expect(await bucket.all()).toEqual([])
    expect(await bucket.where({ email: 'x' })).toEqual([])
    expect(await bucket.insert({ email: 'x' })).toMatchObject({ id: 3 })
  })
})

describe('many at once', () => {
  test('insertMany is one commit, in order', async () => {
    const { store, bucket } = await openBucket(NOTES)
    const { visible } = store.position
    const records = await bucket.insertMany([{ id: 'b' }, { id: 'a' }])
    expect(records.map(({ id }) => id)).toEqual(['b', 'a'])
    expect(store.position.visible).toBe(visible + 1)
    expect(await bucket.insertMany([])).toEqual([])
    expect(store.position.visible).toBe(visible + 1)
  })

  test.each([
    ['a duplicate key within the list', [{ id: 'x' }, { id: 'x' }], 'DuplicateKeyError'],
    ['a key that is taken', [{ id: 'x' }, { id: 'a' }], 'DuplicateKeyError'],
    ['a bad record', [{ id: 'x' }, { id: 'y', n: 'no' }], 'ValidationError'],
    [
      'a taken unique value',
      [
        { id: 'x', text: 'new' },
        { id: 'y', text: 'taken' },
      ],
      'UniqueConstraintError',
    ],
    [
      'a unique value twice in the list',
      [
        { id: 'x', text: 'new' },
        { id: 'y', text: 'new' },
      ],
      'UniqueConstraintError',
    ],
  ])('insertMany with %s inserts nothing', async (_, list, name) => {
    const { bucket } = await openBucket({
      key: 'id',
      schema: { id: { type: 'string' }, n: { type: 'number' }, text: { type: 'string', unique: true } },
    })
    await bucket.insert({ id: 'a', text: 'taken' })
    expect((await rejection(bucket.insertMany(list))).name).toBe(name)
    expect(await bucket.keys()).toEqual(['a'])
    expect(await bucket.where({ text: 'taken' })).toHaveLength(1)
    expect(await bucket.where({ text: 'new' })).toEqual([])
    await bucket.insert({ id: 'x', text: 'new' })
  })

  test('upsert inserts what is new and merges into what is there', async () => {
    const { bucket } = await openBucket(NOTES)
    expect(await bucket.upsert({ id: 'a', text: 'x', n: 1 })).toMatchObject({ n: 1, _version: 1 })
    expect(await bucket.upsert({ id: 'a', n: 2 })).toMatchObject({ text: 'x', n: 2, _version: 2 })
  })

  test('upsert without a key inserts where the key is generated', async () => {
    const { bucket } = await openBucket(USERS)
    await bucket.upsert({ name: 'A' })
    expect(await bucket.count()).toBe(1)
  })

  test('updateMany and deleteMany take a filter and tell how many', async () => {
    const { store, bucket } = await openBucket({ ...NOTES, indexes: ['text'] })
    await bucket.insertMany(['a', 'b', 'c', 'd'].map((id, n) => ({ id, n, text: n < 3 ? 'x' : 'y' })))
    const { visible } = store.position
    expect(await bucket.updateMany({ text: 'x' }, { text: 'z' })).toBe(3)
    expect(await bucket.updateMany({ text: 'nope' }, { text: 'q' })).toBe(0)
    expect(store.position.visible).toBe(visible + 1)
    expect(await bucket.count({ text: 'z' })).toBe(3)
    expect(await bucket.deleteMany({ text: 'z', n: 1 })).toBe(1)
    expect(await bucket.keys()).toEqual(['a', 'c', 'd'])
    expect(await bucket.deleteMany({})).toBe(3)
  })

  test('updateMany that one record refuses changes none', async () => {
    const { bucket } = await openBucket({
      key: 'id',
      schema: { id: { type: 'string' }, u: { type: 'string', unique: true } },
    })
    await bucket.insertMany([{ id: 'a' }, { id: 'b' }])
    expect(await rejection(bucket.updateMany({}, { u: 'same' }))).toBeInstanceOf(UniqueConstraintError)
    expect(await bucket.where({ u: 'same' })).toEqual([])
    expect(await bucket.all()).toMatchObject([{ _version: 1 }, { _version: 1 }])
    await bucket.update('a', { u: 'same' })
    expect(await bucket.where({ u: 'same' })).toHaveLength(1)
  })
})

describe('unique fields', () => {
  const UNIQUE = { key: 'id', schema: { id: { type: 'string' }, email: { type: 'string', unique: true } } } as const

  test('a value that is taken is refused with the field and the value', async () => {
    const { bucket } = await openBucket(UNIQUE)
    await bucket.insert({ id: 'a', email: 'x' })
    const error = await rejection(bucket.insert({ id: 'b', email: 'x' }))
    expect(error).toBeInstanceOf(UniqueConstraintError)
    expect(error).toMatchObject({ name: 'UniqueConstraintError', bucket: 'b', field: 'email', value: 'x' })
    expect(error.message).toBe('Unique constraint violation in bucket "b": field "email" already has value "x"')
  })

  test('a long value is in the error as it is, and in its message cut short', async () => {
    const { bucket } = await openBucket(UNIQUE)
    const email = 'x'.repeat(1_000_000)
    await bucket.insert({ id: 'a', email })
    const error = await rejection(bucket.insert({ id: 'b', email }))
    expect(error).toMatchObject({ name: 'UniqueConstraintError', value: email })
    expect(error.message.length).toBeLessThan(300)
  })

  test('a refused insert or update leaves the value with its owner', async () => {
    const { bucket } = await openBucket(UNIQUE)
    await bucket.insertMany([
      { id: 'a', email: 'x' },
      { id: 'b', email: 'y' },
    ])
    await rejection(bucket.insert({ id: 'c', email: 'x' }))
    await rejection(bucket.update('b', { email: 'x' }))
    expect(await bucket.where({ email: 'x' })).toMatchObject([{ id: 'a' }])
    expect(await bucket.where({ email: 'y' })).toMatchObject([{ id: 'b' }])
    await rejection(bucket.insert({ id: 'c', email: 'x' }))
    expect(await bucket.count()).toBe(2)
  })

  test('a record may keep its own value, and a value is free once its record is gone', async () => {
    const { bucket } = await openBucket(UNIQUE)
    await bucket.insert({ id: 'a', email: 'x' })
    await bucket.update('a', { email: 'x', n: 1 })
    await bucket.update('a', { email: 'y' })
    await bucket.insert({ id: 'b', email: 'x' })
    await bucket.delete('b')
    await bucket.insert({ id: 'c', email: 'x' })
  })

  test('any number of records may have null or nothing', async () => {
    const { bucket } = await openBucket(UNIQUE)
    await bucket.insertMany([{ id: 'a' }, { id: 'b' }, { id: 'c', email: null }, { id: 'd', email: null }])
    expect(await bucket.count()).toBe(4)
  })

  test('equal dates count as the same value', async () => {
    const { bucket } = await openBucket({
      key: 'id',
      schema: { id: { type: 'string' }, at: { type: 'date', unique: true } },
    })
    await bucket.insert({ id: 'a', at: new Date(5) })
    expect((await rejection(bucket.insert({ id: 'b', at: new Date(5) }))).name).toBe('UniqueConstraintError')
  })

  test('a field that is unique and in indexes has one index', async () => {
    const { store } = await openBucket({ ...UNIQUE, indexes: ['email'] })
    expect((await store.getStats()).indexes).toEqual({ total: 1, perBucket: { b: 1 } })
  })
})

test('a rejected write leaves no trace in the log, the counters or the position', async () => {
  const { store, bucket } = await openBucket({
    key: 'id',
    schema: { id: { type: 'number', generated: 'autoincrement' }, n: { type: 'number', required: true } },
  })
  const { visible } = store.position
  for (let i = 0; i < 3; i++) await rejection(bucket.insert({}))
  expect(store.position.visible).toBe(visible)
  expect(await bucket.insert({ n: 1 })).toMatchObject({ id: 1 })
})

test('the time of records never goes back, even when the clock does', async () => {
  const { store, runtime } = await openVirtual()
  await store.defineBucket('b', KEYED)
  const bucket = store.bucket('b')
  const first = await bucket.insert({ id: 'a' })
  runtime.jump(-100_000)
  const second = await bucket.insert({ id: 'b' })
  expect(second._createdAt).toBeGreaterThanOrEqual(first._createdAt)
  const updated = await bucket.update('a', { n: 1 })
  expect(updated._updatedAt).toBeGreaterThanOrEqual(updated._createdAt)
})
