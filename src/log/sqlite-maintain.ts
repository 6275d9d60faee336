import { quietly } from '../base/quietly.js'
import { storageError } from './sqlite-errors.js'
import { pragma } from './sqlite-schema.js'
import { type LogEnd, readTrimmed, type SqliteSession } from './sqlite-session.js'
import type { HistoryBudget } from './storage.js'

/** What one call of `trimLog` lets go at most, so that writers never wait long. */
const TRIM_ENTRIES_MAX = 2_000
const TRIM_BYTES_MAX = 8_000_000

/** Free pages that are kept for the next writes; giving them back and taking them again would only cost time. */
const FREE_PAGES_KEPT = 256
const VACUUM_PAGES_MAX = 1_000

/** Lets go of entries beyond the budget, at most 2,000, and gives free pages back. @returns how many went. */
export function trimLog(session: SqliteSession, budget: HistoryBudget): number {
  try {
    const cut = findCut(session, budget)
    let gone = 0
    if (cut !== undefined) {
      session.transaction('trim the log', false, () => {
        gone = session.database.prepare('DELETE FROM varve_log WHERE seq <= ?').run(cut.seq)
        const put = "INSERT OR REPLACE INTO varve_meta(key, value) VALUES ('trimmed', ?)"
        session.database.prepare(put).run(JSON.stringify(cut))
        session.touch()
      })
    }
    giveBack(session)
    return gone
  } catch (error) {
    throw storageError(error, session.path, 'trim the log')
  }
}

/** Gives free pages back, some at a time. */
function giveBack({ database, place }: SqliteSession): void {
  const count = (): number => pragma(database, 'freelist_count')
  // A connection that refuses the question sees to its pages itself.
  const pages = place.file === undefined ? (quietly(count) ?? 0) : count()
  const free = pages - FREE_PAGES_KEPT
  if (free > 0) database.exec(`PRAGMA incremental_vacuum(${Math.min(free, VACUUM_PAGES_MAX)})`)
}

/** Seq of the last entry that `trimLog` would let go of; 0 for none. */
export function lastToTrim(session: SqliteSession, budget: HistoryBudget): number {
  try {
    return findCut(session, budget)?.seq ?? 0
  } catch (error) {
    throw storageError(error, session.path, 'trim the log')
  }
}

/** The last entry that has to go, within what one call does; `undefined` when none has to. */
function findCut(session: SqliteSession, budget: HistoryBudget): LogEnd | undefined {
  const { database, end, context } = session
  const columns = 'seq, at, chain, bytes_end AS bytesEnd'
  const first = database.prepare(`SELECT ${columns} FROM varve_log ORDER BY seq LIMIT 1`).get() as LogEnd | undefined
  if (first === undefined) return undefined
  const before = readTrimmed(database)
  const oldest = context.now() - (budget.ageMs ?? Number.POSITIVE_INFINITY)
  const lastByRows = end.seq - (budget.rows ?? Number.POSITIVE_INFINITY)
  // An entry is too much when what comes after its beginning, itself included, is more than the budget.
  const bytesOver = end.bytesEnd - (budget.bytes ?? Number.POSITIVE_INFINITY)
  if (first.seq > lastByRows && first.at >= oldest && before.bytesEnd >= bytesOver) return undefined
  const window = `SELECT seq, at, bytes_end FROM varve_log WHERE bytes_end <= ? OR seq = ? ORDER BY seq LIMIT ${TRIM_ENTRIES_MAX}`
  const found = database
    .prepare(
      `SELECT max(seq) AS last, max(CASE WHEN at < ? THEN seq END) AS byAge,
       max(CASE WHEN bytes_end < ? THEN seq END) AS byBytes FROM (${window})`,
    )
    .get(oldest, bytesOver, before.bytesEnd + TRIM_BYTES_MAX, first.seq)
  const lastByBytes = before.bytesEnd < bytesOver ? Number(found?.byBytes ?? first.seq - 1) + 1 : 0
  const over = Math.max(lastByRows, Number(found?.byAge ?? 0), lastByBytes)
  const cut = Math.min(over, Number(found?.last), budget.upTo ?? Number.POSITIVE_INFINITY)
  // The entry itself may be missing.
  const row = database.prepare(`SELECT ${columns} FROM varve_log WHERE seq <= ? ORDER BY seq DESC LIMIT 1`).get(cut)
  return row as LogEnd | undefined
}

/**
 * Makes what was erased unreadable in the journal too. Never throws: the commit is done. While a reader is in the way, or the
 * disk fails, the session stays `unerased` and later calls try again.
 */
export function eraseJournal(session: SqliteSession): void {
  try {
    if (session.place.eraseJournal()) session.unerased = false
  } catch (error) {
    session.context.onError(storageError(error, session.path, 'erase from the write-ahead log'))
  }
}
