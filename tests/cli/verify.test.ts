import { spawn } from 'node:child_process'
import { appendFileSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { VerifyResult } from '../../src/cli/verify/verify.js'
import { FileAdapter, Store } from '../../src/index.js'
import type { HistoryOption, StorageAdapter } from '../../src/index.js'
import { CLI, scratchFolder, varve } from './run.js'
import type { Ended } from './run.js'

// Each test starts processes, on machines that may be busy.
vi.setConfig({ testTimeout: 60_000 })

const BUCKETS = {
  users: { key: 'id', schema: { id: { type: 'string' }, n: { type: 'number' }, text: { type: 'string' } } },
  'odd "name"': { key: 'k', schema: { k: { type: 'number' }, gone: { type: 'boolean' }, big: { type: 'number' } } },
} as const

/** Twelve entries: inserts, updates, deletions, a bucket that was cleared, one that was dropped. */
async function fill(
  place: { file: string } | { persistence: { adapter: StorageAdapter } },
  history: HistoryOption = 'forever',
): Promise<void> {
  const store = await Store.start({ ...place, history, buckets: BUCKETS })
  const users = store.bucket('users')
  for (const id of ['a', 'b', 'c', 'd']) await users.insert({ id, n: 1, text: `text of ${id} 🙂` })
  await users.update('b', { n: 2 })
  await users.delete('c')
  const odd = store.bucket('odd "name"')
  await odd.insert({ k: 1, gone: true })
  await odd.clear()
  await odd.insert({ k: 2, big: Infinity })
  await store.defineBucket('passing', { key: 'id', schema: { id: { type: 'string' } } })
  await store.bucket('passing').insert({ id: 'x' })
  await store.dropBucket('passing')
  await store.transaction(async (tx) => {
    await tx.bucket('users').update('d', { n: 5 })
    await tx.bucket('odd "name"').insert({ k: 3 })
  })
  await store.stop()
}

async function verifyJson(file: string, cwd: string): Promise<{ ended: Ended; result: VerifyResult }> {
  const ended = await varve(['verify', file, '--json'], { cwd })
  return { ended, result: JSON.parse(ended.stdout) as VerifyResult }
}

/** Runs SQL on a file as somebody would who should not. */
function damage(file: string, sql: string): void {
  const database = new DatabaseSync(file)
  database.exec(sql)
  database.close()
}

const bytesOf = (folder: string): [string, string][] =>
  readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => statSync(join(folder, name)).isFile() && !name.endsWith('-shm'))
    .sort((a, b) => (a < b ? -1 : 1))
    .map((name) => [name, readFileSync(join(folder, name)).toString('base64')])

