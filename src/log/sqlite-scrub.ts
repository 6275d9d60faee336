import { LOG_COLUMNS } from './sqlite-schema.js'
import { readTrimmed, type SqliteSession } from './sqlite-session.js'

/** A log of up to so many bytes is scrubbed at once, in some tenths of a second; a longer one when the store is closed. */
export const SCRUB_BYTES_MAX: number = 64 << 20

/**
 * Makes sure that bodies that were overwritten are in no page of the log. When SQLite splits or joins pages, it leaves
 * copies of entries in the unused part of a page, even with `secure_delete`; so the log is copied to a new table, and
 * the pages of the old one are overwritten as they are freed. Within a transaction.
 *
 * @param bytesMax a longer log is only marked, for the next call.
 */
export function scrubLog(session: SqliteSession, bytesMax: number): void {
  const { database, end } = session
  if (end.bytesEnd - readTrimmed(database).bytesEnd > bytesMax) {
    database.prepare("INSERT OR REPLACE INTO varve_meta(key, value) VALUES ('unscrubbed', 1)").run()
    return
  }
  database.exec(`CREATE TABLE varve_log_copy(${LOG_COLUMNS}); INSERT INTO varve_log_copy SELECT * FROM varve_log ORDER BY seq;
    DROP TABLE varve_log; ALTER TABLE varve_log_copy RENAME TO varve_log;
    DELETE FROM varve_meta WHERE key = 'unscrubbed'`)
}

/** True while a log that was too long to be scrubbed at once waits for it. */
export function isUnscrubbed(session: SqliteSession): boolean {
  return session.database.prepare("SELECT 1 AS one FROM varve_meta WHERE key = 'unscrubbed'").get() !== undefined
}
