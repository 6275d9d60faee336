import { describe, expect, it } from 'vitest'
import type { PreparingDatabase, SqliteAdapter } from '../../src/sqlite.js'
import { rowsOf, thrownBy, xs } from '../../src/testing/sqlite-case.js'
import { loadConnectors } from './connections.js'

const { connectors } = await loadConnectors()

interface WithFunctions {
  function(name: string, fn: (x: unknown) => unknown): unknown
}

const put = (adapter: SqliteAdapter, x: number): void => adapter.exec('INSERT INTO a VALUES (?)', x)

/** better-sqlite3 refuses by itself, libsql has no functions, and oo1 has others. */
const able = connectors.filter(({ name }) => /^(node:sqlite|@photostructure\/|node-sqlite3-wasm)/.test(name))

it.each(able)('no adapter closes a connection while a statement of another runs: $name', ({ open, adapter: make }) => {
  const native = open(':memory:')
  const [adapter, owner] = [make(native), make(native, { own: true })]
  const messages: string[] = []
  ;(native as unknown as WithFunctions).function('f', (x) => {
    messages.push(String(thrownBy(() => owner.close())?.thrown))
    return x
  })
  expect(rowsOf(adapter, 'SELECT f(1) AS y UNION ALL SELECT f(2)')).toEqual([{ y: 1 }, { y: 2 }])
  adapter.exec('CREATE TABLE a AS SELECT f(3) AS x')
  expect(messages).toEqual(Array.from({ length: 3 }, () => expect.stringContaining('nothing was closed')))
  expect(xs(adapter)).toEqual([3])
  owner.close()
  expect(() => rowsOf(adapter, 'SELECT 1')).toThrow()
})

type Begin = (adapter: SqliteAdapter, native: PreparingDatabase, again: SqliteAdapter) => void

/** What the adapter has begun is over, and what is open then was begun by somebody else. */
const OVER: readonly (readonly [name: string, begin: Begin])[] = [
  ['by COMMIT', (adapter) => (adapter.exec('BEGIN'), adapter.exec('COMMIT'))],
  ['by ROLLBACK of a prepared statement', (adapter) => void [rowsOf(adapter, 'BEGIN'), rowsOf(adapter, 'ROLLBACK')]],
  ['by RELEASE', (adapter) => (adapter.exec('SAVEPOINT s'), adapter.exec('RELEASE s'))],
  ['by another adapter', (adapter, _, again) => (adapter.exec('BEGIN'), again.exec('COMMIT'))],
  ['in one call', (adapter) => adapter.exec('BEGIN; INSERT INTO a VALUES (1); COMMIT')],
  [
    'by an error',
    (adapter) => (adapter.exec('BEGIN'), void thrownBy(() => adapter.exec('INSERT OR ROLLBACK INTO a VALUES (0)'))),
  ],
  [
    'by a BEGIN that was refused',
    (adapter, native) => (native.exec('BEGIN'), void thrownBy(() => adapter.exec('BEGIN'))),
  ],
  ['by a savepoint in that of somebody else', (adapter, native) => (native.exec('BEGIN'), adapter.exec('SAVEPOINT s'))],
  ['by transaction', (adapter) => adapter.transaction(() => undefined)],
]

