import { createRequire } from 'node:module'
import { DatabaseSync, type DatabaseSyncInstance } from '@photostructure/sqlite'
import { describe, expect, it } from 'vitest'
import { fromBinding, fromDurableObjectSql, type SimpleBinding, type SqliteAdapter } from '../../src/sqlite.js'
import { fromBetterSqlite3, fromNodeSqlite, type PreparingDatabase } from '../../src/sqlite.js'
import { describeSqliteBinding } from '../../src/testing/sqlite-binding.js'
import { rowsOf, valuesOf, xs } from '../../src/testing/sqlite-case.js'
import { loadConnectors } from './connections.js'

interface Better extends PreparingDatabase {
  prepare(sql: string): {
    safeIntegers(): { all(...values: unknown[]): object[] }
    all(...values: unknown[]): object[]
    run(...values: unknown[]): unknown
  }
}

const Database = loadBetter()
const { connectors } = await loadConnectors()

function loadBetter(): (new (path: string) => Better) | undefined {
  try {
    const found = createRequire(import.meta.url)('better-sqlite3') as new (path: string) => Better
    new found(':memory:').close()
    return found
  } catch (error) {
    console.info(`without better-sqlite3: ${String(error)}`)
    return undefined
  }
}

/** As a newcomer writes it at first: large integers cannot be read. */
function plainBinding(database: DatabaseSyncInstance): SimpleBinding {
  return {
    exec: (sql) => database.exec(sql),
    all: (sql, values) => database.prepare(sql).all(...(values as never[])) as object[],
    close: () => database.close(),
  }
}

/** Large integers are rounded. */
function roundingBinding(database: DatabaseSyncInstance): SimpleBinding {
  const all = (sql: string, values: readonly unknown[]): object[] => {
    const statement = database.prepare(sql)
    statement.setReadBigInts(true)
    return (statement.all(...(values as never[])) as Record<string, unknown>[]).map((row) =>
      Object.fromEntries(Object.entries(row).map(([name, v]) => [name, typeof v === 'bigint' ? Number(v) : v])),
    )
  }
  return { ...plainBinding(database), all }
}

const open = (make: (database: DatabaseSyncInstance) => SimpleBinding): SqliteAdapter =>
  fromBinding(make(new DatabaseSync(':memory:')), { own: true })

describe.each([
  ['that cannot read large integers', plainBinding],
  ['that rounds large integers', roundingBinding],
] as const)('a binding %s', (_name, make) => {
  it('has them read as text by another SELECT, and REALs as they are', () => {
    const adapter = open(make)
    adapter.exec('CREATE TABLE a(x)')
    const values = [2n ** 53n + 1n, -(2n ** 63n), 2 ** 60, -1e300, 5, 0.5, 'text', null]
    for (const value of values) adapter.exec('INSERT INTO a VALUES (?)', value)
    expect(rowsOf(adapter, 'SELECT x FROM a ORDER BY rowid').map((row) => row['x'])).toEqual(values)
    expect(
      rowsOf(adapter, `SELECT x, ? AS "a ""b""" FROM a WHERE typeof(x) = 'real' AND x > ? -- end`, 7, 2 ** 62),
    ).toEqual([])
    expect(valuesOf(adapter, 'WITH replace AS (SELECT ? AS x) SELECT x, x AS y FROM replace', 2n ** 60n)).toEqual([
      2n ** 60n,
      2n ** 60n,
    ])
    expect(valuesOf(adapter, '\ufeffVALUES (9007199254740993)')).toEqual([2n ** 53n + 1n])
    adapter.close()
  })

  it('refuses what it cannot tell: two columns of one name, and undoes what writes', () => {
    const adapter = open(make)
    adapter.exec('CREATE TABLE a(x)')
    expect(() => rowsOf(adapter, 'SELECT 9007199254740993 AS x, 9007199254740994 AS x')).toThrow(/read|large/)
    const writing = (): unknown => rowsOf(adapter, 'INSERT INTO a VALUES (9007199254740993) RETURNING x')
    expect(writing).toThrow(/2\^53|large/)
    adapter.transaction(() => expect(writing).toThrow(/2\^53|large/))
    expect(xs(adapter)).toEqual([])
    adapter.close()
  })
})

