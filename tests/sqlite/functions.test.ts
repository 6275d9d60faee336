import { describe, expect, it } from 'vitest'
import type { SqliteAdapter } from '../../src/sqlite.js'
import { rowsOf, valuesOf } from '../../src/testing/sqlite-case.js'
import { loadConnectors } from './connections.js'

const { connectors } = await loadConnectors()

interface WithFunctions {
  function?(name: string, fn: (...values: unknown[]) => unknown): unknown
}

/** better-sqlite3 runs one statement at a time, libsql has no functions, and oo1 has others. */
const able = connectors.filter(({ name }) => /^(node:sqlite|@photostructure\/|node-sqlite3-wasm)/.test(name))

describe.each(able)('functions of the application that SQL calls: $name', ({ open, adapter: make }) => {
  /** @param fn is called for each of three rows. */
  function call(fn: (adapter: SqliteAdapter, depth: number) => unknown, sql = 'SELECT f(x) AS y FROM a'): unknown[] {
    const native = open(':memory:')
    const adapter = make(native, { own: true })
    adapter.exec('CREATE TABLE a(x); INSERT INTO a VALUES (1), (2), (3)')
    let depth = 0
    ;(native as WithFunctions).function?.('f', (x) => {
      void x
      return fn(adapter, depth++)
    })
    try {
      return rowsOf(adapter, sql).map((row) => row['y'])
    } finally {
      expect(valuesOf(adapter, 'SELECT 1 AS one')).toEqual([1])
      adapter.close()
    }
  }

  it('may run the statement that calls them', () => {
    const inner = (adapter: SqliteAdapter, depth: number): number =>
      depth === 0 ? rowsOf(adapter, 'SELECT f(x) AS y FROM a').length : 7
    expect(call(inner)).toEqual([3, 7, 7])
  })

  it('may run thousands of others, and have them fail', () => {
    const others = (adapter: SqliteAdapter): number => {
      for (let i = 0; i < 2_100; i++) rowsOf(adapter, `SELECT ${i} AS i`)
      expect(() => rowsOf(adapter, 'SELECT nothing FROM a')).toThrow(/nothing/)
      return 5
    }
    expect(call(others)).toEqual([5, 5, 5])
  })

  it('may run a transaction, and cannot close the connection', () => {
    const write = (adapter: SqliteAdapter): number => adapter.transaction(() => 6)
    expect(call(write)).toEqual([6, 6, 6])
    const closing = (adapter: SqliteAdapter): number => {
      expect(() => adapter.close()).toThrow(/nothing was closed/)
      return 7
    }
    expect(call(closing)).toEqual([7, 7, 7])
  })

  it('that throw leave everything usable', () => {
    const failing = (adapter: SqliteAdapter, depth: number): number => {
      if (depth === 0) expect(() => rowsOf(adapter, 'SELECT f(x) AS y FROM a')).toThrow(/boo/)
      throw new Error('boo')
    }
    expect(() => call(failing)).toThrow(/boo/)
  })
})

describe.each(connectors)('a column called __proto__: $name', ({ open, adapter: make }) => {
  it('is there, or is refused, and is never the prototype', () => {
    const native = open(':memory:')
    const adapter = make(native)
    adapter.exec('CREATE TABLE a(x); INSERT INTO a VALUES (1)')
    expect(rowsOf(adapter, 'SELECT * FROM a')).toEqual([{ x: 1 }])
    adapter.exec('ALTER TABLE a ADD COLUMN "__proto__"; UPDATE a SET "__proto__" = x\'01\'')
    for (const sql of ['SELECT * FROM a', 'SELECT "__proto__" FROM a', 'SELECT 5 AS __proto__']) {
      try {
        const [row] = adapter.iterate<object>(sql)
        expect(Object.keys(row ?? {})).toContain('__proto__')
        expect([null, Object.prototype]).toContain(Object.getPrototypeOf(row))
      } catch (error) {
        expect(error).toMatchObject({ code: 'SQLITE_MISMATCH' })
      }
    }
    expect(valuesOf(adapter, 'SELECT count(*) AS n FROM a WHERE "__proto__" IS NOT NULL')).toEqual([1])
    native.close()
  })
})
