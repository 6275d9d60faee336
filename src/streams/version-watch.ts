import { asError } from '../base/errors.js'
import type { Runtime, Timer } from '../base/runtime.js'
import type { MaybePromise } from './stream-backend.js'

/** What a watch asks, and whom it tells. */
export interface VersionWatchOptions {
  readonly runtime: Runtime
  version(): MaybePromise<unknown>
  /** The version has changed. Must not throw. */
  onMoved(): void
  /** The version cannot be known; told in a turn of its own, as who hears of it may begin anew. Must not throw. */
  onError(error: Error): void
}

/**
 * Looks whether others have written, for all tails of a store: one timer and one question at a time, however many they are.
 * The program does not end while there is one.
 */
export class VersionWatch {
  readonly #options: VersionWatchOptions
  /** How many want it to be looked at so often: counts by milliseconds. */
  readonly #counts = new Map<number, number>()
  #version: unknown
  #isKnown = false
  #asking: Promise<void> | undefined
  #timer: Timer | undefined
  /** Of the timer. */
  #ms = Infinity

  constructor(options: VersionWatchOptions) {
    this.#options = options
  }

  /**
   * Watches for one more.
   *
   * @param pollMs it is looked at least so often.
   * @returns when it is known, or that it cannot be (`onError`), from where on changes will be noticed: what is read from then on need not be read again without one.
   */
  add(pollMs: number): MaybePromise<void> {
    this.#counts.set(pollMs, (this.#counts.get(pollMs) ?? 0) + 1)
    if (!this.#isKnown) return this.#asking ?? this.#ask()
    if (pollMs < this.#ms) this.#setTimer()
    return undefined
  }

  /** Watches for one less. */
  remove(pollMs: number): void {
    const left = (this.#counts.get(pollMs) as number) - 1
    if (left > 0) this.#counts.set(pollMs, left)
    else this.#counts.delete(pollMs)
    if (this.#counts.size === 0) this.#forget()
  }

  #ask(): MaybePromise<void> {
    try {
      const answer = this.#options.version()
      if (!(answer instanceof Promise)) return this.#learn(answer)
      this.#asking = answer.then(
        (version) => this.#learn(version),
        (error: unknown) => this.#fail(error),
      )
      return this.#asking
    } catch (error) {
      return this.#fail(error)
    }
  }

  #learn(version: unknown): void {
    this.#asking = undefined
    const hasMoved = this.#isKnown && version !== this.#version
    if (this.#counts.size === 0) return this.#forget()
    this.#version = version
    this.#isKnown = true
    this.#setTimer()
    if (hasMoved) this.#options.onMoved()
  }

  #fail(thrown: unknown): Promise<void> {
    this.#forget()
    this.#asking = new Promise((resolve) => {
      this.#options.runtime.defer(() => {
        this.#asking = undefined
        this.#options.onError(asError(thrown))
        resolve()
      })
    })
    return this.#asking
  }

  #setTimer(): void {
    this.#timer?.cancel()
    this.#ms = Math.min(...this.#counts.keys())
    this.#timer = this.#options.runtime.setTimer(this.#ms, () => void (this.#asking ?? this.#ask()), true)
  }

  #forget(): void {
    this.#isKnown = false
    this.#timer?.cancel()
    this.#timer = undefined
    this.#ms = Infinity
  }
}
