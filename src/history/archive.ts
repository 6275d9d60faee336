import { join } from 'node:path'
import { assert } from '../base/assert.js'
import { asError } from '../base/errors.js'
import type { Archiver } from '../lifecycle/history.js'
import { encodeEntry, RecordTexts } from '../log/codec.js'
import type { Entry } from '../log/entry.js'
import { fileError } from '../log/file-errors.js'
import { canonicalPath } from '../log/file-path.js'
import type { FileSystem } from '../log/file-system.js'
import { nodeFileSystem, readAll } from '../log/file-system.js'
import type { HistoryBudget } from '../log/storage.js'
import { ArchiveError, ArchiveLines, archiveName, decodeArchive, listArchive } from './archive-format.js'
import type { ArchiveFile, ReadFile } from './archive-format.js'
import { claimArchive, ofAnotherStore, ownerOf, publish, removeDrafts } from './archive-owner.js'
import type { ArchiveOwner } from './archive-owner.js'
import type { LogAccess } from './log-access.js'
import { entryAfter, firstSeq, readRange } from './log-access.js'

/** A file is worth it when it has so many characters, however few entries. */
const LENGTH_MIN = 4_000_000
/** No file has many more characters than this. */
const LENGTH_MAX = 16_000_000

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
  #owner: ArchiveOwner
  readonly #tag: string
  /** Entries before this one that are missing were told of. */
  #told = 1
  /** The first entry that is only in the log. */
  #next: number | undefined

  private constructor(options: ArchiveOptions, files: FileSystem) {
    this.#options = options
    this.#files = files
    this.#owner = { logId: options.logId, begins: 1 }
    this.#tag = options.log.runtime.uuid()
  }

  /**
   * Makes the folder, or goes on with what is there, after checking its last file. It is this store's from then on.
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
    const { folder, logId, log, head } = this.#options
    removeDrafts(this.#files, folder)
    const first = await firstSeq(log, head)
    const list = listArchive(this.#files, folder)
    const begins = Math.min(list[0]?.first ?? first, first)
    const isNew = ownerOf(this.#files, folder) === undefined
    const last = list.at(-1)
    if (last !== undefined) {
      const read = await this.#read(last)
      if (read.logId !== logId) throw ofAnotherStore(folder)
      await this.#mustFollow(read.entries.at(-1) as Entry)
      this.#last = last.last
      this.#chain = read.chainEnd
    }
    this.#owner = claimArchive(this.#files, folder, { logId, begins }, this.#tag)
    this.#told = isNew && last === undefined ? 1 : this.#owner.begins
    this.#tellMissing(first)
  }

  /** Tells of entries before `first`, the first one of the log, that are nowhere: once of each. */
  #tellMissing(first: number): void {
    const from = Math.max(this.#last + 1, this.#told)
    this.#told = Math.max(first, this.#told)
    if (first <= from) return
    const what = `entries ${from} to ${first - 1} are neither in it nor in the log`
    const next = 'put its files back if there is a copy of them; it goes on behind them'
    this.#options.onError(new ArchiveError(this.#options.folder, what, next))
  }

  #read(file: ArchiveFile): Promise<ReadFile> {
    const path = join(this.#options.folder, file.name)
    return decodeArchive(readAll(this.#files, path), path, file)
  }

  /** A store that was restored from a backup has the same id, and other entries under the same seqs. */
  async #mustFollow(archived: Entry): Promise<void> {
    const { folder, log, logId, head } = this.#options
    const logged = await entryAfter(log, archived.seq - 1)
    const sumOf = (entry: Entry): number => encodeEntry(entry, logId, new RecordTexts()).sum
    const isSame =
      logged?.seq !== archived.seq ||
      (logged.redacted === undefined
        ? sumOf(logged) === sumOf(archived)
        : logged.at === archived.at && logged.type === archived.type)
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
    const { log, logId, entries: worth } = this.#options
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
    this.#tellMissing(first)
    this.#write(archiveName(first, last), await lines.bytes(first, last))
    this.#last = last
    this.#chain = lines.chain
  }

  /**
   * Never in place of another file, nor beside one with the same entries: whoever has written that, by mistake into the same folder, has a
   * log of its own, and lets go of entries for what is in that file.
   */
  #write(name: string, bytes: Uint8Array): void {
    const files = this.#files
    const { folder } = this.#options
    try {
      claimArchive(files, folder, this.#owner, this.#tag)
      this.#mustBeAlone(name, bytes)
      if (!files.list(folder).includes(name)) publish(files, folder, name, bytes, this.#tag)
      else files.syncFolder(folder)
      try {
        this.#mustBeAlone(name, bytes)
      } catch (error) {
        // Of two that write at the same moment one or none has written; the entries are in both logs. Whose the name is, is not known.
        if (this.#isThere(name, bytes)) files.remove(join(folder, name))
        throw error
      }
    } catch (error) {
      throw fileError(asError(error), folder, 'archive', 'the entries stay in the log, which grows beyond its budget')
    }
  }

  /** Throws where the folder has files behind what this one has written, other than this one. */
  #mustBeAlone(name: string, bytes: Uint8Array): void {
    const { folder } = this.#options
    for (const file of listArchive(this.#files, folder)) {
      if (file.last <= this.#last || (file.name === name && this.#isThere(name, bytes))) continue
      const what = `${file.name} was written by another store, a copy of this one`
      const next = 'the entries stay in the log, which grows beyond its budget; give each store a folder of its own'
      throw new ArchiveError(folder, what, next)
    }
  }

  /** Whether the folder has this very file. */
  #isThere(name: string, bytes: Uint8Array): boolean {
    const path = join(this.#options.folder, name)
    return this.#files.exists(path) && Buffer.compare(readAll(this.#files, path), bytes) === 0
  }
}
