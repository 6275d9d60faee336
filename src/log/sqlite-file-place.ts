import { closeSync, existsSync, fsyncSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { quietly } from '../base/quietly.js'
import type { SqliteDatabase } from '../sqlite/binding.js'
import { StorageError } from './errors.js'
import { type FileIdentity, fileIdentity, isSameFile } from './file-path.js'
import type { FileLock } from './sqlite-lock.js'
import type { SqliteLimits, SqlitePlace } from './sqlite-place.js'
import type { Durability } from './storage.js'

const WAL_PAGES_MAX = 1_000
const WAL_BYTES_KEPT = 8 * 1024 * 1024
// Deleted content is overwritten always, not only when a bucket is emptied: pages that were freed before would keep it.
const SETTINGS = `PRAGMA busy_timeout = 0; PRAGMA foreign_keys = OFF; PRAGMA secure_delete = ON;
  PRAGMA wal_autocheckpoint = ${WAL_PAGES_MAX}; PRAGMA journal_size_limit = ${WAL_BYTES_KEPT};`

/** How often a commit looks at the files closely: whichever comes first. */
const LOOK_EVERY_COMMITS = 16
const LOOK_EVERY_MS = 5

// SQLite takes 2,000 columns, and statements of a billion bytes.
const FILE_LIMITS: SqliteLimits = {
  viewColumns: 1_905,
  viewLength: Number.POSITIVE_INFINITY,
  chunkLength: 4_000_000,
  pageBytes: 4_000_000,
}

/** What whoever opens a file knows about it. */
export interface FileFacts {
  /** Canonical. */
  readonly path: string
  readonly lock: FileLock
  /** True when the connection was handed in: it stays in WAL mode, and tables of others may be in the file. */
  readonly isLent: boolean
  /** Lets go of the connection; absent where that is its owner's affair. */
  close?(): void
}

/**
 * A file of this machine, which this store alone has locked. Its journal is a write-ahead log, where the binding can have one,
 * else a rollback journal that is kept; both survive a power cut with a full commit.
 *
 * Source: https://sqlite.org/wal.html, https://sqlite.org/pragma.html#pragma_synchronous
 */
export class FilePlace implements SqlitePlace {
  readonly name: string
  readonly file: string
  readonly database: SqliteDatabase
  readonly isExclusive = true
  readonly isShared: boolean
  readonly erases = true
  readonly limits: SqliteLimits = FILE_LIMITS
  readonly durability: Durability
  readonly #lock: FileLock
  readonly #walPath: string
  readonly #close: (() => void) | undefined
  #isWal = true
  #full: boolean | undefined
  #main: FileIdentity | undefined
  /** The write-ahead log appears with the first write, at the latest. */
  #hasWal = false
  #commits = 0
  #looked = 0
  #gone = false

  constructor(database: SqliteDatabase, { path, lock, isLent, close }: FileFacts) {
    this.name = this.file = path
    this.database = database
    this.isShared = isLent
    this.durability = database.survives ?? 'disk'
    this.#lock = lock
    this.#close = close
    this.#walPath = `${path}-wal`
  }

  configure(): void {
    this.database.exec(SETTINGS)
  }

  startJournal(): void {
    const mode = this.database.prepare('PRAGMA journal_mode = WAL').get()
    this.#isWal = mode?.journal_mode === 'wal'
    // Kept, because a journal that is made anew may be missing after a power cut, until its folder is synced, and with it
    // what is needed to undo half a commit.
    if (!this.#isWal) {
      this.database.exec('PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = FULL')
      // Writing what is there already would not need a journal.
      this.database.exec("UPDATE varve_meta SET value = value + 1 WHERE key = 'touched'")
      syncPath(dirname(this.file))
    }
  }

  setFull(full: boolean): boolean {
    // In WAL mode only FULL survives a power cut, and NORMAL survives the process. With a rollback journal NORMAL may
    // destroy the file in a power cut.
    if (!this.#isWal) return true
    if (this.#full !== full) this.database.exec(`PRAGMA synchronous = ${full ? 'FULL' : 'NORMAL'}`)
    this.#full = full
    return full
  }

  /** Remembers which files are open, so that their removal is noticed. */
  watch(): void {
    this.#main = fileIdentity(this.file)
    this.#hasWal = this.#isWal && existsSync(this.#walPath)
  }

  check(doing: string, clock: { now(): number }): void {
    if (this.#main === undefined) return
    // Whether the file is there is asked each time; whether it is still the same one only now and then, because asking
    // for the times of a file makes its next sync 10 µs slower (Linux 6.13 and later).
    let gone = existsSync(this.file) ? undefined : this.file
    const now = clock.now()
    if (
      gone === undefined &&
      (this.#gone || ++this.#commits % LOOK_EVERY_COMMITS === 0 || Math.abs(now - this.#looked) >= LOOK_EVERY_MS)
    ) {
      this.#looked = now
      if (!isSameFile(this.file, this.#main)) gone = this.file
      else if (this.#hasWal && !existsSync(this.#walPath)) gone = this.#walPath
      this.#hasWal = this.#isWal
    }
    this.#gone = gone !== undefined
    if (gone === undefined) return
    const message = `store ${this.file}: ${doing}: ${gone} was deleted or replaced while it was open; nothing was written; `
    throw new StorageError(`${message}put it back, or export what the store has in memory and stop it`, {
      code: 'STORAGE_GONE',
    })
  }

  eraseJournal(): boolean {
    if (!this.#isWal) return true
    const row = this.database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()
    return row !== undefined && Number(row.busy) === 0
  }

  /**
   * Ends WAL mode, so that a closed store is one file, complete by itself. Closing a connection alone does that only when
   * the binding closes at once, and a late one would remove a log that belongs to somebody else by then.
   */
  leave(): void {
    if (this.isShared) return
    // Where somebody is reading, or the disk fails, the log stays beside the file, and the next open finds it.
    quietly(() => this.database.exec('PRAGMA journal_mode = DELETE'))
  }

  release(): void {
    try {
      this.#close?.()
    } finally {
      this.#lock.release()
    }
  }
}

/** Syncs a file, or the entries of a folder. */
export function syncPath(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
