import { asError, InvalidArgumentError } from '../base/errors.js'
import { isKey } from '../base/value.js'
import type { Key, StoredRecord } from '../base/value.js'
import type { FilterOf, NumericField } from '../schema/infer.js'
import type { AnyLinks } from '../schema/links.js'
import { answer } from './answer.js'
import { parsePath } from './field-path.js'
import { EVERYTHING, parseFilter } from './filter.js'
import type { Filter } from './filter.js'
import { answerIncluded, lookUpBuckets } from './answer-included.js'
import type { Peers } from './answer-included.js'
import { parseCount } from './parse-count.js'
import { makeSyncQuery } from './query-value.js'
import type { SyncQuery } from './query.js'
import { ROWS, specOf } from './query-spec.js'
import type { Question, QuerySpec } from './query-spec.js'
import type { ReadRecorder } from './read-set.js'
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
export interface BucketReader<R, K = unknown, L = AnyLinks> {
  /** The record under `key`, compared without conversion: `'1'` is not `1`. */
  get(key: K): R | undefined
  /** Whether there is a record under `key`. */
  has(key: K): boolean
  /** All records, in insertion order. */
  all(): R[]
  /** All keys, in the order of `first`. */
  keys(): (K & Key)[]
  /** The records that match, in insertion order; `{}` means all. */
  where(filter: FilterOf<R>): R[]
  /** A query of the records that match; all, without a filter. It is read when it is run. */
  query(filter?: FilterOf<R>): SyncQuery<R, R, L>
  /** The first of them. */
  findOne(filter: FilterOf<R>): R | undefined
  /** How many records there are, or how many match. */
  count(filter?: FilterOf<R>): number
  /** The first `n` records: by insertion, or by key in an `ordered_set`. */
  first(n: number): R[]
  /** The last `n` records, in the same order. */
  last(n: number): R[]
  /** The next `limit` records in the order of `first`. Goes on from where the cursor was, even if its record is gone. */
  paginate(options: PaginateOptions<K>): PaginatedResult<R, K>
  /** Sum of the numbers in `field`; other values do not count. 0 for none. */
  sum(field: NumericField<R>, filter?: FilterOf<R>): number
  /** Their mean; 0 for none. */
  avg(field: NumericField<R>, filter?: FilterOf<R>): number
  /** Smallest number in `field`; undefined for none. */
  min(field: NumericField<R>, filter?: FilterOf<R>): number | undefined
  /** Largest number in `field`; undefined for none. */
  max(field: NumericField<R>, filter?: FilterOf<R>): number | undefined
}

/** The reads of one bucket over one source. */
export class Reads<R, K = unknown, L = AnyLinks> implements BucketReader<R, K, L> {
  readonly #source: Source
  readonly #recorder: ReadRecorder | undefined
  readonly #answerFrom: ((question: Question) => unknown) | undefined
  readonly #peers: Peers | undefined

  /**
   * @param recorder is told what is read.
   * @param answerFrom answers questions, and records what that reads, in place of `source` and `recorder`.
   * @param peers for what queries include of other buckets.
   */
  constructor(source: Source, recorder?: ReadRecorder, answerFrom?: (question: Question) => unknown, peers?: Peers) {
    this.#source = source
    this.#recorder = recorder
    this.#answerFrom = answerFrom
    this.#peers = peers
  }

  get(key: K): R | undefined {
    const checked = this.#key('get(key)', key)
    this.#recorder?.readKey(this.#source.bucket, checked)
    return this.#source.get(checked) as R | undefined
  }

  has(key: K): boolean {
    return this.get(key) !== undefined
  }

