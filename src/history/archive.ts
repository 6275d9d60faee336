import { join } from 'node:path'
import { assert } from '../base/assert.js'
import { asError } from '../base/errors.js'
import type { Archiver } from '../lifecycle/history.js'
import type { Entry } from '../log/entry.js'
import { fileError } from '../log/file-errors.js'
import { canonicalPath } from '../log/file-path.js'
import type { FileSystem } from '../log/file-system.js'
import { nodeFileSystem, readAll, writeAll } from '../log/file-system.js'
import type { HistoryBudget } from '../log/storage.js'
import { ArchiveError, ArchiveLines, archiveName, decodeArchive, listArchive } from './archive-format.js'
import type { LogAccess } from './log-access.js'
import { entryAfter, firstSeq, readRange } from './log-access.js'

/** A file is worth it when it has so many characters, however few entries. */
const LENGTH_MIN = 4_000_000
/** No file has many more characters than this. */
const LENGTH_MAX = 16_000_000
const UNFINISHED = '.part'

/** Where an archive is, and what goes into it. */
export interface ArchiveOptions {
  readonly folder: string
  /** Entries that are worth a file. */
  readonly entries: number
  readonly logId: string
  /** Seq of the last entry in the log. */
  readonly head: number
  readonly log: LogAccess
  readonly onError: (error: Error) => void
  /** Takes the place of node:fs, in tests. */
  readonly files?: FileSystem
}

/**
 * Writes entries to compressed files before the log lets them go. A file counts when it has its name, which it gets when it is
 * complete and on the disk; only then the log is told up to where it may let go. A crash at any point leaves each entry
 * in the log, or in the archive, or in both, which reading passes over.
 *
 * Holds H2: no entry leaves the log before it is in the archive.
 */
export class Archive implements Archiver {
  readonly #options: ArchiveOptions
  readonly #files: FileSystem
  /** Seq of the last entry in it; 0 for an empty one. */
  #last = 0
  #chain = 0
  /** The first entry that is only in the log. */
  #next: number | undefined

  private constructor(options: ArchiveOptions, files: FileSystem) {
    this.#options = options
    this.#files = files
  }

  /**
   * Makes the folder, or goes on with what is there, after checking its last file.
   *
   * @throws {ArchiveError} its last file is damaged, or of another store. @throws {StorageError} it cannot be written.
   */
  static async open(options: ArchiveOptions): Promise<Archive> {
    const { files = nodeFileSystem } = options
    try {
      const folder = canonicalPath(options.folder)
      files.makeFolder(folder)
      const archive = new Archive({ ...options, folder }, files)
      await archive.#resume()
      return archive
    } catch (error) {
      throw fileError(error, options.folder, 'open the archive')
    }
  }

  async #resume(): Promise<void> {
    const { folder, logId } = this.#options
    for (const name of this.#files.list(folder)) {
      // What a crash has left: its entries are in the log.
      if (name.endsWith(`.jsonl.gz${UNFINISHED}`)) this.#files.remove(join(folder, name))
    }
    const last = listArchive(this.#files, folder).at(-1)
    if (last === undefined) return
    const path = join(folder, last.name)
    const read = await decodeArchive(readAll(this.#files, path), path, last)
    if (read.logId !== logId) {
      throw new ArchiveError(folder, 'it is the archive of another store', 'give each store a folder of its own')
    }
    await this.#mustFollow(read.entries.at(-1) as Entry)
    this.#last = last.last
    this.#chain = read.chainEnd
  }

  /** A store that was restored from a backup has the same id, and other entries under the same seqs. */
  async #mustFollow(archived: Entry): Promise<void> {
    const { folder, log, head } = this.#options
    const logged = await entryAfter(log, archived.seq - 1)
    const isSame = logged?.seq !== archived.seq || (logged.at === archived.at && logged.type === archived.type)
    if (isSame && archived.seq <= head) return
    const what = `its last entry, ${archived.seq}, is not one of this log: the store was restored from a backup`
    throw new ArchiveError(folder, what, 'move it away and begin a new one')
  }

  async save(budget: HistoryBudget): Promise<number> {
    const { storage } = this.#options.log
    const cut = (await storage.trimmable?.(budget)) ?? 0
    if (cut > this.#last) await this.#take(cut)
    this.#next = (await entryAfter(this.#options.log, this.#last))?.seq
    return this.#last
  }

  async checkTrimmed(): Promise<void> {
    if (this.#next === undefined) return
    const first = await firstSeq(this.#options.log, Number.POSITIVE_INFINITY)
    assert(first <= this.#next, 'H2', () => `the log begins at ${first}, the archive ends at ${this.#last}`)
  }

  /** Writes one file with the entries up to `cut`, or as many of them as follow each other and fit. */
  async #take(cut: number): Promise<void> {
    const { log, logId, entries: worth, onError, folder } = this.#options
    const lines = new ArchiveLines({ logId, chain: this.#chain })
    let first = 0
    let last = 0
    let isWhole = true
    for await (const entry of readRange(log, this.#last, cut)) {
      if (first === 0) first = entry.seq
      else if (entry.seq !== last + 1) isWhole = false
      if (!isWhole || lines.length >= LENGTH_MAX) break
      lines.add(entry)
      last = entry.seq
    }
    // Where entries are missing the file ends, however short it is: the next one begins behind the gap.
    if (first === 0 || (isWhole && lines.count < worth && lines.length < LENGTH_MIN)) return
    if (this.#last > 0 && first !== this.#last + 1) {
      const what = `entries ${this.#last + 1} to ${first - 1} are neither in it nor in the log`
      onError(new ArchiveError(folder, what, 'it goes on behind them'))
    }
    this.#write(archiveName(first, last), await lines.bytes(first, last))
    this.#last = last
    this.#chain = lines.chain
  }

  #write(name: string, bytes: Uint8Array): void {
    const files = this.#files
    const { folder } = this.#options
    const path = join(folder, name)
    try {
      const handle = files.open(`${path}${UNFINISHED}`, 'w')
      try {
        writeAll(files, handle, bytes, 0)
        files.sync(handle)
      } finally {
        files.close(handle)
      }
      files.rename(`${path}${UNFINISHED}`, path)
      files.syncFolder(folder)
    } catch (error) {
      throw fileError(asError(error), folder, 'archive', 'the entries stay in the log, which grows beyond its budget')
    }
  }
}
