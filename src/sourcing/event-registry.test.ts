import { describe, expect, test } from 'vitest'
import { EventRegistry } from './event-registry.js'
import { EventSchema } from './event-schema.js'
import { virtualRuntime } from '../testing/runtime.js'

describe('definitions that are wrong are refused, and the message says what', () => {
  test.each<[string, unknown, string]>([
    ['', {}, 'its type has to have 1 to 200 characters'],
    ['x'.repeat(201), {}, 'its type has to have'],
    ['__proto__', {}, 'not be "__proto__"'],
    ['a*', {}, 'without "*"'],
    ['store/write', {}, 'store/ and varve/ are taken'],
    ['bucket/users', {}, 'those of sourced buckets'],
    ['a', null, 'expected an object'],
    ['a', { reducer: () => undefined }, 'unknown option "reducer"'],
    ['a', { reduce: 5 }, 'reduce: expected a function, got number 5'],
    ['a', { name: 5 }, 'name: expected a string'],
    ['a', { version: 0 }, 'version: expected a whole number from 1'],
    ['a', { version: 3, upcast: { 1: () => ({}) } }, 'the step from version 2 to 3 is missing'],
    ['a', { version: 2, upcast: { 1: 5 } }, 'upcast: step 1 is no function'],
    ['a', { version: 2, upcast: { 2: () => ({}) } }, '"2" is no version before 2'],
    ['a', { upcast: 5 }, 'upcast: expected an object'],
    ['a', { policy: { retries: -1 } }, 'policy: retries'],
    ['a', { policy: { backoffMs: Number.NaN } }, 'policy: backoffMs'],
    ['a', { policy: { onFailure: 'explode' } }, 'onFailure: expected "park", "skip" or "halt"'],
    ['a', { policy: { tries: 1 } }, 'unknown option "tries"'],
    ['a', { policy: 5 }, 'policy: expected an object'],
    ['a', { recordFailures: 1 }, 'recordFailures'],
    ['a', { schema: 5 }, 'schema: schema: expected an object of fields'],
    ['a', { schema: { x: { type: 'text' } } }, 'unknown type string "text"'],
    ['a', { schema: { x: { type: 'string', unique: true } } }, 'only for fields of buckets'],
    ['a', { schema: { x: { type: 'number', generated: 'autoincrement' } } }, 'only buckets have a counter'],
  ])('%s %o', (type, options, message) => {
    const registry = new EventRegistry()
    expect(() => registry.define(type, options as never)).toThrow(message)
    expect(registry.types).toEqual([])
  })

  test('a type is defined once, and extended only when it is there', () => {
    const registry = new EventRegistry()
    registry.define('a', {})
    expect(() => registry.define('a', {})).toThrow('it is defined already')
    expect(() => registry.extend('b', {})).toThrow('Event "b" is not defined')
    expect(() => registry.extend('a', { version: 2 } as never)).toThrow('unknown option "version"')
  })
})

test('data is brought forward step by step; what newer code has written is refused', () => {
  const registry = new EventRegistry()
  registry.define('a', {
    version: 3,
    upcast: {
      1: (data: object) => ({ ...data, two: 2 }),
      2: (data: object) => ({ ...data, three: 3 }),
    },
  })
  const type = registry.must('a')
  expect(registry.upcast(type, { one: 1 }, 1)).toEqual({ one: 1, two: 2, three: 3 })
  expect(registry.upcast(type, { one: 1 }, 2)).toEqual({ one: 1, three: 3 })
  expect(() => registry.upcast(type, {}, 4)).toThrow('version 4 was written by newer code')
})

test('handlers are called on the object that they were given in', () => {
  const registry = new EventRegistry()
  const handlers = {
    count: 0,
    reduce() {
      this.count++
    },
  }
  registry.define('a', {})
  const { count: _, ...known } = handlers
  registry.extend('a', Object.setPrototypeOf(known, handlers) as never)
  void registry.must('a').handlers[1]?.reduce?.({} as never, {} as never)
  expect((known as { count?: number }).count).toBe(1)
})

test('Standard Schema validators check single fields, or the whole', () => {
  const upper = {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) =>
        typeof value === 'string' ? { value: value.toUpperCase() } : { issues: [{ message: 'no text' }] },
    },
  }
  const whole = {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) =>
        'a' in (value as object) ? { value: { b: 1 } } : { issues: [{ message: 'no a', path: ['a'] }] },
    },
  }
  const runtime = virtualRuntime()
  expect(new EventSchema('t', { x: upper }).check({ x: 'a', y: 1 }, runtime)).toEqual({ x: 'A', y: 1 })
  expect(() => new EventSchema('t', { x: upper }).check({}, runtime)).toThrow('x: no text')
  expect(new EventSchema('t', whole).check({ a: 1 }, runtime)).toEqual({ b: 1 })
  expect(() => new EventSchema('t', whole).check({}, runtime)).toThrow('a: no a')
})
