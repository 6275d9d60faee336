import { setTimeout as sleep } from 'node:timers/promises'
import { fromNodeSqlite } from 'varve/sqlite'
import { createSqliteStreamStore } from 'varve/streams'

/** Record streams in a SQLite file, which any number of processes may have open. `close` closes the connection. */
export async function openStore(file) {
  // Node 20 has no SQLite of its own; this package has the same interface.
  const { DatabaseSync } = await import('node:sqlite').catch(() => import('@photostructure/sqlite'))
  const database = new DatabaseSync(file)
  database.exec('PRAGMA busy_timeout = 5000')
  database.exec('PRAGMA synchronous = FULL')
  await useWal(database)
  return createSqliteStreamStore(fromNodeSqlite(database, { own: true }), { format: 'varve' })
}

/** Of two processes that begin a new file together, one is told that it is locked, and SQLite does not wait for that one. */
async function useWal(database) {
  for (let tries = 1; ; tries++) {
    try {
      return database.exec('PRAGMA journal_mode = WAL')
    } catch (error) {
      if (tries === 100 || !error.message.includes('locked')) throw error
    }
    await sleep(20)
  }
}
