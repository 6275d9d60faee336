import { expect, test } from 'vitest'
import { loadSqlite } from '../src/sqlite/load.js'

/** What VARVE_SQLITE may say, and the binding that it promises. `.ci/run` sets it on its second run. */
const BINDINGS: Readonly<Record<string, string>> = { node: 'node:sqlite', photostructure: '@photostructure/sqlite' }

test('the tests run on the SQLite binding that this Node has, and on the one that was asked for', async () => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const own = major > 22 || (major === 22 && minor >= 13) ? 'node:sqlite' : '@photostructure/sqlite'
  const asked = process.env['VARVE_SQLITE']
  expect((await loadSqlite()).name).toBe(asked === undefined ? own : BINDINGS[asked])
})
