import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { quickFolder } from './places.js'

/** What a program has acknowledged: the id, under what has happened to it. */
export interface Told {
  readonly [happened: string]: string | undefined
}

/**
 * Runs the program `child` and kills it `ms` milliseconds after it has said its first word.
 *
 * @returns what it has acknowledged: each whole line of its output, as JSON.
 */
function killedLife(child: string, args: readonly string[], ms: number): Promise<Told[]> {
  const life = spawn(process.execPath, [child, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  life.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (out === '') setTimeout(() => life.kill('SIGKILL'), ms)
    out += text
  })
  return new Promise((resolve, reject) => {
    life.on('error', reject)
    life.on('close', () => {
      const lines = out.split('\n').slice(0, -1)
      resolve(lines.map((line) => JSON.parse(line) as Told))
    })
  })
}

/**
 * Runs the program `child` again and again on one file, with arguments `<file> <life> <bug>`, and kills it each time at some moment.
 *
 * @param msMax longest life after the first word.
 * @param judge is given the file, and all that was acknowledged; returns what is wrong.
 */
export async function wrongAfterKills(
  child: string,
  { bug = '-', lives, msMax }: { readonly bug?: string; readonly lives: number; readonly msMax: number },
  judge: (file: string, told: readonly Told[]) => Promise<string[]>,
): Promise<string[]> {
  const folder = quickFolder('varve-kill-')
  const file = join(folder, 'app.db')
  try {
    const told: Told[] = []
    for (let life = 0; life < lives; life++) {
      told.push(...(await killedLife(child, [file, String(life), bug], 30 + Math.random() * (msMax - 30))))
    }
    return await judge(file, told)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
