import { assert } from '../base/assert.js'
import type { Key, StoredRecord } from '../base/value.js'
import type { Change } from '../log/entry.js'
import { fieldOf } from './field-path.js'
import { filterText } from './filter.js'
import type { Filter, Scalar } from './filter.js'
import { IntervalTree } from './interval-tree.js'
import type { IntervalNode } from './interval-tree.js'
import { choosePlaces } from './places.js'
import type { Crowd, Place } from './places.js'
import { touches } from './read-set.js'

/**
 * What can be read of a bucket: that it is there; all of it; one record, present or absent; the records that match a filter,
 * none of them or all.
 */
export type Interest = 'bucket' | 'all' | { readonly key: Key } | { readonly filter: Filter }

/** One interest and all who have it: equal interests are one, so that each is tested once per change. */
export interface Entry<D> {
  readonly bucket: BucketPredicates<D>
  /** Undefined for interests without a filter. */
  readonly filter: Filter | undefined
  /** Under which the bucket knows it: the key, or a text. */
  readonly name: Key
  readonly isKey: boolean
  readonly dependents: Set<D>
  /** Where its filter waits; undefined where it is asked about every change. */
  places: readonly TakenPlace<D>[] | undefined
  /** Number of the last footprint that was found to touch it. */
  touchedIn: number
}

/** A place, and what takes the entry away from it. */
export interface TakenPlace<D> {
  readonly place: Place
  readonly node: IntervalNode<Entry<D>> | undefined
}

/** Who waits at one field. */
export interface PathPredicates<D> {
  readonly values: Map<Scalar | null, Set<Entry<D>>>
  readonly ranges: { readonly number: IntervalTree<Entry<D>>; readonly string: IntervalTree<Entry<D>> }
}

/** The inside of a `BucketPredicates`. */
export interface BucketPredicatesParts<D> {
  readonly keys: ReadonlyMap<Key, Entry<D>>
  readonly others: ReadonlyMap<string, Entry<D>>
  readonly paths: ReadonlyMap<string, PathPredicates<D>>
  readonly residual: ReadonlySet<Entry<D>>
}

/** What everybody has read of one bucket, by what can change it. See `PredicateIndex`, whose part it is. */
export class BucketPredicates<D> implements Crowd {
  readonly name: string
  readonly #keys = new Map<Key, Entry<D>>()
  /** Filters by their text, which begins with a brace, and the other interests by their names. */
  readonly #others = new Map<string, Entry<D>>()
  readonly #paths = new Map<string, PathPredicates<D>>()
  readonly #residual = new Set<Entry<D>>()

  constructor(name: string) {
    this.name = name
  }

  get isEmpty(): boolean {
    return this.#keys.size === 0 && this.#others.size === 0
  }

  /** See `Crowd`. */
  at(path: string, value: Scalar | null): number {
    return this.#paths.get(path)?.values.get(value)?.size ?? 0
  }

  /** See `Crowd`. */
  valuesOf(path: string): number {
    return this.#paths.get(path)?.values.size ?? 0
  }

  /** The entry of an interest, which is made where there is none. Whoever asks for it adds a dependent. */
  entry(interest: Interest): Entry<D> {
    const isKey = typeof interest === 'object' && 'key' in interest
    const filter = typeof interest === 'object' && 'filter' in interest ? interest.filter : undefined
    const name = isKey ? interest.key : filter === undefined ? (interest as string) : filterText(filter)
    const entries: Map<Key, Entry<D>> = isKey ? this.#keys : this.#others
    let entry = entries.get(name)
    if (entry === undefined) {
      entry = { bucket: this, filter, name, isKey, dependents: new Set(), places: undefined, touchedIn: 0 }
      entries.set(name, entry)
      if (filter !== undefined) this.#place(entry, filter)
    }
    return entry
  }

  #place(entry: Entry<D>, filter: Filter): void {
    entry.places = choosePlaces(filter, this)?.map((place) => ({ place, node: this.#take(place, entry) }))
    if (entry.places === undefined) this.#residual.add(entry)
  }

  #take(place: Place, entry: Entry<D>): TakenPlace<D>['node'] {
    let at = this.#paths.get(place.path)
    if (at === undefined) {
      at = { values: new Map(), ranges: { number: new IntervalTree(), string: new IntervalTree() } }
      this.#paths.set(place.path, at)
    }
    if (place.isRange) return at.ranges[typeof place.low as 'number'].add(place.low, place.high, entry)
    const waiting = at.values.get(place.value)
    if (waiting === undefined) at.values.set(place.value, new Set([entry]))
    else waiting.add(entry)
    return undefined
  }

  /** Removes an entry that has no dependents any more. */
  remove(entry: Entry<D>): void {
    const entries: Map<Key, Entry<D>> = entry.isKey ? this.#keys : this.#others
    assert(entries.delete(entry.name), 'Q4', `bucket ${this.name}: an interest that is removed is not in the index`)
    if (entry.filter === undefined) return
    if (entry.places === undefined) this.#residual.delete(entry)
    else for (const one of entry.places) this.#leave(one, entry)
  }

  #leave({ place, node }: TakenPlace<D>, entry: Entry<D>): void {
    // A filter may have the same place twice, through two branches: then it has left already.
    const at = this.#paths.get(place.path)
    if (at === undefined) return
    const { values, ranges } = at
    if (place.isRange) ranges[typeof place.low as 'number'].remove(node as IntervalNode<Entry<D>>)
    else {
      const waiting = values.get(place.value)
      waiting?.delete(entry)
      if (waiting?.size === 0) values.delete(place.value)
    }
    if (values.size === 0 && ranges.number.isEmpty && ranges.string.isEmpty) this.#paths.delete(place.path)
  }

  /** Calls `hit` for each entry that `change` touches, except for those that `footprint` has been found to touch already. */
  forTouched(change: Change, footprint: number, hit: (entry: Entry<D>) => void): void {
    const { key, before, after } = change
    const ask = (entry: Entry<D> | undefined): void => {
      if (entry === undefined || entry.touchedIn === footprint) return
      if (entry.filter === undefined || touches(entry.filter, change)) hit(entry)
    }
    ask(this.#others.get('all'))
    ask(this.#keys.get(key))
    for (const [path, at] of this.#paths) {
      const from = before && valueAt(before, path)
      const to = after && valueAt(after, path)
      if (from !== undefined) forWaiting(at, from, ask)
      if (to !== undefined && to !== from) forWaiting(at, to, ask)
    }
    this.#residual.forEach(ask)
  }

  /** Calls `hit` for every entry. */
  forEach(hit: (entry: Entry<D>) => void): void {
    this.#keys.forEach(hit)
    this.#others.forEach(hit)
  }

  /** For `checkPredicateIndex`, which is apart so that no bundle has it. */
  get parts(): BucketPredicatesParts<D> {
    return { keys: this.#keys, others: this.#others, paths: this.#paths, residual: this.#residual }
  }
}

/** What filters can wait for; undefined for arrays and objects. */
function valueAt(record: StoredRecord, path: string): Scalar | null | undefined {
  const value = fieldOf(record, path) ?? null
  return typeof value === 'object' && value !== null ? undefined : value
}

function forWaiting<D>(
  { values, ranges }: PathPredicates<D>,
  value: Scalar | null,
  ask: (entry: Entry<D>) => void,
): void {
  values.get(value)?.forEach(ask)
  if (typeof value === 'number' || typeof value === 'string') ranges[typeof value as 'number'].forEachAt(value, ask)
}
