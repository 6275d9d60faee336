import { describe, expect, test } from 'vitest'
import { DefinitionError } from '../../src/index.js'
import type { BucketDefinition } from '../../src/index.js'
import { KEYED, open, openBucket, openVirtual, rejection } from './opened.js'

const ID = { id: { type: 'string' } }

describe('a wrong definition is refused, says which field and what is allowed, and defines nothing', () => {
  test.each<[string, unknown, RegExp, string?]>([
    ['no definition', undefined, /expected a definition \{ key, schema \}, got undefined/],
    ['null', null, /expected a definition/],
    ['no key', { schema: ID }, /key: expected the name of a field, got undefined/],
    [
      'a key that is not in the schema',
      { key: 'k', schema: ID },
      /^Key field "k" does not exist in schema for bucket "b"$/,
      'k',
    ],
    [
      'a key that only Object.prototype has',
      { key: 'toString', schema: ID },
      /^Key field "toString" does not exist/,
      'toString',
    ],
    ['an object as key', { key: 'id', schema: { id: { type: 'object' } } }, /key field "id" has type object/, 'id'],
    ['no schema', { key: 'id' }, /schema: expected an object of fields/],
    ['an array as schema', { key: 'id', schema: [] }, /schema: expected an object of fields/],
    [
      'an index that is not in the schema',
      { key: 'id', schema: ID, indexes: ['x'] },
      /^Index field "x" does not exist in schema for bucket "b"$/,
      'x',
    ],
    [
      'an index that only Object.prototype has',
      { key: 'id', schema: ID, indexes: ['constructor'] },
      /^Index field "constructor"/,
      'constructor',
    ],
    [
      'an index on an array',
      { key: 'id', schema: { ...ID, t: { type: 'array' } }, indexes: ['t'] },
      /cannot have an index/,
      't',
    ],
    ['indexes that are no list', { key: 'id', schema: ID, indexes: 'id' }, /indexes: expected a list/],
    ['an index that is no name', { key: 'id', schema: ID, indexes: [1] }, /indexes: expected field names/],
    [
      'an unknown type',
      { key: 'id', schema: { ...ID, x: { type: 'int' } } },
      /field "x": unknown type string "int"; known are string, number/,
      'x',
    ],
    ['a type of Object.prototype', { key: 'id', schema: { ...ID, x: { type: 'toString' } } }, /unknown type/, 'x'],
    ['a field without type', { key: 'id', schema: { ...ID, x: {} } }, /unknown type undefined/, 'x'],
    ['a field that is null', { key: 'id', schema: { ...ID, x: null } }, /expected \{ type: … \}/, 'x'],
    ['a field that is a string', { key: 'id', schema: { ...ID, x: 'string' } }, /expected \{ type: … \}/, 'x'],
    [
      'an unknown field option',
      { key: 'id', schema: { ...ID, x: { type: 'string', requird: true } } },
      /unknown option "requird"/,
      'x',
    ],
    ['an unknown bucket option', { ...KEYED, maxsize: 5 }, /unknown option "maxsize"/],
    [
      'a bad pattern',
      { key: 'id', schema: { ...ID, x: { type: 'string', pattern: '(' } } },
      /pattern is not a regular expression/,
      'x',
    ],
    [
      'a RegExp as pattern',
      { key: 'id', schema: { ...ID, x: { type: 'string', pattern: /a/ } } },
      /"pattern": expected the source/,
      'x',
    ],
    [
      'min above max',
      { key: 'id', schema: { ...ID, x: { type: 'number', min: 2, max: 1 } } },
      /min 2 is greater than max 1/,
      'x',
    ],
    [
      'a min that is no number',
      { key: 'id', schema: { ...ID, x: { type: 'number', min: '2' } } },
      /"min": expected a number/,
      'x',
    ],
    [
      'a negative minLength',
      { key: 'id', schema: { ...ID, x: { type: 'string', minLength: -1 } } },
      /"minLength": expected a whole number from 0/,
      'x',
    ],
    [
      'min on a string',
      { key: 'id', schema: { ...ID, x: { type: 'string', min: 1 } } },
      /option "min" goes with type number, not string/,
      'x',
    ],
    [
      'format on a number',
      { key: 'id', schema: { ...ID, x: { type: 'number', format: 'email' } } },
      /option "format" goes with type string/,
      'x',
    ],
    [
      'an unknown format',
      { key: 'id', schema: { ...ID, x: { type: 'string', format: 'phone' } } },
      /"format": expected email, url or iso-date/,
      'x',
    ],
    [
      'an unknown generator',
      { key: 'id', schema: { ...ID, x: { type: 'string', generated: 'ulid' } } },
      /"generated": expected one of uuid, cuid, autoincrement, timestamp/,
      'x',
    ],
    [
      'a uuid in a number',
      { key: 'id', schema: { ...ID, x: { type: 'number', generated: 'uuid' } } },
      /generated "uuid" goes with type string, not number/,
      'x',
    ],
    [
      'an autoincrement string',
      { key: 'id', schema: { ...ID, x: { type: 'string', generated: 'autoincrement' } } },
      /goes with type number, not string/,
      'x',
    ],
    [
      'an enum that is no list',
      { key: 'id', schema: { ...ID, x: { type: 'string', enum: 'a' } } },
      /"enum": expected a list/,
      'x',
    ],
    [
      'an empty enum',
      { key: 'id', schema: { ...ID, x: { type: 'string', enum: [] } } },
      /"enum": expected a list/,
      'x',
    ],
    [
      'a default that does not fit',
      { key: 'id', schema: { ...ID, x: { type: 'number', default: 'a' } } },
      /the default does not fit the field itself: Expected type "number", got string/,
      'x',
    ],
    [
      'a default outside the enum',
      { key: 'id', schema: { ...ID, x: { type: 'string', enum: ['a'], default: 'b' } } },
      /Value must be one of: a/,
      'x',
    ],
    [
      'NaN as default',
      { key: 'id', schema: { ...ID, x: { type: 'number', default: Number.NaN } } },
      /the default cannot be stored: NaN/,
      'x',
    ],
    [
      'a Map as default',
      { key: 'id', schema: { ...ID, x: { type: 'object', default: new Map() } } },
      /the default cannot be stored/,
      'x',
    ],
    [
      'a default with a function in it',
      { key: 'id', schema: { ...ID, x: { type: 'object', default: { f: () => 1 } } } },
      /the default cannot be stored/,
      'x',
    ],
    [
      'an invalid date as default',
      { key: 'id', schema: { ...ID, x: { type: 'date', default: new Date(Number.NaN) } } },
      /the default cannot be stored: Invalid date/,
      'x',
    ],
    [
      'required that is no boolean',
      { key: 'id', schema: { ...ID, x: { type: 'string', required: 'yes' } } },
      /"required": expected true or false/,
      'x',
    ],
    [
      'unique objects',
      { key: 'id', schema: { ...ID, x: { type: 'object', unique: true } } },
      /option "unique" goes with/,
      'x',
    ],
    [
      'unique properties',
      { key: 'id', schema: { ...ID, x: { type: 'object', properties: { y: { type: 'string', unique: true } } } } },
      /only for fields of the record itself/,
      'x.y',
    ],
    [
      'a wrong property',
      { key: 'id', schema: { ...ID, x: { type: 'object', properties: { y: { type: 'nope' } } } } },
      /field "x.y": unknown type/,
      'x.y',
    ],
    [
      'wrong items',
      { key: 'id', schema: { ...ID, x: { type: 'array', items: { type: 'nope' } } } },
      /field "x\[\]": unknown type/,
      'x[]',
    ],
    [
      'a ref that is no name',
      { key: 'id', schema: { ...ID, x: { type: 'string', ref: 5 } } },
      /"ref": expected the name of a bucket/,
      'x',
    ],
    [
      'a field that the store keeps itself',
      { key: 'id', schema: { ...ID, _version: { type: 'number' } } },
      /is kept by the store itself/,
      '_version',
    ],
    ['ttl that is no time', { ...KEYED, ttl: 'abc' }, /ttl: Invalid TTL format "abc"/],
    ['a negative ttl', { ...KEYED, ttl: -5 }, /ttl: TTL must be a positive finite number, got -5/],
    ['a zero ttl', { ...KEYED, ttl: '0s' }, /ttl: TTL value must be positive, got "0s"/],
    ['a ttl of null', { ...KEYED, ttl: null }, /ttl: /],
    ['maxSize 0', { ...KEYED, maxSize: 0 }, /maxSize: expected a whole number from 1, got number 0/],
    ['a negative maxSize', { ...KEYED, maxSize: -1 }, /maxSize/],
    ['half a maxSize', { ...KEYED, maxSize: 1.5 }, /maxSize/],
    ['an unknown eviction', { ...KEYED, maxSize: 5, eviction: 'random' }, /eviction: expected "oldest" or "lru"/],
    ['eviction without maxSize', { ...KEYED, eviction: 'lru' }, /eviction needs a maxSize/],
    ['a bag', { ...KEYED, etsType: 'bag' }, /etsType: expected "set" or "ordered_set"/],
    ['persistent that is no boolean', { ...KEYED, persistent: 1 }, /persistent: expected true or false/],
  ])('%s', async (_, definition, message, field) => {
    const store = await open()
    const error = await rejection(store.defineBucket('b', definition as BucketDefinition))
    expect(error).toBeInstanceOf(DefinitionError)
    expect(error.message).toMatch(message)
    expect(error).toMatchObject({ code: 'DEFINITION', bucket: 'b', field })
    expect(store.listBuckets()).toEqual([])
    await store.defineBucket('b', KEYED)
  })

  test.each([[''], ['a*'], ['a\nb'], ['x'.repeat(201)], ['\ud800'], ['__proto__'], [5], [null], [undefined]])(
    'the name %j',
    async (name) => {
      const store = await open()
      expect(await rejection(store.defineBucket(name as string, KEYED))).toBeInstanceOf(DefinitionError)
      expect(store.listBuckets()).toEqual([])
    },
  )

  test.each([['a.b'], ['a:b'], ['a b'], ['ěšč'], ['constructor'], ['A'], ['a/b'], ['🙂']])(
    'but not the name %j',
    async (name) => {
      const store = await open()
      await store.defineBucket(name, KEYED)
      await store.bucket(name).insert({ id: 'x' })
      expect(await store.bucket(name).keys()).toEqual(['x'])
    },
  )
})

