import { join } from 'node:path'
import { assert } from '../base/assert.js'
import { quietly } from '../base/quietly.js'
import { chainAfter } from '../base/checksum.js'
import { asError } from '../base/errors.js'
import { encodeEntry, RecordTexts } from './codec.js'
import { StorageError, StorageUnreadableError } from './errors.js'
import { batchPayload, decodeManifest, frame, type Manifest, manifestPayload, trimPayload } from './file-format.js'
import { type Erasure, erasuresOf, JournalMarks, readHistory, recoverJournal, rewriteHistory } from './file-history.js'
import { FileJournal } from './file-journal.js'
import { readRows, writeRows } from './file-rows.js'
import { type FileSystem, writeAll } from './file-system.js'
import { RowMirror } from './rows.js'
import { fileError } from './file-errors.js'
import type { Batch, OpenContext, Quarantined } from './storage.js'

/** Name of the file that lists the others. */
export const MANIFEST = 'varve.store'

const JOURNAL_BYTES_MIN = 4 << 20
const JOURNAL_BYTES_MAX = 256 << 20

/** Where a store is. */
export interface Place {
  readonly path: string
  readonly files: FileSystem
  readonly context: OpenContext
}

/** The files of one store, open: rows in memory, the journal that leads to them on disk. */
export class FileFolder {
  readonly path: string
  readonly files: FileSystem
  readonly context: OpenContext
  readonly mirror: RowMirror
  /** Where entries are in the journals. */
  readonly marks: JournalMarks
  readonly quarantined: Quarantined[] = []
  manifest: Manifest
  head = 0
  headAt = 0
  chain = 0
  truncatedBytes = 0
  /** Buckets whose old data is still on disk. */
  #erasures: Erasure[] = []
  #journal: FileJournal
  #rowsBytes = 0
  /** Set when it is not known which files count: nothing may be written. */
  #broken: Error | undefined
  /** At this size of the journal a checkpoint is made. */
  #journalLimit = JOURNAL_BYTES_MIN

  private constructor(place: Place, manifest: Manifest, journal: FileJournal, mirror: RowMirror, marks: JournalMarks) {
    this.path = place.path
    this.files = place.files
    this.context = place.context
    this.manifest = manifest
    this.mirror = mirror
    this.marks = marks
    this.#journal = journal
  }

  /** Makes a store in an empty folder. */
  static create(place: Place): FileFolder {
    const { path, files } = place
    const logId = place.context.uuid()
    const manifest: Manifest = { logId, journals: ['log-1.varve'], trimmed: 0 }
    const journal = FileJournal.create(files, join(path, 'log-1.varve'), { logId, after: 0, chain: 0 })
    const folder = new FileFolder(place, manifest, journal, new RowMirror(), new JournalMarks())
    try {
      folder.#writeManifest(manifest)
    } catch (error) {
      journal.close()
      throw error
    }
    return folder
  }

  /**
   * Opens the store in a folder: its rows, then its journal up to the last whole batch.
   *
   * @throws {StorageUnreadableError} a part of it is damaged; it was left as it is.
   */
  static open(place: Place): FileFolder {
    const { path, files } = place
    const manifest = readPart(path, MANIFEST, (file) => decodeManifest(files.readText(file)))
    const mirror = new RowMirror()
    const rowsBytes =
      manifest.rows === undefined ? 0 : readPart(path, manifest.rows, (file) => readRows(files, file, mirror))
    const name = readPart(path, MANIFEST, () => mustLast(manifest.journals))
    const marks = new JournalMarks()
    const found = readPart(path, name, (file) => recoverJournal(files, file, manifest.logId, mirror, marks.of(name)))
    const journal = FileJournal.resume(files, join(path, name), found.size, found.truncatedBytes > 0)
    const trimmed = Math.max(manifest.trimmed, found.trimmed)
    const folder = new FileFolder(place, { ...manifest, trimmed }, journal, mirror, marks)
    folder.head = found.head
    folder.headAt = found.headAt
    folder.chain = found.chain
    folder.truncatedBytes = found.truncatedBytes
    folder.#erasures = [...found.erasures]
    folder.#rowsBytes = rowsBytes
    folder.#setLimit()
    try {
      folder.#removeStrays()
      folder.#findHeadAt()
    } catch (error) {
      journal.close()
      throw fileError(error, path, 'open')
    }
    return folder
  }

