import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SqliteError, type SqliteDatabase } from '../sqlite/binding.js'
import type { PreparingDatabase } from '../sqlite/recognise.js'
import { fromSqliteWasm } from '../sqlite/from-wasm.js'
import { loadSqlite } from '../sqlite/load.js'
import type { SqliteAdapter } from '../sqlite/port.js'
import { type Fault, FaultPlan, sqliteBusy, sqliteFull, sqliteIoError } from '../testing/faults.js'
import {
  clearing,
  defining,
  deleting,
  loadRows,
  putting,
  readAll,
  type TestCommit,
  testContext,
  testRecord,
  TestWriter,
} from '../testing/storage-fixture.js'
import type { StorageError } from './errors.js'
import { SQLiteAdapter } from './sqlite-adapter.js'
import { SqliteEngine } from './sqlite-engine.js'
import { connectionPlace } from './sqlite-place.js'
import { SqliteStorage } from './sqlite-storage.js'
import type { StorageAdapter } from './storage.js'

const driver = await loadSqlite()
const [a, b, c] = [testRecord('a'), testRecord('b'), testRecord('c')]

let folder: string
let file: string
const opened: SqliteDatabase[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'varve-place-'))
  file = join(folder, 'a.db')
})

afterEach(() => {
  for (const database of opened.splice(0)) database.close()
  rmSync(folder, { recursive: true })
})

/** Four methods over a database of its own, with what happens to each call decided by `around`. */
function fourMethods(path = ':memory:', around: <T>(sql: string, work: () => T) => T = (_sql, work) => work()) {
  const database = driver.open(path)
  opened.push(database)
  const connection: SqliteAdapter = {
    exec: (sql, ...params) =>
      around(sql, () => {
        if (params.length === 0) database.exec(sql)
        else database.prepare(sql).run(...params)
      }),
    iterate: <T>(sql: string, ...params: never[]) => around(sql, () => database.prepare(sql).all(...params)) as T[],
    transaction: (fn) => around('transaction', () => database.transaction(fn)),
    close: () => expect.unreachable('the store closes a connection that is not its own'),
  }
  return { database, connection }
}

/** A connection on which every pragma is refused, as in a Durable Object. */
function withoutPragmas(): SqliteAdapter {
  return fourMethods(':memory:', (sql, work) => {
    if (/pragma/i.test(sql)) throw new SqliteError('not authorized', 'AUTH', 23)
    if (/^(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|VACUUM)/.test(sql)) throw new Error('please use transactionSync()')
    return work()
  }).connection
}

async function writerOn(adapter: StorageAdapter): Promise<TestWriter> {
  const writer = new TestWriter(adapter)
  const report = await writer.open()
  writer.durability = report.durability
  return writer
}

describe('what a commit survives', () => {
  it.each<[string, () => StorageAdapter, string]>([
    ['a database without a file', () => new SqliteStorage(fourMethods().connection), 'memory'],
    ['a file somewhere', () => new SqliteStorage(fourMethods(file).connection), 'process'],
    ['a connection that does not say where it is', () => new SqliteStorage(withoutPragmas()), 'process'],
    ['one of which the caller knows it', () => new SqliteStorage(withoutPragmas(), { durability: 'disk' }), 'disk'],
    ['a file of this machine', () => new SQLiteAdapter({ database: fourMethods(file).connection }), 'disk'],
    ['memory, for SQLiteAdapter', () => new SQLiteAdapter({ database: fourMethods().connection }), 'memory'],
  ])('%s', async (_name, make, durability) => {
    const writer = await writerOn(make())
    expect(writer.report?.durability).toBe(durability)
    await writer.adapter.close()
  })

  it('where the binding has a way to wait for that, a write at level disk waits, and no other', async () => {
    let synced = 0
    const failures: Error[] = []
    const place = () => {
      const database = driver.open(':memory:')
      opened.push(database)
      const sync = async (): Promise<void> => {
        synced++
        for (const failure of failures) throw failure
      }
      const waiting: SqliteDatabase = {
        exec: (sql) => database.exec(sql),
        prepare: (sql) => database.prepare(sql),
        transaction: (fn) => database.transaction(fn),
        begins: false,
        isInTransaction: () => undefined,
        close: () => database.close(),
        sync,
      }
      return connectionPlace(waiting, { name: 'x', isExclusive: false, isShared: true, survives: undefined })
    }
    const writer = await writerOn(new SqliteEngine({ name: 'x', waitMs: 0, openPlace: place }))
    expect(writer.report?.durability).toBe('disk')
    writer.durability = 'process'
    await writer.write(defining('users'))
    expect(synced).toBe(0)
    writer.durability = 'disk'
    await writer.write(putting('users', 1, a))
    expect(synced).toBe(1)
    await writer.adapter.flush()
    expect(synced).toBe(2)
    failures.push(new Error('the object was reset'))
    await expect(writer.write(putting('users', 2, b))).rejects.toMatchObject({
      name: 'StorageError',
      outcome: 'unknown',
    })
    await writer.adapter.close()
  })
})

