import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Key } from '../base/value.js'
import type { FieldPath, PathValue } from './field-path.js'
import type { BucketDefinition, FieldDefinition, RecordMeta } from './definition.js'

/** A record whose schema is not known to the compiler. */
export type StoreRecord = { readonly [field: string]: unknown } & RecordMeta

/**
 * The definition of any bucket: a handle of a typed one can be passed where `BucketHandle` is expected. With `unknown` it
 * could not, because what a handle takes and what it gives vary in opposite directions.
 */
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyDefinition = any

/**
 * What `get` returns for a bucket defined by `D`: its fields, and the metadata. A field is always there when it is
 * required, generated, has a default or is the key; the others are `undefined` where they are missing.
 */
export type RecordOf<D> = BucketDefinition extends D
  ? StoreRecord
  : D extends { readonly schema: infer S; readonly key: infer K }
    ? S extends StandardSchemaV1
      ? WholeRecord<StandardSchemaV1.InferOutput<S>>
      : IsWide<S> extends true
        ? StoreRecord
        : Flat<Stored<S, Narrow<K>> & RecordMeta>
    : StoreRecord

/** What `insert` takes for a bucket defined by `D`. `_expiresAt` overrides the bucket's `ttl`. */
export type InputOf<D> = BucketDefinition extends D
  ? object
  : D extends { readonly schema: infer S; readonly key: infer K }
    ? S extends StandardSchemaV1
      ? WholeInput<StandardSchemaV1.InferInput<S>>
      : IsWide<S> extends true
        ? object
        : Flat<Input<S, Narrow<K>> & Expiry>
    : object

/**
 * What `update` takes for a bucket defined by `D`: any fields but the key and generated ones. `undefined` removes a
 * field, so it is allowed for those that a record can be without.
 */
export type ChangesOf<D> = BucketDefinition extends D
  ? object
  : D extends { readonly schema: infer S; readonly key: infer K }
    ? S extends StandardSchemaV1
      ? WholeChanges<StandardSchemaV1.InferInput<S>, Narrow<K>>
      : IsWide<S> extends true
        ? object
        : Flat<{ readonly [N in Exclude<keyof S, Fixed<S, Narrow<K>>>]?: Change<S[N]> }>
    : object

/** Data that fits a schema, as it is stored: what an event carries. */
export type DataOf<S> = unknown extends S
  ? { readonly [field: string]: unknown }
  : S extends StandardSchemaV1
    ? WholeData<StoredValue<StandardSchemaV1.InferOutput<S>>>
    : IsWide<S> extends true
      ? { readonly [field: string]: unknown }
      : Stored<S, never>

/** What can be given where data of a schema is wanted. */
export type DataInputOf<S> = unknown extends S
  ? object
  : S extends StandardSchemaV1
    ? WholeData<StandardSchemaV1.InferInput<S>>
    : IsWide<S> extends true
      ? object
      : Input<S, never>

/** The key of a bucket defined by `D`; `unknown` where it is not known. */
export type KeyOf<D> = BucketDefinition extends D
  ? unknown
  : D extends { readonly schema: infer S; readonly key: infer K extends string }
    ? S extends StandardSchemaV1
      ? KeyField<StoredValue<StandardSchemaV1.InferOutput<S>>, K>
      : IsWide<S> extends true
        ? unknown
        : K extends keyof S
          ? FieldValue<S[K]> & Key
          : Key
    : unknown

/**
 * Conditions on fields, or on paths into nested ones; all have to hold. A value means equality, `null` matches null and
 * missing, and `undefined` is refused. A `Date` stands for its ISO string in fields of type date. `and`, `or` and `not` take
 * filters.
 */
export type FilterOf<R> = string extends keyof R
  ? LooseFilter
  : R extends unknown
    ? { readonly [P in FieldPath<R>]?: FilterValue<PathValue<R, P>> } & Combined<R>
    : never

type Loose = string | number | boolean | Date | null

/** A filter on records whose fields are not known to the compiler. */
interface LooseFilter {
  readonly [field: string]: Loose | readonly (Loose | LooseFilter)[] | LooseFilter
}

type Combined<R> = {
  readonly and?: readonly FilterOf<R>[]
  readonly or?: readonly FilterOf<R>[]
  readonly not?: FilterOf<R>
}

