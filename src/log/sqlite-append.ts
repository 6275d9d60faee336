import { assert } from '../base/assert.js'
import { quietly } from '../base/quietly.js'
import { chainAfter } from '../base/checksum.js'
import { utf8Length } from '../base/utf8.js'
import {
  type EncodedEntry,
  RecordTexts,
  bucketMark,
  decodeEntry,
  encodeEntry,
  encodeRedacted,
  sourcedMark,
} from './codec.js'
import type { StoredRecord } from './entry.js'
import { lowerCase, nameText, quoteName, viewName, viewSql } from './sqlite-names.js'
import { quarantineEntry } from './sqlite-quarantine.js'
import { SCRUB_BYTES_MAX, scrubLog } from './sqlite-scrub.js'
import { type BucketSlot, bucketSlot, ROWS_PER_INSERT, type SqliteSession } from './sqlite-session.js'
import type { Batch, BucketMeta, RowOp } from './storage.js'

/** Bodies looked at in one go while a bucket is erased from the log. */
const ERASE_PAGE = 200

const LOG_VALUES = 7
const INSERT_ENTRY = 'INSERT INTO varve_log(seq, at, type, sum, chain, bytes_end, body) VALUES (?, ?, ?, ?, ?, ?, ?)'
const INSERT_ENTRIES = INSERT_ENTRY + ', (?, ?, ?, ?, ?, ?, ?)'.repeat(ROWS_PER_INSERT - 1)
const ROW_VALUES = 2

/** A batch on its way into the file. */
interface Writing {
  readonly session: SqliteSession
  readonly texts: RecordTexts
  /** Seq of the first entry of the batch. */
  readonly first: number
  /** Rows to put that have not been written yet: ordinal, text, ordinal, text … by bucket. */
  readonly puts: Map<string, (number | string)[]>
  /** True when a body that was in the log before was changed. */
  isRedacted: boolean
}

/**
 * Writes the entries and row changes of `batch` within the open transaction, and brings `session` up to them.
 * Holds L1 and R1: an entry follows the last one, a row that is deleted was there.
 */
export function writeBatch(session: SqliteSession, batch: Batch): void {
  const writing: Writing = {
    session,
    texts: new RecordTexts(),
    first: session.end.seq + 1,
    puts: new Map(),
    isRedacted: false,
  }
  writeEntries(writing, batch)
  for (const op of batch.ops) {
    if (op.op === 'put') collectPut(writing, op.bucket, op.ordinal, op.record)
    else applyOp(writing, op)
  }
  for (const bucket of writing.puts.keys()) writePuts(writing, bucket)
  if (batch.entries.length === 0) session.touch()
  if (writing.isRedacted && session.place.erases) scrubLog(session, SCRUB_BYTES_MAX)
}

function writeEntries({ session, texts }: Writing, batch: Batch): void {
  if (batch.entries.length === 0) return
  const values: (number | string)[] = []
  let { seq, at, chain, bytesEnd } = session.end
  for (const entry of batch.entries) {
    assert(entry.seq === seq + 1, 'L1', `entry ${entry.seq} does not follow ${seq}`)
    const { text, sum } = encodeEntry(entry, session.logId, texts)
    seq = entry.seq
    at = entry.at
    chain = chainAfter(chain, sum)
    bytesEnd += utf8Length(text)
    values.push(seq, at, nameText(entry.type), sum, chain, bytesEnd, text)
  }
  insertAll(session, values, LOG_VALUES, INSERT_ENTRY, INSERT_ENTRIES)
  session.end = { seq, at, chain, bytesEnd }
}

/** Inserts rows of `columns` values each, as many as possible with the statement for several. */
function insertAll(
  session: SqliteSession,
  values: readonly (number | string)[],
  columns: number,
  one: string,
  several: string,
): void {
  if (values.length === columns) {
    session.database.prepare(one).run(...values)
    return
  }
  let at = 0
  const step = columns * ROWS_PER_INSERT
  if (values.length >= step) {
    const statement = session.database.prepare(several)
    for (; at + step <= values.length; at += step) statement.run(...values.slice(at, at + step))
  }
  if (at === values.length) return
  const statement = session.database.prepare(one)
  for (; at < values.length; at += columns) statement.run(...values.slice(at, at + columns))
}

function collectPut(writing: Writing, bucket: string, ordinal: number, record: StoredRecord): void {
  let values = writing.puts.get(bucket)
  if (values === undefined) {
    mustBucket(writing.session, bucket)
    values = []
    writing.puts.set(bucket, values)
  }
  values.push(ordinal, writing.texts.of(record))
}

/** Writes what was put into `bucket` so far: needed before anything else happens to it. */
function writePuts({ session, puts }: Writing, bucket: string): void {
  const values = puts.get(bucket)
  if (values === undefined) return
  const slot = mustBucket(session, bucket)
  insertAll(session, values, ROW_VALUES, slot.put, slot.putSeveral)
  puts.delete(bucket)
}

function applyOp(writing: Writing, op: Exclude<RowOp, { op: 'put' }>): void {
  const { session } = writing
  if (op.op === 'define') {
    define(session, op.meta, writing.first)
    return
  }
  if (op.op === 'counter') {
    const slot = mustBucket(session, op.bucket)
    session.database.prepare('UPDATE varve_buckets SET counter = ? WHERE id = ?').run(op.counter, slot.id)
    setBucket(session, { ...slot, meta: { ...slot.meta, counter: op.counter } })
    return
  }
  writePuts(writing, op.bucket)
  if (op.op === 'clear') clear(writing, op.bucket, op.seq)
  else if (op.op === 'drop') drop(writing, op.bucket, op.seq)
  else {
    const deleted = session.database.prepare(mustBucket(session, op.bucket).delete).run(op.ordinal)
    assert(deleted === 1, 'R1', `bucket ${op.bucket} has no row ${op.ordinal}`)
  }
}

