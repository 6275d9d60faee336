import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import type { CheckResult } from '../../src/cli/check/result.js'
import { FileAdapter, Store } from '../../src/index.js'
import type { StorageAdapter } from '../../src/index.js'
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
    expect(result).toMatchObject({ isSame: false, events: 20, failed: 0, undefinedBuckets: [] })
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
    expect(stdout + stderr).toContain('the module does not define them: plain')
    expect(code).toBe(0)
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
    [['app.db', '--module', './empty.mjs'], 'it exports neither buckets'],
    [['short.db', '--module', './model.mjs'], 'its log begins at entry'],
  ])('%j cannot be checked', async (args, message) => {
    const cwd = scratchFolder()
    await fill(cwd, { file: join(cwd, 'app.db') })
    if (args[0] === 'short.db') await fill(cwd, { file: join(cwd, 'short.db') })
    if (args[0] === 'short.db') await cut(join(cwd, 'short.db'))
    writeFileSync(join(cwd, 'empty.mjs'), 'export const nothing = 1')
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

  test.each<[string[], string]>([
    [['app.db', 'nobody', '--module', './model.mjs'], 'projection "nobody" is not defined'],
    [['nobody.db', 'daily', '--module', './model.mjs'], 'there is no such file'],
  ])('%j cannot be done', async (args, message) => {
    const cwd = scratchFolder()
    await fill(cwd, { file: join(cwd, 'app.db') })
    const { code, stderr } = await varve(['rebuild', ...args], { cwd })
    expect(stderr).toContain(message)
    expect(code).toBe(1)
  })
})
