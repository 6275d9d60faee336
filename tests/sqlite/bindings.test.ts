import { describe, expect, it, test } from 'vitest'
import { describeSqliteBinding } from '../../src/testing/sqlite-binding.js'
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
