import { InvalidArgumentError } from '../base/errors.js'
import { quietly } from '../base/quietly.js'

/** A connection with `exec`, `prepare` and `close`: those of Node.js, Deno, @photostructure/sqlite and better-sqlite3. */
export interface PreparingDatabase {
  exec(sql: string): unknown
  prepare(sql: string): object
  close(): unknown
}

/** Factory by what a statement of its connections looks like. The first that fits is it. */
const SIGNS: readonly (readonly [factory: string, methods: readonly string[]])[] = [
  ['fromNodeSqlite', ['setReadBigInts', 'run', 'all']],
  ['fromSqliteWasm', ['step', 'bind', 'getColumnName']],
  ['fromLibsql', ['safeIntegers', 'interrupt', 'columns']],
  ['fromBetterSqlite3', ['safeIntegers', 'bind', 'run']],
  ['fromBunSqlite', ['finalize', 'values', 'run']],
  ['fromSqliteWasm', ['finalize', 'run', 'all']],
]

/** What each factory takes, as it says itself. */
const SAME: Readonly<Record<string, string>> = { fromDeno: 'fromNodeSqlite' }

/** @throws {InvalidArgumentError} `database` has not the methods, or is for another factory, which the message names. */
export function checkDatabase(
  factory: string,
  database: unknown,
  expected: string,
): asserts database is PreparingDatabase {
  checkMethods(factory, database, expected, ['exec', 'prepare', 'close'])
  // A connection that is closed is told of by whoever uses it next.
  const statement = quietly(() => (database as PreparingDatabase).prepare('SELECT 1') as Record<string, unknown>)
  if (typeof statement !== 'object' || statement === null) return
  const found = SIGNS.find(([, methods]) => methods.every((method) => typeof statement[method] === 'function'))?.[0]
  // That of bun:sqlite and the one of node-sqlite3-wasm have it.
  if (typeof statement['finalize'] === 'function') quietly(() => (statement['finalize'] as () => void).call(statement))
  if (found === (SAME[factory] ?? factory)) return
  const other = found === undefined ? 'fromBinding, which is for all others' : found
  throw new InvalidArgumentError(`${factory}(database)`, `${expected}; for this one there is ${other}`, database)
}

/** @throws {InvalidArgumentError} `value` has not what `methods` says. */
export function checkMethods(factory: string, value: unknown, expected: string, methods: readonly string[]): void {
  const found = value as { readonly [method: string]: unknown } | null | undefined
  if ((typeof found === 'object' || typeof found === 'function') && found !== null) {
    if (methods.every((method) => typeof found[method] === 'function')) return
  }
  throw new InvalidArgumentError(`${factory}(database)`, expected, value)
}
