import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testSuites } from './expected.js'
import { findFolder, findNode, mustFind } from './find.js'
import { runChild, type Told } from './run-child.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const LIMIT_MS = 300_000
const miniflare = findFolder('VARVE_MINIFLARE', 'folder of node_modules with miniflare')
const node = findNode('VARVE_NODE24')
const folder = mkdtempSync(join(tmpdir(), 'varve-workerd-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe.skipIf(miniflare.isSkipped || node.isSkipped)('workerd, in a Durable Object', () => {
  let run: Told
  beforeAll(async () => {
    const bundle = join(folder, 'worker.mjs')
    await build({
      entryPoints: [join(ROOT, 'tests/runtimes/durable-object.mjs')],
      outfile: bundle,
      bundle: true,
      platform: 'browser',
      format: 'esm',
      target: 'es2022',
      external: ['cloudflare:workers'],
      logLevel: 'silent',
    })
    const script = join(ROOT, 'tests/runtimes/in-workerd.mjs')
    const args = [script, mustFind(miniflare), bundle, join(folder, 'objects')]
    run = await runChild(mustFind(node), args, ROOT, LIMIT_MS)
  }, LIMIT_MS)

  testSuites(
    () => run,
    [
      ['binding', ['another', 'begins']],
      ['streams', ['keepsClears']],
      ["streams, Varve's format", ['openForeign']],
      ['store'],
    ],
  )

  test('what a Durable Object has written, bytes of every value among it, is there after a restart', () => {
    const bytes = Array.from({ length: 256 }, (_, byte) => byte)
    expect(run.facts).toMatchObject({ runtime: expect.stringMatching(/^workerd/), written: ['meta', bytes] })
    expect(run.facts['found']).toEqual(['meta', bytes])
  })

  test('its limits are errors of SQLite, and a transaction that throws leaves nothing', () => {
    expect(run.facts['limits']).toEqual({
      '100 parameters': 'ok',
      '101 parameters': 'SqliteError SQLITE_ERROR',
      'a value of 2,000,000 bytes': 'ok',
      'a value of 2,200,000 bytes': 'SqliteError SQLITE_TOOBIG',
      BEGIN: 'SqliteError SQLITE_ERROR',
      undone: 'RangeError undefined',
      rows: 1,
    })
  })
})
