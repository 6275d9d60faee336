import { calleeName, isNode, lineAt, literalText, parse, walk } from './source.js'
import type { Comment, SourceFiles, SyntaxNode } from './source.js'

/** Globals that reach the clock, timers, randomness or cryptography; only src/base may name them. */
const WORLD_GLOBALS = [
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'clearImmediate',
  'queueMicrotask',
  'crypto',
  'performance',
]
const WORLD_MEMBERS = ['Date.now', 'Math.random', 'process.hrtime', 'process.nextTick']
const WORLD_MODULES = /^(node:)?(crypto|timers|timers\/promises|perf_hooks)$/
/** Where the outside world may be named: `base` brings it in, and these are not part of a running store. */
const WORLD_FOLDERS = ['src/base/', 'src/testing/', 'src/cli/']

const INVARIANT_ID = /^[A-Z]{1,3}\d{1,2}$/

interface File {
  readonly path: string
  readonly text: string
  readonly program: SyntaxNode
  readonly comments: readonly Comment[]
}

type Report = (node: { readonly start: number }, message: string) => void

/**
 * Every place in `files` (paths under `src/`) that breaks a rule of STYLE.md, one sentence each: where, what, instead.
 *
 * @param doors the files that package.json exports; only they may consist of re-exports.
 */
export function tidyViolations(files: SourceFiles, doors: readonly string[]): string[] {
  return parseAll(files).flatMap((file) => {
    const found: string[] = []
    const report: Report = (node, message) => found.push(`${file.path}:${lineAt(file.text, node.start)}: ${message}`)
    checkName(file, report)
    checkComments(file, report)
    checkBarrel(file, doors, report)
    walk(file.program, (node, ancestors) => {
      checkCatch(file, node, report)
      checkEnvironment(file, node, ancestors, report)
      checkWorld(file, node, ancestors, report)
    })
    return found
  })
}

function parseAll(files: SourceFiles): File[] {
  return [...files].map(([path, text]) => ({ path, text, ...parse(path, text) }))
}

function isTest(path: string): boolean {
  return path.endsWith('.test.ts')
}

function checkName({ path }: File, report: Report): void {
  if (/\/(types|utils|util|helpers|common)\.ts$/.test(path)) {
    report({ start: 0 }, 'named after nothing; a type or function lives with the concept that it belongs to')
  }
}

function checkComments({ comments }: File, report: Report): void {
  for (const comment of comments) {
    const mark = /\b(TODO|FIXME|XXX|HACK)\b/.exec(comment.value)?.[1]
    if (mark !== undefined) report(comment, `a ${mark} on main; do it now, or file an issue`)
  }
}

function checkBarrel({ path, program }: File, doors: readonly string[], report: Report): void {
  const statements = program['body'] as readonly SyntaxNode[]
  for (const statement of statements) {
    if (statement.type === 'ExportAllDeclaration') report(statement, 'export *; a door names what it exports')
  }
  const onlyReexports = statements.every(
    (statement) => isNode(statement['source']) && statement.type.startsWith('Export'),
  )
  if (statements.length > 0 && onlyReexports && !doors.includes(path)) {
    report({ start: 0 }, 'a barrel: it only re-exports; import from the files themselves')
  }
}

