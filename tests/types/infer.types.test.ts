import { expectTypeOf, test } from 'vitest'
import type {
  BucketDefinition,
  ChangesOf,
  FilterOf,
  InputOf,
  Key,
  KeyOf,
  NumericField,
  RecordMeta,
  RecordOf,
  StoreRecord,
} from '../../src/core.js'

const users = {
  key: 'id',
  schema: {
    id: { type: 'string', generated: 'uuid' },
    name: { type: 'string', required: true },
    email: { type: 'string' },
    age: { type: 'number' },
    score: { type: 'number', default: 0 },
    role: { type: 'string', enum: ['admin', 'user'], default: 'user' },
    plan: { type: 'string', enum: ['free', 'paid'] },
    born: { type: 'date' },
    joined: { type: 'date', generated: 'timestamp' },
    active: { type: 'boolean', default: () => true },
    note: { type: 'string', default: null },
    tags: { type: 'array', default: [], items: { type: 'string' } },
    address: {
      type: 'object',
      properties: { city: { type: 'string', required: true }, zip: { type: 'string' } },
    },
    visits: {
      type: 'array',
      items: { type: 'object', properties: { at: { type: 'date', required: true }, pages: { type: 'number' } } },
    },
    anything: { type: 'object' },
    list: { type: 'array' },
  },
} as const satisfies BucketDefinition

type Users = typeof users

interface Address {
  readonly city: string
  readonly zip?: string | undefined
}

interface UserFields {
  readonly id: string
  readonly name: string
  readonly email?: string | undefined
  readonly age?: number | undefined
  readonly score: number
  readonly role: 'admin' | 'user'
  readonly plan?: 'free' | 'paid' | undefined
  readonly born?: string | number | undefined
  readonly joined: string | number
  readonly active: boolean
  readonly note: string | null
  readonly tags: readonly string[]
  readonly address?: Address | undefined
  readonly visits?: readonly { readonly at: string | number; readonly pages?: number | undefined }[] | undefined
  readonly anything?: { readonly [field: string]: unknown } | undefined
  readonly list?: readonly unknown[] | undefined
}

test('a record has what is required, generated, has a default or is the key; the rest may be undefined', () => {
  expectTypeOf<RecordOf<Users>>().branded.toEqualTypeOf<UserFields & RecordMeta>()
  expectTypeOf<RecordOf<Users>['_version']>().toEqualTypeOf<number>()
  expectTypeOf<RecordOf<Users>['_expiresAt']>().toEqualTypeOf<number | undefined>()
  expectTypeOf<keyof RecordOf<Users>>().toEqualTypeOf<keyof UserFields | keyof RecordMeta>()
})

test('a record is frozen in types too', () => {
  const change = (record: RecordOf<Users>): void => {
    // @ts-expect-error a field of a record cannot be assigned
    record.name = 'x'
    // @ts-expect-error nor can an item of an array in it
    record.tags[0] = 'x'
    // @ts-expect-error nor can a field of an object in it
    if (record.address) record.address.city = 'x'
    // @ts-expect-error there is no such field
    void record.nmae
  }
  expectTypeOf(change).toBeFunction()
})

test('an insert needs what is required, and can leave out what the store fills in', () => {
  expectTypeOf<{ name: string }>().toExtend<InputOf<Users>>()
  expectTypeOf<{ name: string; born: Date; visits: { at: Date }[] }>().toExtend<InputOf<Users>>()
  expectTypeOf<{ name: string; id: string; joined: number; _expiresAt: number }>().toExtend<InputOf<Users>>()
  expectTypeOf<{ name: string; email: undefined; score: undefined }>().toExtend<InputOf<Users>>()
  expectTypeOf<{ name: string; note: null }>().toExtend<InputOf<Users>>()
  expectTypeOf<{ email: string }>().not.toExtend<InputOf<Users>>()
  expectTypeOf<{ name: undefined }>().not.toExtend<InputOf<Users>>()
  expectTypeOf<{ name: string; role: 'root' }>().not.toExtend<InputOf<Users>>()
  expectTypeOf<{ name: string; tags: number[] }>().not.toExtend<InputOf<Users>>()
  expectTypeOf<{ name: string; address: { zip: string } }>().not.toExtend<InputOf<Users>>()
  expectTypeOf<{ name: string; age: string }>().not.toExtend<InputOf<Users>>()
  // @ts-expect-error a field that the schema does not name is a typing error in a literal
  const extra: InputOf<Users> = { name: 'x', nmae: 'x' }
  // @ts-expect-error the store keeps the version
  const version: InputOf<Users> = { name: 'x', _version: 1 }
  expectTypeOf([extra, version]).toBeArray()
})

test('a key that nothing fills in has to be given', () => {
  type Products = {
    readonly key: 'sku'
    readonly schema: { readonly sku: { readonly type: 'string' }; readonly price: { readonly type: 'number' } }
  }
  expectTypeOf<{ sku: string }>().toExtend<InputOf<Products>>()
  expectTypeOf<{ price: number }>().not.toExtend<InputOf<Products>>()
  expectTypeOf<RecordOf<Products>['sku']>().toEqualTypeOf<string>()
})