  /** Seq of the oldest entry kept. */
  get first(): number {
    return Math.min(this.manifest.trimmed, this.head) + 1
  }

  /** True while data of an emptied bucket is on disk. */
  get isUnerased(): boolean {
    return this.#erasures.length > 0
  }

  /** Appends a batch; it fits the head. Holds L1, R1. @throws {StorageError} with the outcome. */
  append(batch: Batch): void {
    this.#mustBeWhole()
    const texts = new RecordTexts()
    const entryTexts: string[] = []
    const sums: number[] = []
    let { head, chain, headAt } = this
    for (const entry of batch.entries) {
      assert(entry.seq === head + 1, 'L1', `entry ${entry.seq} does not follow ${head}`)
      const { text, sum } = encodeEntry(entry, this.manifest.logId, texts)
      entryTexts.push(text)
      sums.push(sum)
      chain = chainAfter(chain, sum)
      head = entry.seq
      headAt = entry.at
    }
    // Rows first, because they tell whether the steps fit; they are taken back when the journal cannot be written.
    const undo = this.mirror.applyUndoable(batch.ops)
    const offset = this.#journal.size
    try {
      const payload = batchPayload(this.#journal.synced, entryTexts, sums, chain, batch.ops, texts)
      this.#journal.append(payload, batch.durability === 'disk')
    } catch (error) {
      undo()
      throw error
    }
    this.marks.add(mustLast(this.manifest.journals), this.head, offset)
    this.head = head
    this.chain = chain
    this.headAt = headAt
    this.#erasures.push(...erasuresOf(batch.ops))
    this.maintain()
  }

  /** Makes a checkpoint when the journal has grown enough, or old data has to leave the disk. Never throws. */
  maintain(): void {
    if (this.#broken !== undefined) return
    if (!this.isUnerased && this.#journal.size < this.#journalLimit) return
    try {
      this.checkpoint()
    } catch (error) {
      // The batch is written; only the files are larger, or older, than they should be. Tried again when they have grown.
      this.#journalLimit = this.#journal.size + JOURNAL_BYTES_MIN
      this.context.onError(asError(fileError(error, this.path, 'checkpoint')))
    }
  }

  /** Makes everything survive a power cut. */
  flush(): void {
    this.maintain()
    this.#journal.flush()
  }

  /** Lets go of entries up to `seq`: notes it, and removes journals that hold nothing newer. */
  trimTo(seq: number, journalsGone: number): void {
    this.#mustBeWhole()
    this.#journal.append(trimPayload(this.#journal.synced, this.chain, seq), false)
    this.manifest = { ...this.manifest, trimmed: seq }
    if (journalsGone === 0) return
    const manifest = { ...this.manifest, journals: this.manifest.journals.slice(journalsGone) }
    this.#writeManifest(manifest)
    this.manifest = manifest
    this.#removeStrays()
  }

  /** Makes everything survive a power cut, and lets go of the files. @throws {StorageError} after letting go of them. */
  close(): void {
    try {
      this.#journal.flush()
    } finally {
      this.#journal.close()
    }
  }

  /**
   * Writes the rows as they are now, and goes on in a new journal; the old one becomes history, rewritten when data has
   * to leave the disk. Nothing counts until the manifest is replaced, and then everything does.
   */
  checkpoint(): void {
    this.#journal.flush()
    const { files, path, manifest } = this
    const number = 1 + Math.max(...manifest.journals.map(numberOf))
    const rows = `rows-${number}.varve`
    const next = `log-${number}.varve`
    const rowsBytes = writeRows(files, join(path, rows), this.mirror)
    let history = manifest.journals
    if (this.isUnerased) {
      const rewritten = `old-${number}.varve`
      history = rewriteHistory(this, join(path, rewritten), this.#erasures) ? [rewritten] : []
    }
    const header = { logId: manifest.logId, after: this.head, chain: this.chain }
    const journal = FileJournal.create(files, join(path, next), header)
    const changed = { ...manifest, rows, journals: [...history, next] }
    try {
      this.#writeManifest(changed)
    } catch (error) {
      journal.close()
      throw error
    }
    const old = this.#journal
    this.#journal = journal
    this.manifest = changed
    this.#erasures = []
    this.#rowsBytes = rowsBytes
    this.#setLimit()
    this.#removeStrays()
    old.close()
  }

  #setLimit(): void {
    this.#journalLimit = Math.min(Math.max(this.#rowsBytes, JOURNAL_BYTES_MIN), JOURNAL_BYTES_MAX)
  }

  /**
   * Puts a new manifest in the place of the old one: after a crash one of them is there, whole. On failure the old one
   * counts, or it is not known which, and nothing more is written.
   */
  #writeManifest(manifest: Manifest): void {
    const { files } = this
    const draft = join(this.path, `${MANIFEST}.new`)
    const handle = files.open(draft, 'w')
    try {
      writeAll(files, handle, frame(manifestPayload(manifest)), 0)
      files.sync(handle)
    } finally {
      files.close(handle)
    }
    try {
      files.rename(draft, join(this.path, MANIFEST))
      files.syncFolder(this.path)
    } catch (error) {
      if (!this.#isManifest(this.manifest)) this.#broken = asError(error)
      throw error
    }
  }

  #isManifest(manifest: Manifest): boolean {
    // One that cannot be read is not it.
    const found = quietly(() => decodeManifest(this.files.readText(join(this.path, MANIFEST))))
    return found !== undefined && found.rows === manifest.rows && found.journals.join() === manifest.journals.join()
  }

  #mustBeWhole(): void {
    if (this.#broken === undefined) return
    const message = `store ${this.path}: a checkpoint failed in a way that cannot be undone (${this.#broken.message})`
    throw new StorageError(`${message}; nothing was written; reopen the store`, { cause: this.#broken })
  }

  /** Removes files of ours that do not count, left by a checkpoint that was replaced or never finished. */
  #removeStrays(): void {
    const { journals, rows } = this.manifest
    this.marks.keep(journals)
    for (const name of this.files.list(this.path)) {
      if (!isOurs(name) || journals.includes(name) || name === rows) continue
      try {
        this.files.remove(join(this.path, name))
      } catch (error) {
        this.context.onError(asError(fileError(error, this.path, `remove ${name}`)))
      }
    }
  }

  /** The time of the last entry, when the newest journal has none. */
  #findHeadAt(): void {
    if (this.headAt > 0 || this.head < this.first) return
    for (const { batch } of readHistory(this, this.head - 1)) this.headAt = batch?.entries.at(-1)?.at ?? this.headAt
  }
}

/** True for names of files that a store makes, besides the manifest and the lock. */
export function isOurs(name: string): boolean {
  return /^(log|old|rows)-\d+\.varve$/.test(name) || name === `${MANIFEST}.new`
}

function numberOf(name: string): number {
  return Number(/\d+/.exec(name)?.[0] ?? 0)
}

function mustLast(journals: readonly string[]): string {
  const last = journals.at(-1)
  if (last === undefined) throw new Error('its list of files is damaged')
  return last
}

function readPart<T>(path: string, name: string, read: (file: string) => T): T {
  try {
    return read(join(path, name))
  } catch (error) {
    if (error instanceof StorageError) throw error
    const message = `store ${path}: file ${name}: ${asError(error).message}; it was left as it is; restore a backup`
    throw new StorageUnreadableError(message, { cause: error })
  }
}
