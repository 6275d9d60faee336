import { describe, expect, it, test } from 'vitest'
import { describeSqliteBinding } from '../../src/testing/sqlite-binding.js'
import { databaseOf } from '../../src/sqlite/database-of.js'
import { loadBindings } from './places.js'

const { bindings, missing } = await loadBindings()

for (const { name, ...options } of bindings) describeSqliteBinding(name, options, { describe, it })

test('every binding that is installed was tested, but those that this Node.js cannot load', () => {
  const node = Number(process.versions.node.split('.')[0])
  // better-sqlite3 12 is compiled for the Node.js that installs it.
  const allowed = node < 22 ? ['node:sqlite'] : ['better-sqlite3']
  expect([...missing.keys()].filter((name) => !allowed.includes(name))).toEqual([])
  expect(bindings.length).toBeGreaterThanOrEqual(5)
})

test.each(bindings)('$name: no statement stays open, however the connection is used', async ({ open }) => {
  const { adapter, cleanup } = await open()
  const database = databaseOf(adapter)
  database.exec('CREATE TABLE a(x); INSERT INTO a VALUES (1), (2), (3)')
  expect({ ...database.prepare('SELECT x FROM a').get() }).toEqual({ x: 1 })
  expect(database.prepare('SELECT x FROM a WHERE x > ?').run(1)).toBe(0)
  expect(database.prepare('UPDATE a SET x = x + 1 RETURNING x').run()).toBe(3)
  expect({ ...database.prepare('INSERT INTO a VALUES (7), (8) RETURNING x').get() }).toEqual({ x: 7 })
  expect(database.prepare('PRAGMA table_info(a)').run()).toBe(0)
  expect(database.transaction(() => database.prepare('DELETE FROM a').run())).toBe(5)
  database.exec('DROP TABLE a')
  database.close()
  await cleanup?.()
})
