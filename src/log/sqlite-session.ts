import { existsSync } from 'node:fs'
import { quietly } from '../base/quietly.js'
import { asError } from '../base/errors.js'
import type { SqliteDatabase } from '../sqlite/binding.js'
import { StorageError, StorageUnreadableError } from './errors.js'
import { type FileIdentity, fileIdentity, isSameFile } from './file-path.js'
import { storageError } from './sqlite-errors.js'
import { nameOf } from './sqlite-names.js'
import { pragma } from './sqlite-schema.js'
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

/** How often a commit looks at the files closely: whichever comes first. */
const LOOK_EVERY_COMMITS = 16
const LOOK_EVERY_MS = 5

/** An open database and what is known about its content. One per open adapter. */
export class SqliteSession {
  readonly database: SqliteDatabase
  /** Canonical path, or `:memory:`. */
  readonly path: string
  readonly context: OpenContext
  /** Unique id of the log; empty until the session has been set up. */
  logId = ''
  readonly quarantined: Quarantined[] = []
  buckets: ReadonlyMap<string, BucketSlot> = new Map()
  end: LogEnd = { seq: 0, at: 0, chain: 0, bytesEnd: 0 }
  /** True while something was committed that a power cut could take back. */
  unflushed = false
  /** True while erased data may still be in the write-ahead log. */
  unerased = false
  #full: boolean | undefined
  /** A rollback failed: there may be a transaction open. */
  #isLeftOpen = false
  /** The count that the open transaction has written; `undefined` when it leaves an entry instead. */
  #touched: number | undefined
  /** False after a failed write: what is known about the content has to be read again. */
  #fresh = false
  #main: FileIdentity | undefined
  /** The write-ahead log appears with the first write, at the latest. */
  #hasWal = false
  #commits = 0
  #looked = 0
  #gone = false
  readonly #walPath: string

  constructor(database: SqliteDatabase, path: string, context: OpenContext) {
    this.database = database
    this.path = path
    this.context = context
    this.#walPath = `${path}-wal`
  }

  get inMemory(): boolean {
    return this.path === ':memory:'
  }

  /** Remembers which files are open, so that their removal is noticed. */
  watchFiles(): void {
    if (this.inMemory) return
    this.#main = fileIdentity(this.path)
    this.#hasWal = existsSync(this.#walPath)
  }

  /**
   * Runs `write` as one storage transaction and commits it.
   *
   * @param full true when the commit has to survive a power cut.
   * @throws {StorageError} with the outcome; whatever `write` throws, after everything is undone.
   */
  transaction<T>(doing: string, full: boolean, write: () => T): T {
    this.#begin(doing, full)
    let result: T
    try {
      result = write()
      this.#checkFiles(doing)
    } catch (error) {
      this.#rollback()
      throw storageError(error, this.path, doing)
    }
    this.#commit(doing)
    if (full) this.unflushed = false
    else this.unflushed = !this.inMemory
    return result
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

  #begin(doing: string, full: boolean): void {
    this.#touched = undefined
    try {
      if (this.#isLeftOpen) this.#rollBackLeftover()
      // In WAL mode only FULL survives a power cut; NORMAL survives the process.
      if (this.#full !== full) this.database.exec(`PRAGMA synchronous = ${full ? 'FULL' : 'NORMAL'}`)
      this.#full = full
      this.#beginImmediate()
    } catch (error) {
      throw storageError(error, this.path, doing)
    }
    if (this.#fresh) return
    try {
      this.refresh()
    } catch (error) {
      this.#rollback()
      throw storageError(error, this.path, doing)
    }
  }

  #beginImmediate(): void {
    const begin = this.database.prepare('BEGIN IMMEDIATE')
    try {
      begin.run()
    } catch (error) {
      if (!asError(error).message.includes('within a transaction')) throw error
      this.#rollBackLeftover()
      begin.run()
    }
  }

  /** A rollback that failed may have left a transaction open, which nobody may commit now. */
  #rollBackLeftover(): void {
    try {
      this.database.prepare('ROLLBACK').run()
    } catch (error) {
      if (!asError(error).message.includes('no transaction is active')) throw error
    }
    this.#isLeftOpen = false
  }

  #commit(doing: string): void {
    const expected = this.end
    const touched = this.#touched
    try {
      this.database.prepare('COMMIT').run()
    } catch (error) {
      this.#rollback()
      if (!this.#landed(error, doing, expected, touched)) throw storageError(error, this.path, doing)
    }
  }

  /**
   * Finds out whether a commit that failed is in the file after all, and makes the answer final: a commit whose sync
   * failed may lie complete in the write-ahead log, unseen, and come to life in a recovery. The next commit overwrites
   * it, so one is made.
   *
   * @throws {StorageError} with outcome `'unknown'` when that cannot be found out.
   */
  #landed(failure: unknown, doing: string, expected: LogEnd, touched: number | undefined): boolean {
    try {
      const end = readEnd(this.database)
      const same = end.seq === expected.seq && end.chain === expected.chain
      const landed = same && (touched === undefined || touched === readTouched(this.database))
      const code = storageError(failure, this.path, doing) as { code?: string }
      // Without space, or without the lock, the last frame of the commit was never written.
      if (!landed && (code.code === 'STORAGE_FULL' || code.code === 'STORAGE_BUSY')) return false
      this.database.exec('PRAGMA synchronous = FULL')
      this.#full = true
      this.database.prepare('BEGIN IMMEDIATE').run()
      this.touch()
      this.database.prepare('COMMIT').run()
      return landed
    } catch (error) {
      const both = new AggregateError([failure, error], `${asError(failure).message}; then ${asError(error).message}`)
      throw storageError(both, this.path, doing, 'unknown')
    }
  }

  #rollback(): void {
    this.#fresh = false
    // SQLite has rolled back by itself, or cannot: then the next `#begin` tries again before it writes.
    if (quietly(() => this.database.prepare('ROLLBACK').run()) === undefined) this.#isLeftOpen = true
    // Otherwise it stays stale, and whoever needs it next tries again.
    quietly(() => this.refresh())
  }

  /** @throws {StorageError} the files that are open are not those at the path any more. */
  #checkFiles(doing: string): void {
    if (this.#main === undefined) return
    // Whether the file is there is asked each time; whether it is still the same one only now and then, because asking
    // for the times of a file makes its next sync 10 µs slower (Linux 6.13 and later).
    let gone = existsSync(this.path) ? undefined : this.path
    const now = this.context.now()
    if (
      gone === undefined &&
      (this.#gone || ++this.#commits % LOOK_EVERY_COMMITS === 0 || Math.abs(now - this.#looked) >= LOOK_EVERY_MS)
    ) {
      this.#looked = now
      if (!isSameFile(this.path, this.#main)) gone = this.path
      else if (this.#hasWal && !existsSync(this.#walPath)) gone = this.#walPath
      this.#hasWal = true
    }
    this.#gone = gone !== undefined
    if (gone === undefined) return
    const message = `store ${this.path}: ${doing}: ${gone} was deleted or replaced while it was open; nothing was written; `
    throw new StorageError(`${message}put it back, or export what the store has in memory and stop it`, {
      code: 'STORAGE_GONE',
    })
  }
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
  if (typeof row?.value === 'string' && !Number.isNaN(pragma(database, 'user_version'))) return row.value
  throw new StorageUnreadableError(`store ${path}: its id is gone; it was left as it is; restore a backup`)
}
