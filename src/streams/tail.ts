import { asError } from '../base/errors.js'
import type { Runtime, Timer } from '../base/runtime.js'
import { sequenced } from './check-record.js'
import { hasIdPrefix } from './id-order.js'
import type { StreamChange } from './plan.js'
import type { MaybePromise, PlacedRecord, StreamPage } from './stream-backend.js'
import type { StreamTail } from './stream-store.js'
import type { TailRequest } from './tail-request.js'

/** What a tail reads from. */
export interface TailSource {
  page(id: string, after: number, limit: number, mark: unknown): MaybePromise<StreamPage | undefined>
  list(prefix: string, after: string | undefined, limit: number): MaybePromise<readonly string[]>
  version(): MaybePromise<unknown>
}

/** How far a tail has come with one document. */
interface Place {
  after: number
  /** Of the page that ended with `after`. */
  mark: unknown
  /** Seq of the first record, at the last look; `undefined`: not known. */
  seqFirst: number | undefined
  /** Counts how often the stream was cleared by this store: what was read before is not told any more. */
  clears: number
}

const PAGE_RECORDS_MAX = 256
const PAGE_IDS_MAX = 1_000
/** Others get their turn after this long. */
const TURN_MS_MAX = 5

/**
 * Tells the records of one document, or of all with a prefix: what is there, then what comes.
 *
 * Commits of this store are told to it (`written`); those of others it looks for when the storage's version has changed.
 * What clears a stream changes what is told next:
 *
 * - replaced: what was not told yet of the old stream never is; the new one is told from its beginning.
 * - compacted: nothing is told again to who has seen all that was folded; else all that the fold has made.
 * - deleted: nothing is told; if the document comes again, it is told from its beginning.
 *
 * Clears of others are found out by their traces, at the next look.
 */
export class Tail implements StreamTail {
  readonly ended: Promise<void>
  readonly #source: TailSource
  readonly #runtime: Runtime
  readonly #request: TailRequest
  readonly #onEnd: () => void
  readonly #places = new Map<string, Place>()
  /** Documents that have changed. */
  readonly #dirty = new Set<string>()
  /** True: any document may have changed. */
  #all = true
  #version: unknown
  #timer: Timer | undefined
  #wake: (() => void) | undefined
  #isOver = false
  #turnAt: number
  #settle!: { resolve(): void; reject(error: Error): void }

