import { assert } from '../base/assert.js'
import type { Key, StoredRecord } from '../base/value.js'
import type { Change, Entry } from '../log/entry.js'
import type { Row } from '../log/storage.js'
import { emptiedBy } from './log-access.js'

/** The rows of a bucket at some moment, by rising ordinal. Two arrays, because there may be millions of rows. */
export interface RowsOf {
  readonly ordinals: readonly number[]
  readonly records: readonly StoredRecord[]
}

/** What a record was at the moment looked at, and what is known about where it stood. */
interface Touched {
  /** Undefined: there was none under this key. */
  readonly before: StoredRecord | undefined
  /** Its ordinal, if it was deleted since; else it still stands where it stood. NaN where the log does not say. */
  ordinal: number | undefined
  /** The version of the record after the last change looked at; undefined where there is none. */
  version: unknown
}

/** What has happened to one bucket since. */
interface BucketChanges {
  readonly touched: Map<Key, Touched>
  /** The last commit since that has erased what the log said about the bucket; 0 for none. */
  erasedAt: number
}

/**
 * What has changed since a commit, collected from the entries after it in seq order: for each record that was touched, what it
 * was then. The first change of a record since says that, so memory is needed for the records that were touched, not for
 * the entries.
 *
 * Holds H1: each change of a record begins where the one before it ended, and the last ends at what the record is now.
 */
export class ChangesSince {
  readonly #buckets = new Map<string, BucketChanges>()
  readonly #only: readonly string[] | undefined

  /** @param only the buckets that will be asked about; undefined: all. */
  constructor(only?: readonly string[]) {
    this.#only = only
  }

  /** Takes in the next entry. */
  add(entry: Entry): void {
    for (const name of entry.redacted ?? []) this.#erase(name, entry.seq + 1)
    for (const name of emptiedBy(entry)) this.#erase(name, entry.seq)
    for (const change of entry.changes) {
      if (this.#only?.includes(change.bucket) !== false) this.#addChange(change, entry.seq)
    }
  }

  /** The last commit since that has taken what the log said about a bucket out of it; 0 for none. */
  erasedAt(bucket: string): number {
    return this.#buckets.get(bucket)?.erasedAt ?? 0
  }

  #of(bucket: string): BucketChanges {
    let changes = this.#buckets.get(bucket)
    if (changes === undefined) {
      changes = { touched: new Map(), erasedAt: 0 }
      this.#buckets.set(bucket, changes)
    }
    return changes
  }

  #erase(bucket: string, seq: number): void {
    const changes = this.#of(bucket)
    changes.touched.clear()
    changes.erasedAt = Math.max(changes.erasedAt, seq)
  }

  #addChange({ bucket, key, before, after, ordinal = Number.NaN }: Change, seq: number): void {
    const { touched } = this.#of(bucket)
    const known = touched.get(key)
    if (known === undefined) {
      touched.set(key, { before, ordinal: after === undefined ? ordinal : undefined, version: after?._version })
      return
    }
    const follows = known.version === before?._version
    assert(follows, 'H1', () => `entry ${seq}: bucket ${bucket}: a change does not begin where the last one ended`)
    // Where it stood then is where it stood until it was first deleted.
    if (after === undefined && known.before !== undefined) known.ordinal ??= ordinal
    known.version = after?._version
  }

  /**
   * The rows of a bucket as they were, by rising ordinal.
   *
   * @param now its rows after the last entry that was added.
   * @param key name of its key field.
   * @returns undefined where the log does not say in which order they were.
   */
  rowsThen(bucket: string, now: RowsOf, key: string): Row[] | undefined {
    const touched = this.#buckets.get(bucket)?.touched ?? new Map<Key, Touched>()
    const rows: Row[] = []
    let isPresent = 0
    now.records.forEach((record, at) => {
      const row = { ordinal: now.ordinals[at] as number, record }
      const since = touched.get(record[key] as Key)
      if (since === undefined) rows.push(row)
      else {
        isPresent++
        assert(since.version === record._version, 'H1', () => `bucket ${bucket}: rows and log do not agree`)
        if (since.before !== undefined && since.ordinal === undefined) rows.push({ ...row, record: since.before })
      }
    })
    const kept = rows.length
    let left = 0
    for (const { before, ordinal, version } of touched.values()) {
      if (version !== undefined) left++
      if (before !== undefined && ordinal !== undefined) rows.push({ ordinal, record: before })
    }
    assert(
      left === isPresent,
      'H1',
      () => `bucket ${bucket}: the log has ${left} records that were touched, not ${isPresent}`,
    )
    for (let at = kept; at < rows.length; at++) if (Number.isNaN((rows[at] as Row).ordinal)) return undefined
    return rows.length === kept ? rows : rows.sort((a, b) => a.ordinal - b.ordinal)
  }
}
