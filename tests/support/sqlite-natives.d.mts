import type { PreparingDatabase } from '../../src/sqlite.js'

/** A binding of SQLite. */
export interface Native {
  readonly name: string
  /** Makes a connection of it into one of ours. */
  readonly factory: 'fromNodeSqlite' | 'fromBetterSqlite3' | 'fromLibsql' | 'fromSqliteWasm' | 'fromBunSqlite'
  /** True: it opens files of this machine. */
  readonly files: boolean
  /** True: text with a NUL goes through whole. */
  readonly nul: boolean
  open(path: string): PreparingDatabase
}

export function loadNatives(): Promise<{
  readonly found: readonly Native[]
  readonly missing: ReadonlyMap<string, string>
}>
