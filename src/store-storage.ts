import { InvalidArgumentError } from './base/errors.js'
import { isSnapshotAdapter, SnapshotStorage } from './log/snapshot-storage.js'
import type { SnapshotAdapter } from './log/snapshot-storage.js'
import { isStorageAdapter } from './log/storage.js'
import type { StorageAdapter } from './log/storage.js'

/** Where and how a store keeps its data. */
export interface StorePersistenceConfig {
  /** A storage adapter, or any key-value place with `save`, `load`, `delete`, `exists` and `listKeys`. */
  readonly adapter: StorageAdapter | SnapshotAdapter
  /** For key-value places: how long after a change a bucket is saved, in milliseconds. Default 100. */
  readonly debounceMs?: number
  /** Takes errors that no call can be rejected with. */
  readonly onError?: (error: Error) => void
}

/** The storage that the options of `Store.start` mean; undefined: in memory only. @throws {InvalidArgumentError} */
export async function storageOf(
  file: unknown,
  waitMs: unknown,
  persistence: StorePersistenceConfig | undefined,
): Promise<StorageAdapter | undefined> {
  const invalid = (name: string, expected: string, given: unknown) =>
    new InvalidArgumentError(`Store.start(${name})`, expected, given)
  if (file === undefined) {
    if (waitMs !== undefined) throw invalid('{ waitMs }', 'to be given with file', waitMs)
    return persistence === undefined ? undefined : adapterOf(persistence, invalid)
  }
  if (typeof file !== 'string' || file === '') throw invalid('{ file }', 'a path', file)
  if (persistence?.adapter !== undefined) throw invalid('{ file, persistence: { adapter } }', 'one of the two', 'both')
  if (waitMs !== undefined && !(typeof waitMs === 'number' && waitMs >= 0)) {
    throw invalid('{ waitMs }', 'a number of milliseconds from 0', waitMs)
  }
  // Only who asks for a file pays for SQLite.
  const { SQLiteAdapter } = await import('./log/sqlite-adapter.js')
  return new SQLiteAdapter({ filename: file, ...(waitMs === undefined ? {} : { waitMs }) })
}

function adapterOf(
  persistence: StorePersistenceConfig,
  invalid: (name: string, expected: string, given: unknown) => Error,
): StorageAdapter {
  if (typeof persistence !== 'object' || persistence === null)
    throw invalid('{ persistence }', 'an object { adapter }', persistence)
  const { adapter, debounceMs, onError } = persistence
  if (debounceMs !== undefined && !(typeof debounceMs === 'number' && debounceMs >= 0)) {
    throw invalid('{ persistence: { debounceMs } }', 'a number of milliseconds from 0', debounceMs)
  }
  if (onError !== undefined && typeof onError !== 'function')
    throw invalid('{ persistence: { onError } }', 'a function', onError)
  if (isStorageAdapter(adapter)) return adapter
  if (isSnapshotAdapter(adapter)) return new SnapshotStorage(adapter, debounceMs === undefined ? {} : { debounceMs })
  const expected = 'a storage adapter, or an object with save, load, delete, exists and listKeys'
  throw invalid('{ persistence: { adapter } }', expected, adapter)
}
