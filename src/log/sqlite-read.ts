import { quietly } from '../base/quietly.js'
import { asError } from '../base/errors.js'
import { chainAfter, checksum } from '../base/checksum.js'
import type { SqliteBind, SqliteDatabase, SqliteRow, SqliteValue } from '../sqlite/binding.js'
import { decodeEntry, isObject, parseObject } from './codec.js'
import type { Entry } from './entry.js'
import { storageError } from './sqlite-errors.js'
import { nameOf } from './sqlite-names.js'
import { quarantineEntry, quarantineRow, report } from './sqlite-quarantine.js'
import { readTrimmed, type SqliteSession } from './sqlite-session.js'
import type { ReadLogOptions, Row } from './storage.js'

const ROWS_PER_CHUNK = 1_000
const ENTRIES_PER_PAGE = 256

/**
 * The rows of a bucket by rising ordinal, in chunks. Damaged rows are moved to quarantine and left out.
 *
 * A chunk is one row of SQL: SQLite joins the records into one text and it is parsed in one go, which is twice as fast
 * as fetching and parsing row by row. No statement stays open between chunks.
 */
export function* readRows(session: SqliteSession, bucket: string): Generator<readonly Row[]> {
  const slot = session.bucket(bucket)
  if (slot === undefined) return
  const table = `varve_rows_${slot.id}`
  let limit = ROWS_PER_CHUNK
  for (let after = Number.MIN_SAFE_INTEGER; ; ) {
    const chunk = readJoined(session, table, after, limit) ?? readSingly(session, bucket, table, after, limit)
    if (chunk.last === undefined) return
    if (chunk.rows.length > 0) yield chunk.rows
    after = chunk.last
    const average = chunk.length / Math.max(1, chunk.rows.length)
    limit = Math.max(1, Math.min(ROWS_PER_CHUNK, Math.floor(session.place.limits.chunkLength / Math.max(1, average))))
  }
}

interface Chunk {
  readonly rows: readonly Row[]
  /** Ordinal of the last row looked at; `undefined` when there was none. */
  readonly last: number | undefined
  /** Characters of all records. */
  readonly length: number
}

/** Rows parsed as one text; `undefined` when one of them is damaged or they are too large together. */
function readJoined(session: SqliteSession, table: string, after: number, limit: number): Chunk | undefined {
  const sql = `SELECT count(*) AS n, group_concat(ordinal) AS ordinals, group_concat(record) AS records
    FROM (SELECT ordinal, record FROM ${table} WHERE ordinal > ? ORDER BY ordinal LIMIT ?)`
  // Rows that are too large together are read one by one. Any other failure would come again, and says itself there.
  const row = quietly(() => session.database.prepare(sql).get(after, limit) ?? null)
  if (row === undefined) return undefined
  if (row === null || row.n === 0) return { rows: [], last: undefined, length: 0 }
  const text = String(row.records)
  // One of them is damaged: which one, is found when they are read one by one.
  const records = quietly(() => JSON.parse(`[${text}]`) as unknown[])
  if (records === undefined) return undefined
  // A row such as `{},{}` or `1],[2` shows in the count: it cannot pass its parts off as rows.
  const ordinals = JSON.parse(`[${String(row.ordinals)}]`) as number[]
  if (records.length !== row.n || ordinals.length !== row.n || !records.every(isObject)) return undefined
  const rows = ordinals.map((ordinal, i) => ({ ordinal, record: records[i] as Row['record'] }))
  return { rows, last: ordinals.at(-1), length: text.length }
}

function readSingly(session: SqliteSession, bucket: string, table: string, after: number, limit: number): Chunk {
  const doing = `load bucket ${JSON.stringify(bucket)}`
  const good: Row[] = []
  const bad: { ordinal: number; reason: string }[] = []
  let length = 0
  let last: number | undefined
  try {
    const next = session.database.prepare(
      `SELECT ordinal, record FROM ${table} WHERE ordinal > ? ORDER BY ordinal LIMIT 1`,
    )
    for (let n = 0; n < limit && length < session.place.limits.chunkLength; n++) {
      const row = next.get(last ?? after)
      if (row === undefined) break
      last = Number(row.ordinal)
      try {
        if (typeof row.record !== 'string') throw new Error('the record is not text')
        length += row.record.length
        good.push({ ordinal: last, record: parseObject(row.record) })
      } catch (error) {
        bad.push({ ordinal: last, reason: asError(error).message })
      }
    }
  } catch (error) {
    throw storageError(error, session.path, doing)
  }
  if (bad.length > 0) {
    session.transaction(doing, true, () => {
      for (const { ordinal, reason } of bad) quarantineRow(session, bucket, table, ordinal, reason)
      session.touch()
    })
  }
  return { rows: good, last, length }
}

