import type { BoundStatement } from './binding.js'
import { asSqliteError } from './error.js'
import type { Traits } from './values.js'

const KNOWN = new WeakMap<object, Traits>()

/**
 * Finds out what the binding of `database` does with values, by trying it: versions of one binding differ. Nothing is read or
 * written. Once per class of `database`.
 *
 * @throws {SqliteError} the connection is not open.
 */
export function traitsOf(database: object, prepare: (sql: string) => BoundStatement): Traits {
  const kind = database.constructor
  const known = KNOWN.get(kind)
  if (known !== undefined) return known
  try {
    const native = prepare('SELECT typeof(?) AS small, typeof(?) AS large, ? AS text')
    const row = native.get([1, 2 ** 40, 'a\u0000b']) as { small: unknown; large: unknown; text: unknown }
    native.finalize?.()
    const integers = row.small !== 'integer' ? 'bigint' : row.large === 'integer' ? 'all' : 'int32'
    const traits: Traits = { integers, nul: row.text === 'a\u0000b' }
    KNOWN.set(kind, traits)
    return traits
  } catch (error) {
    throw asSqliteError(error)
  }
}
