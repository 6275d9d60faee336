import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { DefinitionError, Store, UniqueConstraintError } from '../../src/index.js'
import type { BucketDefinition } from '../../src/index.js'
import { open, openBucket, rejection } from './opened.js'

const SCHEMA = {
  id: { type: 'string' },
  name: { type: 'string' },
  n: { type: 'number' },
  at: { type: 'date' },
  tags: { type: 'array' },
  loose: { type: 'object' },
  place: { type: 'object', properties: { lat: { type: 'number' }, box: { type: 'object' } } },
} as const

const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

const defined = (indexes: unknown): BucketDefinition => ({ key: 'id', schema: SCHEMA, indexes: indexes as never })
const collated = (collate: unknown, more: object = {}): BucketDefinition =>
  ({ key: 'id', schema: { ...SCHEMA, word: { type: 'string', collate, ...more } } }) as never

describe('wrong indexes and collations are refused, and define nothing', () => {
  test.each<[what: string, definition: BucketDefinition, message: string, field?: string]>([
    ['no list', defined({ fields: ['n'] }), 'a list of field names, lists of them, or { fields, unique, where }, got'],
    ['a number', defined([1]), 'indexes: expected field names, got number 1'],
    ['null', defined([null]), 'indexes: expected field names, got null'],
    ['no fields', defined([[]]), 'indexes: expected a list of different fields, got an array'],
    ['one field twice', defined([['n', 'name', 'n']]), 'a list of different fields, got an array'],
    ['a list in a list', defined([[['n']]]), 'indexes: expected the name of a field, got an array'],
    ['an object without fields', defined([{ unique: true }]), 'a list of different fields, got undefined'],
    ['a field that is no list', defined([{ fields: 'n' }]), 'a list of different fields, got string "n"'],
    ['an unknown option', defined([{ fields: ['n'], uniq: true }]), '"uniq"; known are fields, unique, where'],
    ['unique that is no flag', defined([{ fields: ['n'], unique: 'yes' }]), 'indexes: unique: expected true or false'],
    ['a field that is not there', defined([['n', 'nope']]), 'Index field "nope" does not exist in schema', 'nope'],
    ['a path that is not there', defined(['place.lon']), 'Index field "place.lon" does not exist', 'place.lon'],
    ['a path into a string', defined(['name.first']), 'Index field "name.first" does not exist', 'name.first'],
    ['a path into an array', defined(['tags.0']), 'Index field "tags.0" does not exist', 'tags.0'],
    ['a path to an object', defined([['n', 'place.box']]), 'type object cannot have an index', 'place.box'],
    ['an array', defined([{ fields: ['tags'] }]), 'a field of type array cannot have an index', 'tags'],
    [
      'a condition that is no filter',
      defined([{ fields: ['n'], where: 'x' }]),
      'where: expected a filter, got string "x"',
    ],
    [
      'a list of conditions',
      defined([{ fields: ['n'], where: [] }]),
      'indexes: where: expected an object of field values',
    ],
    [
      'NaN as condition',
      defined([{ fields: ['n'], where: { n: Number.NaN } }]),
      'where: expected a filter, got an object',
    ],
    ['a function as condition', defined([{ fields: ['n'], where: { n: () => 1 } }]), 'where: expected a filter'],
    ['null as condition', defined([{ fields: ['n'], where: null }]), 'where: expected a filter, got null'],
    [
      'an unknown operator',
      defined([{ fields: ['n'], where: { n: { above: 1 } } }]),
      'bucket "b", indexes: where: expected for field string "n" operators out of eq, ne, gt',
    ],
    ['a locale that is none', collated('not a locale'), 'field "word": collate: Incorrect locale', 'word'],
    ['an empty locale', collated(''), 'collate: Incorrect locale', 'word'],
    ['no locale', collated({ numeric: true }), 'collate: expected a locale, got undefined', 'word'],
    ['null', collated(null), 'collate: expected a locale, got undefined', 'word'],
    ['true', collated(true), 'collate: expected a locale, got undefined', 'word'],
    ['a list of locales', collated({ locale: ['de'] }), 'collate: expected a locale, got an array', 'word'],
    [
      'an unknown option',
      collated({ locale: 'de', numerical: true }),
      'unknown option "numerical"; known are locale, sensitivity, numeric, caseFirst, ignorePunctuation',
      'word',
    ],
    ['an unknown sensitivity', collated({ locale: 'de', sensitivity: 'x' }), 'collate: Value x out of range', 'word'],
    ['on a number', collated('de', { type: 'number' }), '"collate" goes with type string, not number', 'word'],
    [
      'on a nested field',
      { key: 'id', schema: { ...SCHEMA, o: { type: 'object', properties: { p: { type: 'string', collate: 'de' } } } } },
      'option "collate" is only for fields of the record itself',
      'o.p',
    ],
  ])('%s', async (_what, definition, message, field) => {
    const store = await open()
    const error = await rejection(store.defineBucket('b', definition))
    expect(error).toBeInstanceOf(DefinitionError)
    expect(error.message).toContain(message)
    if (field !== undefined) expect(error).toMatchObject({ bucket: 'b', field })
    expect(store.listBuckets()).toEqual([])
  })

  test.each<[what: string, indexes: unknown]>([
    ['none', []],
    ['fields of the store', ['_createdAt', ['n', '_updatedAt']]],
    ['paths', ['place.lat', ['name', 'place.lat']]],
    ['paths into objects whose fields nobody named', ['loose.anything.at.all']],
    ['the same twice', ['n', 'n', ['n'], { fields: ['n'] }]],
    ['the key', ['id', ['n', 'id']]],
    ['dates in conditions', [{ fields: ['n'], where: { at: { gte: new Date(0) } } }]],
    ['no condition', [{ fields: ['n'], where: {}, unique: false }]],
  ])('but not %s', async (_what, indexes) => {
    const { bucket } = await openBucket(defined(indexes))
    await bucket.insert({ id: 'a', n: 1, at: new Date(5), place: { lat: 1 }, loose: { anything: { at: { all: 1 } } } })
    expect(await bucket.where({ n: 1, at: { gte: new Date(0) } }).count()).toBe(1)
    expect(await bucket.where({ 'loose.anything.at.all': 1, 'place.lat': { gt: 0 } }).count()).toBe(1)
  })
})

