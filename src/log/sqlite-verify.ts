import { chainAfter, checksum } from '../base/checksum.js'
import { asError } from '../base/errors.js'
import { asSqliteError } from '../sqlite/binding.js'
import type { SqliteDatabase, SqliteRow } from '../sqlite/binding.js'
import { loadSqlite } from '../sqlite/load.js'
import { decodeEntry, parseObject } from './codec.js'
import { StorageUnreadableError } from './errors.js'
import { canonicalPath } from './file-path.js'
import { describeHolder } from './open-files.js'
import { storageError } from './sqlite-errors.js'
import { lockHolder } from './sqlite-lock.js'
import { nameOf, nameText } from './sqlite-names.js'
import { checkHeader } from './sqlite-header.js'
import { checkIdentity } from './sqlite-schema.js'
import { readEnd, readLogId, readTrimmed } from './sqlite-session.js'
import type { LogEnd } from './sqlite-session.js'
import { Agreement, Findings } from './verify.js'
import type { VerifyHooks, VerifyReport } from './verify.js'

const ENTRIES_PER_PAGE = 256
const ROWS_PER_PAGE = 1_000
/** Lines that SQLite's own check gives at most. */
const SQLITE_LINES_MAX = 20

/** A check under way. */
interface Checking {
  readonly database: SqliteDatabase
  readonly logId: string
  readonly findings: Findings
  readonly agreement: Agreement
  readonly trimmed: LogEnd
  readonly step: (count: number) => Promise<void>
}

/**
 * Checks all of the SQLite file at `path`: SQLite's own structures, checksums, chain and seqs of the log, the rows, and whether
 * both agree. It reads one state, also while a store writes, and never changes the file.
 *
 * @param now wall clock, for saying since when somebody has it open.
 * @throws {StorageUnreadableError} it is no store, or too damaged to be looked at. @throws whatever `hooks.pause` throws.
 */
export async function verifySqlite(given: string, now: number, hooks: VerifyHooks): Promise<VerifyReport> {
  const path = canonicalPath(given)
  checkHeader(path)
  const driver = await loadSqlite()
  const holder = lockHolder(path, driver)
  const database = driver.open(path, true)
  try {
    // One transaction: whoever writes meanwhile does not change what is read.
    database.exec('PRAGMA query_only = ON; BEGIN')
    if (checkIdentity(database, path)) {
      throw new StorageUnreadableError(`store ${path}: it is empty; it was left as it is; give the file of a store`)
    }
    const report = await verifyDatabase(database, path, hooks)
    const openBy = typeof holder === 'object' ? describeHolder(holder, now) : holder && 'another store has it open'
    return { ...report, openBy }
  } catch (error) {
    throw storageError(error, path, 'verify')
  } finally {
    database.close()
  }
}

async function verifyDatabase(database: SqliteDatabase, path: string, hooks: VerifyHooks): Promise<VerifyReport> {
  const findings = new Findings()
  const logId = readLogId(database, path)
  const trimmed = readTrimmed(database)
  const head = readEnd(database)
  const counts = { entries: 0, buckets: [] as { name: string; records: number }[] }
  let done = 0
  const total = countAll(database, findings)
  const step = async (count: number): Promise<void> => {
    done += count
    hooks.progress(Math.min(done, total), total)
    await hooks.pause()
  }
  const agreement = new Agreement(findings, trimmed.seq === 0)
  const checking: Checking = { database, logId, findings, agreement, trimmed, step }
  try {
    await hooks.pause()
    checkStructures(checking)
    checkQuarantine(checking)
    counts.entries = await checkLog(checking)
    counts.buckets = await checkBuckets(checking)
    agreement.end()
  } catch (thrown) {
    const { result, message } = asSqliteError(thrown)
    if (result !== 'CORRUPT') throw thrown
    findings.add('file', path, `SQLite cannot read on: ${message}; what comes after was not checked`)
  }
  const { list, more } = findings
  const about = { adapter: 'sqlite', path, logId, first: trimmed.seq + 1, head: head.seq } as const
  return { ...about, ...counts, openBy: undefined, findings: list, more }
}

/** Entries and rows, for the progress. */
function countAll(database: SqliteDatabase, findings: Findings): number {
  const sql =
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND (name = 'varve_log' OR name GLOB 'varve_rows_[0-9]*')"
  try {
    let total = 0
    for (const { name } of database.prepare(sql).all()) {
      total += Number(database.prepare(`SELECT count(*) AS n FROM "${String(name)}"`).get()?.n)
    }
    return total
  } catch (thrown) {
    findings.add('file', 'tables', asSqliteError(thrown).message)
    return 0
  }
}

function checkStructures({ database, findings }: Checking): void {
  const lines = database.prepare(`PRAGMA quick_check(${SQLITE_LINES_MAX})`).all()
  for (const line of lines) {
    const text = String(Object.values(line)[0])
    if (text !== 'ok') findings.add('file', 'SQLite', text)
  }
}

