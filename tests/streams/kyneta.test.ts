import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { describe, expect, test } from 'vitest'
import { fromBetterSqlite3 } from '../../src/sqlite.js'
import { createSqliteStreamStore, type StreamRecord, type StreamStore } from '../../src/streams/index.js'
import { entry, listIds, loadAll, metaRecord } from '../../src/testing/stream-fixture.js'
import { KYNETA_3_SQL } from '../../src/testing/stream-foreign-sql.js'
import { isBetter } from './native.mjs'

const SCRIPT = fileURLToPath(new URL('kyneta.mjs', import.meta.url))

function kyneta(command: string, ...files: readonly string[]): string {
  return execFileSync(process.execPath, [SCRIPT, command, ...files], { encoding: 'utf8' })
}

function readByKyneta(file: string): [string, unknown, StreamRecord[]][] {
  return JSON.parse(kyneta('read', file), (_key, value: unknown) => {
    const bytes = (value as { bytes?: number[] } | null)?.bytes
    return bytes === undefined ? value : Uint8Array.from(bytes)
  }) as [string, unknown, StreamRecord[]][]
}

async function everything(store: StreamStore): Promise<[string, unknown, StreamRecord[]][]> {
  const found: [string, unknown, StreamRecord[]][] = []
  for (const id of await listIds(store)) found.push([id, await store.currentMeta(id), await loadAll(store, id)])
  return found
}

async function inFile(work: (file: string, open: () => Promise<StreamStore>) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'varve-kyneta-'))
  const file = join(folder, 'streams.db')
  const Database = createRequire(import.meta.url)('better-sqlite3') as new (path: string) => never
  try {
    await work(file, () => createSqliteStreamStore(fromBetterSqlite3(new Database(file), { own: true })))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

// better-sqlite3 is compiled for one version of Node.js at a time.
describe.skipIf(!isBetter)('the real @kyneta/sqlite-store', () => {
  test('writes the database that is in the fixture', () => {
    expect(kyneta('make').trim()).toBe(KYNETA_3_SQL.trim())
  })

  test('reads what Varve has written, in a database of its own and in one that Varve has made, and appends to it', async () => {
    for (const script of [KYNETA_3_SQL, '']) {
      await inFile(async (file, open) => {
        const Database = createRequire(import.meta.url)('better-sqlite3') as new (
          path: string,
        ) => {
          exec(sql: string): void
          close(): void
        }
        const database = new Database(file)
        database.exec(script)
        database.close()
        const store = await open()
        for (const id of ['text', 'new', '日本', 'a%']) {
          await store.append(id, metaRecord('h7'))
          await store.appendMany(id, [entry('é\0"😀'), entry(Uint8Array.of(0, 255), 'v', { lineage: 'l' })])
          await store.append(id, entry(new Uint8Array(0), ''))
        }
        await store.replace('new', [entry('first'), metaRecord('h8'), entry(Uint8Array.of(1))])
        await store.compact('a%', () => [metaRecord('h9')])
        const written = await everything(store)
        await store.close()

        expect(new Map(readByKyneta(file).map((one) => [one[0], one]))).toEqual(
          new Map(written.map((one) => [one[0], one])),
        )
        kyneta('add', file)
        const again = await open()
        const added = entry('added by kyneta', 'k')
        expect(await everything(again)).toEqual(written.map(([id, meta, all]) => [id, meta, [...all, added]]))
        await again.append('new', entry('after kyneta'))
        expect((await loadAll(again, 'new')).slice(-2)).toEqual([added, entry('after kyneta')])
        await again.close()
      })
    }
  })
})
