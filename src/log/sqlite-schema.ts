import { quietly } from '../base/quietly.js'
import type { SqliteDatabase } from '../sqlite/binding.js'
import { StorageUnreadableError } from './errors.js'
import type { SqlitePlace } from './sqlite-place.js'
import type { Transactions } from './sqlite-transactions.js'
import type { OpenContext } from './storage.js'

/** "vrve": says that a SQLite file is a Varve store. In the file's header at byte 68, and `PRAGMA application_id`. */
export const APPLICATION_ID = 0x76727665

/** Version of the tables. In the file's header at byte 60, and `PRAGMA user_version`. */
export const FORMAT_VERSION = 1

/** The columns of `varve_log`, in SQL. */
export const LOG_COLUMNS = `seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, type TEXT NOT NULL, sum INTEGER NOT NULL,
    chain INTEGER NOT NULL, bytes_end INTEGER NOT NULL, redacted INTEGER, body TEXT`

/**
 * The tables. Rows of a bucket are in a table of its own, `varve_rows_<id>`, made when the bucket is defined.
 *
 * - `varve_log.bytes_end` is the size of all bodies up to this one since the log began, so that the size of any stretch
 *   of the log is one subtraction. `sum` is the checksum of the original body, `chain` links it to all entries before;
 *   `redacted` is the checksum of a body that was redacted. A body that was damaged is NULL and in `varve_quarantine`.
 * - `varve_buckets.since` is the first entry that may hold changes of the bucket: what a clear has to look at.
 * - In `varve_meta`, `trimmed` is the last entry that history let go, and `touched` counts writes without an entry. `format`
 *   is the version again, for databases that cannot be marked, and `owner` names who was the last to open a shared one.
 */
const TABLES = `
  CREATE TABLE varve_meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
  CREATE TABLE varve_log(${LOG_COLUMNS});
  CREATE TABLE varve_buckets(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, key TEXT NOT NULL,
    counter INTEGER NOT NULL, fields TEXT NOT NULL, view TEXT NOT NULL, since INTEGER NOT NULL);
  CREATE TABLE varve_quarantine(id INTEGER PRIMARY KEY, what TEXT NOT NULL, bucket TEXT, at INTEGER NOT NULL,
    reason TEXT NOT NULL, found INTEGER NOT NULL, body BLOB);`

/**
 * Checks that the open database is a Varve store of this version, or can become one.
 *
 * @param isShared true where tables of others may be in it: then only ours are looked at.
 * @returns true where there is no store in it yet.
 * @throws {StorageUnreadableError} otherwise; nothing was changed.
 */
export function checkIdentity(database: SqliteDatabase, path: string, isShared = false): boolean {
  const { application, version } = readMarks(database, isShared)
  if (application !== APPLICATION_ID) {
    const names = database.prepare('SELECT name FROM sqlite_schema').all()
    const isOurs = names.some(({ name }) => name === 'varve_meta')
    if (!isOurs && (isShared || (application === 0 && version === 0 && names.length === 0))) return true
    // A store beside tables of others, or where no mark can be set, says in its own table what it is.
    const format = isOurs ? quietly(() => readFormat(database)) : undefined
    if (format === undefined) throw foreign(path, application)
    checkVersion(path, format)
    return false
  }
  checkVersion(path, version)
  return false
}

/** What `application_id` and `user_version` say; 0 where they cannot be asked, or are about tables of others. */
function readMarks(database: SqliteDatabase, isShared: boolean): { application: number; version: number } {
  const read = () => ({ application: pragma(database, 'application_id'), version: pragma(database, 'user_version') })
  // Durable Objects refuse the question.
  return isShared ? (quietly(read) ?? { application: 0, version: 0 }) : read()
}

function readFormat(database: SqliteDatabase): number | undefined {
  const row = database.prepare("SELECT value FROM varve_meta WHERE key = 'format'").get()
  return row === undefined ? undefined : Number(row.value)
}

function checkVersion(path: string, version: number): void {
  if (version === FORMAT_VERSION) return
  const what = `it has format ${version} and this version of varve reads format ${FORMAT_VERSION}`
  throw unreadable(path, what, version > FORMAT_VERSION ? 'install a newer varve' : 'restore a backup')
}

/** Makes the tables in a database without them, as one transaction: interrupted, none is there. */
export function createTables(
  database: SqliteDatabase,
  transactions: Transactions,
  context: OpenContext,
  place: SqlitePlace,
): void {
  const isEmpty = database.prepare('SELECT 1 AS one FROM sqlite_schema LIMIT 1').get() === undefined
  // The marks of a database with tables of others are not ours to set.
  const isMarked = isEmpty && canMark(database, place)
  if (isMarked) {
    // Has to come before the first table. On a file that has pages already it takes a VACUUM, of nothing.
    database.exec('PRAGMA auto_vacuum = INCREMENTAL')
    if (place.file !== undefined && pragma(database, 'auto_vacuum') !== 2) database.exec('VACUUM')
  }
  transactions.run(() => {
    if (isMarked) database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT_VERSION};`)
    database.exec(TABLES)
    const put = database.prepare('INSERT INTO varve_meta(key, value) VALUES (?, ?)')
    put.run('about', 'A Varve store: a view per bucket, the history in varve_log.')
    put.run('format', FORMAT_VERSION)
    put.run('logId', context.uuid())
    put.run('created', context.now())
    put.run('touched', 0)
  })
}

function canMark(database: SqliteDatabase, place: SqlitePlace): boolean {
  // Refused by Durable Objects; elsewhere the error says itself with the next statement.
  return !place.isShared || quietly(() => pragma(database, 'application_id')) !== undefined
}

/** The number that a pragma answers. @throws {SqliteError} also where pragmas are refused. */
export function pragma(database: SqliteDatabase, name: string): number {
  const row = database.prepare(`PRAGMA ${name}`).get()
  return Number(row === undefined ? Number.NaN : row[name])
}

/** The database belongs to somebody else. */
export function foreign(path: string, application: number): StorageUnreadableError {
  const what = `it is a SQLite file of another program (application_id ${application})`
  return unreadable(path, what)
}

/** The database cannot be a store: `what` it is, and what to do. */
export function unreadable(path: string, what: string, next = 'give another path'): StorageUnreadableError {
  return new StorageUnreadableError(`store ${path}: ${what}; it was left as it is; ${next}`)
}
