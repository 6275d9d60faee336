import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import type { DemoResult } from '../../src/cli/demo/demo.js'

/** The built command line; `npm test` builds it first. */
export const CLI: string = process.env['VARVE_CLI'] ?? fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** How a run is ended from outside. */
export type Signal = 'SIGKILL' | 'SIGINT' | 'SIGTERM'

export interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd: string
  readonly env?: Record<string, string>
  /** Ends the child with `signal` after so many milliseconds, or when its output matches. */
  readonly end?: { readonly signal: Signal; readonly after: number | RegExp }
  readonly cli?: string
}

/** A command that only reads is tried once more when it has not ended after this time: see `varve`. */
const STUCK_MS = 25_000
const READING: readonly string[] = ['verify', 'check']

/**
 * Runs `varve` with `args` to its end.
 *
 * Twice in some thousand runs, on a busy machine, a process of Node 20 that had done its work did not end: its only thread that was
 * not idle waited for a lock of Node's own (a futex, no event loop). That is not what these tests are about, so it is said, and tried again.
 */
export async function varve(args: readonly string[], options: RunOptions): Promise<Ended> {
  if (!READING.includes(args[0] ?? '') || options.end !== undefined) return runOnce(args, options)
  const ended = await runOnce(args, { ...options, end: { signal: 'SIGKILL', after: STUCK_MS } })
  if (ended.signal !== 'SIGKILL') return ended
  console.warn(
    `varve ${args.join(' ')} had not ended after ${STUCK_MS} ms and is run again; so far: ${ended.stdout.slice(-200)}`,
  )
  return runOnce(args, options)
}

function runOnce(args: readonly string[], { cwd, env, end, cli = CLI }: RunOptions): Promise<Ended> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', cli, ...args], {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  let isEnded = false
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
      if (isEnded || !(end?.after instanceof RegExp) || !end.after.test(output.stdout + output.stderr)) return
      isEnded = true
      child.kill(end.signal)
    })
  }
  const timer = typeof end?.after === 'number' ? setTimeout(() => child.kill(end.signal), end.after) : undefined
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ code, signal, ...output })
    })
  })
}

/** Runs `varve demo --json` and answers the document, after checking that it is all there is on stdout. */
export async function demoJson(args: readonly string[], options: RunOptions): Promise<DemoResult> {
  const { code, stdout, stderr } = await varve(['demo', '--json', ...args], options)
  if (code !== 0) throw new Error(`varve demo ended with ${code}: ${stderr}`)
  return JSON.parse(stdout) as DemoResult
}

/** What has to be the same in every run over the same data. */
export function shown({ queries, reactive, transactions, crash, report }: DemoResult): unknown {
  return {
    answers: queries.queries.map(({ call, answer, value }) => ({ call, answer, value: withoutTimes(value) })),
    populous: queries.populous.countries,
    first: reactive.first,
    reactions: reactive.reactions.map(({ write, result }) => ({ write, result })),
    lost: transactions.contended.lostUpdates,
    crash: [crash.before, crash.after, crash.isSame],
    records: report.stats.records,
  }
}

/** When a record was imported differs between two imports; nothing else does. */
function withoutTimes(value: unknown): unknown {
  const text = JSON.stringify(value, (key, item: unknown) => (/^_(created|updated)At$/.test(key) ? 0 : item))
  return text === undefined ? undefined : JSON.parse(text)
}

/** An empty folder that goes when the test has ended. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'varve-cli-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