function checkQuarantine({ database, findings }: Checking): void {
  const rows = database
    .prepare('SELECT id, what, bucket, at, reason FROM varve_quarantine ORDER BY id LIMIT 1000')
    .all()
  for (const { id, what, bucket, at, reason } of rows) {
    const place = what === 'row' ? `bucket "${String(bucket)}", row ${String(at)}` : `entry ${String(at)}`
    findings.add('quarantine', `${place} (varve_quarantine, id ${String(id)})`, String(reason))
  }
}

/** @returns how many entries there are. */
async function checkLog(checking: Checking): Promise<number> {
  const { database, trimmed, step } = checking
  const sql = `SELECT seq, at, type, sum, chain, bytes_end AS bytesEnd, redacted, body FROM varve_log WHERE seq > ?
    ORDER BY seq LIMIT ${ENTRIES_PER_PAGE}`
  let before: LogEnd = trimmed
  let count = 0
  for (;;) {
    const page = database.prepare(sql).all(before.seq)
    for (const row of page) before = checkEntry(checking, row, before)
    count += page.length
    await step(page.length)
    if (page.length < ENTRIES_PER_PAGE) return count
  }
}

/** @returns where the log stands after this entry. */
function checkEntry({ findings, agreement, logId }: Checking, row: SqliteRow, before: LogEnd): LogEnd {
  const [seq, at, chain, bytesEnd] = [row.seq, row.at, row.chain, row.bytesEnd].map(Number) as [
    number,
    number,
    number,
    number,
  ]
  const where = `entry ${seq}`
  const wrong = (kind: 'entry' | 'chain', what: string): void => {
    findings.add(kind, where, what)
    agreement.damaged(seq)
  }
  if (seq !== before.seq + 1) {
    const [first, last] = [before.seq + 1, seq - 1]
    const which = first === last ? `entry ${first}` : `entries ${first} to ${last}`
    findings.add('missing entry', which, 'not in the log')
    agreement.damaged(last)
  } else if (chainAfter(before.chain, Number(row.sum)) !== chain) {
    wrong('chain', 'it does not follow from the entry before it')
  }
  if (at < before.at) wrong('chain', `its time is ${before.at - at} ms before that of the entry before it`)
  const reason = readEntry(row, logId, agreement)
  if (reason !== undefined) wrong('entry', reason)
  return { seq, at: Math.max(at, before.at), chain, bytesEnd }
}

/** What is wrong with the text of an entry; undefined when nothing is. */
function readEntry(row: SqliteRow, logId: string, agreement: Agreement): string | undefined {
  const { body, redacted, sum, seq, at, type } = row
  if (body === null) return 'its text was put aside as damaged'
  if (typeof body !== 'string') return 'it is not text'
  if (checksum(body) !== Number(redacted ?? sum)) return 'the checksum does not match'
  try {
    const entry = decodeEntry(body, logId)
    if (entry.seq !== seq) return `it says that it is entry ${entry.seq}`
    if (entry.at !== at || nameText(entry.type) !== type) return 'its time or type is not that of its text'
    agreement.entry(entry)
    return undefined
  } catch (error) {
    return asError(error).message
  }
}

async function checkBuckets(checking: Checking): Promise<{ name: string; records: number }[]> {
  const { database, findings } = checking
  const buckets: { name: string; records: number }[] = []
  for (const row of database.prepare('SELECT id, name, key, counter FROM varve_buckets ORDER BY id').all()) {
    const where = `bucket "${String(row.name)}"`
    try {
      const [name, key] = [nameOf(String(row.name)), nameOf(String(row.key))]
      if (!Number.isSafeInteger(row.counter) || Number(row.counter) < 0) {
        findings.add('bucket', where, `its counter is ${String(row.counter)}`)
      }
      buckets.push({ name, records: await checkRows(checking, name, key, `varve_rows_${String(row.id)}`) })
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      findings.add('bucket', where, 'its name is not as varve writes it')
    }
  }
  return buckets
}

async function checkRows(checking: Checking, bucket: string, key: string, table: string): Promise<number> {
  const { database, findings, agreement, step } = checking
  const exists = database.prepare('SELECT 1 AS one FROM sqlite_schema WHERE name = ?').get(table) !== undefined
  if (!exists) {
    findings.add('bucket', `bucket ${JSON.stringify(bucket)}`, `its table ${table} is missing, with all its records`)
    agreement.forget(bucket)
  }
  const keys = new Set<unknown>()
  const sql = `SELECT ordinal, record FROM ${table} WHERE ordinal > ? ORDER BY ordinal LIMIT ${ROWS_PER_PAGE}`
  let count = 0
  for (let last = Number.MIN_SAFE_INTEGER; exists; ) {
    const page = database.prepare(sql).all(last)
    for (const row of page) {
      last = Number(row.ordinal)
      const where = `bucket ${JSON.stringify(bucket)}, row ${last}`
      try {
        if (typeof row.record !== 'string') throw new Error('the record is not text')
        const record = parseObject(row.record)
        if (keys.has(record[key])) findings.add('row', where, 'another row has the same key')
        else agreement.row(bucket, last, record, key)
        keys.add(record[key])
      } catch (error) {
        findings.add('row', where, asError(error).message)
      }
    }
    count += page.length
    await step(page.length)
    if (page.length < ROWS_PER_PAGE) break
  }
  return count
}
