import { asError, VarveError } from '../base/errors.js'
import { SqliteError } from '../sqlite/binding.js'
import { StorageError, StorageFullError, StorageUnreadableError } from './errors.js'

/** What was being done, for the message: `append`, `open`, `load bucket "users"`. */
export type Doing = string

const UNKNOWN = 'it is not known whether the write is in the file; reopen the store to find out'

/**
 * What SQLite threw, as the error that a caller of the storage can decide on. Storage errors and errors that did not
 * come from SQLite are returned as they are.
 *
 * @param path of the database file.
 * @param outcome what is known about the write.
 */
export function storageError(
  thrown: unknown,
  path: string,
  doing: Doing,
  outcome: 'nothing written' | 'unknown' = 'nothing written',
): Error {
  if (outcome === 'unknown') {
    const error = asError(thrown)
    const message = `store ${path}: ${doing}: ${error.message}; ${UNKNOWN}`
    return new StorageError(message, { cause: error, outcome })
  }
  if (!(thrown instanceof SqliteError)) return asError(thrown)
  const where = `store ${path}: ${doing}: `
  const cause = { cause: thrown }
  switch (thrown.result) {
    case 'FULL':
      return new StorageFullError(`${where}the disk is full; nothing was written; free space and write again`, cause)
    case 'CORRUPT':
    case 'NOTADB':
    case 'FORMAT': {
      const message = `${where}the file is damaged (${thrown.message}); nothing was written; restore a backup, or save `
      return new StorageUnreadableError(`${message}what is left with "sqlite3 FILE .recover"`, cause)
    }
    case 'BUSY':
    case 'LOCKED': {
      const message = `${where}another program is writing to the file; nothing was written; retry, or raise waitMs`
      return new StorageError(message, { ...cause, code: 'STORAGE_BUSY' })
    }
    case 'READONLY':
    case 'PERM':
    case 'AUTH': {
      const message = `${where}the file cannot be written (${thrown.message}); nothing was written; check its permissions`
      return new StorageError(message, { ...cause, code: 'STORAGE_READONLY' })
    }
    case 'CANTOPEN': {
      const message = `${where}the file cannot be opened; nothing was written; check that its folder can be written`
      return new StorageError(message, { ...cause, code: 'STORAGE_CANTOPEN' })
    }
    case 'TOOBIG': {
      const message = `${where}a record or commit is larger than SQLite takes; nothing was written; split it`
      return new StorageError(message, { ...cause, code: 'STORAGE_TOO_BIG' })
    }
    default:
      return new StorageError(`${where}${thrown.message}; nothing was written; see the cause`, cause)
  }
}

/**
 * Wraps errors of node:fs that mean the disk, not the caller.
 *
 * @returns `StorageFullError` for a full disk or quota, else `StorageError` with the reason.
 */
export function fileError(thrown: unknown, path: string, doing: Doing): Error {
  if (thrown instanceof VarveError) return thrown
  const error = asError(thrown) as Error & { code?: string }
  const where = `store ${path}: ${doing}: `
  if (error.code === 'ENOSPC' || error.code === 'EDQUOT') {
    return new StorageFullError(`${where}the disk is full; nothing was written; free space and write again`, {
      cause: error,
    })
  }
  const readOnly = error.code === 'EACCES' || error.code === 'EPERM' || error.code === 'EROFS'
  const message = `${where}${error.message}; nothing was written; check the path and its permissions`
  return new StorageError(message, { cause: error, ...(readOnly ? { code: 'STORAGE_READONLY' } : {}) })
}
