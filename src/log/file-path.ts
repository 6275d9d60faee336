import { lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { asError } from '../base/errors.js'
import { StorageError } from './errors.js'

/** Which file a path led to. */
export interface FileIdentity {
  readonly device: number
  readonly inode: number
}

const LINKS_MAX = 40
const MAY_BE_MISSING = { throwIfNoEntry: false } as const

/**
 * The one absolute path of a file, whether it exists or not: symbolic links followed, so that two spellings are one file.
 *
 * @throws {StorageError} its folder does not exist.
 */
export function canonicalPath(file: string): string {
  let path = resolve(file)
  for (let links = 0; links < LINKS_MAX; links++) {
    const found = lstatSync(path, MAY_BE_MISSING)
    if (found?.isSymbolicLink() !== true) break
    path = resolve(dirname(path), readlinkSync(path))
  }
  try {
    return join(realpathSync(dirname(path)), basename(path))
  } catch (error) {
    const message = `store ${file}: the folder ${dirname(path)} cannot be used; nothing was done; create it first`
    throw new StorageError(message, { cause: asError(error) })
  }
}

/** Which file `path` leads to now; `undefined` where there is none. About 2 µs. */
export function fileIdentity(path: string): FileIdentity | undefined {
  const found = statSync(path, MAY_BE_MISSING)
  return found === undefined ? undefined : { device: found.dev, inode: found.ino }
}

/** True when `path` still leads to the file that `identity` was taken of. */
export function isSameFile(path: string, identity: FileIdentity): boolean {
  const found = statSync(path, MAY_BE_MISSING)
  return found !== undefined && found.ino === identity.inode && found.dev === identity.device
}
