import { asError, VarveError } from '../base/errors.js'
import { StorageError, StorageFullError } from './errors.js'

/**
 * What node:fs threw, as the error that a caller of the storage can decide on. Errors of ours are returned as they are.
 *
 * @param path of the store: its file or folder.
 * @param doing for the message: `append`, `open`.
 * @param left the state left behind.
 * @returns `StorageFullError` for a full disk or quota, else `StorageError` with the reason.
 */
export function fileError(thrown: unknown, path: string, doing: string, left = 'nothing was written'): Error {
  if (thrown instanceof VarveError) return thrown
  const error = asError(thrown) as Error & { code?: string }
  const where = `store ${path}: ${doing}: `
  if (error.code === 'ENOSPC' || error.code === 'EDQUOT') {
    return new StorageFullError(`${where}the disk is full; ${left}; free space and write again`, {
      cause: error,
    })
  }
  const readOnly = error.code === 'EACCES' || error.code === 'EPERM' || error.code === 'EROFS'
  const message = `${where}${error.message}; ${left}; check the path and its permissions`
  return new StorageError(message, { cause: error, ...(readOnly ? { code: 'STORAGE_READONLY' } : {}) })
}
