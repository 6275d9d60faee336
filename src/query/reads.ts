import { asError, InvalidArgumentError } from '../base/errors.js'
import { isKey } from '../base/value.js'
import type { Key, StoredRecord } from '../base/value.js'
import type { FilterOf, NumericField } from '../schema/infer.js'
import { Numbers } from './aggregate.js'
import { answer } from './answer.js'
import { parseFilter } from './filter.js'
import type { Filter } from './filter.js'
import { makeSyncQuery } from './query.js'
import type { SyncQuery } from './query.js'
import { specOf } from './query-spec.js'
import type { Question, QuerySpec } from './query-spec.js'
import type { ReadSet } from './read-set.js'
import type { Source } from './source.js'

/** What `paginate` takes. */
export interface PaginateOptions<K = unknown> {
  /** Records per page; a whole number from 1, or Infinity for all. */
  readonly limit: number
  /** The `nextCursor` of the page before. */
  readonly after?: K | undefined
}

/** One page. */
export interface PaginatedResult<R, K = unknown> {
  readonly records: R[]
  /** Whether there is anything after this page. */
  readonly hasMore: boolean
  /** Key of the last record of this page; undefined for an empty page. */
  readonly nextCursor: (K & Key) | undefined
}

/**
 * Every read of a bucket, answered at once. The arrays are the caller's own; the records in them are frozen and shared.
 * All methods throw `InvalidArgumentError` for arguments of the wrong type.
 */
export interface BucketReader<R, K = unknown> {
  /** The record under `key`, compared without conversion: `'1'` is not `1`. */
  get(key: K): R | undefined
  has(key: K): boolean
  /** All records, in insertion order. */
  all(): R[]
  /** All keys, in the order of `first`. */
  keys(): (K & Key)[]
  /** The records whose fields equal those of `filter`, in insertion order; `{}` means all. */
  where(filter: FilterOf<R>): R[]
  /** A query of the records that match; all, without a filter. It is read when it is run. */
  query(filter?: FilterOf<R>): SyncQuery<R>
  /** The first of them. */
  findOne(filter: FilterOf<R>): R | undefined
  /** How many records there are, or how many match. */
  count(filter?: FilterOf<R>): number
  /** The first `n` records: by insertion, or by key in an `ordered_set`. */
  first(n: number): R[]
  last(n: number): R[]
  /** The next `limit` records in the order of `first`. Goes on from where the cursor was, even if its record is gone. */
  paginate(options: PaginateOptions<K>): PaginatedResult<R, K>
  /** Sum of the numbers in `field`; other values do not count. 0 for none. */
  sum(field: NumericField<R>, filter?: FilterOf<R>): number
  /** Their mean; 0 for none. */
  avg(field: NumericField<R>, filter?: FilterOf<R>): number
  min(field: NumericField<R>, filter?: FilterOf<R>): number | undefined
  max(field: NumericField<R>, filter?: FilterOf<R>): number | undefined
}

/** The reads of one bucket over one source. What is read is noted in `readSet`, where there is one. */
export class Reads<R, K = unknown> implements BucketReader<R, K> {
  readonly #source: Source
  readonly #readSet: ReadSet | undefined

  constructor(source: Source, readSet?: ReadSet) {
    this.#source = source
    this.#readSet = readSet
  }

  get(key: K): R | undefined {
    const checked = this.#key('get(key)', key)
    this.#readSet?.readKey(this.#source.bucket, checked)
    return this.#source.get(checked) as R | undefined
  }

  has(key: K): boolean {
    return this.get(key) !== undefined
  }

  all(): R[] {
    return this.#collect(undefined)
  }

  keys(): (K & Key)[] {
    this.#readSet?.readWhere(this.#source.bucket, undefined)
    return this.#source.keys() as (K & Key)[]
  }

  where(filter: FilterOf<R>): R[] {
    return this.#collect(this.#filter('where(filter)', filter))
  }

