import { InvalidArgumentError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import { checkRuntime, RecordStreams } from '../streams/record-streams.js'
import type { StreamStore } from '../streams/stream-store.js'
import { IdbBackend } from './backend.js'
import { deleteDatabase, openDatabase } from './database.js'
import type { IdbFactory, IdbKeyRanges } from './port.js'

/** How a store reaches IndexedDB. */
export interface IdbStreamOptions {
  /** Default: `globalThis.indexedDB`. */
  readonly indexedDB?: IdbFactory
  /** Goes with `indexedDB`. Default: `globalThis.IDBKeyRange`. */
  readonly IDBKeyRange?: IdbKeyRanges
  /** Clock and timers. Default: the host's. */
  readonly runtime?: Runtime
}

interface Host {
  readonly indexedDB?: unknown
  readonly IDBKeyRange?: unknown
}

/**
 * A store of record streams in a database of IndexedDB of its own; makes it where there is none. Any number of tabs and workers
 * may have it open. When one deletes the database, the others let go of it, and their calls reject (IDB_LOST).
 *
 * @param name of the database.
 * @throws {StreamFormatError} there is a database of that name that is something else. It was left as it is.
 * {InvalidArgumentError} What IndexedDB throws.
 */
export async function createIndexedDbStreamStore(name: string, options: IdbStreamOptions = {}): Promise<StreamStore> {
  const { factory, ranges, runtime } = checkOptions('createIndexedDbStreamStore', name, options)
  const db = await openDatabase(factory, name, runtime)
  return new RecordStreams(new IdbBackend(db, ranges), runtime)
}

/**
 * Deletes the database of a store; no such database: nothing happens. Stores that have it open let go of it first.
 *
 * @throws {VarveError} IDB_BLOCKED: something else than a store has it open, for ten seconds; it is deleted when that closes it.
 */
export async function deleteIndexedDbStreamStore(name: string, options: IdbStreamOptions = {}): Promise<void> {
  const { factory, runtime } = checkOptions('deleteIndexedDbStreamStore', name, options)
  await deleteDatabase(factory, name, runtime)
}

function checkOptions(
  where: string,
  name: unknown,
  options: IdbStreamOptions,
): { factory: IdbFactory; ranges: IdbKeyRanges; runtime: Runtime } {
  if (typeof name !== 'string') throw new InvalidArgumentError(`${where}(name)`, 'a string', name)
  if (typeof options !== 'object' || options === null) {
    throw new InvalidArgumentError(`${where}(options)`, 'an object', options)
  }
  const host = globalThis as Host
  const factory = options.indexedDB ?? host.indexedDB
  const ranges = options.IDBKeyRange ?? host.IDBKeyRange
  if (typeof (factory as Partial<IdbFactory> | undefined)?.open !== 'function') {
    throw new InvalidArgumentError(
      `${where}(options.indexedDB)`,
      'an IDBFactory, which this host does not have',
      factory,
    )
  }
  if (typeof (ranges as Partial<IdbKeyRanges> | undefined)?.bound !== 'function') {
    throw new InvalidArgumentError(
      `${where}(options.IDBKeyRange)`,
      'an IDBKeyRange, which this host does not have',
      ranges,
    )
  }
  const runtime = checkRuntime(where, options.runtime)
  return { factory: factory as IdbFactory, ranges: ranges as IdbKeyRanges, runtime }
}
