import { join } from 'node:path'
import { chainAfter } from '../base/checksum.js'
import { encodeEntry, RecordTexts } from './codec.js'
import type { Entry } from './entry.js'
import {
  batchPayload,
  batchIn,
  decodeBatch,
  decodeHeader,
  frame,
  type JournalBatch,
  journalHeader,
  type Line,
  type Manifest,
  readLines,
} from './file-format.js'
import { type FileSystem, writeAll } from './file-system.js'
import { redactEntry } from './memory-log.js'
import type { RowMirror } from './rows.js'
import type { HistoryBudget, OpenContext, Quarantined, RowOp } from './storage.js'

/** How far apart places that are remembered are: what a read goes over in vain at most. */
const MARK_BYTES = 256 << 10
const TRIM_ENTRIES_MAX = 2_000

/** The history of an open store, as far as reading it needs to know. */
export interface History {
  readonly path: string
  readonly files: FileSystem
  readonly context: OpenContext
  readonly manifest: Manifest
  readonly marks: JournalMarks
  readonly head: number
  /** Seq of the oldest entry kept. */
  readonly first: number
  /** What is found damaged is added here. */
  readonly quarantined: Quarantined[]
}

/** A bucket that was emptied: entries before `seq` lose what they say about it. */
export interface Erasure {
  readonly bucket: string
  readonly seq: number
}

/** What steps ask to be erased: the buckets that they empty or drop. */
export function erasuresOf(ops: readonly RowOp[]): Erasure[] {
  const erasures: Erasure[] = []
  for (const op of ops) if (op.op === 'clear' || op.op === 'drop') erasures.push({ bucket: op.bucket, seq: op.seq })
  return erasures
}

/** A place in a journal: the line at `offset` is the first with entries after `after`. */
interface Mark {
  readonly after: number
  readonly offset: number
}

/** Places in journals, so that reading from some seq on does not go over all that is before it. */
export class JournalMarks {
  readonly #marks = new Map<string, Mark[]>()

  /** The places in a journal, to add to by rising offset. */
  of(journal: string): Mark[] {
    const known = this.#marks.get(journal) ?? []
    this.#marks.set(journal, known)
    return known
  }

  /** Remembers a place when it is far enough from the last one. */
  add(journal: string, after: number, offset: number): void {
    addMark(this.of(journal), after, offset)
  }

  /** The last place in a journal from where everything after seq `after` is found; 0 for its beginning. */
  before(journal: string, after: number): number {
    return this.of(journal).findLast((mark) => mark.after <= after)?.offset ?? 0
  }

