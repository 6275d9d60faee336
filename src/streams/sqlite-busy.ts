import { VarveError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import type { SqliteDatabase } from '../sqlite/binding.js'
import type { MaybePromise } from './stream-backend.js'

const WAIT_MS_FIRST = 5
/** Short: among many writers the lock is free for moments only. */
const WAIT_MS_MAX = 25
/** Together with what the connection itself waits (`PRAGMA busy_timeout`). */
const WAITED_MS_MAX = 10_000

/**
 * What `work` returns. While it throws because somebody else has the database locked, it is tried again, for about ten
 * seconds, and once at least: then the answer is a promise.
 *
 * @throws what `work` throws; the last one when it is locked all the time.
 */
export function retryBusy<T>(runtime: Runtime, work: () => T): MaybePromise<T> {
  const startedAt = runtime.elapsed()
  try {
    return work()
  } catch (error) {
    if (!isBusy(error)) throw error
    return retryLater(runtime, work, startedAt)
  }
}

async function retryLater<T>(runtime: Runtime, work: () => T, startedAt: number): Promise<T> {
  let slept = 0
  for (let ms = WAIT_MS_FIRST; ; ms = Math.min(2 * ms, WAIT_MS_MAX)) {
    await new Promise<void>((resolve) => void runtime.setTimer(ms, resolve, true))
    slept += ms
    try {
      return work()
    } catch (error) {
      // Both, since a clock may stand still.
      const waited = Math.max(slept, runtime.elapsed() - startedAt)
      if (!isBusy(error) || !(waited < WAITED_MS_MAX)) throw error
    }
  }
}

/** What bindings say; better-sqlite3 the second, while a statement of the program is being gone through on the connection. */
const BUSY = /database is locked|^(?:SQLite: )?This database connection is busy executing a query/

/**
 * Whether `error` says that somebody else has the database locked: nothing was done, and the same may work later. Adapters of
 * `varve/sqlite` say `SQLITE_BUSY`, others what their binding says.
 */
export function isBusy(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  const { code, errcode, message } = error as { code?: unknown; errcode?: unknown; message?: unknown }
  if (typeof code === 'string' && /^SQLITE_(BUSY|LOCKED)/.test(code)) return true
  return (typeof errcode === 'number' && (errcode & 0xff) === 5) || BUSY.test(String(message))
}

/**
 * Throws while somebody else has a transaction open on the connection: what was written there would go when that is rolled back,
 * though its promise had resolved. It counts as a database that is locked.
 *
 * @throws {VarveError} with the code SQLITE_BUSY. Nothing was written.
 */
export function mustNotBeInTransaction(database: SqliteDatabase | undefined, what: string): void {
  if (database?.isInTransaction() !== true) return
  const message =
    `sqlite store: ${what}: somebody else's transaction is open on this connection; nothing was written; ` +
    'end the transaction, or give the store a connection of its own'
  throw new VarveError('SQLITE_BUSY', message)
}
