import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { BucketDefinition } from '../../src/index.js'
import { openBucket, rejection } from './opened.js'

const FIELDS: [string, BucketDefinition][] = [
  [
    'zod',
    {
      key: 'id',
      schema: { id: { type: 'string' }, age: z.number().int().min(0), tags: z.array(z.string()).optional() },
    },
  ],
  [
    'valibot',
    {
      key: 'id',
      schema: {
        id: { type: 'string' },
        age: v.pipe(v.number(), v.integer(), v.minValue(0)),
        tags: v.optional(v.array(v.string())),
      },
    },
  ],
  [
    'arktype',
    {
      key: 'id',
      schema: { id: { type: 'string' }, age: type('number.integer >= 0'), tags: type('string[] | undefined') },
    },
  ],
]

describe.each(FIELDS)('a field of %s', (_, definition) => {
  test('is checked on insert and update, and its issues have the path', async () => {
    const { bucket } = await openBucket(definition)
    expect(await bucket.insert({ id: 'a', age: 5, tags: ['x'] })).toMatchObject({ age: 5, tags: ['x'], _version: 1 })
    const error = await rejection(bucket.insert({ id: 'b', age: -1, tags: [1] }))
    expect(error.name).toBe('ValidationError')
    expect((error.issues as { field: string; code: string }[]).map(({ field, code }) => [field, code])).toEqual([
      ['age', 'schema'],
      ['tags[0]', 'schema'],
    ])
    expect((await rejection(bucket.insert({ id: 'b' }))).name).toBe('ValidationError')
    expect((await rejection(bucket.update('a', { age: 1.5 }))).name).toBe('ValidationError')
    expect(await bucket.update('a', { age: 6 })).toMatchObject({ age: 6, tags: ['x'], _version: 2 })
    expect(Object.isFrozen((await bucket.get('a'))?.tags)).toBe(true)
  })
})

const WHOLE: [string, BucketDefinition][] = [
  [
    'zod',
    {
      key: 'id',
      schema: z.object({ id: z.string(), name: z.string().min(2), role: z.enum(['admin', 'user']).default('user') }),
    },
  ],
  [
    'valibot',
    {
      key: 'id',
      schema: v.object({
        id: v.string(),
        name: v.pipe(v.string(), v.minLength(2)),
        role: v.optional(v.picklist(['admin', 'user']), 'user'),
      }),
    },
  ],
  ['arktype', { key: 'id', schema: type({ id: 'string', name: 'string >= 2', role: "'admin' | 'user' = 'user'" }) }],
]

describe.each(WHOLE)('a whole bucket of %s', (_, definition) => {
  test('is checked and filled in', async () => {
    const { bucket } = await openBucket({ ...definition, indexes: ['role'] })
    expect(await bucket.insert({ id: 'a', name: 'Ada' })).toMatchObject({
      id: 'a',
      name: 'Ada',
      role: 'user',
      _version: 1,
    })
    const error = await rejection(bucket.insert({ id: 'b', name: 'x', role: 'boss' }))
    expect((error.issues as { field: string }[]).map(({ field }) => field).sort()).toEqual(['name', 'role'])
    expect(await bucket.update('a', { role: 'admin', id: 'other' })).toMatchObject({
      id: 'a',
      role: 'admin',
      _version: 2,
    })
    expect(await bucket.where({ role: 'admin' })).toHaveLength(1)
    expect((await rejection(bucket.update('a', { name: '' }))).name).toBe('ValidationError')
    expect((await rejection(bucket.insert({ name: 'No key' }))).name).toBe('ValidationError')
    expect((await rejection(bucket.insert({ id: 'a', name: 'Again' }))).name).toBe('DuplicateKeyError')
  })

  test('goes through export and import', async () => {
    const { store, bucket } = await openBucket(definition)
    await bucket.insert({ id: 'a', name: 'Ada' })
    const lines: string[] = []
    for await (const line of store.export()) lines.push(line)
    const copy = await openBucket(definition)
    await copy.store.import(lines)
    expect(await copy.bucket.all()).toEqual(await bucket.all())
  })
})

test('a transformed value is stored as it comes out, and survives updates of other fields and an import', async () => {
  const definition: BucketDefinition = {
    key: 'id',
    schema: { id: { type: 'string' }, length: z.string().transform((text) => text.length), n: { type: 'number' } },
  }
  const { store, bucket } = await openBucket(definition)
  expect(await bucket.insert({ id: 'a', length: 'four' })).toMatchObject({ length: 4 })
  expect(await bucket.update('a', { n: 1 })).toMatchObject({ length: 4, n: 1 })
  expect(await bucket.update('a', { length: 'three' })).toMatchObject({ length: 5 })
  const lines: string[] = []
  for await (const line of store.export()) lines.push(line)
  const copy = await openBucket(definition)
  await copy.store.import(lines)
  expect(await copy.bucket.all()).toEqual(await bucket.all())
})

test('a validator that throws refuses the record; one that answers later refuses it too; the bucket goes on', async () => {
  const standard = (validate: (value: unknown) => unknown) =>
    ({ '~standard': { version: 1, vendor: 'test', validate } }) as never
  const { store, bucket } = await openBucket({
    key: 'id',
    schema: {
      id: { type: 'string' },
      bad: standard((value) => {
        if (value === 'boom') throw new Error('boom')
        return value === 'later' ? Promise.resolve({ value }) : { value }
      }),
    },
  })
  expect((await rejection(bucket.insert({ id: 'a', bad: 'boom' }))).message).toContain(
    'bad: The validator failed: boom',
  )
  expect((await rejection(bucket.insert({ id: 'a', bad: 'later' }))).message).toContain(
    'only synchronous ones can be used',
  )
  expect((await rejection(bucket.insert({ id: 'a', bad: { f: () => 1 } }))).name).toBe('ValidationError')
  await bucket.insert({ id: 'a', bad: 'fine' })
  expect(store.supervision().children?.every(({ restarts }) => restarts === 0)).toBe(true)
})