describe('a connection that was handed in', () => {
  it('stays open, as it was, and its transaction is not ended', async () => {
    const { database, connection } = fourMethods(file)
    const writer = await writerOn(new SQLiteAdapter({ database: connection, waitMs: 0 }))
    await writer.write(defining('users'))
    await writer.adapter.close()
    expect(database.prepare('SELECT count(*) AS n FROM varve_log').get()).toEqual({ n: 1 })
  })

  it('with a transaction of its owner open is not written to; that transaction goes on', async () => {
    const native = driver.open(file)
    opened.push(native)
    native.exec('CREATE TABLE mine(a)')
    const place = connectionPlace(native, { name: 'x', isExclusive: false, isShared: true, survives: 'disk' })
    const writer = await writerOn(new SqliteEngine({ name: 'x', waitMs: 0, openPlace: () => place }))
    native.exec("BEGIN; INSERT INTO mine VALUES ('kept')")
    await expect(writer.write(defining('users'))).rejects.toThrow(/within a transaction.*nothing was written/)
    native.exec('COMMIT')
    expect(native.prepare('SELECT a FROM mine').get()).toEqual({ a: 'kept' })
    await writer.write(defining('users'))
    await writer.adapter.close()
  })

  it('on a file of this machine has the lock: a store by path is refused meanwhile, and reads it afterwards', async () => {
    const writer = await writerOn(new SQLiteAdapter({ database: fourMethods(file).connection, waitMs: 0 }))
    expect(writer.report?.file).toBe(file)
    await writer.write(defining('users'))
    const byPath = new SQLiteAdapter({ filename: file, waitMs: 0 })
    await expect(byPath.open(testContext())).rejects.toMatchObject({ name: 'StorageLockedError' })
    expect(existsSync(`${file}-lock`)).toBe(true)
    await writer.adapter.close()
    expect(existsSync(`${file}-lock`)).toBe(false)
    expect((await writerOn(byPath)).report?.head).toBe(1)
    await byPath.close()
  })

  it('L4: a store whose database was opened by another one writes nothing, not even rows', async () => {
    const { connection } = fourMethods()
    const first = await writerOn(new SqliteStorage(connection))
    await first.writeGroup([defining('users'), putting('users', 1, a)])
    const second = await writerOn(new SqliteStorage(connection))
    for (const write of [
      () => first.write(putting('users', 2, b)),
      () =>
        first.adapter.append(2, {
          entries: [],
          ops: [{ op: 'counter', bucket: 'users', counter: 3 }],
          durability: 'disk',
        }),
      () => first.adapter.trim({ rows: 1 }),
    ]) {
      await expect(async () => write()).rejects.toMatchObject({ name: 'StorageLockedError', message: /\(L4\)/ })
    }
    expect(await loadRows(second.adapter, 'users')).toEqual([{ ordinal: 1, record: a }])
    await first.adapter.close()
    await second.adapter.close()
  })
})

describe('a binding without a write-ahead log', () => {
  it('keeps its journal beside the file while it is open, and commits are full', async () => {
    const { Database } = createRequire(import.meta.url)('node-sqlite3-wasm') as {
      Database: new (path: string) => PreparingDatabase
    }
    const native = new Database(file)
    const connection = fromSqliteWasm(native)
    const writer = await writerOn(new SQLiteAdapter({ database: connection, waitMs: 0 }))
    expect(writer.report).toMatchObject({ file, durability: 'disk' })
    expect(existsSync(`${file}-journal`)).toBe(true)
    for (const durability of ['disk', 'process'] as const) {
      writer.durability = durability
      await writer.write(durability === 'disk' ? defining('users') : putting('users', 1, a))
      const modes = [...connection.iterate('PRAGMA journal_mode'), ...connection.iterate('PRAGMA synchronous')]
      expect(modes).toEqual([{ journal_mode: 'truncate' }, { synchronous: 2 }])
    }
    await writer.adapter.flush()
    await writer.adapter.close()
    native.close()
    const byPath = await writerOn(new SQLiteAdapter({ filename: file, waitMs: 0 }))
    expect(await loadRows(byPath.adapter, 'users')).toEqual([{ ordinal: 1, record: a }])
    await byPath.adapter.close()
  })
})

