import type { Bucket } from '../commit/bucket.js'
import type { Position } from '../commit/sequencer.js'

/** The part of a store that a state is taken from. */
export interface Captured {
  readonly buckets: Iterable<Bucket>
  readonly position: Position
  /** Wall clock. */
  readonly at: number
  /** How many commits were applied and taken back so far. */
  readonly undoneCount: number
  /** Settles when everything that is applied now is written or taken back; undefined when it is. */
  settled(): Promise<void> | undefined
}

/**
 * Takes something from one consistent state of all buckets, all of which is durable when this resolves. It does not wait for
 * a moment without writes, which a busy store never has: it looks at once, waits until what it has seen is written, and
 * looks again if any of that was taken back.
 *
 * @param now tells the state of the store.
 * @param take called with all buckets loaded, and the seq of the last commit in them; it must not wait.
 * @throws {BucketCrashedError} a bucket has failed for good. @throws whatever `take` throws.
 */
export async function capture<T>(
  now: () => Captured,
  take: (buckets: readonly Bucket[], seq: number, at: number) => T,
): Promise<T> {
  for (;;) {
    const buckets = [...now().buckets]
    const absent = buckets.find((bucket) => bucket.process.state !== 'running')
    if (absent !== undefined) {
      await whenLoaded(absent, now)
      continue
    }
    const { undoneCount, position, at } = now()
    const taken = take(buckets, position.visible, at)
    await now().settled()
    if (now().undoneCount === undoneCount) return taken
  }
}

/** @throws {BucketCrashedError} it has failed for good. One that was dropped meanwhile is none to wait for. */
async function whenLoaded(bucket: Bucket, now: () => Captured): Promise<void> {
  try {
    await bucket.whenReady()
  } catch (error) {
    if ([...now().buckets].includes(bucket)) throw error
  }
}
