import { asError } from '../base/errors.js'
import type { SqliteError } from '../sqlite/binding.js'
import { keyMark } from './codec.js'
import type { Entry, Key } from './entry.js'
import { StorageError, StorageLockedError } from './errors.js'
import { pause } from './pause.js'
import { writeBatch } from './sqlite-append.js'
import { storageError } from './sqlite-errors.js'
import { eraseJournal, lastToTrim, trimLog } from './sqlite-maintain.js'
import type { SqlitePlace } from './sqlite-place.js'
import { findEntriesOf, readEntries, readRows } from './sqlite-read.js'
import { checkIdentity } from './sqlite-schema.js'
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

const BUSY_TRY_EVERY_MS = 10

/** What a SQLite storage has to know before it is opened. */
export interface SqliteEngineOptions {
  /** Names the database in messages until it is open. */
  readonly name: string
  /** How long to wait for another writer: milliseconds. */
  readonly waitMs: number
  /** Opens the database, alone where it is a file. Whatever fails later, the place is released. */
  openPlace(context: OpenContext, waitMs: number): SqlitePlace | Promise<SqlitePlace>
}

/**
 * Keeps log and rows in a SQLite database, wherever that is: a table of rows per bucket and the log beside them, written in
 * one transaction. Each bucket is a view there. `SQLiteAdapter` and `SqliteStorage` are this with a place of their own.
 *
 * Holds L1, L4, R1.
 */
export class SqliteEngine implements StorageAdapter {
  readonly #options: SqliteEngineOptions
  #owner: OpenContext | undefined
  #session: SqliteSession | undefined
  #place: SqlitePlace | undefined

  constructor(options: SqliteEngineOptions) {
    this.#options = options
  }

  async open(context: OpenContext): Promise<StorageReport> {
    const { name } = this.#options
    if (this.#owner !== undefined) {
      const store = JSON.stringify(this.#owner.store)
      const message = `store ${name}: store ${store} has this adapter open; nothing was `
      throw new StorageLockedError(`${message}changed; give each store an adapter of its own`)
    }
    this.#owner = context
    try {
      return await this.#open(context)
    } catch (error) {
      this.#release()
      throw storageError(error, name, 'open')
    }
  }

  async #open(context: OpenContext): Promise<StorageReport> {
    const place = await this.#options.openPlace(context, this.#options.waitMs)
    this.#place = place
    const session = new SqliteSession(place, context)
    await this.#whileBusy(context, () => place.configure())
    const created = checkIdentity(place.database, place.name, place.isShared)
    if (created) session.create()
    // Read before anything is changed: what cannot be read is left as it is.
    session.logId = readLogId(place.database, place.name)
    session.refresh()
    place.startJournal()
    await this.#whileBusy(context, () => session.takeOver())
    place.watch()
    this.#session = session
    return this.#report(session, created)
  }

