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

/** Is told of everything that is read. */
export interface ReadRecorder {
  /** The bucket was asked for: that it is there was read, but nothing in it. */
  readNothing(bucket: string): void
  /** The record under `key` was read, or found missing. */
  readKey(bucket: string, key: Key): void
  /** The records that match were read, none of them or all; without a filter, the whole bucket. */
  readWhere(bucket: string, filter: Filter | undefined): void
}

/**
 * What has been read: keys (present or absent) and predicates over buckets. A commit that does not touch it cannot
 * change what was read. This one notion decides both whether a transaction conflicts and whether a query runs again.
 */
export class ReadSet implements ReadRecorder {
  readonly #buckets = new Map<string, BucketReads>()

  #reads(bucket: string): BucketReads {
    let reads = this.#buckets.get(bucket)
    if (reads === undefined) {
      reads = { all: false, keys: new Set(), filters: [] }
      this.#buckets.set(bucket, reads)
    }
    return reads
  }

  readNothing(bucket: string): void {
    this.#reads(bucket)
  }

  readKey(bucket: string, key: Key): void {
    this.#reads(bucket).keys.add(key)
  }

  readWhere(bucket: string, filter: Filter | undefined): void {
    const reads = this.#reads(bucket)
    if (reads.all) return
    if (filter === undefined || filter.conditions.length === 0 || reads.filters.length >= FILTERS_MAX) {
      reads.all = true
      reads.filters.length = 0
    } else reads.filters.push(filter)
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

function isTouched({ all, keys, filters }: BucketReads, change: Change): boolean {
  return all || keys.has(change.key) || filters.some((filter) => touches(filter, change))
}

/** Whether a change can change which records match, or what they are: the record matches, before it or after it. */
export function touches(filter: Filter, { before, after }: Change): boolean {
  return (before !== undefined && matches(filter, before)) || (after !== undefined && matches(filter, after))
}
