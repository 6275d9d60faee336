import { execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadSqlite } from '../sqlite/load.js'
import { describeStorageAdapter } from '../testing/storage-conformance.js'
import {
  clearing,
  defining,
  deleting,
  dropping,
  loadRows,
  putting,
  readAll,
  testRecord,
  TestWriter,
} from '../testing/storage-fixture.js'
import { SQLiteAdapter, type SQLiteAdapterOptions } from './sqlite-adapter.js'

const driver = await loadSqlite()
const isRoot = process.getuid?.() === 0
const [a, b, c] = [testRecord('a', { name: 'Ann', n: 1 }), testRecord('b', { name: 'Bob' }), testRecord('c')]

let dir: string
let file: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'varve-sqlite-'))
  file = join(dir, 'a.db')
})

afterEach(() => {
  rmSync(dir, { recursive: true })
})

async function opened(more: Partial<SQLiteAdapterOptions> = {}): Promise<TestWriter> {
  const writer = new TestWriter(new SQLiteAdapter({ filename: file, waitMs: 0, ...more }))
  const report = await writer.open()
  writer.durability = 'disk'
  writer.model.head = report.head
  return writer
}

/** A store with a few commits, closed. */
async function prepared(): Promise<TestWriter> {
  const writer = await opened()
  await writer.writeGroup([
    defining('users', { fields: ['id', 'name', 'n'] }),
    putting('users', 1, a),
    putting('users', 2, b),
  ])
  await writer.write(putting('users', 3, c))
  await writer.adapter.close()
  return writer
}

/** Runs SQL on the file with the binding, as any other program would. */
function sql(text: string, path = file): void {
  const database = driver.open(path)
  database.exec(text)
  database.close()
}

function query(text: string, path = file): Record<string, unknown>[] {
  const database = driver.open(path)
  const rows = database
    .prepare(text)
    .all()
    .map((row) => ({ ...row }))
  database.close()
  return rows
}

/** Every byte of every file in the folder. */
function bytes(): string {
  return readdirSync(dir)
    .map((name) => readFileSync(join(dir, name), 'latin1'))
    .join('')
}

/** The error that opening rejects with; the file is as it was afterwards. */
async function refusal(): Promise<Error & { code?: string }> {
  const before = readFileSync(file)
  const error = await opened().then(
    () => new Error('it was opened'),
    (thrown: Error) => thrown,
  )
  expect(readFileSync(file).equals(before)).toBe(true)
  expect(readdirSync(dir).filter((name) => name.startsWith('a.db'))).toEqual(['a.db'])
  return error
}

