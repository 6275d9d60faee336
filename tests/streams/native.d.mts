import type { PreparingDatabase } from '../../src/sqlite.js'
import type { SqliteAdapter } from '../../src/sqlite/port.js'

/** False: another binding, with `DatabaseSync`. */
export const isBetter: boolean
export function openNative(path: string): PreparingDatabase
export function bareAdapter(database: PreparingDatabase): SqliteAdapter
