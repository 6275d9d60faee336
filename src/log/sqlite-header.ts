import { closeSync, openSync, readSync } from 'node:fs'
import { StorageError } from './errors.js'
import { fileIdentity } from './file-path.js'
import { APPLICATION_ID, foreign, unreadable } from './sqlite-schema.js'

const HEADER_BYTES = 100
const APPLICATION_ID_AT = 68
const MAGIC = 'SQLite format 3\0'

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
