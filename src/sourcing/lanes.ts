import type { Timer } from '../base/runtime.js'
import type { QueuedEvent } from './queue-bucket.js'

/** Events that must follow each other. One that named no lane has one of its own, under its id. */
export interface Lane {
  readonly key: string | number
  /** Rising, which is the order in which they came; the first one is next. */
  readonly ids: number[]
  /** `idle`: its first event is parked, or not yet durable. */
  state: 'idle' | 'ready' | 'delayed' | 'running'
  timer: Timer | undefined
  /** The event whose time has come, which need not be looked up again. */
  dueId: number | undefined
}

/** What lanes know of events, and of time. */
export interface LaneHost {
  /** The event as it is stored now; `undefined` when it has left the queue, or was taken back. */
  get(id: number): QueuedEvent | undefined
  /** False while it is on its way to the disk. */
  isDurable(id: number): boolean
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

  /** Puts an event in its place in its lane; one that is there stays. */
  add({ id, lane: name }: QueuedEvent): void {
    const key = name ?? id
    let lane = this.#lanes.get(key)
    if (lane === undefined) {
      lane = { key, ids: [], state: 'idle', timer: undefined, dueId: undefined }
      this.#lanes.set(key, lane)
    }
    let at = lane.ids.length
    while (at > 0 && (lane.ids[at - 1] as number) > id) at--
    if (lane.ids[at - 1] !== id) lane.ids.splice(at, 0, id)
    this.#settle(lane)
  }

  /** The next event that may be handled; its lane waits until `done`. */
  take(): { readonly lane: Lane; readonly event: QueuedEvent } | undefined {
    for (const lane of this.#ready) {
      this.#ready.delete(lane)
      lane.state = 'idle'
      const event = this.#first(lane)
      if (event === undefined || !this.#isTakeable(event)) {
        this.#settle(lane)
        continue
      }
      lane.state = 'running'
      return { lane, event }
    }
    return undefined
  }

  /** An event of a lane was handled: its lane goes on. @param first before all others, whose turn it would be. */
  done(lane: Lane, first: boolean): void {
    lane.state = 'idle'
    lane.dueId = undefined
    this.#settle(lane, first)
  }

  /** As `done`, when `ms` have passed. */
  doneIn(lane: Lane, ms: number): void {
    lane.state = 'idle'
    lane.dueId = undefined
    if (this.#first(lane) === undefined) this.#settle(lane)
    else this.#delay(lane, lane.ids[0] as number, ms)
  }

  /** Something about an event has changed that concerns its lane. */
  changed({ id, lane: name }: QueuedEvent): void {
    const lane = this.#lanes.get(name ?? id)
    if (lane !== undefined) this.#settle(lane)
  }

  /** Nobody waits for anything any more. */
  clear(): void {
    for (const lane of this.#lanes.values()) lane.timer?.cancel()
    this.#lanes.clear()
    this.#ready.clear()
  }

  #settle(lane: Lane, first = false): void {
    if (lane.state === 'running') return
    lane.timer?.cancel()
    lane.timer = undefined
    const event = this.#first(lane)
    if (event === undefined || !this.#isTakeable(event)) {
      this.#ready.delete(lane)
      lane.state = 'idle'
      if (event === undefined) this.#lanes.delete(lane.key)
      return
    }
    const ms = lane.dueId === event.id ? 0 : event.dueAt - this.#host.now()
    if (ms > 0) this.#delay(lane, event.id, ms)
    else this.#makeReady(lane, first)
  }

  #makeReady(lane: Lane, first: boolean): void {
    lane.state = 'ready'
    if (first) this.#ready = new Set([lane, ...this.#ready])
    else this.#ready.add(lane)
  }

  /** Time is counted by the timer alone: a clock that is set back or ahead meanwhile moves nothing. */
  #delay(lane: Lane, id: number, ms: number): void {
    this.#ready.delete(lane)
    lane.state = 'delayed'
    lane.timer = this.#host.setTimer(Math.min(ms, TIMER_MS_MAX), () => {
      lane.timer = undefined
      if (ms > TIMER_MS_MAX) return this.#delay(lane, id, ms - TIMER_MS_MAX)
      lane.dueId = id
      this.#settle(lane)
      this.#host.onReady()
    })
  }

  #isTakeable(event: QueuedEvent): boolean {
    return event.state === 'waiting' && this.#host.isDurable(event.id)
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
