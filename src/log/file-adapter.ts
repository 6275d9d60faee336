import { join } from 'node:path'
import { InvalidArgumentError } from '../base/errors.js'
import type { Entry } from './entry.js'
import { StorageError, StorageLockedError, StorageUnreadableError } from './errors.js'
import { FileFolder, isOurs, MANIFEST } from './file-folder.js'
import { findCut, readEntries } from './file-history.js'
import { type FolderLock, lockFolder } from './file-lock.js'
import { canonicalPath } from './file-path.js'
import { type FileSystem, nodeFileSystem, writeAll } from './file-system.js'
import { frame, manifestPayload } from './file-format.js'
import { fileError } from './file-errors.js'
import type {
  Appended,
  Batch,
  HistoryBudget,
  Missed,
  OpenContext,
  Quarantined,
  ReadLogOptions,
  Row,
  StorageAdapter,
  StorageReport,
} from './storage.js'

/** Options of `FileAdapter`. */
export interface FileAdapterOptions {
  /** The folder that holds the store, and nothing else. Made when it is missing; its parent exists. */
  readonly directory: string
  /** How long to wait for another store to let go of the folder: milliseconds, default 1000. */
  readonly waitMs?: number
  /** Takes the place of node:fs, in tests. */
  readonly files?: FileSystem
}

const WAIT_MS = 1_000
const LOCK = 'varve.lock'
const ROWS_PER_CHUNK = 1_000
/** A journal that holds no more than its header. */
const EMPTY_JOURNAL_BYTES = 300

/**
 * Keeps log and rows in a folder of plain text files, without SQLite: an append-only journal of checksummed lines, one
 * per batch, and the rows as they were when the journal began. All rows are in memory too.
 *
 * With durability `'disk'` a batch is synced before it is acknowledged; with the others it survives the process.
 * Holds L1, R1.
 */
export class FileAdapter implements StorageAdapter {
  readonly #directory: string
  readonly #waitMs: number
  readonly #files: FileSystem
  #owner: OpenContext | undefined
  #folder: FileFolder | undefined
  #lock: FolderLock | undefined

  /** @param options the folder, or more. Nothing is opened yet. @throws {InvalidArgumentError} */
  constructor(options: string | FileAdapterOptions) {
    const given: FileAdapterOptions | undefined | null = typeof options === 'string' ? { directory: options } : options
    if (typeof given !== 'object' || given === null) {
      throw new InvalidArgumentError('new FileAdapter(options)', 'the path of a folder, or { directory }', options)
    }
    const { directory, waitMs = WAIT_MS, files = nodeFileSystem } = given
    if (typeof directory !== 'string' || directory === '' || directory.includes('\0')) {
      throw new InvalidArgumentError('FileAdapter.directory', 'the path of a folder', directory)
    }
    if (!(Number.isFinite(waitMs) && waitMs >= 0)) {
      throw new InvalidArgumentError('FileAdapter.waitMs', 'a number of milliseconds, 0 or more', waitMs)
    }
    this.#directory = directory
    this.#waitMs = waitMs
    this.#files = files
  }

