/**
 * Makes the checkout ready (packages installed, `dist` built) and then runs one task, so that `npm start` and
 * `npm test` work as the first command after a clone. Plain Node without dependencies: it runs before there are any.
 *
 *   node scripts/ensure.mjs <task> [arguments for the task]
 *
 * Says what it does on stderr only; stdout belongs to the task.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { constants } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const NODE_MIN = [20, 19]
const EXAMPLE = 'examples/react-tasks'
const FORMATTED = ['format', '.', '--max-diagnostics=20']

/** Every task: what it needs first, then the commands it runs, each an argument list for Node. */
const TASKS = {
  install: { needs: ['install'], run: () => [] },
  build: { needs: ['install', 'build'], run: () => [] },
  start: { needs: ['install', 'build'], run: (args) => [node('dist/cli/main.js', 'demo', ...args)] },
  test: { needs: ['install', 'build'], run: (args) => [types(), tool('vitest', 'run', ...args)] },
  coverage: { needs: ['install', 'build'], run: (args) => [tool('vitest', 'run', '--coverage', ...args)] },
  types: { needs: ['install'], run: (args) => [types(...args)] },
  lint: {
    needs: ['install'],
    run: (args) => [tool('oxlint', 'src', 'tests', 'scripts', 'bench', 'examples', 'vitest.config.ts', ...args)],
  },
  format: { needs: ['install'], run: (args) => [tool('@biomejs/biome:biome', ...FORMATTED, '--write', ...args)] },
  'format:check': { needs: ['install'], run: (args) => [tool('@biomejs/biome:biome', ...FORMATTED, ...args)] },
  'package:check': { needs: ['install', 'build'], run: (args) => [node('scripts/check-package.mjs', ...args)] },
  example: { needs: ['install', 'build', 'example'], run: (args) => [tool('vite', EXAMPLE, ...args)] },
  'example:build': {
    needs: ['install', 'build', 'example'],
    run: (args) => [
      tool('typescript:tsc', '-p', EXAMPLE),
      tool('vite', 'build', EXAMPLE, '--logLevel', 'warn', ...args),
    ],
  },
  'example:shop': { needs: ['install', 'build'], run: (args) => [node('examples/shop/main.mjs', ...args)] },
  'example:yjs': { needs: ['install', 'build'], run: (args) => [node('examples/yjs/main.mjs', ...args)] },
  torture: { needs: ['install', 'build'], run: (args) => [node('tests/torture/main.mjs', ...args)] },
  bench: { needs: ['install', 'build'], run: (args) => [node('--expose-gc', 'bench/main.mjs', ...args)] },
}

const [task, ...args] = process.argv.slice(2)
if (!Object.hasOwn(TASKS, task ?? '')) {
  fail(`scripts/ensure.mjs: unknown task ${task ?? '(none)'}; it is one of ${Object.keys(TASKS).join(', ')}`)
}
checkNode()
const { needs, run } = TASKS[task]
if (needs.includes('install')) install()
if (needs.includes('build')) build()
if (needs.includes('example')) linkExample()
// All of them, even when one fails: who broke a type wants to see the tests as well.
for (const command of run(args)) {
  const code = await runInForeground(command)
  if (code !== 0) process.exitCode = code
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return
  fail(`varve needs Node ${NODE_MIN.join('.')} or newer, and this is ${process.versions.node}; nothing was done`)
}

/** Installs the packages that package-lock.json names, unless they are all there. */
function install() {
  if (missingPackage() === undefined) return
  say('installing packages (about half a minute, once)')
  npmInstall()
  // A lockfile names the native packages of the platforms it was made on. Elsewhere npm leaves ours out, and only a
  // resolution without the lockfile finds it; direct dependencies are pinned, so it gives the same tools.
  if (!compilerRuns()) npmInstall('--no-package-lock')
  if (!compilerRuns()) fail('the TypeScript compiler does not start after the install; remove node_modules and retry')
  const missing = missingPackage()
  if (missing !== undefined) say(`npm left out ${missing}; going on without it`)
}