function mustBucket(session: SqliteSession, bucket: string): BucketSlot {
  const slot = session.buckets.get(bucket)
  assert(slot !== undefined, 'R1', `bucket ${bucket} is not defined in this storage`)
  return slot
}

function setBucket(session: SqliteSession, slot: BucketSlot): void {
  session.buckets = new Map(session.buckets).set(slot.meta.bucket, slot)
}

function define(session: SqliteSession, meta: BucketMeta, first: number): void {
  const { database } = session
  const known = session.buckets.get(meta.bucket)
  const fields = JSON.stringify(meta.fields)
  if (known !== undefined) {
    const sql = 'UPDATE varve_buckets SET key = ?, counter = ?, fields = ? WHERE id = ?'
    database.prepare(sql).run(nameText(meta.key), meta.counter, fields, known.id)
    setBucket(session, { ...known, meta })
    if (JSON.stringify(known.meta.fields) === fields) return
    database.exec(`DROP VIEW IF EXISTS ${quoteName(known.view)}`)
    database.exec(viewSql(known.view, known.id, meta.fields, session.place.limits))
    return
  }
  const insert = 'INSERT INTO varve_buckets(name, key, counter, fields, view, since) VALUES (?, ?, ?, ?, ?, ?)'
  database.prepare(insert).run(nameText(meta.bucket), nameText(meta.key), meta.counter, fields, '', first)
  const id = Number(database.prepare('SELECT last_insert_rowid() AS id').get()?.id)
  database.exec(`CREATE TABLE varve_rows_${id}(ordinal INTEGER PRIMARY KEY, record TEXT NOT NULL)`)
  const view = viewName(meta.bucket, id, takenNames(session))
  database.exec(viewSql(view, id, meta.fields, session.place.limits))
  database.prepare('UPDATE varve_buckets SET view = ? WHERE id = ?').run(view, id)
  // No earlier entry can be about it: if there was such a bucket before, dropping it erased what they said.
  setBucket(session, bucketSlot(id, meta, view, first))
}

function takenNames(session: SqliteSession): Set<string> {
  const rows = session.database.prepare('SELECT name FROM sqlite_schema').all()
  return new Set(rows.map((row) => lowerCase(String(row.name))))
}

function clear(writing: Writing, bucket: string, seq: number): void {
  const { session } = writing
  const slot = mustBucket(session, bucket)
  session.database.exec(`DELETE FROM varve_rows_${slot.id}`)
  erase(writing, slot, seq)
  session.database.prepare('UPDATE varve_buckets SET since = ? WHERE id = ?').run(seq, slot.id)
  setBucket(session, { ...slot, since: seq })
}

function drop(writing: Writing, bucket: string, seq: number): void {
  const { session } = writing
  const slot = session.buckets.get(bucket)
  if (slot === undefined) return
  const { database } = session
  database.exec(`DROP VIEW IF EXISTS ${quoteName(slot.view)}`)
  database.exec(`DROP TABLE varve_rows_${slot.id}`)
  erase(writing, slot, seq)
  database.prepare('DELETE FROM varve_buckets WHERE id = ?').run(slot.id)
  const buckets = new Map(session.buckets)
  buckets.delete(bucket)
  session.buckets = buckets
}

/** Takes what is kept about a bucket out of the log before `seq`, and out of the quarantine. */
function erase(writing: Writing, slot: BucketSlot, seq: number): void {
  const { session } = writing
  const { database } = session
  const bucket = slot.meta.bucket
  database.prepare('DELETE FROM varve_quarantine WHERE bucket = ?').run(nameText(bucket))
  const quarantined =
    "UPDATE varve_quarantine SET body = NULL WHERE what = 'entry' AND instr(CAST(body AS TEXT), ?) > 0"
  database.prepare(quarantined).run(JSON.stringify(bucket))
  const find = database.prepare(
    'SELECT seq, sum, body FROM varve_log WHERE seq >= ? AND seq < ? AND (instr(body, ?) > 0 OR instr(body, ?) > 0) ORDER BY seq LIMIT ?',
  )
  const update = database.prepare('UPDATE varve_log SET body = ?, redacted = ? WHERE seq = ?')
  const [mark, sourced] = [bucketMark(bucket), sourcedMark(bucket)]
  for (let from = slot.since; ; ) {
    const rows = find.all(from, seq, mark, sourced, ERASE_PAGE)
    for (const row of rows) {
      const body = String(row.body)
      writing.isRedacted = true
      const redacted = redact(session, Number(row.seq), Number(row.sum), body, bucket)
      if (redacted === undefined) continue
      // First in place, with as many bytes: a body of another size makes SQLite move its neighbours about on the page, and
      // that leaves copies behind, which stay in a log that is too long to be scrubbed at once.
      update.run(' '.repeat(utf8Length(body)), null, Number(row.seq))
      update.run(redacted.text, redacted.redactedSum, Number(row.seq))
    }
    const last = rows.at(-1)
    if (last === undefined || rows.length < ERASE_PAGE) return
    from = Number(last.seq) + 1
  }
}

function redact(
  session: SqliteSession,
  seq: number,
  sum: number,
  body: string,
  bucket: string,
): EncodedEntry | undefined {
  // What cannot be read cannot be redacted either: it goes, whole, because the data of the bucket has to.
  // The reason does not say more: the parser's message quotes the text.
  const redacted = quietly(() => encodeRedacted(decodeEntry(body, session.logId), [bucket], session.logId, sum))
  if (redacted === undefined)
    quarantineEntry(session, seq, `damaged, and erased with bucket ${JSON.stringify(bucket)}`, undefined)
  return redacted
}
