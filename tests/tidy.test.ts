import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { readSources } from './support/source.js'
import { checkRatchet, invariantViolations, tidyViolations } from './support/tidy.js'
import type { Ratchet } from './support/tidy.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const RATCHET = join(ROOT, 'tests/tidy.ratchet.json')
const INVARIANTS = join(ROOT, 'docs/INVARIANTS.md')

const sources = readSources(ROOT, 'src')

test('src keeps to the checked rules of the style', () => {
  expect(sources.size).toBeGreaterThan(0)
  expect(tidyViolations(sources, doors())).toEqual([])
})

test('files and functions do not grow beyond the ratchet', () => {
  const ratchet = JSON.parse(readFileSync(RATCHET, 'utf8')) as Ratchet
  const report = checkRatchet(sources, ratchet)
  expect(report.violations).toEqual([])
  if (report.loose.length === 0) return
  // Lowering it is welcome and never urgent, so this only says so; UPDATE_RATCHET=1 does it.
  if (process.env['UPDATE_RATCHET'] === '1') writeFileSync(RATCHET, `${JSON.stringify(report.tightened, null, 2)}\n`)
  else
    console.warn(`tests/tidy.ratchet.json can be tighter (UPDATE_RATCHET=1 does it):\n  ${report.loose.join('\n  ')}`)
})

test('docs/INVARIANTS.md, the assertions and the tests name the same invariants', () => {
  expect(existsSync(INVARIANTS), 'docs/INVARIANTS.md is missing').toBe(true)
  const tests = new Map([...readSources(ROOT, 'tests', ['.ts', '.mjs'])].filter(([path]) => !isThisCheck(path)))
  expect(invariantViolations(readFileSync(INVARIANTS, 'utf8'), sources, tests)).toEqual([])
})

/** Files of this check name invariants that do not exist. */
function isThisCheck(path: string): boolean {
  return path === 'tests/tidy.test.ts' || path === 'tests/support/tidy.ts'
}

/** The sources behind the exports of package.json. */
function doors(): string[] {
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { default: string }>
  }
  return Object.values(exports).flatMap((target) =>
    typeof target === 'string' ? [] : [target.default.replace('./dist/', 'src/').replace(/\.js$/, '.ts')],
  )
}

