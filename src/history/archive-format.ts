import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { chainAfter, checksum } from '../base/checksum.js'
import { asError, VarveError } from '../base/errors.js'
import { decodeEntry, encodeEntry, isObject, RecordTexts } from '../log/codec.js'
import type { Entry } from '../log/entry.js'
import type { FileSystem } from '../log/file-system.js'

/** Version of the files of an archive. */
const ARCHIVE_FORMAT = 1

const NAME = /^entries-(\d{16})-(\d{16})\.jsonl\.gz$/
const LINE = /^\{"sum":(\d+),"chain":(\d+),"entry":(\{.*\})\}$/s

/** An archive cannot be used as it is: a file of it is damaged, missing, or of another store. It was left as it is. */
export class ArchiveError extends VarveError {
  declare readonly name: 'ArchiveError'
  /** The folder, or the file in it. */
  declare readonly path: string

  constructor(path: string, what: string, next: string, options?: ErrorOptions) {
    super('ARCHIVE', `archive ${path}: ${what}; it was left as it is; ${next}`, { ...options, path })
  }
}

/** A file of an archive, as its name says. */
export interface ArchiveFile {
  readonly name: string
  readonly first: number
  readonly last: number
}

/** Its first line, besides what the name says. */
export interface ArchiveHeader {
  readonly logId: string
  /** The chain before its first entry: that after the last entry of the file before; 0 for the first file. */
  readonly chain: number
}

/** A file that was read, every line of it checked. */
export interface ReadFile extends ArchiveHeader {
  readonly entries: readonly Entry[]
  /** The chain after its last entry. */
  readonly chainEnd: number
}

/** Name of the file with these entries; names sort as seqs do. */
export function archiveName(first: number, last: number): string {
  return `entries-${String(first).padStart(16, '0')}-${String(last).padStart(16, '0')}.jsonl.gz`
}

/** The files of an archive by rising seq; other files in the folder are passed over. */
export function listArchive(files: FileSystem, folder: string): ArchiveFile[] {
  const found: ArchiveFile[] = []
  for (const name of files.list(folder).sort()) {
    const match = NAME.exec(name)
    if (match !== null) found.push({ name, first: Number(match[1]), last: Number(match[2]) })
  }
  return found
}

/** Lines of a file in the making: a header, `{"sum":…,"chain":…,"entry":{…}}` for each entry, and what says that it is complete. */
export class ArchiveLines {
  readonly #logId: string
  readonly #before: number
  readonly #lines: string[] = []
  #chain: number
  /** Characters of the entries. */
  length = 0

  constructor({ logId, chain }: ArchiveHeader) {
    this.#logId = logId
    this.#before = chain
    this.#chain = chain
  }

  get count(): number {
    return this.#lines.length
  }

  /** The chain after the last entry. */
  get chain(): number {
    return this.#chain
  }

  add(entry: Entry): void {
    const { text, sum } = encodeEntry(entry, this.#logId, new RecordTexts())
    this.#chain = chainAfter(this.#chain, sum)
    this.length += text.length
    this.#lines.push(`{"sum":${sum},"chain":${this.#chain},"entry":${text}}`)
  }

  /** The file, compressed. */
  async bytes(first: number, last: number): Promise<Buffer> {
    const about = { varve: 'archive', version: ARCHIVE_FORMAT, logId: this.#logId, first, last, chain: this.#before }
    const end = { end: true, entries: this.count, chain: this.#chain }
    return promisify(gzip)(`${[JSON.stringify(about), ...this.#lines, JSON.stringify(end)].join('\n')}\n`)
  }
}

/**
 * Reads a file and checks all of it: checksums, chain, seqs, completeness.
 *
 * @param path for messages.
 * @throws {ArchiveError} with the line that is wrong.
 */
export async function decodeArchive(bytes: Uint8Array, path: string, file: ArchiveFile): Promise<ReadFile> {
  let at = 0
  try {
    const lines = String(await promisify(gunzip)(bytes)).split('\n')
    at = 1
    const header = decodeHeader(lines[0] as string, file)
    const entries: Entry[] = []
    let { chain } = header
    for (let seq = file.first; seq <= file.last; seq++) {
      const read = decodeLine(lines[at++] ?? '', header.logId, chain)
      if (read.entry.seq !== seq) throw new Error(`it is entry ${read.entry.seq}, where ${seq} should be`)
      entries.push(read.entry)
      chain = read.chain
    }
    at++
    const end: unknown = JSON.parse(lines[at - 1] ?? '')
    if (!isObject(end) || end.end !== true || end.chain !== chain || end.entries !== entries.length) {
      throw new Error('its end does not fit')
    }
    return { ...header, entries, chainEnd: chain }
  } catch (error) {
    const where = at === 0 ? 'it cannot be unpacked' : `line ${at}`
    const what = `${where}: ${asError(error).message}`
    throw new ArchiveError(path, what, 'put a copy of the file in its place', { cause: error })
  }
}

function decodeHeader(line: string, file: ArchiveFile): ArchiveHeader {
  const header: unknown = JSON.parse(line)
  if (!isObject(header) || header.varve !== 'archive') throw new Error('it is not a file of an archive')
  const { version, logId, first, last, chain } = header
  if (version !== ARCHIVE_FORMAT) throw new Error(`format ${String(version)} is not known to this version of varve`)
  if (first !== file.first || last !== file.last) throw new Error('it does not hold what its name says')
  if (typeof logId !== 'string' || !Number.isSafeInteger(chain)) throw new Error('it has no log id or no chain')
  return { logId, chain: chain as number }
}

function decodeLine(line: string, logId: string, before: number): { entry: Entry; chain: number } {
  const match = LINE.exec(line)
  if (match === null) throw new Error('it is not an entry')
  const [, sum, chain, text] = match as unknown as [string, string, string, string]
  if (checksum(text) !== Number(sum)) throw new Error('the checksum does not match')
  if (chainAfter(before, Number(sum)) !== Number(chain)) throw new Error('it does not follow from the entry before it')
  return { entry: decodeEntry(text, logId), chain: Number(chain) }
}
