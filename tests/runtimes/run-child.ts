import { spawn } from 'node:child_process'

/** The outcome of one case, as `suites.mjs` tells it. */
export interface Outcome {
  readonly suite: string
  readonly name: string
  readonly ms: number
  readonly error?: string
  readonly lacks?: readonly string[]
}

/** What a run has told: outcomes of cases, and whatever else. */
export interface Told {
  readonly outcomes: readonly Outcome[]
  readonly facts: { readonly [name: string]: unknown }
}

/** Puts lines together: those of cases, and those with other facts. */
export function told(lines: readonly object[]): Told {
  const outcomes = lines.filter((line): line is Outcome => 'suite' in line)
  const facts: object[] = lines.filter((line) => !('suite' in line))
  return { outcomes, facts: Object.assign({}, ...facts) as Told['facts'] }
}

/**
 * Runs a program that tells lines of JSON.
 *
 * @throws {Error} it ended with another code than 0, or was still running after `limitMs`; with all that it has told.
 */
export async function runChild(program: string, args: readonly string[], cwd: string, limitMs: number): Promise<Told> {
  const { code, stdout, stderr } = await runProgram(program, args, cwd, limitMs)
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: exit code ${code}\n${stdout.slice(-2_000)}\n${stderr}`)
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'))
  return told(lines.map((line) => JSON.parse(line) as object))
}

/** Runs a program without standard input. @returns exit code, `null` when it was still running after `limitMs`. */
export function runProgram(
  program: string,
  args: readonly string[],
  cwd: string,
  limitMs: number,
  env: { readonly [name: string]: string } = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', ...env },
    })
    const output = { stdout: '', stderr: '' }
    child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()))
    const limit = setTimeout(() => {
      output.stderr += `\nstill running after ${limitMs} ms; ended\n`
      child.kill('SIGKILL')
    }, limitMs)
    child.on('error', reject)
    child.on('close', (code) => {
      clearTimeout(limit)
      resolve({ code, ...output })
    })
  })
}
