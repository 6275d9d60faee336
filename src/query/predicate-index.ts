import type { Change } from '../log/entry.js'
import { BucketPredicates } from './bucket-predicates.js'
import type { Entry, Interest } from './bucket-predicates.js'
import type { Footprint } from './read-set.js'

/**
 * Finds those whose reads a commit touches, at a cost that depends on how many they are and not on how many there are.
 *
 * Keys are looked up. A filter waits where the records that may match it come by: at values of a field (`eq`, `in`), or at a
 * range of values (`gt`, `gte`, `lt`, `lte`, `between`, `startsWith`), or at one such place for each branch of an `or`; who
 * waits where a changed record was or is, is asked whether it matches. Filters that say nothing of this kind are asked every
 * time. So the answer is that of `ReadSet.touchedBy` for each dependent (Q4).
 *
 * Source: predicate indexing as in database triggers (Hanson et al., A predicate matching algorithm for database rule systems,
 * SIGMOD 1990).
 */
export class PredicateIndex<D> {
  readonly #buckets = new Map<string, BucketPredicates<D>>()
  #footprints = 0

  /** Whether nobody depends on anything. Nothing is kept then. */
  get isEmpty(): boolean {
    return this.#buckets.size === 0
  }

  /** `dependent` has read `interest` of `bucket`. May be said more than once. @returns what `remove` takes. */
  add(bucket: string, interest: Interest, dependent: D): Entry<D> {
    let at = this.#buckets.get(bucket)
    if (at === undefined) this.#buckets.set(bucket, (at = new BucketPredicates<D>(bucket)))
    const entry = at.entry(interest)
    entry.dependents.add(dependent)
    return entry
  }

  /** `dependent` does not depend on it any more. Does nothing where it did not. */
  remove(entry: Entry<D>, dependent: D): void {
    const { bucket, dependents } = entry
    if (!dependents.delete(dependent) || dependents.size > 0) return
    bucket.remove(entry)
    if (bucket.isEmpty) this.#buckets.delete(bucket.name)
  }

  /**
   * Calls `visit` once for each dependent that the footprint touches. It finds all before it calls the first, so `visit` may add
   * and remove. A bucket that was emptied, or has come or gone, touches all who have read anything of it.
   */
  forTouched({ changes, cleared }: Footprint, visit: (dependent: D) => void): void {
    if (this.#buckets.size === 0) return
    const footprint = ++this.#footprints
    let found: Set<D> | undefined
    const hit = (entry: Entry<D>): void => {
      entry.touchedIn = footprint
      found ??= new Set()
      for (const dependent of entry.dependents) found.add(dependent)
    }
    for (const bucket of cleared) this.#buckets.get(bucket)?.forEach(hit)
    for (const change of changes) this.#buckets.get(change.bucket)?.forTouched(change, footprint, hit)
    found?.forEach(visit)
  }

  /**
   * As `forTouched`, for one change, at once: `visit` must not add or remove, and is called for each interest of a dependent.
   */
  forInterested(change: Change, visit: (dependent: D) => void): void {
    const footprint = ++this.#footprints
    this.#buckets.get(change.bucket)?.forTouched(change, footprint, (entry) => {
      entry.touchedIn = footprint
      entry.dependents.forEach(visit)
    })
  }

  /** For `checkPredicateIndex`, which is apart so that no bundle has it. */
  get parts(): ReadonlyMap<string, BucketPredicates<D>> {
    return this.#buckets
  }
}