test('a condition of an index says the same whether it has a date or its text', async () => {
  const { bucket } = await openBucket(defined([{ fields: ['n'], where: { at: new Date(0) } }]))
  await bucket.insertMany([
    { id: 'a', n: 1, at: new Date(0) },
    { id: 'b', n: 1 },
    { id: 'c', n: 2 },
  ])
  const explained = await bucket.where({ n: 1, at: '1970-01-01T00:00:00.000Z' }).explain()
  expect(explained).toMatchObject({ access: 'index', index: ['n'], examined: 1, returned: 1, tested: '' })
  expect(await bucket.where({ n: 1 }).explain()).toMatchObject({ access: 'scan', returned: 2 })
})

test('an index on a nested field finds and sorts', async () => {
  const { bucket } = await openBucket(defined(['place.lat']))
  await bucket.insertMany([3, 1, undefined, 2].map((lat, at) => ({ id: `${at}`, ...(lat && { place: { lat } }) })))
  const ids = (rows: readonly { readonly [field: string]: unknown }[]) => rows.map(({ id }) => id)
  expect(await bucket.where({ 'place.lat': 1 }).explain()).toMatchObject({ access: 'index', examined: 1 })
  const above = bucket.where({ 'place.lat': { gt: 1 } }).orderBy('place.lat', 'desc')
  expect(ids(await above)).toEqual(['0', '3'])
  expect(await above.explain()).toMatchObject({ access: 'range', index: ['place.lat'], examined: 2, order: 'backward' })
  expect(ids(await bucket.query().orderBy('place.lat'))).toEqual(['2', '1', '3', '0'])
  await bucket.update('1', { place: { lat: 9 } })
  expect(ids(await above)).toEqual(['1', '0', '3'])
})