/** Names of the fields that hold numbers, or may hold them, as a date does. */
export type NumericField<R> = string extends keyof R
  ? string
  : R extends unknown
    ? { [N in keyof R]-?: Extract<R[N], number> extends never ? never : N }[keyof R] & string
    : never

/** What a stored field holds when it is there. */
export type FieldValue<F> = F extends StandardSchemaV1
  ? StoredValue<StandardSchemaV1.InferOutput<F>>
  : Declared<F> | NullDefault<F>

/** What can be given for a field: as it is stored, and a `Date` where it holds dates. */
export type FieldInput<F> = F extends StandardSchemaV1 ? StandardSchemaV1.InferInput<F> : Given<F> | NullDefault<F>

/** Values as the store keeps them: frozen to the bottom, dates as ISO strings. */
export type StoredValue<T> = T extends Primitive
  ? T
  : T extends Date
    ? string
    : T extends object
      ? { readonly [N in keyof T]: StoredValue<T[N]> }
      : T

/**
 * What a literal definition is checked against besides `BucketDefinition`: no option that does not exist, a key and
 * indexes that are fields, and defaults that fit. What is not a literal is checked when it is given.
 */
export type DefinitionCheck<D> = BucketDefinition extends D
  ? D
  : {
      readonly [O in keyof D]: O extends 'key'
        ? Checked<D[O], FieldName<D>>
        : O extends 'indexes'
          ? readonly IndexCheck<FieldName<D> | keyof RecordMeta>[]
          : O extends 'schema'
            ? SchemaCheck<D[O]>
            : O extends keyof BucketDefinition
              ? unknown
              : Refused<'unknown option'>
    }

type IndexCheck<N extends string> =
  | IndexPath<N>
  | readonly IndexPath<N>[]
  | { readonly fields: readonly IndexPath<N>[]; readonly unique?: boolean; readonly where?: object }
type IndexPath<N extends string> = N | `${N}.${string}`

/** In a message of the compiler: why a literal does not fit. Nothing has this type. */
export interface Refused<Reason> {
  readonly refused: Reason
  readonly nothingHasThisType: never
}

type Primitive = string | number | boolean | bigint | symbol | null | undefined
type Flat<T> = { [N in keyof T]: T[N] } & {}

/** `never` for a string that the compiler does not know. */
type Narrow<K> = string extends K ? never : K
type IsWide<S> = string extends keyof S ? true : false
type Expiry = { readonly _expiresAt?: number | undefined }

/** What a field of each type holds. */
interface TypeValues {
  readonly string: string
  readonly number: number
  readonly boolean: boolean
  readonly date: string | number
  readonly object: { readonly [field: string]: unknown }
  readonly array: readonly unknown[]
}

type Declared<F> = F extends { readonly enum: readonly (infer E)[] }
  ? E
  : F extends { readonly type: 'object'; readonly properties: infer P }
    ? Stored<P, never>
    : F extends { readonly type: 'array'; readonly items: infer I }
      ? readonly FieldValue<I>[]
      : F extends { readonly type: infer T extends keyof TypeValues }
        ? TypeValues[T]
        : unknown

type Given<F> = F extends { readonly enum: readonly (infer E)[] }
  ? E
  : F extends { readonly type: 'object'; readonly properties: infer P }
    ? Input<P, never>
    : F extends { readonly type: 'object' }
      ? object
      : F extends { readonly type: 'array'; readonly items: infer I }
        ? readonly FieldInput<I>[]
        : F extends { readonly type: 'date' }
          ? string | number | Date
          : Declared<F>

type DefaultValue<F> = F extends { readonly default: () => infer V }
  ? V
  : F extends { readonly default: infer V }
    ? V
    : undefined
type HasDefault<F> = undefined extends DefaultValue<F> ? false : true
type NullDefault<F> = null extends DefaultValue<F> ? null : never

/** Whether every record has the field. */
type IsPresent<F> = F extends StandardSchemaV1
  ? undefined extends StandardSchemaV1.InferOutput<F>
    ? false
    : true
  : F extends { readonly required: true } | { readonly generated: string }
    ? true
    : HasDefault<F>

