import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import type { CheckResult } from '../../src/cli/check/result.js'
import { FileAdapter, Store } from '../../src/index.js'
import type { StorageAdapter, StoreOptions } from '../../src/index.js'
import { scratchFolder, varve } from './run.js'

// Each test starts processes, on machines that may be busy.
vi.setConfig({ testTimeout: 60_000 })

const BUCKETS = `{
  sums: { key: 'id', schema: { id: { type: 'string' }, n: { type: 'number' } } },
  daily: { key: 'id', schema: { id: { type: 'string' }, times: { type: 'number' } } },
  plain: { key: 'id', schema: { id: { type: 'string' } } },
}`

/** A module whose events add `by` times what they say. */
const model = (by: number): string => `
export const buckets = ${BUCKETS}
export const events = {
  added: {
    reduce: ({ data: { id, n } }, view) => {
      if (${by} === 0 && n === 3) throw new Error('three is too much')
      return { sums: { upsert: { id, n: (view.bucket('sums').get(id)?.n ?? 0) + n * ${by} } } }
    },
  },
}
export const projections = {
  daily: {
    from: ['added'],
    into: ['daily'],
    apply: ({ data: { id } }, tx) => void tx.bucket('daily').upsert({ id, times: (tx.bucket('daily').get(id)?.times ?? 0) + ${by} }),
  },
}
`

async function fill(
  cwd: string,
  place: { file: string } | { persistence: { adapter: StorageAdapter } },
  more = {},
): Promise<string> {
  writeFileSync(join(cwd, 'model.mjs'), model(1))
  writeFileSync(join(cwd, 'twice.mjs'), model(2))
  writeFileSync(join(cwd, 'none.mjs'), model(0))
  const loaded = (await import(join(cwd, 'model.mjs'))) as { buckets: object; events: object; projections: object }
  const { buckets, events, projections } = loaded
  const options: object = {
    ...place,
    history: 'forever',
    buckets,
    events,
    projections,
    ...more,
  }
  const store: Store = await Store.start(options)
  for (let i = 0; i < 20; i++) await store.dispatch('added', { id: `s${i % 4}`, n: i })
  await store.bucket('plain').insert({ id: 'as it is' })
  const hash = await store.stateHash()
  await store.stop()
  return hash
}

const bytes = (folder: string): string[] =>
  readdirSync(folder)
    .sort()
    .map((name) => `${name} ${readFileSync(join(folder, name)).toString('base64')}`)

