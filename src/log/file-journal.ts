import { asError } from '../base/errors.js'
import { StorageError } from './errors.js'
import { frame, type JournalHeader, journalHeader } from './file-format.js'
import type { FileIdentity } from './file-path.js'
import { type FileSystem, writeAll } from './file-system.js'
import { fileError } from './file-errors.js'

/** Every how many appends it is checked that the journal is still the same file; its times make a sync slower. */
const LOOK_EVERY = 16

/** The journal that is written to: lines are added at its end, all of a line or none of it. */
export class FileJournal {
  readonly path: string
  readonly #files: FileSystem
  readonly #handle: number
  readonly #identity: FileIdentity | undefined
  #size: number
  #synced: number
  #appends = 0
  #isGone = false
  /** Set when the end of the file is not known any more: nothing may be added to it. */
  #broken: Error | undefined

  private constructor(files: FileSystem, path: string, handle: number, size: number, synced: number) {
    this.#files = files
    this.path = path
    this.#handle = handle
    this.#identity = files.identity(path)
    this.#size = size
    this.#synced = synced
  }

  /** Makes a new journal with only its header, on disk. */
  static create(files: FileSystem, path: string, header: JournalHeader): FileJournal {
    const line = frame(journalHeader(header))
    const handle = files.open(path, 'w')
    try {
      writeAll(files, handle, line, 0)
      files.sync(handle)
      return new FileJournal(files, path, handle, line.length, line.length)
    } catch (error) {
      files.close(handle)
      throw error
    }
  }

  /** Goes on with a journal of which the first `size` bytes are good; what is behind them is cut off. */
  static resume(files: FileSystem, path: string, size: number, isTorn: boolean): FileJournal {
    const handle = files.open(path, 'r+')
    try {
      if (isTorn) files.truncate(handle, size)
      // What a process that was killed has written may be in memory only, and is about to be built upon.
      files.sync(handle)
      return new FileJournal(files, path, handle, size, size)
    } catch (error) {
      files.close(handle)
      throw error
    }
  }

  /** Bytes that are good. */
  get size(): number {
    return this.#size
  }

  /** Bytes that survive a power cut. */
  get synced(): number {
    return this.#synced
  }

  /**
   * Adds a line.
   *
   * @param sync true when it has to survive a power cut.
   * @throws {StorageError} it was not added; with outcome `'unknown'` when that cannot be made sure.
   */
  append(payload: string, sync: boolean): void {
    this.#mustBeGood()
    const line = frame(payload)
    const before = this.#size
    try {
      writeAll(this.#files, this.#handle, line, before)
      if (sync) this.#files.sync(this.#handle)
    } catch (error) {
      this.#takeBack(before, asError(error))
      throw fileError(error, this.path, 'append')
    }
    this.#size = before + line.length
    if (sync) this.#synced = this.#size
  }

  /** Makes everything survive a power cut. */
  flush(): void {
    if (this.#synced === this.#size) return
    this.#mustBeGood()
    try {
      this.#files.sync(this.#handle)
    } catch (error) {
      // After a failed sync the system may have forgotten what it could not write: nothing can be built on it.
      this.#broken = asError(error)
      const left = 'what was written since the last sync may not survive a power cut, and no more is; reopen the store'
      throw fileError(error, this.path, 'flush', left)
    }
    this.#synced = this.#size
  }

  /** Lets go of the file; nothing is synced. @throws {StorageError} */
  close(): void {
    try {
      this.#files.close(this.#handle)
    } catch (error) {
      throw fileError(error, this.path, 'close')
    }
  }

  #takeBack(size: number, cause: Error): void {
    try {
      this.#files.truncate(this.#handle, size)
      this.#files.sync(this.#handle)
    } catch (error) {
      this.#broken = asError(error)
      const message = `store ${this.path}: append: ${cause.message}; then its end could not be cut off: ${asError(error).message}`
      const next = 'it is not known whether the write is in the file; reopen the store to find out'
      throw new StorageError(`${message}; ${next}`, { cause, outcome: 'unknown' })
    }
  }

  #mustBeGood(): void {
    if (this.#broken !== undefined) {
      const message = `store ${this.path}: an earlier write failed in a way that cannot be undone (${this.#broken.message})`
      throw new StorageError(`${message}; nothing was written; reopen the store`, { cause: this.#broken })
    }
    const isLooked = this.#isGone || this.#appends++ % LOOK_EVERY === 0
    const found = isLooked ? this.#files.identity(this.path) : undefined
    const isSame = isLooked
      ? found?.inode === this.#identity?.inode && found !== undefined
      : this.#files.exists(this.path)
    this.#isGone = !isSame
    if (isSame) return
    const message = `store ${this.path}: append: the file was deleted or replaced while it was open; nothing was written; `
    throw new StorageError(`${message}put it back, or export what the store has in memory and stop it`, {
      code: 'STORAGE_GONE',
    })
  }
}
