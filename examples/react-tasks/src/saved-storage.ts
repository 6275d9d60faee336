import { StorageError } from 'varve/core'
import type { StorageAdapter } from 'varve/core'
import { SnapshotStorage } from 'varve/snapshots'
import type { SnapshotAdapter } from 'varve/snapshots'

/**
 * Snapshots are saved a moment after a change, and so promise nothing. This one saves before it answers: a write that has resolved
 * survives a crash of the page, and `useDurable` says when. Each write saves its bucket as a whole, which is fine for some
 * thousand records.
 */
export function savedStorage(place: SnapshotAdapter): StorageAdapter {
  const inner = new SnapshotStorage(place)
  return {
    open: async (context) => ({ ...(await inner.open(context)), durability: 'process' }),
    async append(expectedHead, batch) {
      const outcome = inner.append(expectedHead, batch)
      try {
        await inner.flush()
      } catch (cause) {
        // It is in memory and may be saved later: nobody knows, so the store takes no more writes until it is opened again.
        throw new StorageError('the browser did not save it', { cause, outcome: 'unknown' })
      }
      return outcome
    },
    loadBucket: (bucket) => inner.loadBucket(bucket),
    counterOf: (bucket) => inner.counterOf(bucket),
    readLog: (after, options) => inner.readLog(after, options),
    flush: () => inner.flush(),
    trim: (budget) => inner.trim(budget),
    close: () => inner.close(),
  }
}
