import { asError } from '../base/errors.js'
import { sequenced } from './check-record.js'
import type { StreamChange } from './plan.js'
import type { MaybePromise, StreamPage } from './stream-backend.js'
import type { StreamTail } from './stream-store.js'
import type { TailRequest } from './tail-request.js'

/** What a tail reads from. */
export interface TailSource {
  page(id: string, after: number, limit: number, mark: unknown): MaybePromise<StreamPage | undefined>
  list(prefix: string, after: string | undefined, limit: number): MaybePromise<readonly string[]>
  version(): MaybePromise<unknown>
}

/** Who gives a tail its turns. */
export interface TailHost {
  enqueue(tail: Tail): void
  /** As `enqueue`, for one that has had a turn: timers and I/O come first where it is time for them. */
  requeue(tail: Tail): void
  /** Whether it is time for timers and I/O. */
  isLate(): boolean
  remove(tail: Tail, request: TailRequest): void
}

/** How far a tail has come with one document. */
interface Place {
  readonly id: string
  after: number
  /** Of the page that ended with `after`. */
  mark: unknown
  /** Seq of the first record, at the last look; `undefined`: not known. Only where the storage does not keep `clearedTo`. */
  seqFirst: number | undefined
  keepsClears: boolean
  /** Counts how often the stream was cleared by this store: what was read before is not told any more. */
  clears: number
  /** True: it may have changed. */
  isDirty: boolean
}

/** What a tail does, bit by bit: where it yields `NEXT`, others get their turn; what else it yields is waited for. */
type Steps = Generator<unknown, void, unknown>

const NEXT = Symbol('next')
const PAGE_RECORDS_MAX = 256
const PAGE_IDS_MAX = 1_000

/**
 * Tells the records of one document, or of all with a prefix: what is there, then what comes.
 *
 * Commits of this store are told to it (`written`); for those of others it looks when the storage's version has changed
 * (`moved`). What clears a stream changes what is told next:
 *
 * - replaced: what was not told yet of the old stream never is; the new one is told from its beginning.
 * - compacted: nothing is told again to who has seen all that was folded; else all that the fold has made.
 * - deleted: nothing is told; if the document comes again, it is told from its beginning.
 *
 * Clears of others are found at the next look, by the mark. Where the storage keeps up to where it was cleared (`clearedTo`), the
 * same is told. Where it does not (kyneta's tables), it goes by the traces, and in doubt tells all from the beginning, as twice
 * is better than never: when the stream begins where it did or before; and when there is anything beyond the place that it has
 * come to. Who has seen all that was folded is not told again while the fold ends there and is shorter.
 */
export class Tail implements StreamTail {
  readonly #source: TailSource
  readonly #host: TailHost
  readonly #request: TailRequest
  /** Of one document. */
  readonly #only: Place | undefined
  /** Of a prefix. */
  readonly #places: Map<string, Place> | undefined
  #dirty: Place[] = []
  /** True: there may be documents that are not known yet. */
  #isUnlisted: boolean
  #steps: Steps | undefined
  /** True: it has something to do, or waits for something. */
  #isBusy = true
  #isOver = false
  #error: Error | undefined
  #callbackError: Error | undefined
  #ended: { readonly promise: Promise<void>; resolve(): void; reject(error: Error): void } | undefined

  /** @param host told once, when it is over. */
  constructor(source: TailSource, host: TailHost, request: TailRequest) {
    this.#source = source
    this.#host = host
    this.#request = request
    const { target } = request
    this.#isUnlisted = !('id' in target)
    if ('id' in target) {
      this.#only = newPlace(target.id, request.after(target.id))
      this.#dirty.push(this.#only)
    } else this.#places = new Map()
  }

