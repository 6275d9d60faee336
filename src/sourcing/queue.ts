import { assert } from '../base/assert.js'
import { asError } from '../base/errors.js'
import type { Timer } from '../base/runtime.js'
import { StoreStoppedError } from '../commit/errors.js'
import type { CommitNote } from '../commit/write-options.js'
import type { Engine } from '../engine.js'
import type { EventData } from '../log/entry.js'
import { Process } from '../supervise/process.js'
import type { EventReceipt } from './event-definition.js'
import type { EventRegistry } from './event-registry.js'
import type { Dispatch } from './running-event.js'
import { describeFailure, EventFailedError, EventNotParkedError } from './errors.js'
import { GoneError, QueueBucket } from './queue-bucket.js'
import type { QueuedEvent } from './queue-bucket.js'
import type { EventSeed } from './seeded-stream.js'

/** What is known about the queue. */
export interface QueueStats {
  /** Events that are to be handled, those that wait for another attempt included. */
  readonly waiting: number
  readonly parked: number
  /** Events that are being handled now. */
  readonly running: number
  /** Why the queue stands still, where it does. */
  readonly halted: EventFailedError | undefined
  /** Whether nothing is handled because the store was started so, until `store.queue.resume()`. */
  readonly isPaused: boolean
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

/** What became of an attempt: the event has left the queue, is in it still, or the storage could not write. */
type Outcome = 'left' | 'kept' | 'unwritten'

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
  readonly #stored: QueueBucket
  #process: Process | undefined
  #opening: Promise<void> | undefined
  #isRunning = false
  /** Grows with each start, so that what an earlier one left behind is known. */
  #generation = 0
  #lanes = new Map<string, Lane>()
  /** Lanes whose first event is due. */
  #ready: Lane[] = []
  /** Ids that are in a lane, so that none is twice. */
  #placed = new Set<number>()
  readonly #running = new Map<number, Promise<void>>()
  /** Lanes whose first event waits for its time. */
  readonly #delayed = new Set<Lane>()
  #halted: EventFailedError | undefined
  #isPaused = false
  #idle: (() => void)[] = []

  constructor(engine: Engine, events: QueueEvents) {
    this.#engine = engine
    this.#events = events
    this.#stored = new QueueBucket(engine)
  }