describe('varve check', () => {
  test('says that the same code makes the same state, and does not touch the file', async () => {
    const cwd = scratchFolder()
    const hash = await fill(cwd, { file: join(cwd, 'app.db') })
    const before = bytes(cwd)
    const { code, stdout } = await varve(['check', 'app.db', '--module', './model.mjs'], { cwd })
    expect(code, stdout).toBe(0)
    expect(stdout).toContain('The state is the same.')
    expect(stdout).toContain(hash)
    expect(bytes(cwd)).toEqual(before)
  })

  test('shows what other code would make of it, for people and for programs', async () => {
    const cwd = scratchFolder()
    await fill(cwd, { file: join(cwd, 'app.db') })
    const { code, stdout } = await varve(['check', 'app.db', '--module', './twice.mjs'], { cwd })
    expect(code).toBe(1)
    expect(stdout).toContain('The state is different.')
    expect(stdout).toMatch(/~ "s1" {2}n: 45 → 90/)
    const ended = await varve(['check', 'app.db', '--module', './twice.mjs', '--json'], { cwd })
    expect(ended.code).toBe(1)
    const result = JSON.parse(ended.stdout) as CheckResult
    expect(result).toMatchObject({ isSame: false, events: 20, failed: 0, notCompared: [], isComplete: true })
    expect(result.buckets).toMatchObject([
      {
        bucket: 'sums',
        before: 4,
        after: 4,
        changed: 4,
        first: [{ key: 's0', kind: 'changed', fields: ['n'] }, {}, {}, {}],
      },
      { bucket: 'daily', changed: 4 },
      { bucket: 'plain', before: 1, after: 1, changed: 0, added: 0, removed: 0 },
    ])
  })

  test('names the events that cannot be handled', async () => {
    const cwd = scratchFolder()
    await fill(cwd, { file: join(cwd, 'app.db') })
    const { code, stdout } = await varve(['check', 'app.db', '--module', './none.mjs'], { cwd })
    expect(code).toBe(1)
    expect(stdout).toContain('1 event cannot be handled')
    expect(stdout).toContain('three is too much')
  })

  test('takes a function that defines, a folder, and buckets that it does not know', async () => {
    const cwd = scratchFolder()
    await fill(cwd, { persistence: { adapter: new FileAdapter(join(cwd, 'app')) } })
    const define = `${model(1).replaceAll('export const', 'const')}
export default async (store) => {
  for (const [name, bucket] of Object.entries(buckets)) if (name !== 'plain') await store.defineBucket(name, bucket)
  store.defineEvent('added', {})
  store.extendEvent('added', events.added)
  await store.defineProjection('daily', projections.daily)
}`
    writeFileSync(join(cwd, 'define.mjs'), define)
    const { code, stdout, stderr } = await varve(['check', 'app', '--module', 'define.mjs'], { cwd })
    expect(stdout + stderr).toContain('does not define them, or does not store them: plain.')
    expect(stdout).toContain('Incomplete: what was compared is the same.')
    expect(code).toBe(3)
    const ignoring = await varve(['check', 'app', '--module', 'define.mjs', '--ignore', 'plain'], { cwd })
    expect(ignoring.stdout).toContain('Left out, as asked: plain.')
    expect(ignoring.stdout).toContain('hash of what was compared')
    expect(ignoring.code).toBe(0)
  })

  test('also while the file is in use', async () => {
    const cwd = scratchFolder()
    await fill(cwd, { file: join(cwd, 'app.db') })
    const store = await Store.start({
      file: join(cwd, 'app.db'),
      buckets: { plain: { key: 'id', schema: { id: { type: 'string' } } } },
    })
    const { code } = await varve(['check', 'app.db', '--module', 'model.mjs'], { cwd })
    await store.stop()
    expect(code).toBe(0)
  })

  test.each<[string[], string]>([
    [['nobody.db', '--module', './model.mjs'], 'there is no such file'],
    [['model.mjs', '--module', './model.mjs'], 'not'],
    [['app.db', '--module', './nobody.mjs'], 'the module cannot be loaded'],
    [
      ['app.db', '--module', './empty.mjs'],
      'it exports neither buckets, events and projections, nor a function define(store); it exports nothing',
    ],
    [['app.db', '--module', './void.mjs'], 'it defines nothing: buckets and events are empty'],
    [['app.db', '--module', './typo.mjs'], './typo.mjs: it exports "evnts"; is "events" meant?'],
    [
      ['app.db', '--module', './boom.mjs'],
      './boom.mjs: the module cannot be loaded: boom (boom.mjs:2); --debug shows the stack; nothing was done',
    ],
    [['app.db', '--module', './wrong.mjs'], './wrong.mjs: '],
    [['app.db', '--module', './late.mjs'], './late.mjs: not today (late.mjs:1); nothing was done'],
    [['app.db', '--module', './comma.mjs'], 'node --check ./comma.mjs shows the line'],
    [['app.db', '--module', './model.ts'], 'compile it and give the .js file'],
    [['app.db', '--module', './model.mjs', '--ignore', 'plane'], 'neither the file nor the module has such a bucket'],
    [['app.db', '--module', './model.mjs', '--archive', './nowhere'], 'there is no such folder'],
    [['app.db'], "required option '--module <path>' not specified"],
    [['app.db', '--module', './model.mjs', '--modul'], "unknown option '--modul'"],
    [['--module', './model.mjs'], "missing required argument 'file'"],
    [['short.db', '--module', './model.mjs'], 'short.db: its log begins at entry'],
  ])('%j cannot be checked', async (args, message) => {
    const cwd = scratchFolder()
    await fill(cwd, { file: join(cwd, 'app.db') })
    if (args[0] === 'short.db') await fill(cwd, { file: join(cwd, 'short.db') })
    if (args[0] === 'short.db') await cut(join(cwd, 'short.db'))
    writeFileSync(join(cwd, 'empty.mjs'), 'export const nothing = 1')
    writeFileSync(join(cwd, 'void.mjs'), 'export const buckets = {}; export const events = {}')
    writeFileSync(join(cwd, 'typo.mjs'), 'export const evnts = {}; export { buckets } from "./model.mjs"')
    writeFileSync(join(cwd, 'boom.mjs'), '\nthrow new Error("boom")')
    writeFileSync(
      join(cwd, 'wrong.mjs'),
      'export const buckets = { b: { key: "k", schema: { k: { type: "strin" } } } }',
    )
    writeFileSync(join(cwd, 'late.mjs'), 'export default () => { throw new Error("not today") }')
    writeFileSync(join(cwd, 'comma.mjs'), 'export const buckets = { a: 1,, }')
    writeFileSync(join(cwd, 'model.ts'), 'enum A { b }; export const buckets: object = {}')
    const { code, stderr } = await varve(['check', ...args], { cwd })
    expect(stderr).toContain(message)
    expect(code).toBe(2)
  })
})

