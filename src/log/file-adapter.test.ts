import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { describeStorageAdapter } from '../testing/storage-conformance.js'
import { FileAdapter } from './file-adapter.js'

describeStorageAdapter(
  'files',
  {
    create() {
      const dir = mkdtempSync(join(tmpdir(), 'varve-file-'))
      const reopen = (): FileAdapter => new FileAdapter({ directory: join(dir, 'store'), waitMs: 20 })
      return { adapter: reopen(), reopen, cleanup: () => rmSync(dir, { recursive: true }) }
    },
  },
  { describe, it },
)
