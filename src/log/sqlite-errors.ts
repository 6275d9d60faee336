import { asError } from '../base/errors.js'
import { SqliteError } from '../sqlite/binding.js'
import { StorageError, StorageFullError, StorageUnreadableError } from './errors.js'

const UNKNOWN = 'it is not known whether the write is in the file; reopen the store to find out'

/**
 * What SQLite threw, as the error that a caller of the storage can decide on. Storage errors and errors that did not
 * come from SQLite are returned as they are.
 *
 * @param path of the database file.
 * @param doing for the message: `append`, `open`, `load bucket "users"`.
 * @param outcome what is known about the write.
 */
export function storageError(
  thrown: unknown,
  path: string,
  doing: string,
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