  /** Made when it is asked for: ten thousand tails need not have ten thousand of them. */
  get ended(): Promise<void> {
    if (this.#ended === undefined) {
      let settle: [resolve: () => void, reject: (error: Error) => void] | undefined
      const promise = new Promise<void>((resolve, reject) => (settle = [resolve, reject]))
      // Who wants to know is told by it, or by `onError`; that nobody looks must not end the program.
      promise.catch(() => undefined)
      const [resolve, reject] = settle as NonNullable<typeof settle>
      this.#ended = { promise, resolve, reject }
      if (this.#isOver) this.#settle()
    }
    return this.#ended.promise
  }

  get callbackError(): Error | undefined {
    return this.#callbackError
  }

  /** Of a prefix: what the ids begin with. */
  get prefix(): string {
    const { target } = this.#request
    return 'id' in target ? target.id : target.prefix
  }

  stop(): void {
    if (this.#end()) this.#settle()
  }

  /** Ends it with an error. */
  fail(error: Error): void {
    if (!this.#end()) return
    this.#error = error
    this.#settle()
    try {
      this.#request.onError?.(error)
    } catch (thrown) {
      this.#callbackError = asError(thrown)
    }
  }

  /** From now on changes are noticed: it may look at what is there. */
  begin(): void {
    this.#isBusy = false
    this.#wake()
  }

  /** Takes notice of what this store has written to a document of its. */
  written({ id, kind, folded }: StreamChange): void {
    const place = this.#placeOf(id)
    if (kind !== 'append') {
      place.clears++
      place.mark = place.seqFirst = undefined
      const hasSeenAll = folded !== undefined && place.after >= folded.seqLast
      if (kind === 'delete' || (kind === 'compact' && !hasSeenAll)) place.after = -1
    }
    this.#soil(place)
    this.#wake()
  }

  /** Somebody else may have written anything. */
  moved(): void {
    if (this.#only !== undefined) this.#soil(this.#only)
    else this.#isUnlisted = true
    this.#wake()
  }

  /** Goes on until something has to be waited for, or others should have their turn. Never throws. */
  advance(answer?: unknown): void {
    if (this.#isOver) return
    try {
      this.#steps ??= this.#looks()
      const { done, value } = this.#steps.next(answer)
      if (done === true) {
        this.#steps = undefined
        this.#isBusy = false
      } else if (value === NEXT) this.#host.requeue(this)
      else {
        Promise.resolve(value).then(
          (answered) => this.advance(answered),
          (error: unknown) => this.fail(asError(error)),
        )
      }
    } catch (error) {
      this.fail(asError(error))
    }
  }

  #wake(): void {
    if (this.#isBusy || this.#isOver) return
    this.#isBusy = true
    this.#host.enqueue(this)
  }

  #soil(place: Place): void {
    if (place.isDirty) return
    place.isDirty = true
    this.#dirty.push(place)
  }

  *#looks(): Steps {
    while (this.#isUnlisted || this.#dirty.length > 0) {
      if (this.#isUnlisted) yield* this.#list()
      const dirty = this.#dirty
      this.#dirty = []
      for (const place of dirty) {
        place.isDirty = false
        yield* this.#look(place)
        if (this.#isOver) return
        if (this.#host.isLate()) yield NEXT
      }
    }
  }

  *#list(): Steps {
    this.#isUnlisted = false
    // Those that are gone are to be looked at, too: they may have come again.
    for (const place of this.#places?.values() ?? []) this.#soil(place)
    let after: string | undefined
    for (;;) {
      const found = this.#source.list(this.prefix, after, PAGE_IDS_MAX)
      const ids = (found instanceof Promise ? yield found : found) as readonly string[]
      for (const id of ids) this.#soil(this.#placeOf(id))
      if (ids.length < PAGE_IDS_MAX || this.#isOver) return
      after = ids.at(-1)
      yield NEXT
    }
  }

  /** Tells what there is of one document beyond its place. */
  *#look(place: Place): Steps {
    const { onRecord } = this.#request
    for (let more = true; more && !this.#isOver; ) {
      const { clears, after, mark } = place
      const found = this.#source.page(place.id, after, PAGE_RECORDS_MAX, mark)
      const page = (found instanceof Promise ? yield found : found) as StreamPage | undefined
      if (place.clears !== clears) continue
      if (page === undefined) {
        yield* this.#cleared(place)
        continue
      }
      const { clearedTo, records } = page
      place.keepsClears = clearedTo !== undefined
      // Who knows from earlier how far it has come, and not of which state, may have missed a clear.
      if (mark === undefined && after !== -1 && clearedTo !== undefined && after < clearedTo) {
        place.after = -1
        continue
      }
      if (!place.keepsClears) place.seqFirst ??= page.seqFirst ?? (after === -1 ? records[0]?.seq : undefined)
      if (!place.keepsClears && place.seqFirst === undefined && after !== -1) {
        place.seqFirst = (yield* this.#readOne(place, -1))?.records[0]?.seq
        if (place.clears !== clears) continue
      }
      // Only the end of the page is where its mark is of.
      if (records.length > 0 || page.mark !== undefined) place.mark = page.mark
      more = page.more
      for (const placed of records) {
        if (this.#isOver) return
        if (place.clears !== clears) break
        place.after = placed.seq
        const told = onRecord(sequenced(placed), place.id)
        if (told !== undefined) yield told
      }
      more ||= place.clears !== clears
      if (more) yield NEXT
    }
  }

  /** Somebody else has cleared the stream: finds out, where that is not kept, whether it is told from its beginning. */
  *#cleared(place: Place): Steps {
    const { after, clears, seqFirst } = place
    place.mark = undefined
    if (place.keepsClears) return
    const first = (yield* this.#readOne(place, -1))?.records[0]?.seq
    if (place.clears !== clears) return
    place.seqFirst = first
    if (first === undefined || seqFirst === undefined || first <= seqFirst) place.after = -1
    else {
      const next = yield* this.#readOne(place, after)
      if (place.clears === clears && next?.records.length !== 0) place.after = -1
    }
  }

  *#readOne(place: Place, after: number): Generator<unknown, StreamPage | undefined, unknown> {
    const found = this.#source.page(place.id, after, 1, undefined)
    return (found instanceof Promise ? yield found : found) as StreamPage | undefined
  }

  #placeOf(id: string): Place {
    if (this.#places === undefined) return this.#only as Place
    let place = this.#places.get(id)
    if (place === undefined) {
      place = newPlace(id, this.#request.after(id))
      place.isDirty = false
      this.#places.set(id, place)
    }
    return place
  }

  #settle(): void {
    if (this.#error === undefined) this.#ended?.resolve()
    else this.#ended?.reject(this.#error)
  }

  /** @returns false when it was over already. */
  #end(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.#steps = undefined
    this.#host.remove(this, this.#request)
    return true
  }
}

/** A place that has not been looked at. */
function newPlace(id: string, after: number): Place {
  return { id, after, mark: undefined, seqFirst: undefined, keepsClears: false, clears: 0, isDirty: true }
}