describe('files that are not ours', () => {
  it('text, foreign databases, newer versions and torn headers are refused, untouched', async () => {
    writeFileSync(file, 'hello world, this is not a database\n'.repeat(20))
    expect(await refusal()).toMatchObject({ name: 'StorageUnreadableError', message: /not a SQLite file/ })
    writeFileSync(file, 'short')
    expect(await refusal()).toMatchObject({ name: 'StorageUnreadableError' })
    unlinkSync(file)
    sql('CREATE TABLE theirs(x); INSERT INTO theirs VALUES (1)')
    expect(await refusal()).toMatchObject({ name: 'StorageUnreadableError', message: /another program/ })
    sql('PRAGMA application_id = 77')
    expect(await refusal()).toMatchObject({ name: 'StorageUnreadableError', message: /another program/ })
    unlinkSync(file)
    await prepared()
    sql('PRAGMA user_version = 99')
    expect(await refusal()).toMatchObject({ name: 'StorageUnreadableError', message: /format 99.*newer varve/s })
  })

  it('a truncated or overwritten store is refused, untouched', async () => {
    const writer = await opened()
    const text = 'x'.repeat(500)
    await writer.writeGroup([
      defining('users'),
      ...Array.from({ length: 500 }, (_, i) => putting('users', i, testRecord(`${i}`, { text }))),
    ])
    await writer.adapter.close()
    const good = readFileSync(file)
    truncateSync(file, 10_000)
    expect((await refusal()).name).toBe('StorageUnreadableError')
    writeFileSync(file, good.subarray(0, 60))
    expect((await refusal()).name).toBe('StorageUnreadableError')
    const bad = Buffer.from(good)
    bad.fill(0x5a, 4096 * 6, 4096 * 40)
    writeFileSync(file, bad)
    const error = await opened().then(
      async ({ adapter }) => {
        const failure = await loadRows(adapter, 'users').then(
          () => new Error('it was loaded'),
          (thrown: Error) => thrown,
        )
        await adapter.close()
        return failure
      },
      (thrown: Error) => thrown,
    )
    expect(error.name).toBe('StorageUnreadableError')
  })

  it('an empty file, and a database without tables, become a store', async () => {
    writeFileSync(file, '')
    expect((await opened()).report?.created).toBe(true)
    const other = join(dir, 'b.db')
    sql('PRAGMA page_size = 8192; VACUUM', other)
    expect(statSync(other).size).toBeGreaterThan(0)
    const { report, adapter } = await opened({ filename: other })
    expect(report?.created).toBe(true)
    await adapter.close()
    expect(query('PRAGMA auto_vacuum', other)).toEqual([{ auto_vacuum: 2 }])
  })

  it('a folder, and a path in a folder that is not there, are refused', async () => {
    await expect(opened({ filename: dir })).rejects.toMatchObject({ name: 'StorageError' })
    await expect(opened({ filename: join(dir, 'no', 'a.db') })).rejects.toMatchObject({
      name: 'StorageError',
      message: /create it first/,
    })
    expect(readdirSync(dir)).toEqual([])
  })

  it.skipIf(isRoot)('a file, or a folder, that cannot be written is refused', async () => {
    await prepared()
    chmodSync(file, 0o444)
    await expect(opened()).rejects.toMatchObject({ name: 'StorageError' })
    chmodSync(file, 0o644)
    chmodSync(dir, 0o555)
    await expect(opened()).rejects.toMatchObject({ name: 'StorageError' })
    chmodSync(dir, 0o755)
    await (await opened()).adapter.close()
  })

  it('options that are wrong are refused before anything is done', () => {
    for (const options of [
      '',
      'a\u0000b',
      {},
      { filename: 7 },
      { filename: 'x', waitMs: -1 },
      { filename: 'x', waitMs: NaN },
    ]) {
      expect(() => new SQLiteAdapter(options as never)).toThrow(/SQLiteAdapter/)
    }
  })
})

