import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { BUCKETS } from '../../src/cli/demo/buckets.js'
import { removeFiction } from '../../src/cli/demo/fiction.js'
import { Store } from '../../src/store.js'
import { CLI, demoJson, scratchFolder, shown, varve } from './run.js'
import type { Signal } from './run.js'

// Each test starts several processes, on machines that may be busy.
vi.setConfig({ testTimeout: 60_000 })

const CITIES = 20_000
const SOME = ['--limit', String(CITIES), '--file', 'a.db']
/** What the import writes at once. */
const BATCH = 2_000

/**
 * What is in the file, asked without the command line. A run that is killed after the import may leave what the demo
 * itself wrote, which the next run takes away first; so it is here.
 */
async function look(file: string): Promise<{ cities: number; isComplete: boolean }> {
  const store = await Store.start({ file, buckets: BUCKETS })
  const { truncatedBytes, quarantined } = store.openReport
  expect([truncatedBytes, quarantined]).toEqual([0, []])
  await removeFiction(store)
  const cities = await store.bucket('cities').count()
  const plan = await store.bucket('imports').get('cities')
  await store.stop()
  return { cities, isComplete: plan?.isComplete === true }
}

describe('a run that is ended in the middle of the import', () => {
  test.each<[signal: Signal, code: number | null]>([
    ['SIGKILL', null],
    ['SIGINT', 130],
    ['SIGTERM', 130],
  ])('by %s leaves whole batches, marked as incomplete, and the next run completes them', async (signal, code) => {
    const cwd = scratchFolder()
    const whole = await demoJson([...SOME.slice(0, 2), '--in-memory'], { cwd })
    const ended = await varve(['demo', ...SOME], { cwd, end: { signal, after: /cities: 20 %/ } })
    expect(ended.code).toBe(code)
    const left = await look(join(cwd, 'a.db'))
    expect(left.isComplete).toBe(false)
    expect(left.cities).toBeGreaterThanOrEqual(2 * BATCH)
    expect(left.cities % BATCH).toBe(0)
    if (code !== null) {
      const count = left.cities.toLocaleString('en-US')
      expect(ended.stderr).toMatch(new RegExp(`varve: interrupted by ${signal}; ${count} of 20,000 cities are on disk`))
    }
    const next = await demoJson(['--file', 'a.db'], { cwd })
    expect(next.import).toMatchObject({ mode: 'resumed', cities: { records: CITIES, inserted: CITIES - left.cities } })
    expect(shown(next)).toEqual(shown(whole))
  })

  test('by SIGKILL at random moments, again and again, loses nothing that was there', async () => {
    const cwd = scratchFolder()
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
    const random = randomOf(seed)
    let before = 0
    for (let kill = 0; kill < 8; kill++) {
      const after = 150 + Math.floor(random() * 900)
      await varve(['demo', ...SOME], { cwd, end: { signal: 'SIGKILL', after } })
      const { cities, isComplete } = await look(join(cwd, 'a.db'))
      const where = `SEED=${seed}, kill ${kill} after ${after} ms`
      expect(cities, where).toBeGreaterThanOrEqual(before)
      if (isComplete) expect(cities, where).toBe(CITIES)
      before = cities
    }
    const last = await demoJson(SOME, { cwd })
    const whole = await demoJson([...SOME.slice(0, 2), '--in-memory'], { cwd })
    expect(shown(last), `SEED=${seed}`).toEqual(shown(whole))
  })
})

describe('a run that is ended after the import', () => {
  test.each([/^3 A live/m, /^4 Trans/m, /^5 A crash/m, /^6 What/m])('by SIGKILL at %s leaves the data', async (at) => {
    const cwd = scratchFolder()
    const few = ['--limit', '1000', '--file', 'a.db']
    const whole = await demoJson(few, { cwd })
    await varve(['demo', ...few], { cwd, end: { signal: 'SIGKILL', after: at } })
    const next = await demoJson(few, { cwd })
    expect(next.import.mode).toBe('opened')
    expect(shown(next)).toEqual(shown(whole))
  })

  test('by a reader that has seen enough says nothing, and leaves the data', async () => {
    const cwd = scratchFolder()
    const few = ['--limit', '1000', '--file', 'a.db']
    await demoJson(few, { cwd })
    const child = spawn(process.execPath, [CLI, 'demo', ...few], { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    let stderr = ''
    child.stderr.on('data', (text: Buffer) => (stderr += text.toString()))
    child.stdout.once('data', () => child.stdout.destroy())
    const code = await new Promise((resolve) => {
      child.on('close', resolve)
    })
    expect([code, stderr.replaceAll(/^\(node:.*Experimental.*\n.*trace-warnings.*\n/gm, '')]).toEqual([141, ''])
    expect(await look(join(cwd, 'a.db'))).toEqual({ cities: 1000, isComplete: true })
  })
})

/** Numbers in [0, 1) from a seed. Source: mulberry32, https://github.com/bryc/code/blob/master/jshash/PRNGs.md */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
