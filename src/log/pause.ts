import type { OpenContext } from './storage.js'

/** Waits `ms` milliseconds by the store's timer, keeping the program alive meanwhile: somebody is waiting for `open`. */
export function pause(context: OpenContext, ms: number): Promise<void> {
  return new Promise((resolve) => {
    context.setTimer(ms, resolve, true)
  })
}
