import { checksum } from '../base/checksum.js'
import { quietly } from '../base/quietly.js'
import type { RecordTexts } from './codec.js'
import { decodeEntry, isObject } from './codec.js'
import type { Entry } from './entry.js'
import type { FileSystem } from './file-system.js'
import type { BucketMeta, RowOp } from './storage.js'

/** Version of the files in a store's folder. */
export const FILE_FORMAT = 1

const READ_BYTES = 1 << 20
const NEWLINE = 10

/** One line of a file. */
export interface Line {
  /** Where it begins, in bytes. */
  readonly offset: number
  /** Where the next one begins. */
  readonly end: number
  /** What it says; `undefined` when it is damaged or unfinished. */
  readonly payload: string | undefined
}

/**
 * A line of a file: `<bytes of payload> <checksum of payload> <payload>` and a line feed. The payload is JSON, which has
 * no line feeds, so a damaged line does not hide the next one.
 */
export function frame(payload: string): Buffer {
  return Buffer.from(`${Buffer.byteLength(payload)} ${checksum(payload).toString(36)} ${payload}\n`)
}

/** The lines of an open file from `start`, a megabyte at a time. */
export function* readLines(files: FileSystem, handle: number, start = 0): Generator<Line> {
  let rest: Buffer<ArrayBufferLike> = Buffer.alloc(0)
  let offset = start
  for (;;) {
    const chunk = Buffer.allocUnsafe(Math.max(READ_BYTES, rest.length))
    const count = files.read(handle, chunk, offset + rest.length)
    const bytes = Buffer.concat([rest, chunk.subarray(0, count)])
    let from = 0
    for (let at = bytes.indexOf(NEWLINE, rest.length); at >= 0; at = bytes.indexOf(NEWLINE, from)) {
      yield { offset: offset + from, end: offset + at + 1, payload: unframe(bytes.toString('utf8', from, at)) }
      from = at + 1
    }
    rest = bytes.subarray(from)
    offset += from
    if (count > 0) continue
    if (rest.length > 0) yield { offset, end: offset + rest.length, payload: undefined }
    return
  }
}

function unframe(line: string): string | undefined {
  const first = line.indexOf(' ')
  const second = line.indexOf(' ', first + 1)
  if (first < 1 || second < 0) return undefined
  const payload = line.slice(second + 1)
  if (checksum(payload).toString(36) !== line.slice(first + 1, second)) return undefined
  return Buffer.byteLength(payload) === Number(line.slice(0, first)) ? payload : undefined
}

/** First line of a journal. */
export interface JournalHeader {
  readonly logId: string
  /** Seq and chain of the entry before the first one in this journal. */
  readonly after: number
  readonly chain: number
}

/** A batch as a journal holds it. */
export interface JournalBatch {
  /** Up to where the journal was known to survive a power cut when this was written: bytes. */
  readonly synced: number
  readonly entries: readonly Entry[]
  /** Checksum of the original text of each entry. */
  readonly sums: readonly number[]
  /** The chain after the last entry. */
  readonly chain: number
  readonly ops: readonly RowOp[]
  /** Entries up to this seq are let go of; absent in most. */
  readonly trimmed?: number
}

/** The payload of a journal's first line. */
export function journalHeader(header: JournalHeader): string {
  return JSON.stringify({ varve: 'journal', format: FILE_FORMAT, ...header })
}

/** @throws {Error} it is not the header of a journal of this version. */
export function decodeHeader(payload: string | undefined): JournalHeader {
  const raw: unknown = payload === undefined ? undefined : JSON.parse(payload)
  if (!isObject(raw) || raw.varve !== 'journal') throw new Error('its first line is damaged')
  if (raw.format !== FILE_FORMAT) throw new Error(`format ${String(raw.format)} is not known to this version`)
  return { logId: String(raw.logId), after: Number(raw.after), chain: Number(raw.chain) }
}

