import { assert } from '../base/assert.js'
import { asError } from '../base/errors.js'
import type { Bucket } from '../commit/bucket.js'
import type { EntryHead, Transaction } from '../commit/transaction.js'
import type { Engine } from '../engine.js'
import { emptiedBy } from '../history/log-access.js'
import { isInternalBucket, isSourcedType, sourcedType } from '../log/entry.js'
import type { Entry, SubEvent } from '../log/entry.js'
import { StorageError } from '../log/errors.js'
import { deepFreeze } from '../schema/copy-value.js'
import { EventFailedError } from './errors.js'
import type { CommitHook, EventParts } from './event-parts.js'
import { EventRun } from './event-run.js'
import { LoggedNumbers } from './logged-numbers.js'
import type { Events } from './events.js'
import type { EntryPlace, EventGroup } from './event-group.js'
import { groupOf } from './event-group.js'
import type { Projection } from './projection.js'
import type { ProjectionWorld } from './projection-run.js'
import { ProjectionRun } from './projection-run.js'
import { ReplayRegistry } from './replay-registry.js'
import { UnknownBuckets } from './replay-unknown.js'
import { EventSeed, placeSeed } from './seeded-stream.js'

/** An event that cannot be handled again. */
export interface ReplayFailure {
  readonly seq: number
  readonly type: string
  readonly error: Error
}

/** What a replay has done. */
export interface ReplayReport {
  /** Entries that were read. */
  readonly entries: number
  /** Events that were handled again. */
  readonly events: number
  /**
   * Events that were taken in as they were recorded, because they, or sub-events of theirs, have `transact`, which was not run, or have to
   * do with buckets whose state at that time is not known.
   */
  readonly recorded: number
  /** The types whose `transact` was not run. */
  readonly transactTypes: readonly string[]
  /** The buckets whose state was not known: cleared or dropped later, or with `eviction: 'lru'`. */
  readonly unknownBuckets: readonly string[]
  /** Seq of the last entry. */
  readonly position: number
  /** How many events could not be handled again. They have left no trace. */
  readonly failed: number
  /** How many times a projection with `onFailure: 'skip'` has left out an event. */
  readonly skipped: number
  /** The first of those that failed. */
  readonly failures: readonly ReplayFailure[]
  /** Buckets that the log speaks of and that are not defined: what it says about them is left out. */
  readonly undefinedBuckets: readonly string[]
}

/** What a replay is given besides the entries. */
export interface ReplayOptions {
  readonly projections: readonly Projection[]
  /** How far a projection had got, by name: later events are not for it. Default: all are. */
  readonly positions?: ReadonlyMap<string, number>
  /**
   * Runs `transact` again, whatever that does outside of the store. Default: events that have one are taken in as they were recorded,
   * with their sub-events.
   */
  readonly runTransact?: boolean
  readonly onProgress?: (position: number) => void
}

const BATCH_ENTRIES = 1_000
const FAILURES_KEPT = 100
const HEAD: EntryHead = { type: 'store/replay' }

/** The batch is to be done again: more is known of one of its events. */
class Again extends Error {}

interface Projected {
  readonly group: EventGroup
  readonly place: EntryPlace
}

/**
 * Handles the events of a log again, into a store that has nothing: by the definitions of that store, with the time, the clock and the
 * randomness that each event had. Of what the log says that they have changed, only the autoincrement numbers are looked at. Entries
 * that are no events are applied as they are, and so are events with `transact`: it may have sent a mail, which is not to be sent again;
 * and those that have to do with `UnknownBuckets`.
 *
 * Holds EV7: the same log and the same definitions give the same state.
 */
export class Replay implements CommitHook {
  readonly isIdle: boolean
  readonly #engine: Engine
  readonly #options: ReplayOptions
  readonly #parts: EventParts
  /** There where `transact` is not to be run. */
  readonly #quiet: ReplayRegistry | undefined
  readonly #world: ProjectionWorld
  readonly #inline: readonly Projection[]
  readonly #async: readonly Projection[]
  readonly #owned: ReadonlySet<string>
  readonly #undefined = new Set<string>()
  readonly #failures: ReplayFailure[] = []
  #failed = 0
  #skipped = 0
  #events = 0
  #recorded = 0
  readonly #transactTypes = new Set<string>()
  readonly #unknown = new UnknownBuckets((name) => this.#known(name))
  #transaction: Transaction | undefined
  #runs: readonly ProjectionRun[] = []
  /** What async projections are given when the batch is committed. */
  #projected: Projected[] = []

