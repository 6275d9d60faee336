import type { Runtime } from '../base/runtime.js'

/** Waits for `work`, but no longer than `ms`. @returns whether it was in time. @throws what `work` rejects with. */
export async function settleWithin(runtime: Runtime, ms: number, work: Promise<unknown>): Promise<boolean> {
  let giveUp: (() => void) | undefined
  const late = new Promise<boolean>((resolve) => {
    giveUp = () => resolve(false)
  })
  const timer = runtime.setTimer(ms, () => giveUp?.(), true)
  try {
    return await Promise.race([work.then(() => true), late])
  } finally {
    timer.cancel()
  }
}