function npmInstall(...more) {
  const flags = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error', '--include=dev', ...more]
  const ownNpm = process.env.npm_execpath
  const result =
    ownNpm !== undefined && basename(ownNpm) === 'npm-cli.js'
      ? spawnSync(process.execPath, [ownNpm, ...flags], {
          cwd: ROOT,
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'pipe'],
        })
      : spawnSync('npm', flags, {
          cwd: ROOT,
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'pipe'],
          shell: process.platform === 'win32',
        })
  if (result.status === 0) return
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`)
  fail(`npm install did not work (${result.error?.message ?? `exit code ${result.status}`}); see above`)
}

/** The first package of package-lock.json that node_modules does not hold in that version, or undefined. */
function missingPackage() {
  const wanted = readJson('package-lock.json')?.packages
  const found = readJson('node_modules/.package-lock.json')?.packages
  if (wanted === undefined) fail('package-lock.json is missing or not JSON; restore it from git')
  if (found === undefined) return 'everything'
  const isThere = (path) => existsSync(join(ROOT, path, 'package.json'))
  const { dependencies = {}, devDependencies = {} } = readJson('package.json') ?? {}
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
    // `npm:typescript@5.9.3` is a package under another name.
    const exact = version.slice(version.lastIndexOf('@') + 1)
    const path = `node_modules/${name}`
    // A folder of this repository is linked, and has no version.
    const isWanted = version.startsWith('file:') || found[path]?.version === exact
    if (!isWanted || !isThere(path)) return `${name} ${exact}`
  }
  // Of the others it is enough that they are there: an install without the lockfile may have chosen another version.
  for (const [path, { version, optional, link }] of Object.entries(wanted)) {
    if (path !== '' && !optional && !link && !isThere(path)) return `${path} ${version}`
  }
  return undefined
}

function compilerRuns() {
  if (!existsSync(join(ROOT, 'node_modules/typescript/package.json'))) return false
  return (
    spawnSync(process.execPath, [...tool('typescript:tsc', '--version')], { cwd: ROOT, stdio: 'ignore' }).status === 0
  )
}

/** Compiles `src` to `dist` where something changed (`tsc -b` knows), and removes what no longer has a source. */
function build() {
  const first = !existsSync(join(ROOT, 'dist/.tsbuildinfo'))
  if (first) say('building')
  const result = spawnSync(process.execPath, tool('typescript:tsc', '-b', 'tsconfig.json'), {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (result.status !== 0) {
    process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`)
    fail('the build failed; see above')
  }
  for (const file of listFiles(join(ROOT, 'dist'))) {
    const source = /^(.+?)(?:\.d\.ts|\.js)(?:\.map)?$/.exec(relative(join(ROOT, 'dist'), file))?.[1]
    if (source !== undefined && !existsSync(join(ROOT, 'src', `${source}.ts`))) rmSync(file, { force: true })
  }
}

/**
 * Lets the example find `varve` by its name, as after an install of its own. What else it needs is found in the checkout, in the
 * same versions.
 */
function linkExample() {
  const modules = join(ROOT, EXAMPLE, 'node_modules')
  if (existsSync(join(modules, 'varve', 'package.json'))) return
  mkdirSync(modules, { recursive: true })
  rmSync(join(modules, 'varve'), { force: true, recursive: true })
  symlinkSync(ROOT, join(modules, 'varve'), 'junction')
}

function listFiles(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true }).flatMap((item) =>
    item.isDirectory() ? listFiles(join(folder, item.name)) : [join(folder, item.name)],
  )
}

/** The type check of all tests, `*.types.test.ts` with their `@ts-expect-error` lines included. */
function types(...more) {
  // TypeScript writes its build info there and does not make the folder on every platform.
  mkdirSync(join(ROOT, 'node_modules/.cache/varve'), { recursive: true })
  return tool('typescript:tsc', '-p', 'tsconfig.test.json', ...more)
}

function node(file, ...more) {
  return ['--disable-warning=ExperimentalWarning', file, ...more]
}

/** The program `bin` of an installed package, `package:bin` where the names differ. */
function tool(name, ...more) {
  const [packageName, binName = packageName] = name.split(':')
  const { bin } = readJson(`node_modules/${packageName}/package.json`) ?? fail(`${packageName} is not installed`)
  return [join(ROOT, 'node_modules', packageName, typeof bin === 'string' ? bin : bin[binName]), ...more]
}

/** Runs Node with `command` on this terminal. Signals reach the child; this waits for it and takes over its end. */
function runInForeground(command) {
  const { promise, resolve } = deferred()
  const child = spawn(process.execPath, command, { cwd: ROOT, stdio: 'inherit' })
  // Ctrl-C goes to the whole group: the child decides what to do with it, this only must not die before it.
  const ignore = () => {}
  const forward = (signal) => child.kill(signal)
  process.on('SIGINT', ignore)
  process.on('SIGTERM', forward)
  process.on('SIGHUP', forward)
  child.on('error', (error) => fail(`cannot run ${command.join(' ')}: ${error.message}`))
  child.on('exit', (code, signal) => {
    process.off('SIGINT', ignore)
    process.off('SIGTERM', forward)
    process.off('SIGHUP', forward)
    resolve(code ?? 128 + (constants.signals[signal] ?? 0))
  })
  return promise
}

function deferred() {
  let resolve
  const promise = new Promise((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(join(ROOT, path), 'utf8'))
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
}

function say(message) {
  process.stderr.write(`varve: ${message}\n`)
}

function fail(message) {
  process.stderr.write(`varve: ${message}\n`)
  process.exit(1)
}
