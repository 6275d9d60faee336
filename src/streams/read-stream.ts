import { assert } from '../base/assert.js'
import { asError } from '../base/errors.js'
import { StreamReplacedError } from './errors.js'
import type { MaybePromise, PlacedRecord, StreamPage } from './stream-backend.js'

/** At most this many records are read at a time: more than most streams have, so that those are read as one state. */
export const PAGE_RECORDS_MAX = 10_000

/** Reads a page; see `StreamBackend.page`. @throws {StreamClosedError} the store is closed. */
export type ReadPage = (after: number, limit: number, mark: unknown) => MaybePromise<StreamPage | undefined>

/**
 * The records of a stream as somebody goes through them, page by page. Nothing stays open in the storage meanwhile. The
 * call takes its place in the order of calls when the first record is asked for.
 */
export class StreamReader<T> implements AsyncIterableIterator<T> {
  readonly #id: string
  readonly #read: ReadPage
  readonly #mustBeOpen: () => void
  readonly #show: (placed: PlacedRecord) => T
  #left: number
  #after: number
  #page: StreamPage | undefined
  #index = 0
  #isOver = false
  /** The answer to the last `next` that had to wait. */
  #pending: Promise<IteratorResult<T>> | undefined

  /**
   * @param mustBeOpen throws when the store is closed.
   * @param after seq of the last record that is not wanted. @param limit most records that are wanted.
   */
  constructor(
    id: string,
    read: ReadPage,
    mustBeOpen: () => void,
    show: (placed: PlacedRecord) => T,
    after: number,
    limit: number,
  ) {
    this.#id = id
    this.#read = read
    this.#mustBeOpen = mustBeOpen
    this.#show = show
    this.#after = after
    this.#left = limit
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#pending === undefined) return this.#advance()
    const advance = (): Promise<IteratorResult<T>> => this.#advance()
    // Who asked before is told of their error; this one gets what comes after it.
    return this.#wait(this.#pending.then(advance, advance))
  }

  return(): Promise<IteratorResult<T>> {
    this.#isOver = true
    this.#page = undefined
    return Promise.resolve({ value: undefined, done: true })
  }

  /** The next record, when all that were asked for before are there. */
  #advance(): Promise<IteratorResult<T>> {
    try {
      this.#mustBeOpen()
      const buffered = this.#buffered()
      if (buffered !== undefined) return Promise.resolve(buffered)
      const page = this.#read(this.#after, Math.min(this.#left, PAGE_RECORDS_MAX), this.#page?.mark)
      if (!(page instanceof Promise)) return Promise.resolve(this.#take(page))
      return this.#wait(page.then((found) => this.#take(found)))
    } catch (error) {
      this.#isOver = true
      return Promise.reject(asError(error))
    }
  }

  /** Those who ask next wait for `result`. */
  #wait(result: Promise<IteratorResult<T>>): Promise<IteratorResult<T>> {
    const forget = (): void => {
      if (this.#pending === result) this.#pending = undefined
    }
    this.#pending = result
    result.then(forget, () => {
      this.#isOver = true
      forget()
    })
    return result
  }

  #unordered(seq: number): void {
    assert(false, 'RS2', () => `stream ${JSON.stringify(this.#id)}: ${seq} comes after ${this.#after}`)
  }

  /** What is known without asking the storage. */
  #buffered(): IteratorResult<T> | undefined {
    const records = this.#page?.records
    if (this.#isOver || this.#left <= 0) return { value: undefined, done: true }
    if (records === undefined) return undefined
    const placed = records[this.#index]
    if (placed !== undefined) {
      this.#index++
      this.#left--
      return { value: this.#show(placed), done: false }
    }
    return (this.#page as StreamPage).more ? undefined : { value: undefined, done: true }
  }

  #take(page: StreamPage | undefined): IteratorResult<T> {
    if (page === undefined) {
      this.#isOver = true
      const message =
        `stream ${JSON.stringify(this.#id)}: it was replaced while it was being read, after the record with seq ` +
        `${this.#after}; nothing was written; read it again`
      throw new StreamReplacedError('STREAM_REPLACED', message, { id: this.#id })
    }
    for (const { seq } of page.records) {
      if (!(seq > this.#after)) this.#unordered(seq)
      this.#after = seq
    }
    this.#page = page
    this.#index = 0
    const next = this.#buffered()
    assert(
      next !== undefined,
      'RS2',
      () => `stream ${JSON.stringify(this.#id)}: a page without records says that there are more`,
    )
    return next
  }
}
