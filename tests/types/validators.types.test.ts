import { type } from 'arktype'
import * as v from 'valibot'
import { expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { Store } from '../../src/core.js'
import type { BucketHandle, ChangesOf, InputOf, KeyOf, NumericField, RecordMeta, RecordOf } from '../../src/core.js'

type DefinitionOf<H> = H extends BucketHandle<infer D> ? D : never

test('fields given as validators: what comes in is their input, what is stored is their output', async () => {
  const store = await Store.start()
  const users = await store.defineBucket('users', {
    key: 'id',
    schema: {
      id: z.uuid().default(() => '9b2e7a1e-93bb-4e0c-a8a5-5b9c7d6b0a11'),
      name: z.string().min(1),
      age: v.optional(v.pipe(v.number(), v.integer())),
      role: type("'admin' | 'user'"),
      length: z.string().transform((text) => text.length),
      born: z.coerce.date<Date | string>(),
      tags: z.array(z.string()).default([]),
      point: z.tuple([z.number(), z.number()]).optional(),
      plain: { type: 'number', default: 1 },
    },
  })
  type D = DefinitionOf<typeof users>
  interface Fields {
    readonly id: string
    readonly name: string
    readonly age?: number | undefined
    readonly role: 'admin' | 'user'
    readonly length: number
    readonly born: string
    readonly tags: readonly string[]
    readonly point?: readonly [number, number] | undefined
    readonly plain: number
  }
  expectTypeOf<RecordOf<D>>().branded.toEqualTypeOf<Fields & RecordMeta>()
  expectTypeOf<KeyOf<D>>().toEqualTypeOf<string>()
  expectTypeOf<NumericField<RecordOf<D>>>().toEqualTypeOf<'age' | 'length' | 'plain' | keyof RecordMeta>()
  expectTypeOf<{ name: string; role: 'user'; length: string; born: Date }>().toExtend<InputOf<D>>()
  expectTypeOf<{ name: string; role: 'user'; length: number; born: Date }>().not.toExtend<InputOf<D>>()
  expectTypeOf<{ name: string; role: 'root'; length: string; born: Date }>().not.toExtend<InputOf<D>>()
  expectTypeOf<{ name: string; length: string; born: Date }>().not.toExtend<InputOf<D>>()
  expectTypeOf<keyof ChangesOf<D>>().toEqualTypeOf<Exclude<keyof Fields, 'id'>>()

  // What the types say is what is there.
  const record = await users.insert({ name: 'Ada', role: 'admin', length: 'four', born: new Date(0), point: [1, 2] })
  expectTypeOf(record.born).toEqualTypeOf<string>()
  expect(record).toMatchObject({ length: 4, born: '1970-01-01T00:00:00.000Z', tags: [], point: [1, 2], plain: 1 })
  await store.stop()
})

const zodUser = z.object({ id: z.string(), name: z.string(), nick: z.string().optional(), born: z.coerce.date() })
const valibotUser = v.object({ id: v.string(), n: v.optional(v.number(), 1) })
const arkUser = type({ id: 'number', 'name?': 'string', on: 'boolean = true' })

test('one validator for the whole record', () => {
  type Zod = { readonly key: 'id'; readonly schema: typeof zodUser }
  expectTypeOf<RecordOf<Zod>>().branded.toEqualTypeOf<
    {
      readonly id: string
      readonly name: string
      readonly nick?: string | undefined
      readonly born: string
    } & RecordMeta
  >()
  expectTypeOf<KeyOf<Zod>>().toEqualTypeOf<string>()
  expectTypeOf<keyof ChangesOf<Zod>>().toEqualTypeOf<'name' | 'nick' | 'born'>()
  type Valibot = { readonly key: 'id'; readonly schema: typeof valibotUser }
  expectTypeOf<RecordOf<Valibot>['n']>().toEqualTypeOf<number>()
  expectTypeOf<{ id: string }>().toExtend<InputOf<Valibot>>()
  expectTypeOf<{ n: number }>().not.toExtend<InputOf<Valibot>>()
  type Ark = { readonly key: 'id'; readonly schema: typeof arkUser }
  expectTypeOf<KeyOf<Ark>>().toEqualTypeOf<number>()
  expectTypeOf<RecordOf<Ark>['on']>().toEqualTypeOf<boolean>()
  expectTypeOf<RecordOf<Ark>['name']>().toEqualTypeOf<string | undefined>()
  expectTypeOf<{ id: number }>().toExtend<InputOf<Ark>>()
})

test('a validator of several kinds of records keeps them apart', () => {
  const shape = z.discriminatedUnion('kind', [
    z.object({ id: z.string(), kind: z.literal('circle'), radius: z.number() }),
    z.object({ id: z.string(), kind: z.literal('square'), side: z.number() }),
  ])
  type Shape = RecordOf<{ readonly key: 'id'; readonly schema: typeof shape }>
  const area = (record: Shape): number => (record.kind === 'circle' ? record.radius ** 2 * Math.PI : record.side ** 2)
  expectTypeOf(area).returns.toEqualTypeOf<number>()
  expectTypeOf<NumericField<Shape>>().toEqualTypeOf<'radius' | 'side' | keyof RecordMeta>()
  // @ts-expect-error a circle has no side
  const side = (record: Shape) => (record.kind === 'circle' ? record.side : 0)
  expectTypeOf(side).toBeFunction()
})

test('branded values stay branded', () => {
  const branded = z.object({ id: z.string().brand<'UserId'>() })
  type UserId = z.infer<typeof branded>['id']
  type D = { readonly key: 'id'; readonly schema: typeof branded }
  expectTypeOf<RecordOf<D>['id']>().toEqualTypeOf<UserId>()
  expectTypeOf<KeyOf<D>>().toEqualTypeOf<UserId>()
  expectTypeOf<string>().not.toExtend<KeyOf<D>>()
})

test('the key has to be a field of what the validator puts out', () => {
  const define = async (store: Store) => {
    await store.defineBucket('users', { key: 'id', schema: zodUser })
    // @ts-expect-error the validator has no such field
    await store.defineBucket('users', { key: 'uuid', schema: zodUser })
  }
  expectTypeOf(define).toBeFunction()
})
