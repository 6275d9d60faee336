import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const run = promisify(execFile)
const SUITE = fileURLToPath(new URL('any-framework.test.mjs', import.meta.url))

test('the suite runs under node:test, in a process without vitest', async () => {
  const env = { ...process.env, VARVE_STREAMS: 'memory' }
  const { stdout } = await run(process.execPath, ['--test', '--test-reporter=tap', SUITE], { env })
  expect(stdout).toMatch(/^# fail 0$/m)
  expect(Number(/^# pass (\d+)$/m.exec(stdout)?.[1])).toBeGreaterThan(100)
}, 120_000)
