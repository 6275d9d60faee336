import { statSync } from 'node:fs'
import { join } from 'node:path'
import { InvalidArgumentError } from '../base/errors.js'
import type { LogReader } from '../lifecycle/log-reader.js'
import type { Entry } from '../log/entry.js'
import { fileError } from '../log/file-errors.js'
import { nodeFileSystem, readAll } from '../log/file-system.js'
import { deepFreeze } from '../schema/copy-value.js'
import { ArchiveError, decodeArchive, listArchive } from './archive-format.js'
import { ownerOf } from './archive-owner.js'
import { checkSignal } from './check-signal.js'

/** What `readArchive` takes besides the folder. */
export interface ReadArchiveOptions {
  /** Entries after this seq. Default 0: all that the archive has. */
  readonly after?: number
  /** The log that goes on where the archive ends: `store.log`. */
  readonly log?: Pick<LogReader, 'read'>
  /** Ends the reading, which then throws its reason. */
  readonly signal?: AbortSignal
}

/**
 * The entries of an archive in seq order, each once, and after them those of the live log, also while the store goes on and
 * archives more. Every file is checked as a whole before its first entry is given out: checksums, chain, seqs. One file is in memory
 * at a time.
 *
 * @throws {InvalidArgumentError} at once. @throws {ArchiveError} there is no such folder, a file is damaged, or entries are missing between two files, or
 *   between archive and log. @throws {StorageError} a file cannot be read. @throws the reason of the signal.
 */
export function readArchive(folder: string, options: ReadArchiveOptions = {}): AsyncIterable<Entry> {
  if (typeof folder !== 'string' || folder === '')
    throw new InvalidArgumentError('readArchive(folder)', 'a path', folder)
  if (typeof options !== 'object' || options === null) {
    throw new InvalidArgumentError('readArchive(folder, options)', 'an object { after, log, signal }', options)
  }
  const { after = 0, log, signal } = options
  if (!(Number.isSafeInteger(after) && after >= 0)) {
    throw new InvalidArgumentError('readArchive(folder, { after })', 'a whole number from 0', after)
  }
  if (log !== undefined && typeof log?.read !== 'function') {
    throw new InvalidArgumentError('readArchive(folder, { log })', 'the log of a store', log)
  }
  checkSignal('readArchive(folder, { signal })', signal)
  return { [Symbol.asyncIterator]: () => readAllEntries(folder, after, log, signal) }
}

async function* readAllEntries(
  folder: string,
  after: number,
  log: Pick<LogReader, 'read'> | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<Entry> {
  if (!isFolder(folder)) {
    throw new ArchiveError(folder, 'there is no such folder', 'give the one that the store archives to')
  }
  const archive = new ArchiveReader(folder, after)
  for (;;) {
    for await (const entry of archive.read()) {
      signal?.throwIfAborted()
      yield deepFreeze(entry)
    }
    if (log === undefined) return
    const archived = archive.seq
    let gapBefore = 0
    for await (const entry of log.read({ after: archived })) {
      signal?.throwIfAborted()
      // The log has moved entries into the archive while this was read: they are there now.
      if (entry.seq !== archive.seq + 1 && !archive.mayBegin(entry.seq)) {
        gapBefore = entry.seq
        break
      }
      archive.seq = entry.seq
      yield entry
    }
    if (gapBefore === 0) return
    if (archive.seq === archived && !archive.hasMore()) {
      const what = `entries ${archived + 1} to ${gapBefore - 1} are neither in it nor in the log`
      throw new ArchiveError(folder, what, `read on with { after: ${gapBefore - 1} }`)
    }
  }
}

/** Goes through the files of an archive, remembering how far it has got. */
class ArchiveReader {
  /** Seq of the last entry that was given out, here or from the log. */
  seq: number
  readonly #folder: string
  /** The last file that was read, and the chain after it. */
  #last: { readonly seq: number; readonly chain: number } | undefined

  constructor(folder: string, after: number) {
    this.#folder = folder
    this.seq = after
  }

  /** Whether there is a file with later entries. */
  hasMore(): boolean {
    return listArchive(nodeFileSystem, this.#folder).some(({ last }) => last > this.seq)
  }

  /** Whether nothing is missing before `first`: entries had left the log before there was an archive. */
  mayBegin(first: number): boolean {
    if (this.seq > 0) return false
    try {
      return (ownerOf(nodeFileSystem, this.#folder)?.begins ?? 1) >= first
    } catch (error) {
      throw fileError(error, this.#folder, 'read the archive', 'nothing was changed')
    }
  }

  /** Entries after `seq`. */
  async *read(): AsyncGenerator<Entry> {
    for (const file of listArchive(nodeFileSystem, this.#folder)) {
      if (file.last <= this.seq) continue
      const path = join(this.#folder, file.name)
      const { entries, chain, chainEnd } = await decodeArchive(readBytes(path), path, file)
      // The chain of the first file of all begins with 0, wherever the log began.
      if (file.first > this.seq + 1 && (this.seq > 0 || chain !== 0)) {
        const missing = `entries ${this.seq + 1} to ${file.first - 1} are missing before it`
        throw new ArchiveError(path, missing, `put their files back, or read on with { after: ${file.first - 1} }`)
      }
      if (this.#last?.seq === file.first - 1 && this.#last.chain !== chain) {
        throw new ArchiveError(path, 'it does not follow from the file before it', 'put a copy of both in their place')
      }
      this.#last = { seq: file.last, chain: chainEnd }
      for (const entry of entries) {
        if (entry.seq <= this.seq) continue
        this.seq = entry.seq
        yield entry
      }
    }
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  } catch (error) {
    throw fileError(error, path, 'read the archive', 'nothing was changed')
  }
}

function readBytes(path: string): Uint8Array {
  try {
    return readAll(nodeFileSystem, path)
  } catch (error) {
    throw fileError(error, path, 'read the archive', 'nothing was changed')
  }
}
