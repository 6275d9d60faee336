import { describe, expect, it } from 'vitest'
import { asSqliteError } from '../../src/sqlite/error.js'
import { rowsOf, thrownBy } from '../../src/testing/sqlite-case.js'
import { loadConnectors } from './connections.js'

const { connectors } = await loadConnectors()

/** Names of tables that are what SQLite says of other errors. */
const NAMES = [
  'database is locked',
  'disk I/O error',
  'x constraint failed',
  'string or blob too big',
  'database connection is closed',
  'x: SQLITE_BUSY',
  'x: SQLITE_FULL (extended: SQLITE_FULL)',
  'constraint failed: x',
]

describe.each(connectors)('result codes: $name', ({ open, adapter: make }) => {
  it('names of the application do not decide', () => {
    const native = open(':memory:')
    const adapter = make(native)
    for (const name of NAMES) {
      for (const sql of [`SELECT * FROM "${name}"`, `SELECT a."${name}" FROM sqlite_master AS a`]) {
        for (const call of [() => adapter.exec(sql), () => rowsOf(adapter, sql)]) {
          expect(thrownBy(call)?.thrown, sql).toMatchObject({ code: 'SQLITE_ERROR' })
        }
      }
    }
    native.close()
  })

  it('are those of SQLite', () => {
    const native = open(':memory:')
    const adapter = make(native)
    adapter.exec(
      'CREATE TABLE a(i INTEGER PRIMARY KEY, u UNIQUE, n NOT NULL DEFAULT 0, c CHECK (c > 1)); CREATE TABLE s(x INT) STRICT',
    )
    adapter.exec('PRAGMA foreign_keys = 1; CREATE TABLE f(x REFERENCES a(i)); INSERT INTO a(i, u) VALUES (1, 1)')
    for (const [code, sql] of [
      ['CONSTRAINT', 'INSERT INTO a(i) VALUES (1)'],
      ['CONSTRAINT', 'INSERT INTO a(u) VALUES (1)'],
      ['CONSTRAINT', 'INSERT INTO a(n) VALUES (NULL)'],
      ['CONSTRAINT', 'INSERT INTO a(c) VALUES (1)'],
      ['CONSTRAINT', 'INSERT INTO f VALUES (9)'],
      ['CONSTRAINT', "INSERT INTO s VALUES ('x')"],
      ['MISMATCH', "INSERT INTO a(i) VALUES ('x')"],
      ['TOOBIG', 'SELECT zeroblob(2000000000)'],
      ['CANTOPEN', "ATTACH '/nowhere/at/all' AS z"],
      ['ERROR', 'SELEC 1'],
      ['ERROR', "SELECT json('{')"],
    ] as const) {
      for (const call of [() => adapter.exec(sql), () => rowsOf(adapter, sql)]) {
        expect(thrownBy(call)?.thrown, sql).toMatchObject({ code: `SQLITE_${code}` })
      }
    }
    native.close()
    expect(thrownBy(() => adapter.exec('SELECT 1'))?.thrown).toMatchObject({ code: 'SQLITE_MISUSE' })
    expect(thrownBy(() => rowsOf(adapter, 'SELECT 2'))?.thrown).toMatchObject({ code: 'SQLITE_MISUSE' })
  })
})

it('a code that is told is believed, and the end of what a Durable Object says', () => {
  const result = (message: string, fields = {}): string =>
    asSqliteError(Object.assign(new Error(message), fields)).result
  expect(result('database is locked', { errcode: 1 })).toBe('ERROR')
  expect(result('database is locked', { errcode: 1811 })).toBe('CONSTRAINT')
  expect(result('database is locked', { code: 'SQLITE_ERROR' })).toBe('ERROR')
  expect(result('no such table: a: SQLITE_BUSY: SQLITE_ERROR')).toBe('ERROR')
  expect(result('UNIQUE constraint failed: a.x: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)')).toBe(
    'CONSTRAINT',
  )
  expect(result('database table is locked: a')).toBe('LOCKED')
})