describe('damage', () => {
  it('a damaged row goes to quarantine, is reported and leaves the others alone', async () => {
    await prepared()
    const bad = ['{"id":', '[1]', 'null', '{"id":1}],[{"id":2}', '{"id":1},{"id":2}']
    bad.forEach((text, i) => sql(`INSERT INTO varve_rows_1 VALUES (${10 + i}, '${text}')`))
    sql("INSERT INTO varve_rows_1 VALUES (20, x'7b7d00ff')")
    const writer = await opened()
    expect((await writer.load('users')).map((row) => row.ordinal)).toEqual([1, 2, 3])
    expect(writer.adapter.quarantined?.().map(({ what, bucket, at }) => ({ what, bucket, at }))).toEqual(
      [10, 11, 12, 13, 14, 20].map((at) => ({ what: 'row', bucket: 'users', at })),
    )
    await writer.adapter.close()
    expect(query('SELECT at, CAST(body AS TEXT) AS body FROM varve_quarantine WHERE at = 10')).toEqual([
      { at: 10, body: '{"id":' },
    ])
    const again = await opened()
    expect((await again.load('users')).length).toBe(3)
    expect(again.adapter.quarantined?.()).toEqual([])
    await again.adapter.close()
  })

  it('two halves of a record do not pass for one', async () => {
    await prepared()
    sql(`INSERT INTO varve_rows_1 VALUES (10, '{"a":[{}'), (11, '{}]}')`)
    const writer = await opened()
    expect((await writer.load('users')).map((row) => row.ordinal)).toEqual([1, 2, 3])
    await writer.adapter.close()
  })

  it('L1: a damaged entry goes to quarantine, and the entries after it are still read', async () => {
    const changes = [
      "UPDATE varve_log SET body = replace(body, 'Ann', 'Eve') WHERE seq = 2",
      'UPDATE varve_log SET sum = sum + 1 WHERE seq = 2',
      'UPDATE varve_log SET chain = chain + 1 WHERE seq = 2',
      "UPDATE varve_log SET body = '{}' WHERE seq = 2",
      "UPDATE varve_log SET body = x'00ff' WHERE seq = 2",
      'UPDATE varve_log SET body = (SELECT body FROM varve_log WHERE seq = 3), sum = (SELECT sum FROM varve_log WHERE seq = 3) WHERE seq = 2',
    ]
    for (const change of changes) {
      rmSync(file, { force: true })
      await prepared()
      sql(change)
      const writer = await opened()
      expect(
        (await readAll(writer.adapter)).map((entry) => entry.seq),
        change,
      ).toEqual([1, 3, 4])
      expect(writer.adapter.quarantined?.(), change).toMatchObject([{ what: 'entry', at: 2 }])
      expect(
        (await readAll(writer.adapter)).map((entry) => entry.seq),
        change,
      ).toEqual([1, 3, 4])
      expect(writer.adapter.quarantined?.()).toHaveLength(1)
      expect(await writer.write(putting('users', 9, a))).toMatchObject({ appended: true })
      expect((await readAll(writer.adapter, 3)).map((entry) => entry.seq)).toEqual([4, 5])
      await writer.adapter.close()
      expect(query("SELECT at FROM varve_quarantine WHERE what = 'entry'")).toEqual([{ at: 2 }])
    }
  })

  it('entries that are missing are reported', async () => {
    const writer = await prepared()
    sql('DELETE FROM varve_log WHERE seq IN (2, 3)')
    const again = await opened()
    expect((await readAll(again.adapter)).map((entry) => entry.seq)).toEqual([1, writer.model.head])
    expect(again.adapter.quarantined?.()).toMatchObject([
      { what: 'entry', at: 2, reason: 'entries 2 to 3 are missing' },
    ])
    await again.adapter.close()
  })

  it('a damaged list of buckets makes the store unreadable', async () => {
    await prepared()
    sql("UPDATE varve_buckets SET fields = '['")
    expect((await refusal()).name).toBe('StorageUnreadableError')
  })
})

describe('one store at a time', () => {
  const DIST = fileURLToPath(new URL('../../dist/log/sqlite-adapter.js', import.meta.url))

  it.skipIf(!existsSync(DIST))(
    'another process is refused and told who has it, and gets it when the holder is killed',
    async () => {
      const program = `
      import { SQLiteAdapter } from ${JSON.stringify(DIST)}
      const adapter = new SQLiteAdapter({ filename: ${JSON.stringify(file)}, waitMs: 0 })
      const context = { store: 'holder "x"', now: Date.now, uuid: () => 'u', setTimer: (ms, fn) => setTimeout(fn, ms), onError() {} }
      await adapter.open(context)
      console.log('open')
      // Who lets go of the adapter lets go of the file, as soon as it is collected.
      setInterval(() => adapter, 1000)`
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await new Promise((resolve) => child.stdout.once('data', resolve))
      const error = await opened().catch((thrown: Error) => thrown)
      expect(error).toMatchObject({ name: 'StorageLockedError', code: 'STORAGE_LOCKED' })
      expect((error as Error).message).toContain(`store "holder \\"x\\"" of process ${child.pid} has it open since 2`)
      const waiting = opened({ waitMs: 10_000 })
      child.kill('SIGKILL')
      const writer = await waiting
      expect(writer.report?.created).toBe(false)
      await writer.adapter.close()
      expect(readdirSync(dir)).toEqual(['a.db'])
    },
  )

  it('the lock is one of the operating system, on a file beside the store', async () => {
    const writer = await opened()
    const other = driver.open(`${file}-lock`)
    expect(() => other.exec('BEGIN IMMEDIATE')).toThrow(/locked/)
    await writer.adapter.close()
    other.close()
  })

  it('two spellings of one path are one file, in one process too', async () => {
    const writer = await opened()
    symlinkSync(file, join(dir, 'link.db'))
    mkdirSync(join(dir, 'sub'))
    for (const filename of [join(dir, 'link.db'), join(dir, 'sub', '..', 'a.db')]) {
      await expect(opened({ filename })).rejects.toMatchObject({ name: 'StorageLockedError', message: /this one/ })
    }
    await writer.adapter.close()
    const linked = await opened({ filename: join(dir, 'link.db') })
    expect(linked.report?.file).toBe(writer.report?.file)
    await linked.adapter.close()
  })

  it('whoever waits gets the file when it is let go of', async () => {
    const first = await opened()
    const second = opened({ waitMs: 10_000 })
    await first.write(defining('users'))
    await first.adapter.close()
    const writer = await second
    expect(writer.report?.head).toBe(1)
    await writer.adapter.close()
  })

  it('a writer beside the store is waited for, then named; the log has no gap', async () => {
    const writer = await opened({ waitMs: 30 })
    await writer.write(defining('users'))
    const other = driver.open(file)
    other.exec('BEGIN IMMEDIATE')
    await expect(writer.write(putting('users', 1, a))).rejects.toMatchObject({
      code: 'STORAGE_BUSY',
      outcome: 'nothing written',
    })
    const later = writer.write(putting('users', 1, a))
    other.exec('ROLLBACK')
    other.close()
    expect(await later).toEqual({ appended: true, head: 2 })
    await writer.adapter.close()
  })

  it('entries that somebody else has appended are answered as missed', async () => {
    const writer = await opened()
    await writer.write(defining('users'))
    sql(
      'INSERT INTO varve_log SELECT seq + 1, at, type, sum, chain, bytes_end, redacted, replace(body, \'"seq":1\', \'"seq":2\') FROM varve_log',
    )
    const outcome = await writer.write(putting('users', 1, a))
    expect(outcome.appended).toBe(false)
    expect(await writer.load('users')).toEqual([])
    await writer.adapter.close()
  })
})