  async open(context: OpenContext): Promise<StorageReport> {
    if (this.#owner !== undefined) {
      const message = `store ${this.#directory}: store ${JSON.stringify(this.#owner.store)} has this adapter open; nothing was `
      throw new StorageLockedError(`${message}changed; give each store an adapter of its own`)
    }
    this.#owner = context
    try {
      return await this.#open(context)
    } catch (error) {
      this.#release()
      throw fileError(error, this.#directory, 'open')
    }
  }

  async #open(context: OpenContext): Promise<StorageReport> {
    const files = this.#files
    const path = canonicalPath(this.#directory)
    files.makeFolder(path)
    mustBeStoreOrEmpty(path, files)
    this.#lock = await lockFolder(path, join(path, LOCK), files, context, this.#waitMs)
    mustBeStoreOrEmpty(path, files)
    const place = { path, files, context }
    const created = !files.exists(join(path, MANIFEST))
    const folder = created ? FileFolder.create(place) : FileFolder.open(place)
    this.#folder = folder
    // A store that was killed after a clear or drop still has the old data.
    if (folder.isUnerased) folder.maintain()
    return {
      adapter: 'file',
      file: path,
      created,
      logId: folder.manifest.logId,
      head: folder.head,
      first: folder.first,
      headAt: folder.headAt,
      buckets: folder.mirror.metas(),
      truncatedBytes: folder.truncatedBytes,
      quarantined: [],
      durability: 'disk',
    }
  }

  async *loadBucket(bucket: string): AsyncIterable<readonly Row[]> {
    const rows = this.#must('load').mirror.rows(bucket)
    for (let at = 0; at < rows.length; at += ROWS_PER_CHUNK) yield rows.slice(at, at + ROWS_PER_CHUNK)
  }

  quarantined(): readonly Quarantined[] {
    return this.#folder?.quarantined ?? []
  }

  async append(expectedHead: number, batch: Batch): Promise<Appended | Missed> {
    const folder = this.#must('append')
    if (expectedHead !== folder.head) return { appended: false, missed: Array.from(readEntries(folder, expectedHead)) }
    folder.append(batch)
    return { appended: true, head: folder.head }
  }

  async *readLog(after: number, options: ReadLogOptions = {}): AsyncIterable<Entry> {
    const { limit = Number.POSITIVE_INFINITY, types } = options
    let found = 0
    if (limit <= 0) return
    for (const entry of readEntries(this.#must('read the log'), after)) {
      if (types !== undefined && !types.includes(entry.type)) continue
      yield entry
      if (++found >= limit) return
    }
  }

  async firstSeq(): Promise<number> {
    return this.#must('read the log').first
  }

  async flush(): Promise<void> {
    this.#must('flush').flush()
  }

  async trim(budget: HistoryBudget): Promise<number> {
    const folder = this.#must('trim')
    try {
      folder.maintain()
      const cut = findCut(folder, budget)
      if (cut === undefined) return 0
      folder.trimTo(cut.seq, cut.journals)
      return cut.entries
    } catch (error) {
      throw fileError(error, folder.path, 'trim the log')
    }
  }

  async trimmable(budget: HistoryBudget): Promise<number> {
    const folder = this.#must('trim')
    try {
      return findCut(folder, budget)?.seq ?? 0
    } catch (error) {
      throw fileError(error, folder.path, 'trim the log')
    }
  }

  async backup(path: string): Promise<void> {
    const folder = this.#must('back up')
    const target = canonicalPath(path)
    if (this.#files.exists(target)) {
      const message = `store ${folder.path}: back up to ${target}: there is something already; nothing was written; `
      throw new StorageError(`${message}remove it, or give another path`, { code: 'STORAGE_EXISTS' })
    }
    try {
      const draft = `${target}.${folder.context.uuid()}.part`
      this.#files.makeFolder(draft)
      folder.flush()
      const { journals, rows } = folder.manifest
      for (const name of [...journals, ...(rows === undefined ? [] : [rows])]) {
        copyFile(this.#files, join(folder.path, name), join(draft, name))
      }
      writeFile(this.#files, join(draft, MANIFEST), frame(manifestPayload(folder.manifest)))
      this.#files.syncFolder(draft)
      this.#files.rename(draft, target)
    } catch (error) {
      throw fileError(error, folder.path, `back up to ${target}`)
    }
  }

  async close(): Promise<void> {
    this.#release()
  }

  #release(): void {
    try {
      this.#folder?.close()
    } finally {
      this.#lock?.release()
      this.#lock = undefined
      this.#folder = undefined
      this.#owner = undefined
    }
  }

  #must(doing: string): FileFolder {
    if (this.#folder !== undefined) return this.#folder
    const message = `store ${this.#directory}: ${doing}: it is not open; nothing was done; open it first`
    throw new StorageError(message, { code: 'STORAGE_CLOSED' })
  }
}

/** Throws unless `path` is a store, or a folder in which one can be made without harming anything. */
function mustBeStoreOrEmpty(path: string, files: FileSystem): void {
  const names = files.list(path)
  if (names.includes(MANIFEST)) return
  for (const name of names) {
    if (name.startsWith(LOCK)) continue
    const size = isOurs(name) ? files.size(join(path, name)) : Number.POSITIVE_INFINITY
    // What a creation that was interrupted leaves.
    if (name === `${MANIFEST}.new` || (name === 'log-1.varve' && size <= EMPTY_JOURNAL_BYTES)) continue
    const what = isOurs(name) ? `its list of files (${MANIFEST}) is missing` : `it holds other files (${name})`
    const next = isOurs(name) ? 'restore a backup' : 'give it a folder of its own'
    throw new StorageUnreadableError(`store ${path}: ${what}; it was left as it is; ${next}`)
  }
}

function copyFile(files: FileSystem, from: string, to: string): void {
  const source = files.open(from, 'r')
  try {
    const target = files.open(to, 'wx')
    try {
      const buffer = Buffer.allocUnsafe(1 << 20)
      let position = 0
      for (let count = files.read(source, buffer, 0); count > 0; count = files.read(source, buffer, position)) {
        writeAll(files, target, buffer.subarray(0, count), position)
        position += count
      }
      files.sync(target)
    } finally {
      files.close(target)
    }
  } finally {
    files.close(source)
  }
}

function writeFile(files: FileSystem, path: string, bytes: Uint8Array): void {
  const handle = files.open(path, 'wx')
  try {
    writeAll(files, handle, bytes, 0)
    files.sync(handle)
  } finally {
    files.close(handle)
  }
}
