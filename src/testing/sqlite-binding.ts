import { InvalidArgumentError } from '../base/errors.js'
import type { SqliteAdapter } from '../sqlite/port.js'
import type { SqliteCase, SqliteClaims } from './sqlite-case.js'
import { sqliteStatementCases } from './sqlite-statement-cases.js'
import { sqliteTransactionCases } from './sqlite-transaction-cases.js'
import { sqliteValueCases } from './sqlite-value-cases.js'
import { type TestFramework, testFramework } from './storage-conformance.js'

/** A binding under test, for one case. */
export interface SqliteBindingFixture {
  /** On an empty database; owns its connection. */
  readonly adapter: SqliteAdapter
  /** Opens another connection to the same database. Absent where there can be only one. */
  another?(): SqliteAdapter
  /** Makes another adapter on the same connection, that does not own it. */
  again?(): SqliteAdapter
  /** Called at the end, with the adapter closed. */
  cleanup?(): void | Promise<void>
}

/** What is checked, and what the binding claims. */
export interface SqliteBindingOptions {
  /** A fresh, empty database for each case. */
  open(): Promise<SqliteBindingFixture> | SqliteBindingFixture
  /** What the binding cannot do. Default: it can do all. */
  readonly claims?: Partial<SqliteClaims>
}

/** All cases of the contract of `SqliteAdapter`, for running them without a test framework. */
export const sqliteBindingCases: readonly SqliteCase[] = [
  ...sqliteValueCases,
  ...sqliteStatementCases,
  ...sqliteTransactionCases,
]

/**
 * Declares the tests of the contract of `SqliteAdapter` for a binding: run them on one of your own.
 *
 * @example describeSqliteBinding('mine', { open: () => ({ adapter: fromMine(new Mine(), { own: true }) }) }, { describe, it })
 * @param framework `describe` and `it` of vitest, jest, mocha, node:test or bun:test; by default its globals.
 * @throws {InvalidArgumentError} there are no such globals.
 */
export function describeSqliteBinding(name: string, options: SqliteBindingOptions, framework?: TestFramework): void {
  const { describe, it } = testFramework('describeSqliteBinding(framework)', framework)
  describe(`SQLite binding: ${name}`, () => {
    for (const one of sqliteBindingCases) it(one.name, () => runSqliteCase(one, options))
  })
}

/** Runs one case on a fresh database. A case that needs what is not there passes without running. */
export async function runSqliteCase(one: SqliteCase, options: SqliteBindingOptions): Promise<void> {
  const fixture = await options.open()
  const claims = { nul: true, int64: true, integers: true, begins: true, ...options.claims }
  const { adapter } = fixture
  const has = {
    begins: claims.begins,
    another: fixture.another !== undefined,
    again: fixture.again !== undefined,
  }
  try {
    if (one.needs !== undefined && !has[one.needs]) return
    await one.run({
      adapter,
      claims,
      another: () => mustHave('another', fixture.another)(),
      again: () => mustHave('again', fixture.again)(),
    })
  } finally {
    adapter.close()
    await fixture.cleanup?.()
  }
}

function mustHave<T>(name: string, made: (() => T) | undefined): () => T {
  if (made === undefined) throw new InvalidArgumentError(`fixture.${name}`, 'a function', undefined)
  return made
}
