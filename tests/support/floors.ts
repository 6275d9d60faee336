import { importsOf, resolveRelative } from './source.js'
import type { Import, SourceFiles } from './source.js'

/** The floors of docs/ARCHITECTURE.md, lowest first. Units on one line may not import each other. */
const FLOORS: readonly (readonly string[])[] = [
  ['base'],
  ['events', 'supervise'],
  ['schema', 'sqlite'],
  ['log', 'streams'],
  // Storages of record streams, each a door.
  ['postgres', 'idb'],
  ['state'],
  ['query'],
  ['commit'],
  ['reactive', 'lifecycle'],
  // Files directly in src that are not doors: the parts that core.ts and store.ts are put together from.
  ['wiring'],
  ['core.ts', 'snapshots.ts', 'sqlite.ts'],
  ['history'],
  ['sync', 'sourcing', 'bridge'],
  ['store.ts'],
  ['index.ts'],
  ['react', 'server', 'cli', 'inspector', 'testing'],
]

/** Packages that only the named unit may import; what is not listed may be imported above the core's closure. */
const PACKAGE_HOMES: Readonly<Record<string, string>> = {
  commander: 'cli',
  'cli-table3': 'cli',
  '@photostructure/sqlite': 'sqlite',
  'better-sqlite3': 'sqlite',
  react: 'react',
}

const CORE = 'src/core.ts'

/**
 * Every place in `files` (paths under `src/`) that breaks a rule of the floors, one sentence each: where, what, rule.
 * Test files may import vitest, any package and `testing` besides the floors below them.
 */
export function floorViolations(files: SourceFiles): string[] {
  const graph = new Map([...files].map(([path, text]) => [path, importsOf(path, text)]))
  return [
    ...[...graph].flatMap(([path, imports]) => imports.flatMap((found) => checkImport(path, found, files))),
    ...cycles(graph).map((cycle) => `${cycle.join(' → ')}: a cycle of imports; files must form a tree of dependencies`),
    ...checkCoreClosure(graph),
  ]
}

/** The unit that `path` belongs to: a folder of src, a door, or `wiring`. */
function unitOf(path: string): string {
  const [, first = '', second] = path.split('/')
  if (second !== undefined) return first
  return FLOORS.some((line) => line.includes(first)) ? first : 'wiring'
}

function levelOf(unit: string): number {
  return FLOORS.findIndex((line) => line.includes(unit))
}

function isTest(path: string): boolean {
  return path.endsWith('.test.ts')
}

function checkImport(path: string, found: Import, files: SourceFiles): string[] {
  const at = `${path}:${found.line}`
  const unit = unitOf(path)
  if (levelOf(unit) === -1) return [`${at}: folder src/${unit} has no floor; give it one in tests/support/floors.ts`]
  if (!found.specifier.startsWith('.')) return checkPackage(at, unit, path, found.specifier)

  const target = resolveRelative(path, found.specifier)
  if (!found.specifier.endsWith('.js'))
    return [`${at}: '${found.specifier}' does not end in .js, so Node cannot find it`]
  if (!target.startsWith('src/')) {
    return isTest(path) ? [] : [`${at}: imports ${target}, which is outside src; src stands on its own`]
  }
  if (!files.has(target)) return [`${at}: imports ${target}, which does not exist`]
  if (isTest(target)) return [`${at}: imports ${target}; nothing may import a test`]
  const targetUnit = unitOf(target)
  if (targetUnit === unit) return []
  if (isTest(path) && targetUnit === 'testing') return []
  const [level, targetLevel] = [levelOf(unit), levelOf(targetUnit)]
  if (targetLevel < level) return []
  const relation = targetLevel === level ? 'beside it on the same floor' : 'above it'
  return [`${at}: ${unit} imports ${targetUnit} (${target}), ${relation}; a file may import only from lower floors`]
}

function checkPackage(at: string, unit: string, path: string, specifier: string): string[] {
  if (isTest(path)) return []
  const home = PACKAGE_HOMES[packageOf(specifier)]
  if (home !== undefined && home !== unit) return [`${at}: only src/${home} may import ${specifier}`]
  if (packageOf(specifier) === 'vitest' && unit !== 'testing') return [`${at}: only tests may import vitest`]
  return []
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** What core.ts needs at run time must run in a browser: no Node module, no SQLite, no package. */
function checkCoreClosure(graph: ReadonlyMap<string, readonly Import[]>): string[] {
  const violations: string[] = []
  const cameFrom = new Map<string, string | undefined>([[CORE, undefined]])
  for (const path of cameFrom.keys()) {
    for (const { specifier, typeOnly, line } of graph.get(path) ?? []) {
      if (typeOnly) continue
      const target = specifier.startsWith('.') ? resolveRelative(path, specifier) : undefined
      if (target === undefined || unitOf(target) === 'sqlite') {
        const chain: string[] = []
        for (let step: string | undefined = path; step !== undefined; step = cameFrom.get(step)) chain.unshift(step)
        violations.push(
          `${path}:${line}: core.ts must not reach ${specifier}, since it has to run in a browser (${chain.join(' → ')})`,
        )
      } else if (!cameFrom.has(target)) cameFrom.set(target, path)
    }
  }
  return violations
}

/** The import cycles among `graph`, types included, each once, as a closed path. */
function cycles(graph: ReadonlyMap<string, readonly Import[]>): string[][] {
  const found: string[][] = []
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path)
    if (at !== -1) {
      found.push([...trail.slice(at), path])
      return
    }
    if (done.has(path)) return
    for (const { specifier } of graph.get(path) ?? []) {
      if (!specifier.startsWith('.')) continue
      const target = resolveRelative(path, specifier)
      if (graph.has(target)) visit(target, [...trail, path])
    }
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return found
}
