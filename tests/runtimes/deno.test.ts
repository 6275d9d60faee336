import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testSuites } from './expected.js'
import { findProgram, mustFind } from './find.js'
import { runChild, type Told } from './run-child.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const LIMIT_MS = 300_000
const deno = findProgram('VARVE_DENO', 'deno')
const folder = mkdtempSync(join(tmpdir(), 'varve-deno-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** It may read what it runs, and its own folder; write there; and nothing else: no network, no environment, no processes. */
const PERMISSIONS = [
  '--no-prompt',
  '--no-config',
  '--no-lock',
  '--no-remote',
  '--no-npm',
  `--allow-read=${ROOT},${folder}`,
  `--allow-write=${folder}`,
]

describe.skipIf(deno.isSkipped)('Deno, node:sqlite on files', () => {
  let run: Told
  beforeAll(async () => {
    const args = ['run', ...PERMISSIONS, 'tests/runtimes/on-files.mjs', folder]
    run = await runChild(mustFind(deno), args, ROOT, LIMIT_MS)
  }, LIMIT_MS)

  test('it is Deno, and a store on a path finds its data again', () => {
    expect(run.facts).toMatchObject({ runtime: expect.stringMatching(/^Deno \d/), onPath: ['a', 'b'] })
  })

  testSuites(() => run)
})
