/**
 * Checks what would be published: publint, attw, knip, size-limit, and a project outside the repository that installs the
 * packed files, imports every door in Node and type-checks against the declarations without skipping any.
 *
 *   node scripts/check-package.mjs [name of one check]
 */
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
/** Compilers that a user may have: ours, and the last of the line before the native one. */
const CONSUMER_TYPESCRIPTS = ['typescript', 'typescript-5']

/** Doors that need an optional peer, and what a user of them has installed. */
const PEERS = { 'varve/react': ['react', '@types/react'] }

const CHECKS = {
  publint: (packed) => run([...bin('publint'), 'run', packed.tarball, '--strict']),
  attw: (packed) => run([...bin('@arethetypeswrong/cli', 'attw'), packed.tarball, '--profile', 'esm-only']),
  knip: () => run([...bin('knip'), '--no-progress']),
  size: () => run(bin('size-limit')),
  consumer: checkConsumer,
}

const chosen = process.argv.slice(2)
const unknown = chosen.find((name) => !Object.hasOwn(CHECKS, name))
if (unknown !== undefined) {
  console.error(`check-package: no check "${unknown}"; it is one of ${Object.keys(CHECKS).join(', ')}`)
  process.exit(1)
}
const failed = []
const workshop = mkdtempSync(join(tmpdir(), 'varve-package-'))
try {
  const packed = pack(workshop)
  for (const name of chosen.length > 0 ? chosen : Object.keys(CHECKS)) {
    console.log(`\npackage check: ${name}`)
    if (!CHECKS[name](packed)) failed.push(name)
  }
} finally {
  rmSync(workshop, { recursive: true, force: true })
}
if (failed.length > 0) {
  console.error(`\npackage checks that failed: ${failed.join(', ')}`)
  process.exitCode = 1
}

/** Packs the way `npm publish` would, into `into`. */
function pack(into) {
  const result = spawnSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', into], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
  })
  if (result.status !== 0) throw new Error(`npm pack did not work: ${result.stderr}`)
  // An array up to npm 11, an object by package name after it.
  const [{ filename }] = Object.values(JSON.parse(result.stdout))
  return { folder: into, tarball: join(into, filename) }
}

/** A project with nothing but the packed package and what it declares: every door loads and type-checks. */
function checkConsumer({ folder, tarball }) {
  const { name, exports, dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const modules = join(folder, 'node_modules')
  mkdirSync(join(modules, name), { recursive: true })
  if (!run(['tar', '-xzf', tarball, '-C', join(modules, name), '--strip-components=1'])) return false
  // Only what the package declares is there, so anything it uses undeclared is missed here as it would be at a user's.
  for (const dependency of [...Object.keys(dependencies), '@types/node']) link(dependency, modules)
  const doors = Object.keys(exports)
    .filter((door) => !door.endsWith('.json'))
    .map((door) => name + door.slice(1))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module", "private": true }\n')
  const withoutPeers = doors.filter((door) => !Object.hasOwn(PEERS, door))
  writeFileSync(join(folder, 'alone.mjs'), withoutPeers.map((door) => `import '${door}'\n`).join(''))
  if (!run([process.execPath, '--disable-warning=ExperimentalWarning', 'alone.mjs'], folder)) return false
  for (const peer of Object.values(PEERS).flat()) link(peer, modules)
  const imports = doors.map((door, index) => `import * as door${index} from '${door}'\n`).join('')
  const uses = doors.map(
    (door, index) => `if (Object.keys(door${index}).length === 0) throw new Error('${door}: no exports')\n`,
  )
  writeFileSync(join(folder, 'main.mjs'), imports + uses.join(''))
  cpSync(join(folder, 'main.mjs'), join(folder, 'main.mts'))
  writeFileSync(join(folder, 'required.cjs'), doors.map((door) => `require('${door}')\n`).join(''))
  const common = { target: 'ES2023', lib: ['ES2023'], strict: true, noEmit: true, types: ['node'] }
  const places = [
    { module: 'NodeNext', moduleResolution: 'NodeNext' },
    { module: 'ESNext', moduleResolution: 'bundler' },
  ]
  const declarations = places.flatMap((place) =>
    [true, false].map((exactOptionalPropertyTypes) => ({
      compilerOptions: { ...common, ...place, skipLibCheck: false, exactOptionalPropertyTypes },
      files: ['main.mts'],
    })),
  )
  return [
    run([process.execPath, '--disable-warning=ExperimentalWarning', 'main.mjs'], folder),
    run([process.execPath, '--disable-warning=ExperimentalWarning', 'required.cjs'], folder),
    ...declarations.map((config) => typeCheck(folder, config)),
    checkTypeTests(folder, { ...common, ...places[0] }),
  ].every(Boolean)
}

/** Puts a package of ours into `modules`, where it is installed. */
function link(name, modules) {
  const from = join(ROOT, 'node_modules', name)
  if (!existsSync(from)) return
  mkdirSync(dirname(join(modules, name)), { recursive: true })
  symlinkSync(from, join(modules, name), 'junction')
}

/** The type tests against the packed declarations: compilers differ in what they infer. */
function checkTypeTests(folder, common) {
  mkdirSync(join(folder, 'types'))
  const tests = readdirSync(join(ROOT, 'tests/types')).filter(
    (file) => file.endsWith('.types.test.ts') || file === 'compiled.ts',
  )
  for (const file of tests) {
    const text = readFileSync(join(ROOT, 'tests/types', file), 'utf8')
    const doors = { index: 'varve', core: 'varve/core', 'bridge/rules': 'varve/bridge', 'react/index': 'varve/react' }
    const code = text.replaceAll(/'..\/..\/src\/(.+)\.js'/g, (_, source) => `'${doors[source]}'`)
    writeFileSync(join(folder, 'types', file), code)
  }
  for (const dependency of ['arktype', 'valibot', 'vitest', 'zod']) link(dependency, join(folder, 'node_modules'))
  const options = { skipLibCheck: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true }
  return typeCheck(folder, { compilerOptions: { ...common, ...options }, include: ['types'] })
}

/** Whether every compiler takes the project in `folder`. */
function typeCheck(folder, config) {
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  return CONSUMER_TYPESCRIPTS.map((typescript) => run([...bin(typescript, 'tsc'), '-p', folder], folder)).every(Boolean)
}

function bin(packageName, binName = packageName) {
  const home = join(ROOT, 'node_modules', packageName)
  const { bin: bins } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
  return [process.execPath, join(home, typeof bins === 'string' ? bins : bins[binName])]
}

/** Runs a command on this terminal; false when it fails. */
function run([command, ...args], cwd = ROOT) {
  return spawnSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0
}
