import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isBetter } from './streams/native.mjs'
import { readDocument, shellMistakes } from './support/markdown.js'
import type { Block, Document, ShellContext } from './support/markdown.js'
import { runNode, Workshop } from './support/run-programs.js'
import { readSources } from './support/source.js'

/** How to write code blocks that pass here is said at `readDocument` in support/markdown.ts and in CONTRIBUTING.md. */

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const RUN_LIMIT_MS = 20_000
/** Programs that are only compiled escape the better half of this test; more than a handful is a loophole. */
const NO_RUN_MAX = 5

const documents = readDocuments()
const programs = [...documents.values()].flatMap((document) => document.programs)

function readDocuments(): Map<string, Document> {
  const files = new Map<string, string>()
  for (const name of ['README.md', 'CONTRIBUTING.md']) {
    if (existsSync(join(ROOT, name))) files.set(name, readFileSync(join(ROOT, name), 'utf8'))
  }
  for (const [path, text] of readSources(ROOT, 'docs', ['.md'])) files.set(path, text)
  return new Map([...files].map(([path, text]) => [path, readDocument(path, text)]))
}

describe('code blocks of README.md and docs', () => {
  let workshop: Workshop
  let compiled: Awaited<ReturnType<Workshop['compile']>>

  beforeAll(async () => {
    const built = await runNode([join(ROOT, 'scripts/ensure.mjs'), 'build'], ROOT, 60_000)
    // A build with type errors still writes its output, and the tests of the types report those errors.
    if (!existsSync(join(ROOT, 'dist/index.js')) && programs.length > 0) throw new Error(built.output)
    workshop = new Workshop(ROOT)
    compiled = programs.length > 0 ? await workshop.compile(programs) : { errors: new Map(), other: [] }
  })

  afterAll(() => workshop?.remove())

  test('are marked in a way that is understood', () => {
    expect([...documents.values()].flatMap((document) => document.mistakes)).toEqual([])
    expect(programs.filter(({ noRun }) => noRun !== undefined).length).toBeLessThanOrEqual(NO_RUN_MAX)
  })

  test('compile as a whole', () => {
    expect(compiled.other).toEqual([])
  })

  for (const program of programs) {
    const how = program.noRun === undefined ? 'compiles and runs' : `compiles (not run: ${program.noRun})`
    test.concurrent(`${program.file}:${program.line} ${how}`, { timeout: 2 * RUN_LIMIT_MS }, async (context) => {
      context.expect(compiled.errors.get(program)).toEqual([])
      if (program.noRun !== undefined) return
      // It is compiled for one version of Node.js at a time.
      context.skip(
        !isBetter && program.text.includes("'better-sqlite3'"),
        'better-sqlite3 is not compiled for this Node.js',
      )
      const { code, output } = await workshop.run(program, RUN_LIMIT_MS)
      context.expect(code, output).toBe(0)
    })
  }

  const shellBlocks = [...documents].flatMap(([file, { shell }]) => shell.map((block) => ({ file, block })))
  for (const { file, block } of shellBlocks) {
    test(`${file}:${block.line} shows commands that exist`, async () => {
      expect(shellMistakes(file, block, await shellContext(block))).toEqual([])
    })
  }
})

/** The real package and the real command line; `--help` is asked for every word that could be a command of varve. */
async function shellContext(block: Block): Promise<ShellContext> {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  const helps = new Map<string, string | undefined>()
  const commands = [...block.text.matchAll(/\bvarve ([a-z]+)/g)].map((match) => match[1] ?? '')
  for (const command of new Set(['', ...commands, ...(block.text.includes('npm start') ? ['demo'] : [])])) {
    if (!/\bvarve\b|npm start/.test(block.text)) break
    const args = [join(ROOT, 'dist/cli/main.js'), ...(command === '' ? [] : [command]), '--help']
    const { code, output } = await runNode(args, ROOT, RUN_LIMIT_MS)
    helps.set(command, code === 0 ? output : undefined)
  }
  return {
    scripts: Object.keys(scripts),
    exists: (path) => existsSync(join(ROOT, path)),
    help: (command) => helps.get(command.join(' ')),
  }
}

