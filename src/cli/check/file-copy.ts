import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileAdapter } from '../../log/file-adapter.js'
import { SQLiteAdapter } from '../../log/sqlite-adapter.js'
import { checkHeader } from '../../log/sqlite-schema.js'
import type { StorageAdapter } from '../../log/storage.js'
import { loadSqlite } from '../../sqlite/load.js'
import { storeKind } from '../file-kind.js'

/** A copy of a store, of one state, in a folder of its own. */
export interface FileCopy {
  readonly adapter: StorageAdapter
  /** Removes it. */
  remove(): void
}

/**
 * Copies the store at `file`, which may be in use: it is only read. A folder of a `FileAdapter` may not be written meanwhile.
 *
 * @throws {CliError} there is nothing. @throws {StorageError} it is no store.
 */
export async function copyStore(file: string): Promise<FileCopy> {
  const kind = storeKind(file)
  const folder = mkdtempSync(join(tmpdir(), 'varve-check-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  const path = join(folder, 'copy')
  try {
    if (kind === 'folder') {
      cpSync(file, path, { recursive: true, filter: (source) => !source.endsWith('lock') })
      return { adapter: new FileAdapter(path), remove }
    }
    checkHeader(file)
    const database = (await loadSqlite()).open(file, true)
    try {
      // One transaction of SQLite: whoever writes meanwhile does not change what is copied.
      database.exec(`VACUUM INTO '${path.replaceAll("'", "''")}'`)
    } finally {
      database.close()
    }
    return { adapter: new SQLiteAdapter(path), remove }
  } catch (error) {
    remove()
    throw error
  }
}
