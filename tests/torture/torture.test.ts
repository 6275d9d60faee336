import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const MAIN = fileURLToPath(new URL('main.mjs', import.meta.url))

interface Result {
  readonly code: number | null
  readonly kills: number
  readonly commits: number
  readonly violations: readonly string[]
}

function torture(seconds: number, ...args: readonly string[]): Promise<Result> {
  const all = ['--disable-warning=ExperimentalWarning', MAIN, '--json', '--minutes', String(seconds / 60), ...args]
  const child = spawn(process.execPath, all, { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, ...(JSON.parse(out) as Omit<Result, 'code'>) }))
  })
}

test.each(['sqlite', 'file'])(
  'killed at any moment, a store on %s keeps what it has acknowledged, whole',
  async (adapter) => {
    const result = await torture(4, '--adapter', adapter)
    expect(result.violations, JSON.stringify(result)).toEqual([])
    expect(result.code).toBe(0)
    expect(result.kills).toBeGreaterThan(0)
    expect(result.commits).toBeGreaterThan(0)
  },
  60_000,
)

test.each([
  ['ack-early', /was acknowledged and is not in the log/],
  ['half', /the accounts hold/],
] as const)(
  'the torture finds a planted bug: %s',
  async (bug, violation) => {
    const { violations, code } = await torture(30, '--lanes', '1', '--planted-bug', bug, '--stop-early')
    expect(violations).toContainEqual(expect.stringMatching(violation))
    expect(code).toBe(1)
  },
  60_000,
)
