import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Key } from '../base/value.js'
import type { BucketDefinition, RecordMeta } from './definition.js'

/** A record whose schema is not known to the compiler. */
export type StoreRecord = { readonly [field: string]: unknown } & RecordMeta

type Flat<T> = { [K in keyof T]: T[K] } & {}
type Scalar<T extends string> = T extends 'string'
  ? string
  : T extends 'number'
    ? number
    : T extends 'boolean'
      ? boolean
      : T extends 'date'
        ? string | number
        : never

type DeepReadonly<T> = T extends (...args: never[]) => unknown
  ? T
  : T extends readonly (infer I)[]
    ? readonly DeepReadonly<I>[]
    : T extends object
      ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
      : T

/** What a stored field holds when it is there. */
export type FieldValue<F> = F extends StandardSchemaV1
  ? DeepReadonly<StandardSchemaV1.InferOutput<F>>
  : F extends { readonly enum: readonly (infer E)[] }
    ? E
    : F extends { readonly type: 'object'; readonly properties: infer P }
      ? Stored<P, never>
      : F extends { readonly type: 'object' }
        ? { readonly [field: string]: unknown }
        : F extends { readonly type: 'array'; readonly items: infer I }
          ? readonly FieldValue<I>[]
          : F extends { readonly type: 'array' }
            ? readonly unknown[]
            : F extends { readonly type: infer T extends string }
              ? Scalar<T>
              : unknown

/** What can be given for a field: as it is stored, and a `Date` where it holds dates. */
export type FieldInput<F> = F extends StandardSchemaV1
  ? StandardSchemaV1.InferInput<F>
  : F extends { readonly enum: readonly (infer E)[] }
    ? E
    : F extends { readonly type: 'date' }
      ? string | number | Date
      : F extends { readonly type: 'object'; readonly properties: infer P }
        ? Input<P, never>
        : F extends { readonly type: 'object' }
          ? object
          : F extends { readonly type: 'array'; readonly items: infer I }
            ? readonly FieldInput<I>[]
            : FieldValue<F>

type IsPresent<F> = F extends StandardSchemaV1
  ? undefined extends StandardSchemaV1.InferOutput<F>
    ? false
    : true
  : F extends { readonly required: true }
    ? true
    : F extends { readonly generated: string }
      ? true
      : F extends { readonly default: infer D }
        ? undefined extends D
          ? false
          : true
        : false

type IsNeeded<F> = F extends StandardSchemaV1
  ? undefined extends StandardSchemaV1.InferInput<F>
    ? false
    : true
  : F extends { readonly generated: string }
    ? false
    : F extends { readonly default: infer D }
      ? undefined extends D
        ? F extends { readonly required: true }
          ? true
          : false
        : false
      : F extends { readonly required: true }
        ? true
        : false

type PresentNames<S, K> = { [N in keyof S]: N extends K ? N : IsPresent<S[N]> extends true ? N : never }[keyof S]
type NeededNames<S, K> = {
  [N in keyof S]: N extends K ? (S[N] extends { generated: string } | { default: unknown } ? never : N) : IsNeeded<S[N]> extends true ? N : never
}[keyof S]

type Stored<S, K> = Flat<
  { readonly [N in PresentNames<S, K>]: FieldValue<S[N]> } & {
    readonly [N in Exclude<keyof S, PresentNames<S, K>>]?: FieldValue<S[N]> | undefined
  }
>

type Input<S, K> = Flat<
  { readonly [N in NeededNames<S, K>]: FieldInput<S[N]> } & {
    readonly [N in Exclude<keyof S, NeededNames<S, K>>]?: FieldInput<S[N]> | undefined
  }
>

type IsWide<S> = string extends keyof S ? true : false

/** What `get` returns for a bucket defined by `D`: its fields, and the metadata. */
export type RecordOf<D> = BucketDefinition extends D
  ? StoreRecord
  : D extends { readonly schema: infer S; readonly key: infer K }
  ? S extends StandardSchemaV1
    ? DeepReadonly<StandardSchemaV1.InferOutput<S>> & RecordMeta
    : IsWide<S> extends true
      ? StoreRecord
      : Flat<Stored<S, K> & RecordMeta>
  : StoreRecord

/** What `insert` takes for a bucket defined by `D`. `_expiresAt` overrides the bucket's `ttl`. */
export type InputOf<D> = BucketDefinition extends D
  ? { readonly [field: string]: unknown }
  : D extends { readonly schema: infer S; readonly key: infer K }
  ? S extends StandardSchemaV1
    ? StandardSchemaV1.InferInput<S> & { readonly _expiresAt?: number }
    : IsWide<S> extends true
      ? { readonly [field: string]: unknown }
      : Flat<Input<S, K> & { readonly _expiresAt?: number }>
  : { readonly [field: string]: unknown }

type Fixed<S, K> = K | { [N in keyof S]: S[N] extends { readonly generated: string } ? N : never }[keyof S]

/** What `update` takes for a bucket defined by `D`: any fields but the key and generated ones; `undefined` removes. */
export type ChangesOf<D> = BucketDefinition extends D
  ? { readonly [field: string]: unknown }
  : D extends { readonly schema: infer S; readonly key: infer K }
  ? S extends StandardSchemaV1
    ? Partial<StandardSchemaV1.InferInput<S>>
    : IsWide<S> extends true
      ? { readonly [field: string]: unknown }
      : Flat<{ readonly [N in Exclude<keyof S, Fixed<S, K>>]?: FieldInput<S[N]> | undefined }>
  : { readonly [field: string]: unknown }

/** The key of a bucket defined by `D`. */
export type KeyOf<D> = BucketDefinition extends D
  ? unknown
  : D extends { readonly schema: infer S; readonly key: infer K extends string }
  ? S extends StandardSchemaV1
    ? Key
    : IsWide<S> extends true
      ? unknown
      : K extends keyof S
        ? FieldValue<S[K]> & Key
        : Key
  : unknown

/** Equality on fields; all have to hold. `null` matches null and missing. A `Date` stands for its ISO string. */
export type FilterOf<R> = string extends keyof R
  ? { readonly [field: string]: FilterValue<unknown> }
  : { readonly [N in keyof R]?: FilterValue<NonNullable<R[N]>> }

type FilterValue<V> = unknown extends V
  ? string | number | boolean | Date | null
  : Extract<V, string | number | boolean> | (string extends V ? Date : never) | null

/** Names of the fields that hold numbers. */
export type NumericField<R> = string extends keyof R
  ? string
  : { [N in keyof R]-?: number extends Extract<R[N], number> ? N : Extract<R[N], number> extends never ? never : N }[keyof R] & string

