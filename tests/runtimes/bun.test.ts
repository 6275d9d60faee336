import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testSuites } from './expected.js'
import { findProgram, mustFind } from './find.js'
import { runChild, runProgram, type Told } from './run-child.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const LIMIT_MS = 300_000
const bun = findProgram('VARVE_BUN', 'bun')
const folder = mkdtempSync(join(tmpdir(), 'varve-bun-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe.skipIf(bun.isSkipped)('Bun, bun:sqlite on files', () => {
  let run: Told
  beforeAll(async () => {
    run = await runChild(mustFind(bun), ['tests/runtimes/on-files.mjs', folder], ROOT, LIMIT_MS)
  }, LIMIT_MS)

  test('it is Bun, and a store on a path finds its data again', () => {
    expect(run.facts).toMatchObject({ runtime: expect.stringMatching(/^Bun \d/), onPath: ['a', 'b'] })
  })

  testSuites(() => run)

  test(
    'describeStreamStore runs under `bun test`',
    async () => {
      const file = './tests/streams/any-framework.test.mjs'
      const env = { VARVE_STREAMS: 'bun:sqlite' }
      const { code, stderr } = await runProgram(mustFind(bun), ['test', file], ROOT, LIMIT_MS, env)
      expect(stderr).toMatch(/^ 0 fail$/m)
      expect(Number(/^ (\d+) pass$/m.exec(stderr)?.[1])).toBeGreaterThan(100)
      expect(code).toBe(0)
    },
    LIMIT_MS,
  )
})
