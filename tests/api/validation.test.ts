import { describe, expect, test } from 'vitest'
import { ValidationError } from '../../src/index.js'
import type { FieldDefinition } from '../../src/index.js'
import { openBucket, rejection } from './opened.js'

/** The issues with `value` in a field that is defined as `field`. */
async function issuesOf(field: FieldDefinition, value: unknown): Promise<unknown> {
  const { bucket } = await openBucket({ key: 'id', schema: { id: { type: 'string' }, f: field } })
  try {
    await bucket.insert({ id: 'a', f: value })
    return []
  } catch (error) {
    return (error as ValidationError).issues.map(({ code, message }) => `${code}: ${message}`)
  }
}

describe('types', () => {
  test.each<[FieldDefinition['type'], unknown, string]>([
    ['string', 5, 'number'],
    ['string', true, 'boolean'],
    ['string', {}, 'object'],
    ['string', [], 'array'],
    ['string', new Date(0), 'date'],
    ['string', () => 1, 'function'],
    ['string', Symbol('x'), 'symbol'],
    ['string', 5n, 'bigint'],
    ['number', '5', 'string'],
    ['number', Number.NaN, 'number'],
    ['number', new Date(0), 'date'],
    ['number', 5n, 'bigint'],
    ['boolean', 1, 'number'],
    ['boolean', 'true', 'string'],
    ['object', [], 'array'],
    ['object', 'x', 'string'],
    ['object', () => 1, 'function'],
    ['array', {}, 'object'],
    ['array', 'x', 'string'],
    ['array', new Date(0), 'date'],
    ['date', true, 'boolean'],
    ['date', {}, 'object'],
    ['date', [], 'array'],
    ['date', Number.NaN, 'number'],
    ['date', new Date(Number.NaN), 'date'],
  ])('a %s field refuses %s', async (type, value, given) => {
    expect(await issuesOf({ type }, value)).toEqual([`type: Expected type "${type}", got ${given}`])
  })

  test.each<[FieldDefinition['type'], unknown]>([
    ['string', ''],
    ['number', 0],
    ['number', -1.5],
    ['number', Number.POSITIVE_INFINITY],
    ['number', Number.NEGATIVE_INFINITY],
    ['boolean', false],
    ['object', {}],
    ['object', { a: { b: [1, null] } }],
    ['array', []],
    ['array', [1, 'x', null]],
    ['date', 'any string'],
    ['date', 0],
    ['date', '2024-01-01'],
  ])('a %s field takes %j as it is', async (type, value) => {
    const { bucket } = await openBucket({ key: 'id', schema: { id: { type: 'string' }, f: { type } } })
    expect((await bucket.insert({ id: 'a', f: value })).f).toEqual(value)
  })

  test('a Date in a date field is stored as its ISO string', async () => {
    const { bucket } = await openBucket({ key: 'id', schema: { id: { type: 'string' }, at: { type: 'date' } } })
    expect((await bucket.insert({ id: 'a', at: new Date(0) })).at).toBe('1970-01-01T00:00:00.000Z')
    expect(await bucket.where({ at: new Date(0) })).toHaveLength(1)
  })

  test('null and undefined fit every field that is not required', async () => {
    expect(await issuesOf({ type: 'string', minLength: 3 }, null)).toEqual([])
    expect(await issuesOf({ type: 'number', min: 3 }, undefined)).toEqual([])
  })
})

describe('constraints', () => {
  test.each<[FieldDefinition, unknown, string[]]>([
    [{ type: 'string', required: true }, undefined, ['required: Field is required']],
    [{ type: 'string', required: true }, null, ['required: Field is required']],
    [{ type: 'string', required: true, minLength: 2 }, null, ['required: Field is required']],
    [{ type: 'string', required: true }, '', []],
    [{ type: 'string', required: true, minLength: 2 }, 5, ['type: Expected type "string", got number']],
    [{ type: 'string', enum: ['a', 'b'] }, 'c', ['enum: Value must be one of: a, b']],
    [{ type: 'number', enum: [1, 2] }, 2, []],
    [{ type: 'string', minLength: 2 }, 'x', ['minLength: Minimum length is 2']],
    [{ type: 'string', minLength: 2 }, 'xy', []],
    [{ type: 'string', maxLength: 2 }, 'xyz', ['maxLength: Maximum length is 2']],
    [{ type: 'string', pattern: '^[A-Z]+$' }, 'x', ['pattern: Value must match pattern "^[A-Z]+$"']],
    [{ type: 'string', pattern: 'b' }, 'abc', []],
    [{ type: 'string', format: 'email' }, 'x', ['format: Invalid email format']],
    [{ type: 'string', format: 'url' }, 'x', ['format: Invalid url format']],
    [{ type: 'string', format: 'iso-date' }, 'x', ['format: Invalid iso-date format']],
    [{ type: 'number', min: 1 }, 0, ['min: Minimum value is 1']],
    [{ type: 'number', min: 1 }, 1, []],
    [{ type: 'number', max: 1 }, 2, ['max: Maximum value is 1']],
    [{ type: 'number', max: 1 }, 1, []],
    [
      { type: 'string', enum: ['Q'], minLength: 5, maxLength: 2, pattern: '^z', format: 'email' },
      'abc',
      ['definition'],
    ],
  ])('%j given %j: %j', async (field, value, expected) => {
    if (expected[0] === 'definition') {
      await expect(issuesOf(field, value)).rejects.toThrow('minLength 5 is greater than maxLength 2')
    } else expect(await issuesOf(field, value)).toEqual(expected)
  })

  test('all issues of a field come, in the order enum, minLength, pattern, format', async () => {
    const field: FieldDefinition = {
      type: 'string',
      enum: ['abcd'],
      minLength: 4,
      maxLength: 9,
      pattern: '^z',
      format: 'email',
    }
    expect(await issuesOf(field, 'abc')).toEqual([
      'enum: Value must be one of: abcd',
      'minLength: Minimum length is 4',
      'pattern: Value must match pattern "^z"',
      'format: Invalid email format',
    ])
    expect(await issuesOf({ type: 'number', enum: [5], min: 2, max: 9 }, 1)).toEqual([
      'enum: Value must be one of: 5',
      'min: Minimum value is 2',
    ])
  })
})

