import { assert } from '../base/assert.js'
import { asError } from '../base/errors.js'
import type { Timer } from '../base/runtime.js'
import type { StoredRecord } from '../base/value.js'
import type { Bucket } from '../commit/bucket.js'
import { StoreStoppedError } from '../commit/errors.js'
import type { Transaction } from '../commit/transaction.js'
import { deleteIn, insertIn, updateIn } from '../commit/transaction-writes.js'
import type { CommitNote } from '../commit/write-options.js'
import type { Engine } from '../engine.js'
import type { EventData } from '../log/entry.js'
import type { BucketDefinition } from '../schema/definition.js'
import { Process } from '../supervise/process.js'
import type { EventReceipt } from './event-definition.js'
import type { EventRegistry } from './event-registry.js'
import type { Dispatch } from './event-run.js'
import { describeFailure, EventFailedError } from './errors.js'
import type { EventSeed } from './seeded-stream.js'

/** An event in the queue, as it is kept. */
export interface QueuedEvent {
  readonly id: number
  readonly type: string
  readonly version: number
  readonly data: EventData
  readonly meta?: EventData
  /** When it happened. */
  readonly at: number
  readonly lane?: string
  readonly state: 'waiting' | 'parked'
  /** Attempts that have failed. */
  readonly attempts: number
  /** It is not handled before. */
  readonly dueAt: number
  /** What failed last: phase, reducer, path, name, message and code of the error. */
  readonly error?: EventData
}

/** What is known about the queue. */
export interface QueueStats {
  /** Events that are to be handled, those that wait for another attempt included. */
  readonly waiting: number
  readonly parked: number
  /** Events that are being handled now. */
  readonly running: number
  /** Why the queue stands still, where it does. */
  readonly halted: EventFailedError | undefined
}

/** Who handles what is due. */
export interface QueueEvents {
  readonly registry: EventRegistry
  dispatch(event: Dispatch, isRecorded: boolean): Promise<EventReceipt>
  recordFailure(type: string, data: EventData, error: EventFailedError, note: CommitNote): Promise<void>
  seed(): EventSeed
}

/** Events that must follow each other. One without a lane has one of its own. */
interface Lane {
  readonly name: string | undefined
  /** In the order in which they came; the first one is next. */
  readonly ids: number[]
  timer: Timer | undefined
}

/** The one that its commit was to take out of the queue is not there any more. */
class GoneError extends Error {}

const BUCKET = 'varve/queue'
const DEFINITION: BucketDefinition = {
  key: 'id',
  schema: {
    id: { type: 'number', generated: 'autoincrement' },
    type: { type: 'string', required: true },
    version: { type: 'number', required: true },
    data: { type: 'object', required: true },
    meta: { type: 'object' },
    at: { type: 'number', required: true },
    lane: { type: 'string' },
    state: { type: 'string', enum: ['waiting', 'parked'], required: true },
    attempts: { type: 'number', required: true },
    dueAt: { type: 'number', required: true },
    error: { type: 'object' },
  },
}
/** So many events are on their way to the disk together. */
const RUNNING_MAX = 100
/** Wait after the storage could not write. */
const STORAGE_PAUSE_MS = 1_000
const TIMER_MS_MAX = 2 ** 31 - 1

/**
 * Events that are handled later, each exactly once: they are kept in a bucket of their own, and an event leaves it in the
 * commit that has its effects. What is in memory here is an order of work, made anew from the bucket at each start.
 *
 * Holds EV3: an event is handled at most once at a time, and in its lane after those before it.
 */
export class EventQueue {
  readonly #engine: Engine
  readonly #events: QueueEvents
  #bucket: Bucket | undefined
  #opening: Promise<Bucket> | undefined
  #isRunning = false
  /** Grows with each start, so that what an earlier one left behind is known. */
  #generation = 0
  #lanes = new Map<string, Lane>()
  /** Lanes whose first event is due. */
  #ready: Lane[] = []
  readonly #running = new Map<number, Promise<void>>()
  /** Lanes whose first event waits for its time. */
  readonly #delayed = new Set<Lane>()
  #halted: EventFailedError | undefined
  #idle: (() => void)[] = []

  constructor(engine: Engine, events: QueueEvents) {
    this.#engine = engine
    this.#events = events
  }