describe('a file', () => {
  test('that is whole: says so, exit code 0, and is not changed', async () => {
    const cwd = scratchFolder()
    await fill({ file: join(cwd, 'a.db') })
    const before = bytesOf(cwd)
    const { code, stdout, stderr } = await varve(['verify', 'a.db'], { cwd })
    expect([code, stderr.replace(/checking: .*\n/g, '')]).toEqual([0, ''])
    expect(stdout).toContain('Nothing is wrong.')
    expect(stdout).toContain('12 entries, 1 to 12')
    expect(stdout).toContain('2 buckets, 5 records')
    const { ended, result } = await verifyJson('a.db', cwd)
    expect(ended.code).toBe(0)
    expect(result).toMatchObject({
      isClean: true,
      adapter: 'sqlite',
      first: 1,
      head: 12,
      entries: 12,
      buckets: [
        { name: 'users', records: 3 },
        { name: 'odd "name"', records: 2 },
      ],
      findings: [],
      more: 0,
    })
    expect(bytesOf(cwd)).toEqual(before)
  })

  test('whose history was cut is whole too; what was written before is not missed', async () => {
    const cwd = scratchFolder()
    const file = join(cwd, 'a.db')
    await fill({ file })
    damage(
      file,
      `INSERT INTO varve_meta SELECT 'trimmed', json_object('seq', seq, 'at', at, 'chain', chain, 'bytesEnd', bytes_end) FROM varve_log
        WHERE seq = 6; DELETE FROM varve_log WHERE seq <= 6`,
    )
    const { ended, result } = await verifyJson('a.db', cwd)
    expect(result).toMatchObject({ isClean: true, first: 7, entries: 6 })
    expect(ended.code).toBe(0)
  })

  test.each<[name: string, sql: string, finding: object]>([
    [
      'a byte of an entry',
      `UPDATE varve_log SET body = replace(body, '"n":2', '"n":3') WHERE seq = 5`,
      { kind: 'entry', where: 'entry 5', what: 'the checksum does not match' },
    ],
    ['an entry that is gone', 'DELETE FROM varve_log WHERE seq = 5', { kind: 'missing entry', where: 'entry 5' }],
    [
      'several entries that are gone',
      'DELETE FROM varve_log WHERE seq BETWEEN 3 AND 5',
      { kind: 'missing entry', where: 'entries 3 to 5' },
    ],
    [
      'an entry with another checksum',
      'UPDATE varve_log SET sum = sum + 1 WHERE seq = 5',
      { kind: 'chain', where: 'entry 5' },
    ],
    [
      'an entry that is another one',
      'UPDATE varve_log SET (sum, body) = (SELECT sum, body FROM varve_log WHERE seq = 2) WHERE seq = 3',
      { kind: 'entry', where: 'entry 3', what: 'it says that it is entry 2' },
    ],
    [
      'an entry of another time',
      'UPDATE varve_log SET at = at - 1000000 WHERE seq = 5',
      { kind: 'chain', where: 'entry 5', what: expect.stringMatching(/its time is \d+ ms before/) },
    ],
    [
      'a row with another value',
      `UPDATE varve_rows_1 SET record = json_set(record, '$.n', 9) WHERE record ->> 'id' = 'b'`,
      { kind: 'row differs', where: 'bucket "users", key "b"', what: expect.stringContaining('entry 5') },
    ],
    [
      'a row that is gone',
      `DELETE FROM varve_rows_1 WHERE record ->> 'id' = 'a'`,
      { kind: 'missing row', where: 'bucket "users", key "a"', what: expect.stringContaining('entry 1') },
    ],
    [
      'a row that was deleted, and is there again',
      `INSERT INTO varve_rows_1 VALUES (3, '{"id":"c","n":1,"_version":1}')`,
      { kind: 'row differs', where: 'bucket "users", key "c"', what: expect.stringContaining('entry 6') },
    ],
    [
      'a row from nowhere',
      `INSERT INTO varve_rows_2 VALUES (99, '{"k":99,"_version":1}')`,
      { kind: 'unknown row', where: 'bucket "odd \\"name\\"", key 99' },
    ],
    [
      'a row that is no JSON',
      `UPDATE varve_rows_1 SET record = '{"id":' WHERE ordinal = 1`,
      { kind: 'row', where: 'bucket "users", row 1' },
    ],
    [
      'a row without a key',
      `UPDATE varve_rows_1 SET record = '{}' WHERE ordinal = 1`,
      { kind: 'row', what: expect.stringContaining('no key') },
    ],
    [
      'two rows with one key',
      `INSERT INTO varve_rows_1 SELECT 77, record FROM varve_rows_1 WHERE ordinal = 1`,
      { kind: 'row', where: 'bucket "users", row 77', what: 'another row has the same key' },
    ],
    ['a counter that is none', `UPDATE varve_buckets SET counter = 'x'`, { kind: 'bucket', what: 'its counter is x' }],
    [
      'a table that is gone',
      'DROP VIEW users; DROP TABLE varve_rows_1',
      { kind: 'bucket', what: expect.stringContaining('varve_rows_1 is missing') },
    ],
    [
      'something in quarantine',
      `INSERT INTO varve_quarantine(what, bucket, at, reason, found) VALUES ('row', 'users', 7, 'torn', 0)`,
      { kind: 'quarantine', where: 'bucket "users", row 7 (varve_quarantine, id 1)', what: 'torn' },
    ],
    [
      'an entry that was put aside',
      'UPDATE varve_log SET body = NULL WHERE seq = 4',
      { kind: 'entry', where: 'entry 4', what: expect.stringContaining('put aside') },
    ],
  ])('%s is found and named, with what to do; exit code 1', async (_name, sql, finding) => {
    const cwd = scratchFolder()
    await fill({ file: join(cwd, 'a.db') })
    damage(join(cwd, 'a.db'), sql)
    const before = bytesOf(cwd)
    const { ended, result } = await verifyJson('a.db', cwd)
    expect(result.findings).toContainEqual(expect.objectContaining(finding))
    // One fault is not reported as many: what it makes uncertain is not compared.
    expect(result.findings.length).toBeLessThanOrEqual(4)
    if (sql.includes('BETWEEN')) expect(result.findings).toContainEqual(expect.objectContaining({ kind: 'uncertain' }))
    expect(result.findings[0]?.remedy).toMatch(/^[A-Z].*\.$/)
    expect([ended.code, result.isClean]).toEqual([1, false])
    const text = await varve(['verify', 'a.db'], { cwd })
    expect(text.code).toBe(1)
    expect(text.stdout).toContain(result.findings[0]?.kind)
    expect(text.stdout).toContain('What to do:')
    expect(bytesOf(cwd)).toEqual(before)
  })

  test('that was cut off, or has a page of zeros, is said to be damaged', async () => {
    for (const spoil of [
      (file: string) => truncateSync(file, Math.floor(statSync(file).size / 8192) * 4096),
      (file: string) => {
        const bytes = readFileSync(file)
        writeFileSync(file, bytes.fill(0, 4096 * 2, 4096 * 3))
      },
    ]) {
      const cwd = scratchFolder()
      const file = join(cwd, 'a.db')
      await fill({ file })
      spoil(file)
      const { code, stdout, stderr } = await varve(['verify', 'a.db'], { cwd })
      expect([1, 2]).toContain(code)
      expect(stdout + stderr).toMatch(/malformed|damaged|invalid page|SQLite/)
    }
  })

  test('that cannot be read: exit code 2, and stderr says why', async () => {
    const cwd = scratchFolder()
    writeFileSync(join(cwd, 'text.db'), 'this is no SQLite file, but long enough to have a header of one '.repeat(5))
    new DatabaseSync(join(cwd, 'other.db')).exec('PRAGMA application_id = 7; CREATE TABLE a(b)')
    new DatabaseSync(join(cwd, 'empty.db')).close()
    for (const [file, why] of [
      ['gone.db', /there is no such file/],
      ['text.db', /not a SQLite file/],
      ['other.db', /another program/],
      ['empty.db', /is empty|nothing/],
      ['.', /varve\.store/],
    ] as const) {
      const { code, stderr } = await varve(['verify', file], { cwd })
      expect([file, code]).toEqual([file, 2])
      expect(stderr).toMatch(why)
      const { ended, result } = await verifyJson(file, cwd)
      expect([ended.code, (result as unknown as { error: string }).error]).toEqual([2, expect.stringMatching(why)])
    }
    expect((await varve(['verify'], { cwd })).code).not.toBe(0)
  })

  test('that a store has open: says who, and checks it as it is', async () => {
    const cwd = scratchFolder()
    const store = await Store.start({ file: join(cwd, 'a.db'), name: 'busy', buckets: BUCKETS, durability: 'process' })
    onTestFinished(() => store.stop())
    let isOver = false
    const writing = (async () => {
      for (let n = 0; !isOver; n++) {
        await store.bucket('users').insert({ id: `${n}`, n })
        if (n % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
      }
    })()
    await new Promise((resolve) => setTimeout(resolve, 200))
    const { ended, result } = await verifyJson('a.db', cwd)
    isOver = true
    await writing
    expect(result).toMatchObject({
      isClean: true,
      openBy: expect.stringContaining(`store "busy" of process ${process.pid}`),
    })
    expect(result.entries).toBeGreaterThan(0)
    expect(ended.code).toBe(0)
    const text = await varve(['verify', 'a.db'], { cwd })
    expect(text.stdout).toContain(`process ${process.pid} has it open since`)
  })

  test('that a killed process has left: its log beside it is read, and nothing is changed', async () => {
    const cwd = scratchFolder()
    const program = `import { Store } from ${JSON.stringify(join(CLI, '../../index.js'))}
      const store = await Store.start({ file: 'a.db', buckets: { b: { key: 'id', schema: { id: { type: 'number' } } } } })
      for (let id = 0; id < 50; id++) await store.bucket('b').insert({ id })
      process.stdout.write('written')
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      cwd,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await new Promise((resolve) => child.stdout.once('data', resolve))
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('close', resolve))
    const before = bytesOf(cwd)
    expect(before.map(([name]) => name)).toContain('a.db-wal')
    const { ended, result } = await verifyJson('a.db', cwd)
    expect([ended.code, result.entries, result.openBy]).toEqual([0, 50, undefined])
    expect(bytesOf(cwd)).toEqual(before)
    const again = await Store.start({
      file: join(cwd, 'a.db'),
      buckets: { b: { key: 'id', schema: { id: { type: 'number' } } } },
    })
    expect(await again.bucket('b').count()).toBe(50)
    await again.stop()
  })

  test('Ctrl-C ends it, with exit code 130', async () => {
    const cwd = scratchFolder()
    const store = await Store.start({
      file: join(cwd, 'a.db'),
      buckets: BUCKETS,
      durability: 'memory',
      history: 'forever',
    })
    for (let batch = 0; batch < 30; batch++) {
      await store
        .bucket('users')
        .insertMany(Array.from({ length: 2_000 }, (_, n) => ({ id: `${batch}.${n}`, text: 'x'.repeat(50) })))
    }
    await store.stop()
    const ended = await varve(['verify', 'a.db'], { cwd, end: { signal: 'SIGINT', after: /checking: \d0 %/ } })
    expect(ended.code).toBe(130)
    expect(ended.stderr).toMatch(/interrupted by SIGINT; nothing was changed/)
  })
})

describe('a folder', () => {
  const folder = async (): Promise<string> => {
    const cwd = scratchFolder()
    await fill({ persistence: { adapter: new FileAdapter(join(cwd, 'store')) } })
    return cwd
  }
  const journal = (cwd: string): string => {
    const name = readdirSync(join(cwd, 'store')).filter((one) => /^(log|old)-/.test(one))
    return join(
      cwd,
      'store',
      name.toSorted((a, b) => statSync(join(cwd, 'store', b)).size - statSync(join(cwd, 'store', a)).size)[0] ?? '',
    )
  }

  test('that is whole', async () => {
    const cwd = await folder()
    const before = bytesOf(cwd)
    const { ended, result } = await verifyJson('store', cwd)
    expect(result).toMatchObject({ isClean: true, adapter: 'file', head: 12, findings: [] })
    expect(result.buckets).toContainEqual({ name: 'users', records: 3 })
    expect(ended.code).toBe(0)
    expect(bytesOf(cwd)).toEqual(before)
  })

  test.each<[name: string, spoil: (cwd: string) => void, finding: object]>([
    [
      'a byte of an entry',
      (cwd) => writeFileSync(journal(cwd), readFileSync(journal(cwd), 'utf8').replace('text of b', 'text of B')),
      { kind: 'entry', what: expect.stringContaining('the line is damaged') },
    ],
    [
      'a line that is gone',
      (cwd) =>
        writeFileSync(journal(cwd), readFileSync(journal(cwd), 'utf8').replace(/\n[^\n]*text of b[^\n]*\n/, '\n')),
      { kind: 'missing entry' },
    ],
    [
      'an unfinished write',
      (cwd) => appendFileSync(newest(cwd), '120 abc {"synced"'),
      { kind: 'tail', what: expect.stringContaining('17 bytes') },
    ],
    [
      'rows that are damaged',
      (cwd) => {
        const path = join(cwd, 'store', readdirSync(join(cwd, 'store')).find((name) => name.startsWith('rows-')) ?? '')
        writeFileSync(path, readFileSync(path, 'utf8').replace('"n":2', '"n":3'))
      },
      { kind: 'file', where: expect.stringMatching(/^rows-/) },
    ],
  ])('%s is found and named; exit code 1', async (_name, spoil, finding) => {
    const cwd = await folder()
    spoil(cwd)
    const { ended, result } = await verifyJson('store', cwd)
    expect(result.findings).toContainEqual(expect.objectContaining(finding))
    expect(ended.code).toBe(1)
  })

  const newest = (cwd: string): string =>
    join(
      cwd,
      'store',
      readdirSync(join(cwd, 'store'))
        .filter((name) => name.startsWith('log-'))
        .toSorted((a, b) => Number(/\d+/.exec(b)) - Number(/\d+/.exec(a)))[0] ?? '',
    )

  test('that a store has open is not checked', async () => {
    const cwd = await folder()
    const store = await Store.start({ persistence: { adapter: new FileAdapter(join(cwd, 'store')) }, name: 'busy' })
    const { code, stderr } = await varve(['verify', 'store'], { cwd })
    await store.stop()
    expect(code).toBe(2)
    expect(stderr).toContain(`store "busy" of process ${process.pid}`)
  })
})

test('the help says what it does, with examples and exit codes', async () => {
  const { code, stdout } = await varve(['verify', '--help'], { cwd: scratchFolder() })
  expect(code).toBe(0)
  expect(stdout).toMatch(/Usage: varve verify \[options\] <file>/)
  expect(stdout).toMatch(/Exit codes:\n  0     nothing is wrong\n  1     something is\n  2     it cannot be read/)
})