/** Lets the log of a file begin later. */
async function cut(file: string): Promise<void> {
  const { SQLiteAdapter } = await import('../../src/index.js')
  const adapter = new SQLiteAdapter(file)
  const host = { store: 'x', now: () => Date.now(), uuid: () => 'x', setTimer: () => ({ cancel: () => undefined }) }
  await adapter.open({ ...host, onError: () => undefined })
  await adapter.trim({ rows: 5 })
  await adapter.close()
}

/** A module with an event that writes a file, as another would send a mail, and one that fails and is dropped. */
const mailing = (more = ''): string => `
import { appendFileSync } from 'node:fs'
export const buckets = {
  sent: { key: 'to', schema: { to: { type: 'string' }, text: { type: 'string' } } },
  counts: { key: 'to', schema: { to: { type: 'string' }, n: { type: 'number' } } },
  brief: { key: 'to', schema: { to: { type: 'string' } }, ttl: '1s' },
}
export const events = {
  mail: {
    reduce: ({ data }) => ({ sent: { insert: { to: data.to, text: '${'x'.repeat(200)}${more}' + data.to } } }),
    transact: async ({ data }) => appendFileSync('mails.txt', data.to + '\\n'),
  },
  bad: { policy: { retries: 0, onFailure: 'skip' }, reduce: () => { throw new Error('no host') } },
}
export const projections = {
  counts: { from: ['mail'], into: ['counts'], apply: ({ data: { to } }, tx) => void tx.bucket('counts').upsert({ to, n: 1 }) },
}
`

async function mail(cwd: string, history: StoreOptions['history'] = 'forever'): Promise<Store> {
  writeFileSync(join(cwd, 'mailing.mjs'), mailing())
  const loaded = (await import(join(cwd, 'mailing.mjs'))) as object
  const { buckets, events, projections } = loaded as { buckets: object; events: object; projections: object }
  const options: object = { file: join(cwd, 'app.db'), history, buckets, events, projections, onError: () => undefined }
  return Store.start(options)
}

