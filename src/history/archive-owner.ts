import { join } from 'node:path'
import { asError } from '../base/errors.js'
import { quietly } from '../base/quietly.js'
import { isObject } from '../log/codec.js'
import type { FileSystem } from '../log/file-system.js'
import { writeAll } from '../log/file-system.js'
import { ArchiveError } from './archive-format.js'

/** The file that says whose archive a folder is. */
const OWNER = 'archive.json'
const UNFINISHED = '.part'

/** Whose archive it is. */
export interface ArchiveOwner {
  readonly logId: string
  /** Seq of the first entry that the log had when the archive was begun: those before it had left without one. */
  readonly begins: number
}

/** Says whose the folder is; undefined where nobody has said it. @throws {ArchiveError} the file that says so is damaged. */
export function ownerOf(files: FileSystem, folder: string): ArchiveOwner | undefined {
  const path = join(folder, OWNER)
  if (!files.list(folder).includes(OWNER)) return undefined
  const text = files.readText(path)
  // What is no JSON is damaged as whatever else says no owner.
  const owner = quietly((): unknown => JSON.parse(text))
  if (isObject(owner) && typeof owner.logId === 'string' && Number.isSafeInteger(owner.begins)) {
    return { logId: owner.logId, begins: Number(owner.begins) }
  }
  throw new ArchiveError(path, 'it does not say whose archive this is', 'put a copy of the file in its place')
}

/**
 * Makes the folder that of `own`, if it is nobody's. Of two that try at once, one gets it.
 *
 * @returns whose it is now. @throws {ArchiveError} that of somebody else.
 */
export function claimArchive(files: FileSystem, folder: string, own: ArchiveOwner, tag: string): ArchiveOwner {
  let owner = ownerOf(files, folder)
  if (owner === undefined) {
    const text = `${JSON.stringify({ varve: 'archive owner', ...own })}\n`
    const isMine = publish(files, folder, OWNER, Buffer.from(text), tag)
    owner = isMine ? own : (ownerOf(files, folder) as ArchiveOwner)
  }
  if (owner.logId === own.logId) return owner
  throw ofAnotherStore(folder)
}

/** The folder is somebody else's. */
export function ofAnotherStore(folder: string): ArchiveError {
  return new ArchiveError(folder, 'it is the archive of another store', 'give each store a folder of its own')
}

/**
 * Gives `bytes` the name `name`, when they are complete and on the disk, and never in place of another file.
 *
 * @param tag nobody else uses it. @returns false: the name is taken.
 */
export function publish(files: FileSystem, folder: string, name: string, bytes: Uint8Array, tag: string): boolean {
  const path = join(folder, name)
  const draft = `${path}.${tag}${UNFINISHED}`
  try {
    const handle = files.open(draft, 'w')
    try {
      writeAll(files, handle, bytes, 0)
      files.sync(handle)
    } finally {
      files.close(handle)
    }
    if (!take(files, draft, path)) return false
  } finally {
    // What stays is removed when the archive is opened again.
    quietly(() => files.remove(draft))
  }
  try {
    files.syncFolder(folder)
  } catch (error) {
    // It may not survive a power cut, so it does not count.
    quietly(() => files.remove(path))
    throw error
  }
  return true
}

function take(files: FileSystem, draft: string, path: string): boolean {
  try {
    files.link(draft, path)
    return true
  } catch (thrown) {
    const { code } = asError(thrown) as Error & { code?: string }
    if (code === 'EEXIST') return false
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw thrown
    // A disk without hard links, as exFAT.
    if (files.exists(path)) return false
    files.rename(draft, path)
    return true
  }
}

/** Removes what a crash has left: what it was of is in the log. */
export function removeDrafts(files: FileSystem, folder: string): void {
  for (const name of files.list(folder)) {
    const isOurs = name.startsWith('entries-') || name.startsWith(OWNER)
    if (isOurs && name.endsWith(UNFINISHED)) files.remove(join(folder, name))
  }
}