/** What somebody else ends is noticed at once where the binding tells, and at the end of `fn` where it does not. */
it.each([true, false])('a transaction that somebody else ends is told of: inTransaction %s', (tells) => {
  const database = new DatabaseSync(':memory:')
  const inTransaction = (): boolean => database.isTransaction
  const adapter = fromBinding({ ...plainBinding(database), ...(tells ? { inTransaction } : {}) })
  adapter.exec('CREATE TABLE a(x)')
  const work = (): void => {
    adapter.exec('INSERT INTO a VALUES (1)')
    database.exec('COMMIT')
    adapter.exec('INSERT INTO a VALUES (2)')
  }
  expect(() => adapter.transaction(work)).toThrow(expect.objectContaining({ code: 'SQLITE_ABORT' }))
  expect(xs(adapter)).toEqual(tells ? [1] : [1, 2])
  const wrong = { ...plainBinding(database), inTransaction: false } as unknown as SimpleBinding
  expect(() => fromBinding(wrong)).toThrow(/binding\.inTransaction/)
  adapter.close()
  database.close()
})

it('a Durable Object answers REALs beyond 2^53, and refuses integers', () => {
  const database = new DatabaseSync(':memory:')
  const rounding = roundingBinding(database)
  const sql = {
    exec: (text: string, ...values: unknown[]) => ({ toArray: () => Array.from(rounding.all(text, values)) }),
  }
  const adapter = fromDurableObjectSql({ sql, transactionSync: (fn) => fn() })
  expect(valuesOf(adapter, 'SELECT ? AS x, 1e300 AS y', 2 ** 60)).toEqual([2 ** 60, 1e300])
  expect(() => valuesOf(adapter, 'SELECT 9007199254740993 AS x')).toThrow(/2\^53/)
  database.close()
})

it('rows of a SELECT whose names look like verbs, or that begins with a byte order mark, are answered', () => {
  const adapter = open((database) => ({
    ...plainBinding(database),
    run: (sql, v) => plainBinding(database).all(sql, v),
  }))
  expect(valuesOf(adapter, 'WITH replace AS (SELECT 1 AS x) SELECT x FROM replace')).toEqual([1])
  expect(valuesOf(adapter, 'WITH a AS (SELECT 1), replace(x) AS (SELECT 2) SELECT x FROM replace')).toEqual([2])
  expect(valuesOf(adapter, '\ufeffSELECT 3 AS x')).toEqual([3])
  adapter.exec('CREATE TABLE a(x)')
  adapter.exec('WITH one AS (SELECT 4 AS x) REPLACE INTO a SELECT x + ? FROM one', 1)
  expect(xs(adapter)).toEqual([5])
  adapter.close()
})