  /** Goes on with what was queued before, where there is anything. */
  async resumeStored(): Promise<void> {
    if (this.#engine.report.buckets.some(({ bucket }) => bucket === BUCKET)) await this.#open()
  }

  /** The bucket, with the process that handles what is in it. Only who queues events has them. */
  #open(): Promise<Bucket> {
    this.#opening ??= (async () => {
      const { bucket, loaded } = this.#engine.catalog.define(BUCKET, DEFINITION, true)
      await loaded
      this.#bucket = bucket
      const { runtime } = this.#engine.options
      await this.#engine.supervise(
        new Process({ name: 'queue', start: () => this.#start(bucket), stop: () => this.#stop() }, runtime),
      )
      return bucket
    })()
    return this.#opening
  }

  #start(bucket: Bucket): void {
    this.#isRunning = true
    this.#generation++
    this.#halted = undefined
    this.#lanes = new Map()
    this.#ready = []
    bucket.table.forEach(({ record }) => {
      if (!this.#running.has(record.id as number)) this.#place(record)
    })
    this.#pump()
  }

  async #stop(): Promise<void> {
    this.#isRunning = false
    for (const { timer } of this.#delayed) timer?.cancel()
    this.#delayed.clear()
    await Promise.allSettled(this.#running.values())
    this.#settleIdle()
  }

  /**
   * Puts an event into the queue.
   *
   * @returns its id, when it is durable there.
   */
  async add(event: Dispatch, lane: string | undefined, delayMs: number): Promise<number> {
    const bucket = await this.#open()
    const now = this.#engine.sequencer.now()
    const { type, version = 1, data, at = now, note } = event
    const given = {
      ...{ type, version, data, at, state: 'waiting', attempts: 0, dueAt: now + delayMs },
      ...(note.meta !== undefined && { meta: note.meta }),
      ...(lane !== undefined && { lane }),
    }
    const record = await this.#write('store/enqueue', note, (transaction) =>
      insertIn(transaction, transaction.overlay(bucket), given),
    )
    if (this.#isRunning) {
      this.#place(record)
      this.#pump()
    }
    return record.id as number
  }

  /** Changes the queue itself, in a commit of its own. */
  async #write<T>(type: string, note: CommitNote, change: (transaction: Transaction) => T): Promise<T> {
    const { transactions } = this.#engine
    const transaction = transactions.begin()
    transaction.head = { type }
    try {
      const result = change(transaction)
      await transactions.commit(transaction, note)
      return result
    } finally {
      transactions.end(transaction)
    }
  }

  /** Puts an event of the bucket behind the others of its lane. */
  #place(record: StoredRecord): void {
    const { id, lane: name, state } = record as unknown as QueuedEvent
    if (name === undefined) {
      if (state === 'waiting') this.#wake({ name, ids: [id], timer: undefined })
      return
    }
    const lane = this.#lanes.get(name)
    if (lane !== undefined) {
      if (!lane.ids.includes(id)) lane.ids.push(id)
      return
    }
    const fresh: Lane = { name, ids: [id], timer: undefined }
    this.#lanes.set(name, fresh)
    this.#wake(fresh)
  }

  /** The first event of the lane is next: now, at its time, or never as long as it is parked. */
  #wake(lane: Lane): void {
    const first = this.#get(lane.ids[0] as number)
    if (first === undefined || first.state === 'parked') return
    const { runtime } = this.#engine.options
    const ms = first.dueAt - runtime.now()
    if (ms > 0) this.#delay(lane, ms)
    else this.#ready.push(lane)
  }

  #delay(lane: Lane, ms: number): void {
    this.#delayed.add(lane)
    lane.timer = this.#engine.options.runtime.setTimer(Math.min(ms, TIMER_MS_MAX), () => {
      this.#delayed.delete(lane)
      if (!this.#isRunning) return
      this.#wake(lane)
      this.#pump()
    })
  }

  #pump(): void {
    while (this.#isRunning && this.#halted === undefined && this.#running.size < RUNNING_MAX) {
      const lane = this.#ready.shift()
      if (lane === undefined) break
      const id = lane.ids[0] as number
      assert(!this.#running.has(id), 'EV3', `event ${id} is handled twice at a time`)
      const generation = this.#generation
      const work = this.#handle(id).then((isOver) => {
        this.#running.delete(id)
        if (generation === this.#generation) this.#handled(lane, id, isOver)
      })
      this.#running.set(id, work)
    }
    this.#settleIdle()
  }

  #settleIdle(): void {
    if (this.#running.size > 0 || (this.#ready.length > 0 && this.#halted === undefined && this.#isRunning)) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  #handled(lane: Lane, id: number, isOver: boolean): void {
    if (!this.#isRunning) return
    if (isOver || this.#get(id) === undefined) this.#next(lane)
    else if (this.#get(id)?.state === 'waiting') this.#wakeLater(lane)
    this.#pump()
  }

  /** Goes on with the lane after its first event has left it. */
  #next(lane: Lane): void {
    lane.ids.shift()
    if (lane.ids.length > 0) this.#wake(lane)
    else if (lane.name !== undefined) this.#lanes.delete(lane.name)
  }

  #wakeLater(lane: Lane): void {
    const due = this.#get(lane.ids[0] as number)?.dueAt ?? 0
    const ms = due - this.#engine.options.runtime.now()
    // One that is due although it has just failed could not be written: the storage gets a moment.
    if (this.#halted !== undefined) this.#ready.unshift(lane)
    else this.#delay(lane, ms > 0 ? ms : STORAGE_PAUSE_MS)
  }

  /** @returns whether the event has left the queue. Never rejects. */
  async #handle(id: number): Promise<boolean> {
    const event = this.#get(id)
    if (event === undefined) return true
    try {
      await this.#dispatch(event)
      return true
    } catch (error) {
      if (this.#engine.isStopped || isStopped(error)) return false
      if (!(error instanceof EventFailedError)) {
        this.#engine.options.onError(asError(error))
        return false
      }
      if (error.cause instanceof GoneError) return true
      return this.#failed(event, error).catch((also: unknown) => {
        this.#engine.options.onError(asError(also))
        return false
      })
    }
  }

  #dispatch(event: QueuedEvent): Promise<EventReceipt> {
    const { id, type, version, data, at, meta } = event
    return this.#events.dispatch(
      { type, version, data, at, note: { meta }, seed: this.#events.seed(), before: (transaction) => this.#take(transaction, id) },
      false,
    )
  }

  /** Takes an event out of the queue, as a part of its own commit. */
  #take(transaction: Transaction, id: number): void {
    const bucket = this.#bucket as Bucket
    bucket.mustBeReady()
    if (!deleteIn(transaction, transaction.overlay(bucket), id)) {
      throw new EventFailedError('commit', undefined, [BUCKET], new GoneError(`event ${id} has left the queue`))
    }
  }

  /** @returns whether the event has left the queue. */
  async #failed(event: QueuedEvent, error: EventFailedError): Promise<boolean> {
    const { id, type, data } = event
    const { policy, recordFailures } = this.#events.registry.policyOf(type)
    const attempts = event.attempts + 1
    const isLast = attempts > policy.retries
    if (isLast && policy.onFailure === 'skip') {
      await this.remove(id)
      if (recordFailures) await this.#events.recordFailure(type, data, error, { meta: event.meta })
      this.#engine.options.onError(error)
      return true
    }
    const waitMs = Math.min(policy.backoffMs * 2 ** event.attempts, policy.backoffMaxMs)
    const isParked = isLast && policy.onFailure === 'park'
    await this.#note(id, {
      attempts,
      dueAt: this.#engine.sequencer.now() + (isLast ? 0 : waitMs),
      error: describeFailure(error),
      ...(isParked && { state: 'parked' }),
    })
    if (!isLast) return false
    if (recordFailures) await this.#events.recordFailure(type, data, error, { meta: event.meta })
    if (policy.onFailure === 'halt') this.#halted = error
    this.#engine.options.onError(error)
    return false
  }

  #note(id: number, changes: object): Promise<unknown> {
    return this.#write('store/queue', {}, (transaction) =>
      updateIn(transaction, transaction.overlay(this.#bucket as Bucket), id, changes),
    )
  }

  #get(id: number): QueuedEvent | undefined {
    return this.#bucket?.table.get(id) as QueuedEvent | undefined
  }

  /** The parked events, in the order in which they came. */
  get parked(): QueuedEvent[] {
    const found: QueuedEvent[] = []
    this.#bucket?.table.forEach(({ record }) => {
      if (record.state === 'parked') found.push(record as unknown as QueuedEvent)
    })
    return found
  }

  /** Takes a waiting or parked event out of the queue, without handling it. */
  async remove(id: number): Promise<void> {
    await this.#write('store/queue', {}, (transaction) => {
      deleteIn(transaction, transaction.overlay(this.#bucket as Bucket), id)
    })
  }

  /** Gives a parked event other data. */
  async edit(id: number, data: EventData, version: number): Promise<void> {
    await this.#note(id, { data, version })
  }

  /** Handles a parked event at once. Where it fails again, it stays parked, with its new error. */
  async replay(event: QueuedEvent): Promise<EventReceipt> {
    try {
      const receipt = await this.#dispatch(event)
      this.release(event)
      return receipt
    } catch (error) {
      if (error instanceof EventFailedError && this.#get(event.id) !== undefined) {
        await this.#note(event.id, { attempts: event.attempts + 1, error: describeFailure(error) })
      }
      throw error
    }
  }

  /** A parked event is gone: what waited for it in its lane goes on. */
  release({ id, lane: name }: QueuedEvent): void {
    const lane = name === undefined ? undefined : this.#lanes.get(name)
    if (lane === undefined || lane.ids[0] !== id || !this.#isRunning) return
    this.#next(lane)
    this.#pump()
  }

  get stats(): QueueStats {
    const parked = this.parked.length
    const running = this.#running.size
    return { waiting: (this.#bucket?.table.size ?? 0) - parked, parked, running, halted: this.#halted }
  }

  /** Goes on after the queue has halted: the event that failed is tried again. */
  resume(): void {
    if (this.#halted === undefined) return
    this.#halted = undefined
    this.#pump()
  }

  /** Resolves when nothing is being handled and nothing is due; events may still wait for their time, or be parked. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle.push(resolve)
      this.#settleIdle()
    })
  }
}

function isStopped(error: unknown): boolean {
  return error instanceof StoreStoppedError || (error instanceof EventFailedError && error.cause instanceof StoreStoppedError)
}
