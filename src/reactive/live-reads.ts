import type { Key } from '../base/value.js'
import type { Entry, Interest } from '../query/bucket-predicates.js'
import type { Filter } from '../query/filter.js'
import type { PredicateIndex } from '../query/predicate-index.js'
import type { ReadRecorder } from '../query/read-set.js'

/**
 * What a query has read, in the index of its store, so that commits find it: what its last evaluation has read and, while one
 * is running, what that has read so far. An evaluation that reads what the one before it has read changes nothing there.
 */
export class LiveReads<D> implements ReadRecorder {
  readonly #index: PredicateIndex<D>
  readonly #dependent: D
  /** What is in the index, each with the number of the last evaluation that has read it. */
  readonly read: Map<Entry<D>, number> = new Map()
  #evaluation = 0
  /** So many of them, the first ones, count because the last evaluation that came to a result has read them. */
  #good = 0
  /** How many of them the current evaluation has read. */
  #count = 0
  #isEnded = false
  /** What has been read and is not in the index yet; undefined where everything goes there at once. */
  #held: [bucket: string, interest: Interest][] | undefined

  /** @param isHeld nothing goes into the index until `release`: most queries that run once are over before the next commit. */
  constructor(index: PredicateIndex<D>, dependent: D, isHeld: boolean) {
    this.#index = index
    this.#dependent = dependent
    this.#held = isHeld ? [] : undefined
  }

  readNothing(bucket: string): void {
    this.#note(bucket, 'bucket')
  }

  readKey(bucket: string, key: Key): void {
    this.#note(bucket, { key })
  }

  readWhere(bucket: string, filter: Filter | undefined): void {
    this.#note(bucket, filter === undefined || filter.conditions.length === 0 ? 'all' : { filter })
  }

  #note(bucket: string, interest: Interest): void {
    if (this.#isEnded) return
    if (this.#held !== undefined) {
      this.#held.push([bucket, interest])
      return
    }
    const entry = this.#index.add(bucket, interest, this.#dependent)
    if (this.read.get(entry) === this.#evaluation) return
    this.read.set(entry, this.#evaluation)
    this.#count++
  }

  /** From now on what is read, and was read, is in the index. */
  release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const [bucket, interest] of held) this.#note(bucket, interest)
  }

  /** An evaluation begins. What the one before it has read still counts. */
  begin(): void {
    this.#evaluation++
    this.#count = 0
  }

  /**
   * The evaluation has come to its end: what only those before it have read does not count any more.
   *
   * @param hasFailed then what the last one that has not has read still does.
   */
  keepCurrent(hasFailed: boolean): void {
    let kept = hasFailed ? this.#good : 0
    if (this.#count < this.read.size) {
      for (const [entry, evaluation] of this.read) {
        if (kept-- > 0 || evaluation === this.#evaluation) continue
        this.read.delete(entry)
        this.#index.remove(entry, this.#dependent)
      }
    }
    if (!hasFailed) this.#good = this.read.size
  }

  /** Takes everything out of the index. What is read from now on does not count. */
  end(): void {
    this.#isEnded = true
    for (const entry of this.read.keys()) this.#index.remove(entry, this.#dependent)
    this.read.clear()
  }
}
