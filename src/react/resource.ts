import { deepEqual } from '../base/equality.js'
import { asError } from '../base/errors.js'
import { systemRuntime } from '../base/runtime.js'
import type { Timer } from '../base/runtime.js'
import { StoreStoppedError } from '../commit/errors.js'
import { failed, loaded, LOADING } from './status.js'
import type { QueryStatus } from './status.js'

/** Takes what a subscription tells. */
export interface Receiver {
  result(data: unknown): void
  /** It goes on: a result may come. */
  failed(error: Error): void
  /** Nothing else comes. @param why for who still waits for a result. */
  ended(why: Error): void
}

/** Subscribes. @returns ends the subscription. */
export type Source = (to: Receiver) => () => void

/** What a hook reads and listens to. Its functions are the same for its whole life, as React wants them. */
export interface Readable {
  /** Names it in snapshots of the server; undefined for what cannot be sent. */
  readonly key: string | undefined
  readonly read: () => QueryStatus<unknown>
  readonly listen: (listener: () => void) => () => void
  /** For who cannot go on without a result: resolves when it is worth looking again. */
  wait(): Promise<void>
}

/** How long a resource that nobody listens to is kept after somebody has looked at it: this once or twice. */
export const KEEP_MS = 3_000
/** How long one that has failed is kept, so that what is mounted anew after that asks anew. */
export const FAILED_KEEP_MS = 1_000

/** A promise that trees wait for, and what resolves it. */
interface Waiting {
  readonly promise: Promise<void>
  readonly wake: () => void
}

function newWaiting(): Waiting {
  let wake = (): void => undefined
  const promise = new Promise<void>((resolve) => {
    wake = resolve
  })
  return { promise, wake: () => wake() }
}

/**
 * One subscription to the store, its latest result, and who listens to it: what all components share that ask the same.
 *
 * A render may ask and never be committed, and React does not say so. So nobody owns a resource: it lives while somebody
 * listens, and for a time after somebody has looked. Who waits for a first result that takes long is woken once in that time; a
 * tree that is still there looks again, one that was given up does not.
 */
export class Resource implements Readable {
  readonly key: string | undefined
  readonly #source: Source
  readonly #onKept: (resource: Resource, isKept: boolean) => void
  readonly #listeners = new Set<() => void>()
  #status: QueryStatus<unknown> = LOADING
  /** Ends the subscription; undefined where there is none. */
  #stop: (() => void) | undefined
  /** The subscription has not told anything yet. */
  #isFirst = true
  #waiting: Waiting | undefined
  #timer: Timer | undefined
  /** Somebody has looked since the timer was set. */
  #isLookedAt = false

  /** @param onKept told when it is kept (again), and when it is let go. */
  constructor(key: string | undefined, source: Source, onKept: (resource: Resource, isKept: boolean) => void) {
    this.key = key
    this.#source = source
    this.#onKept = onKept
  }

  readonly read = (): QueryStatus<unknown> => this.#status

  readonly listen = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    this.#timer?.cancel()
    this.#timer = undefined
    // Whoever was hidden for long, or took long to be committed, comes back to one that was let go.
    this.#onKept(this, true)
    this.#start()
    return () => {
      if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return
      this.#isLookedAt = false
      this.#keepAWhile()
    }
  }

  /** A render has come by. */
  look(): void {
    this.#isLookedAt = true
    if (this.#timer === undefined && this.#listeners.size === 0) this.#keepAWhile()
  }

  /** Shows `status`, from the server, until the first result is there. */
  seed(status: QueryStatus<unknown>): void {
    if (this.#status.isLoading) this.#set(status)
  }

  wait(): Promise<void> {
    this.#start()
    // Where it cannot even begin, that is known by now.
    if (!this.#status.isLoading) return Promise.resolve()
    this.#waiting ??= newWaiting()
    return this.#waiting.promise
  }

  #start(): void {
    if (this.#stop !== undefined) return
    let isOver = false
    let stop: (() => void) | undefined
    this.#isFirst = true
    this.#stop = () => {
      isOver = true
      stop?.()
    }
    try {
      stop = this.#source({
        result: (data) => {
          if (!isOver) this.#received(data)
        },
        failed: (error) => {
          if (!isOver) this.#failed(error)
        },
        ended: (why) => {
          if (isOver) return
          this.#end()
          if (this.#status.isLoading || this.#status.error !== undefined) this.#failed(why)
        },
      })
      // It may have been ended by what it told at once.
      if (isOver as boolean) stop()
    } catch (error) {
      this.#end()
      this.#failed(asError(error))
    }
  }

  #end(): void {
    const stop = this.#stop
    this.#stop = undefined
    stop?.()
  }

  #received(data: unknown): void {
    const { error, isLoading, data: last } = this.#status
    // The first one may be what the server has sent, or what was there before the subscription was let go.
    const isSame = this.#isFirst && error === undefined && !isLoading && deepEqual(data, last)
    this.#isFirst = false
    if (!isSame) this.#set(loaded(data))
  }

  #failed(error: Error): void {
    this.#set(failed(error, this.#status.data))
    // What could not begin is tried again while somebody listens; a store that is stopped stays so.
    const isOver = this.#stop === undefined && !(error instanceof StoreStoppedError)
    if (this.#listeners.size === 0 || isOver) this.#keepAWhile()
  }

  #set(status: QueryStatus<unknown>): void {
    this.#status = status
    this.#wake()
    for (const listener of this.#listeners) listener()
  }

  #wake(): void {
    const { wake } = this.#waiting ?? {}
    this.#waiting = undefined
    wake?.()
  }

  #keepAWhile(): void {
    this.#timer?.cancel()
    this.#timer = systemRuntime.setTimer(this.#status.error === undefined ? KEEP_MS : FAILED_KEEP_MS, this.#onTimer)
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined
    if (this.#listeners.size > 0) return this.#start()
    if (this.#isLookedAt && this.#status.error === undefined) {
      this.#isLookedAt = false
      this.#keepAWhile()
      this.#wake()
      return
    }
    this.#onKept(this, false)
    this.#end()
    this.#wake()
  }
}
