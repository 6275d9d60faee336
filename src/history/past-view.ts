import { InvalidArgumentError } from '../base/errors.js'
import type { StoredRecord } from '../base/value.js'
import type { Bucket } from '../commit/bucket.js'
import { BucketNotDefinedError } from '../commit/errors.js'
import type { Captured } from '../lifecycle/capture.js'
import { capture } from '../lifecycle/capture.js'
import type { Collators } from '../query/order.js'
import type { BucketReader } from '../query/reads.js'
import { Reads } from '../query/reads.js'
import type { Refs } from '../query/relation.js'
import { TableSource } from '../query/source.js'
import { deepFreeze } from '../schema/copy-value.js'
import type { KeyOf, RecordOf } from '../schema/infer.js'
import type { Links } from '../schema/links.js'
import { Table } from '../state/table.js'
import type { TableOptions } from '../state/table.js'
import type { BucketName, Named, StoreView } from '../store-contexts.js'
import type { AnyBuckets } from '../store-options.js'
import { ChangesSince } from './changes-since.js'
import type { RowsOf } from './changes-since.js'
import { checkSignal } from './check-signal.js'
import { HistoryGoneError, NotYetCommittedError } from './errors.js'
import type { LogAccess } from './log-access.js'
import { entryAfter, oldestState, readRange } from './log-access.js'

/** What `store.at` takes besides the moment. */
export interface AtOptions<N = string> {
  /** Only these buckets will be looked at: the others cost nothing. Default: all. */
  readonly buckets?: readonly N[]
  /** Ends the reading of the log; `at` then rejects with its reason. */
  readonly signal?: AbortSignal
}

/** A bucket as it is now: what the way back begins with. */
interface Present {
  readonly persistent: boolean
  readonly key: string
  readonly options: TableOptions
  readonly collators: Collators
  readonly refs: Refs
  readonly rows: RowsOf
}

/** A bucket as it was. */
interface PastBucket {
  readonly source: TableSource
  readonly reads: Reads<never>
}

/** All buckets as they were after one commit. What a store does later does not change it. */
export class PastView<B = AnyBuckets> implements StoreView<B> {
  /** The commit whose state this is. */
  readonly seq: number
  readonly #present: Map<string, Present>
  readonly #since: ChangesSince
  readonly #past = new Map<string, PastBucket>()

  constructor(seq: number, present: Map<string, Present>, since: ChangesSince) {
    this.seq = seq
    this.#present = present
    this.#since = since
  }

  /**
   * The reads of a bucket as it was, at once. The first call for a bucket puts its rows together; queries then scan them,
   * because indexes of the past would cost more than they save.
   *
   * A bucket that was defined later is empty, because definitions are not in the log.
   *
   * @throws {BucketNotDefinedError} it is not defined now, or was not among the buckets that `at` was asked for.
   * @throws {HistoryGoneError} it was cleared or dropped since, and erased from the log with that; or it is not stored.
   */
  bucket<N extends BucketName<B>>(name: N): BucketReader<RecordOf<Named<B, N>>, KeyOf<Named<B, N>>, Links<B, N>> {
    return this.#of(name).reads as unknown as BucketReader<RecordOf<Named<B, N>>, KeyOf<Named<B, N>>, Links<B, N>>
  }

  #of(name: string): PastBucket {
    let past = this.#past.get(name)
    if (past === undefined) {
      const source = this.#sourceOf(name)
      // What is included from other buckets is as it was, too.
      const reads = new Reads<never>(source, undefined, undefined, (other) => {
        const peer = this.#of(other)
        return { source: peer.source, reads: () => peer.reads }
      })
      past = { source, reads }
      this.#past.set(name, past)
      // The rows are in the table now.
      this.#present.delete(name)
    }
    return past
  }

  #sourceOf(name: string): TableSource {
    const where = `at(${this.seq}).bucket("${name}")`
    const present = this.#present.get(name)
    if (present === undefined) throw new BucketNotDefinedError(name)
    const { persistent, key, options, collators, refs, rows } = present
    if (!persistent) {
      const why = 'it is kept in memory only, and the log says nothing about it'
      throw new HistoryGoneError(where, why, Number.POSITIVE_INFINITY, name)
    }
    const erasedAt = this.#since.erasedAt(name)
    if (erasedAt > 0) {
      const why = 'it was cleared or dropped later, and what was in it was erased with that'
      throw new HistoryGoneError(where, why, erasedAt, name)
    }
    const then = this.#since.rowsThen(name, rows, key)
    if (then === undefined) {
      const why = 'its log was written by something that does not note where deleted records stood'
      throw new HistoryGoneError(where, why, Number.POSITIVE_INFINITY, name)
    }
    const table = new Table(options)
    for (const { ordinal, record } of then) table.load(ordinal, deepFreeze(record))
    return new TableSource(() => table, collators, refs)
  }
}

