import { quietly } from '../base/quietly.js'
import { asError } from '../base/errors.js'
import type { SqliteDatabase } from '../sqlite/binding.js'
import { StorageLockedError, StorageUnreadableError } from './errors.js'
import { storageError } from './sqlite-errors.js'
import { nameOf } from './sqlite-names.js'
import type { SqlitePlace } from './sqlite-place.js'
import { createTables } from './sqlite-schema.js'
import { type Transactions, transactionsOf } from './sqlite-transactions.js'
import type { BucketMeta, OpenContext, Quarantined } from './storage.js'

/** A bucket as the file knows it. */
export interface BucketSlot {
  /** Its rows are in `varve_rows_<id>`. */
  readonly id: number
  readonly meta: BucketMeta
  readonly view: string
  /** Seq of the first entry that may hold changes of it. */
  readonly since: number
  /** SQL that puts a row, several rows, and deletes one. Kept because making the text costs as much as finding it. */
  readonly put: string
  readonly putSeveral: string
  readonly delete: string
}

/** Rows that one statement of `putSeveral`, or of the log, takes: beyond it a row costs no less. */
export const ROWS_PER_INSERT = 8

/** A slot with its SQL. */
export function bucketSlot(id: number, meta: BucketMeta, view: string, since: number): BucketSlot {
  const put = `INSERT OR REPLACE INTO varve_rows_${id}(ordinal, record) VALUES (?, ?)`
  return {
    id,
    meta,
    view,
    since,
    put,
    putSeveral: put + ', (?, ?)'.repeat(ROWS_PER_INSERT - 1),
    delete: `DELETE FROM varve_rows_${id} WHERE ordinal = ?`,
  }
}

/** The end of the log. */
export interface LogEnd {
  readonly seq: number
  readonly at: number
  readonly chain: number
  readonly bytesEnd: number
}

/** An open database and what is known about its content. One per open adapter. */
export class SqliteSession {
  readonly place: SqlitePlace
  readonly database: SqliteDatabase
  /** The place, as messages name it. */
  readonly path: string
  readonly context: OpenContext
  /** Unique id of the log; empty until the session has been set up. */
  logId = ''
  readonly quarantined: Quarantined[] = []
  buckets: ReadonlyMap<string, BucketSlot> = new Map()
  end: LogEnd = { seq: 0, at: 0, chain: 0, bytesEnd: 0 }
  /** True while something was committed that a power cut could take back. */
  unflushed = false
  /** True while erased data may still be beside the database, in its journal. */
  unerased = false
  readonly #transactions: Transactions
  /** The count that the open transaction has written; `undefined` when it leaves an entry instead. */
  #touched: number | undefined
  /** False after a failed write: what is known about the content has to be read again. */
  #fresh = false
  /** What this session has put down as the owner of a place that others can write to; undefined elsewhere. */
  #owner: string | undefined

  constructor(place: SqlitePlace, context: OpenContext) {
    this.place = place
    this.database = place.database
    this.path = place.name
    this.context = context
    this.#transactions = transactionsOf(place.database)
  }

