import { describe, expect, it } from 'vitest'
import type { PreparingDatabase, SqliteAdapter } from '../../src/sqlite.js'
import { thrownBy, xs } from '../../src/testing/sqlite-case.js'
import { loadConnectors } from './connections.js'

const { connectors } = await loadConnectors()

const put = (adapter: SqliteAdapter, x: number): void => adapter.exec('INSERT INTO a VALUES (?)', x)

type End = (native: PreparingDatabase, again: SqliteAdapter) => void

const ENDS: readonly (readonly [name: string, end: End, kept: number[]])[] = [
  ['the raw connection rolls it back', (native) => native.exec('ROLLBACK'), []],
  ['the raw connection commits it', (native) => native.exec('COMMIT'), [1]],
  ['an error of the raw connection', (native) => native.exec('INSERT OR ROLLBACK INTO a VALUES (1)'), []],
  ['an error through another adapter', (_, again) => again.exec('INSERT OR ROLLBACK INTO a VALUES (?)', 1), []],
]

describe.each(connectors)('a transaction that somebody else ends: $name', ({ name, open, adapter: make }) => {
  /** @returns what the transaction throws, and what is in the table then. */
  function run(end: End, nested: boolean): [thrown: unknown, rows: unknown[]] {
    const native = open(':memory:')
    const adapter = make(native)
    adapter.exec('CREATE TABLE a(x UNIQUE)')
    const work = (): void => {
      put(adapter, 1)
      thrownBy(() => end(native, make(native)))
      put(adapter, 2)
    }
    const inner = (): unknown => thrownBy(() => adapter.transaction(work))
    const caught = thrownBy(() => adapter.transaction(nested ? inner : work))
    const rows = xs(adapter)
    adapter.transaction(() => put(adapter, 3))
    expect(xs(adapter)).toContain(3)
    native.close()
    return [caught?.thrown, rows]
  }

  it.each(ENDS)('%s: it is told, and what comes after is refused', (_name, end, kept) => {
    // Without the module, nothing tells before the end.
    if (name === '@sqlite.org/sqlite-wasm') return
    for (const nested of [false, true]) {
      expect(run(end, nested)).toEqual([expect.objectContaining({ name: 'SqliteError', code: 'SQLITE_ABORT' }), kept])
    }
  })

  it.each(ENDS)('%s: it is told at the end, at the latest', (_name, end) => {
    const [thrown] = run(end, false)
    expect(thrown).toMatchObject({ code: 'SQLITE_ABORT' })
  })

  it('another adapter on the connection cannot end it', () => {
    const native = open(':memory:')
    const [adapter, again] = [make(native), make(native)]
    adapter.exec('CREATE TABLE a(x)')
    adapter.transaction(() => {
      put(adapter, 1)
      for (const end of ['COMMIT', 'ROLLBACK']) expect(() => again.exec(end)).toThrow(/would end the transaction/)
      expect(() => [...again.iterate('COMMIT')]).toThrow(/would end the transaction/)
    })
    expect(xs(again)).toEqual([1])
    native.close()
  })

  it('a transaction that was begun behind a comment is rolled back by close', () => {
    for (const begin of ['/* a */ BEGIN', 'SELECT 1; BEGIN', 'SAVEPOINT one']) {
      const native = open(':memory:')
      const adapter = make(native)
      adapter.exec(begin)
      adapter.close()
      expect(() => native.exec('BEGIN')).not.toThrow()
      native.close()
    }
  })
})