  /** @param onEnd called once, when it is over. */
  constructor(source: TailSource, runtime: Runtime, request: TailRequest, onEnd: () => void) {
    this.#source = source
    this.#runtime = runtime
    this.#request = request
    this.#onEnd = onEnd
    this.#turnAt = runtime.elapsed()
    this.ended = new Promise((resolve, reject) => (this.#settle = { resolve, reject }))
    // Who wants to know is told by it, or by `onError`; that nobody looks must not end the program.
    this.ended.catch(() => undefined)
    void this.#run()
  }

  stop(): void {
    if (this.#end()) this.#settle.resolve()
  }

  /** Takes notice of what this store has written. */
  written(change: StreamChange): void {
    const { id, kind } = change
    const { target } = this.#request
    if ('id' in target ? target.id !== id : !hasIdPrefix(id, target.prefix)) return
    if (kind !== 'append') {
      const place = this.#placeOf(id)
      place.clears++
      place.mark = place.seqFirst = undefined
      const hasSeenAll = change.folded !== undefined && place.after >= change.folded.seqLast
      if (kind === 'delete' || (kind === 'compact' && !hasSeenAll)) place.after = -1
    }
    this.#dirty.add(id)
    this.#wake?.()
  }

  async #run(): Promise<void> {
    try {
      // Not in the call that has asked for it: whoever did has no handle to stop it with yet.
      await Promise.resolve()
      this.#version = await this.#source.version()
      while (!this.#isOver) {
        if (this.#all) await this.#lookAtAll()
        else if (this.#dirty.size > 0) await this.#lookAtDirty()
        else await this.#idle()
      }
    } catch (error) {
      this.#fail(asError(error))
    }
  }

  async #lookAtAll(): Promise<void> {
    this.#all = false
    const { target } = this.#request
    if ('id' in target) {
      this.#dirty.add(target.id)
      return
    }
    // Those that are gone are to be looked at, too: they may have come again.
    for (const id of this.#places.keys()) this.#dirty.add(id)
    let after: string | undefined
    for (;;) {
      const ids = await this.#source.list(target.prefix, after, PAGE_IDS_MAX)
      for (const id of ids) this.#dirty.add(id)
      if (ids.length < PAGE_IDS_MAX || this.#isOver) return
      after = ids.at(-1)
    }
  }

  async #lookAtDirty(): Promise<void> {
    for (const id of this.#dirty) {
      this.#dirty.delete(id)
      await this.#look(id)
      if (this.#isOver) return
    }
  }

  /** Tells what there is of one document beyond its place. */
  async #look(id: string): Promise<void> {
    const place = this.#placeOf(id)
    for (let more = true; more && !this.#isOver; ) {
      const { clears, after } = place
      const found = this.#source.page(id, after, PAGE_RECORDS_MAX, place.mark)
      const page = found instanceof Promise ? await found : found
      if (place.clears !== clears) continue
      if (page === undefined) {
        await this.#replace(id, place)
        continue
      }
      more = page.more
      if (place.seqFirst === undefined)
        place.seqFirst = page.seqFirst ?? (await this.#seqFirst(id, after, page.records))
      if (place.clears !== clears) continue
      if (page.records.length > 0 || page.mark !== undefined) place.mark = page.mark
      // Only the end of the page is where its mark is of.
      if (await this.#tell(id, place, page.records, clears)) return
      await this.#breathe()
    }
  }

  /** @returns true when it has been stopped. */
  async #tell(id: string, place: Place, records: readonly PlacedRecord[], clears: number): Promise<boolean> {
    for (const placed of records) {
      if (this.#isOver) return true
      if (place.clears !== clears) return false
      place.after = placed.seq
      const told = this.#request.onRecord(sequenced(placed), id)
      if (told !== undefined) await told
    }
    return this.#isOver
  }

  /** Somebody else has cleared the stream: finds out how, and with that, what is to be told. */
  async #replace(id: string, place: Place): Promise<void> {
    const { clears, seqFirst } = place
    const start = await this.#source.page(id, -1, 1, undefined)
    if (place.clears !== clears) return
    const first = start?.records[0]?.seq
    place.mark = undefined
    place.seqFirst = first
    // Only a stream that has begun anew begins at or before the place where the old one did; a fold moves the beginning on.
    if (first === undefined || (first <= place.after && first <= (seqFirst ?? 0))) place.after = -1
  }

  async #seqFirst(id: string, after: number, records: readonly PlacedRecord[]): Promise<number | undefined> {
    if (after === -1) return records[0]?.seq
    const start = await this.#source.page(id, -1, 1, undefined)
    return start?.records[0]?.seq
  }

  #placeOf(id: string): Place {
    let place = this.#places.get(id)
    if (place === undefined) {
      place = { after: this.#request.after(id), mark: undefined, seqFirst: undefined, clears: 0 }
      this.#places.set(id, place)
    }
    return place
  }

  /** Waits until something has changed. */
  async #idle(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      this.#timer = this.#runtime.setTimer(this.#request.pollMs, resolve)
    })
    this.#timer?.cancel()
    this.#wake = undefined
    this.#turnAt = this.#runtime.elapsed()
    if (this.#dirty.size > 0 || this.#isOver) return
    const version = await this.#source.version()
    if (version !== this.#version) this.#all = true
    this.#version = version
  }

  async #breathe(): Promise<void> {
    if (this.#runtime.elapsed() - this.#turnAt < TURN_MS_MAX) return
    await new Promise<void>((resolve) => this.#runtime.defer(resolve))
    this.#turnAt = this.#runtime.elapsed()
  }

  #fail(error: Error): void {
    if (!this.#end()) return
    this.#settle.reject(error)
    this.#request.onError?.(error)
  }

  /** @returns false when it was over already. */
  #end(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.#timer?.cancel()
    this.#wake?.()
    this.#onEnd()
    return true
  }
}
