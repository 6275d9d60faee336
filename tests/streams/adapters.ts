import type { SqliteAdapter } from '../../src/sqlite/port.js'
import { bareAdapter, openNative } from './native.mjs'

/** A connection of its own behind the four methods, as a user would write them. */
export function adapterOn(path = ':memory:'): SqliteAdapter {
  return bareAdapter(openNative(path))
}
