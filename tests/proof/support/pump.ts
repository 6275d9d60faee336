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

/** As `pump`, where something else than the clock is waited for as well, such as compression: for as long as it takes. */
export async function pumpPatiently<T>(runtime: VirtualRuntime, promise: Promise<T>): Promise<T> {
  let isSettled = false
  const settle = (): void => {
    isSettled = true
  }
  promise.then(settle, settle)
  while (!isSettled) {
    await runtime.advance(0)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return promise
}