describe('the error', () => {
  const SCHEMA = {
    key: 'id',
    schema: {
      id: { type: 'string', required: true },
      name: { type: 'string', required: true, minLength: 2 },
      age: { type: 'number', min: 0 },
      at: { type: 'date' },
    },
  } as const

  test('names everything that is wrong, in the order of the schema', async () => {
    const { bucket } = await openBucket(SCHEMA)
    const error = await rejection(bucket.insert({ at: new Date(Number.NaN), age: -1, id: 'a', name: 'x' }))
    expect(error).toBeInstanceOf(ValidationError)
    expect(error.name).toBe('ValidationError')
    expect(error.message).toBe(
      'Validation failed for bucket "b": name: Minimum length is 2; age: Minimum value is 0; at: Expected type "date", got date',
    )
    expect(error.issues).toEqual([
      { field: 'name', message: 'Minimum length is 2', code: 'minLength' },
      { field: 'age', message: 'Minimum value is 0', code: 'min' },
      { field: 'at', message: 'Expected type "date", got date', code: 'type' },
    ])
  })

  test('keeps that order when some values cannot even be copied', async () => {
    const { bucket } = await openBucket(SCHEMA)
    const error = await rejection(bucket.insert({ other: () => 1, at: true, age: 5n, name: undefined }))
    expect((error.issues as { field: string }[]).map(({ field }) => field)).toEqual([
      'id',
      'name',
      'age',
      'at',
      'other',
    ])
  })

  test('of an update is the same', async () => {
    const { bucket } = await openBucket(SCHEMA)
    await bucket.insert({ id: 'a', name: 'xx' })
    const error = await rejection(bucket.update('a', { age: 'x', name: '' }))
    expect((error.issues as { field: string; code: string }[]).map(({ field, code }) => `${field} ${code}`)).toEqual([
      'name minLength',
      'age type',
    ])
  })
})

describe('nested', () => {
  const NESTED = {
    key: 'id',
    schema: {
      id: { type: 'string' },
      address: {
        type: 'object',
        properties: {
          city: { type: 'string', required: true, minLength: 2 },
          country: { type: 'string', default: 'CZ' },
          geo: { type: 'object', properties: { lat: { type: 'number', min: -90 } } },
        },
      },
      tags: { type: 'array', items: { type: 'string', maxLength: 3 }, minLength: 1 },
    },
  } as const

  test('properties and items are checked, with the path in the issue', async () => {
    const { bucket } = await openBucket(NESTED)
    const error = await rejection(bucket.insert({ id: 'a', address: { geo: { lat: -100 } }, tags: ['ok', 5, 'long'] }))
    expect(error.issues).toEqual([
      { field: 'address.city', message: 'Field is required', code: 'required' },
      { field: 'address.geo.lat', message: 'Minimum value is -90', code: 'min' },
      { field: 'tags[1]', message: 'Expected type "string", got number', code: 'type' },
      { field: 'tags[2]', message: 'Maximum length is 3', code: 'maxLength' },
    ])
    expect((await rejection(bucket.insert({ id: 'a', tags: [] }))).issues).toEqual([
      { field: 'tags', message: 'Minimum length is 1', code: 'minLength' },
    ])
  })

  test('defaults of properties are filled in; properties that are not named are kept', async () => {
    const { bucket } = await openBucket(NESTED)
    const { address } = await bucket.insert({ id: 'a', address: { city: 'Brno', zip: '60200' } })
    expect(address).toEqual({ city: 'Brno', country: 'CZ', zip: '60200' })
  })
})