  all(): R[] {
    return this.ask({ spec: specOf(this.#source.bucket, EVERYTHING), want: ROWS }) as R[]
  }

  keys(): (K & Key)[] {
    this.#recorder?.readWhere(this.#source.bucket, undefined)
    return this.#source.keys() as (K & Key)[]
  }

  where(filter: FilterOf<R>): R[] {
    return this.ask({ spec: this.specFor('where(filter)', filter), want: ROWS }) as R[]
  }

  findOne(filter: FilterOf<R>): R | undefined {
    return this.ask({ spec: this.specFor('findOne(filter)', filter), want: { kind: 'first' } }) as R | undefined
  }

  count(filter?: FilterOf<R>): number {
    return this.ask({ spec: this.specFor('count(filter)', orAll(filter)), want: { kind: 'count' } }) as number
  }

  first(n: number): R[] {
    parseCount(n, 0, this.#at('first(n)'))
    return this.#take(n, undefined)
  }

  #take(n: number, after: Key | undefined): R[] {
    this.#recorder?.readWhere(this.#source.bucket, undefined)
    const found: StoredRecord[] = []
    if (n === 0) return []
    this.#source.forEachInOrder(after, (record) => found.push(record) < n)
    return found as unknown as R[]
  }

  last(n: number): R[] {
    parseCount(n, 0, this.#at('last(n)'))
    this.#recorder?.readWhere(this.#source.bucket, undefined)
    return this.#source.last(n) as unknown as R[]
  }

  paginate(options: PaginateOptions<K>): PaginatedResult<R, K> {
    const name = 'paginate({ limit, after })'
    if (typeof options !== 'object' || options === null) throw this.#invalid(name, 'an object with a limit', options)
    const { limit, after } = this.#readOptions(name, options)
    parseCount(limit, 1, this.#at('paginate({ limit })'))
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
    return this.#aggregate('sum', field, filter) as number
  }

  avg(field: NumericField<R>, filter?: FilterOf<R>): number {
    return this.#aggregate('avg', field, filter) as number
  }

  min(field: NumericField<R>, filter?: FilterOf<R>): number | undefined {
    return this.#aggregate('min', field, filter)
  }

  max(field: NumericField<R>, filter?: FilterOf<R>): number | undefined {
    return this.#aggregate('max', field, filter)
  }

  #aggregate(kind: 'sum' | 'avg' | 'min' | 'max', path: string, filter: FilterOf<R> | undefined): number | undefined {
    parsePath(path, `bucket("${this.#source.bucket}").${kind}(field)`)
    return this.ask({ spec: this.specFor(`${kind}(field, filter)`, orAll(filter)), want: { kind, path } }) as
      | number
      | undefined
  }

  /** A query of the records that match; all, without a filter. It is read when it is run. */
  query(filter?: FilterOf<R>): SyncQuery<R, R, L> {
    return makeSyncQuery<R, L>(this.specFor('query(filter)', orAll(filter)), (question) => this.ask(question))
  }

  /** The query that `filter` means. */
  specFor(method: string, filter: unknown): QuerySpec {
    return specOf(this.#source.bucket, this.#filter(method, filter))
  }

  /** The answer to a question about this bucket. */
  ask(question: Question): unknown {
    const { spec, want } = question
    const isIncluding = spec.include.length > 0
    // How many records were looked at is nothing that could be kept up to date.
    const isExplained = want.kind === 'explain'
    if (this.#answerFrom !== undefined && !isExplained) {
      // Before it is answered: what misses a bucket has to hear when that is defined.
      if (isIncluding) lookUpBuckets(spec.include, spec.bucket, this.#peers as Peers)
      return this.#answerFrom(question)
    }
    if (isIncluding) return answerIncluded(question, this.#peers as Peers)
    this.#recorder?.readWhere(spec.bucket, isExplained ? undefined : spec.filter)
    return answer(this.#source, question)
  }

  #filter(method: string, filter: unknown): Filter {
    return parseFilter(filter, this.#at(method))
  }

  #key(method: string, key: unknown): Key {
    if (isKey(key)) return key
    throw this.#invalid(method, 'a key: a string, finite number or boolean', key)
  }

  #invalid(method: string, expected: string, given: unknown): InvalidArgumentError {
    return new InvalidArgumentError(this.#at(method), expected, given)
  }

  #at(method: string): string {
    return `bucket("${this.#source.bucket}").${method}`
  }
}

/** No filter means all records; what is given has to be one. */
function orAll(filter: unknown): unknown {
  return filter === undefined ? {} : filter
}
