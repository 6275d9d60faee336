import type { Filter } from './filter.js'
import { filterText } from './filter.js'
import type { Aggregates } from './aggregate.js'
import { includeParts, NO_INCLUDES } from './include.js'
import type { Include } from './include.js'
import type { OrderTerm } from './order.js'

/** What a query is, as plain frozen data: which records of a bucket, in which order, how many, and what of them. */
export interface QuerySpec {
  readonly bucket: string
  readonly filter: Filter
  /** Empty: insertion order. */
  readonly order: readonly OrderTerm[]
  /** Infinity: all. */
  readonly limit: number
  readonly offset: number
  /** Fields to give; undefined: whole records. */
  readonly fields: readonly string[] | undefined
  /** What is wanted of other buckets with each row. */
  readonly include: readonly Include[]
}

/** What is asked of a query. */
export type Want =
  | { readonly kind: 'rows' | 'first' | 'count' | 'exists' | 'explain' }
  | { readonly kind: 'sum' | 'avg' | 'min' | 'max' | 'distinct'; readonly path: string }
  | { readonly kind: 'groups'; readonly by: readonly string[]; readonly aggregates: Aggregates }
  | {
      readonly kind: 'page'
      readonly size: number
      readonly after: string | undefined
      readonly before: string | undefined
    }

/** The rows of a query. */
export const ROWS: Want = Object.freeze({ kind: 'rows' })

/** A question: a query, and what of it is wanted. Equal questions have equal answers. */
export interface Question {
  readonly spec: QuerySpec
  readonly want: Want
}

/** The query for all records of `bucket` that match. */
export function specOf(bucket: string, filter: Filter): QuerySpec {
  return {
    bucket,
    filter,
    order: [],
    limit: Number.POSITIVE_INFINITY,
    offset: 0,
    fields: undefined,
    include: NO_INCLUDES,
  }
}

/** Whether the query gives all records that match. */
export function isWhole({ limit, offset }: QuerySpec): boolean {
  return limit === Number.POSITIVE_INFINITY && offset === 0
}

/** The same text for equal queries, to share what is kept for them. */
export function specText({ bucket, filter, order, limit, offset, fields, include }: QuerySpec): string {
  return JSON.stringify([bucket, filterText(filter), order, limit, offset, fields, ...include.map(includeParts)])
}

/** The same text for equal questions. */
export function questionText({ spec, want }: Question): string {
  return specText(spec) + JSON.stringify(want)
}
