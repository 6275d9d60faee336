import { assert } from '../base/assert.js'
import { asError } from '../base/errors.js'
import { StoreStoppedError } from '../commit/errors.js'
import type { CommitNote } from '../commit/write-options.js'
import type { Engine } from '../engine.js'
import type { EventData } from '../log/entry.js'
import { StorageError } from '../log/errors.js'
import { Process } from '../supervise/process.js'
import type { EventReceipt } from './event-definition.js'
import type { EventRegistry } from './event-registry.js'
import type { Dispatch } from './running-event.js'
import { describeFailure, EventFailedError, EventNotParkedError } from './errors.js'
import { Lanes } from './lanes.js'
import { GoneError, QueueBucket } from './queue-bucket.js'
import type { QueuedEvent } from './queue-bucket.js'
import { QueuedEventFailedError } from './queued-failure.js'
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

/** What became of an attempt: the event has left the queue, is in it still, has halted it, or the storage could not write. */
type Outcome = 'left' | 'kept' | 'halted' | 'unwritten'

/** So many events are on their way to the disk together. */
const RUNNING_MAX = 100
/** Beyond it a wait is not doubled any more. */
const DOUBLINGS_MAX = 40
/** Wait after the storage could not write. */
const STORAGE_PAUSE_MS = 1_000

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
  readonly #lanes: Lanes
  #process: Process | undefined
  #opening: Promise<void> | undefined
  #isRunning = false
  /** Events that are being handled, parked ones that are tried again included. Their promises never reject. */
  readonly #running = new Map<number, Promise<void>>()
  /** Events on their way to the disk: they have their place already, and are handled when they are there. */
  readonly #pending = new Map<number, object>()
  #isRecovering = false
  #halted: EventFailedError | undefined
  #isPaused = false
  #idle: (() => void)[] = []

  constructor(engine: Engine, events: QueueEvents) {
    this.#engine = engine
    this.#events = events
    this.#stored = new QueueBucket(engine)
    this.#lanes = new Lanes({
      get: (id) => this.#stored.get(id),
      isFree: (id) => !this.#pending.has(id) && !this.#running.has(id),
      now: () => engine.sequencer.now(),
      setTimer: (ms, call) => engine.options.runtime.setTimer(ms, call),
      onReady: () => this.#pump(),
    })
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
    this.#halted = undefined
    this.#lanes.clear()
    this.#stored.forEach((event) => this.#lanes.changed(event))
    this.#pump()
  }

  /** Whether what is stored can be looked at. While it comes back after a crash, nothing is; then the order is made anew. */
  get #isReadable(): boolean {
    if (this.#stored.isReady) return true
    if (!this.#isRecovering) {
      this.#isRecovering = true
      this.#stored.ready().then(
        () => {
          this.#isRecovering = false
          if (this.#isRunning) this.#start()
        },
        // It never will: the store has failed, or stops, and says so itself.
        () => undefined,
      )
    }
    return false
  }

  async #stop(): Promise<void> {
    this.#isRunning = false
    this.#lanes.clear()
    await Promise.all(this.#running.values())
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
    const { placed, durable } = this.#stored.add(
      {
        ...{ type, version, data: data as EventData, at, state: 'waiting', attempts: 0, dueAt: now + delayMs },
        ...(note.meta !== undefined && { meta: note.meta }),
        ...(lane !== undefined && { lane }),
      },
      note,
    )
    if (placed === undefined) {
      const added = await durable
      this.#changed(added)
      return added.id
    }
    // In its lane now: another one of it, that waits for less, may be durable first.
    const { id } = placed
    const token = {}
    this.#pending.set(id, token)
    if (this.#isRunning && this.#isReadable) this.#lanes.changed(placed)
    try {
      await durable
    } finally {
      if (this.#pending.get(id) === token) this.#pending.delete(id)
      this.#changed(placed)
    }
    return id
  }

  /** Something has happened to an event: its lane goes on, if it may. */
  #changed(event: QueuedEvent, outcome?: Outcome): void {
    if (this.#isRunning && this.#isReadable) {
      if (outcome === 'unwritten') this.#lanes.pause(event, STORAGE_PAUSE_MS)
      // Where the queue has halted because of it, it is the first to be tried again.
      else this.#lanes.changed(event, outcome === 'halted')
    }
    this.#pump()
  }

  #pump(): void {
    while (this.#isRunning && !this.#isStill && this.#running.size < RUNNING_MAX && this.#isReadable) {
      const event = this.#lanes.take()
      if (event === undefined) break
      this.#run(event.id, () => this.#handle(event.id))
        .then((outcome) => this.#changed(event, outcome))
        .catch((bug: unknown) => void this.#process?.kill(bug))
    }
    this.#settleIdle()
  }

  /** Runs `work` on an event that nobody else is at work on. A rejection is a bug unless it is `work`'s to make. */
  #run<T>(id: number, work: () => Promise<T>): Promise<T> {
    assert(!this.#running.has(id), 'EV3', `event ${id} is handled twice at a time`)
    const result = work()
    const over = (): void => void this.#running.delete(id)
    this.#running.set(id, result.then(over, over))
    return result
  }

  get #isStill(): boolean {
    return this.#isPaused || this.#halted !== undefined
  }

  #settleIdle(): void {
    if (this.#running.size > 0 || (this.#lanes.isReady && !this.#isStill && this.#isRunning)) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** Never rejects. */
  async #handle(id: number): Promise<Outcome> {
    const event = this.#stored.get(id)
    if (event === undefined) return 'left'
    try {
      await this.#dispatch(event)
      return 'left'
    } catch (error) {
      if (isUnwritten(error, this.#engine)) return this.#report(error)
      const failed =
        error instanceof EventFailedError ? error : new EventFailedError('commit', undefined, [event.type], error)
      if (failed.cause instanceof GoneError) return 'left'
      return this.#failed(event, failed).catch((also: unknown) => this.#report(also))
    }
  }

  #report(error: unknown): Outcome {
    if (!this.#engine.isStopped) this.#engine.options.onError(asError(error))
    return 'unwritten'
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
    const outcome = OUTCOMES[policy.onFailure]
    if (isLast && outcome === 'skipped') await this.#stored.remove(id)
    else {
      await this.#stored.change(id, {
        attempts,
        dueAt: this.#engine.sequencer.now() + (isLast ? 0 : backoffMs(policy, event.attempts)),
        error: describeFailure(error),
        ...(isLast && outcome === 'parked' && { state: 'parked' }),
      })
    }
    if (!isLast) return 'kept'
    if (recordFailures) await this.#events.recordFailure(type, data, error, { meta: event.meta })
    const last = new QueuedEventFailedError(error, event, attempts, outcome)
    if (outcome === 'halted') this.#halted = last
    this.#engine.options.onError(last)
    if (outcome === 'halted') return outcome
    return outcome === 'skipped' ? 'left' : 'kept'
  }

  /** The parked events, in the order in which they came. */
  get parked(): QueuedEvent[] {
    const found: QueuedEvent[] = []
    this.#stored.forEach((event) => void (event.state === 'parked' && found.push(event)))
    return found
  }

  /** Gives up a parked event. @throws {EventNotParkedError} */
  drop(id: number): Promise<void> {
    return this.#withParked(id, () => this.#stored.remove(id))
  }

  /** Gives a parked event other data. @throws {EventNotParkedError} */
  edit(id: number, data: EventData, version: number): Promise<void> {
    return this.#withParked(id, () => this.#stored.change(id, { data, version }))
  }

  /** Handles a parked event at once. Where it fails again, it stays parked, with its new error. @throws {EventNotParkedError} */
  replay(id: number): Promise<EventReceipt> {
    return this.#withParked(id, async (event) => {
      try {
        return await this.#dispatch(event)
      } catch (error) {
        if (error instanceof EventFailedError && this.#stored.get(id) !== undefined) {
          await this.#stored.change(id, { attempts: event.attempts + 1, error: describeFailure(error) })
        }
        throw error
      }
    })
  }

  /** Runs `work` on a parked event, after whoever is at work on it. What waited for it in its lane goes on when it is gone. */
  async #withParked<T>(id: number, work: (event: QueuedEvent) => Promise<T>): Promise<T> {
    for (let other = this.#running.get(id); other !== undefined; other = this.#running.get(id)) await other
    const event = this.#stored.get(id)
    if (event?.state !== 'parked') throw new EventNotParkedError(id)
    try {
      return await this.#run(id, () => work(event))
    } finally {
      this.#changed(event)
    }
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

/** What the name of a policy means for an event that has failed for the last time. */
const OUTCOMES = { skip: 'skipped', park: 'parked', halt: 'halted' } as const

/** Wait before the next attempt, after `failed` others. */
function backoffMs(policy: { readonly backoffMs: number; readonly backoffMaxMs: number }, failed: number): number {
  // Doubled without end, it would be no number any more.
  return Math.min(policy.backoffMs * 2 ** Math.min(failed, DOUBLINGS_MAX), policy.backoffMaxMs)
}

/** Whether it is not the event that is to blame: the storage cannot write now, or the store ends. */
function isUnwritten(error: unknown, engine: Engine): boolean {
  return engine.isStopped || error instanceof StorageError || error instanceof StoreStoppedError
}
