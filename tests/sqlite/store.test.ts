import { describe, expect, it, test } from 'vitest'
import { SQLiteAdapter } from '../../src/index.js'
import type { SqliteAdapter } from '../../src/sqlite.js'
import {
  runStoreOnSqlite,
  type StoreDatabase,
  type StoreOnSqliteOptions,
  storeOnSqliteCases,
} from '../../src/testing/store-on-sqlite.js'
import { bareAdapter, inFile, inMemory, loadConnectors } from './connections.js'

const { connectors, missing } = await loadConnectors()

function describeStore(name: string, options: StoreOnSqliteOptions): void {
  describe(`a store on ${name}`, () => {
    for (const one of storeOnSqliteCases) it(one.name, () => one.run(options))
  })
}

for (const connector of connectors) {
  const { name, adapter } = connector
  describeStore(`${name}, a connection in memory`, { create: () => inMemory(connector, adapter) })
  if (connector.files) {
    const storage = (connection: SqliteAdapter) => new SQLiteAdapter({ database: connection, waitMs: 20 })
    describeStore(`${name}, a file`, { create: () => inFile(connector, adapter), storage, exclusive: true })
  }
  if (name === connectors[0]?.name) {
    describeStore(`four methods over ${name}`, { create: () => inMemory(connector, bareAdapter) })
  }
}

test('every binding that is installed was tested, but those that this Node.js cannot load', () => {
  const node = Number(process.versions.node.split('.')[0])
  // better-sqlite3 is compiled for the Node.js that installs it.
  const allowed = node < 22 ? ['node:sqlite'] : ['better-sqlite3']
  expect(missing.filter((one) => !allowed.some((name) => one.startsWith(`${name}: `)))).toEqual([])
  expect(connectors.length).toBeGreaterThanOrEqual(5)
})

/** A connection with one fault, and a case that finds it. */
const PLANTED: readonly (readonly [name: string, plant: (connection: SqliteAdapter) => Partial<SqliteAdapter>])[] = [
  ['a transaction that commits what has thrown', () => ({ transaction: (fn) => fn() })],
  [
    'rows that come one too few',
    (connection) => ({ iterate: (sql, ...params) => Array.from(connection.iterate<never>(sql, ...params)).slice(1) }),
  ],
  [
    'text that is cut',
    (connection) => ({
      exec: (sql, ...params) =>
        connection.exec(sql, ...params.map((one) => (typeof one === 'string' ? one.slice(0, 100_000) : one))),
    }),
  ],
  [
    'deletions that do nothing',
    (connection) => ({
      exec: (sql, ...params) => (sql.startsWith('DELETE') ? undefined : connection.exec(sql, ...params)),
    }),
  ],
  [
    'tables of others that are dropped',
    (connection) => ({
      exec: (sql, ...params) => connection.exec(sql.replace('INSERT INTO notes', 'DROP TABLE notes; --'), ...params),
    }),
  ],
]

describe.each(connectors.slice(0, 1))('the suite finds a planted fault on $name', (connector) => {
  it.each(PLANTED)('%s', async (_name, plant) => {
    const create = (): StoreDatabase => {
      const database = inMemory(connector, (native) => {
        const connection = bareAdapter(native)
        return { ...connection, ...plant(connection) }
      })
      return database
    }
    expect((await runStoreOnSqlite({ create })).failed.length).toBeGreaterThan(0)
  })
})