const mails = (cwd: string): string => {
  const file = join(cwd, 'mails.txt')
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

describe('what was sent once', () => {
  test('is not sent again by a check, unless that is asked for', async () => {
    const cwd = scratchFolder()
    const store = await mail(cwd)
    await store.stop()
    writeFileSync(join(cwd, 'send.mjs'), sending)
    await run(cwd, 'send.mjs')
    expect(mails(cwd)).toBe('alice\n')
    const checked = await varve(['check', 'app.db', '--module', 'mailing.mjs'], { cwd })
    expect(checked.stdout).toContain('1 event taken as recorded:')
    expect(checked.stdout).toContain('transact of "mail" was not run (--run-transact runs it)')
    expect(checked.code, checked.stderr).toBe(0)
    expect(mails(cwd)).toBe('alice\n')
    writeFileSync(join(cwd, 'other.mjs'), mailing('y'))
    expect((await varve(['check', 'app.db', '--module', 'other.mjs'], { cwd })).code).toBe(0)
    const ran = await varve(['check', 'app.db', '--module', 'other.mjs', '--run-transact'], { cwd })
    expect(mails(cwd)).toBe('alice\nalice\n')
    expect(ran.code).toBe(1)
    // Both texts begin with 200 letters: what is shown is where they differ.
    expect(ran.stdout).toMatch(/text: …x{20}alice" → …x{20}yalice"/)
  })

  test('nor is anything of the queue handled by a rebuild; records that are due stay', async () => {
    const cwd = scratchFolder()
    await (await mail(cwd)).stop()
    writeFileSync(join(cwd, 'send.mjs'), sending)
    await run(cwd, 'send.mjs')
    writeFileSync(join(cwd, 'queue.mjs'), queueing)
    await run(cwd, 'queue.mjs')
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    const { code, stderr } = await varve(['rebuild', 'app.db', 'counts', '--module', 'mailing.mjs'], { cwd })
    expect(code, stderr).toBe(0)
    expect(stderr).toContain('rebuilding: 100 %')
    expect(mails(cwd)).toBe('alice\n')
    const store = await Store.start({ file: join(cwd, 'app.db'), queue: 'paused', ttlCheckIntervalMs: 0 })
    expect(store.queue.stats).toMatchObject({ waiting: 2, parked: 0 })
    const types = (await store.log.read()).map(({ type }) => type)
    expect(types.filter((type) => type === 'store/expire' || type === 'store/queue' || type === 'bad')).toEqual([])
    expect(types.filter((type) => type === 'mail')).toHaveLength(1)
    await store.stop()
  })
})

const sending = `
import { Store } from '${new URL('../../dist/index.js', import.meta.url).href}'
import { buckets, events, projections } from './mailing.mjs'
const store = await Store.start({ file: 'app.db', history: 'forever', buckets, events, projections })
await store.dispatch('mail', { to: 'alice' })
await store.bucket('brief').insert({ to: 'alice' })
await store.stop()
`

const queueing = `
import { Store } from '${new URL('../../dist/index.js', import.meta.url).href}'
import { buckets, events, projections } from './mailing.mjs'
const store = await Store.start({ file: 'app.db', history: 'forever', ttlCheckIntervalMs: 0, queue: 'paused', buckets, events, projections })
await store.enqueue('mail', { to: 'bob' })
await store.enqueue('bad')
await store.stop()
`

function run(cwd: string, file: string): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [file], { cwd }, (error) => (error === null ? resolve() : reject(error)))
  })
}

describe('a log that has let go of its first entries', () => {
  test('is replayed and rebuilt with its archive', async () => {
    const cwd = scratchFolder()
    const archive = join(cwd, 'old')
    await fill(cwd, { file: join(cwd, 'app.db') }, { history: { rows: 8, archive: { folder: archive, entries: 5 } } })
    const short = await varve(['check', 'app.db', '--module', 'model.mjs'], { cwd })
    expect(short.stderr).toContain('--archive <folder>')
    expect(short.code).toBe(2)
    const { code, stdout, stderr } = await varve(['check', 'app.db', '--module', 'model.mjs', '--archive', 'old'], {
      cwd,
    })
    expect(code, stdout + stderr).toBe(0)
    const gap = await varve(['rebuild', 'app.db', 'daily', '--module', 'twice.mjs'], { cwd })
    expect(gap.stderr).toMatch(
      /app.db: projection "daily" is made of all entries, and 1 to \d+ have left the log; .*--archive/,
    )
    expect(gap.code).toBe(1)
    const kept = await varve(['rebuild', 'app.db', 'daily', '--module', 'model.mjs', '--kept'], { cwd })
    expect(kept.stdout, kept.stderr).toContain('4 records changed')
    const done = await varve(['rebuild', 'app.db', 'daily', '--module', 'twice.mjs', '--archive', 'old'], { cwd })
    expect(done.stdout, done.stderr).toContain('4 records changed')
    const same = await varve(['check', 'app.db', '--module', 'model.mjs', '--archive', 'old'], { cwd })
    expect(same.stdout).toMatch(/~ "s0" {2}times: 10 → 5/)
    // That of another store is none of this one.
    await fill(
      cwd,
      { file: join(cwd, 'more.db') },
      { history: { rows: 8, archive: { folder: join(cwd, 'more'), entries: 5 } } },
    )
    const other = await varve(['check', 'app.db', '--module', 'model.mjs', '--archive', 'more'], { cwd })
    expect(other.stderr).toContain('it is of another store')
    expect(other.code).toBe(2)
  })
})

