/**
 * What a connection itself says of its state: `inTransaction` of better-sqlite3, libsql, bun:sqlite and node-sqlite3-wasm,
 * `isTransaction` of node:sqlite (from 22.16 on), Deno and @photostructure/sqlite. `undefined` where it has neither.
 */
export function inTransactionOf(database: object): boolean | undefined {
  const { inTransaction, isTransaction } = database as { inTransaction?: unknown; isTransaction?: unknown }
  if (typeof inTransaction === 'boolean') return inTransaction
  return typeof isTransaction === 'boolean' ? isTransaction : undefined
}
