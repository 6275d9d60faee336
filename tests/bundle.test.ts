import { fileURLToPath } from 'node:url'
import { runInNewContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Bundles `code`, which may import `varve/core`, the way an application for browsers is bundled. */
async function bundle(code: string): Promise<string> {
  const result = await build({
    stdin: { contents: code, resolveDir: ROOT, loader: 'ts' },
    alias: {
      'varve/core': './src/core.ts',
      'varve/snapshots': './src/snapshots.ts',
      'varve/sqlite': './src/sqlite.ts',
      'varve/react': './src/react/index.ts',
      'varve/streams': './src/streams/index.ts',
    },
    external: ['react'],
    bundle: true,
    minify: true,
    write: false,
    platform: 'browser',
    format: 'iife',
    globalName: 'bundled',
    target: 'es2022',
    logLevel: 'silent',
  })
  return result.outputFiles[0]?.text ?? ''
}

/** What every browser has and a bare JavaScript context lacks; nothing of Node. */
const BROWSER_GLOBALS = [
  'AbortController',
  'AbortSignal',
  'MessageChannel',
  'TextDecoder',
  'TextEncoder',
  'URL',
  'clearTimeout',
  'console',
  'crypto',
  'performance',
  'queueMicrotask',
  'setTimeout',
  'structuredClone',
] as const

function browserGlobals(): Record<string, unknown> {
  return Object.fromEntries(BROWSER_GLOBALS.map((name) => [name, globalThis[name]]))
}

test('varve/core bundles for a browser, and a store on it works where there is no Node', async () => {
  const code = await bundle(`
    import { Store } from 'varve/core'
    export async function run() {
      const store = await Store.start({ name: 'bundled' })
      const notes = await store.defineBucket('notes', {
        key: 'id',
        schema: { id: { type: 'string', generated: 'uuid' }, text: { type: 'string', required: true } },
      })
      await notes.insert({ text: 'hello' })
      const found = await notes.where({ text: 'hello' })
      await store.stop()
      return found.length
    }
  `)
  const context = browserGlobals()
  runInNewContext(code, context)
  expect(await (context['bundled'] as { run(): Promise<number> }).run()).toBe(1)
})

test('snapshots are no part of varve/core; with varve/snapshots they work where there is no Node', async () => {
  expect(await bundle(`export * from 'varve/core'`)).not.toContain('snapshot storage')
  const code = await bundle(`
    import { Store } from 'varve/core'
    import { SnapshotStorage } from 'varve/snapshots'
    export async function run() {
      const saved = new Map()
      const place = {
        save: async (key, value) => void saved.set(key, value),
        load: async (key) => saved.get(key),
        delete: async (key) => saved.delete(key),
        exists: async (key) => saved.has(key),
        listKeys: async () => [...saved.keys()],
      }
      const definition = { key: 'id', schema: { id: { type: 'string' } } }
      const counts = []
      for (const id of ['a', 'b']) {
        const persistence = { adapter: new SnapshotStorage(place) }
        const store = await Store.start({ name: 'kept', persistence, buckets: { notes: definition } })
        await store.bucket('notes').insert({ id })
        counts.push(await store.bucket('notes').count())
        await store.stop()
      }
      return counts
    }
  `)
  const context = browserGlobals()
  runInNewContext(code, context)
  expect(await (context['bundled'] as { run(): Promise<number[]> }).run()).toEqual([1, 2])
})

test('SQLite is no part of varve/core; with varve/sqlite a store is on a connection where there is no Node', async () => {
  expect(await bundle(`export * from 'varve/core'`)).not.toContain('varve_log')
  const code = await bundle(`
    import { Store } from 'varve/core'
    import { fromSqliteWasm, SqliteStorage } from 'varve/sqlite'
    export async function run(database) {
      const connection = fromSqliteWasm(database)
      const definition = { key: 'id', schema: { id: { type: 'string' } } }
      const counts = []
      for (const id of ['a', 'ä€'.repeat(100)]) {
        const persistence = { adapter: new SqliteStorage(connection, { durability: 'process' }) }
        const store = await Store.start({ name: 'kept', persistence, buckets: { notes: definition } })
        await store.bucket('notes').insert({ id })
        counts.push(await store.bucket('notes').count(), store.openReport.durability)
        await store.stop()
      }
      return counts
    }
  `)
  const { default: init } = await import('@sqlite.org/sqlite-wasm')
  const database = new (await init()).oo1.DB(':memory:')
  const context = browserGlobals()
  runInNewContext(code, context)
  const run = (context['bundled'] as { run(database: unknown): Promise<unknown[]> }).run
  expect(await run(database)).toEqual([1, 'process', 2, 'process'])
  // Its sizes are those that a store in Node gives.
  const sizes = database.selectValues(
    'SELECT bytes_end - length(CAST(body AS BLOB)) FROM varve_log ORDER BY seq LIMIT 1',
  )
  expect(sizes).toEqual([0])
  database.close()
})

test('varve/streams bundles for a browser, and works where there is no Node', async () => {
  const code = await bundle(`
    import { createMemoryStreamStore, createSqliteStreamStore } from 'varve/streams'
    export async function run() {
      const store = createMemoryStreamStore()
      const syncMode = { writerModel: 'concurrent', delivery: 'delta-capable', durability: 'persistent' }
      await store.append('a', { kind: 'meta', meta: { replicaType: ['yjs', 1, 0], syncMode, schemaHash: '' } })
      let count = 0
      for await (const record of store.loadAll('a')) count++
      await store.close()
      return [count, typeof createSqliteStreamStore]
    }
  `)
  const context = browserGlobals()
  runInNewContext(code, context)
  expect(await (context['bundled'] as { run(): Promise<unknown[]> }).run()).toEqual([1, 'function'])
})

test('varve/react bundles for a browser, with React left out, and adds little to varve/core', async () => {
  const core = await bundle(`export * from 'varve/core'`)
  const both = await bundle(`export * from 'varve/core'\nexport * from 'varve/react'`)
  expect(both.length - core.length).toBeGreaterThan(2_000)
  expect(both.length - core.length).toBeLessThan(12_000)
  expect(gzipSync(both).length - gzipSync(core).length).toBeLessThan(4_000)
})

test('a Node module in the bundle is an error', async () => {
  await expect(bundle(`import { readFileSync } from 'node:fs'\nexport const a = readFileSync`)).rejects.toThrow(
    'node:fs',
  )
})

test('what an application does not use is left out', async () => {
  const all = await bundle(`import { Store } from 'varve/core'\nexport const used = Store`)
  const part = await bundle(`import { VarveError } from 'varve/core'\nexport const used = VarveError`)
  expect(all.length).toBeGreaterThan(10_000)
  expect(part.length).toBeLessThan(1_000)
})
