import { describe, expect, it } from 'vitest'
import { databaseOf } from '../../src/sqlite/database-of.js'
import type { PreparingDatabase, SqliteAdapter } from '../../src/sqlite.js'
import { fromBinding, fromDurableObjectSql } from '../../src/sqlite.js'
import { bareAdapter, loadConnectors, type Connector } from './connections.js'

const { connectors } = await loadConnectors()

const open = (adapter: SqliteAdapter): boolean | undefined => databaseOf(adapter).isInTransaction()

/** All ways to begin and end one, and what is said after each. */
function checkAll({ open: connect, adapter: make }: Connector): void {
  const native = connect(':memory:')
  const adapter = make(native)
  const again = make(native)
  const said = (): (boolean | undefined)[] => [open(adapter), open(again)]
  adapter.exec('CREATE TABLE a(x)')
  expect(said()).toEqual([false, false])
  adapter.exec('BEGIN')
  expect(said()).toEqual([true, true])
  adapter.exec('INSERT INTO a VALUES (?)', 1)
  adapter.exec('COMMIT')
  expect(said()).toEqual([false, false])
  native.exec('BEGIN IMMEDIATE')
  expect(said()).toEqual([true, true])
  native.exec('ROLLBACK')
  adapter.exec('/* with a comment */ SAVEPOINT one')
  expect(said()).toEqual([true, true])
  adapter.exec('RELEASE one')
  again.transaction(() => {
    expect(said()).toEqual([true, true])
    again.transaction(() => expect(said()).toEqual([true, true]))
    expect(said()).toEqual([true, true])
  })
  expect(said()).toEqual([false, false])
  again.close()
  expect(open(adapter)).toBe(false)
  adapter.close()
  expect(() => open(adapter)).toThrow(/closed/)
  native.close()
}

describe.each(connectors)('whether a transaction is open: $name', (connector) => {
  it('is known, whoever has begun it', () => {
    checkAll(connector)
  })

  it('is not known of an adapter of others, outside of a transaction of ours', () => {
    const native = connector.open(':memory:')
    const adapter = bareAdapter(native)
    expect(open(adapter)).toBeUndefined()
    databaseOf(adapter).transaction(() => expect(open(adapter)).toBe(true))
    expect(open(adapter)).toBeUndefined()
    native.close()
  })
})

it('is not known in a Durable Object, outside of a transaction of ours', () => {
  const sql = { exec: () => ({ toArray: () => [] }) }
  const adapter = fromDurableObjectSql({ sql, transactionSync: (fn) => fn() })
  expect(open(adapter)).toBeUndefined()
  adapter.transaction(() => expect(open(adapter)).toBe(true))
  expect(open(adapter)).toBeUndefined()
})

it('is known of a binding that does not tell', () => {
  for (const connector of connectors.filter(({ name }) => /^(@photostructure\/|better-)/.test(name))) {
    const adapter = (native: PreparingDatabase): SqliteAdapter => {
      const { exec, iterate } = bareAdapter(native)
      return fromBinding({
        exec,
        all: (sql, values) => iterate(sql, ...(values as [])),
        run: (sql, values) => exec(sql, ...(values as [])),
      })
    }
    checkAll({ ...connector, adapter })
  }
})
