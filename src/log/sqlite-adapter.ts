import { quietly } from '../base/quietly.js'
import { asError, InvalidArgumentError } from '../base/errors.js'
import { type AdoptedDatabase, adoptDatabase, loadSqlite } from '../sqlite/load.js'
import type { SqliteDatabase, SqliteDriver, SqliteError } from '../sqlite/binding.js'
import { keyMark } from './codec.js'
import type { Entry, Key } from './entry.js'
import { StorageError, StorageLockedError } from './errors.js'
import { canonicalPath } from './file-path.js'
import { pause } from './pause.js'
import { writeBatch } from './sqlite-append.js'
import { storageError } from './sqlite-errors.js'
import { type FileLock, lockFile } from './sqlite-lock.js'
import { backupTo, eraseWal, lastToTrim, trimLog } from './sqlite-maintain.js'
import { findEntriesOf, readEntries, readRows } from './sqlite-read.js'
import { checkHeader, checkIdentity, createTables } from './sqlite-schema.js'
import { isUnscrubbed, scrubLog } from './sqlite-scrub.js'
import { readEnd, readLogId, SqliteSession } from './sqlite-session.js'
import type {
  Appended,
  Batch,
  HistoryBudget,
  Missed,
  OpenContext,
  Quarantined,
  ReadLogOptions,
  Row,
  StorageAdapter,
  StorageReport,
} from './storage.js'

/** Options of `SQLiteAdapter`. */
export interface SQLiteAdapterOptions {
  /** Path of the database file, or `:memory:`. Not needed with `database`. */
  readonly filename?: string
  /**
   * An open connection of better-sqlite3, node:sqlite or @photostructure/sqlite, used instead of opening the file. It is
   * set to WAL mode, and not closed.
   */
  readonly database?: unknown
  /** Opens the file with this binding instead of the one that is found. */
  readonly driver?: SqliteDriver
  /** How long to wait for another store, or another writer, to let go of the file: milliseconds, default 1000. */
  readonly waitMs?: number
}

const WAIT_MS = 1_000
const BUSY_TRY_EVERY_MS = 10
const WAL_PAGES_MAX = 1_000
const WAL_BYTES_KEPT = 8 * 1024 * 1024
// Deleted content is overwritten always, not only when a bucket is emptied: pages that were freed before would keep it.
const SETTINGS = `PRAGMA busy_timeout = 0; PRAGMA foreign_keys = OFF; PRAGMA secure_delete = ON;
  PRAGMA wal_autocheckpoint = ${WAL_PAGES_MAX}; PRAGMA journal_size_limit = ${WAL_BYTES_KEPT};`

/**
 * Keeps log and rows in one SQLite file: a table of rows per bucket and the log beside them, written in one transaction.
 * Other programs may read the file at any time; each bucket is a view there. Commits survive a power cut with durability
 * `'disk'` (WAL, `synchronous=FULL`), a crash of the process with the others (`NORMAL`).
 *
 * Holds L1, R1. Source: https://sqlite.org/wal.html, https://sqlite.org/pragma.html#pragma_synchronous
 */
export class SQLiteAdapter implements StorageAdapter {
  readonly #options: SQLiteAdapterOptions
  readonly #waitMs: number
  #owner: OpenContext | undefined
  #session: SqliteSession | undefined
  #database: SqliteDatabase | undefined
  #lock: FileLock | undefined

  /** @param options the path, or more. Nothing is opened yet. */
  constructor(options: string | SQLiteAdapterOptions) {
    this.#options = checkOptions(typeof options === 'string' ? { filename: options } : options)
    this.#waitMs = this.#options.waitMs ?? WAIT_MS
  }