describe('generated fields', () => {
  test('uuid, cuid, autoincrement and timestamp are made where the value is missing', async () => {
    const { store, runtime } = await openVirtual()
    await store.defineBucket('b', {
      key: 'u',
      schema: {
        u: { type: 'string', generated: 'uuid' },
        c: { type: 'string', generated: 'cuid' },
        n: { type: 'number', generated: 'autoincrement' },
        t: { type: 'number', generated: 'timestamp' },
        d: { type: 'date', generated: 'timestamp' },
      },
    })
    const record = await store.bucket('b').insert({})
    expect(record.u).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    expect(record.c).toMatch(/^c[0-9a-f]{32}$/)
    expect(record).toMatchObject({ n: 1, t: runtime.now(), d: runtime.now() })
  })

  test('a value that is given wins over generated and default; null is a value', async () => {
    const { bucket } = await openBucket({
      key: 'id',
      schema: {
        id: { type: 'string', generated: 'uuid', default: 'never' },
        n: { type: 'number', default: 5 },
        t: { type: 'number', generated: 'timestamp' },
      },
    })
    expect(await bucket.insert({ id: 'mine', n: null, t: null })).toMatchObject({ id: 'mine', n: null, t: null })
    expect((await bucket.insert({})).id).not.toBe('never')
  })

  test('autoincrement starts at 1, skips nothing for refused records, and goes on after explicit numbers', async () => {
    const { bucket } = await openBucket({
      key: 'id',
      schema: { id: { type: 'number', generated: 'autoincrement' }, n: { type: 'number', max: 5 } },
    })
    expect(await bucket.insert({})).toMatchObject({ id: 1 })
    await rejection(bucket.insert({ n: 9 }))
    expect(await bucket.insert({})).toMatchObject({ id: 2 })
    await bucket.insert({ id: 10 })
    await bucket.insert({ id: 4 })
    expect(await bucket.insert({})).toMatchObject({ id: 11 })
    await bucket.delete(11)
    expect(await bucket.insert({})).toMatchObject({ id: 12 })
    expect((await bucket.insertMany([{}, {}])).map(({ id }) => id)).toEqual([13, 14])
  })

  test('generated ids are all different', async () => {
    const { bucket } = await openBucket({ key: 'id', schema: { id: { type: 'string', generated: 'cuid' } } })
    await bucket.insertMany(Array.from({ length: 500 }, () => ({})))
    expect(await bucket.count()).toBe(500)
  })
})