describe('files that change under the store', () => {
  const LOOKED_MS = 10

  it('nothing is acknowledged into a file that was deleted or replaced', async () => {
    for (const harm of [
      () => unlinkSync(file),
      () => renameSync(file, join(dir, 'moved.db')),
      () => {
        copyFileSync(file, join(dir, 'copy.db'))
        renameSync(join(dir, 'copy.db'), file)
      },
      () => unlinkSync(`${file}-wal`),
    ]) {
      rmSync(dir, { recursive: true })
      mkdirSync(dir)
      const writer = await opened()
      await writer.writeGroup([defining('users'), putting('users', 1, a)])
      harm()
      await new Promise((resolve) => setTimeout(resolve, LOOKED_MS))
      await expect(writer.write(putting('users', 2, b)), String(harm)).rejects.toMatchObject({
        code: 'STORAGE_GONE',
        outcome: 'nothing written',
      })
      await writer.adapter.close()
    }
  })
})

describe('what is on disk', () => {
  it('the file does not grow without bound under a write loop with a small budget', async () => {
    const writer = await opened()
    await writer.write(defining('users'))
    const text = 'x'.repeat(200)
    const sizes: number[] = []
    for (let round = 0; round < 8; round++) {
      for (let i = 0; i < 20; i++) {
        const commits = Array.from({ length: 50 }, (_, n) =>
          putting('users', n, testRecord(`${n}`, { text, round, i })),
        )
        const { entries, ops } = writer.batch(commits)
        await writer.adapter.append(writer.model.head, { entries, ops, durability: 'process' })
        writer.model.head += entries.length
        await writer.adapter.trim({ bytes: 100_000 })
      }
      sizes.push(statSync(file).size + statSync(`${file}-wal`).size)
    }
    expect(Math.max(...sizes.slice(2))).toBeLessThanOrEqual(Math.max(...sizes.slice(0, 2)) * 1.2)
    const kept = await readAll(writer.adapter)
    expect(kept.length).toBeGreaterThan(100)
    expect(kept.length).toBeLessThan(400)
    expect(kept.at(-1)?.seq).toBe(writer.model.head)
    await writer.adapter.close()
  })

  it('free pages are given back once history is let go of', async () => {
    const writer = await opened()
    const text = 'x'.repeat(2_000)
    await writer.writeGroup([
      defining('users'),
      ...Array.from({ length: 3_000 }, (_, i) => putting('users', 1, testRecord('1', { text, i }))),
    ])
    let gone = 1
    for (let calls = 0; gone > 0; calls++) {
      gone = await writer.adapter.trim({ rows: 0 })
      expect(gone).toBeLessThanOrEqual(2_000)
      expect(calls).toBeLessThan(10)
    }
    for (let i = 0; i < 10; i++) await writer.adapter.trim({ rows: 0 })
    await writer.adapter.close()
    expect(statSync(file).size).toBeLessThan(2_000_000)
  })

  it.each(['clear', 'drop', 'delete and trim'])('after %s the data is gone from every file', async (how) => {
    const writer = await opened()
    const secret = testRecord('s', { text: 'MARKER-3d1f' })
    const long = testRecord('l', { text: `MARKER-3d1f${'y'.repeat(20_000)}` })
    await writer.writeGroup([
      defining('users'),
      defining('notes'),
      putting('users', 1, secret),
      putting('users', 2, long),
      putting('notes', 1, a),
    ])
    await writer.write(putting('users', 1, long, secret))
    await writer.adapter.flush()
    expect(bytes()).toContain('MARKER-3d1f')
    if (how === 'clear') await writer.write(clearing('users'))
    else if (how === 'drop') await writer.write(dropping('users'))
    else {
      await writer.writeGroup([deleting('users', 1, long), deleting('users', 2, long)])
      await writer.write(clearing('users'))
    }
    expect(bytes()).not.toContain('MARKER-3d1f')
    expect(await readAll(writer.adapter)).toEqual(writer.model.entries)
    await writer.adapter.close()
    expect(bytes()).not.toContain('MARKER-3d1f')
    expect(bytes()).toContain('Ann')
  })

  // Seeds with which SQLite leaves copies behind when the log is not scrubbed.
  it.each([40, 101])('pages that SQLite rearranged keep no copies of what was erased (seed %i)', async (seed) => {
    let state = seed
    const random = (below: number): number => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31
      return Math.floor((state / 2 ** 31) * below)
    }
    const writer = await opened()
    writer.durability = 'process'
    await writer.writeGroup([defining('users'), defining('notes')])
    for (let i = 1; i < 150; ) {
      const commits = Array.from({ length: 1 + random(30) }, () => {
        const text = (random(2) === 0 ? 'MARKER' : 'kept').padEnd(random(random(10) === 0 ? 6_000 : 600), 'm')
        return putting(text.startsWith('MARKER') ? 'users' : 'notes', i++, testRecord(`${i}`, { text }))
      })
      await writer.writeGroup(commits)
      if (random(5) === 0) await writer.adapter.trim({ rows: random(50) })
    }
    await writer.write(clearing('users'))
    expect(bytes()).not.toContain('MARKER')
    const kept = await readAll(writer.adapter)
    expect(kept).toEqual(writer.model.entries.slice(-kept.length))
    await writer.adapter.close()
  })

  it('erasing waits for a reader, and happens as soon as it is gone', async () => {
    const writer = await opened()
    await writer.writeGroup([defining('users'), putting('users', 1, testRecord('s', { text: 'MARKER-77' }))])
    const reader = driver.open(file)
    reader.exec('BEGIN; SELECT count(*) FROM varve_log')
    await writer.write(dropping('users'))
    expect(bytes()).toContain('MARKER-77')
    reader.exec('ROLLBACK')
    reader.close()
    await writer.adapter.trim({})
    expect(bytes()).not.toContain('MARKER-77')
    await writer.adapter.close()
  })

  it('a closed store is one file; a backup opens as a store and does not replace anything', async () => {
    const writer = await prepared()
    expect(readdirSync(dir)).toEqual(['a.db'])
    const again = await opened()
    const copy = join(dir, 'copy.db')
    await again.adapter.backup?.(copy)
    await expect(again.adapter.backup?.(copy)).rejects.toMatchObject({ code: 'STORAGE_EXISTS' })
    await expect(again.adapter.backup?.(file)).rejects.toMatchObject({ code: 'STORAGE_EXISTS' })
    await expect(again.adapter.backup?.(join(dir, 'no', 'copy.db'))).rejects.toMatchObject({ name: 'StorageError' })
    await again.write(putting('users', 9, a))
    const copied = await opened({ filename: copy })
    expect(copied.report).toMatchObject({ created: false, head: 4, logId: writer.report?.logId })
    expect(await readAll(copied.adapter)).toEqual(writer.model.entries)
    expect((await copied.load('users')).length).toBe(3)
    await copied.adapter.close()
    await again.adapter.close()
    expect(readdirSync(dir)).toEqual(['a.db', 'copy.db'])
  })
})