function checkCatch({ path, text, comments }: File, node: SyntaxNode, report: Report): void {
  if (node.type === 'CatchClause') {
    const body = node['body'] as SyntaxNode
    if (!isNode(node['param'])) report(node, 'catch without a binding; handle the error, rethrow or record it')
    else if ((body['body'] as unknown[]).length === 0)
      report(node, 'an empty catch; handle the error, rethrow or record it')
    else if (path !== 'src/base/quietly.ts' && (body['body'] as SyntaxNode[]).some(isVoid))
      report(node, 'a catch that voids the error; handle it, or use quietly() and say in a comment why nobody needs it')
  }
  if (isTest(path) || node.type !== 'CallExpression') return
  /** Whether there is a comment in the call from `from` on, or right above that. */
  const isExplained = (from: number): boolean =>
    comments.some(({ start, end }) => end < node.end && (start > from || lineAt(text, from) - lineAt(text, end) <= 1))
  if (calleeName(node) === 'quietly' && !isExplained(node.start))
    report(node, 'quietly() without a comment above; say why nobody needs the error')
  if (calleeName(node) !== 'catch') return
  const handler = (node['arguments'] as readonly SyntaxNode[])[0]
  if (handler === undefined || !handler.type.endsWith('FunctionExpression')) return
  const body = handler['body'] as SyntaxNode
  const empty = body.type === 'BlockStatement' && (body['body'] as unknown[]).length === 0
  if ((empty || (body.type === 'Identifier' && body['name'] === 'undefined')) && !isExplained(handler.start)) {
    report(handler, '.catch() that swallows the error; handle it, or say in a comment who else does')
  }
}

function isVoid(statement: SyntaxNode): boolean {
  const { expression } = statement as { expression?: { type?: string; operator?: string } }
  return expression?.type === 'UnaryExpression' && expression.operator === 'void'
}

function checkEnvironment({ path }: File, node: SyntaxNode, ancestors: readonly SyntaxNode[], report: Report): void {
  const name = globalMember(node, ancestors)
  if (name === 'process.exit' && !path.startsWith('src/cli/')) {
    report(node, 'process.exit; only the command line may end the process, throw instead')
  }
  if ((node.type === 'Identifier' && node['name'] === 'NODE_ENV') || literalText(node) === 'NODE_ENV') {
    report(node, 'NODE_ENV; behaviour does not depend on it, take an option')
  }
}

function checkWorld({ path }: File, node: SyntaxNode, ancestors: readonly SyntaxNode[], report: Report): void {
  if (isTest(path) || WORLD_FOLDERS.some((folder) => path.startsWith(folder))) return
  const instead = 'only src/base reaches the outside world; take it from the Runtime'
  const name = globalMember(node, ancestors)
  const [object, member] = name?.split('.') ?? []
  if (name !== undefined && WORLD_MEMBERS.includes(name)) report(node, `${name}; ${instead}`)
  else if (['globalThis', 'self', 'window'].includes(object ?? '') && WORLD_GLOBALS.includes(member ?? '')) {
    report(node, `${name}; ${instead}`)
  } else if (
    node.type === 'Identifier' &&
    isReference(node, ancestors) &&
    WORLD_GLOBALS.includes(node['name'] as string)
  ) {
    report(node, `${String(node['name'])}; ${instead}`)
  } else if (
    node.type === 'NewExpression' &&
    calleeName(node) === 'Date' &&
    (node['arguments'] as unknown[]).length === 0
  ) {
    report(node, `new Date() without an argument; ${instead}`)
  } else if (node.type === 'CallExpression' && isNode(node['callee']) && node['callee']['name'] === 'Date') {
    report(node, `Date() without new; ${instead}`)
  } else if (node.type === 'ImportDeclaration' && WORLD_MODULES.test(literalText(node['source']) ?? '')) {
    report(node, `${literalText(node['source'])}; ${instead}`)
  }
}

/** `a.b` for a member of a global, whether written `a.b`, `a['b']` or `a?.b`; undefined where `a` is declared here. */
function globalMember(node: SyntaxNode, ancestors: readonly SyntaxNode[]): string | undefined {
  if (node.type !== 'MemberExpression') return undefined
  const { object, property } = node as unknown as { object: SyntaxNode; property: SyntaxNode }
  if (object.type !== 'Identifier' || isDeclared(String(object['name']), ancestors)) return undefined
  const member = node['computed'] === true ? literalText(property) : property['name']
  return typeof member === 'string' ? `${String(object['name'])}.${member}` : undefined
}