/** The payload of a batch, from entries that are text already. */
export function batchPayload(
  synced: number,
  entryTexts: readonly string[],
  sums: readonly number[],
  chain: number,
  ops: readonly RowOp[],
  texts: RecordTexts,
): string {
  const steps = ops.map((op) => opText(op, texts)).join(',')
  return `{"synced":${synced},"chain":${chain},"sums":[${sums.join(',')}],"entries":[${entryTexts.join(',')}],"ops":[${steps}]}`
}

/** The batch in a line of a journal; undefined where there is none that is sound. */
export function batchIn({ payload }: Line, logId: string): JournalBatch | undefined {
  // Whoever reads the line reports it as damage.
  return payload === undefined ? undefined : quietly(() => decodeBatch(payload, logId))
}

/** @throws {Error} it is no batch; the message says why. */
export function decodeBatch(payload: string, logId: string): JournalBatch {
  const raw: unknown = JSON.parse(payload)
  if (!isObject(raw) || !Array.isArray(raw.entries) || !Array.isArray(raw.ops)) throw new Error('it is not a batch')
  return {
    synced: Number(raw.synced),
    chain: Number(raw.chain),
    sums: raw.sums as readonly number[],
    entries: raw.entries.map((entry) => decodeEntry(entry, logId)),
    ops: raw.ops.map((op) => decodeOp(op)),
    ...(raw.trimmed === undefined ? {} : { trimmed: Number(raw.trimmed) }),
  }
}

/** The payload of a note that entries up to `trimmed` were let go of. */
export function trimPayload(synced: number, chain: number, trimmed: number): string {
  return JSON.stringify({ synced, chain, sums: [], entries: [], ops: [], trimmed })
}

/** Which files make up the store. The file that holds this is replaced as a whole, which is what makes a checkpoint atomic. */
export interface Manifest {
  readonly logId: string
  /** Name of the file with the rows as they were when the last journal began; absent when there were none. */
  readonly rows?: string
  /** Names of the journals, oldest first. The last one is written to; the others are history. */
  readonly journals: readonly string[]
  /** Entries up to this seq were let go of. */
  readonly trimmed: number
}

/** The payload of the one line of a manifest. */
export function manifestPayload(manifest: Manifest): string {
  return JSON.stringify({ varve: 'store', format: FILE_FORMAT, ...manifest })
}

/** @throws {Error} it is not a manifest of this version. */
export function decodeManifest(text: string): Manifest {
  const payload = unframe(text.replace(/\n$/, ''))
  const raw: unknown = JSON.parse(payload ?? 'null')
  if (!isObject(raw) || raw.varve !== 'store') throw new Error('its list of files is damaged, or of another program')
  if (raw.format !== FILE_FORMAT)
    throw new Error(`format ${String(raw.format)} is not known to this version; install a newer varve`)
  const { logId, rows, journals, trimmed } = raw
  return {
    logId: String(logId),
    ...(rows === undefined ? {} : { rows: String(rows) }),
    journals: journals as readonly string[],
    trimmed: Number(trimmed),
  }
}

function opText(op: RowOp, texts: RecordTexts): string {
  switch (op.op) {
    case 'put':
      return `["put",${texts.name(op.bucket)},${op.ordinal},${texts.of(op.record)}]`
    case 'delete':
      return `["delete",${texts.name(op.bucket)},${op.ordinal}]`
    case 'clear':
    case 'drop':
      return `["${op.op}",${texts.name(op.bucket)},${op.seq}]`
    case 'counter':
      return `["counter",${texts.name(op.bucket)},${op.counter}]`
    case 'define':
      return `["define",${JSON.stringify(op.meta)}]`
  }
}

function decodeOp(raw: unknown): RowOp {
  const [op, bucket, number, record] = raw as [string, unknown, number, unknown]
  if (op === 'define') return { op, meta: bucket as BucketMeta }
  const name = String(bucket)
  switch (op) {
    case 'put':
      if (!isObject(record)) throw new Error('a row is not an object')
      return { op, bucket: name, ordinal: number, record }
    case 'delete':
      return { op, bucket: name, ordinal: number }
    case 'clear':
    case 'drop':
      return { op, bucket: name, seq: number }
    case 'counter':
      return { op, bucket: name, counter: number }
    default:
      throw new Error(`a step ${JSON.stringify(op)} is not known`)
  }
}
