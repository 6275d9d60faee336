import { linkSync, unlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { quietly } from '../base/quietly.js'
import { StorageError } from './errors.js'
import { fileError } from './file-errors.js'
import { canonicalPath, fileIdentity } from './file-path.js'
import { storageError } from './sqlite-errors.js'
import { syncPath } from './sqlite-file-place.js'
import type { SqliteSession } from './sqlite-session.js'

/**
 * Writes a complete, consistent copy to `target`, under a temporary name first.
 *
 * @throws {StorageError} there is something at `target`, or it cannot be written; nothing is left there.
 */
export function backupTo(session: SqliteSession, target: string): void {
  const path = canonicalPath(target)
  const doing = `back up to ${path}`
  if (fileIdentity(path) !== undefined) throw existsError(session.path, doing)
  const temporary = `${path}.${session.context.uuid()}.part`
  try {
    session.database.prepare('VACUUM INTO ?').run(temporary)
    syncPath(temporary)
    // A link, unlike a rename, never replaces what somebody else has put there meanwhile.
    linkSync(temporary, path)
    unlinkSync(temporary)
    syncPath(dirname(path))
  } catch (error) {
    // It was not made, or is linked already; the first error is the one to tell.
    quietly(() => unlinkSync(temporary))
    if ((error as { code?: string }).code === 'EEXIST') throw existsError(session.path, doing)
    throw fileError(storageError(error, session.path, doing), session.path, doing)
  }
}

function existsError(path: string, doing: string): StorageError {
  const message = `store ${path}: ${doing}: there is a file already; nothing was written; remove it, or give another path`
  return new StorageError(message, { code: 'STORAGE_EXISTS' })
}
