import { nameText } from './sqlite-names.js'
import type { SqliteSession } from './sqlite-session.js'
import type { Quarantined } from './storage.js'

/** What is kept of something damaged: its bytes as they were found. */
export type DamagedBody = string | Uint8Array | undefined

/** Moves a damaged row of a bucket to `varve_quarantine`. Within a transaction. */
export function quarantineRow(
  session: SqliteSession,
  bucket: string,
  table: string,
  ordinal: number,
  reason: string,
): void {
  const { database } = session
  const sql = `INSERT INTO varve_quarantine(what, bucket, at, reason, found, body)
    SELECT 'row', ?, ordinal, ?, ?, CAST(record AS BLOB) FROM ${table} WHERE ordinal = ?`
  database.prepare(sql).run(nameText(bucket), reason, session.context.now(), ordinal)
  database.prepare(`DELETE FROM ${table} WHERE ordinal = ?`).run(ordinal)
  session.quarantined.push({ what: 'row', bucket, at: ordinal, reason })
}

/**
 * Moves the body of a damaged entry to `varve_quarantine`. Its place in the log, with its checksum, stays. Within a
 * transaction.
 *
 * @param body what to keep of it; `undefined` for nothing.
 */
export function quarantineEntry(session: SqliteSession, seq: number, reason: string, body: DamagedBody): void {
  const { database } = session
  const sql = "INSERT INTO varve_quarantine(what, at, reason, found, body) VALUES ('entry', ?, ?, ?, CAST(? AS BLOB))"
  database.prepare(sql).run(seq, reason, session.context.now(), body)
  database.prepare('UPDATE varve_log SET body = NULL WHERE seq = ?').run(seq)
  report(session, { what: 'entry', at: seq, reason })
}

/** Adds to what the store reports, once. */
export function report(session: SqliteSession, found: Quarantined): void {
  const known = session.quarantined.some(
    (one) => one.what === found.what && one.at === found.at && one.bucket === found.bucket,
  )
  if (!known) session.quarantined.push(found)
}