/**
 * All buckets as they were after commit `when`, or at that time.
 *
 * @throws {InvalidArgumentError} @throws {HistoryGoneError} @throws {NotYetCommittedError} @throws the reason of the signal.
 */
export async function viewAt(
  when: number | Date,
  options: AtOptions,
  access: LogAccess,
  now: () => Captured,
): Promise<PastView> {
  const { buckets: wanted, signal } = checkArguments(when, options)
  const { present, latest, at } = await capture(now, (buckets, seq, wallClock) => {
    for (const name of wanted ?? []) {
      if (!buckets.some((bucket) => bucket.name === name)) throw new BucketNotDefinedError(name)
    }
    const taken = buckets.filter(({ name }) => wanted?.includes(name) !== false)
    return { present: new Map(taken.map((bucket) => [bucket.name, presentOf(bucket)])), latest: seq, at: wallClock }
  })
  const seq = typeof when === 'number' ? when : await seqAt(when.getTime(), latest, at, access)
  if (seq > latest) throw new NotYetCommittedError(`at(${seq})`, 'there is no such commit yet', latest)
  const since = new ChangesSince(wanted)
  let last = seq
  for await (const entry of readRange(access, seq, latest, signal)) {
    if (entry.seq !== last + 1) throw gone(seq, last + 1, entry.seq - 1)
    last = entry.seq
    since.add(entry)
  }
  if (last !== latest) throw gone(seq, last + 1, latest)
  if (typeof when !== 'number' && seq === 0 && hadRows(present, since)) {
    const why = 'there were records before the first commit of its log, as in a key-value place that was opened anew'
    throw new HistoryGoneError(`at(${when.toISOString()})`, why, 0)
  }
  return new PastView(seq, present, since)
}

/** Whether there were records then: before the first commit there are none, unless they have outlived the log. */
function hadRows(present: ReadonlyMap<string, Present>, since: ChangesSince): boolean {
  return [...present].some(([name, { persistent, key, rows }]) => {
    return persistent && since.erasedAt(name) === 0 && since.rowsThen(name, rows, key)?.length !== 0
  })
}

function gone(seq: number, first: number, last: number): HistoryGoneError {
  const which = first === last ? `commit ${first} is` : `commits ${first} to ${last} are`
  return new HistoryGoneError(`at(${seq})`, `${which} not in the log any more, or damaged`, last)
}

function presentOf({ name, persistent, schema, source, table }: Bucket): Present {
  const ordinals: number[] = []
  const records: StoredRecord[] = []
  table.forEach((slot) => {
    ordinals.push(slot.ordinal)
    records.push(slot.record)
  })
  const options = { bucket: name, key: schema.key, indexes: [], byKey: table.options.byKey, eviction: undefined }
  return {
    persistent,
    key: schema.key,
    options,
    collators: source.collators,
    refs: source.refs,
    rows: { ordinals, records },
  }
}

/** The last commit at or before a time. Halves the log, whose times never go back (L2), so it reads few entries. */
async function seqAt(time: number, latest: number, now: number, access: LogAccess): Promise<number> {
  const where = `at(${new Date(time).toISOString()})`
  if (time > now) throw new NotYetCommittedError(where, 'that time has not come yet', latest)
  if (time === now) return latest
  const oldest = await oldestState(access, latest)
  let low = oldest
  let high = latest
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    const entry = await entryAfter(access, middle - 1)
    if (entry !== undefined && entry.seq <= high && entry.at <= time) low = entry.seq
    else high = middle - 1
  }
  // Before the first commit of all there was nothing; before the first one that is kept there was nobody knows what.
  if (low === oldest && oldest > 0) throw new HistoryGoneError(where, 'history does not go back so far', oldest)
  return low
}

function checkArguments(when: unknown, options: AtOptions): AtOptions {
  const isSeq = Number.isSafeInteger(when) && (when as number) >= 0
  const isDate = when instanceof Date && !Number.isNaN(when.getTime())
  if (!isSeq && !isDate) throw new InvalidArgumentError('at(when)', 'a seq from 0, or a date', when)
  if (typeof options !== 'object' || options === null) {
    throw new InvalidArgumentError('at(when, options)', 'an object { buckets, signal }', options)
  }
  const { buckets, signal } = options
  if (buckets !== undefined && !Array.isArray(buckets)) {
    throw new InvalidArgumentError('at(when, { buckets })', 'an array of names', buckets)
  }
  checkSignal('at(when, { signal })', signal)
  return options
}
