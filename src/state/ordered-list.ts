/** Chunks are split beyond this many items: small enough to splice in well under a microsecond. */
const CHUNK_MAX = 512

/**
 * Items in the order of `compare`, which must be total and must not change while an item is in the list. Adding and
 * removing cost O(log n) comparisons and one splice of at most 512 items. Iterating while changing is not supported.
 *
 * No chunk is empty, and items rise strictly across all chunks (S3).
 */
export class OrderedList<T> {
  readonly #compare: (a: T, b: T) => number
  #chunks: T[][]
  #size: number
  /** Undefined after a change. */
  #startsKnown: number[] | undefined

  /** @param sorted items to start with, already in order; not kept. */
  constructor(compare: (a: T, b: T) => number, sorted: readonly T[] = []) {
    this.#compare = compare
    this.#chunks = []
    this.#size = sorted.length
    for (let i = 0; i < sorted.length; i += CHUNK_MAX) this.#chunks.push(sorted.slice(i, i + CHUNK_MAX))
  }

  get size(): number {
    return this.#size
  }

  /** The smallest item. */
  get first(): T | undefined {
    return this.#chunks[0]?.[0]
  }

  /** Adds an item that is not in the list. */
  add(item: T): void {
    this.#size++
    this.#startsKnown = undefined
    const last = this.#chunks.at(-1)
    if (last === undefined) {
      this.#chunks.push([item])
      return
    }
    // Most items come in rising order: spare them the search.
    if (this.#compare(last[last.length - 1] as T, item) < 0) {
      if (last.length < CHUNK_MAX) last.push(item)
      else this.#chunks.push([item])
      return
    }
    const at = this.#chunkOf(item)
    const chunk = this.#chunks[at] as T[]
    chunk.splice(this.#lowerBound(chunk, item), 0, item)
    if (chunk.length > CHUNK_MAX) this.#chunks.splice(at + 1, 0, chunk.splice(CHUNK_MAX / 2))
  }

  /** Removes an item. @returns false where it was not in the list. */
  delete(item: T): boolean {
    const at = this.#chunkOf(item)
    const chunk = this.#chunks[at]
    if (chunk === undefined) return false
    const index = this.#lowerBound(chunk, item)
    if (index >= chunk.length || this.#compare(chunk[index] as T, item) !== 0) return false
    this.#size--
    this.#startsKnown = undefined
    if (chunk.length === 1) this.#chunks.splice(at, 1)
    else chunk.splice(index, 1)
    return true
  }

  /** Index of the first chunk whose last item is not below `item`; the number of chunks where there is none. */
  #chunkOf(item: T): number {
    let low = 0
    let high = this.#chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const chunk = this.#chunks[middle] as T[]
      if (this.#compare(chunk[chunk.length - 1] as T, item) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  #lowerBound(chunk: readonly T[], item: T): number {
    let low = 0
    let high = chunk.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compare(chunk[middle] as T, item) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The items in order, from the first one above `after`, which need not be in the list. */
  *from(after?: T): IterableIterator<T> {
    let at = after === undefined ? 0 : this.#chunkOf(after)
    for (; at < this.#chunks.length; at++) {
      const chunk = this.#chunks[at] as T[]
      for (let i = after === undefined ? 0 : this.#lowerBound(chunk, after); i < chunk.length; i++) {
        const item = chunk[i] as T
        if (after === undefined || this.#compare(item, after) > 0) yield item
      }
    }
  }

  /** Where each chunk begins. */
  get #starts(): readonly number[] {
    if (this.#startsKnown === undefined) {
      let start = 0
      this.#startsKnown = this.#chunks.map((chunk) => (start += chunk.length) - chunk.length)
    }
    return this.#startsKnown
  }

  /** Index of the chunk that has the item at `place`. */
  #chunkAt(place: number): number {
    const starts = this.#starts
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if ((starts[middle] as number) <= place) low = middle
      else high = middle - 1
    }
    return low
  }

  /** The item at `place`, counted from 0. */
  at(place: number): T | undefined {
    if (place < 0 || place >= this.#size) return undefined
    const chunk = this.#chunkAt(place)
    return (this.#chunks[chunk] as T[])[place - (this.#starts[chunk] as number)]
  }

  /**
   * The first place from `from` to before `to` whose item is not `isBefore`; `to` where all are. `isBefore` must not be
   * true again after it was false. O(log n) calls.
   */
  partition(isBefore: (item: T) => boolean, from = 0, to: number = this.#size): number {
    if (from >= to) return to
    const starts = this.#starts
    let low = this.#chunkAt(from)
    let high = this.#chunkAt(to - 1)
    const last = high
    while (low < high) {
      const middle = (low + high) >>> 1
      const chunk = this.#chunks[middle] as T[]
      if (isBefore(chunk[chunk.length - 1] as T)) low = middle + 1
      else high = middle
    }
    const chunk = this.#chunks[low] as T[]
    const start = starts[low] as number
    let first = Math.max(0, from - start)
    let end = low === last ? to - start : chunk.length
    while (first < end) {
      const middle = (first + end) >>> 1
      if (isBefore(chunk[middle] as T)) first = middle + 1
      else end = middle
    }
    return start + first
  }

  /** The items at the places from `from` to before `to`. */
  slice(from: number, to: number): T[] {
    const items: T[] = []
    this.forEachIn(from, to, (item) => {
      items.push(item)
    })
    return items
  }

  /** Calls `visit` for the items at the places from `from` to before `to`, until it returns false. */
  forEachIn(from: number, to: number, visit: (item: T) => boolean | void): void {
    if (from >= to) return
    let place = from
    for (let at = this.#chunkAt(from); place < to; at++) {
      const chunk = this.#chunks[at] as T[]
      const start = this.#starts[at] as number
      for (const end = Math.min(to, start + chunk.length); place < end; place++) {
        if (visit(chunk[place - start] as T) === false) return
      }
    }
  }

  /** As `forEachIn`, from the last of these places to the first. */
  forEachBack(from: number, to: number, visit: (item: T) => boolean | void): void {
    if (from >= to) return
    let place = to - 1
    for (let at = this.#chunkAt(place); place >= from; at--) {
      const chunk = this.#chunks[at] as T[]
      const start = this.#starts[at] as number
      for (const end = Math.max(from, start); place >= end; place--) {
        if (visit(chunk[place - start] as T) === false) return
      }
    }
  }

  /** The last `n` items, in order. */
  last(n: number): T[] {
    const tail: T[][] = []
    let missing = n
    for (let at = this.#chunks.length - 1; at >= 0 && missing > 0; at--) {
      const chunk = this.#chunks[at] as T[]
      tail.push(chunk.slice(Math.max(0, chunk.length - missing)))
      missing -= chunk.length
    }
    return tail.reverse().flat()
  }

  /** Calls `visit` for each item in order until it returns false. */
  forEach(visit: (item: T) => boolean | void): void {
    for (const chunk of this.#chunks) {
      for (let i = 0; i < chunk.length; i++) if (visit(chunk[i] as T) === false) return
    }
  }

  /** `pick` of all items, in order. */
  map<P>(pick: (item: T) => P): P[] {
    if (this.#chunks.length === 1) return (this.#chunks[0] as T[]).map(pick)
    const picked: P[] = []
    for (const chunk of this.#chunks) for (let i = 0; i < chunk.length; i++) picked.push(pick(chunk[i] as T))
    return picked
  }

  /** For `checkOrderedList`, which is apart so that no bundle has it. */
  get parts(): { readonly chunks: readonly (readonly T[])[]; readonly compare: (a: T, b: T) => number } {
    return { chunks: this.#chunks, compare: this.#compare }
  }
}
