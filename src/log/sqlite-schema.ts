import { closeSync, openSync, readSync } from 'node:fs'
import type { SqliteDatabase } from '../sqlite/binding.js'
import { StorageError, StorageUnreadableError } from './errors.js'
import { fileIdentity } from './file-path.js'
import type { OpenContext } from './storage.js'

/** "vrve": says that a SQLite file is a Varve store. In the file's header at byte 68, and `PRAGMA application_id`. */
const APPLICATION_ID = 0x76727665

/** Version of the tables. In the file's header at byte 60, and `PRAGMA user_version`. */
export const FORMAT_VERSION = 1

/** The columns of `varve_log`, in SQL. */
export const LOG_COLUMNS = `seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, type TEXT NOT NULL, sum INTEGER NOT NULL,
    chain INTEGER NOT NULL, bytes_end INTEGER NOT NULL, redacted INTEGER, body TEXT`

const HEADER_BYTES = 100
const APPLICATION_ID_AT = 68
const MAGIC = 'SQLite format 3\0'

/**
 * The tables. Rows of a bucket are in a table of its own, `varve_rows_<id>`, made when the bucket is defined.
 *
 * - `varve_log.bytes_end` is the size of all bodies up to this one since the log began, so that the size of any stretch
 *   of the log is one subtraction. `sum` is the checksum of the original body, `chain` links it to all entries before;
 *   `redacted` is the checksum of a body that was redacted. A body that was damaged is NULL and in `varve_quarantine`.
 * - `varve_buckets.since` is the first entry that may hold changes of the bucket: what a clear has to look at.
 * - In `varve_meta`, `trimmed` is the last entry that history let go, and `touched` counts writes without an entry.
 */
const TABLES = `
  CREATE TABLE varve_meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
  CREATE TABLE varve_log(${LOG_COLUMNS});
  CREATE TABLE varve_buckets(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, key TEXT NOT NULL,
    counter INTEGER NOT NULL, fields TEXT NOT NULL, view TEXT NOT NULL, since INTEGER NOT NULL);
  CREATE TABLE varve_quarantine(id INTEGER PRIMARY KEY, what TEXT NOT NULL, bucket TEXT, at INTEGER NOT NULL,
    reason TEXT NOT NULL, found INTEGER NOT NULL, body BLOB);`

/**
 * Refuses a file that is neither a Varve store nor empty, without opening it with SQLite, which might write to it.
 *
 * @throws {StorageUnreadableError} it is something else; it was not touched.
 */
export function checkHeader(path: string): void {
  if (fileIdentity(path) === undefined) return
  const header = readHeader(path)
  if (header.length === 0) return
  if (!isSqliteHeader(header)) throw unreadable(path, 'it is not a SQLite file')
  // With a rollback journal beside it the header may be half written; SQLite will repair it, and `checkIdentity` looks again.
  if (fileIdentity(`${path}-journal`) !== undefined) return
  const application = header.readInt32BE(APPLICATION_ID_AT)
  if (application !== APPLICATION_ID && application !== 0) throw foreign(path, application)
}

/** Whether the header of the file at `path` says that it is a store of Varve's; it may be damaged behind that. */
export function isVarveFile(path: string): boolean {
  const header = readHeader(path)
  return isSqliteHeader(header) && header.readInt32BE(APPLICATION_ID_AT) === APPLICATION_ID
}

/**
 * Checks that the open database is a Varve store of this version, or has nothing in it.
 *
 * @returns true where there is nothing in it yet.
 * @throws {StorageUnreadableError} otherwise; nothing was changed.
 */
export function checkIdentity(database: SqliteDatabase, path: string): boolean {
  const application = pragma(database, 'application_id')
  const version = pragma(database, 'user_version')
  const tables = Number(database.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.n)
  if (application === 0 && version === 0 && tables === 0) return true
  if (application !== APPLICATION_ID) throw foreign(path, application)
  if (version !== FORMAT_VERSION) {
    const what = `it has format ${version} and this version of varve reads format ${FORMAT_VERSION}`
    throw unreadable(path, what, version > FORMAT_VERSION ? 'install a newer varve' : 'restore a backup')
  }
  return false
}

/** Makes the tables in an empty database, as one transaction: interrupted, the file is empty again. */
export function createTables(database: SqliteDatabase, context: OpenContext, inMemory: boolean): void {
  // Has to come before the first table. On a file that has pages already it takes a VACUUM, of nothing.
  database.exec('PRAGMA auto_vacuum = INCREMENTAL')
  if (!inMemory && pragma(database, 'auto_vacuum') !== 2) database.exec('VACUUM')
  database.exec(`BEGIN IMMEDIATE; PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT_VERSION};`)
  database.exec(TABLES)
  const put = database.prepare('INSERT INTO varve_meta(key, value) VALUES (?, ?)')
  put.run('about', 'A Varve store: a view per bucket, the history in varve_log.')
  put.run('logId', context.uuid())
  put.run('created', context.now())
  put.run('touched', 0)
  database.exec('COMMIT')
}

/** The number that a pragma answers. */
export function pragma(database: SqliteDatabase, name: string): number {
  const row = database.prepare(`PRAGMA ${name}`).get()
  return Number(row === undefined ? Number.NaN : row[name])
}

function isSqliteHeader(header: Buffer): boolean {
  return header.length === HEADER_BYTES && header.toString('latin1', 0, MAGIC.length) === MAGIC
}

function readHeader(path: string): Buffer {
  const buffer = Buffer.alloc(HEADER_BYTES)
  try {
    const file = openSync(path, 'r')
    try {
      return buffer.subarray(0, readSync(file, buffer, 0, HEADER_BYTES, 0))
    } finally {
      closeSync(file)
    }
  } catch (error) {
    const message = `store ${path}: it cannot be read; nothing was changed; check that it is a file and its permissions`
    throw new StorageError(message, { cause: error })
  }
}

function foreign(path: string, application: number): StorageUnreadableError {
  const what = `it is a SQLite file of another program (application_id ${application})`
  return unreadable(path, what)
}

function unreadable(path: string, what: string, next = 'give another path'): StorageUnreadableError {
  return new StorageUnreadableError(`store ${path}: ${what}; it was left as it is; ${next}`)
}
