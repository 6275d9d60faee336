import { expect, test } from 'vitest'
import { sqliteBindingCases } from '../../src/testing/sqlite-binding.js'
import { storeOnSqliteCases } from '../../src/testing/store-on-sqlite.js'
import { streamStoreCases } from '../../src/testing/stream-conformance.js'
import type { Told } from './run-child.js'

const SUITES: { readonly [suite: string]: readonly { readonly name: string }[] } = {
  binding: sqliteBindingCases,
  streams: streamStoreCases,
  "streams, Varve's format": streamStoreCases,
  store: storeOnSqliteCases,
}

/** A suite, and what the place lacks: only cases that need it may be left out. */
export type Expected = readonly [suite: keyof typeof SUITES & string, lacks?: readonly string[]]

export const ALL: readonly Expected[] = [
  ['binding'],
  ['streams', ['keepsClears']],
  ["streams, Varve's format", ['openForeign']],
  ['store'],
]

/** Declares one test for each suite: every case of it was run and passed, but those that need what the place lacks. */
export function testSuites(run: () => Told, suites: readonly Expected[] = ALL): void {
  test.each(suites.map(([suite, lacks = []]) => ({ suite, lacks })))(
    '$suite: every case passes',
    ({ suite, lacks }) => {
      const outcomes = run().outcomes.filter((one) => one.suite === suite)
      expect(outcomes.filter((one) => one.error !== undefined)).toEqual([])
      expect(outcomes.map((one) => one.name)).toEqual(SUITES[suite]?.map((one) => one.name))
      const left = outcomes.flatMap((one) => one.lacks ?? [])
      expect([...new Set(left)].sort()).toEqual([...lacks].sort())
    },
  )
}
