import { assert } from '../base/assert.js'
import { asError, VarveError } from '../base/errors.js'
import type { Bucket } from '../commit/bucket.js'
import type { EntryHead, Transaction } from '../commit/transaction.js'
import type { Engine } from '../engine.js'
import { firstSeq } from '../history/log-access.js'
import type { Entry } from '../log/entry.js'
import { groupOf } from './event-group.js'
import type { EventGroup } from './event-group.js'
import { maySkip, ProjectionFailedError, ProjectionGapError } from './projection-errors.js'
import type { Projection } from './projection.js'
import type { ProjectionWorld } from './projection-run.js'
import { ProjectionRun } from './projection-run.js'

/** Where what a projection makes of the log goes. */
export interface FollowTarget {
  readonly head: EntryHead
  /** The last entry whose effects are stored. It may be moved by others between two steps. */
  stored(): number
  /** The bucket that stands for one of the projection's. */
  bucketOf(name: string): Bucket
  /** Makes `seq` the last entry whose effects are stored, `skipped` entries left out, as a part of the commit that has them. */
  store(transaction: Transaction, seq: number, skipped: number): void
  /** Whether an event that has failed at `seq` is to be left out. */
  skips(seq: number): boolean
}

/** Entries that are read at a time. What is made of them is one commit: many share the cost of one, and of their records the last counts. */
const BATCH_ENTRIES = 4_000
/** A checkpoint is written after so many entries of no interest: they need not be read again at the next start. */
const IDLE_ENTRIES_MAX = 1_000
/** So few entries are left to take in that others may be kept waiting for it. */
export const NEAR_ENTRIES = 1_000

interface Taken {
  readonly entry: Entry
  readonly group: EventGroup
}

/**
 * Reads the log and lets a projection take in its events, batch by batch. How far it has got is stored in the commit that has the effects.
 *
 * Holds EV4: events are taken in in the order of the log, each once.
 */
export class LogFollower {
  readonly #engine: Engine
  readonly #world: ProjectionWorld
  readonly #projection: Projection
  readonly #target: FollowTarget
  /** What the target had stored when the position was last in agreement with it. */
  #stored: number
  #position: number

  constructor(engine: Engine, world: ProjectionWorld, projection: Projection, target: FollowTarget) {
    this.#engine = engine
    this.#world = world
    this.#projection = projection
    this.#target = target
    this.#stored = target.stored()
    this.#position = this.#stored
  }

  /** The last entry that was looked at. What is stored may be behind, by entries of no interest. */
  get position(): number {
    return this.#position
  }

  /**
   * Takes in the next entries, when all that is visible now is written.
   *
   * @throws {ProjectionGapError} @throws {ProjectionFailedError} what was before it is taken in.
   */
  async step(): Promise<void> {
    const { sequencer } = this.#engine
    const { visible } = sequencer.position
    // Whoever is told of a commit is told before it is on its way to the storage.
    await Promise.resolve()
    await sequencer.settled()
    // Less, where something could not be written.
    const last = Math.min(visible, sequencer.position.visible)
    this.#agree()
    const { storage } = this.#engine.options
    const after = this.#position
    const entries: Entry[] = []
    let previous = after
    for await (const entry of storage.readLog(after, { limit: BATCH_ENTRIES })) {
      if (entry.seq !== previous + 1) {
        if (entries.length > 0) break
        await this.#gap(previous, entry.seq)
      }
      entries.push(entry)
      previous = entry.seq
    }
    if (entries.length === 0) {
      // What is written and cannot be read has left the log.
      if (this.#position < last) await this.#gap(this.#position, last + 1)
      return
    }
    await this.#ready()
    // Somebody else has moved it while this was waiting.
    if (this.#target.stored() === this.#stored) await this.#take(entries)
  }

  #agree(): void {
    const stored = this.#target.stored()
    if (stored === this.#stored) return
    this.#stored = stored
    this.#position = stored
  }

  /** What history has let go of is only missing where the projection is to have it; what is damaged always is. */
  async #gap(after: number, next: number): Promise<void> {
    const { options } = this.#engine
    if (this.#projection.history === 'kept' && (after === 0 || (await firstSeq(options, next)) > after)) {
      this.#position = next - 1
      return
    }
    throw new ProjectionGapError(this.#projection.name, after + 1, next - 1)
  }

  async #ready(): Promise<void> {
    for (const name of this.#projection.into) await this.#target.bucketOf(name).whenReady()
  }

  async #take(entries: readonly Entry[]): Promise<void> {
    const last = (entries.at(-1) as Entry).seq
    const found: Taken[] = []
    for (const entry of entries) {
      const group = groupOf(entry)
      if (group !== undefined && this.#projection.takesAny(group)) found.push({ entry, group })
    }
    if (found.length === 0 && last - this.#stored < IDLE_ENTRIES_MAX) {
      this.#position = last
      return
    }
    // One that fails takes those before it with it, so they are taken in again without it.
    for (let count = found.length; ; ) {
      const end = count === found.length ? last : (found[count] as Taken).entry.seq - 1
      const failure = await this.#commit(found.slice(0, count), end)
      if (failure === undefined) return
      if (failure.at === 0) return this.#refused(found[0] as Taken, failure)
      count = failure.at
    }
  }

  async #refused({ entry }: Taken, { type, error }: { readonly type: string; readonly error: Error }): Promise<void> {
    const isSkipped = maySkip(error) && this.#target.skips(entry.seq)
    const failed = new ProjectionFailedError(this.#projection.name, entry.seq, type, error, isSkipped)
    if (!isSkipped) throw failed
    await this.#commit([], entry.seq, 1)
    this.#engine.options.onError(failed)
  }

  /** One commit. @returns which of `taken` it has failed at, where it has; then nothing was written. */
  async #commit(
    taken: readonly Taken[],
    end: number,
    skipped = 0,
  ): Promise<{ readonly at: number; readonly type: string; readonly error: Error } | undefined> {
    const { transactions } = this.#engine
    const transaction = transactions.begin()
    const { head, bucketOf, store } = this.#target
    transaction.head = head
    const standsFor = (name: string): Bucket => bucketOf.call(this.#target, name)
    const run = new ProjectionRun(this.#projection, transaction, this.#world, standsFor, true)
    let at = 0
    try {
      for (; at < taken.length; at++) {
        const { group, entry } = taken[at] as Taken
        run.take(group, entry)
      }
    } catch (error) {
      transactions.end(transaction)
      return { at, type: run.type, error: asError(error) }
    }
    try {
      assert(end > this.#stored, 'EV4', () => `${this.#projection.name}: ${end} comes after ${this.#stored}`)
      store.call(this.#target, transaction, end, skipped)
      await transactions.commit(transaction, {})
    } catch (error) {
      // Which one it was is found by halving.
      if (isOfRecords(error) && taken.length > 0)
        return { at: taken.length >> 1, type: run.type, error: asError(error) }
      throw error
    } finally {
      transactions.end(transaction)
    }
    this.#stored = end
    this.#position = end
    return undefined
  }
}

/** Whether a commit was refused because of what `apply` wants. */
function isOfRecords(error: unknown): boolean {
  return error instanceof VarveError && ['UNIQUE_CONSTRAINT', 'DUPLICATE_KEY'].includes(error.code)
}
