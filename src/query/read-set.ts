import type { Key } from '../base/value.js'
import type { Change } from '../log/entry.js'
import { matches } from './matches.js'
import type { Filter } from './filter.js'

/** More filters than this on one bucket are remembered as "all of it": testing them would cost more than it saves. */
const FILTERS_MAX = 200

interface BucketReads {
  /** Everything in the bucket was read, or a fact about all of it: a count, an order, an absence. */
  all: boolean
  readonly keys: Set<Key>
  readonly filters: Filter[]
}

/** What a commit did, as far as read sets are concerned. */
export interface Footprint {
  readonly changes: readonly Change[]
  readonly cleared: readonly string[]
}

/** Why a read set is touched: the change, or the bucket that was emptied. */
export type Touch = { readonly change: Change } | { readonly cleared: string }

/**
 * What has been read: keys (present or absent) and predicates over buckets. A commit that does not touch it cannot
 * change what was read. This one notion decides both whether a transaction conflicts and whether a query runs again.
 */
export class ReadSet {
  readonly #buckets = new Map<string, BucketReads>()

  #reads(bucket: string): BucketReads {
    let reads = this.#buckets.get(bucket)
    if (reads === undefined) {
      reads = { all: false, keys: new Set(), filters: [] }
      this.#buckets.set(bucket, reads)
    }
    return reads
  }

  /** Names of the buckets that were read. */
  get buckets(): Iterable<string> {
    return this.#buckets.keys()
  }

  /** The bucket was asked for: that it is there was read, but nothing in it. */
  readNothing(bucket: string): void {
    this.#reads(bucket)
  }

  /** The record under `key` was read, or found missing. */
  readKey(bucket: string, key: Key): void {
    this.#reads(bucket).keys.add(key)
  }

  /** The records that match were read, none of them or all; without a filter, the whole bucket. */
  readWhere(bucket: string, filter: Filter | undefined): void {
    const reads = this.#reads(bucket)
    if (reads.all) return
    if (filter === undefined || filter.conditions.length === 0 || reads.filters.length >= FILTERS_MAX) {
      reads.all = true
      reads.filters.length = 0
    } else reads.filters.push(filter)
  }

  /** Everything in `other` was read as well. */
  add(other: ReadSet): void {
    for (const [bucket, { all, keys, filters }] of other.#buckets) {
      const reads = this.#reads(bucket)
      for (const key of keys) reads.keys.add(key)
      for (const filter of filters) this.readWhere(bucket, filter)
      if (all) this.readWhere(bucket, undefined)
    }
  }

  /** The first thing in `footprint` that touches what was read. */
  touchedBy(footprint: Footprint): Touch | undefined {
    for (const cleared of footprint.cleared) if (this.#buckets.has(cleared)) return { cleared }
    for (const change of footprint.changes) {
      const reads = this.#buckets.get(change.bucket)
      if (reads !== undefined && isTouched(reads, change)) return { change }
    }
    return undefined
  }
}

function isTouched(reads: BucketReads, { key, before, after }: Change): boolean {
  if (reads.all || reads.keys.has(key)) return true
  for (const filter of reads.filters) {
    if (before !== undefined && matches(filter, before)) return true
    if (after !== undefined && matches(filter, after)) return true
  }
  return false
}
