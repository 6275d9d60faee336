import { VarveError } from '../base/errors.js'
import type { SqliteAdapter } from '../sqlite/port.js'

/**
 * Sees to it that everything that was committed is on the disk.
 *
 * In WAL mode a checkpoint is what brings there the commits that `synchronous = NORMAL` has left with the operating system.
 * Without a WAL each commit was synced, unless `synchronous` is OFF.
 *
 * @throws {VarveError} it cannot. With the code SQLITE_BUSY it may be tried again: somebody still reads an older state.
 * Source: https://sqlite.org/pragma.html#pragma_wal_checkpoint, #pragma_synchronous
 */
export function flushSqlite(adapter: SqliteAdapter): void {
  const mode = pragma(adapter, 'main.journal_mode')
  // Durable Objects let nobody ask: they hold back answers until commits are safe.
  if (mode === undefined || isInMemory(adapter)) return
  const isOff = Number(pragma(adapter, 'main.synchronous')) === 0
  if (mode !== 'wal') {
    if (!isOff) return
    throw cannot('SQLITE_SYNC_OFF', 'synchronous is OFF, so nobody knows what is on the disk', 'set PRAGMA synchronous')
  }
  try {
    if (isOff) adapter.exec('PRAGMA main.synchronous = NORMAL')
    checkpoint(adapter)
  } finally {
    if (isOff) adapter.exec('PRAGMA main.synchronous = OFF')
  }
}

/** Moves the whole log into the database, which syncs both. */
function checkpoint(adapter: SqliteAdapter): void {
  const sql = 'PRAGMA main.wal_checkpoint(PASSIVE)'
  const [row] = [...adapter.iterate<{ busy: unknown; log: unknown; checkpointed: unknown }>(sql)]
  if (row === undefined || (Number(row.busy) === 0 && Number(row.log) === Number(row.checkpointed))) return
  throw cannot('SQLITE_BUSY', 'somebody reads an older state, so the log cannot be moved', 'end long transactions')
}

function cannot(code: string, reason: string, remedy: string): VarveError {
  const message = `sqlite store: flush: ${reason}; all commits stand, and may not be on the disk; ${remedy} and flush again`
  return new VarveError(code, message)
}

function isInMemory(adapter: SqliteAdapter): boolean {
  const rows = [...adapter.iterate<{ name: unknown; file: unknown }>('PRAGMA database_list')]
  const file = rows.find(({ name }) => name === 'main')?.file
  return file === '' || file === null
}

/** The value of a pragma; `undefined` where asking is not allowed. */
function pragma(adapter: SqliteAdapter, name: string): unknown {
  try {
    const [row] = [...adapter.iterate<{ readonly [column: string]: unknown }>(`PRAGMA ${name}`)]
    return row === undefined ? undefined : Object.values(row)[0]
  } catch (error) {
    if (!isForbidden(error)) throw error
    return undefined
  }
}

/** Whether the host does not let anybody ask for that, as Durable Objects do. */
export function isForbidden(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown }
  return code === 'SQLITE_AUTH' || /not authorized|SQLITE_AUTH/.test(String(message))
}