/** True where an enclosing function, block or loop declares `name`, so that it is not the global of that name. */
function isDeclared(name: string, ancestors: readonly SyntaxNode[]): boolean {
  const binds = (pattern: unknown): boolean => {
    if (Array.isArray(pattern)) return pattern.some(binds)
    if (!isNode(pattern)) return false
    if (pattern.type === 'Identifier') return pattern['name'] === name
    if (pattern.type === 'Property') return binds(pattern['value'])
    const { properties, elements, left, argument, parameter } = pattern
    return [properties, elements, left, argument, parameter].some(binds)
  }
  const declares = (statement: unknown): boolean =>
    isNode(statement) &&
    ((statement.type === 'VariableDeclaration' &&
      (statement['declarations'] as SyntaxNode[]).some(({ id }) => binds(id))) ||
      (statement.type === 'ImportDeclaration' &&
        (statement['specifiers'] as SyntaxNode[]).some(({ local }) => binds(local))) ||
      (/^(Function|Class)Declaration$/.test(statement.type) && binds(statement['id'])))
  return ancestors.some(
    ({ type, params, param, body, init, left }) =>
      (/Function/.test(type) && binds(params)) ||
      (type === 'CatchClause' && binds(param)) ||
      (Array.isArray(body) && body.some(declares)) ||
      (type.startsWith('For') && (declares(init) || declares(left))),
  )
}

/** True where `identifier` stands for a value, rather than naming a property, a parameter, a key or a type. */
function isReference(identifier: SyntaxNode, ancestors: readonly SyntaxNode[]): boolean {
  const parent = ancestors.at(-1)
  if (parent === undefined) return true
  if (isDeclared(String(identifier['name']), ancestors)) return false
  if (parent.type.startsWith('TS') && parent.type !== 'TSAsExpression' && parent.type !== 'TSNonNullExpression') {
    return parent.type === 'TSSatisfiesExpression'
  }
  switch (parent.type) {
    case 'MemberExpression':
      return parent['computed'] === true || parent['object'] === identifier
    case 'Property':
      // In `{ crypto }` key and value are both this name, and the value is a reference unless it is a pattern.
      if (ancestors.at(-2)?.type === 'ObjectPattern') return false
      return parent['computed'] === true || parent['value'] === identifier
    case 'MethodDefinition':
    case 'PropertyDefinition':
    case 'AccessorProperty':
      return parent['computed'] === true || parent['value'] === identifier
    case 'ImportSpecifier':
    case 'ExportSpecifier':
    case 'LabeledStatement':
    case 'FunctionDeclaration':
    case 'FunctionExpression':
      return false
    case 'ArrowFunctionExpression':
      return parent['body'] === identifier
    case 'VariableDeclarator':
      return parent['init'] === identifier
    default:
      return true
  }
}

/** What the ratchet file holds: the aim for everything, and today's maxima of what is over it. */
export interface Ratchet {
  readonly fileLinesAim: number
  readonly functionLinesAim: number
  /** Lines by path. */
  readonly files: Readonly<Record<string, number>>
  /** Lines by `path#name`. */
  readonly functions: Readonly<Record<string, number>>
}

/** What the ratchet says about `files`: growth that is refused, and a ratchet that is tighter. */
export interface RatchetReport {
  readonly violations: readonly string[]
  /** Entries that can be lowered or taken out now. */
  readonly loose: readonly string[]
  readonly tightened: Ratchet
}

/** Measures files and functions (tests excepted) against `ratchet`, which only ever lets the maxima fall. */
export function checkRatchet(files: SourceFiles, ratchet: Ratchet): RatchetReport {
  const sources = parseAll(new Map([...files].filter(([path]) => !isTest(path))))
  const fileLines = new Map(sources.map(({ path, text }) => [path, countLines(text)]))
  const functionLines = new Map(sources.flatMap((file) => [...functionsOf(file)]))
  const ofFiles = compare(fileLines, ratchet.fileLinesAim, ratchet.files, 'file')
  const ofFunctions = compare(functionLines, ratchet.functionLinesAim, ratchet.functions, 'function')
  return {
    violations: [...ofFiles.violations, ...ofFunctions.violations],
    loose: [...ofFiles.loose, ...ofFunctions.loose],
    tightened: { ...ratchet, files: ofFiles.tightened, functions: ofFunctions.tightened },
  }
}

