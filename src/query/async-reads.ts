import type { Key } from '../base/value.js'
import type { FilterOf, NumericField } from '../schema/infer.js'
import type { AnyLinks } from '../schema/links.js'
import { parseFilter } from './filter.js'
import type { SubscribeLive } from './live.js'
import { makeQuery, Refusal } from './query-value.js'
import type { Query } from './query.js'
import { specOf } from './query-spec.js'
import type { Question, QuerySpec } from './query-spec.js'
import type { BucketReader, PaginatedResult, PaginateOptions, Reads } from './reads.js'

/** `BucketReader` with promises: what handles of buckets, transactions and queries have in common. */
export type AsyncBucketReader<R, K = unknown, L = AnyLinks> = {
  readonly [M in Exclude<keyof BucketReader<R, K>, 'where' | 'query'>]: BucketReader<R, K>[M] extends (
    ...args: infer A
  ) => infer T
    ? (...args: A) => Promise<T>
    : never
} & {
  where(filter: FilterOf<R>): Query<R, R, L>
  query(filter?: FilterOf<R>): Query<R, R, L>
}

/** What reads need of their bucket. */
export interface ReadsHost {
  readonly name: string
  /** Runs `read` again for as long as one of the other buckets that it needs is being loaded. */
  withPeers<T>(read: () => Promise<T>): Promise<T>
}

/** The reads of a bucket behind promises. A subclass says when and over what they run. */
export abstract class AsyncReads<R, K = unknown, L = AnyLinks> implements AsyncBucketReader<R, K, L> {
  readonly #host: ReadsHost
  readonly #live: SubscribeLive | undefined

  /** @param live subscribes to queries; undefined where there is nothing to subscribe to. */
  constructor(host: ReadsHost, live?: SubscribeLive) {
    this.#host = host
    this.#live = live
  }

  /** Name of the bucket. */
  get name(): string {
    return this.#host.name
  }

  /** Runs `read` as soon as the bucket can answer; rejects with whatever it throws. */
  protected abstract read<T>(read: (reads: Reads<R, K>) => T): Promise<T>

  /** The record under `key`, compared without conversion: `'1'` is not `1`. */
  get(key: K): Promise<R | undefined> {
    return this.read((reads) => reads.get(key))
  }

  /** Whether there is a record under `key`. */
  has(key: K): Promise<boolean> {
    return this.read((reads) => reads.has(key))
  }

  /** All records, in insertion order. */
  all(): Promise<R[]> {
    return this.read((reads) => reads.all())
  }

  /** All keys, in the order of `first`. */
  keys(): Promise<(K & Key)[]> {
    return this.read((reads) => reads.keys())
  }

  /**
   * A query of the records that match; `{}` means all. Awaited, it gives them in insertion order, unless `orderBy` says
   * another. Nothing is read before.
   */
  where(filter: FilterOf<R>): Query<R, R, L> {
    return this.#query('where(filter)', filter)
  }

  /** As `where`; all records, without a filter. */
  query(filter?: FilterOf<R>): Query<R, R, L> {
    return this.#query('query(filter)', filter === undefined ? {} : filter)
  }

  #query(method: string, filter: unknown): Query<R, R, L> {
    const argument = `bucket("${this.name}").${method}`
    let made: QuerySpec | Refusal
    // Read now, so that the filter can be changed afterwards; said when it is asked, because a promise does not throw.
    try {
      made = specOf(this.name, parseFilter(filter, argument))
    } catch (error) {
      made = new Refusal(error)
    }
    return makeQuery<R, L>(made, (question) => this.ask(question), this.#live)
  }

  /** Answers a question as soon as all buckets that it is about can. */
  protected ask(question: Question): Promise<unknown> {
    const ask = (): Promise<unknown> => this.read((reads) => reads.ask(question))
    return question.spec.include.length === 0 ? ask() : this.#host.withPeers(ask)
  }

  /** The first record that matches. */
  findOne(filter: FilterOf<R>): Promise<R | undefined> {
    return this.read((reads) => reads.findOne(filter))
  }

  /** How many records there are, or how many match. */
  count(filter?: FilterOf<R>): Promise<number> {
    return this.read((reads) => reads.count(filter))
  }

  /** The first `n` records: by insertion, or by key in an `ordered_set`. */
  first(n: number): Promise<R[]> {
    return this.read((reads) => reads.first(n))
  }

  /** The last `n` records, in the same order. */
  last(n: number): Promise<R[]> {
    return this.read((reads) => reads.last(n))
  }

  /** The next `limit` records in the order of `first`. */
  paginate(options: PaginateOptions<K>): Promise<PaginatedResult<R, K>> {
    return this.read((reads) => reads.paginate(options))
  }

  /** Sum of the numbers in `field`; other values do not count. 0 for none. */
  sum(field: NumericField<R>, filter?: FilterOf<R>): Promise<number> {
    return this.read((reads) => reads.sum(field, filter))
  }

  /** Mean of the numbers in `field`; 0 for none. */
  avg(field: NumericField<R>, filter?: FilterOf<R>): Promise<number> {
    return this.read((reads) => reads.avg(field, filter))
  }

  /** Smallest number in `field`; undefined for none. */
  min(field: NumericField<R>, filter?: FilterOf<R>): Promise<number | undefined> {
    return this.read((reads) => reads.min(field, filter))
  }

  /** Largest number in `field`; undefined for none. */
  max(field: NumericField<R>, filter?: FilterOf<R>): Promise<number | undefined> {
    return this.read((reads) => reads.max(field, filter))
  }
}