  async open(context: OpenContext): Promise<StorageReport> {
    if (this.#owner !== undefined) {
      const name = JSON.stringify(this.#owner.store)
      const message = `store ${this.#options.filename ?? '(database)'}: store ${name} has this adapter open; nothing was `
      throw new StorageLockedError(`${message}changed; give each store an adapter of its own`)
    }
    this.#owner = context
    try {
      return await this.#open(context)
    } catch (error) {
      this.#release()
      throw storageError(error, this.#options.filename ?? '(database)', 'open')
    }
  }

  async #open(context: OpenContext): Promise<StorageReport> {
    const { filename, database } = this.#options
    const adopted: AdoptedDatabase | undefined = database === undefined ? undefined : adoptDatabase(database)
    const driver = adopted?.driver ?? this.#options.driver ?? (await loadSqlite())
    const named = adopted?.path ?? String(filename)
    const path = named === ':memory:' ? named : canonicalPath(named)
    if (path !== ':memory:') this.#lock = await lockFile(path, driver, context, this.#waitMs)
    if (path !== ':memory:' && adopted === undefined) checkHeader(path)
    const opened = adopted?.database ?? driver.open(path)
    this.#database = opened
    const session = new SqliteSession(opened, path, context)
    await this.#whileBusy(context, () => opened.exec(SETTINGS))
    const created = checkIdentity(opened, path)
    if (created) createTables(opened, context, session.inMemory)
    // Read before anything is changed: what cannot be read is left as it is.
    session.logId = readLogId(opened, path)
    session.refresh()
    if (!session.inMemory) opened.exec('PRAGMA journal_mode = WAL')
    // Finds out now, not at the first write, when the file cannot be written.
    await this.#whileBusy(context, () => opened.exec('BEGIN IMMEDIATE; ROLLBACK'))
    session.watchFiles()
    this.#session = session
    return this.#report(session, created)
  }

  #report(session: SqliteSession, created: boolean): StorageReport {
    return {
      adapter: 'sqlite',
      ...(session.inMemory ? {} : { file: session.path }),
      created,
      logId: session.logId,
      head: session.end.seq,
      first: firstSeqOf(session),
      headAt: session.end.at,
      buckets: Array.from(session.buckets.values(), (slot) => slot.meta),
      truncatedBytes: 0,
      quarantined: [],
      durability: session.inMemory ? 'memory' : 'disk',
    }
  }

