import { VarveError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import type { StoredRecord } from '../base/value.js'
import type { Change, EntryEvent, EventData } from '../log/entry.js'
import { ReadSet } from '../query/read-set.js'
import type { Footprint, Touch } from '../query/read-set.js'
import { Reads } from '../query/reads.js'
import type { Bucket } from './bucket.js'
import { CommitDraft } from './draft.js'
import { BucketCrashedError, shorten, TransactionConflictError, TransactionEndedError } from './errors.js'
import { Overlay } from './overlay.js'
import type { Sequencer } from './sequencer.js'
import type { CommitNote } from './write-options.js'

/** The numbers of a bucket's counter that a transaction has taken, as far as they follow each other. */
interface TakenNumbers {
  readonly from: number
  to: number
}

/** What the entry of a transaction is called, and says besides its changes. */
export interface EntryHead {
  readonly type: string
  readonly data?: EventData | undefined
  /** Asked at the commit, with the time of the entry. Where it answers, there is an entry even without a change. */
  event?(at: number): EntryEvent | undefined
  /** What the commit has to wait for; asked again until there is nothing. */
  waits?(): Promise<unknown> | undefined
  /** Writes what belongs to it, at the last moment: from here to its place in the log, nobody else commits. */
  complete?(): void
}

/** The numbers of autoincrement fields that a transaction had when it was made for the first time. */
export interface NumberSource {
  /** The one that the next record of the bucket has. */
  next(bucket: Bucket): number | undefined
  /** A record has it. */
  taken(bucket: Bucket, number: unknown): void
}

/** What became of a transaction that has written something. */
export interface Committed {
  /** Undefined where only buckets that are not stored are concerned. */
  readonly seq: number | undefined
  readonly at: number
  readonly changes: readonly Change[]
}

const PLAIN: EntryHead = { type: 'store/transaction' }

/**
 * A transaction from its begin to its end: what it has read, what it wants written, and whether it still can be.
 *
 * Serializable by one rule: every commit of somebody else is tested against the read set at once. When it touches it,
 * the transaction cannot commit any more, and every further use of it says so. So at any moment everything that
 * an intact transaction has read is as it was read, and its commit happens at one point in the order of all commits.
 */
export class Transaction {
  readonly #sequencer: Sequencer
  readonly #readSet = new ReadSet()
  readonly #overlays = new Map<Bucket, Overlay>()
  #taken: Map<Bucket, TakenNumbers> | undefined
  #counters: Map<Bucket, number> | undefined
  /** Work that was begun while its bucket could not answer. */
  #open: Set<Promise<unknown>> | undefined
  #conflict: TransactionConflictError | undefined
  /** It has met the conflict: something was not read, or not written. */
  #isBroken = false
  #hasEnded = false
  #doom: Error | undefined
  head: EntryHead = PLAIN
  /** Where the times and generated values of its records come from, instead of from the store's runtime. */
  source: Runtime | undefined
  /** Where its numbers come from, where that is not the counter of the bucket. */
  numbers: NumberSource | undefined

  constructor(sequencer: Sequencer) {
    this.#sequencer = sequencer
  }

  /** The clock for its records. */
  now(): number {
    return this.source === undefined ? this.#sequencer.now() : this.source.now()
  }

  /** Why it can no longer commit, where somebody else has changed what it has read. */
  get conflict(): TransactionConflictError | undefined {
    return this.#conflict
  }

  get readSet(): ReadSet {
    return this.#readSet
  }

  /** The bucket as this transaction sees it. */
  overlay(bucket: Bucket): Overlay {
    let overlay = this.#overlays.get(bucket)
    if (overlay === undefined) {
      overlay = new Overlay(bucket)
      this.#overlays.set(bucket, overlay)
    }
    return overlay
  }

  /** The reads of the bucket as this transaction sees it. */
  reads(bucket: Bucket): Reads<never> {
    return new Reads<never>(this.overlay(bucket), this.#readSet, undefined, (other) => {
      const peer = bucket.peer(other)
      return { source: this.overlay(peer), reads: () => this.reads(peer.ready()) }
    })
  }

  /** Somebody else has committed, or a commit was undone: if that touches what was read, there is a conflict. */
  observe(footprint: Footprint, isUndone: boolean): void {
    if (this.#conflict !== undefined && !isUndone) return
    const touch = this.#readSet.touchedBy(footprint)
    if (touch === undefined) return
    this.#conflict ??= conflictOf(touch)
    // What it has read has never been, so it has no place in the order of commits, with or without writes.
    if (isUndone) this.#isBroken = true
  }

  /** @throws {TransactionEndedError} @throws {TransactionConflictError} */
  mustBeOpen(bucket: string): void {
    if (this.#hasEnded) throw new TransactionEndedError(bucket)
    if (this.#doom !== undefined) throw this.#doom
    if (this.#conflict === undefined) return
    this.#isBroken = true
    throw this.#conflict
  }

  /** Something failed half-way: whatever happens, nothing of it is committed. */
  doom(error: Error): void {
    this.#doom ??= error
  }

  get isOver(): boolean {
    return this.#hasEnded
  }

  /** Remembers work that was begun, so that the commit waits for it even if nobody else does. */
  track<T>(work: Promise<T>): Promise<T> {
    const open = (this.#open ??= new Set())
    const forget = (): void => {
      open.delete(work)
    }
    open.add(work)
    work.then(forget, forget)
    return work
  }

  /** Takes the numbers of autoincrement fields out of the counter, for good if the transaction commits. */
  takeNumbers(bucket: Bucket, record: StoredRecord): void {
    for (const field of bucket.schema.counterFields) {
      this.numbers?.taken(bucket, record[field])
      this.#raiseCounter(bucket, record[field])
    }
  }

  /** Takes all numbers up to `number`, where that is one, out of the counter. */
  #raiseCounter(bucket: Bucket, number: unknown): void {
    const { table } = bucket
    if (!Number.isSafeInteger(number) || (number as number) <= table.counter) return
    const numbers = (this.#taken ??= new Map<Bucket, TakenNumbers>())
    const taken = numbers.get(bucket)
    if (taken === undefined) numbers.set(bucket, { from: table.counter, to: number as number })
    else if (taken.to === table.counter) taken.to = number as number
    table.counter = number as number
  }

  /** With its commit, `number` is the last one that the counter of the bucket has given. */
  setCounter(bucket: Bucket, number: number): void {
    ;(this.#counters ??= new Map<Bucket, number>()).set(bucket, number)
  }

  /**
   * Writes everything as one commit.
   *
   * @param onCommit called when it can no longer conflict, right before the commit gets its place.
   * @returns what was committed, when that is durable; undefined where nothing was to be written.
   * @throws {TransactionConflictError} @throws {UniqueConstraintError} nothing was written.
   */
  async commit({ durability, meta }: CommitNote, onCommit: () => void): Promise<Committed | undefined> {
    for (let wait = this.#wait(); wait !== undefined; wait = this.#wait()) await wait
    if (this.#doom !== undefined) throw this.#doom
    // Without writes it can have its place right before the commit that it is in conflict with.
    const hasWrites = this.#hasWrites || this.head.event?.(0) !== undefined
    // What it tells its caller has to be as durable as what it would have written.
    if (!hasWrites) await this.#sequencer.settled()
    if (this.#conflict !== undefined && (this.#isBroken || hasWrites)) throw this.#conflict
    this.head.complete?.()
    this.#hasEnded = true
    onCommit()
    const { type, data } = this.head
    const draft = new CommitDraft(type, data)
    draft.meta = meta
    draft.isChecked = true
    draft.at = this.#sequencer.entryTime(this.source?.now())
    draft.event = this.head.event?.(draft.at)
    try {
      draft.make(() => {
        // Where the commit is undone they go back, unless somebody else has taken some since.
        this.#taken?.forEach(({ from, to }, bucket) => {
          draft.countFrom(bucket, bucket.table.counter === to ? from : undefined)
        })
        for (const overlay of this.#overlays.values()) if (overlay.isCleared) this.#clear(draft, overlay)
        for (const overlay of this.#overlays.values()) applyWrites(draft, overlay)
        // Also the numbers of records that did not last until here: somebody has seen them.
        this.#taken?.forEach(({ to }, bucket) => draft.raiseCounter(bucket, to))
        this.#counters?.forEach((number, bucket) => draft.setCounter(bucket, number))
        if (!draft.isEmpty || this.#taken !== undefined) this.#sequencer.mustTakeWrites()
      })
    } catch (error) {
      if (error instanceof VarveError || draft.current === undefined) throw error
      draft.current.process.kill(error)
      throw new BucketCrashedError(draft.current.name, error)
    }
    if (draft.isEmpty) return undefined
    this.#taken = undefined
    const seq = draft.isLogged ? this.#sequencer.nextSeq : undefined
    const written = this.#sequencer.submit(draft, durability)
    if (written !== undefined) await written
    return { seq, at: draft.at, changes: draft.changes }
  }

  get #hasWrites(): boolean {
    for (const overlay of this.#overlays.values()) if (!overlay.isUntouched) return true
    return false
  }

  /** What has to happen before it can commit; undefined where it can. */
  #wait(): Promise<unknown> | undefined {
    if (this.#open !== undefined && this.#open.size > 0) return Promise.allSettled(this.#open)
    const wait = this.head.waits?.()
    if (wait !== undefined) return wait
    // A bucket that has crashed meanwhile comes back with the same records.
    for (const bucket of this.#overlays.keys()) {
      if (bucket.process.state !== 'running') return bucket.whenReady()
    }
    return undefined
  }

  #clear(draft: CommitDraft, { bucketState }: Overlay): void {
    if (bucketState.table.size > 0) draft.clear(bucketState, this.#sequencer.nextSeq)
  }

  /** Ends the transaction. Numbers that nobody has taken since go back. */
  end(): void {
    this.#hasEnded = true
    this.#taken?.forEach(({ from, to }, bucket) => {
      if (bucket.table.counter === to) bucket.table.counter = from
    })
  }
}

function applyWrites(draft: CommitDraft, overlay: Overlay): void {
  const bucket = overlay.bucketState
  overlay.forEachWrite(({ after, fresh }, key) => {
    const slot = bucket.table.slot(key)
    if (slot !== undefined && (after === undefined || fresh)) draft.delete(bucket, key)
    if (after === undefined) return
    if (slot !== undefined && !fresh) draft.update(bucket, slot, after)
    else draft.insert(bucket, after)
  })
}

function conflictOf(touch: Touch): TransactionConflictError {
  if ('cleared' in touch) return new TransactionConflictError(touch.cleared, '*', 'the bucket was cleared')
  const { bucket, key, before, after } = touch.change
  if (before === undefined)
    return new TransactionConflictError(bucket, key, `Record with key "${shorten(key)}" already exists`)
  if (after === undefined)
    return new TransactionConflictError(bucket, key, `Record with key "${shorten(key)}" not found`)
  const versions = `expected ${String(before._version)}, got ${String(after._version)}`
  return new TransactionConflictError(bucket, key, `Version mismatch: ${versions}`)
}