describe('what is no store', () => {
  test('an empty file or folder is neither checked nor made a store of', async () => {
    const cwd = scratchFolder()
    writeFileSync(join(cwd, 'model.mjs'), model(1))
    writeFileSync(join(cwd, 'empty.db'), '')
    mkdirSync(join(cwd, 'folder'))
    for (const place of ['empty.db', 'folder']) {
      const { code, stderr, stdout } = await varve(['check', place, '--module', 'model.mjs'], { cwd })
      expect([code, stdout]).toEqual([2, ''])
      expect(stderr).toMatch(
        /(it is empty|there is no store in that folder); nothing was done; give the file of a store/,
      )
    }
    const rebuilt = await varve(['rebuild', 'empty.db', 'daily', '--module', 'model.mjs', '--json'], { cwd })
    expect(rebuilt.code).toBe(2)
    expect(JSON.parse(rebuilt.stdout)).toMatchObject({
      file: 'empty.db',
      error: expect.stringContaining('it is empty'),
    })
    expect(readFileSync(join(cwd, 'empty.db'), 'utf8')).toBe('')
  })

  test('a rebuild that fails says so in JSON as well', async () => {
    const cwd = scratchFolder()
    await fill(cwd, { file: join(cwd, 'app.db') })
    const { code, stdout, stderr } = await varve(['rebuild', 'app.db', 'dayly', '--module', 'model.mjs', '--json'], {
      cwd,
    })
    expect(code).not.toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ name: 'dayly', error: expect.stringContaining('dayly') })
    expect(stderr).toContain('dayly')
  })
})

describe('varve rebuild', () => {
  test('makes a projection of new code, with a bar, and says what has changed', async () => {
    const cwd = scratchFolder()
    await fill(cwd, { file: join(cwd, 'app.db') })
    const { code, stdout, stderr } = await varve(['rebuild', 'app.db', 'daily', '--module', './twice.mjs'], { cwd })
    expect(stderr).toContain('rebuilding')
    expect(stdout).toContain('Projection "daily" is made anew: 4 records changed')
    expect(code).toBe(0)
    const again = await varve(['rebuild', 'app.db', 'daily', '--module', './twice.mjs', '--json'], { cwd })
    expect(JSON.parse(again.stdout)).toMatchObject({ name: 'daily', changed: 0 })
  })

  test('says what to do about a file that is in use', async () => {
    const cwd = scratchFolder()
    await fill(cwd, { file: join(cwd, 'app.db') })
    const store = await Store.start({ file: join(cwd, 'app.db') })
    const args = ['rebuild', 'app.db', 'daily', '--module', './model.mjs']
    const { code, stderr } = await varve([...args, '--wait', '0'], { cwd })
    expect(stderr).not.toContain('waitMs')
    expect(stderr).toContain('stop the other store, or wait for it with --wait <seconds>; a running application calls')
    expect(code).toBe(1)
    const waiting = varve([...args, '--wait', '20'], { cwd })
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    await store.stop()
    expect((await waiting).code).toBe(0)
  })

  test.each<[string[], string, number]>([
    [['app.db', 'nobody', '--module', './model.mjs'], 'projection "nobody" is not defined', 1],
    [['nobody.db', 'daily', '--module', './model.mjs'], 'there is no such file', 2],
    [['app.db', 'daily', '--module', './nobody.mjs'], 'the module cannot be loaded', 2],
    [['app.db', 'daily'], "required option '--module <path>' not specified", 2],
    [['app.db', 'daily', '--wait', 'soon'], 'It has to be a number of seconds', 2],
  ])('%j cannot be done', async (args, message, exitCode) => {
    const cwd = scratchFolder()
    await fill(cwd, { file: join(cwd, 'app.db') })
    const { code, stderr } = await varve(['rebuild', ...args], { cwd })
    expect(stderr).toContain(message)
    expect(code).toBe(exitCode)
  })
})

test.each([[['verify']], [['demo', '--limit', 'x']], [['nothing']], [['verify', 'a', '--nothing']]])(
  'varve %j was called wrongly: 2',
  async (args) => {
    const { code, stderr } = await varve(args, { cwd: scratchFolder() })
    expect(stderr).toContain('add --help')
    expect(code).toBe(2)
  },
)

test.each([[[]], [['verify']], [['check']], [['rebuild']]])('varve %j --help fits a terminal', async (args) => {
  const { code, stdout } = await varve([...args, '--help'], { cwd: scratchFolder() })
  expect(code).toBe(0)
  expect(stdout).toContain('Exit codes:')
  expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
})
