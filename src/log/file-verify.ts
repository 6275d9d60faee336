import { join } from 'node:path'
import { chainAfter } from '../base/checksum.js'
import { asError } from '../base/errors.js'
import { StorageLockedError, StorageUnreadableError } from './errors.js'
import { MANIFEST } from './file-folder.js'
import { batchIn, decodeHeader, decodeManifest, readLines } from './file-format.js'
import type { JournalBatch, Line, Manifest } from './file-format.js'
import { folderHolder } from './file-lock.js'
import { canonicalPath } from './file-path.js'
import { readRows } from './file-rows.js'
import { nodeFileSystem } from './file-system.js'
import { describeHolder } from './open-files.js'
import { RowMirror } from './rows.js'
import { Agreement, Findings } from './verify.js'
import type { VerifyHooks, VerifyReport } from './verify.js'

const files = nodeFileSystem
/** Bytes of a journal between two pauses. */
const PAUSE_BYTES = 1 << 20

/** A check under way. */
interface Checking {
  readonly path: string
  readonly manifest: Manifest
  readonly findings: Findings
  readonly mirror: RowMirror
  agreement: Agreement
  head: number
  chain: number
  entries: number
  readonly step: (bytes: number) => Promise<void>
}

/**
 * Checks all files of the folder that a `FileAdapter` keeps: every line, the chain and seqs of the log, the rows, and whether both agree.
 * It changes nothing. All rows are in memory meanwhile, as they are while a store has it open.
 *
 * @param now wall clock, for saying since when somebody has it open.
 * @throws {StorageLockedError} a store has it open: files change under the check.
 * @throws {StorageUnreadableError} it is no store, or its list of files is damaged. @throws whatever `hooks.pause` throws.
 */
export async function verifyFolder(given: string, now: number, hooks: VerifyHooks): Promise<VerifyReport> {
  const path = canonicalPath(given)
  const holder = folderHolder(join(path, 'varve.lock'), files)
  if (holder !== undefined) {
    const message = `store ${path}: ${describeHolder(holder, now)}; nothing was checked; stop it, or check a backup`
    throw new StorageLockedError(message)
  }
  const manifest = mustManifest(path)
  const findings = new Findings()
  const sizes = manifest.journals.map((name) => (files.exists(join(path, name)) ? files.size(join(path, name)) : 0))
  const total = sizes.reduce((sum, size) => sum + size, 0)
  let done = 0
  const step = async (bytes: number): Promise<void> => {
    hooks.progress(Math.min((done += bytes), total), total)
    await hooks.pause()
  }
  const agreement = new Agreement(findings, false)
  const checking = { path, manifest, findings, mirror: new RowMirror(), agreement, head: 0, chain: 0, entries: 0, step }
  const first = await checkFiles(checking)
  const buckets: { name: string; records: number }[] = []
  for (const { bucket, key, counter } of checking.mirror.metas()) {
    const rows = checking.mirror.rows(bucket)
    if (!Number.isSafeInteger(counter) || counter < 0) {
      findings.add('bucket', `bucket ${JSON.stringify(bucket)}`, `its counter is ${String(counter)}`)
    }
    for (const { ordinal, record } of rows) checking.agreement.row(bucket, ordinal, record, key)
    buckets.push({ name: bucket, records: rows.length })
    await hooks.pause()
  }
  checking.agreement.end()
  const { head, entries } = checking
  const about = { adapter: 'file', path, logId: manifest.logId, openBy: undefined, buckets } as const
  return { ...about, first, head, entries, findings: findings.list, more: findings.more }
}

function mustManifest(path: string): Manifest {
  try {
    return decodeManifest(files.readText(join(path, MANIFEST)))
  } catch (error) {
    const message = `store ${path}: ${MANIFEST}: ${asError(error).message}; nothing was changed; restore a backup`
    throw new StorageUnreadableError(message, { cause: error })
  }
}

/** Rows first, then the journals; what the last one does is done to the rows. @returns seq of the first entry. */
async function checkFiles(checking: Checking): Promise<number> {
  const { path, manifest, findings, mirror } = checking
  const { rows, journals } = manifest
  try {
    if (rows !== undefined) readRows(files, join(path, rows), mirror)
  } catch (error) {
    findings.add('file', rows ?? '', asError(error).message)
  }
  let first = 0
  for (const [at, name] of journals.entries()) {
    try {
      const header = await checkJournal(checking, name, at)
      if (at === 0) first = header + 1
    } catch (error) {
      if (!(error instanceof JournalError) && (error as { code?: string }).code !== 'ENOENT') throw error
      findings.add('file', name, asError(error).message)
      checking.agreement.damaged(Number.POSITIVE_INFINITY)
    }
  }
  return first
}