test('an update cannot name the key, generated fields or metadata, and removes only what a record can be without', () => {
  expectTypeOf<keyof ChangesOf<Users>>().toEqualTypeOf<Exclude<keyof UserFields, 'id' | 'joined'>>()
  expectTypeOf<{ email: undefined; born: Date }>().toExtend<ChangesOf<Users>>()
  expectTypeOf<{ address: { city: string } }>().toExtend<ChangesOf<Users>>()
  expectTypeOf<Record<never, never>>().toExtend<ChangesOf<Users>>()
  expectTypeOf<{ name: undefined }>().not.toExtend<ChangesOf<Users>>()
  expectTypeOf<{ score: undefined }>().not.toExtend<ChangesOf<Users>>()
  expectTypeOf<{ address: { zip: string } }>().not.toExtend<ChangesOf<Users>>()
})

test('a key has the type of its field', () => {
  type Numbered = {
    readonly key: 'n'
    readonly schema: { readonly n: { readonly type: 'number'; readonly generated: 'autoincrement' } }
  }
  type Flag = { readonly key: 'on'; readonly schema: { readonly on: { readonly type: 'boolean' } } }
  type Level = {
    readonly key: 'l'
    readonly schema: { readonly l: { readonly type: 'string'; readonly enum: readonly ['a', 'b'] } }
  }
  expectTypeOf<KeyOf<Users>>().toEqualTypeOf<string>()
  expectTypeOf<KeyOf<Numbered>>().toEqualTypeOf<number>()
  expectTypeOf<KeyOf<Flag>>().toEqualTypeOf<boolean>()
  expectTypeOf<KeyOf<Level>>().toEqualTypeOf<'a' | 'b'>()
  expectTypeOf<KeyOf<Users>>().toExtend<Key>()
})

test('a filter knows the fields and what they hold; null stands for missing; undefined is refused', () => {
  type Filter = FilterOf<RecordOf<Users>>
  expectTypeOf<{ name: string; role: 'admin'; _version: number }>().toExtend<Filter>()
  expectTypeOf<{ email: null; address: null; list: null }>().toExtend<Filter>()
  expectTypeOf<{ born: Date }>().toExtend<Filter>()
  expectTypeOf<{ name: Date }>().not.toExtend<Filter>()
  expectTypeOf<{ age: string }>().not.toExtend<Filter>()
  expectTypeOf<{ role: 'root' }>().not.toExtend<Filter>()
  expectTypeOf<{ address: { city: string } }>().not.toExtend<Filter>()
  expectTypeOf<{ tags: string[] }>().not.toExtend<Filter>()
  expectTypeOf<{ name: undefined }>().not.toExtend<Filter>()
  // @ts-expect-error there is no such field
  const filter: Filter = { nmae: 'x' }
  expectTypeOf(filter).toExtend<Filter>()
})

test('aggregates take fields that hold numbers', () => {
  expectTypeOf<NumericField<RecordOf<Users>>>().toEqualTypeOf<'age' | 'score' | 'born' | 'joined' | keyof RecordMeta>()
})

test('a definition whose literals are not known gives untyped records', () => {
  expectTypeOf<RecordOf<BucketDefinition>>().toEqualTypeOf<StoreRecord>()
  expectTypeOf<RecordOf<unknown>>().toEqualTypeOf<StoreRecord>()
  expectTypeOf<KeyOf<BucketDefinition>>().toEqualTypeOf<unknown>()
  expectTypeOf<StoreRecord['name']>().toEqualTypeOf<unknown>()
  expectTypeOf<StoreRecord['_version']>().toEqualTypeOf<number>()
  expectTypeOf<{ any: { thing: 1 } }>().toExtend<InputOf<BucketDefinition>>()
  expectTypeOf<UserFields>().toExtend<InputOf<BucketDefinition>>()
  expectTypeOf<string>().not.toExtend<InputOf<BucketDefinition>>()
  expectTypeOf<{ name: string; at: Date; gone: null }>().toExtend<FilterOf<StoreRecord>>()
  expectTypeOf<{ name: undefined }>().not.toExtend<FilterOf<StoreRecord>>()
  expectTypeOf<{ name: { gt: 1 }; not: { a: { in: [1, null] } } }>().toExtend<FilterOf<StoreRecord>>()
  expectTypeOf<{ name: () => 1 }>().not.toExtend<FilterOf<StoreRecord>>()
  expectTypeOf<NumericField<StoreRecord>>().toEqualTypeOf<string>()
})

test('a definition checked with satisfies, without as const, is typed as far as its literals are kept', () => {
  const loose = {
    key: 'id',
    schema: { id: { type: 'string' }, n: { type: 'number', required: true }, tag: { type: 'string' } },
  } satisfies BucketDefinition
  type Loose = typeof loose
  expectTypeOf<RecordOf<Loose>['n']>().toEqualTypeOf<number>()
  expectTypeOf<RecordOf<Loose>['tag']>().toEqualTypeOf<string | undefined>()
  expectTypeOf<KeyOf<Loose>>().toEqualTypeOf<Key>()
})

test('a record is assignable to an untyped one', () => {
  expectTypeOf<RecordOf<Users>>().toExtend<StoreRecord>()
})
