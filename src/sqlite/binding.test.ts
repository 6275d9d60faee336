import { describe, expect, it, vi } from 'vitest'
import { asSqliteError, type SqliteDatabase, type SqliteError } from './binding.js'
import { adoptDatabase, loadNodeSqlite, loadPhotostructure, loadSqlite } from './load.js'

async function bindings(): Promise<[name: string, open: () => SqliteDatabase][]> {
  const found: [string, () => SqliteDatabase][] = []
  for (const load of [loadNodeSqlite, loadPhotostructure]) {
    const driver = await load().catch(() => undefined)
    if (driver !== undefined) found.push([driver.name, () => driver.open(':memory:')])
  }
  const better = await import('better-sqlite3')
    .then(({ default: Database }) => {
      new Database(':memory:').close()
      return Database
    })
    .catch(() => undefined)
  if (better !== undefined) found.push(['better-sqlite3', () => adoptDatabase(new better(':memory:')).database])
  return found
}

describe.each(await bindings())('%s', (_name, open) => {
  it('binds, values and BLOBs are the same in every binding', () => {
    const database = open()
    const row = database
      .prepare('SELECT ? AS t, ? AS f, ? AS u, ? AS n, ? AS i, ? AS big, ? AS s')
      .get(true, false, undefined, null, 7, 2 ** 53 - 1, 'ž\u0000🐎'.slice(0, 1))
    expect({ ...row }).toEqual({ t: 1, f: 0, u: null, n: null, i: 7, big: 2 ** 53 - 1, s: 'ž' })
    const blob = database.prepare('SELECT ? AS blob').get(new Uint8Array([0, 255]))?.blob
    expect(Object.getPrototypeOf(blob)).toBe(Uint8Array.prototype)
    expect(blob).toEqual(new Uint8Array([0, 255]))
    database.close()
  })

  it('run answers how many rows changed; statements are kept', () => {
    const database = open()
    database.exec('CREATE TABLE a(x PRIMARY KEY); INSERT INTO a VALUES (1), (2)')
    expect(database.prepare('UPDATE a SET x = x + 10').run()).toBe(2)
    expect(database.prepare('DELETE FROM a WHERE x = ?').run(5)).toBe(0)
    expect(
      database
        .prepare('SELECT x FROM a ORDER BY x')
        .all()
        .map((row) => row.x),
    ).toEqual([11, 12])
    expect(database.prepare('SELECT x FROM a WHERE x = 1').get()).toBeUndefined()
    expect(database.prepare('SELECT 1')).toBe(database.prepare('SELECT 1'))
    database.close()
    database.close()
  })

  it('errors have the result code, wherever they come from', () => {
    const database = open()
    database.exec('CREATE TABLE a(x PRIMARY KEY); INSERT INTO a VALUES (1)')
    const results = [
      () => database.exec('SELEC 1'),
      () => database.prepare('SELEC 1'),
      () => database.prepare('INSERT INTO a VALUES (1)').run(),
      () => database.exec('INSERT INTO a VALUES (1)'),
    ].map((call) => {
      try {
        call()
        return 'nothing'
      } catch (error) {
        expect((error as SqliteError).cause).toBeInstanceOf(Error)
        return (error as SqliteError).code
      }
    })
    expect(results).toEqual(['SQLITE_ERROR', 'SQLITE_ERROR', 'SQLITE_CONSTRAINT', 'SQLITE_CONSTRAINT'])
    database.close()
  })

  it('closing a connection ends its transaction', () => {
    const database = open()
    database.exec('BEGIN IMMEDIATE')
    database.prepare('SELECT 1').get()
    expect(() => database.close()).not.toThrow()
  })
})

it('result codes are read from numbers and from names', () => {
  const error = (fields: object): string => asSqliteError(Object.assign(new Error('x'), fields)).result
  expect(error({ errcode: 13 })).toBe('FULL')
  expect(error({ errcode: 1555 })).toBe('CONSTRAINT')
  expect(error({ errcode: 4874 })).toBe('IOERR')
  expect(error({ code: 'SQLITE_BUSY_SNAPSHOT' })).toBe('BUSY')
  expect(error({ code: 'SQLITE_IOERR_FSYNC' })).toBe('IOERR')
  expect(error({})).toBe('ERROR')
  expect(asSqliteError('text').result).toBe('ERROR')
})

it('a driver is found here, without a warning', async () => {
  const warn = vi.spyOn(process, 'emitWarning')
  const driver = await loadSqlite()
  expect(['node:sqlite', '@photostructure/sqlite']).toContain(driver.name)
  expect(warn).not.toHaveBeenCalled()
  warn.mockRestore()
})

it('what is no database is not adopted', () => {
  for (const value of [undefined, null, 1, 'a.db', {}, [], { exec() {}, prepare() {} }]) {
    expect(() => adoptDatabase(value)).toThrow(/SQLiteAdapter\.database/)
  }
})
