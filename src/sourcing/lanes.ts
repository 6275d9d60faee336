import type { Timer } from '../base/runtime.js'
import type { QueuedEvent } from './queue-bucket.js'

/** Events that must follow each other. One that named no lane has one of its own, under its id. */
interface Lane {
  readonly key: string | number
  /** Rising, which is the order in which they came; the first one is next. */
  readonly ids: number[]
  /** Runs until the time of an event has come. */
  timer: { readonly id: number; cancel(): void } | undefined
  /** The event whose time has come, which need not be looked up again. */
  dueId: number | undefined
}

/** What lanes know of events, and of time. */
export interface LaneHost {
  /** The event as it is stored now; `undefined` when it has left the queue, or was taken back. */
  get(id: number): QueuedEvent | undefined
  /** False while it is on its way to the disk, or being handled; `changed` is called afterwards. */
  isFree(id: number): boolean
  /** In the time of the log, which never goes back. */
  now(): number
  setTimer(ms: number, call: () => void): Timer
  /** A lane has become ready by its timer. */
  onReady(): void
}

const TIMER_MS_MAX = 2 ** 31 - 1

/**
 * An order of work over the events of a queue: which one is next in its lane, and which lane may go on. Whatever it is told, it looks the
 * first event of a lane up before it is taken.
 */
export class Lanes {
  readonly #host: LaneHost
  readonly #lanes = new Map<string | number, Lane>()
  #ready = new Set<Lane>()

  constructor(host: LaneHost) {
    this.#host = host
  }

  /** Whether any lane may go on. */
  get isReady(): boolean {
    return this.#ready.size > 0
  }

  /** The next event that may be handled. It is not free any more when this is called again. */
  take(): QueuedEvent | undefined {
    for (const lane of this.#ready) {
      this.#ready.delete(lane)
      const event = this.#first(lane)
      if (event !== undefined && this.#isTakeable(event)) return event
      this.#settle(lane, false)
    }
    return undefined
  }

  /**
   * An event has come, or something has happened to it: it has its place in its lane as long as it is stored, and the lane goes on if it may.
   *
   * @param isNext before all others.
   */
  changed({ id, lane: name }: QueuedEvent, isNext = false): void {
    const key = name ?? id
    const lane = this.#lanes.get(key) ?? { key, ids: [], timer: undefined, dueId: undefined }
    this.#lanes.set(key, lane)
    let at = lane.ids.length
    while (at > 0 && (lane.ids[at - 1] as number) > id) at--
    if (lane.ids[at - 1] !== id) lane.ids.splice(at, 0, id)
    if (lane.dueId === id) lane.dueId = undefined
    this.#settle(lane, isNext)
  }

  /** As `changed`, but the event is not to be handled before `ms` have passed. */
  pause(event: QueuedEvent, ms: number): void {
    const lane = this.#lanes.get(event.lane ?? event.id)
    if (lane !== undefined) this.#delay(lane, event.id, ms)
  }

  /** Nobody waits for anything any more. */
  clear(): void {
    for (const lane of this.#lanes.values()) lane.timer?.cancel()
    this.#lanes.clear()
    this.#ready.clear()
  }

  #settle(lane: Lane, isNext: boolean): void {
    const event = this.#first(lane)
    // Its time is counted already, and not from the beginning whenever another event joins it.
    if (event !== undefined && lane.timer?.id === event.id) return
    lane.timer?.cancel()
    lane.timer = undefined
    if (event === undefined) this.#lanes.delete(lane.key)
    if (event === undefined || !this.#isTakeable(event)) return void this.#ready.delete(lane)
    const ms = lane.dueId === event.id ? 0 : event.dueAt - this.#host.now()
    if (ms > 0) this.#delay(lane, event.id, ms)
    else if (isNext) this.#ready = new Set([lane, ...this.#ready])
    else this.#ready.add(lane)
  }

  /** Time is counted by the timer alone: a clock that is set back or ahead meanwhile moves nothing. */
  #delay(lane: Lane, id: number, ms: number): void {
    this.#ready.delete(lane)
    lane.timer?.cancel()
    const timer = this.#host.setTimer(Math.min(ms, TIMER_MS_MAX), () => {
      lane.timer = undefined
      if (ms > TIMER_MS_MAX) return this.#delay(lane, id, ms - TIMER_MS_MAX)
      lane.dueId = id
      this.#settle(lane, false)
      this.#host.onReady()
    })
    lane.timer = { id, cancel: () => timer.cancel() }
  }

  #isTakeable(event: QueuedEvent): boolean {
    return event.state === 'waiting' && this.#host.isFree(event.id)
  }

  /** The first event that is there still. An id that was taken back may stand for another event by now. */
  #first(lane: Lane): QueuedEvent | undefined {
    for (let id = lane.ids[0]; id !== undefined; id = lane.ids[0]) {
      const event = this.#host.get(id)
      if (event !== undefined && (event.lane ?? event.id) === lane.key) return event
      lane.ids.shift()
    }
    return undefined
  }
}
