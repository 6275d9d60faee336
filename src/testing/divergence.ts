import type { Store as CoreStore } from '../core-store.js'
import type { ViewDivergedEvent } from '../lifecycle/bucket-events.js'
import { check } from './expect.js'

/**
 * Makes a test fail where a live result of `store` is not what a fresh one is, which is a bug in Varve. The store has to be
 * started with `selfCheck: 1`.
 *
 * @returns what the test calls at its end, before it stops the store: it waits for all subscriptions to catch up, and throws
 *   `CheckError` if a result has differed since, with what was found first as its `cause`; and also if not one was compared, because
 *   then the test shows nothing.
 */
export async function failOnDivergence(
  store: Pick<CoreStore, 'on' | 'settle' | 'getStats'>,
): Promise<() => Promise<void>> {
  const found: ViewDivergedEvent[] = []
  const off = await store.on('view.*.diverged', (event) => found.push(event))
  const { live: before } = await store.getStats()
  return async () => {
    await store.settle()
    await off()
    const { live } = await store.getStats()
    const diverged = live.diverged - before.diverged
    const [first] = found
    const said = first === undefined ? '' : `: first ${first.query}`
    check(
      diverged === 0,
      `${diverged} of ${live.checked - before.checked} live results have diverged${said}`,
      first?.error,
    )
    const remedy = 'start the store with selfCheck: 1, and change what a live query or a subscription reads'
    check(live.checked > before.checked, `no live result was compared with a fresh one; ${remedy}`)
  }
}