describe('unique indexes', () => {
  const PAIR = defined([{ fields: ['name', 'n'], unique: true }])

  test('on several fields: no two records agree on all of them; one that lacks a field does not count', async () => {
    const { bucket } = await openBucket(PAIR)
    await bucket.insertMany([
      { id: 'a', name: 'x', n: 1 },
      { id: 'b', name: 'x', n: 2 },
      { id: 'c', name: 'x' },
      { id: 'd', name: 'x', n: null },
      { id: 'e', n: 1 },
      { id: 'f', n: 1, name: null },
      { id: 'g' },
    ])
    expect(await rejection(bucket.insert({ id: 'z', name: 'x', n: 1 }))).toMatchObject({
      name: 'UniqueConstraintError',
      bucket: 'b',
      field: 'name, n',
    })
    await expect(bucket.update('c', { n: 2 })).rejects.toThrow(UniqueConstraintError)
    await expect(bucket.updateMany({ id: { in: ['c', 'd'] } }, { n: 3 })).rejects.toThrow(UniqueConstraintError)
    expect(await bucket.count()).toBe(7)
    await bucket.update('a', { n: 9 })
    await bucket.insert({ id: 'z', name: 'x', n: 1 })
  })

  test('values of two fields do not run into each other', async () => {
    const { bucket } = await openBucket(defined([{ fields: ['name', 'at'], unique: true }]))
    await bucket.insertMany([
      { id: 'a', name: 'x","', at: 'y' },
      { id: 'b', name: 'x', at: '","y' },
      { id: 'c', name: '1', at: 1 },
      { id: 'd', name: '1', at: '1' },
    ])
    expect(await bucket.count()).toBe(4)
  })

  test('two records may exchange their values in one transaction', async () => {
    const { store, bucket } = await openBucket(PAIR)
    await bucket.insertMany([
      { id: 'a', name: 'x', n: 1 },
      { id: 'b', name: 'x', n: 2 },
    ])
    await store.transaction(async (tx) => {
      await tx.bucket('b').update('a', { n: 2 })
      await tx.bucket('b').update('b', { n: 1 })
    })
    expect((await bucket.where({ name: 'x', n: 1 })).map(({ id }) => id)).toEqual(['b'])
  })

  test('on some of the records: those that match its condition', async () => {
    const { bucket } = await openBucket(defined([{ fields: ['name'], unique: true, where: { n: { gt: 0 } } }]))
    await bucket.insertMany([
      { id: 'a', name: 'x', n: 1 },
      { id: 'b', name: 'x', n: 0 },
      { id: 'c', name: 'x' },
    ])
    await expect(bucket.insert({ id: 'd', name: 'x', n: 5 })).rejects.toThrow(UniqueConstraintError)
    await expect(bucket.update('b', { n: 5 })).rejects.toThrow(UniqueConstraintError)
    await bucket.update('a', { n: 0 })
    await bucket.update('b', { n: 5 })
    expect(await bucket.where({ name: 'x', n: { gt: 0 } }).explain()).toMatchObject({ access: 'index', examined: 1 })
  })

  test('a file whose records break a new one is not opened with it, and is left as it was', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'varve-'))
    folders.push(folder)
    const file = join(folder, 'a.db')
    const plain = defined([])
    const first = await Store.start({ file, buckets: { b: plain } })
    await first.bucket('b').insertMany([
      { id: 'a', name: 'x', n: 1 },
      { id: 'b', name: 'x', n: 1 },
    ])
    await first.stop()
    await expect(Store.start({ file, buckets: { b: PAIR } })).rejects.toMatchObject({
      name: 'UniqueConstraintError',
      field: 'name, n',
    })
    const second = await Store.start({ file, buckets: { b: plain } })
    await second.bucket('b').update('b', { n: 2 })
    await second.stop()
    const third = await open({ file, buckets: { b: PAIR } })
    await expect(third.bucket('b').insert({ id: 'c', name: 'x', n: 2 })).rejects.toThrow(UniqueConstraintError)
    await third.stop()
  })
})

test('what becomes of the objects of a definition afterwards changes nothing', async () => {
  const fields = ['name', 'n']
  const where = { n: { gt: 0 } }
  const index = { fields, unique: true, where }
  const collate = { locale: 'de', numeric: false }
  const indexes: object[] = [index]
  const { bucket, store } = await openBucket({
    key: 'id',
    schema: { ...SCHEMA, name: { type: 'string', collate } },
    indexes: indexes as never,
  })
  fields.pop()
  where.n.gt = 100
  index.unique = false
  indexes.length = 0
  collate.locale = 'nonsense '
  collate.numeric = true
  await bucket.insertMany([
    { id: 'a', name: 'a10', n: 1 },
    { id: 'b', name: 'a9', n: 1 },
    { id: 'c', name: 'a9', n: 2 },
  ])
  await expect(bucket.insert({ id: 'd', name: 'a9', n: 2 })).rejects.toThrow(UniqueConstraintError)
  expect((await bucket.query().orderBy('name')).map(({ id }) => id)).toEqual(['a', 'b', 'c'])
  expect(store.describeBucket('b').indexes).toEqual([
    { field: 'name, n', fields: ['name', 'n'], unique: true, partial: true },
  ])
})

test('collate is of one field: its strings go as people sort them, and what people take for the same by code unit', async () => {
  const { bucket } = await openBucket({
    key: 'id',
    schema: {
      id: { type: 'string' },
      plain: { type: 'string' },
      people: { type: 'string', collate: { locale: 'de', sensitivity: 'base', numeric: true } },
    },
    indexes: ['people', ['people', 'plain']],
  })
  const words = ['b10', 'B9', 'ä', 'a', 'Z', 'A', 'z']
  await bucket.insertMany(words.map((word) => ({ id: word, plain: word, people: word })))
  const sorted = async (field: string, direction?: 'asc' | 'desc') =>
    (await bucket.query().orderBy(field, direction)).map(({ id }) => id)
  expect(await sorted('plain')).toEqual(['A', 'B9', 'Z', 'a', 'b10', 'z', 'ä'])
  expect(await sorted('people')).toEqual(['A', 'a', 'ä', 'B9', 'b10', 'Z', 'z'])
  expect(await sorted('people', 'desc')).toEqual(['z', 'Z', 'b10', 'B9', 'ä', 'a', 'A'])
  // Comparisons in filters go by code unit, whatever the collation.
  expect(await bucket.where({ people: { gte: 'a' } }).count()).toBe(4)
  expect(await bucket.where({ people: 'a' }).count()).toBe(1)
  expect((await bucket.where({ people: 'a', plain: { gte: '' } })).map(({ id }) => id)).toEqual(['a'])
})
