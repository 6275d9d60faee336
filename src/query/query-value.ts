import { InvalidArgumentError } from '../base/errors.js'
import { parseAggregates } from './aggregate.js'
import type { QueryPage } from './answer.js'
import { parsePath } from './field-path.js'
import type { Filter } from './filter.js'
import { NO_INCLUDES, parseIncludes } from './include.js'
import { liveRows } from './live.js'
import type { LiveCallback, LiveOptions, LiveSubscription, SubscribeLive } from './live.js'
import { parseOrderTerm } from './order.js'
import { parseCount } from './parse-count.js'
import type { PageOptions, Query, SyncQuery } from './query.js'
import { isWhole, ROWS, specText } from './query-spec.js'
import type { Question, QuerySpec, Want } from './query-spec.js'

/** Answers a question, or promises to. */
export type Ask = (question: Question) => unknown

const rows = (): Want => ROWS

/** What is asked about rows, with what they include. */
const ROW_WANTS: ReadonlySet<Want['kind']> = new Set(['rows', 'first', 'page', 'explain'])

/** Rows that `for await` asks for at once. */
const STREAM_ROWS = 256

/** @throws {InvalidArgumentError} the query asks for fields of what it includes, which come with the rows and do not choose them. */
function mustStayInRows({ bucket, filter, order, fields = [], include }: QuerySpec): void {
  const paths = [...pathsOf(filter), ...order.map(({ path }) => path), ...fields]
  const { name } = include.find((one) => paths.some((path) => path.startsWith(`${one.name}.`))) ?? {}
  if (name === undefined) return
  const argument = `bucket("${bucket}").where(…).include("${name}")`
  const path = paths.find((one) => one.startsWith(`${name}.`))
  throw new InvalidArgumentError(argument, 'rows that are chosen, sorted and selected by fields of their own', path)
}

function pathsOf({ conditions }: Filter): string[] {
  return conditions.flatMap((condition) => {
    if (condition.op === 'or') return condition.filters.flatMap(pathsOf)
    return condition.op === 'not' ? pathsOf(condition.filter) : [condition.path]
  })
}

/** Stands for a query that was given something wrong: it is said when the query is asked something. */
export class Refusal {
  readonly error: unknown

  constructor(error: unknown) {
    this.error = error
  }
}

/** A query while it is put together: what both kinds have in common. */
abstract class QueryParts {
  readonly #made: QuerySpec | Refusal
  protected readonly askHost: Ask

  constructor(made: QuerySpec | Refusal, ask: Ask) {
    this.#made = made
    this.askHost = ask
  }

