import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, type DatabaseSyncInstance } from '@photostructure/sqlite'
import { describe, expect, test } from 'vitest'
import { fromNodeSqlite } from '../../src/sqlite/from-node.js'
import type { SqliteAdapter } from '../../src/sqlite/port.js'
import { runSqliteCase, sqliteBindingCases, type SqliteBindingOptions } from '../../src/testing/sqlite-binding.js'
import { planted, type Planted } from './planted.js'

/** A binding that is sound but for what `plant` changes, and `again`, what makes other adapters on its connection. */
function options(
  plant: Planted['plant'],
  again?: (database: DatabaseSyncInstance) => SqliteAdapter,
): SqliteBindingOptions {
  return {
    claims: { nul: false },
    open() {
      const folder = mkdtempSync(join(tmpdir(), 'varve-planted-'))
      const connect = (): DatabaseSyncInstance => {
        const database = new DatabaseSync(join(folder, 'a.db'))
        database.exec('PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 0')
        return database
      }
      const broken = (database: DatabaseSyncInstance): SqliteAdapter => {
        const good = fromNodeSqlite(database, { own: true })
        return { ...good, ...plant(good) }
      }
      const own = connect()
      return {
        adapter: broken(own),
        another: () => broken(connect()),
        again: () => (again ?? ((database) => fromNodeSqlite(database)))(own),
        cleanup: () => rmSync(folder, { recursive: true, force: true }),
      }
    },
  }
}

async function failureOf(name: string, tested: SqliteBindingOptions): Promise<unknown> {
  const one = sqliteBindingCases.find((found) => found.name === name)
  if (one === undefined) throw new Error(`there is no case "${name}"`)
  return await runSqliteCase(one, tested).then(
    () => undefined,
    (error: unknown) => error,
  )
}

/** Bugs of a second adapter on one connection. */
const SHARED: readonly (readonly [
  bug: string,
  caughtBy: string,
  again: (database: DatabaseSyncInstance) => SqliteAdapter,
])[] = [
  [
    'close closes the connection of somebody else',
    'close leaves a connection open that is not its own',
    (database) => fromNodeSqlite(database, { own: true }),
  ],
  [
    'a transaction begins one where there is one',
    'two adapters on one connection share its transaction',
    (database) => {
      const good = fromNodeSqlite(database)
      return {
        ...good,
        transaction(fn) {
          good.exec('BEGIN')
          const result = fn()
          good.exec('COMMIT')
          return result
        },
      }
    },
  ],
]

describe('the suite finds planted bugs', () => {
  test.each(planted)('$bug', async ({ caughtBy, plant }) => {
    expect(await failureOf(caughtBy, options(plant))).toBeInstanceOf(Error)
  })

  test.each(SHARED)('%s', async (_bug, caughtBy, again) => {
    expect(
      await failureOf(
        caughtBy,
        options(() => ({}), again),
      ),
    ).toBeInstanceOf(Error)
  })

  test('and none in what is sound', async () => {
    for (const { name } of sqliteBindingCases)
      expect(
        await failureOf(
          name,
          options(() => ({})),
        ),
      ).toBeUndefined()
  })

  test('each case finds one', () => {
    const finding = new Set([...planted.map(({ caughtBy }) => caughtBy), ...SHARED.map(([, caughtBy]) => caughtBy)])
    expect(sqliteBindingCases.map(({ name }) => name).filter((name) => !finding.has(name))).toEqual([])
  })
})