describe('what is a store', () => {
  it('tables of others may be beside it, and a store by path finds it all the same', async () => {
    const { database, connection } = fourMethods(file)
    database.exec('PRAGMA application_id = 7; CREATE TABLE mine(a)')
    const writer = await writerOn(new SqliteStorage(connection))
    expect(writer.report?.created).toBe(true)
    await writer.writeGroup([defining('mine'), putting('mine', 1, a)])
    await writer.adapter.close()
    expect(database.prepare('PRAGMA application_id').get()).toEqual({ application_id: 7 })
    const again = await writerOn(new SqliteStorage(connection))
    expect(again.report).toMatchObject({ created: false, head: 2 })
    await again.adapter.close()
  })

  it('an empty database is marked, so that it is a store wherever its file goes', async () => {
    const writer = await writerOn(new SqliteStorage(fourMethods(file).connection))
    await writer.write(defining('users'))
    await writer.adapter.close()
    for (const database of opened.splice(0)) database.close()
    const byPath = await writerOn(new SQLiteAdapter({ filename: file, waitMs: 0 }))
    expect(byPath.report).toMatchObject({ created: false, head: 1 })
    await byPath.adapter.close()
  })

  it('a newer format, and a table of somebody else with our name, are refused and left alone', async () => {
    const { database, connection } = fourMethods()
    const fresh = withoutPragmas()
    const store = await writerOn(new SqliteStorage(fresh))
    await store.adapter.close()
    fresh.exec("UPDATE varve_meta SET value = 2 WHERE key = 'format'")
    const newer = new SqliteStorage(fresh).open(testContext())
    await expect(newer).rejects.toMatchObject({ name: 'StorageUnreadableError', message: /format 2/ })
    database.exec('CREATE TABLE varve_meta(mine)')
    await expect(new SqliteStorage(connection).open(testContext())).rejects.toThrow(/another program/)
    expect(database.prepare('SELECT count(*) AS n FROM sqlite_schema').get()).toEqual({ n: 1 })
  })

  it('what is no connection, and options that are wrong, are refused before anything is done', () => {
    for (const wrong of [undefined, null, {}, { exec() {} }, 'a.db']) {
      expect(() => new SqliteStorage(wrong as never)).toThrow(/new SqliteStorage\(connection\)/)
    }
    const { connection } = fourMethods()
    for (const wrong of [null, 1, { durability: 'ever' }, { waitMs: -1 }, { waitMs: '1' }]) {
      expect(() => new SqliteStorage(connection, wrong as never)).toThrow(/new SqliteStorage\(connection, options\)/)
    }
    expect(() => new SQLiteAdapter({ database: connection, durability: 'ever' as never })).toThrow(/durability/)
  })
})

const GROUPS: readonly (readonly TestCommit[])[] = [
  [putting('users', 3, c), deleting('users', 1, a)],
  [defining('notes'), putting('notes', 1, a), { ops: [{ op: 'counter', bucket: 'users', counter: 9 }] }],
  [clearing('users'), putting('users', 4, b)],
]

const FAULTS: readonly [name: string, error: () => SqliteError, when: Fault['when']][] = [
  ['full', sqliteFull, 'before'],
  ['full', sqliteFull, 'after'],
  ['an I/O error', sqliteIoError, 'before'],
  ['an I/O error', sqliteIoError, 'after'],
  ['busy', sqliteBusy, 'after'],
]

describe('a fault of a connection with four methods', () => {
  it.each(FAULTS)('%s at the n-th call of an append: database and caller agree', async (_name, error, when) => {
    for (const group of GROUPS) {
      for (let n = 1, hit = true; hit; n++) {
        const plan = new FaultPlan()
        const { connection } = fourMethods(':memory:', (sql, work) => plan.run(sql, work))
        const writer = await writerOn(new SqliteStorage(connection, { waitMs: 0 }))
        await writer.writeGroup([defining('users'), putting('users', 1, a), putting('users', 2, b)])
        const batch = writer.batch(group)
        plan.arm({ failAt: n, error, ...(when === undefined ? {} : { when }) })
        let failure: StorageError | undefined
        try {
          await writer.adapter.append(writer.model.head, batch)
          writer.accept(batch)
        } catch (thrown) {
          failure = thrown as StorageError
        }
        hit = plan.hits > 0
        plan.arm(undefined)
        expect(['StorageError', 'StorageFullError', undefined]).toContain(failure?.name)
        const now = await writerOn(new SqliteStorage(connection))
        if (failure?.outcome === 'unknown' && now.report?.head !== writer.model.head) writer.accept(batch)
        expect(await readAll(now.adapter), `${n}: ${failure?.message}`).toEqual(writer.model.entries)
        for (const [bucket, rows] of writer.model.rows) {
          const expected = Array.from(rows, ([ordinal, record]) => ({ ordinal, record }))
          expect(await loadRows(now.adapter, bucket), `${n}: ${failure?.message}`).toEqual(expected)
        }
      }
    }
  })
})