  /** @throws what is wrong with what the caller gave. */
  protected get spec(): QuerySpec {
    if (this.#made instanceof Refusal) throw this.#made.error
    if (this.#made.include.length > 0) mustStayInRows(this.#made)
    return this.#made
  }

  protected question(want: () => Want): Question {
    const wanted = want()
    const { spec } = this
    // What is counted, or added up, has nothing with it.
    return {
      spec: spec.include.length === 0 || ROW_WANTS.has(wanted.kind) ? spec : { ...spec, include: NO_INCLUDES },
      want: wanted,
    }
  }

  /** A query with one part more, or one less right. */
  protected abstract with(made: QuerySpec | Refusal): unknown

  protected abstract ask(want: () => Want): unknown

  #at(method: string, bucket: string): string {
    return `bucket("${bucket}").where(…).${method}`
  }

  #with(part: (spec: QuerySpec, at: (method: string) => string) => Partial<QuerySpec>): unknown {
    // Checked at once, said when it is asked: an async method does not throw.
    let made: QuerySpec | Refusal
    try {
      const { spec } = this
      made = { ...spec, ...part(spec, (method) => this.#at(method, spec.bucket)) }
    } catch (error) {
      made = new Refusal(error)
    }
    return this.with(made)
  }

  #want(want: (at: (method: string) => string, spec: QuerySpec) => Want): unknown {
    return this.ask(() => {
      const { spec } = this
      return want((method) => this.#at(method, spec.bucket), spec)
    })
  }

  orderBy(field: unknown, direction: unknown = 'asc'): unknown {
    return this.#with(({ order }, at) => ({
      order: Object.freeze([...order, parseOrderTerm(field, direction, at('orderBy(field)'))]),
    }))
  }

  limit(n: unknown): unknown {
    return this.#with((_spec, at) => ({ limit: parseCount(n, 0, at('limit(n)')) }))
  }

  offset(n: unknown): unknown {
    return this.#with((_spec, at) => ({ offset: parseCount(n, 0, at('offset(n)')) }))
  }

  select(...fields: unknown[]): unknown {
    return this.#with((_spec, at) => ({
      fields: Object.freeze(fields.map((field) => parsePath(field, at('select(…fields)')))),
    }))
  }

  include(...relations: unknown[]): unknown {
    return this.#with(({ include }, at) => ({
      include: parseIncludes(include, relations, at('include(…relations)')),
    }))
  }

  first(): unknown {
    return this.#want(() => ({ kind: 'first' }))
  }

  count(): unknown {
    return this.#want(() => ({ kind: 'count' }))
  }

  exists(): unknown {
    return this.#want(() => ({ kind: 'exists' }))
  }

  #ofField(kind: 'sum' | 'avg' | 'min' | 'max' | 'distinct', field: unknown): unknown {
    return this.#want((at) => ({ kind, path: parsePath(field, at(`${kind}(field)`)) }))
  }

  sum(field: unknown): unknown {
    return this.#ofField('sum', field)
  }

  avg(field: unknown): unknown {
    return this.#ofField('avg', field)
  }

  min(field: unknown): unknown {
    return this.#ofField('min', field)
  }

  max(field: unknown): unknown {
    return this.#ofField('max', field)
  }

  distinct(field: unknown): unknown {
    return this.#ofField('distinct', field)
  }

  groupBy(...fields: unknown[]): { aggregate(aggregates: unknown): unknown } {
    return {
      aggregate: (aggregates) =>
        this.#want((at) => {
          const by = fields.map((field) => parsePath(field, at('groupBy(…fields)')))
          if (by.length === 0) throw new InvalidArgumentError(at('groupBy(…fields)'), 'at least one field', fields)
          return { kind: 'groups', by, aggregates: parseAggregates(aggregates, by, at('groupBy(…).aggregate(…)')) }
        }),
    }
  }

  page(options: unknown): unknown {
    return this.#want((at, spec) => {
      const argument = at('page({ size, after, before })')
      if (typeof options !== 'object' || options === null)
        throw new InvalidArgumentError(argument, 'an object with a size', options)
      if (!isWhole(spec))
        throw new InvalidArgumentError(argument, 'a query without limit and offset: the size is the limit', spec)
      const { size, after, before } = options as PageOptions
      parseCount(size, 1, at('page({ size })'))
      if (after !== undefined && before !== undefined) {
        throw new InvalidArgumentError(argument, 'after or before, not both', options)
      }
      return { kind: 'page', size, after, before }
    })
  }

  explain(): unknown {
    return this.#want(() => ({ kind: 'explain' }))
  }
}

class SyncQueryValue extends QueryParts {
  protected override with(made: QuerySpec | Refusal): SyncQueryValue {
    if (made instanceof Refusal) throw made.error
    return new SyncQueryValue(made, this.askHost)
  }

  protected override ask(want: () => Want): unknown {
    return this.askHost(this.question(want))
  }

  run(): unknown {
    return this.askHost({ spec: this.spec, want: ROWS })
  }
}

class QueryValue extends QueryParts {
  readonly #live: SubscribeLive | undefined