  /** Goes on with what was queued before, where there is anything. @param isPaused nothing is handled until `resume`. */
  async resumeStored(isPaused: boolean): Promise<void> {
    this.#isPaused = isPaused
    if (this.#stored.isStored) await this.#open()
  }

  /** Only who queues events has the bucket, and the process that handles what is in it. */
  #open(): Promise<void> {
    this.#opening ??= (async () => {
      await this.#stored.open()
      const { runtime } = this.#engine.options
      this.#process = new Process({ name: 'queue', start: () => this.#start(), stop: () => this.#stop() }, runtime)
      await this.#engine.supervise(this.#process)
    })()
    return this.#opening
  }

  #start(): void {
    this.#isRunning = true
    this.#generation++
    this.#halted = undefined
    this.#lanes = new Map()
    this.#ready = []
    this.#placed = new Set(this.#running.keys())
    this.#stored.forEach((event) => this.#place(event))
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
    await this.#open()
    const now = this.#engine.sequencer.now()
    const { type, version = 1, data, at = now, note } = event
    const given = {
      ...{ type, version, data: data as EventData, at, state: 'waiting' as const, attempts: 0, dueAt: now + delayMs },
      ...(note.meta !== undefined && { meta: note.meta }),
      ...(lane !== undefined && { lane }),
    }
    const added = await this.#stored.add(given, note)
    if (this.#isRunning) {
      this.#place(added)
      this.#pump()
    }
    return added.id
  }

  /** Puts an event of the bucket behind the others of its lane. */
  #place({ id, lane: name, state }: QueuedEvent): void {
    if (this.#placed.has(id)) return
    this.#placed.add(id)
    if (name === undefined) {
      if (state === 'waiting') this.#wake({ name, ids: [id], timer: undefined })
      return
    }
    const lane = this.#lanes.get(name)
    if (lane !== undefined) {
      lane.ids.push(id)
      return
    }
    const fresh: Lane = { name, ids: [id], timer: undefined }
    this.#lanes.set(name, fresh)
    this.#wake(fresh)
  }

  /** The first event of the lane is next: now, at its time, or never as long as it is parked. */
  #wake(lane: Lane): void {
    const first = this.#stored.get(lane.ids[0] as number)
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
    while (this.#isRunning && !this.#isStill && this.#running.size < RUNNING_MAX) {
      const lane = this.#ready.shift()
      if (lane === undefined) break
      const id = lane.ids[0] as number
      assert(!this.#running.has(id), 'EV3', `event ${id} is handled twice at a time`)
      const generation = this.#generation
      const over = (outcome: Outcome): void => {
        this.#running.delete(id)
        if (generation === this.#generation && this.#isRunning) this.#handled(lane, id, outcome)
      }
      const work = this.#handle(id).then(over)
      this.#running.set(
        id,
        work.catch((bug: unknown) => void this.#process?.kill(bug)),
      )
    }
    this.#settleIdle()
  }

  get #isStill(): boolean {
    return this.#isPaused || this.#halted !== undefined
  }

  #settleIdle(): void {
    if (this.#running.size > 0 || (this.#ready.length > 0 && !this.#isStill && this.#isRunning)) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  #handled(lane: Lane, id: number, outcome: Outcome): void {
    const event = this.#stored.get(id)
    if (outcome === 'left' || event === undefined) this.#next(lane)
    else if (this.#halted !== undefined) this.#ready.unshift(lane)
    else if (outcome === 'unwritten') this.#delay(lane, STORAGE_PAUSE_MS)
    else this.#wake(lane)
    this.#pump()
  }

  /** Goes on with the lane after its first event has left it. */
  #next(lane: Lane): void {
    this.#placed.delete(lane.ids.shift() as number)
    if (lane.ids.length > 0) this.#wake(lane)
    else if (lane.name !== undefined) this.#lanes.delete(lane.name)
  }

  async #handle(id: number): Promise<Outcome> {
    const event = this.#stored.get(id)
    if (event === undefined) return 'left'
    try {
      await this.#dispatch(event)
      return 'left'
    } catch (error) {
      if (this.#engine.isStopped || isStopped(error)) return 'unwritten'
      if (!(error instanceof EventFailedError)) {
        this.#engine.options.onError(asError(error))
        return 'unwritten'
      }
      if (error.cause instanceof GoneError) return 'left'
      return this.#failed(event, error).catch((also: unknown) => {
        this.#engine.options.onError(asError(also))
        return 'unwritten'
      })
    }
  }

  #dispatch(event: QueuedEvent): Promise<EventReceipt> {
    const { id, type, version, data, at, meta } = event
    return this.#events.dispatch(
      {
        type,
        version,
        data,
        at,
        note: { meta },
        seed: this.#events.seed(),
        before: (transaction) => this.#stored.take(transaction, id),
      },
      false,
    )
  }

  async #failed(event: QueuedEvent, error: EventFailedError): Promise<Outcome> {
    const { id, type, data } = event
    const { policy, recordFailures } = this.#events.registry.policyOf(type)
    const attempts = event.attempts + 1
    const isLast = attempts > policy.retries
    if (isLast && policy.onFailure === 'skip') {
      await this.#stored.remove(id)
      if (recordFailures) await this.#events.recordFailure(type, data, error, { meta: event.meta })
      this.#engine.options.onError(error)
      return 'left'
    }
    const waitMs = Math.min(policy.backoffMs * 2 ** event.attempts, policy.backoffMaxMs)
    const isParked = isLast && policy.onFailure === 'park'
    await this.#stored.change(id, {
      attempts,
      dueAt: this.#engine.sequencer.now() + (isLast ? 0 : waitMs),
      error: describeFailure(error),
      ...(isParked && { state: 'parked' }),
    })
    if (!isLast) return 'kept'
    if (recordFailures) await this.#events.recordFailure(type, data, error, { meta: event.meta })
    if (policy.onFailure === 'halt') this.#halted = error
    this.#engine.options.onError(error)
    return 'kept'
  }

  /** The parked events, in the order in which they came. */
  get parked(): QueuedEvent[] {
    const found: QueuedEvent[] = []
    this.#stored.forEach((event) => void (event.state === 'parked' && found.push(event)))
    return found
  }

  /** Gives up a parked event. */
  async drop(event: QueuedEvent): Promise<void> {
    await this.#stored.remove(event.id)
    this.#release(event)
  }

  /** Gives a parked event other data. */
  async edit(id: number, data: EventData, version: number): Promise<void> {
    await this.#stored.change(id, { data, version })
  }

  /** Resolves when what is stored can be read and written, after a crash of it. */
  ready(): Promise<void> {
    return this.#stored.ready()
  }

  /** Handles a parked event at once. Where it fails again, it stays parked, with its new error. */
  async replay(event: QueuedEvent): Promise<EventReceipt> {
    try {
      const receipt = await this.#dispatch(event)
      this.#release(event)
      return receipt
    } catch (error) {
      if (error instanceof EventFailedError && error.cause instanceof GoneError) throw new EventNotParkedError(event.id)
      if (error instanceof EventFailedError && this.#stored.get(event.id) !== undefined) {
        await this.#stored.change(event.id, { attempts: event.attempts + 1, error: describeFailure(error) })
      }
      throw error
    }
  }

  /** A parked event is gone: what waited for it in its lane goes on. */
  #release({ id, lane: name }: QueuedEvent): void {
    const lane = name === undefined ? undefined : this.#lanes.get(name)
    if (lane === undefined || lane.ids[0] !== id || !this.#isRunning) {
      this.#placed.delete(id)
      return
    }
    this.#next(lane)
    this.#pump()
  }

  get stats(): QueueStats {
    const parked = this.parked.length
    const running = this.#running.size
    return { waiting: this.#stored.size - parked, parked, running, halted: this.#halted, isPaused: this.#isPaused }
  }

  /** Goes on after the queue has halted, with the event that failed, or after it was paused from the start. */
  resume(): void {
    if (!this.#isStill) return
    this.#halted = undefined
    this.#isPaused = false
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
  return (
    error instanceof StoreStoppedError ||
    (error instanceof EventFailedError && error.cause instanceof StoreStoppedError)
  )
}
