/** A timer that has been set; `cancel` is safe at any time and any number of times. */
export interface Timer {
  cancel(): void
}

/**
 * Everything that a store takes from the outside world besides storage. Nothing else in Varve reads a clock, sets a
 * timer or draws a random number, so a test that supplies its own runtime decides every run, byte for byte.
 */
export interface Runtime {
  /** Wall clock, milliseconds since 1970; may jump either way. */
  now(): number
  /** Milliseconds from an arbitrary start; never goes back. For measuring only. */
  elapsed(): number
  /** A float in [0, 1). */
  random(): number
  /** A version 4 UUID in lower case. */
  uuid(): string
  /**
   * Calls `fn` once, `ms` milliseconds from now (0..2^31-1).
   *
   * @param holds true where somebody waits for it: the program does not end before. Default false.
   */
  setTimer(ms: number, fn: () => void, holds?: boolean): Timer
  /** Calls `fn` after everything that is already due (promise jobs included), as soon as possible after that. */
  defer(fn: () => void): void
}

const TIMER_MS_MAX = 2 ** 31 - 1

interface HostTimer {
  unref?(): void
}

/** The part of a `MessagePort` that every host has. */
interface HostPort {
  onmessage: (() => void) | null
  postMessage(message: unknown): void
}

let channel: { post(fn: () => void): void } | undefined

/** In workerd a port belongs to the request or object that made it: one for all crashes it. Timers are not throttled there. */
function isWorkerd(): boolean {
  return (globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent === 'Cloudflare-Workers'
}

/** Runs `fn` as a task of its own where there is no `setImmediate` (browsers): timers there are throttled, messages are not. */
function postTask(fn: () => void): void {
  if (channel === undefined) {
    const waiting: (() => void)[] = []
    const { port1, port2 } = new MessageChannel() as unknown as { port1: HostPort; port2: HostPort }
    port1.onmessage = () => waiting.shift()?.()
    channel = {
      post(task) {
        waiting.push(task)
        port2.postMessage(0)
      },
    }
  }
  channel.post(fn)
}

/** The real world: the host's clock, timers and cryptographic randomness. */
export const systemRuntime: Runtime = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  random: () => (globalThis.crypto.getRandomValues(new Uint32Array(1))[0] as number) / 2 ** 32,
  uuid: () => globalThis.crypto.randomUUID(),
  setTimer(ms, fn, holds = false) {
    const timer = setTimeout(fn, Math.min(Math.max(0, ms), TIMER_MS_MAX))
    if (!holds) (timer as HostTimer).unref?.()
    return { cancel: () => clearTimeout(timer) }
  },
  defer(fn) {
    if (typeof setImmediate === 'function') setImmediate(fn)
    else if (isWorkerd()) setTimeout(fn, 0)
    else postTask(fn)
  },
}