  /** Forgets all journals but these. */
  keep(journals: readonly string[]): void {
    for (const journal of [...this.#marks.keys()]) if (!journals.includes(journal)) this.#marks.delete(journal)
  }
}

function addMark(marks: Mark[], after: number, offset: number): void {
  if (offset - (marks.at(-1)?.offset ?? 0) >= MARK_BYTES) marks.push({ after, offset })
}

/** What was found in the journal that was written to. */
export interface Recovered {
  /** Bytes that are good. */
  readonly size: number
  /** Bytes after them. */
  readonly truncatedBytes: number
  readonly head: number
  readonly headAt: number
  readonly chain: number
  readonly trimmed: number
  readonly erasures: readonly Erasure[]
}

/**
 * Applies the batches of a journal to `mirror`, up to the last whole one.
 *
 * An unfinished write at the end is left out. It is not taken for one when a later batch says that the journal had been
 * synced beyond it: then something that was safe has been damaged.
 *
 * @throws {Error} the journal is damaged; the message says where.
 */
export function recoverJournal(
  files: FileSystem,
  path: string,
  logId: string,
  mirror: RowMirror,
  marks: Mark[],
): Recovered {
  const handle = files.open(path, 'r')
  try {
    const lines = readLines(files, handle)
    const first = lines.next().value as Line | undefined
    const header = decodeHeader(first?.payload)
    if (header.logId !== logId) throw new Error('it belongs to another store')
    let { after: head, chain } = header
    const found = { headAt: 0, trimmed: 0, size: first?.end ?? 0, erasures: [] as Erasure[] }
    let end = found.size
    for (const line of lines) {
      end = line.end
      if (line.payload === undefined || found.size < line.offset) {
        mustBeTail(line, logId, found.size)
        continue
      }
      const batch = decodeBatch(line.payload, logId)
      chain = mustFollow(batch, head, chain, line.offset)
      mirror.apply(batch.ops)
      addMark(marks, head, line.offset)
      head = batch.entries.at(-1)?.seq ?? head
      found.headAt = batch.entries.at(-1)?.at ?? found.headAt
      found.trimmed = Math.max(found.trimmed, batch.trimmed ?? 0)
      found.erasures.push(...erasuresOf(batch.ops))
      found.size = line.end
    }
    return { ...found, head, chain, truncatedBytes: end - found.size }
  } finally {
    files.close(handle)
  }
}

/** Throws when `line`, which is at or behind damage at byte `damage`, proves that this had been synced. */
function mustBeTail(line: Line, logId: string, damage: number): void {
  if (line.payload === undefined) return
  if (decodeBatch(line.payload, logId).synced > damage) throw new Error(`damaged at byte ${damage}`)
}

function mustFollow(batch: JournalBatch, head: number, chain: number, offset: number): number {
  let next = chain
  for (let i = 0; i < batch.entries.length; i++) {
    if (batch.entries[i]?.seq !== head + 1 + i) throw new Error(`entry ${head + 1 + i} is missing at byte ${offset}`)
    next = chainAfter(next, batch.sums[i] ?? Number.NaN)
  }
  if (next !== batch.chain) throw new Error(`the chain of checksums is broken at byte ${offset}`)
  return next
}

/** A line of history: where it is, and what it holds. */
export interface HistoryLine {
  /** Index of its journal in the manifest. */
  readonly journal: number
  readonly offset: number
  readonly end: number
  /** `undefined` for a line that is damaged. */
  readonly batch: JournalBatch | undefined
  /** Seq and chain before it, where they are known. */
  readonly after: number
  readonly chain: number
}

/** The lines of all journals that may hold entries after `after`, oldest first. No file stays open between lines. */
export function* readHistory(folder: History, after: number): Generator<HistoryLine> {
  const names = folder.manifest.journals
  for (let journal = 0; journal < names.length; journal++) {
    const name = names[journal] as string
    // A checkpoint may have replaced the files while this was being read; the rest is in the new ones.
    if (folder.manifest.journals[journal] !== name) return
    const next = names[journal + 1]
    if (next !== undefined && headerOf(folder, next).after <= after) continue
    yield* readJournal(folder, name, journal, after)
  }
}

function* readJournal(folder: History, name: string, journal: number, after: number): Generator<HistoryLine> {
  const { files, manifest, marks } = folder
  const header = headerOf(folder, name)
  const start = marks.before(name, after)
  const places = marks.of(name)
  let seq = places.find((mark) => mark.offset === start)?.after ?? header.after
  let chain = start === 0 ? header.chain : Number.NaN
  for (let position = start; ; ) {
    const page = readPage(files, join(folder.path, name), position)
    if (page.length === 0) return
    for (const line of page) {
      position = line.end
      if (line.offset === 0) continue
      const batch = batchIn(line, manifest.logId)
      yield { journal, offset: line.offset, end: line.end, batch, after: seq, chain }
      addMark(places, seq, line.offset)
      seq = batch?.entries.at(-1)?.seq ?? seq
      chain = batch?.chain ?? Number.NaN
    }
  }
}

/** Some whole lines from `position` on; none at the end. */
function readPage(files: FileSystem, path: string, position: number): Line[] {
  if (!files.exists(path)) return []
  const handle = files.open(path, 'r')
  try {
    const page: Line[] = []
    for (const line of readLines(files, handle, position)) {
      page.push(line)
      if (line.end - position >= MARK_BYTES) break
    }
    return page
  } finally {
    files.close(handle)
  }
}

function headerOf(folder: History, name: string): { readonly after: number; readonly chain: number } {
  const handle = folder.files.open(join(folder.path, name), 'r')
  try {
    return decodeHeader((readLines(folder.files, handle).next().value as Line | undefined)?.payload)
  } finally {
    folder.files.close(handle)
  }
}

/** Entries after `after` that history keeps, in seq order. Damaged and missing ones are reported and left out. */
export function* readEntries(folder: History, after: number): Generator<Entry> {
  let last = Math.max(after, folder.first - 1)
  // A line may be let go of while this waits for its reader: then it starts over behind what was given.
  for (let isComplete = false; !isComplete; ) {
    const { manifest } = folder
    for (const { batch } of readHistory(folder, last)) {
      for (const entry of batch?.entries ?? []) {
        if (entry.seq <= last) continue
        reportMissing(folder, Math.max(last + 1, folder.first), entry.seq - 1)
        last = entry.seq
        yield entry
      }
      if (folder.manifest.journals !== manifest.journals) break
    }
    isComplete = folder.manifest.journals === manifest.journals
  }
  reportMissing(folder, Math.max(last + 1, folder.first), folder.head)
}

function reportMissing(folder: History, first: number, last: number): void {
  if (first > last || folder.quarantined.some((one) => one.at === first)) return
  const reason =
    first === last ? 'the entry is damaged or missing' : `entries ${first} to ${last} are damaged or missing`
  folder.quarantined.push({ what: 'entry', at: first, reason })
}

/** Where history has to end: the last seq to let go of, and how many journals hold nothing newer. */
export interface Cut {
  readonly seq: number
  readonly entries: number
  readonly journals: number
}

/** What a budget wants to be let go of, at most 2,000 entries; `undefined` when there is nothing. */
export function findCut(folder: History, budget: HistoryBudget): Cut | undefined {
  const { files, manifest, head, first } = folder
  if (first > head) return undefined
  const oldest = folder.context.now() - (budget.ageMs ?? Number.POSITIVE_INFINITY)
  const { upTo = Number.POSITIVE_INFINITY } = budget
  const lastByRows = head - (budget.rows ?? Number.POSITIVE_INFINITY)
  const sizes = manifest.journals.map((name) => files.size(join(folder.path, name)))
  let seq = first - 1
  let isOver = true
  for (const line of readHistory(folder, first - 1)) {
    const left = sizes.slice(line.journal).reduce((sum, size) => sum + size, 0) - line.offset
    for (const entry of line.batch?.entries ?? []) {
      if (entry.seq <= seq) continue
      isOver = entry.seq <= lastByRows || entry.at < oldest || left > (budget.bytes ?? Number.POSITIVE_INFINITY)
      if (!isOver || entry.seq > upTo || seq - first + 1 >= TRIM_ENTRIES_MAX) return cutAt(folder, seq)
      seq = entry.seq
    }
  }
  return cutAt(folder, seq)
}

function cutAt(folder: History, seq: number): Cut | undefined {
  const { journals } = folder.manifest
  const entries = seq - folder.first + 1
  if (entries <= 0) return undefined
  let gone = 0
  while (gone < journals.length - 1 && headerOf(folder, journals[gone + 1] as string).after <= seq) gone++
  return { seq, entries, journals: gone }
}

/**
 * Writes all that history keeps to one new journal, without what it says about emptied buckets.
 *
 * @returns false when there was nothing to keep; then there is no file.
 */
export function rewriteHistory(folder: History, path: string, erasures: readonly Erasure[]): boolean {
  const { files, manifest } = folder
  let handle: number | undefined
  let position = 0
  const write = (payload: string): void => {
    const line = frame(payload)
    writeAll(files, handle as number, line, position)
    position += line.length
  }
  try {
    for (const { batch, after, chain } of readHistory(folder, folder.first - 1)) {
      if (batch === undefined || batch.entries.length === 0) continue
      if (handle === undefined) {
        handle = files.open(path, 'w')
        write(journalHeader({ logId: manifest.logId, after, chain: Number.isNaN(chain) ? 0 : chain }))
      }
      const texts = new RecordTexts()
      const entries = batch.entries.map((entry) => encodeEntry(erase(entry, erasures), manifest.logId, texts).text)
      write(batchPayload(0, entries, batch.sums, batch.chain, [], texts))
    }
    if (handle !== undefined) files.sync(handle)
    return handle !== undefined
  } finally {
    if (handle !== undefined) files.close(handle)
  }
}

function erase(entry: Entry, erasures: readonly Erasure[]): Entry {
  const gone = erasures.filter((erasure) => entry.seq < erasure.seq)
  return gone.reduce((rest, erasure) => redactEntry(rest, erasure.bucket), entry)
}
