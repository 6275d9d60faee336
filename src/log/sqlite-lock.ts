import { unlinkSync } from 'node:fs'
import { quietly } from '../base/quietly.js'
import { asSqliteError, type SqliteDatabase, type SqliteDriver } from '../sqlite/binding.js'
import { fileIdentity } from './file-path.js'
import { type Holder, holderOf, lockedError, openFiles } from './open-files.js'
import { pause } from './pause.js'
import { storageError } from './sqlite-errors.js'
import type { OpenContext } from './storage.js'

/** The right to be the only store on a file. */
export interface FileLock {
  /** Gives it back; safe twice. */
  release(): void
}

const TRY_EVERY_MS = 25

/**
 * Makes the caller the only store on `path`, waiting up to `waitMs` for another one to finish.
 *
 * The lock is a reserved SQLite lock on the file `<path>-lock`, so the operating system frees it when the process dies,
 * and the main file stays readable for other programs. Who holds it is a row in that file, committed before.
 *
 * @throws {StorageLockedError} somebody else still holds it; the message says who.
 * @throws {StorageError} the lock file cannot be written.
 */
export async function lockFile(
  path: string,
  driver: SqliteDriver,
  context: OpenContext,
  waitMs: number,
): Promise<FileLock> {
  for (let waited = 0; ; waited += TRY_EVERY_MS) {
    const holder = openFiles().get(path) ?? tryLock(path, driver, context)
    if (holder !== undefined && 'release' in holder) return holder
    if (waited >= waitMs) throw lockedError(path, holder, waited, context.now())
    await pause(context, TRY_EVERY_MS)
  }
}

/**
 * Which store has the file at `path` open, in whatever process; undefined where none has. Changes nothing, but for an instant it
 * holds the lock itself: who tries to get it just then tries again.
 */
export function lockHolder(path: string, driver: SqliteDriver): Holder | 'somebody' | undefined {
  const lockPath = `${path}-lock`
  if (fileIdentity(lockPath) === undefined) return undefined
  const database = driver.open(lockPath)
  try {
    database.exec('PRAGMA busy_timeout = 0; BEGIN IMMEDIATE; ROLLBACK')
    return undefined
  } catch (thrown) {
    if (asSqliteError(thrown).result !== 'BUSY') throw storageError(thrown, path, `locking by ${lockPath}`)
    return readHolder(database) ?? 'somebody'
  } finally {
    database.close()
  }
}

/** The lock, or who holds it; `undefined` when somebody does and it is not known who. */
function tryLock(path: string, driver: SqliteDriver, context: OpenContext): FileLock | Holder | undefined {
  const lockPath = `${path}-lock`
  const before = fileIdentity(lockPath)
  let database: SqliteDatabase | undefined
  try {
    database = driver.open(lockPath)
    const me = claim(database, context)
    const after = fileIdentity(lockPath)
    // A holder that finishes removes the file. Locking a removed file would exclude nobody, so that counts as held.
    const removed = after === undefined || (before !== undefined && before.inode !== after.inode)
    if (!removed) {
      openFiles().set(path, me)
      return heldLock(path, database)
    }
    database.close()
    return undefined
  } catch (thrown) {
    const error = asSqliteError(thrown)
    const holder = error.result === 'BUSY' && database !== undefined ? readHolder(database) : undefined
    database?.close()
    if (error.result === 'BUSY') return holder
    throw storageError(error, path, `locking by ${lockPath}`)
  }
}

/** Writes the owner, then takes the lock for good. Throws `SqliteError` BUSY when somebody else has it. */
function claim(database: SqliteDatabase, context: OpenContext): Holder {
  const me: Holder = { pid: process.pid, store: context.store, since: context.now() }
  // The row is for people; losing it in a power cut harms nobody.
  database.exec('PRAGMA busy_timeout = 0; PRAGMA synchronous = OFF; BEGIN IMMEDIATE')
  database.exec('CREATE TABLE IF NOT EXISTS owner(one INTEGER PRIMARY KEY, pid INTEGER, store TEXT, since INTEGER)')
  const text = JSON.stringify(me.store)
  database.prepare('INSERT OR REPLACE INTO owner VALUES (1, ?, ?, ?)').run(me.pid, text, me.since)
  database.exec('COMMIT; BEGIN IMMEDIATE')
  return me
}

function heldLock(path: string, database: SqliteDatabase): FileLock {
  let held = true
  return {
    release() {
      if (!held) return
      held = false
      openFiles().delete(path)
      // Removed while the lock is held: after it is given back the file may already be somebody else's. Where an open
      // file cannot be removed (Windows) it stays, which is harmless.
      quietly(() => unlinkSync(`${path}-lock`))
      database.close()
    },
  }
}

function readHolder(database: SqliteDatabase): Holder | undefined {
  // While it is being written, or not there yet, the message names nobody.
  return quietly(() => {
    const row = database.prepare('SELECT pid, store, since FROM owner').get()
    return row === undefined ? undefined : holderOf({ ...row, store: JSON.parse(String(row.store)) })
  })
}