/** A journal, or a part of it, cannot be used. */
class JournalError extends Error {
  override readonly name = 'JournalError'
}

/** @returns the seq before its first entry. */
async function checkJournal(checking: Checking, name: string, at: number): Promise<number> {
  const { path, manifest, findings, step } = checking
  const isLast = at === manifest.journals.length - 1
  const handle = files.open(join(path, name), 'r')
  try {
    const lines = readLines(files, handle)
    const header = headerOf(lines.next().value as Line | undefined, manifest.logId)
    if (at === 0) {
      checking.head = header.after
      checking.chain = header.chain
      if (header.after === 0) checking.agreement = new Agreement(findings, true)
    } else checkBeginning(checking, name, header)
    const damaged: Line[] = []
    let paused = 0
    for (const line of lines) {
      const batch = batchIn(line, manifest.logId)
      if (batch === undefined) damaged.push(line)
      else {
        while (damaged.length > 0) report(checking, name, damaged.shift() as Line, batch)
        checkBatch(checking, batch, `${name}, byte ${line.offset}`, isLast)
      }
      if (line.end - paused < PAUSE_BYTES) continue
      await step(line.end - paused)
      paused = line.end
    }
    // Behind the last whole line of the last journal there may be a write that was never finished.
    for (const line of damaged) {
      if (isLast)
        findings.add('tail', `${name}, byte ${line.offset}`, `${line.end - line.offset} bytes of an unfinished write`)
      else report(checking, name, line)
    }
    return header.after
  } finally {
    files.close(handle)
  }
}

function headerOf(line: Line | undefined, logId: string): { readonly after: number; readonly chain: number } {
  try {
    const header = decodeHeader(line?.payload)
    if (header.logId !== logId) throw new Error('it belongs to another store')
    return header
  } catch (error) {
    throw new JournalError(asError(error).message, { cause: error })
  }
}

function checkBeginning(checking: Checking, name: string, header: { after: number; chain: number }): void {
  const { findings, agreement } = checking
  if (header.after > checking.head) {
    findings.add('missing entry', `entries ${checking.head + 1} to ${header.after}`, `not in the log before ${name}`)
    agreement.damaged(header.after)
  } else if (header.chain !== checking.chain) {
    findings.add('chain', name, 'it does not follow from the journal before it')
  }
  checking.head = header.after
  checking.chain = header.chain
}

/** @param next the batch behind it, which tells what was in it. */
function report(checking: Checking, name: string, line: Line, next?: JournalBatch): void {
  const { findings, agreement } = checking
  const last = (next?.entries[0]?.seq ?? checking.head + 1) - 1
  const lost = last > checking.head ? `, and with it entries ${checking.head + 1} to ${last}` : ''
  findings.add('entry', `${name}, byte ${line.offset}`, `the line is damaged${lost}`)
  agreement.damaged(next?.entries.at(-1)?.seq ?? last)
  if (last <= checking.head) return
  checking.head = last
  checking.chain = Number.NaN
}

function checkBatch(checking: Checking, batch: JournalBatch, where: string, isLast: boolean): void {
  const { findings, agreement, mirror } = checking
  let { head, chain } = checking
  for (const [at, entry] of batch.entries.entries()) {
    if (entry.seq !== head + 1) {
      findings.add('missing entry', `entries ${head + 1} to ${entry.seq - 1}`, `not in the log before ${where}`)
      agreement.damaged(entry.seq - 1)
    }
    head = entry.seq
    chain = chainAfter(chain, batch.sums[at] ?? Number.NaN)
    agreement.entry(entry)
  }
  const isKnown = !Number.isNaN(checking.chain) && checking.head + batch.entries.length === head
  if (batch.entries.length > 0 && isKnown && chain !== batch.chain) {
    findings.add('chain', where, 'it does not follow from the entries before it')
  }
  checking.entries += batch.entries.length
  checking.head = head
  checking.chain = batch.chain
  if (!isLast) return
  try {
    mirror.apply(batch.ops)
  } catch (error) {
    findings.add('row', where, asError(error).message)
  }
}
