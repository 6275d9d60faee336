import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { floorViolations } from './support/floors.js'
import { exportedNames, readSources } from './support/source.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

test('src keeps to the floors of docs/ARCHITECTURE.md', () => {
  const files = readSources(ROOT, 'src')
  expect(files.size).toBeGreaterThan(0)
  expect(floorViolations(files)).toEqual([])
})

/** What the small store exports and the whole one does not. */
function missingIn(index: string, core: string): string[] {
  const names = new Set(exportedNames('src/index.ts', index))
  return exportedNames('src/core.ts', core).filter((name) => !names.has(name))
}

test('varve has everything that varve/core has', () => {
  const files = readSources(ROOT, 'src')
  expect(missingIn(files.get('src/index.ts') as string, files.get('src/core.ts') as string)).toEqual([])
  const planted = "export { a, b as c } from './a.js'\nexport type { D } from './a.js'"
  expect(missingIn("export { a } from './a.js'", planted)).toEqual(['c', 'D'])
})

describe('the check finds planted violations', () => {
  const sound: Readonly<Record<string, string>> = {
    'src/base/clock.ts': 'export const a = 1',
    'src/events/bus.ts': "import { a } from '../base/clock.js'\nexport const b = a",
    'src/events/bus.test.ts':
      "import { test } from 'vitest'\nimport { s } from '../testing/runtime.js'\nimport { b } from './bus.js'\ntest(s, b)",
    'src/supervise/process.ts': 'export const p = 1',
    'src/sqlite/load.ts': "import 'node:module'\nexport const sql = 1\nexport type Sql = 1",
    'src/log/memory.ts': "import type { Sql } from '../sqlite/load.js'\nexport const m: Sql = 1",
    'src/log/file.ts': "import { open } from 'node:fs/promises'\nexport const f = open",
    'src/options.ts': "import { m } from './log/memory.js'\nexport const o = m",
    'src/core.ts': "import { o } from './options.js'\nexport const c = o",
    'src/store.ts': "import { c } from './core.js'\nimport { f } from './log/file.js'\nexport const st = [c, f]",
    'src/index.ts': "export { st } from './store.js'",
    'src/testing/runtime.ts': "import { st } from '../index.js'\nexport const s = st",
    'src/cli/main.ts': "import { Command } from 'commander'\nimport { st } from '../index.js'\nnew Command(st)",
  }
  const check = (planted: Readonly<Record<string, string>>): string[] =>
    floorViolations(new Map(Object.entries({ ...sound, ...planted })))

  test('none in a sound tree', () => {
    expect(check({})).toEqual([])
  })

  test.each<[name: string, planted: Record<string, string>, messages: RegExp[]]>([
    [
      'an import from a floor above',
      { 'src/base/clock.ts': "\nimport { b } from '../events/other.js'", 'src/events/other.ts': 'export const b = 1' },
      [/^src\/base\/clock\.ts:2: base imports events \(src\/events\/other\.ts\), above it;/],
    ],
    [
      'a type from a floor above',
      {
        'src/base/clock.ts': "export const x: import('../events/other.js').B = 1",
        'src/events/other.ts': 'export type B = 1',
      },
      [/^src\/base\/clock\.ts:1: base imports events/],
    ],
    [
      'a re-exported type from a floor above',
      {
        'src/base/clock.ts': "export type { B } from '../events/other.js'",
        'src/events/other.ts': 'export type B = 1',
      },
      [/^src\/base\/clock\.ts:1: base imports events/],
    ],
    [
      'a floor on the same line',
      { 'src/supervise/process.ts': "import type { b } from '../events/bus.js'" },
      [/supervise imports events \(src\/events\/bus\.ts\), beside it on the same floor/],
    ],
    [
      'the whole store under the core',
      { 'src/options.ts': "import { st } from './other.js'", 'src/other.ts': "import { st } from './store.js'" },
      [
        /wiring imports store\.ts/,
        /src\/options\.ts → src\/other\.ts → .*a cycle of imports/,
        /core\.ts must not reach node:fs/,
      ],
    ],
    [
      'a cycle within a floor',
      { 'src/state/a.ts': "import './b.js'", 'src/state/b.ts': "import type { A } from './a.js'" },
      [/^src\/state\/a\.ts → src\/state\/b\.ts → src\/state\/a\.ts: a cycle/],
    ],
    [
      'a file that imports itself',
      { 'src/state/a.ts': "import './a.js'" },
      [/^src\/state\/a\.ts → src\/state\/a\.ts: a cycle/],
    ],
    [
      'a Node module in the core, through another file',
      { 'src/log/memory.ts': "import { f } from './file.js'" },
      [
        /^src\/log\/file\.ts:1: core\.ts must not reach node:fs\/promises.*src\/core\.ts → src\/options\.ts → src\/log\/memory\.ts → src\/log\/file\.ts/,
      ],
    ],
    [
      'a Node module in the core, lazily',
      { 'src/log/memory.ts': "const fs = () => import('node:fs')" },
      [/core\.ts must not reach node:fs/],
    ],
    [
      'a Node module in the core, through the back door',
      { 'src/log/memory.ts': "const fs = process.getBuiltinModule('node:fs')" },
      [/core\.ts must not reach node:fs/],
    ],
    [
      'SQLite in the core',
      { 'src/log/memory.ts': "import { type Sql, sql } from '../sqlite/load.js'" },
      [/core\.ts must not reach \.\.\/sqlite\/load\.js/],
    ],
    [
      'a package in the core',
      { 'src/base/clock.ts': "import { dequal } from 'dequal'", 'src/core.ts': "import { a } from './base/clock.js'" },
      [/core\.ts must not reach dequal/],
    ],
    [
      'a command-line package outside the cli',
      { 'src/store.ts': "import { Command } from 'commander'" },
      [/only src\/cli may import commander/],
    ],
    [
      'React outside its bindings',
      { 'src/state/a.ts': "import { useState } from 'react'", 'src/react/hook.ts': "import 'react'" },
      [/^src\/state\/a\.ts:1: only src\/react may import react/],
    ],
    ['vitest outside tests', { 'src/state/a.ts': "import { test } from 'vitest'" }, [/only tests may import vitest/]],
    ['an import of a test', { 'src/events/x.ts': "import './bus.test.js'" }, [/nothing may import a test/]],
    ['testing outside tests', { 'src/events/x.ts': "import '../testing/runtime.js'" }, [/events imports testing/]],
    ['a path that leaves src', { 'src/events/x.ts': "import '../../tests/a.js'" }, [/outside src/]],
    ['a missing file', { 'src/events/x.ts': "import './gone.js'" }, [/does not exist/]],
    ['an import without an ending', { 'src/events/x.ts': "import './bus'" }, [/does not end in \.js/]],
    ['a folder without a floor', { 'src/misc/x.ts': "import '../base/clock.js'" }, [/src\/misc has no floor/]],
  ])('%s', (_name, planted, messages) => {
    const found = check(planted)
    for (const message of messages) expect(found).toContainEqual(expect.stringMatching(message))
    expect(found).toHaveLength(messages.length)
  })
})
