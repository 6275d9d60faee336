import type { OpenContext } from './storage.js'

/** Waits `ms` milliseconds by the store's timer, keeping the program alive meanwhile: somebody is waiting for `open`. */
export function pause(context: OpenContext, ms: number): Promise<void> {
  // The store's timers let the program end. An open port does not.
  const { port1 } = new MessageChannel() as unknown as { port1: { onmessage: (() => void) | null; close(): void } }
  port1.onmessage = () => {}
  return new Promise((resolve) => {
    context.setTimer(ms, () => {
      port1.close()
      resolve()
    })
  })
}