/** Whether an insert has to give the field. */
type IsNeeded<F, IsKey> = F extends StandardSchemaV1
  ? undefined extends StandardSchemaV1.InferInput<F>
    ? false
    : true
  : F extends { readonly generated: string }
    ? false
    : HasDefault<F> extends true
      ? false
      : F extends { readonly required: true }
        ? true
        : IsKey

type PresentNames<S, K> = {
  [N in keyof S]: N extends K ? N : IsPresent<S[N]> extends true ? N : never
}[keyof S]

type NeededNames<S, K> = {
  [N in keyof S]: IsNeeded<S[N], N extends K ? true : false> extends true ? N : never
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

type Fixed<S, K> = K | { [N in keyof S]: S[N] extends { readonly generated: string } ? N : never }[keyof S]
type Change<F> = IsPresent<F> extends true ? FieldInput<F> : FieldInput<F> | undefined

type WholeData<T> = unknown extends T ? { readonly [field: string]: unknown } : T

// Each member of a union by itself: a validator may describe records of several kinds.
type WholeRecord<T> = unknown extends T ? StoreRecord : T extends unknown ? Flat<StoredValue<T> & RecordMeta> : never
type WholeInput<T> = unknown extends T ? object : T & Expiry
type WholeChanges<T, K> = unknown extends T
  ? object
  : T extends unknown
    ? { readonly [N in Exclude<keyof T, K>]?: T[N] }
    : never
type KeyField<T, K> = unknown extends T ? unknown : T extends unknown ? (K extends keyof T ? T[K] & Key : Key) : never

type FilterValue<V> = unknown extends V ? unknown : Operand<V> | null | Operators<V>

type Operand<V> = Extract<V, string | number | boolean> | DateOf<V>

/** What can be asked of a field that holds `V`. */
interface Operators<V> {
  readonly eq?: Operand<V> | null
  readonly ne?: Operand<V> | null
  readonly gt?: Operand<V>
  readonly gte?: Operand<V>
  readonly lt?: Operand<V>
  readonly lte?: Operand<V>
  readonly in?: readonly (Operand<V> | null)[]
  readonly notIn?: readonly (Operand<V> | null)[]
  readonly between?: readonly [Operand<V>, Operand<V>]
  readonly startsWith?: Extract<V, string> extends never ? never : string
  readonly endsWith?: Extract<V, string> extends never ? never : string
  readonly contains?: Extract<V, string> extends never ? never : string
  readonly like?: Extract<V, string> extends never ? never : string
  readonly has?: ItemOf<V>
  readonly exists?: boolean
}

// `never` is every type: asked plainly, what holds no array would have items of any type.
type ItemOf<V> = [Extract<V, readonly unknown[]>] extends [never]
  ? never
  : Extract<V, readonly unknown[]> extends readonly (infer I)[]
    ? unknown extends I
      ? unknown
      : Operand<I> | null
    : never

// Only fields of type date hold both strings and numbers of all values.
type DateOf<V> = string | number extends V ? Date : never

type FieldName<D> = D extends { readonly schema: infer S }
  ? S extends StandardSchemaV1
    ? NameIn<StandardSchemaV1.InferOutput<S>>
    : NameIn<S>
  : string
type NameIn<T> = unknown extends T ? string : T extends unknown ? keyof T & string : never

type SchemaCheck<S> = S extends StandardSchemaV1
  ? unknown
  : IsWide<S> extends true
    ? unknown
    : {
        readonly [N in keyof S]: N extends keyof RecordMeta
          ? Refused<'the store has a field of this name'>
          : FieldCheck<S[N]>
      }

type FieldCheck<F> = F extends StandardSchemaV1
  ? unknown
  : {
      readonly [O in keyof F]: O extends 'properties'
        ? { readonly [N in keyof F[O]]: FieldCheck<F[O][N]> }
        : O extends 'items'
          ? FieldCheck<F[O]>
          : O extends 'default'
            ? Checked<F[O] extends () => infer V ? V : F[O], FieldInput<F> | null | undefined>
            : O extends keyof FieldDefinition
              ? unknown
              : Refused<'unknown option'>
    }

// What is wrong becomes an intersection with `Refused`, not with what is right: that would be `never` for two different
// literals, and the message would be about the whole definition.
type Checked<T, Expected> = unknown extends T
  ? unknown
  : T extends Expected
    ? unknown
    : Refused<{ readonly expected: Expected }>