  constructor(engine: Engine, events: Events, options: ReplayOptions) {
    this.#engine = engine
    this.#options = options
    this.#quiet = options.runTransact === true ? undefined : new ReplayRegistry(events.registry)
    const bucketOf = (name: string): Bucket => {
      this.#unknown.touch(name)
      return events.parts.bucketOf(name)
    }
    this.#parts = { ...events.parts, bucketOf, registry: this.#quiet ?? events.registry, commitHook: this }
    this.#world = { runtime: engine.options.runtime, registry: events.registry }
    this.isIdle = options.projections.length === 0
    this.#inline = options.projections.filter(({ mode }) => mode === 'inline')
    this.#async = options.projections.filter(({ mode }) => mode === 'async')
    this.#owned = new Set(options.projections.flatMap(({ into }) => into))
    for (const projection of options.projections) {
      for (const bucket of projection.into) this.#bucketOf(bucket).owner = projection
    }
  }

  /** Handles `entries`, which begin with the first one of their log. @throws {StorageError} */
  async run(entries: AsyncIterable<Entry>): Promise<ReplayReport> {
    const batchMax = this.#canBatch ? BATCH_ENTRIES : 1
    let batch: Entry[] = []
    let count = 0
    let position = 0
    const end = async (): Promise<void> => {
      await this.#take(batch)
      batch = []
      this.#options.onProgress?.(position)
    }
    for await (const entry of entries) {
      assert(entry.seq === position + 1, 'EV7', () => `entry ${entry.seq} comes after ${position}`)
      position = entry.seq
      count++
      batch.push(entry)
      if (batch.length >= batchMax) await end()
    }
    if (batch.length > 0) await end()
    const undefinedBuckets = [...this.#undefined]
    const transactTypes = [...this.#transactTypes]
    const [failures, failed, events, recorded] = [this.#failures, this.#failed, this.#events, this.#recorded]
    const unknownBuckets = this.#unknown.names
    const report = { entries: count, events, recorded, transactTypes, unknownBuckets, position }
    return { ...report, failed, skipped: this.#skipped, failures, undefinedBuckets }
  }

  /** What is checked or done at commits needs each event to have one of its own. */
  get #canBatch(): boolean {
    return [...this.#engine.catalog.buckets].every(({ definition, table }) => {
      return definition.maxSize === undefined && table.indexes.every(({ hash }) => hash?.unique !== true)
    })
  }

  async #take(entries: readonly Entry[]): Promise<void> {
    this.#unknown.begin(entries)
    await this.#inBatches(
      entries,
      (transaction, entry) => this.#takeOne(transaction, entry),
      ({ seq, type }, error) => this.#fail(seq, type, error),
    )
    const projected = this.#projected
    this.#projected = []
    for (const projection of this.#async) await this.#follow(projection, projected)
  }

  #fail(seq: number, type: string, error: unknown): void {
    this.#failed++
    if (this.#failures.length < FAILURES_KEPT) this.#failures.push({ seq, type, error: asError(error) })
  }

  /** Many items in one commit. One that fails takes those before it with it, so they are done again without it. */
  async #inBatches<T>(
    items: readonly T[],
    work: (transaction: Transaction, item: T) => void | Promise<void>,
    failed: (item: T, error: unknown) => void,
  ): Promise<void> {
    const { transactions } = this.#engine
    let from = 0
    let until = items.length
    while (from < items.length) {
      const transaction = transactions.begin()
      const [events, recorded, projected] = [this.#events, this.#recorded, this.#projected.length]
      let at = from
      let isWritten = false
      try {
        for (; at < until; at++) {
          const done = work(transaction, items[at] as T)
          if (done !== undefined) await done
          if (this.#unknown.takeMet()) throw new Again()
        }
        transaction.head = HEAD
        transaction.source = undefined
        transaction.numbers = undefined
        await transactions.commit(transaction, {})
        isWritten = true
      } catch (error) {
        if (error instanceof StorageError) throw error
        const isAgain = at < until && (error instanceof Again || this.#unknown.takeMet())
        this.#events = events
        this.#recorded = recorded
        this.#projected.length = projected
        if (isAgain) continue
        // One that only the commit refuses is found by halving.
        const bad = at < until ? at : from + ((until - from) >> 1)
        if (bad === from) failed(items[from++] as T, error)
        until = bad === from - 1 ? items.length : Math.max(bad, from)
      } finally {
        transactions.end(transaction)
      }
      if (!isWritten) continue
      from = until
      until = items.length
    }
  }

  #takeOne(transaction: Transaction, entry: Entry): void | Promise<void> {
    const { seq, id, at, type, data = {}, meta, event, redacted = [] } = entry
    // Handlers of a clear have seen records that the log has let go of with it.
    const isSourced = isSourcedType(type)
    const isGone = isSourced && [...redacted, ...emptiedBy(entry)].some((bucket) => sourcedType(bucket) === type)
    const isPlain = isSourced && this.#parts.registry.find(type) === undefined
    transaction.numbers = new LoggedNumbers(entry)
    if (event === undefined || type.startsWith('store/') || isGone || isPlain || this.#isRecorded(entry)) {
      this.#apply(transaction, entry)
      const group = groupOf(entry)
      if (group !== undefined) this.complete(transaction, group, { seq, id })
      return
    }
    const seed = new EventSeed(() => placeSeed(id, seq), event.seed)
    const { clock = at } = event
    const root = { at: event.at ?? at, meta: meta && deepFreeze(meta), seed, entry: { seq, id } }
    const run = new EventRun(this.#parts, transaction, root, clock, true)
    const { version = 1 } = event
    const done = run.start({ type, data: deepFreeze(data), version })
    this.#events++
    if (done === undefined) return run.complete()
    return done.then(() => run.complete())
  }

  /** Whether the event is taken in as it was recorded. One that nobody defines is not: whether it may be there is asked as ever. */
  #isRecorded(entry: Entry): boolean {
    const { type, event } = entry
    if (this.#parts.registry.find(type) === undefined) return false
    const found = this.#quiet?.transactOf({ ...event, type })
    if (found !== undefined) this.#transactTypes.add(found)
    else if (this.#unknown.reasonOf(entry) === undefined) return false
    this.#recorded++
    return true
  }

  /** What an entry has changed, as it is. */
  #apply(transaction: Transaction, entry: Entry): void {
    const { type, changes } = entry
    if (type === 'store/projection' || type === 'store/rebuild') return
    for (const name of emptiedBy(entry)) {
      const bucket = this.#plain(name)
      if (bucket !== undefined) transaction.overlay(bucket).clear()
    }
    for (const { bucket: name, key, after } of changes) {
      const bucket = this.#plain(name)
      if (bucket === undefined) continue
      const overlay = transaction.overlay(bucket)
      const isThere = overlay.get(key) !== undefined
      if (after !== undefined) overlay[isThere ? 'update' : 'insert'](key, deepFreeze(after))
      else if (isThere) overlay.delete(key)
    }
  }

  /** The bucket, where what the log says about it is to be done. */
  #plain(name: string): Bucket | undefined {
    if (isInternalBucket(name) || this.#owned.has(name)) return undefined
    const bucket = this.#known(name)
    if (bucket === undefined) this.#undefined.add(name)
    return bucket
  }

  #known(name: string): Bucket | undefined {
    return this.#owned.has(name) || !this.#engine.catalog.has(name) ? undefined : this.#bucketOf(name)
  }

  #bucketOf(name: string): Bucket {
    return this.#engine.catalog.must(name)
  }

  /** See `CommitHook`: nobody else is here. */
  waits(): undefined {
    return undefined
  }

  /** See `CommitHook`. */
  complete(transaction: Transaction, group: EventGroup, entry: EntryPlace | undefined): void {
    const place = entry as EntryPlace
    if (this.#transaction !== transaction) {
      this.#transaction = transaction
      this.#runs = this.#inline.map((one) => this.#runOf(one, transaction))
    }
    for (let i = 0; i < this.#runs.length; i++) {
      const [projection, run] = [this.#inline[i] as Projection, this.#runs[i] as ProjectionRun]
      if (place.seq > this.#lastFor(projection) || !projection.takesAny(group)) continue
      try {
        run.take(group, place)
      } catch (error) {
        throw new EventFailedError('project', projection.name, [(group.events[0] as SubEvent).type], error)
      }
    }
    if (this.#async.length > 0) this.#projected.push({ group, place })
  }

  #runOf(projection: Projection, transaction: Transaction): ProjectionRun {
    return new ProjectionRun(projection, transaction, this.#world, (name) => this.#bucketOf(name))
  }

  #lastFor({ name }: Projection): number {
    return this.#options.positions?.get(name) ?? Number.POSITIVE_INFINITY
  }

  async #follow(projection: Projection, projected: readonly Projected[]): Promise<void> {
    const last = this.#lastFor(projection)
    const own = projected.filter(({ place, group }) => place.seq <= last && projection.takesAny(group))
    let run: ProjectionRun | undefined
    let current: Transaction | undefined
    await this.#inBatches(
      own,
      (transaction, { group, place }) => {
        if (run === undefined || current !== transaction) run = this.#runOf(projection, transaction)
        current = transaction
        run.take(group, place)
      },
      ({ place, group }, error) => {
        // It stands without the event, as it does in the store.
        if (projection.policy.onFailure === 'skip') this.#skipped++
        else this.#fail(place.seq, (group.events[0] as SubEvent).type, error)
      },
    )
  }
}