  /** Makes the tables in a database without them, as one transaction: interrupted, none is there. */
  create(): void {
    createTables(this.database, this.#transactions, this.context, this.place)
  }

  /**
   * Finds out now, not at the first write, whether the database can be written. Where others can write, too, it is
   * taken over from whichever store had it: that one writes nothing any more (L4).
   */
  takeOver(): void {
    if (this.place.isExclusive) {
      this.#transactions.probe()
      return
    }
    const owner = this.context.uuid()
    this.#transactions.run(() => {
      this.database.prepare("INSERT OR REPLACE INTO varve_meta(key, value) VALUES ('owner', ?)").run(owner)
      // Whoever had it may have written until now.
      this.refresh()
    })
    this.#owner = owner
  }

  /**
   * Runs `write` as one storage transaction and commits it.
   *
   * @param full true when the commit has to survive a power cut.
   * @throws {StorageError} with the outcome; whatever `write` throws, after everything is undone.
   */
  transaction<T>(doing: string, full: boolean, write: () => T): T {
    this.#touched = undefined
    let [isBegun, isWritten] = [false, false]
    // What `write` returned, for when its commit fails and is in the database all the same.
    let written: T | undefined
    try {
      this.#transactions.recover()
      const isFull = this.place.setFull(full)
      this.#transactions.run(() => {
        isBegun = true
        if (this.#owner !== undefined) mustOwn('L4', this, this.#owner, doing)
        if (!this.#fresh) this.refresh()
        written = write()
        this.place.check(doing, this.context)
        isWritten = true
      })
      this.unflushed = !isFull
    } catch (error) {
      const { end } = this
      if (isBegun) this.#undone()
      if (!isWritten || !this.#landed(error, doing, end, this.#touched)) throw storageError(error, this.path, doing)
    }
    return written as T
  }

  /** What is kept about `bucket`; `undefined` where there is no such bucket. */
  bucket(bucket: string): BucketSlot | undefined {
    if (!this.#fresh) this.refresh()
    return this.buckets.get(bucket)
  }

  /** Reads buckets and the end of the log from the file. */
  refresh(): void {
    this.buckets = readBuckets(this.database, this.path)
    this.end = readEnd(this.database)
    this.#fresh = true
  }

  /** Counts a write that leaves no entry, so that its commit can be told from its failure. */
  touch(): void {
    const sql = "UPDATE varve_meta SET value = value + 1 WHERE key = 'touched' RETURNING value"
    this.#touched = Number(this.database.prepare(sql).get()?.value)
  }

  #undone(): void {
    this.#fresh = false
    // Otherwise it stays stale, and whoever needs it next tries again.
    quietly(() => this.refresh())
  }

  /**
   * Finds out whether a commit that failed is in the database after all, and makes the answer final: a commit whose sync
   * failed may lie complete in the write-ahead log, unseen, and come to life in a recovery. The next commit overwrites
   * it, so one is made.
   *
   * @throws {StorageError} with outcome `'unknown'` when that cannot be found out.
   */
  #landed(failure: unknown, doing: string, expected: LogEnd, touched: number | undefined): boolean {
    try {
      this.#transactions.recover()
      const end = readEnd(this.database)
      const same = end.seq === expected.seq && end.chain === expected.chain
      const landed = same && (touched === undefined || touched === readTouched(this.database))
      const code = storageError(failure, this.path, doing) as { code?: string }
      // Without space, or without the lock, the last frame of the commit was never written.
      if (!landed && (code.code === 'STORAGE_FULL' || code.code === 'STORAGE_BUSY')) return false
      this.place.setFull(true)
      this.#transactions.run(() => this.touch())
      return landed
    } catch (error) {
      const both = new AggregateError([failure, error], `${asError(failure).message}; then ${asError(error).message}`)
      throw storageError(both, this.path, doing, 'unknown')
    }
  }
}

/** @throws {StorageLockedError} another store was the last to open the database, so only that one may write to it. */
function mustOwn(invariant: string, { database, path }: SqliteSession, owner: string, doing: string): void {
  const now = database.prepare("SELECT value FROM varve_meta WHERE key = 'owner'").get()?.value
  if (now === owner) return
  const message = `store ${path}: ${doing}: another store has opened this database since (${invariant}); nothing was written`
  throw new StorageLockedError(`${message}; stop this store, and have one store per database`)
}

/** The number of writes without an entry so far. */
function readTouched(database: SqliteDatabase): number {
  return Number(database.prepare("SELECT value FROM varve_meta WHERE key = 'touched'").get()?.value)
}

/** Where the log ends, whether or not history has kept its last entry. */
export function readEnd(database: SqliteDatabase): LogEnd {
  const sql = 'SELECT seq, at, chain, bytes_end AS bytesEnd FROM varve_log ORDER BY seq DESC LIMIT 1'
  const row = database.prepare(sql).get()
  return row === undefined ? readTrimmed(database) : (row as unknown as LogEnd)
}

/** The last entry that history let go; seq 0 when it has let none go. */
export function readTrimmed(database: SqliteDatabase): LogEnd {
  const row = database.prepare("SELECT value FROM varve_meta WHERE key = 'trimmed'").get()
  return row === undefined ? { seq: 0, at: 0, chain: 0, bytesEnd: 0 } : (JSON.parse(String(row.value)) as LogEnd)
}

function readBuckets(database: SqliteDatabase, path: string): Map<string, BucketSlot> {
  const buckets = new Map<string, BucketSlot>()
  const sql = 'SELECT id, name, key, counter, fields, view, since FROM varve_buckets ORDER BY id'
  try {
    for (const row of database.prepare(sql).all()) {
      const bucket = nameOf(String(row.name))
      const fields = JSON.parse(String(row.fields)) as string[]
      const meta = { bucket, key: nameOf(String(row.key)), counter: Number(row.counter), fields }
      buckets.set(bucket, bucketSlot(Number(row.id), meta, String(row.view), Number(row.since)))
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    const message = `store ${path}: the list of its buckets is damaged; it was left as it is; restore a backup`
    throw new StorageUnreadableError(message, { cause: error })
  }
  return buckets
}

/** The unique id of the log in this file. @throws {StorageUnreadableError} it is gone. */
export function readLogId(database: SqliteDatabase, path: string): string {
  const row = database.prepare("SELECT value FROM varve_meta WHERE key = 'logId'").get()
  if (typeof row?.value === 'string') return row.value
  throw new StorageUnreadableError(`store ${path}: its id is gone; it was left as it is; restore a backup`)
}