describe.each(connectors)('transactions of a connection that is not its own: $name', ({ open, adapter: make }) => {
  it.each(OVER)('close leaves that of the application alone: %s', (_name, begin) => {
    const native = open(':memory:')
    const [adapter, again] = [make(native), make(native)]
    adapter.exec('CREATE TABLE a(x UNIQUE); INSERT INTO a VALUES (0)')
    begin(adapter, native, again)
    thrownBy(() => native.exec('BEGIN'))
    put(again, 5)
    adapter.close()
    native.exec('COMMIT')
    expect(xs(again)).toContain(5)
    native.close()
  })

  it.each(['BEGIN', 'SAVEPOINT s', 'BEGIN; COMMIT; BEGIN'])('close rolls back its own: %s', (sql) => {
    const native = open(':memory:')
    const [adapter, again] = [make(native), make(native)]
    adapter.exec('CREATE TABLE a(x)')
    adapter.exec(sql)
    adapter.transaction(() => put(adapter, 1))
    adapter.close()
    expect(xs(again)).toEqual([])
    native.exec('BEGIN')
    native.close()
  })

  it('after its end nobody writes on, by whatever adapter, until fn has ended', () => {
    const native = open(':memory:')
    const [adapter, again] = [make(native), make(native)]
    adapter.exec('CREATE TABLE a(x UNIQUE); INSERT INTO a VALUES (0)')
    const work = (): void => {
      put(adapter, 1)
      expect(() => put(again, 0)).toThrow(/UNIQUE/)
      expect(() => again.exec('INSERT OR ROLLBACK INTO a VALUES (0)')).toThrow(/UNIQUE/)
      for (const one of [adapter, again, make(native)]) {
        expect(() => put(one, 2)).toThrow(/nothing of it was written/)
        expect(() => one.transaction(() => put(one, 3))).toThrow(/nothing of it was written/)
      }
    }
    expect(thrownBy(() => adapter.transaction(work))?.thrown).toMatchObject({ code: 'SQLITE_ABORT' })
    expect(xs(adapter)).toEqual([0])
    put(again, 6)
    adapter.transaction(() => again.transaction(() => put(again, 7)))
    expect(xs(adapter)).toEqual([0, 6, 7])
    native.close()
  })

  it.each([
    'ROLLBACK TO s',
    'RELEASE s',
    'RELEASE SAVEPOINT "S"',
    'rollback transaction to savepoint [s]',
    'SELECT 1; RELEASE s',
  ])('savepoints from before fn are not its own to end: %s', (sql) => {
    const native = open(':memory:')
    const [adapter, again] = [make(native), make(native)]
    adapter.exec('CREATE TABLE a(x)')
    for (const begin of ['SAVEPOINT s', 'BEGIN; SAVEPOINT s']) {
      adapter.exec(begin)
      put(adapter, 1)
      const work = (): void => {
        put(adapter, 2)
        for (const one of [adapter, again]) {
          expect(() => one.exec(sql)).toThrow(/which fn has not begun/)
          if (!sql.includes(';')) expect(() => rowsOf(one, sql)).toThrow(/which fn has not begun/)
        }
        throw new Error('undone')
      }
      expect(() => adapter.transaction(work)).toThrow('undone')
      expect(xs(adapter)).toEqual([1])
      adapter.exec('ROLLBACK')
    }
    native.close()
  })

  it('savepoints that fn begins are its own, but not those of a transaction around it', () => {
    const native = open(':memory:')
    const [adapter, again] = [make(native), make(native)]
    adapter.exec('CREATE TABLE a(x UNIQUE)')
    adapter.transaction(() => {
      adapter.exec('SAVEPOINT one')
      put(adapter, 1)
      adapter.exec('SAVEPOINT "Two"')
      put(adapter, 2)
      again.exec('ROLLBACK TO two')
      adapter.transaction(() => {
        expect(() => adapter.exec('RELEASE one')).toThrow(/which fn has not begun/)
        adapter.exec('SAVEPOINT one; RELEASE one')
        expect(() => adapter.exec('ROLLBACK TO one')).toThrow(/which fn has not begun/)
      })
      adapter.exec('RELEASE one')
      expect(() => adapter.exec('RELEASE two')).toThrow(/which fn has not begun/)
      adapter.exec('SAVEPOINT three')
      expect(() => adapter.exec('INSERT INTO a VALUES (1); RELEASE three')).toThrow(/UNIQUE/)
      adapter.exec('ROLLBACK TO three; RELEASE three')
      expect(() => adapter.exec('RELEASE varve_0')).toThrow(/which fn has not begun/)
    })
    expect(xs(adapter)).toEqual([1])
    native.close()
  })

  it('names that look like those of a trigger hide no COMMIT', () => {
    const native = open(':memory:')
    const adapter = make(native)
    const hidden = ['CREATE TABLE trigger(begin TEXT); COMMIT', 'CREATE VIEW trigger AS SELECT 1 AS begin; COMMIT']
    for (const sql of hidden) {
      expect(() => adapter.transaction(() => adapter.exec(sql))).toThrow(/COMMIT would end the transaction/)
    }
    adapter.exec('CREATE TABLE a(x)')
    const body = 'TRIGGER b AFTER INSERT ON a BEGIN SELECT CASE WHEN 1 THEN 2 END; END'
    for (const kind of ['CREATE', 'CREATE TEMP', 'create temporary']) {
      adapter.transaction(() => adapter.exec(`${kind} ${body}; DROP TRIGGER b`))
    }
    native.close()
  })
})
