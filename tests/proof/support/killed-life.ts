import { spawn } from 'node:child_process'

/**
 * Runs the program `child` and kills it `ms` milliseconds after it has said its first word.
 *
 * @returns what it has acknowledged: each whole line of its output, as JSON.
 */
export function killedLife<T>(child: string, args: readonly string[], ms: number): Promise<T[]> {
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
      resolve(lines.map((line) => JSON.parse(line) as T))
    })
  })
}