  /** See `queryIdentity`. */
  static identityOf(query: unknown): QueryIdentity | undefined {
    if (typeof query !== 'object' || query === null || !(#live in query)) return undefined
    const owner = query.#live
    return owner === undefined ? undefined : { owner, text: specText(query.spec) }
  }

  constructor(made: QuerySpec | Refusal, ask: Ask, live: SubscribeLive | undefined) {
    super(made, ask)
    this.#live = live
  }

  protected override with(made: QuerySpec | Refusal): QueryValue {
    return new QueryValue(made, this.askHost, this.#live)
  }

  get [Symbol.toStringTag](): string {
    return 'Query'
  }

  live(callback?: LiveCallback<never> | LiveOptions, options?: LiveOptions): unknown {
    const subscribe = (to: LiveCallback<never>, having?: LiveOptions): LiveSubscription => {
      const { spec } = this
      if (this.#live === undefined) {
        const argument = `bucket("${spec.bucket}").where(…).live()`
        throw new InvalidArgumentError(
          argument,
          'a query of a bucket of the store, not of a transaction or another query',
          this,
        )
      }
      return this.#live({ spec, want: ROWS }, to, having)
    }
    const isRows = callback === undefined || (typeof callback === 'object' && callback !== null)
    return isRows ? liveRows(subscribe, callback ?? {}) : subscribe(callback, options)
  }

  // oxlint-disable-next-line typescript/promise-function-async -- it is asked often, and one promise is enough
  protected override ask(want: () => Want): Promise<unknown> {
    try {
      return this.askHost(this.question(want)) as Promise<unknown>
    } catch (error) {
      return Promise.reject(error)
    }
  }

  // oxlint-disable-next-line unicorn/no-thenable -- a query can be awaited; that is the point of it
  then(onFulfilled?: (rows: unknown) => unknown, onRejected?: (reason: unknown) => unknown): Promise<unknown> {
    return this.ask(rows).then(onFulfilled, onRejected)
  }

  catch(onRejected?: (reason: unknown) => unknown): Promise<unknown> {
    return this.then(undefined, onRejected)
  }

  finally(onFinally?: () => void): Promise<unknown> {
    return this.ask(rows).finally(onFinally)
  }

  /** Rows in batches, each from the state of its moment: what comes or goes behind the cursor is not noticed. */
  async *[Symbol.asyncIterator](): AsyncIterator<unknown> {
    const { limit, offset, ...spec } = this.spec
    const whole = { ...spec, limit: Number.POSITIVE_INFINITY, offset: 0 }
    let after: string | undefined
    let toSkip = offset
    let left = limit
    while (left > 0) {
      const size = Math.min(STREAM_ROWS, left + toSkip)
      const want = { kind: 'page', size, after, before: undefined } as const
      const page = (await this.askHost({ spec: whole, want })) as QueryPage<unknown>
      for (const row of page.records) {
        if (toSkip > 0) toSkip--
        else if (left-- > 0) yield row
      }
      if (!page.hasMore) return
      after = page.nextCursor
    }
  }
}

/** A query that can be awaited. @param live subscribes to it; undefined where there is nothing to subscribe to. */
export function makeQuery<R, L>(made: QuerySpec | Refusal, ask: Ask, live: SubscribeLive | undefined): Query<R, R, L> {
  return new QueryValue(made, ask, live) as unknown as Query<R, R, L>
}

/** A query that answers at once. */
export function makeSyncQuery<R, L>(spec: QuerySpec, ask: Ask): SyncQuery<R, R, L> {
  return new SyncQueryValue(spec, ask) as unknown as SyncQuery<R, R, L>
}

/** What two queries have in common that ask the same of the same store. */
export interface QueryIdentity {
  /** The same object for all queries of one store. */
  readonly owner: object
  /** The same text for equal queries. */
  readonly text: string
}

/**
 * What identifies a live query, for those who share what they keep for equal ones.
 *
 * @returns undefined for what is no query of a bucket of a store. @throws what is wrong with what the query was given.
 */
export function queryIdentity(query: unknown): QueryIdentity | undefined {
  return QueryValue.identityOf(query)
}