describe('other programs', () => {
  const hasShell = ((): boolean => {
    try {
      execFileSync('sqlite3', ['--version'])
      return true
    } catch (error) {
      return (error as { code?: string }).code !== 'ENOENT'
    }
  })()

  it.skipIf(!hasShell)('sqlite3 reads each bucket as a view while the store is open', async () => {
    const writer = await opened()
    const odd = ['us"ers', 'USERS', 'sqlite_x', 'varve_log', 'a b;', "it's"]
    await writer.writeGroup([
      defining('users', { fields: ['id', 'na me', "it's", 'list', 'bad"name', 'na\\me', 'n'] }),
      putting('users', 1, testRecord('a', { 'na me': 'Ann', "it's": true, list: [1], n: Infinity, 'bad"name': 2 })),
    ])
    await writer.writeGroup(odd.map((bucket) => defining(bucket, { fields: ['id'] })))
    await writer.write(putting('us"ers', 1, testRecord('q')))
    const shell = (text: string): string =>
      execFileSync('sqlite3', ['-readonly', file, text], { encoding: 'utf8' }).trim()
    expect(shell('SELECT id, "na me", "it\'s", list, _version, _createdAt FROM users')).toBe(
      'a|Ann|1|[1]|1|1700000000000',
    )
    expect(shell('SELECT n > 1e300 FROM users')).toBe('1')
    expect(shell('SELECT id FROM "us""ers"')).toBe('q')
    const views = shell("SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY rowid").split('\n')
    expect(views).toEqual(['users', 'us"ers', 'bucket_3', 'bucket_4', 'bucket_5', 'a b;', "it's"])
    expect(shell("SELECT json_extract(body, '$.type') FROM varve_log WHERE seq = 1")).toBe('store/define')
    await writer.write(defining('users', { fields: ['id', 'added'] }))
    expect(shell('SELECT added IS NULL FROM users')).toBe('1')
    await writer.write(dropping('USERS'))
    expect(shell('SELECT count(*) FROM users')).toBe('1')
    await writer.adapter.close()
    expect(shell('PRAGMA integrity_check')).toBe('ok')
  })
})

