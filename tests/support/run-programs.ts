import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Program } from './markdown.js'

/** What a child process did. */
export interface Ended {
  /** Exit code; null when it was ended by a signal, as it is at the time limit. */
  readonly code: number | null
  /** Standard output and standard error, as they came. */
  readonly output: string
}

/** Runs Node without standard input, for `limitMs` at most. */
export function runNode(args: readonly string[], cwd: string, limitMs: number): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const limit = setTimeout(() => {
      output += `\nstill running after ${limitMs} ms; ended\n`
      child.kill('SIGKILL')
    }, limitMs)
    child.on('error', reject)
    child.on('close', (code) => {
      clearTimeout(limit)
      resolve({ code, output })
    })
  })
}

/**
 * A folder outside the repository in which programs find the package `varve` and the packages it is developed with, the
 * way they would in a project of their own.
 */
export class Workshop {
  readonly folder: string
  readonly #root: string

  /** @param root the repository; its `dist` must be built. */
  constructor(root: string) {
    this.#root = root
    this.folder = mkdtempSync(join(tmpdir(), 'varve-docs-'))
    writeFileSync(join(this.folder, 'package.json'), '{ "type": "module", "private": true }\n')
    this.#link('varve', root)
    this.#link('@types/node', join(root, 'node_modules/@types/node'))
  }

  /**
   * Compiles all programs at once. Messages have the file and line of the document.
   * @returns by program: what the compiler says against it; and what it says that belongs to none.
   */
  async compile(programs: readonly Program[]): Promise<{ errors: Map<Program, string[]>; other: string[] }> {
    const errors = new Map<Program, string[]>(programs.map((program) => [program, []]))
    const bySource = new Map(programs.map((program) => [sourceName(program), program]))
    for (const program of programs) {
      this.#linkImports(program.text)
      const path = join(this.folder, sourceName(program))
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, program.text)
    }
    const compilerOptions = {
      target: 'ES2023',
      lib: ['ES2023'],
      types: ['node'],
      module: 'NodeNext',
      jsx: 'react-jsx',
      rootDir: '.',
      outDir: 'out',
      sourceMap: true,
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      allowJs: true,
      skipLibCheck: true,
      // Every program is a module of its own, with top-level await, imports or not.
      moduleDetection: 'force',
    }
    writeFileSync(
      join(this.folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: [...bySource.keys()] }, null, 2),
    )
    const tsc = join(this.#root, 'node_modules/typescript/bin/tsc')
    const { output } = await runNode([tsc, '-p', '.', '--pretty', 'false'], this.folder, 60_000)
    const other: string[] = []
    for (const line of output.split('\n')) {
      const found = /^(\S+?)\((\d+),\d+\): (error .*)$/.exec(line)
      const program = bySource.get(found?.[1] ?? '')
      if (program !== undefined) errors.get(program)?.push(`${program.file}:${found?.[2]}: ${found?.[3]}`)
      else if (/\berror\b/.test(line)) other.push(line)
    }
    return { errors, other }
  }

  /** Runs a compiled program in an empty folder of its own. Stack traces have the lines of the document. */
  async run(program: Program, limitMs: number): Promise<Ended> {
    const cwd = join(this.folder, 'work', sourceName(program).replaceAll('/', '-'))
    mkdirSync(cwd, { recursive: true })
    const script = join(
      this.folder,
      'out',
      sourceName(program)
        .replace(/\.mts$/, '.mjs')
        .replace(/\.tsx$/, '.js'),
    )
    if (!existsSync(script)) return { code: 1, output: `${program.file}:${program.line}: was not compiled` }
    return runNode(['--enable-source-maps', '--disable-warning=ExperimentalWarning', script], cwd, limitMs)
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  #linkImports(text: string): void {
    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(
      readFileSync(join(this.#root, 'package.json'), 'utf8'),
    ) as Record<string, Record<string, string> | undefined>
    const known = { ...dependencies, ...devDependencies, ...optionalDependencies }
    for (const [, specifier = ''] of text.matchAll(/\bfrom\s+['"]([^'".][^'"]*)['"]/g)) {
      const name = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/')
      for (const wanted of [name, `@types/${name}`]) {
        if (Object.hasOwn(known, wanted)) this.#link(wanted, join(this.#root, 'node_modules', wanted))
      }
    }
  }

  #link(name: string, target: string): void {
    const path = join(this.folder, 'node_modules', name)
    if (existsSync(path)) return
    mkdirSync(dirname(path), { recursive: true })
    symlinkSync(target, path, 'junction')
  }
}

/** There is no `.mtsx`: such a file is a module because the folder's package.json says so. */
const EXTENSIONS: Readonly<Record<string, string>> = { ts: 'mts', tsx: 'tsx', js: 'mjs' }

function sourceName({ file, line, language }: Program): string {
  return `${file}.${line}.${EXTENSIONS[language] ?? language}`
}
