import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { expect, onTestFinished, test } from 'vitest'
import { quickFolder } from './support/places.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

interface Left {
  readonly bytes: number
  readonly heard: number
  readonly active: number
  readonly live: { readonly views: number; readonly subscriptions: number; readonly evaluations: number }
}

/** What so many pairs of subscribe and unsubscribe leave behind, in a process of their own. */
async function leftBy(pairs: number, leak = ''): Promise<Left> {
  const folder = quickFolder('varve-leak-')
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const outfile = join(folder, 'core.mjs')
  await build({ entryPoints: [join(ROOT, 'src/core.ts')], bundle: true, format: 'esm', target: 'es2022', outfile })
  const child = join(ROOT, 'tests/proof/leak-child.mjs')
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', child, outfile, String(pairs), leak])
  return JSON.parse(stdout) as Left
}

test('a million pairs of subscribe and unsubscribe leave nothing behind (V2, Q5)', async () => {
  const { bytes, heard, active, live } = await leftBy(1_000_000)
  expect(bytes).toBeLessThan(500_000)
  expect([active, live.views, live.subscriptions]).toEqual([0, 0, 0])
  // They were real ones.
  expect(heard).toBeGreaterThan(10_000)
  expect(live.evaluations).toBeGreaterThan(500_000)
}, 240_000)

test('the measurement finds one in a hundred that is left behind', async () => {
  const { bytes, active } = await leftBy(200_000, 'leak')
  expect(active).toBeGreaterThan(1_800)
  expect(bytes).toBeGreaterThan(500_000)
}, 120_000)