function compare(
  lines: ReadonlyMap<string, number>,
  aim: number,
  maxima: Readonly<Record<string, number>>,
  what: string,
): { violations: string[]; loose: string[]; tightened: Record<string, number> } {
  const violations: string[] = []
  const loose: string[] = []
  const tightened: Record<string, number> = {}
  for (const [name, count] of lines) {
    const max = Math.max(aim, maxima[name] ?? 0)
    if (count > max) violations.push(`${name}: the ${what} has ${count} lines and may have ${max}; split it by concept`)
  }
  for (const [name, max] of Object.entries(maxima)) {
    const count = lines.get(name) ?? 0
    if (count > aim) tightened[name] = Math.min(count, max)
    if (count < max) loose.push(`${name}: ${max} can be ${count > aim ? `lowered to ${count}` : 'taken out'}`)
  }
  return { violations, loose, tightened }
}

function countLines(text: string): number {
  return text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
}

/** Lines of each named function and method, by `path#name`; of functions with the same name the longest counts. */
function functionsOf({ path, text, program }: File): Map<string, number> {
  const lines = new Map<string, number>()
  walk(program, (node, ancestors) => {
    if (!/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type)) return
    const name = `${path}#${functionName(node, ancestors)}`
    const count = lineAt(text, node.end) - lineAt(text, node.start) + 1
    lines.set(name, Math.max(count, lines.get(name) ?? 0))
  })
  return lines
}

function functionName(node: SyntaxNode, ancestors: readonly SyntaxNode[]): string {
  const owner = isNode(node['id']) ? node['id'] : undefined
  if (owner !== undefined) return String(owner['name'])
  for (const ancestor of ancestors.toReversed()) {
    const named = ancestor['key'] ?? ancestor['id']
    if (isNode(named) && typeof named['name'] === 'string') return named['name']
    if (/Function/.test(ancestor.type)) break
  }
  return '(anonymous)'
}

/**
 * Where docs/INVARIANTS.md, the code and the tests disagree on which invariants there are.
 *
 * @param document text of docs/INVARIANTS.md: one table row that starts with `| X1 |` per invariant.
 * @param files sources under `src/`, tests included.
 * @param tests further test files.
 */
export function invariantViolations(document: string, files: SourceFiles, tests: SourceFiles): string[] {
  const rows = [...document.matchAll(/^\| *\**([A-Z]{1,3}\d{1,2})\** *\|/gm)].map((match) => match[1] ?? '')
  const inCode = new Map<string, string>()
  for (const file of parseAll(files)) {
    if (isTest(file.path)) continue
    walk(file.program, (node) => {
      if (!/^(CallExpression|NewExpression)$/.test(node.type) || !/^assert|^must|Error$/.test(calleeName(node))) return
      for (const argument of node['arguments'] as readonly SyntaxNode[]) {
        const id = literalText(argument)
        if (id !== undefined && INVARIANT_ID.test(id)) inCode.set(id, `${file.path}:${lineAt(file.text, node.start)}`)
      }
    })
  }
  const testTexts = [...[...files].filter(([path]) => isTest(path)), ...tests].map(([, text]) => text)
  const isTested = (id: string): boolean => testTexts.some((text) => new RegExp(`\\b${id}\\b`).test(text))
  return [
    ...rows
      .filter((id, index) => rows.indexOf(id) !== index)
      .map((id) => `docs/INVARIANTS.md: ${id} is there twice; a number is given once`),
    ...[...new Set(rows)].flatMap((id) => [
      ...(inCode.has(id) ? [] : [`docs/INVARIANTS.md: ${id} is in no assert() and no error in src; enforce it there`]),
      ...(isTested(id)
        ? []
        : [`docs/INVARIANTS.md: ${id} is in no test; name it in the title of the test that breaks it`]),
    ]),
    ...[...inCode]
      .filter(([id]) => !rows.includes(id))
      .map(([id, at]) => `${at}: ${id} is not in docs/INVARIANTS.md; add a row that starts with "| ${id} |"`),
  ]
}