/**
 * Entries after `after`, in seq order, a page at a time. Each is checked against its checksum and its place in the
 * chain; a damaged one is moved to quarantine and left out, a missing one is reported.
 */
export function* readEntries(session: SqliteSession, after: number, options: ReadLogOptions = {}): Generator<Entry> {
  const limit = options.limit ?? Number.POSITIVE_INFINITY
  const walk = new ChainWalk(session, after)
  for (let found = 0; found < limit; ) {
    // Who wants one entry need not fetch many; of those of some types there may be one in many.
    const wanted = options.types === undefined ? limit - found : ENTRIES_PER_PAGE
    const page = readPage(session, walk.seq, Math.min(wanted, ENTRIES_PER_PAGE))
    if (page.length === 0) return
    for (const row of page) {
      if (!walk.step(row)) break
      if (options.types !== undefined && !options.types.includes(nameOf(String(row.type)))) continue
      const entry = walk.decode(row)
      if (entry === undefined) continue
      yield entry
      if (++found >= limit) return
    }
  }
}

/** Seqs of the entries between `after` and `before` whose text has `mark` in it, the latest first. */
export function findEntriesOf(session: SqliteSession, mark: string, after: number, before: number): number[] {
  // No index by key: it would cost every write, and looking for bytes costs about 1 ms for each MB of the log; for text, which
  // SQLite walks through by character, more than twice that.
  const sql = `SELECT seq FROM varve_log WHERE seq > ? AND seq < ? AND instr(CAST(body AS BLOB), CAST(? AS BLOB)) > 0
    ORDER BY seq DESC`
  try {
    return session.database
      .prepare(sql)
      .all(after, before, mark)
      .map((row) => Number(row.seq))
  } catch (error) {
    throw storageError(error, session.path, 'read the log')
  }
}

/** The next entries, in seq order; none at the end of the log. */
function readPage(session: SqliteSession, after: number, entries: number): readonly LogRow[] {
  const { database } = session
  try {
    const first = database
      .prepare(`SELECT seq, bytes_end AS bytesEnd FROM varve_log WHERE seq > ? ORDER BY seq LIMIT 1`)
      .get(after)
    if (first === undefined) return []
    const binds = [after, Number(first.seq), Number(first.bytesEnd) + session.place.limits.pageBytes, entries] as const
    // Texts that are too large together are read row by row. Any other failure comes again there, and says itself.
    const joined = quietly(() => readJoinedLog(database, binds))
    return joined ?? (database.prepare(PAGE_SQL).all(...binds) as unknown as LogRow[])
  } catch (error) {
    throw storageError(error, session.path, 'read the log')
  }
}

/** Of a row of `varve_log`, what reading the log needs. Nothing is known of the types of a damaged one. */
interface LogRow {
  readonly seq: SqliteValue
  readonly type: SqliteValue
  readonly sum: SqliteValue
  readonly chain: SqliteValue
  /** Sum of the text that is there since some of it was erased, else null. */
  readonly redacted: SqliteValue
  /** Null where the entry is in quarantine. */
  readonly body: SqliteValue
}

const PAGE_SQL = `SELECT seq, type, sum, chain, redacted, body FROM varve_log
  WHERE seq > ? AND (seq = ? OR bytes_end <= ?) ORDER BY seq LIMIT ?`

/** Between texts: JSON has no control characters in it. */
const SEPARATOR = '\x1e'
const JOINED_SQL = `SELECT count(*) AS n, group_concat(seq || ',' || sum || ',' || chain || ',' || ifnull(redacted, 'null')) AS numbers,
    group_concat(type, char(30)) AS types, group_concat(body, char(30)) AS bodies,
    sum(typeof(body) = 'text' AND typeof(type) = 'text') AS texts FROM (${PAGE_SQL})`
const NUMBERS_PER_ROW = 4

