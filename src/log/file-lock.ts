import { quietly } from '../base/quietly.js'
import { asError } from '../base/errors.js'
import type { FileSystem } from './file-system.js'
import { writeAll } from './file-system.js'
import { type Holder, holderOf, lockedError, openFiles } from './open-files.js'
import { pause } from './pause.js'
import { fileError } from './file-errors.js'
import type { OpenContext } from './storage.js'

/** The right to be the only store on a folder. */
export interface FolderLock {
  /** Gives it back; safe twice. */
  release(): void
}

const TRY_EVERY_MS = 25
/** After a takeover, how long a rival that saw the same dead holder may take to show itself. */
const SETTLE_MS = 50

/**
 * Makes the caller the only store on `folder`, waiting up to `waitMs` for another one to finish. The lock is a file
 * with the holder's process id, and the time that process started; one whose process is dead is taken over.
 *
 * @param path of the lock file.
 * @throws {StorageLockedError} somebody else still holds it; the message says who.
 */
export async function lockFolder(
  folder: string,
  path: string,
  files: FileSystem,
  context: OpenContext,
  waitMs: number,
): Promise<FolderLock> {
  const token = context.uuid()
  const me: Holder = { pid: process.pid, store: context.store, since: context.now() }
  for (let waited = 0; ; waited += TRY_EVERY_MS) {
    let holder = openFiles().get(folder)
    if (holder === undefined) {
      const text = JSON.stringify({ ...me, started: startOf(files, process.pid), token })
      const tried = tryLock(path, files, text, token)
      if (tried === 'taken over') await pause(context, SETTLE_MS)
      if (tried === 'made' || (tried === 'taken over' && textOf(path, files) === text)) {
        openFiles().set(folder, me)
        return heldLock(folder, path, files, context)
      }
      holder = typeof tried === 'object' ? tried : undefined
    }
    if (waited >= waitMs) throw lockedError(folder, holder, waited, context.now())
    await pause(context, TRY_EVERY_MS)
  }
}

/** Which store has the folder with the lock file `path` open; undefined where none has, or the one that had it is dead. */
export function folderHolder(path: string, files: FileSystem): Holder | undefined {
  const found = readLock(path, files)
  return found?.holder !== undefined && isAlive(files, found.holder.pid, found.started) ? found.holder : undefined
}

/** Makes the lock file, or says who has it; `undefined` when that is not clear yet. */
function tryLock(
  path: string,
  files: FileSystem,
  text: string,
  token: string,
): 'made' | 'taken over' | Holder | undefined {
  if (create(path, files, text, token)) return 'made'
  const found = readLock(path, files)
  if (found === undefined) return undefined
  if (found.holder !== undefined && isAlive(files, found.holder.pid, found.started)) return found.holder
  // Moved away rather than removed: if somebody has taken it over meanwhile, it is theirs, and goes back.
  const aside = `${path}-${token}`
  // Somebody else has moved or removed it.
  const isMoved = quietly(() => {
    files.rename(path, aside)
    return true
  })
  if (isMoved === undefined) return undefined
  const isStale = textOf(aside, files) === found.text
  if (!isStale) {
    // A third one may be faster; the second one sees, before it goes on, that its lock is gone.
    quietly(() => files.link(aside, path))
  }
  removeFile(aside, files)
  return isStale && create(path, files, text, token) ? 'taken over' : undefined
}

/** Makes the file complete with its text, or answers false when there is one. */
function create(path: string, files: FileSystem, text: string, token: string): boolean {
  // A lock is never seen half written: a process that dies here leaves a file that nobody looks at.
  const draft = `${path}-${token}.new`
  const handle = files.open(draft, 'w')
  try {
    writeAll(files, handle, Buffer.from(text), 0)
  } finally {
    files.close(handle)
  }
  try {
    files.link(draft, path)
    return true
  } catch (error) {
    if ((asError(error) as { code?: string }).code === 'EEXIST') return false
    // It may have been made all the same, and nobody would remove it.
    if (textOf(path, files) === text) removeFile(path, files)
    throw error
  } finally {
    removeFile(draft, files)
  }
}

/** Removes a file, trying twice. @returns what went wrong, when it is still there. */
function removeFile(path: string, files: FileSystem): Error | undefined {
  let failure: Error | undefined
  for (let tries = 0; tries < 2 && files.exists(path); tries++) {
    try {
      files.remove(path)
    } catch (error) {
      failure = asError(error)
    }
  }
  return files.exists(path) ? failure : undefined
}

/** What is in a file; `undefined` when it cannot be read. */
function textOf(path: string, files: FileSystem): string | undefined {
  // It is not there, or not to be read: either way nobody is known to hold the lock.
  return quietly(() => files.readText(path))
}

function readLock(
  path: string,
  files: FileSystem,
): { text: string; holder: Holder | undefined; started: unknown } | undefined {
  const text = textOf(path, files)
  if (text === undefined) return undefined
  // A power cut may have left it empty. No living process has such a lock.
  const value = quietly(() => JSON.parse(text) as { started?: unknown } | null)
  return { text, holder: value == null ? undefined : holderOf(value), started: value?.started }
}

/** False when there is no process of that id, or it started at another time than the holder did. */
function isAlive(files: FileSystem, pid: number, started: unknown): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((asError(error) as { code?: string }).code !== 'EPERM') return false
  }
  const now = startOf(files, pid)
  return now === undefined || typeof started !== 'string' || now === started
}

/** When a process started, where the system tells (Linux: ticks since boot). */
function startOf(files: FileSystem, pid: number): string | undefined {
  if (process.platform !== 'linux') return undefined
  // There is no such process, or no /proc.
  const stat = quietly(() => files.readText(`/proc/${pid}/stat`))
  // The second field is the program's name in brackets, which may hold anything; the start is the 20th after it.
  return stat?.split(') ').at(-1)?.split(' ')[19]
}

function heldLock(folder: string, path: string, files: FileSystem, context: OpenContext): FolderLock {
  let held = true
  return {
    release() {
      if (!held) return
      held = false
      openFiles().delete(folder)
      // Where it stays, it counts until this process ends.
      const failure = removeFile(path, files)
      if (failure !== undefined) context.onError(fileError(failure, folder, 'unlock'))
    },
  }
}