describe('each rule finds a planted violation', () => {
  const check = (path: string, text: string): string[] => tidyViolations(new Map([[path, text]]), ['src/index.ts'])

  test.each<[text: string, message: RegExp, path?: string]>([
    ['export const a = 1', /named after nothing/, 'src/state/types.ts'],
    ['export const a = 1', /named after nothing/, 'src/utils.ts'],
    ['export const a = 1 // TODO: more', /a TODO on main/],
    ['/* FIXME */ export const a = 1', /a FIXME on main/],
    ["export { a } from './a.js'\nexport type { B } from './b.js'", /a barrel/],
    ["export * from './a.js'\nexport const b = 1", /export \*/, 'src/index.ts'],
    ['try { a() } catch { b() }', /catch without a binding/],
    ['try { a() } catch (error) {}', /an empty catch/],
    ['try { a() } catch (error) { /* never mind */ }', /an empty catch/],
    ['void a().catch(() => {})', /swallows the error/],
    ['void a().catch(() => undefined)', /swallows the error/],
    ['// About b.\nb()\nvoid a().catch(() => undefined)', /swallows the error/],
    ['void a()?.catch(function () {})', /swallows the error/],
    ['try { a() } catch (error) { void asError(error) }', /voids the error/],
    ['quietly(() => a())', /quietly\(\) without a comment/],
    ['// About b.\nb()\nconst c = quietly(() => a())', /quietly\(\) without a comment/],
    ['process.exit(1)', /process\.exit/],
    ["process['exit'](1)", /process\.exit/],
    ['function f(child: Process) { const { process: own } = child; process.exit() }', /process\.exit/],
    ['{ const process = a }\nprocess.exit()', /process\.exit/],
    ["if (process.env.NODE_ENV === 'test') a()", /NODE_ENV/],
    ["if (process.env['NODE_ENV'] === 'test') a()", /NODE_ENV/],
    ['const at = Date.now()', /Date\.now; only src\/base/],
    ['const now = Date.now', /Date\.now; only src\/base/],
    ['const now = Date?.now()', /Date\.now; only src\/base/],
    ['const at = new Date()', /new Date\(\) without an argument/],
    ['const at = Date()', /Date\(\) without new/],
    ['const n = Math.random()', /Math\.random; only src\/base/],
    ['setTimeout(a, 1)', /setTimeout; only src\/base/],
    ['const later = setImmediate', /setImmediate; only src\/base/],
    ['const o = { queueMicrotask }', /queueMicrotask; only src\/base/],
    ['class A { wait = setTimeout }', /setTimeout; only src\/base/],
    ['globalThis.setInterval(a, 1)', /globalThis\.setInterval; only src\/base/],
    ['const id = globalThis.crypto.randomUUID()', /globalThis\.crypto; only src\/base/],
    ['const id = crypto.randomUUID()', /crypto; only src\/base/],
    ["import { createHash } from 'node:crypto'", /node:crypto; only src\/base/],
    ["import { setTimeout as wait } from 'node:timers/promises'", /node:timers\/promises; only src\/base/],
    ['process.nextTick(a)', /process\.nextTick; only src\/base/],
    ['const t = performance.now()', /performance; only src\/base/],
  ])('%s', (text, message, path = 'src/state/table.ts') => {
    const found = check(path, `export {}\n${text}`.replace(/^export \{\}\n(?=export [{*])/, ''))
    expect(found).toEqual([expect.stringMatching(message)])
  })

  test.each<[text: string, path?: string]>([
    ["export { a } from './a.js'", 'src/index.ts'],
    ["import { a } from './a.js'\nexport { b } from './b.js'\nexport const c = a"],
    ['try { a() } catch (error) { throw asError(error) }'],
    ['void a().catch((error) => report(error))'],
    ['void a().catch(() => { /* the caller of b() gets the same error */ })'],
    ['// Whoever opens it next finds the same.\nquietly(() => a())'],
    ['process.exit(1)', 'src/cli/main.ts'],
    ['const at = Date.now(); setTimeout(a, Math.random())', 'src/base/runtime.ts'],
    ['setTimeout(a, 1)', 'src/state/table.test.ts'],
    ['const at = new Date(runtime.now()); const t = runtime.setTimeout(a); const d = { crypto: 1, performance: 2 }'],
    ['interface Host { setTimeout(fn: () => void): void; crypto: string }'],
    ['class A { performance = 1; setTimeout() {} }'],
    ['function f({ crypto }: { crypto: number }) { return crypto }'],
    ['const f = (process: Process): void => process.exit()'],
    ['const { process } = setup()\nprocess.exit()'],
    ['for (const process of processes) process.exit()'],
    ['// The caller of b() gets the same error.\nvoid a().catch(() => undefined)'],
    ["// Says 'to do', not the mark.\nexport const todo = 1"],
  ])('and not: %s', (text, path = 'src/state/table.ts') => {
    expect(check(path, text)).toEqual([])
  })

  const long = (lines: number): string => `export function f(): void {\n${'  a()\n'.repeat(lines - 2)}}\n`

  test.each<[name: string, lines: number, ratchet: Partial<Ratchet>, violations: number, loose: number]>([
    ['within the aim', 10, {}, 0, 0],
    ['over the aim', 11, {}, 2, 0],
    ['at the maximum', 11, { files: { 'src/a.ts': 11 }, functions: { 'src/a.ts#f': 11 } }, 0, 0],
    ['over the maximum', 12, { files: { 'src/a.ts': 11 }, functions: { 'src/a.ts#f': 11 } }, 2, 0],
    ['under the maximum', 11, { files: { 'src/a.ts': 12 }, functions: { 'src/a.ts#f': 12 } }, 0, 2],
    ['of a file that is gone', 10, { files: { 'src/b.ts': 12 } }, 0, 1],
  ])('length %s', (_name, lines, ratchet, violations, loose) => {
    const before = { fileLinesAim: 10, functionLinesAim: 10, files: {}, functions: {}, ...ratchet }
    const report = checkRatchet(new Map([['src/a.ts', long(lines)]]), before)
    expect(report.violations).toHaveLength(violations)
    expect(report.loose).toHaveLength(loose)
    for (const [name, max] of Object.entries({ ...report.tightened.files, ...report.tightened.functions })) {
      expect(max).toBeLessThanOrEqual({ ...before.files, ...before.functions }[name] ?? 0)
    }
  })

  test('methods and arrow functions are measured under their names', () => {
    const body = `{\n${'  a()\n'.repeat(20)}}`
    const text = `const one = () => ${body}\nclass A { two() ${body}\n #three = () => ${body} }\nconst o = { four() ${body} }`
    const ratchet = { fileLinesAim: 400, functionLinesAim: 10, files: {}, functions: {} }
    const names = checkRatchet(new Map([['src/a.ts', text]]), ratchet).violations.map((line) => line.split(':')[0])
    expect(names).toEqual(['src/a.ts#one', 'src/a.ts#two', 'src/a.ts#three', 'src/a.ts#four'])
  })

  test.each<[name: string, document: string, code: string, tested: string, messages: RegExp[]]>([
    [
      'agreement',
      '| L1 | a |\n| L2 | b |',
      "assert(a, 'L1', ''); throw new InvariantError('L2', '')",
      'L1: x, L2: y',
      [],
    ],
    ['a row that no code enforces', '| L1 | a |', "const a = 'L1' // L1", 'L1', [/L1 is in no assert\(\)/]],
    ['a row that no test breaks', '| L1 | a |', "assert(a, 'L1', '')", 'L11', [/L1 is in no test/]],
    ['an assertion without a row', '', "assert(a, 'Q7', '')", '', [/^src\/a\.ts:1: Q7 is not in docs\/INVARIANTS\.md/]],
    ['a number given twice', '| L1 | a |\n| L1 | b |', "assert(a, 'L1', '')", 'L1', [/L1 is there twice/]],
  ])('invariants: %s', (_name, document, code, tested, messages) => {
    const found = invariantViolations(
      document,
      new Map([['src/a.ts', code]]),
      new Map([['tests/a.test.ts', `// ${tested}`]]),
    )
    expect(found).toEqual(messages.map((message) => expect.stringMatching(message)))
  })
})