  #report({ place, logId, end, buckets, database }: SqliteSession, created: boolean): StorageReport {
    return {
      adapter: 'sqlite',
      ...(place.file === undefined ? {} : { file: place.file }),
      created,
      logId,
      head: end.seq,
      first: firstSeqOf({ database, end }),
      headAt: end.at,
      buckets: Array.from(buckets.values(), (slot) => slot.meta),
      truncatedBytes: 0,
      quarantined: [],
      durability: place.durability,
    }
  }

  async *loadBucket(bucket: string): AsyncIterable<readonly Row[]> {
    yield* readRows(this.mustSession('load'), bucket)
  }

  quarantined(): readonly Quarantined[] {
    return this.#session?.quarantined ?? []
  }

  append(expectedHead: number, batch: Batch): Appended | Missed | Promise<Appended | Missed> {
    try {
      const session = this.mustSession('append')
      let outcome: Appended | Missed | Promise<Appended | Missed>
      try {
        outcome = writeOnce(session, expectedHead, batch)
      } catch (error) {
        if (!isBusy(error)) throw error
        outcome = this.#whileBusy(session.context, () => writeOnce(session, expectedHead, batch))
      }
      if (session.place.sync === undefined || batch.durability !== 'disk') return outcome
      return synced(session, 'append', outcome)
    } catch (error) {
      return Promise.reject(asError(error))
    }
  }

  async *readLog(after: number, options?: ReadLogOptions): AsyncIterable<Entry> {
    yield* readEntries(this.mustSession('read the log'), after, options)
  }

  async flush(): Promise<void> {
    const session = this.mustSession('flush')
    if (session.unerased) eraseJournal(session)
    // A commit that is synced takes everything before it in the write-ahead log along.
    if (session.unflushed) session.transaction('flush', true, () => session.touch())
    await synced(session, 'flush', undefined)
  }

  async trim(budget: HistoryBudget): Promise<number> {
    const session = this.mustSession('trim')
    if (session.unerased) eraseJournal(session)
    return trimLog(session, budget)
  }

  async trimmable(budget: HistoryBudget): Promise<number> {
    return lastToTrim(this.mustSession('trim'), budget)
  }

  async firstSeq(): Promise<number> {
    return firstSeqOf(this.mustSession('read the log'))
  }

  async entriesOf(bucket: string, key: Key, after: number, before: number): Promise<readonly number[]> {
    return findEntriesOf(this.mustSession('read the log'), keyMark(bucket, key), after, before)
  }

  async close(): Promise<void> {
    if (this.#session !== undefined) {
      finishErasing(this.#session)
      this.#session.place.leave()
    }
    this.#release()
  }

  #release(): void {
    try {
      this.#place?.release()
    } catch (error) {
      throw storageError(error, this.#options.name, 'close')
    } finally {
      this.#place = undefined
      this.#session = undefined
      this.#owner = undefined
    }
  }

  /** The open session. @throws {StorageError} there is none. */
  protected mustSession(doing: string): SqliteSession {
    if (this.#session !== undefined) return this.#session
    const message = `store ${this.#options.name}: ${doing}: it is not open; nothing was done; open it first`
    throw new StorageError(message, { code: 'STORAGE_CLOSED' })
  }

  /** Runs `work`, and again while another program is writing, up to the wait that was allowed. */
  async #whileBusy<T>(context: OpenContext, work: () => T): Promise<T> {
    for (let waited = 0; ; waited += BUSY_TRY_EVERY_MS) {
      try {
        return work()
      } catch (error) {
        if (!isBusy(error) || waited >= this.#options.waitMs) throw error
        await pause(context, BUSY_TRY_EVERY_MS)
      }
    }
  }
}

/** `outcome`, once all that is committed survives a power cut. */
async function synced<T>(session: SqliteSession, doing: string, outcome: T | Promise<T>): Promise<T> {
  const known = await outcome
  try {
    await session.place.sync?.()
  } catch (error) {
    throw storageError(error, session.path, doing, 'unknown')
  }
  return known
}

function firstSeqOf({ database, end }: Pick<SqliteSession, 'database' | 'end'>): number {
  const first = database.prepare('SELECT min(seq) AS seq FROM varve_log').get()?.seq
  return first === null ? end.seq + 1 : Number(first)
}

/** Writes a batch as one transaction, or answers what was missed. */
function writeOnce(session: SqliteSession, expectedHead: number, batch: Batch): Appended | Missed {
  const erases = batch.ops.some((op) => op.op === 'clear' || op.op === 'drop')
  try {
    session.transaction('append', batch.durability === 'disk', () => {
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
    eraseJournal(session)
  }
  return { appended: true, head: session.end.seq }
}

/** Erases what could not be erased at once. Never throws: the store is being closed, and the next close tries again. */
function finishErasing(session: SqliteSession): void {
  try {
    if (session.place.erases && isUnscrubbed(session)) {
      session.transaction('scrub the log', false, () => {
        scrubLog(session, Number.POSITIVE_INFINITY)
        session.touch()
      })
      session.unerased = true
    }
  } catch (error) {
    session.context.onError(asError(storageError(error, session.path, 'scrub the log')))
  }
  if (session.unerased) eraseJournal(session)
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
