import { InvalidArgumentError } from '../base/errors.js'
import { databaseOf, isSqliteAdapter } from '../sqlite/database-of.js'
import type { SqliteAdapter } from '../sqlite/port.js'
import { SqliteEngine } from './sqlite-engine.js'
import { connectionPlace } from './sqlite-place.js'
import { type Durability, isDurabilityOption } from './storage.js'

/** Options of `SqliteStorage`. */
export interface SqliteStorageOptions {
  /**
   * What a commit on this connection survives. Default: what the binding says; without that `'memory'` for a database
   * without a file, else `'process'`, because nobody here knows what its file is on.
   */
  readonly durability?: Durability
  /** How long to wait for another writer: milliseconds, default 1000. */
  readonly waitMs?: number
}

const WAIT_MS = 1_000

/**
 * Keeps log and rows in the database of a connection, without Node: in browsers, workers and Durable Objects, for stores of
 * `varve/core`. The connection is one of `varve/sqlite`, or any object with its four methods; it is not closed, and tables
 * of others may be in the database.
 *
 * There is no lock: the store that opens the database last has it, and the one before writes nothing any more. Records, and
 * the entry of a commit, are one value each: on a Durable Object 2 MB at most.
 *
 * Holds L1, L4, R1.
 */
export class SqliteStorage extends SqliteEngine {
  /** Nothing is opened yet. @throws {InvalidArgumentError} */
  constructor(connection: SqliteAdapter, options: SqliteStorageOptions = {}) {
    if (!isSqliteAdapter(connection)) {
      const expected = 'an object with exec, iterate, transaction and close'
      throw new InvalidArgumentError('new SqliteStorage(connection)', expected, connection)
    }
    const { durability, waitMs = WAIT_MS } = checkOptions(options)
    super({
      name: '(connection)',
      waitMs,
      openPlace: () =>
        connectionPlace(databaseOf(connection), {
          name: '(connection)',
          isExclusive: false,
          isShared: true,
          survives: durability,
        }),
    })
  }
}

function checkOptions(options: SqliteStorageOptions): SqliteStorageOptions {
  const where = 'new SqliteStorage(connection, options)'
  if (typeof options !== 'object' || options === null) {
    throw new InvalidArgumentError(where, 'an object { durability, waitMs }', options)
  }
  const { durability, waitMs } = options
  if (!isDurabilityOption(durability)) {
    throw new InvalidArgumentError(`${where}: durability`, '"memory", "process" or "disk"', durability)
  }
  if (waitMs !== undefined && !(Number.isFinite(waitMs) && waitMs >= 0)) {
    throw new InvalidArgumentError(`${where}: waitMs`, 'a number of milliseconds, 0 or more', waitMs)
  }
  return options
}