const better = await import('better-sqlite3')
  .then(
    ({ default: Database }) => {
      // It may be installed without a build for this Node.
      new Database(':memory:').close()
      return Database
    },
    () => undefined,
  )
  .catch(() => undefined)

describe.skipIf(better === undefined)('better-sqlite3, handed over', () => {
  describeStorageAdapter(
    'SQLite on better-sqlite3',
    {
      create() {
        const place = mkdtempSync(join(tmpdir(), 'varve-better-'))
        const made: { close(): void }[] = []
        const reopen = (): SQLiteAdapter => {
          const database = new (better as NonNullable<typeof better>)(join(place, 'a.db'))
          made.push(database)
          return new SQLiteAdapter({ database, waitMs: 20 })
        }
        const cleanup = (): void => {
          for (const database of made) database.close()
          rmSync(place, { recursive: true })
        }
        return { adapter: reopen(), reopen, cleanup }
      },
    },
    { describe, it },
  )

  it('it stays open, and a store on the same file by path is refused meanwhile', async () => {
    const database = new (better as NonNullable<typeof better>)(file)
    const writer = await opened({ database })
    await writer.writeGroup([defining('users'), putting('users', 1, a)])
    await expect(opened()).rejects.toMatchObject({ name: 'StorageLockedError' })
    await writer.adapter.close()
    expect(database.prepare('SELECT count(*) AS n FROM users').get()).toEqual({ n: 1 })
    database.close()
    expect(existsSync(`${file}-lock`)).toBe(false)
  })

  it('what is no database is refused', async () => {
    for (const database of [null, {}, 'a.db', { exec() {} }]) {
      await expect(opened({ database })).rejects.toMatchObject({ name: 'InvalidArgumentError' })
    }
  })
})