  #collect(filter: Filter | undefined): R[] {
    this.#readSet?.readWhere(this.#source.bucket, filter)
    return this.#source.find(filter) as unknown as R[]
  }

  findOne(filter: FilterOf<R>): R | undefined {
    const checked = this.#filter('findOne(filter)', filter)
    this.#readSet?.readWhere(this.#source.bucket, checked)
    return this.#source.find(checked, 1)[0] as R | undefined
  }

  count(filter?: FilterOf<R>): number {
    const checked = filter === undefined ? undefined : this.#filter('count(filter)', filter)
    this.#readSet?.readWhere(this.#source.bucket, checked)
    return checked === undefined ? this.#source.size : this.#source.count(checked)
  }

  first(n: number): R[] {
    this.#wholeNumber('first(n)', n, 0)
    return this.#take(n, undefined)
  }

  #take(n: number, after: Key | undefined): R[] {
    this.#readSet?.readWhere(this.#source.bucket, undefined)
    const found: StoredRecord[] = []
    if (n === 0) return []
    this.#source.forEachInOrder(after, (record) => found.push(record) < n)
    return found as unknown as R[]
  }

  last(n: number): R[] {
    this.#wholeNumber('last(n)', n, 0)
    this.#readSet?.readWhere(this.#source.bucket, undefined)
    return this.#source.last(n) as unknown as R[]
  }

  paginate(options: PaginateOptions<K>): PaginatedResult<R, K> {
    const name = 'paginate({ limit, after })'
    if (typeof options !== 'object' || options === null) throw this.#invalid(name, 'an object with a limit', options)
    const { limit, after } = this.#readOptions(name, options)
    this.#wholeNumber('paginate({ limit })', limit, 1)
    const cursor = after === undefined ? undefined : this.#key('paginate({ after })', after)
    const found = this.#take(limit + 1, cursor)
    const hasMore = found.length > limit
    if (hasMore) found.pop()
    const last = found.at(-1) as StoredRecord | undefined
    const nextCursor = last === undefined ? undefined : (last[this.#source.key] as K & Key)
    if (nextCursor !== undefined) this.#source.rememberCursor(nextCursor)
    return { records: found, hasMore, nextCursor }
  }

  #readOptions(name: string, options: PaginateOptions<K>): PaginateOptions<K> {
    try {
      return { limit: options.limit, after: options.after }
    } catch (thrown) {
      throw this.#invalid(`${name}: reading it failed: ${asError(thrown).message}`, 'plain values', options)
    }
  }

  sum(field: NumericField<R>, filter?: FilterOf<R>): number {
    return this.#numbers('sum', field, filter).answer('sum') as number
  }

  avg(field: NumericField<R>, filter?: FilterOf<R>): number {
    return this.#numbers('avg', field, filter).answer('avg') as number
  }

  min(field: NumericField<R>, filter?: FilterOf<R>): number | undefined {
    return this.#numbers('min', field, filter).answer('min')
  }

  max(field: NumericField<R>, filter?: FilterOf<R>): number | undefined {
    return this.#numbers('max', field, filter).answer('max')
  }

  #numbers(name: string, field: string, filter: FilterOf<R> | undefined): Numbers {
    if (typeof field !== 'string') throw this.#invalid(`${name}(field)`, 'the name of a field', field)
    const checked = filter === undefined ? undefined : this.#filter(`${name}(field, filter)`, filter)
    this.#readSet?.readWhere(this.#source.bucket, checked)
    const numbers = new Numbers(field)
    for (const record of this.#source.find(checked)) numbers.add(record)
    return numbers
  }

  /** A query of the records that match; all, without a filter. It is read when it is run. */
  query(filter?: FilterOf<R>): SyncQuery<R> {
    return makeSyncQuery<R>(this.specFor('query(filter)', filter), (question) => this.ask(question))
  }

  /** The query that `filter` means. */
  specFor(method: string, filter: unknown = {}): QuerySpec {
    return specOf(this.#source.bucket, this.#filter(method, filter))
  }

  /** The answer to a question about this bucket. */
  ask(question: Question): unknown {
    this.#readSet?.readWhere(this.#source.bucket, question.spec.filter)
    return answer(this.#source, question)
  }

  #filter(method: string, filter: unknown): Filter {
    return parseFilter(filter, `bucket("${this.#source.bucket}").${method}`)
  }

  #key(method: string, key: unknown): Key {
    if (isKey(key)) return key
    throw this.#invalid(method, 'a key: a string, finite number or boolean', key)
  }

  #wholeNumber(method: string, n: unknown, min: number): void {
    if (n === Number.POSITIVE_INFINITY || (Number.isSafeInteger(n) && (n as number) >= min)) return
    throw this.#invalid(method, `a whole number from ${min}`, n)
  }

  #invalid(method: string, expected: string, given: unknown): InvalidArgumentError {
    return new InvalidArgumentError(`bucket("${this.#source.bucket}").${method}`, expected, given)
  }
}
