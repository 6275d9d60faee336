import type { VirtualRuntime } from '../../../src/testing/runtime.js'

/** Runs what is due until `promise` settles; time moves only when nothing else helps, as for a lock that is waited for. */
export async function pump<T>(runtime: VirtualRuntime, promise: Promise<T>): Promise<T> {
  let isSettled = false
  const settled = promise.finally(() => {
    isSettled = true
  })
  // Whoever called is told.
  settled.catch(() => undefined)
  for (let turns = 0; !isSettled; turns++) {
    if (turns > 10_000) throw new Error('a promise has not settled after 10,000 turns')
    await runtime.advance(turns > 100 ? 10 : 0)
  }
  return promise
}