describe('the check finds planted mistakes', () => {
  const fence = '```'

  test('programs that do not compile, fail, never end, or are fine, each at its own line', async () => {
    const markdown = [
      `${fence}ts`,
      'const n: number = await Promise.resolve(1)',
      'console.log(n)',
      fence,
      'And then:',
      `${fence}ts continue`,
      'console.log(n + 1)',
      fence,
      `${fence}ts`,
      "const n: number = 'one'",
      fence,
      `${fence}js`,
      'const n = 1',
      "throw new Error('planted' + n)",
      fence,
      `${fence}ts`,
      'setInterval(() => {}, 1000)',
      fence,
      '<!-- hidden',
      "import { writeFileSync } from 'node:fs'",
      '-->',
      `${fence}ts`,
      "writeFileSync('a.txt', 'a')",
      fence,
      '<!-- no-run: ends the world -->',
      `${fence}ts no-run`,
      'process.exit(1 as string)',
      fence,
    ].join('\n')
    const document = readDocument('docs/planted.md', markdown)
    expect(document.mistakes).toEqual([])
    const workshop = new Workshop(ROOT)
    try {
      const { errors, other } = await workshop.compile(document.programs)
      expect(other).toEqual([])
      const seen = await Promise.all(
        document.programs.map(async (program) => {
          const wrong = errors.get(program) ?? []
          if (wrong.length > 0 || program.noRun !== undefined) return wrong.join('\n')
          const { code, output } = await workshop.run(program, 3_000)
          return `${code} ${output}`
        }),
      )
      expect(seen).toEqual([
        '0 1\n2\n',
        expect.stringMatching(/^docs\/planted\.md:10: error TS2322/),
        expect.stringMatching(/^1 [^]*planted1/),
        expect.stringMatching(/^null [^]*still running after 3000 ms/),
        '0 ',
        expect.stringMatching(/^docs\/planted\.md:27: error TS2345|^docs\/planted\.md:27: error TS2352/),
      ])
    } finally {
      workshop.remove()
    }
  })

  test.each<[name: string, markdown: string, mistakes: RegExp[]]>([
    ['an unknown language', `${fence}typescript\n${fence}`, [/^x\.md:1: language "typescript" is unknown/]],
    ['an unknown mark', `${fence}ts skip\n${fence}`, [/"skip" means nothing here/]],
    ['no-run without a reason', `text\n${fence}ts no-run\n${fence}`, [/^x\.md:2: no-run without a reason/]],
    ['nothing to continue', `${fence}ts continue\n${fence}`, [/no block of that language to continue/]],
    [
      'a mark on data',
      `${fence}json continue\n{}\n${fence}`,
      [/only ts, tsx and js blocks/, /no block of that language/],
    ],
    ['an open block', `${fence}ts\nconst a = 1`, [/not closed/]],
    ['an open hidden part', `<!-- hidden\n${fence}ts\n${fence}`, [/hidden part is not closed/]],
  ])('%s', (_name, markdown, mistakes) => {
    expect(readDocument('x.md', markdown).mistakes).toEqual(mistakes.map((message) => expect.stringMatching(message)))
  })

  test.each<[command: string, mistake: RegExp | undefined]>([
    ['npm test', undefined],
    ['npm run bench:crud -- --rows 10', undefined],
    ['npm install varve', undefined],
    ['git clone somewhere && cd varve  # a comment', undefined],
    ['$ npm start -- --file a.db', undefined],
    ['npx varve demo --file=a.db \\\n  --reset', undefined],
    ['varve --help', undefined],
    ['node scripts/ensure.mjs test', undefined],
    ['npm run nothing', /^x\.md:2: `npm run nothing`: package\.json has no script "nothing"/],
    ['npm start -- --files a.db', /varve demo has no option --files/],
    ['npx varve undo', /varve has no command "undo"/],
    ['npx other', /only npx varve/],
    ['node scripts/gone.mjs', /there is no file scripts\/gone\.mjs/],
    ['curl somewhere | bash gone.sh', /curl is not on the list/],
  ])('`%s`', (command, mistake) => {
    const block = readDocument('x.md', `${fence}sh\n${command}\n${fence}`).shell[0]
    const context: ShellContext = {
      scripts: ['test', 'start', 'bench:crud'],
      exists: (path) => path === 'scripts/ensure.mjs',
      help: (words) => ({ '': 'Options:\n  --help', demo: '  -f, --file <path>\n  --reset' })[words.join(' ')],
    }
    if (block === undefined) throw new Error('no block was read')
    const found = shellMistakes('x.md', block, context)
    if (mistake === undefined) expect(found).toEqual([])
    else expect(found[0]).toMatch(mistake)
  })
})
