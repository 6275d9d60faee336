import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { loadSqlite } from '../sqlite/load.js'
import { describeStorageAdapter } from '../testing/storage-conformance.js'
import { MemoryAdapter } from './memory-adapter.js'
import { SQLiteAdapter } from './sqlite-adapter.js'

export function folder(): string {
  return mkdtempSync(join(tmpdir(), 'varve-test-'))
}

const driver = await loadSqlite()

describeStorageAdapter('memory', { create: () => ({ adapter: new MemoryAdapter() }) }, { describe, it })

describeStorageAdapter(
  `SQLite on ${driver.name}`,
  {
    create() {
      const dir = folder()
      const reopen = (): SQLiteAdapter => new SQLiteAdapter({ filename: join(dir, 'a.db'), waitMs: 20 })
      return { adapter: reopen(), reopen, cleanup: () => rmSync(dir, { recursive: true }) }
    },
  },
  { describe, it },
)

describeStorageAdapter(
  'SQLite in memory',
  { create: () => ({ adapter: new SQLiteAdapter(':memory:') }) },
  { describe, it },
)
