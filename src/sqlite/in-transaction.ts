/** What connections say of their state. */
interface State {
  readonly inTransaction?: unknown
  readonly isTransaction?: unknown
  readonly open?: unknown
  readonly isOpen?: unknown
}

/**
 * What a connection itself says of its state: `inTransaction` of better-sqlite3, libsql, bun:sqlite and node-sqlite3-wasm,
 * `isTransaction` of node:sqlite (from 22.16 on), Deno and @photostructure/sqlite. `undefined` where it has neither, or is closed.
 */
export function inTransactionOf(database: object): boolean | undefined {
  const state = database as State
  // libsql ends the process when a closed one is asked; others throw.
  if (state.open === false || state.isOpen === false) return undefined
  const { inTransaction = state.isTransaction } = state
  return typeof inTransaction === 'boolean' ? inTransaction : undefined
}
