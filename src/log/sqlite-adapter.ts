import { InvalidArgumentError } from '../base/errors.js'
import { quietly } from '../base/quietly.js'
import type { SqliteDatabase, SqliteDriver } from '../sqlite/binding.js'
import { databaseOf, isSqliteAdapter } from '../sqlite/database-of.js'
import { adoptDatabase, loadSqlite } from '../sqlite/load.js'
import type { SqliteAdapter } from '../sqlite/port.js'
import { canonicalPath, fileIdentity } from './file-path.js'
import { backupTo } from './sqlite-backup.js'
import { SqliteEngine } from './sqlite-engine.js'
import { FilePlace } from './sqlite-file-place.js'
import { checkHeader } from './sqlite-header.js'
import { type FileLock, lockFile } from './sqlite-lock.js'
import { connectionPlace, databaseFile, type SqlitePlace } from './sqlite-place.js'
import { type Durability, isDurabilityOption, type OpenContext } from './storage.js'

/** Options of `SQLiteAdapter`. */
export interface SQLiteAdapterOptions {
  /** Path of the database file, or `:memory:`. Not needed with `database`. */
  readonly filename?: string
  /**
   * An open connection, used instead of opening the file, and not closed: one of better-sqlite3, node:sqlite or
   * @photostructure/sqlite as it is, or any `SqliteAdapter` (`varve/sqlite` makes them of every binding). When it is on a
   * file of this machine, that is locked and set to WAL mode like any other; otherwise it is used as `SqliteStorage` does.
   */
  readonly database?: unknown
  /** Opens the file with this binding instead of the one that is found. */
  readonly driver?: SqliteDriver
  /** What a commit on a `database` that is not on a file of this machine survives. Default: see `SqliteStorage`. */
  readonly durability?: Durability
  /** How long to wait for another store, or another writer, to let go of the file: milliseconds, default 1000. */
  readonly waitMs?: number
}

const WAIT_MS = 1_000
const IN_MEMORY = ':memory:'

/**
 * Keeps log and rows in one SQLite file: a table of rows per bucket and the log beside them, written in one transaction.
 * Other programs may read the file at any time; each bucket is a view there. Commits survive a power cut with durability
 * `'disk'` (WAL, `synchronous=FULL`), a crash of the process with the others (`NORMAL`).
 *
 * Holds L1, L4, R1. Source: https://sqlite.org/wal.html, https://sqlite.org/pragma.html#pragma_synchronous
 */
export class SQLiteAdapter extends SqliteEngine {
  /** @param options the path, or more. Nothing is opened yet. @throws {InvalidArgumentError} */
  constructor(options: string | SQLiteAdapterOptions) {
    const checked = checkOptions(typeof options === 'string' ? { filename: options } : options)
    super({
      name: checked.filename ?? '(database)',
      waitMs: checked.waitMs ?? WAIT_MS,
      openPlace: (context, waitMs) => openPlace(checked, context, waitMs),
    })
  }

  async backup(path: string): Promise<void> {
    backupTo(this.mustSession('back up'), path)
  }
}

async function openPlace(options: SQLiteAdapterOptions, context: OpenContext, waitMs: number): Promise<SqlitePlace> {
  if (options.database !== undefined) return lentPlace(options, context, waitMs)
  const driver = options.driver ?? (await loadSqlite())
  if (options.filename === IN_MEMORY) {
    const database = driver.open(IN_MEMORY)
    const close = (): void => database.close()
    return connectionPlace(database, { name: IN_MEMORY, isExclusive: true, isShared: false, survives: 'memory', close })
  }
  const path = canonicalPath(String(options.filename))
  return lockedPlace(path, driver, context, waitMs, (lock) => {
    checkHeader(path)
    const database = driver.open(path)
    return new FilePlace(database, { path, lock, isLent: false, close: () => database.close() })
  })
}

async function lentPlace(
  { database: given, driver: chosen, durability }: SQLiteAdapterOptions,
  context: OpenContext,
  waitMs: number,
): Promise<SqlitePlace> {
  const { database, driver, file, ...rest } = isSqliteAdapter(given) ? portDatabase(given) : nativeDatabase(given)
  if (file !== undefined && file !== IN_MEMORY) {
    // The lock has a file of its own, so any binding of this machine can hold it.
    return lockedPlace(file, chosen ?? driver ?? (await loadSqlite()), context, waitMs, (lock) => {
      return new FilePlace(database, { path: file, lock, isLent: true, ...rest })
    })
  }
  const facts = { name: file ?? '(connection)', isExclusive: false, isShared: true, survives: durability }
  return connectionPlace(database, { ...facts, ...rest })
}

/** A connection that was handed in, and where it is as far as that is known. */
interface LentDatabase {
  readonly database: SqliteDatabase
  /** Opens further files; absent: whatever this machine has. */
  readonly driver?: SqliteDriver
  /** Canonical path, `:memory:`, or undefined where the place is not known. */
  readonly file: string | undefined
  /** Lets go of it. Absent for a `SqliteAdapter`: whoever made that goes on using it. */
  close?(): void
}

function nativeDatabase(given: unknown): LentDatabase {
  const { database, driver, path } = adoptDatabase(given)
  return { database, driver, file: path === IN_MEMORY ? path : canonicalPath(path), close: () => database.close() }
}

function portDatabase(given: SqliteAdapter): LentDatabase {
  const database = databaseOf(given)
  const named = databaseFile(database)
  if (named === undefined || database.survives === 'memory') return { database, file: undefined }
  if (named === '') return { database, file: IN_MEMORY }
  // A file system of the binding's own, such as that of WebAssembly, has paths that lead nowhere here.
  const path = quietly(() => canonicalPath(named))
  const isHere = path !== undefined && fileIdentity(path) !== undefined
  return { database, file: isHere ? path : undefined }
}

/** The place that `open` makes of the file at `path`, once that is locked. */
async function lockedPlace(
  path: string,
  driver: SqliteDriver,
  context: OpenContext,
  waitMs: number,
  open: (lock: FileLock) => FilePlace,
): Promise<SqlitePlace> {
  const lock = await lockFile(path, driver, context, waitMs)
  try {
    return open(lock)
  } catch (error) {
    lock.release()
    throw error
  }
}

function checkOptions(options: SQLiteAdapterOptions): SQLiteAdapterOptions {
  const { filename, database, durability, waitMs } = options
  if (database === undefined && (typeof filename !== 'string' || filename === '' || filename.includes('\0'))) {
    throw new InvalidArgumentError('SQLiteAdapter.filename', 'the path of a file, or ":memory:"', filename)
  }
  if (!isDurabilityOption(durability)) {
    throw new InvalidArgumentError('SQLiteAdapter.durability', '"memory", "process" or "disk"', durability)
  }
  if (waitMs !== undefined && !(Number.isFinite(waitMs) && waitMs >= 0)) {
    throw new InvalidArgumentError('SQLiteAdapter.waitMs', 'a number of milliseconds, 0 or more', waitMs)
  }
  return options
}
