import type { Runtime } from '../base/runtime.js'
import type { Entry } from '../log/entry.js'
import type { StorageAdapter } from '../log/storage.js'

/** Entries between two turns of the event loop: reading a file is synchronous, and others want to write meanwhile. */
const ENTRIES_PER_TURN = 500

/** What reading the past needs of a store. */
export interface LogAccess {
  readonly storage: StorageAdapter
  readonly runtime: Runtime
}

/** The first entry after `after` that the log has; undefined where there is none. */
export async function entryAfter({ storage }: LogAccess, after: number): Promise<Entry | undefined> {
  for await (const entry of storage.readLog(after, { limit: 1 })) return entry
  return undefined
}

/** The oldest seq whose state can be found: that before the first entry that is kept. @param latest seq of the last commit. */
export async function oldestState(access: LogAccess, latest: number): Promise<number> {
  return (await firstSeq(access, latest)) - 1
}

/** Seq of the oldest entry that is kept; `latest + 1` when none is. */
export async function firstSeq(access: LogAccess, latest: number): Promise<number> {
  // Entries may be large, and adapters mostly know without reading one.
  return (await access.storage.firstSeq?.()) ?? (await entryAfter(access, 0))?.seq ?? latest + 1
}

/**
 * Entries after `after` up to `last`, giving everybody else a turn now and then.
 *
 * @throws the reason of `signal`.
 */
export async function* readRange(
  { storage, runtime }: LogAccess,
  after: number,
  last: number,
  signal?: AbortSignal,
): AsyncGenerator<Entry> {
  signal?.throwIfAborted()
  if (last <= after) return
  let count = 0
  for await (const entry of storage.readLog(after, { limit: last - after })) {
    if (entry.seq > last) return
    yield entry
    if (++count % ENTRIES_PER_TURN !== 0) continue
    await new Promise<void>((resolve) => runtime.defer(resolve))
    signal?.throwIfAborted()
  }
}

/** Name of the bucket that an entry has dropped; undefined for most. */
export function droppedBy({ type, data }: Entry): string | undefined {
  return type === 'store/drop' && typeof data?.bucket === 'string' ? data.bucket : undefined
}

/** The buckets of which an entry has left nothing, cleared or dropped. */
export function emptiedBy(entry: Entry): readonly string[] {
  const { cleared = [] } = entry
  const dropped = droppedBy(entry)
  return dropped === undefined ? cleared : [...cleared, dropped]
}