describe('defaults', () => {
  test('a value, or a function that is called for each record', async () => {
    let calls = 0
    const { bucket } = await openBucket({
      key: 'id',
      schema: {
        id: { type: 'string' },
        role: { type: 'string', default: 'user' },
        off: { type: 'boolean', default: false },
        zero: { type: 'number', default: 0 },
        made: { type: 'number', default: () => ++calls },
        at: { type: 'date', default: new Date(0) },
        none: { type: 'string', default: null },
      },
    })
    expect(await bucket.insert({ id: 'a' })).toMatchObject({
      role: 'user',
      off: false,
      zero: 0,
      made: 1,
      at: '1970-01-01T00:00:00.000Z',
      none: null,
    })
    expect(await bucket.insert({ id: 'b' })).toMatchObject({ made: 2 })
    await bucket.insert({ id: 'c', made: 50 })
    expect(calls).toBe(2)
  })

  test('static arrays and objects are not shared with the definition or its author', async () => {
    const tags: string[] = []
    const { bucket } = await openBucket({
      key: 'id',
      schema: { id: { type: 'string' }, tags: { type: 'array', default: tags }, meta: { type: 'object', default: {} } },
    })
    tags.push('late')
    await bucket.insert({ id: 'a' })
    await bucket.update('a', { tags: ['x'], meta: { y: 1 } })
    expect(await bucket.insert({ id: 'b' })).toMatchObject({ tags: [], meta: {} })
  })

  test('a default is not used by updates', async () => {
    const { bucket } = await openBucket({
      key: 'id',
      schema: { id: { type: 'string' }, role: { type: 'string', default: 'user' } },
    })
    await bucket.insert({ id: 'a' })
    expect('role' in (await bucket.update('a', { role: undefined }))).toBe(false)
  })

  test('a function whose value does not fit is a validation error', async () => {
    const { bucket } = await openBucket({
      key: 'id',
      schema: { id: { type: 'string' }, n: { type: 'number', default: () => 'x' } },
    })
    expect((await rejection(bucket.insert({ id: 'a' }))).issues).toEqual([
      { field: 'n', message: 'Expected type "number", got string', code: 'type' },
    ])
  })

  test('required and default go together', async () => {
    const { bucket } = await openBucket({
      key: 'id',
      schema: { id: { type: 'string' }, n: { type: 'number', required: true, default: 3 } },
    })
    expect(await bucket.insert({ id: 'a' })).toMatchObject({ n: 3 })
    expect((await rejection(bucket.insert({ id: 'b', n: null }))).message).toContain('n: Field is required')
  })
})

test('an option or generator that only Object.prototype has is unknown; validators of others may have a type', async () => {
  const store = await open()
  for (const field of [
    { type: 'string', constructor: true },
    { type: 'string', generated: 'toString' },
  ]) {
    const definition = { key: 'id', schema: { ...ID, x: field } } as unknown as BucketDefinition
    expect(await rejection(store.defineBucket('b', definition))).toMatchObject({ code: 'DEFINITION', field: 'x' })
  }
  const validator = {
    type: 'object',
    '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) },
  }
  await store.defineBucket('b', { key: 'id', schema: { id: validator as never }, indexes: ['id'] })
})