/** A page as one row of SQL, at a quarter of the cost; `undefined` when one of its rows is not as it should be. */
function readJoinedLog(database: SqliteDatabase, binds: readonly SqliteBind[]): LogRow[] | undefined {
  const row = database.prepare(JOINED_SQL).get(...binds) as SqliteRow
  if (row.n === 0) return []
  if (row.texts !== row.n) return undefined
  // What is there instead of a number shows in the count, or stops the parser.
  const numbers = quietly(() => JSON.parse(`[${String(row.numbers)}]`) as (number | null)[])
  const types = String(row.types).split(SEPARATOR)
  const bodies = String(row.bodies).split(SEPARATOR)
  if (numbers?.length !== NUMBERS_PER_ROW * bodies.length) return undefined
  if (bodies.length !== row.n || types.length !== row.n) return undefined
  return bodies.map((body, i) => {
    const at = i * NUMBERS_PER_ROW
    const [seq, sum, chain, redacted] = numbers.slice(at, at + NUMBERS_PER_ROW) as number[]
    return { seq, sum, chain, redacted, type: types[i], body } as LogRow
  })
}

/** Follows the chain of checksums through the log, remembering as little as it can. */
class ChainWalk {
  /** Seq of the last entry looked at. */
  seq: number
  readonly #session: SqliteSession
  /** The chain as the checksums so far make it; `undefined` while it is not known. */
  #computed: number | undefined
  /** The chain as the entry before says. */
  #stored: number | undefined
  #trimmedSeq: number
  /** What is wrong with the place of the last entry; `undefined` when nothing is. */
  #reason: string | undefined

  constructor(session: SqliteSession, after: number) {
    this.#session = session
    const trimmed = readTrimmed(session.database)
    this.#trimmedSeq = trimmed.seq
    const row = session.database.prepare('SELECT chain FROM varve_log WHERE seq = ?').get(after)
    if (row !== undefined) this.#stored = Number(row.chain)
    else if (after <= trimmed.seq) this.#stored = trimmed.chain
    this.#computed = this.#stored
    this.seq = row === undefined && after <= trimmed.seq ? trimmed.seq : after
  }

  /**
   * Goes on to `row`, and checks its place in the chain.
   *
   * @returns false when entries before it are not in this page and have to be looked for in the next.
   */
  step(row: LogRow): boolean {
    const seq = Number(row.seq)
    if (seq !== this.seq + 1) {
      if (this.#exists(this.seq + 1)) return false
      // History may have let entries go since this walk began.
      this.#trimmedSeq = readTrimmed(this.#session.database).seq
      const first = Math.max(this.seq, this.#trimmedSeq) + 1
      if (first < seq) report(this.#session, { what: 'entry', at: first, reason: missingReason(first, seq - 1) })
      this.#computed = this.#stored = undefined
    }
    this.seq = seq
    this.#reason = this.#follow(Number(row.sum), Number(row.chain))
    return true
  }

  /** The entry of `row`, to which `step` has gone; `undefined` when it is damaged. */
  decode(row: LogRow): Entry | undefined {
    const reason = this.#reason
    if (row.body === null) return undefined
    const body = String(row.body)
    try {
      if (typeof row.body !== 'string') throw new Error('the entry is not text')
      if (checksum(body) !== Number(row.redacted ?? row.sum)) throw new Error('the checksum does not match')
      const entry = decodeEntry(body, this.#session.logId)
      if (entry.seq !== row.seq) throw new Error(`it says that it is entry ${entry.seq}`)
      if (reason !== undefined) throw new Error(reason)
      return entry
    } catch (error) {
      this.#quarantine(Number(row.seq), asError(error).message, row.body instanceof Uint8Array ? row.body : body)
      return undefined
    }
  }

  /** What is wrong with the place of an entry in the chain; `undefined` when nothing is. */
  #follow(sum: number, chain: number): string | undefined {
    const fits = [this.#computed, this.#stored].some(
      (before) => before === undefined || chainAfter(before, sum) === chain,
    )
    // One damaged link does not make the next entry look damaged: either the computed or the stored chain goes on.
    this.#computed = this.#computed === undefined || fits ? chain : chainAfter(this.#computed, sum)
    this.#stored = chain
    return fits ? undefined : 'it does not follow from the entry before it'
  }

  #exists(seq: number): boolean {
    return this.#session.database.prepare('SELECT 1 AS one FROM varve_log WHERE seq = ?').get(seq) !== undefined
  }

  #quarantine(seq: number, reason: string, body: string | Uint8Array): void {
    const session = this.#session
    session.transaction('read the log', true, () => {
      quarantineEntry(session, seq, reason, body)
      session.touch()
    })
  }
}

function missingReason(first: number, last: number): string {
  return first === last ? 'the entry is missing' : `entries ${first} to ${last} are missing`
}