it('an asynchronous binding is refused, and so are rows that are no objects, and a missing run', () => {
  const from = (binding: object): unknown => fromBinding(binding as SimpleBinding)
  const one = (): object[] => [{ one: 1 }]
  for (const binding of [
    { exec: () => Promise.resolve(), all: () => Promise.resolve([]) },
    { exec: () => undefined, all: () => undefined },
    { exec: () => undefined, all: () => ({}) },
    { exec: () => Promise.reject(new Error('late')), all: one },
    { exec: () => undefined, all: () => [[1]] },
    { exec: () => undefined, all: () => [] },
    { exec: () => undefined },
  ]) {
    expect(() => from(binding)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  }
  const picky = (sql: string): object[] => {
    if (!sql.startsWith('SELECT')) throw new Error('use run()')
    return one()
  }
  expect(() => from({ exec: () => undefined, all: picky })).toThrow(/run\(sql, values\).*use run\(\)/)
  const late = fromBinding({ exec: () => undefined, all: one, run: () => Promise.reject(new Error('late')) })
  expect(() => late.exec('DELETE FROM a WHERE x = ?', 1)).toThrow(/asynchronous/)
})

describe('factories', () => {
  const factories = {
    fromNodeSqlite,
    fromBetterSqlite3,
    ...Object.fromEntries(connectors.map((c) => [c.adapter.name, c.adapter])),
  }

  it.each(connectors)('tell which one is for $name', ({ name, open: connect, adapter }) => {
    const native = connect(':memory:')
    for (const [factory, make] of Object.entries(factories)) {
      if (factory === adapter.name) expect(() => make(native)).not.toThrow()
      else expect(() => make(native), `${name} ${factory}`).toThrow(new RegExp(`there is ${adapter.name}`))
    }
    native.close()
  })

  it.each(connectors)('refuse options that nobody knows: $name', ({ open: connect, adapter }) => {
    const make: (native: PreparingDatabase, options?: object) => SqliteAdapter = adapter
    const native = connect(':memory:')
    for (const options of [{ owns: true }, { own: true, close: true }, [], 'own', { own: 1 }]) {
      expect(() => make(native, options as object)).toThrow(/INVALID|expected/)
    }
    native.close()
  })

  it('what a connection does with values is known of each, whatever its class and options', () => {
    const odd = new DatabaseSync(':memory:', { returnArrays: true })
    expect(rowsOf(fromNodeSqlite(odd), 'SELECT 1 AS x')).toEqual([{ x: 1 }])
    const wrap = (native: PreparingDatabase): PreparingDatabase =>
      Object.assign(Object.create(null) as object, {
        exec: (sql: string) => native.exec(sql),
        prepare: (sql: string) => native.prepare(sql),
        close: () => native.close(),
      })
    for (const { name, open: connect, adapter } of connectors.filter((one) => one.name !== '@sqlite.org/sqlite-wasm')) {
      const native = connect(':memory:')
      const keeps = /better|node:/.test(name)
      const text = (): unknown[] => valuesOf(adapter(wrap(native)), 'SELECT ? AS v', 'a\0b')
      if (keeps) expect(text()).toEqual(['a\0b'])
      else expect(text).toThrow(/NUL/)
      native.close()
    }
  })
})

describeSqliteBinding(
  'mine on @photostructure/sqlite',
  { open: () => ({ adapter: open(bigBinding) }), claims: { nul: false } },
  { describe, it },
)

/** As docs/SQLITE.md has it. */
function bigBinding(database: DatabaseSyncInstance): SimpleBinding {
  const all = (sql: string, values: readonly unknown[]): object[] => {
    const statement = database.prepare(sql)
    statement.setReadBigInts(true)
    return statement.all(...(values as never[])) as object[]
  }
  return { ...plainBinding(database), all }
}

if (Database !== undefined) {
  const make = (): SqliteAdapter => {
    const database = new Database(':memory:')
    return fromBinding(
      {
        exec: (sql) => database.exec(sql),
        all: (sql, values) =>
          database
            .prepare(sql)
            .safeIntegers()
            .all(...values),
        run: (sql, values) => database.prepare(sql).run(...values),
        close: () => database.close(),
      },
      { own: true },
    )
  }
  describeSqliteBinding('mine on better-sqlite3', { open: () => ({ adapter: make() }) }, { describe, it })
}

it('bytes that say of themselves that they are more, or less, are taken as they are', () => {
  for (const { open: connect, adapter: make } of connectors) {
    const native = connect(':memory:')
    const lying = Object.defineProperty(new Uint8Array([1, 2, 3]), 'byteLength', { value: 1_000_000 })
    expect(valuesOf(make(native), 'SELECT ? AS v', lying)).toEqual([new Uint8Array([1, 2, 3])])
    native.close()
  }
})
