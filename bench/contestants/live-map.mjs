/**
 * The limit of live results: lists over a `MapStore` that are kept by hand for exactly the questions that are asked, with what
 * Varve promises of a result: each is an array that does not change afterwards, and all who ask the same get the same one.
 */
import { MapStore } from './map.mjs'

/** Rows beyond a limit that are kept, so that one that leaves is followed at once. */
const SPARE = 32

/** Rows in order; a change costs a binary search and, for who listens, a copy. */
class SortedRows {
  listeners = []
  #kept
  #compare
  #limit
  #refill

  constructor(refill, compare, limit) {
    this.#refill = refill
    this.#compare = compare
    this.#limit = limit
    this.#fill()
  }

  #fill() {
    this.#kept = this.#refill().sort(this.#compare)
    if (this.#kept.length > this.#limit + SPARE) this.#kept.length = this.#limit + SPARE
  }

  #placeOf(record) {
    let low = 0
    let high = this.#kept.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compare(this.#kept[middle], record) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  change(before, after) {
    const kept = this.#kept
    const from = this.#placeOf(before)
    const wasKept = kept[from] === before
    let to = this.#placeOf(after)
    if (wasKept) {
      if (to > from) to--
      if (from === to) kept[from] = after
      else {
        kept.splice(from, 1)
        kept.splice(to, 0, after)
      }
    } else {
      if (to >= kept.length) return
      kept.splice(to, 0, after)
      if (kept.length > this.#limit + SPARE) kept.pop()
    }
    if (kept.length < this.#limit && this.#limit !== Number.POSITIVE_INFINITY) this.#fill()
    if ((wasKept && from < this.#limit) || to < this.#limit) this.#tell()
  }

  #tell() {
    const rows = this.#kept.slice(0, this.#limit)
    for (const listen of this.listeners) listen(rows)
  }
}

const byId = (a, b) => (a.id < b.id ? -1 : 1)

class LiveMap extends MapStore {
  #keys = new Map()
  #cities = new Map()
  #lists = new Map()

  live({ where, orderBy, isDescending, limit }, callback) {
    const { id, city } = where
    if (id !== undefined) return listen(this.#keys, id, callback)
    if (city !== undefined) return listen(this.#cities, city, callback)
    const name = JSON.stringify([where, orderBy, limit])
    let list = this.#lists.get(name)
    if (list === undefined) {
      const sign = isDescending ? -1 : 1
      const compare = orderBy === undefined ? byId : (a, b) => sign * (a[orderBy] - b[orderBy]) || byId(a, b)
      const isIn = (record) => where.role === undefined || record.role === where.role
      list = new SortedRows(() => [...this.all()].filter(isIn), compare, limit ?? Number.POSITIVE_INFINITY)
      list.isIn = isIn
      this.#lists.set(name, list)
    }
    list.listeners.push(callback)
    return () => {
      list.listeners.splice(list.listeners.indexOf(callback), 1)
      if (list.listeners.length === 0) this.#lists.delete(name)
    }
  }

  write(key, age) {
    const before = this.get(key)
    const after = this.update(key, { age })
    this.#keys.get(key)?.forEach((callback) => callback([after]))
    this.#tellCity(after.city)
    for (const list of this.#lists.values()) if (list.isIn(after)) list.change(before, after)
  }

  #tellCity(city) {
    const listeners = this.#cities.get(city)
    if (listeners === undefined) return
    const rows = this.where(city)
    for (const callback of listeners) callback(rows)
  }

  /** Several writes, and each who listens to a city is told once. */
  writeAll(writes) {
    const cities = new Set()
    for (const [key, age] of writes) cities.add(this.update(key, { age }).city)
    for (const city of cities) this.#tellCity(city)
  }
}

function listen(listeners, name, callback) {
  listeners.set(name, [...(listeners.get(name) ?? []), callback])
  return () => listeners.delete(name)
}

export function openLiveMap() {
  return new LiveMap()
}
