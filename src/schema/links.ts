import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { FieldPath } from './field-path.js'
import type { FilterOf, RecordOf, Refused } from './infer.js'

/** Which buckets a bucket can be asked together with: `N`, among the buckets `B` of its store. Types only. */
export interface Links<B, N> {
  readonly buckets: B
  readonly bucket: N
}

/** The links of a bucket that the compiler does not know. */
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyLinks = any

type IsAny<T> = 0 extends 1 & T ? true : false

/** Whether the compiler knows which buckets there are, and which of them this is. */
type IsKnown<B, N> = IsAny<B> extends true ? false : IsAny<N> extends true ? false : N extends keyof B ? true : false

/** The bucket that field `F` refers to; `never` where it refers to none. */
type RefIn<D, F> = D extends { readonly schema: infer S }
  ? S extends StandardSchemaV1
    ? never
    : F extends keyof S
      ? S[F] extends { readonly type: 'array' }
        ? never
        : S[F] extends { readonly ref: infer T extends string }
          ? T
          : never
      : never
  : never

type FieldsOf<D> = D extends { readonly schema: infer S } ? keyof S & string : never

/** What the relation along field `F` is called: as the field, or as it is without `Id` or `_id`. */
type NamesOf<F extends string> = F | (F extends `${infer N}_id` ? N : F extends `${infer N}Id` ? N : never)

/** The buckets that the fields of `D` refer to, by the names of the relations. */
type Forward<D> = {
  readonly [F in FieldsOf<D> as RefIn<D, F> extends never ? never : NamesOf<F>]: RefIn<D, F>
}

type Referring<B, N> = {
  [M in keyof B & string]: N extends { [F in FieldsOf<B[M]>]: RefIn<B[M], F> }[FieldsOf<B[M]>] ? M : never
}[keyof B & string]

/** An order of related records: a field, one with a direction, or a list of either. */
type OrderOf<R> =
  | FieldPath<R>
  | readonly [field: FieldPath<R>, direction: 'asc' | 'desc']
  | readonly (readonly [field: FieldPath<R>, direction?: 'asc' | 'desc'])[]

type Definition<B, M> = M extends keyof B ? B[M] : unknown
type Rows<B, M> = RecordOf<Definition<B, M>>

/** Options of a relation to one record. */
interface OneOptions<B, M> {
  /** What is wanted with that record. */
  readonly include?: Names<B, M> | readonly Names<B, M>[] | Options<B, M>
}

/** Options of a relation to many records, those of bucket `M`. */
interface ManyOptions<B, M> {
  /** The field that has the key of the row; needed where several of them refer to its bucket. */
  readonly via?: FieldsOf<Definition<B, M>>
  readonly where?: FilterOf<Rows<B, M>>
  /** Without it, insertion order. */
  readonly orderBy?: OrderOf<Rows<B, M>>
  /** At most so many for each row. */
  readonly limit?: number
  /** What is wanted with each of them. */
  readonly include?: Names<B, M> | readonly Names<B, M>[] | Options<B, M>
}

type ForwardOf<B, N> = Forward<Definition<B, N>>
type Names<B, N> = (keyof ForwardOf<B, N> & string) | Referring<B, N>

type Options<B, N> = { readonly [K in keyof ForwardOf<B, N>]?: true | OneOptions<B, ForwardOf<B, N>[K]> } & {
  readonly [M in Exclude<Referring<B, N>, keyof ForwardOf<B, N>>]?: true | ManyOptions<B, M>
}

type Aliases<B, N> = {
  readonly [name: string]: { [M in Referring<B, N>]: ManyOptions<B, M> & { readonly bucket: M } }[Referring<B, N>]
}

/** Options of relations whose buckets the compiler does not know. */
interface LooseOptions {
  readonly bucket?: string
  readonly via?: string
  readonly where?: object
  readonly orderBy?: string | readonly (string | readonly string[])[]
  readonly limit?: number
  readonly include?: string | readonly string[] | { readonly [name: string]: true | LooseOptions }
}

/** Names of relations: fields with a `ref`, with or without `Id`, and buckets that refer to this one. */
export type IncludeName<L> =
  L extends Links<infer B, infer N> ? (IsKnown<B, N> extends true ? Names<B, N> : string) : string

/** Options by the name of a relation. */
export type IncludeOptions<L> =
  L extends Links<infer B, infer N>
    ? IsKnown<B, N> extends true
      ? Options<B, N>
      : { readonly [name: string]: true | LooseOptions }
    : { readonly [name: string]: true | LooseOptions }

/** Options by a name of the caller's own, each with the bucket that it stands for. */
export type IncludeAliases<L> =
  L extends Links<infer B, infer N>
    ? IsKnown<B, N> extends true
      ? Aliases<B, N>
      : { readonly [name: string]: LooseOptions }
    : { readonly [name: string]: LooseOptions }

/** What is wrong with options that a generic parameter lets through: names that nothing has. */
export type IncludeCheck<L, I> =
  L extends Links<infer B, infer N>
    ? IsKnown<B, N> extends true
      ? I extends string
        ? Refused<'no such relation'>
        : {
            readonly [K in keyof I]: I[K] extends { readonly bucket: infer M }
              ? OptionsCheck<ManyOptions<B, M> & { readonly bucket: M }, I[K], B, M>
              : K extends keyof ForwardOf<B, N>
                ? OptionsCheck<OneOptions<B, ForwardOf<B, N>[K]>, I[K], B, ForwardOf<B, N>[K]>
                : K extends Referring<B, N>
                  ? OptionsCheck<ManyOptions<B, K>, I[K], B, K>
                  : Refused<'no such relation'>
          }
      : unknown
    : unknown

type OptionsCheck<A, G, B, M> = G extends object
  ? {
      readonly [O in keyof G]: O extends 'where'
        ? WhereCheck<FilterOf<Rows<B, M>>, G[O]>
        : O extends keyof A
          ? G[O]
          : Refused<'unknown option'>
    }
  : G

type WhereCheck<F, W> = W extends object
  ? { readonly [P in keyof W]: P extends keyof F ? W[P] : Refused<'no such field'> }
  : W

/** What `include` adds to a row: the record, or null, or a list of records. */
export type Included<L, I> =
  L extends Links<infer B, infer N>
    ? IsKnown<B, N> extends true
      ? IncludedIn<B, N, I>
      : { readonly [K in LooseNames<I>]: unknown }
    : { readonly [K in LooseNames<I>]: unknown }

type LooseNames<I> = [I] extends [string] ? I : I extends readonly (infer K extends string)[] ? K : keyof I

type IncludedIn<B, N, I> = [I] extends [string]
  ? { readonly [K in I]: PartOf<B, N, K, true> }
  : I extends readonly (infer K extends string)[]
    ? { readonly [P in K]: PartOf<B, N, P, true> }
    : { readonly [K in keyof I]: PartOf<B, N, K, I[K]> }

type PartOf<B, N, K, O> = O extends { readonly bucket: infer M }
  ? readonly Row<B, M, O>[]
  : K extends keyof ForwardOf<B, N>
    ? Row<B, ForwardOf<B, N>[K], O> | null
    : readonly Row<B, K, O>[]

type Row<B, M, O> = Rows<B, M> & (O extends { readonly include: infer I } ? IncludedIn<B, M, I> : unknown)