  async *loadBucket(bucket: string): AsyncIterable<readonly Row[]> {
    yield* readRows(this.#must('load'), bucket)
  }

  quarantined(): readonly Quarantined[] {
    return this.#session?.quarantined ?? []
  }

  append(expectedHead: number, batch: Batch): Appended | Missed | Promise<Appended | Missed> {
    try {
      const session = this.#must('append')
      try {
        return writeOnce(session, expectedHead, batch)
      } catch (error) {
        if (!isBusy(error)) throw error
        return this.#whileBusy(session.context, () => writeOnce(session, expectedHead, batch))
      }
    } catch (error) {
      return Promise.reject(asError(error))
    }
  }

  async *readLog(after: number, options?: ReadLogOptions): AsyncIterable<Entry> {
    yield* readEntries(this.#must('read the log'), after, options)
  }

  async flush(): Promise<void> {
    const session = this.#must('flush')
    if (session.unerased) eraseWal(session)
    // A commit that is synced takes everything before it in the write-ahead log along.
    if (session.unflushed) session.transaction('flush', true, () => session.touch())
  }

  async trim(budget: HistoryBudget): Promise<number> {
    const session = this.#must('trim')
    if (session.unerased) eraseWal(session)
    return trimLog(session, budget)
  }

  async trimmable(budget: HistoryBudget): Promise<number> {
    return lastToTrim(this.#must('trim'), budget)
  }

  async firstSeq(): Promise<number> {
    const session = this.#must('read the log')
    return firstSeqOf(session)
  }

  async entriesOf(bucket: string, key: Key, after: number, before: number): Promise<readonly number[]> {
    return findEntriesOf(this.#must('read the log'), keyMark(bucket, key), after, before)
  }

  async backup(path: string): Promise<void> {
    backupTo(this.#must('back up'), path)
  }

  async close(): Promise<void> {
    const session = this.#session
    if (session !== undefined) finishErasing(session)
    if (session !== undefined && !session.inMemory && this.#options.database === undefined) leaveWal(session.database)
    this.#release()
  }

  #release(): void {
    try {
      this.#database?.close()
    } catch (error) {
      throw storageError(error, this.#options.filename ?? '(database)', 'close')
    } finally {
      this.#lock?.release()
      this.#lock = undefined
      this.#database = undefined
      this.#session = undefined
      this.#owner = undefined
    }
  }

  #must(doing: string): SqliteSession {
    if (this.#session !== undefined) return this.#session
    const message = `store ${this.#options.filename ?? '(database)'}: ${doing}: it is not open; nothing was done; open it first`
    throw new StorageError(message, { code: 'STORAGE_CLOSED' })
  }

  /** Runs `work`, and again while another program is writing, up to the wait that was allowed. */
  async #whileBusy<T>(context: OpenContext, work: () => T): Promise<T> {
    for (let waited = 0; ; waited += BUSY_TRY_EVERY_MS) {
      try {
        return work()
      } catch (error) {
        if (!isBusy(error) || waited >= this.#waitMs) throw error
        await pause(context, BUSY_TRY_EVERY_MS)
      }
    }
  }
}

function firstSeqOf({ database, end }: SqliteSession): number {
  const first = database.prepare('SELECT min(seq) AS seq FROM varve_log').get()?.seq
  return first === null ? end.seq + 1 : Number(first)
}

/** Writes a batch as one transaction, or answers what was missed. */
function writeOnce(session: SqliteSession, expectedHead: number, batch: Batch): Appended | Missed {
  const erases = batch.ops.some((op) => op.op === 'clear' || op.op === 'drop')
  try {
    session.transaction('append', batch.durability === 'disk' && !session.inMemory, () => {
      if (session.end.seq !== expectedHead) throw new OtherHead()
      writeBatch(session, batch)
    })
  } catch (error) {
    // Another writer shows in its entries: theirs have the seqs that ours were to have, and a seq cannot be given twice.
    const conflict =
      error instanceof OtherHead || (asError(error).cause as SqliteError | undefined)?.result === 'CONSTRAINT'
    if (!conflict || readEnd(session.database).seq === expectedHead) throw error
    return { appended: false, missed: Array.from(readEntries(session, expectedHead)) }
  }
  if (erases) {
    session.unerased = true
    eraseWal(session)
  }
  return { appended: true, head: session.end.seq }
}

/** Erases what could not be erased at once. Never throws: the store is being closed, and the next close tries again. */
function finishErasing(session: SqliteSession): void {
  try {
    if (isUnscrubbed(session)) {
      session.transaction('scrub the log', false, () => {
        scrubLog(session, Number.POSITIVE_INFINITY)
        session.touch()
      })
      session.unerased = true
    }
  } catch (error) {
    session.context.onError(asError(storageError(error, session.path, 'scrub the log')))
  }
  if (session.unerased) eraseWal(session)
}

/**
 * Ends WAL mode, so that a closed store is one file, complete by itself. Closing a connection alone does that only when
 * the binding closes at once, and a late one would remove a log that belongs to somebody else by then.
 */
function leaveWal(database: SqliteDatabase): void {
  // Where somebody is reading, or the disk fails, the log stays beside the file, and the next open finds it.
  quietly(() => database.exec('PRAGMA journal_mode = DELETE'))
}

function isBusy(error: unknown): boolean {
  const { code } = asError(error) as { code?: string }
  return code === 'STORAGE_BUSY' || code === 'SQLITE_BUSY'
}

/** Says, from within a transaction, that the log has other entries than the caller knows. */
class OtherHead extends Error {
  constructor() {
    super('the log has other entries')
  }
}

function checkOptions(options: SQLiteAdapterOptions): SQLiteAdapterOptions {
  const { filename, database, waitMs } = options
  if (database === undefined && (typeof filename !== 'string' || filename === '' || filename.includes('\0'))) {
    throw new InvalidArgumentError('SQLiteAdapter.filename', 'the path of a file, or ":memory:"', filename)
  }
  if (waitMs !== undefined && !(Number.isFinite(waitMs) && waitMs >= 0)) {
    throw new InvalidArgumentError('SQLiteAdapter.waitMs', 'a number of milliseconds, 0 or more', waitMs)
  }
  return options
}
