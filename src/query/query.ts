import type { FieldPath, NumericPath, PathValue } from '../schema/field-path.js'
import type { AnyLinks, IncludeAliases, IncludeCheck, Included, IncludeName, IncludeOptions } from '../schema/links.js'
import type { Aggregate } from './aggregate.js'
import type { QueryPage } from './answer.js'
import type { Explanation } from './explain.js'
import type { LiveCallback, LiveOptions, LiveRows, LiveSubscription } from './live.js'

/** What `page` takes: at most one of `after` and `before`. */
export interface PageOptions {
  /** Records per page; a whole number from 1. */
  readonly size: number
  /** The `nextCursor` of the page before. */
  readonly after?: string | undefined
  /** The `prevCursor` of the page after. */
  readonly before?: string | undefined
}

/** The fields of `R` that `select` names. */
export type Selected<R, P extends string> = { readonly [N in P]: N extends keyof R ? R[N] : PathValue<R, N> }

/** A row of a group: its fields, then its aggregates. */
export type GroupRow<R, P extends string, A> = { readonly [N in P]: NonNullable<PathValue<R, N>> | null } & {
  readonly [N in keyof A]: A[N] extends { readonly kind: 'min' | 'max' } ? number | undefined : number
}

/** What `aggregate` takes: what `count`, `sum`, `avg`, `min` and `max` make, by name. */
export interface AggregatesOf<R> {
  readonly [name: string]: Aggregate & { readonly path?: NumericPath<R> }
}

/** The groups of a query, before it is said what is wanted of each. */
export interface Groups<R, P extends string, IsAsync> {
  /**
   * One row for each group, in the order of the group's fields: these, with null for missing, and the aggregates.
   *
   * @throws {InvalidArgumentError}
   */
  aggregate<const A extends AggregatesOf<R>>(aggregates: A): Answer<GroupRow<R, P, A>[], IsAsync>
}

type Answer<T, IsAsync> = IsAsync extends true ? Promise<T> : T

/** What can be asked of a query. All of it is about the records that the query gives: within its limit and offset. */
interface Asking<R, T, IsAsync> {
  /** The first row. */
  first(): Answer<T | undefined, IsAsync>
  count(): Answer<number, IsAsync>
  exists(): Answer<boolean, IsAsync>
  /** Sum of the numbers in `field`; other values do not count. 0 for none. Exact, then rounded once. */
  sum(field: NumericPath<R>): Answer<number, IsAsync>
  /** Their mean; 0 for none. */
  avg(field: NumericPath<R>): Answer<number, IsAsync>
  min(field: NumericPath<R>): Answer<number | undefined, IsAsync>
  max(field: NumericPath<R>): Answer<number | undefined, IsAsync>
  /** The different values of `field`, in the order of values; null once for all records that lack it. */
  distinct<P extends FieldPath<R>>(field: P): Answer<(NonNullable<PathValue<R, P>> | null)[], IsAsync>
  /** Records that agree on `fields`, together. */
  groupBy<P extends FieldPath<R>>(...fields: P[]): Groups<R, P, IsAsync>
  /**
   * One page. Cursors stay exact when records change or are deleted between two pages. The query has no limit or offset
   * of its own.
   */
  page(options: PageOptions): Answer<QueryPage<T>, IsAsync>
  /** Runs the query, and says how: which index, how many records were looked at. */
  explain(): Answer<Explanation, IsAsync>
}

/**
 * A query: an immutable value that says what is wanted. Nothing is read before it is awaited, or asked something; then it
 * is read anew each time. Awaited, it gives an array of the caller's own.
 *
 * Without `orderBy` records come in insertion order; with it, in one total order over all values: missing and null first,
 * then booleans, numbers, strings by UTF-16 code unit (or as the field's `collate` says), arrays, objects. What is the same
 * stays in insertion order.
 */
export interface Query<R, T = R, L = AnyLinks> extends Promise<T[]>, AsyncIterable<T>, Asking<R, T, true> {
  /** Adds a term to the order, after those that are there. @param direction `asc` by default. */
  orderBy(field: FieldPath<R>, direction?: 'asc' | 'desc'): Query<R, T, L>
  /** At most `n` records. */
  limit(n: number): Query<R, T, L>
  /** Without the first `n` records. */
  offset(n: number): Query<R, T, L>
  /** Objects of these fields instead of whole records. A field that a record lacks is missing. Comes before `include`. */
  select<P extends FieldPath<R>>(...fields: P[]): Query<R, Selected<R, P>, L>
  /**
   * Puts related records with each row, under the name of the relation. A field with `ref: 'users'` leads to the record that
   * it has the key of, or to null: it is called as the field, or without `Id` (`userId`: `include('user')`). The other way
   * round, the bucket that has such a field gives the records that have the key of the row: `include('orders')`.
   *
   * Rows, and what is in them, are frozen. All that a query gives is of one state.
   */
  include<const P extends IncludeName<L>>(...relations: P[]): Query<R, T & Included<L, P>, L>
  /** The same with options by name: `where`, `orderBy`, `limit`, and `include` for what belongs to those in turn. */
  include<const I extends IncludeOptions<L>>(relations: I & IncludeCheck<L, I>): Query<R, T & Included<L, I>, L>
  /** The same under names of your own: each says the `bucket`, and `via` which field of that where it has several. */
  include<const I extends IncludeAliases<L>>(relations: I & IncludeCheck<L, I>): Query<R, T & Included<L, I>, L>
  /**
   * Calls `callback` with the rows, and from then on whenever they have changed and the change is durable, with what has
   * changed. Results come in order, one for all commits of a batch, and are kept up to date change by change. While a
   * promise that the callback has returned is open, it is not called again; then it gets the latest result.
   *
   * @returns ends the subscription. @throws {InvalidArgumentError} nothing was done.
   */
  live(callback: LiveCallback<T>, options?: LiveOptions): LiveSubscription
  /** The same as an async iterable, an observable and a Svelte store. The signal ends all that comes of it. */
  live(options?: Pick<LiveOptions, 'signal'>): LiveRows<T>
}

/** As `Query`, inside `store.read`: it answers at once, and throws what the other rejects with. */
export interface SyncQuery<R, T = R, L = AnyLinks> extends Asking<R, T, false> {
  /** The rows, in an array of the caller's own. */
  run(): T[]
  orderBy(field: FieldPath<R>, direction?: 'asc' | 'desc'): SyncQuery<R, T, L>
  limit(n: number): SyncQuery<R, T, L>
  offset(n: number): SyncQuery<R, T, L>
  select<P extends FieldPath<R>>(...fields: P[]): SyncQuery<R, Selected<R, P>, L>
  include<const P extends IncludeName<L>>(...relations: P[]): SyncQuery<R, T & Included<L, P>, L>
  include<const I extends IncludeOptions<L>>(relations: I & IncludeCheck<L, I>): SyncQuery<R, T & Included<L, I>, L>
  include<const I extends IncludeAliases<L>>(relations: I & IncludeCheck<L, I>): SyncQuery<R, T & Included<L, I>, L>
}
