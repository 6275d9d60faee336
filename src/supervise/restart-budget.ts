import type { Child } from './child.js'

/** Up to `max` restarts within `withinMs`. */
export interface Intensity {
  readonly max: number
  readonly withinMs: number
}

/** A child's first restart is immediate; the next waits `firstMs`, each further one twice as long, up to `maxMs`. */
export interface Backoff {
  readonly firstMs: number
  readonly maxMs: number
}

/** The restarts of one supervisor within the last `withinMs`: whether there may be another, and how long it waits. */
export class RestartBudget {
  readonly intensity: Intensity
  readonly #backoff: Backoff
  #spent: { readonly child: Child; readonly at: number }[] = []

  constructor(intensity: Intensity, backoff: Backoff) {
    this.intensity = intensity
    this.#backoff = backoff
  }

  /** Restarts counted and not yet out of the window when it was last looked at; never more than `max` (P5). */
  get spent(): number {
    return this.#spent.length
  }

  /** Takes one restart for `child`. @returns how long it waits in milliseconds; undefined where none is left. */
  take(child: Child, now: number): number | undefined {
    const { max, withinMs } = this.intensity
    this.#spent = this.#spent.filter((one) => now - one.at < withinMs)
    if (this.#spent.length >= max) return undefined
    const before = this.#spent.filter((one) => one.child === child).length
    this.#spent.push({ child, at: now })
    const { firstMs, maxMs } = this.#backoff
    return before === 0 ? 0 : Math.min(maxMs, firstMs * 2 ** (before - 1))
  }

  /** The restarts of `child` do not count any more. */
  forget(child: Child): void {
    this.#spent = this.#spent.filter((one) => one.child !== child)
  }

  /** No restart so far counts any more. */
  clear(): void {
    this.#spent = []
  }
}
