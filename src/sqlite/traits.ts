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
    const native = prepare('SELECT typeof(?) AS small, typeof(?) AS large, typeof(?) AS tiny, ? AS text')
    const row = native.get([1, 2 ** 40, Number.MIN_VALUE, 'a\u0000b']) as { [column: string]: unknown }
    native.finalize?.()
    const integers = row['small'] !== 'integer' ? 'bigint' : row['large'] === 'integer' ? 'all' : 'int32'
    const traits: Traits = {
      integers,
      nul: row['text'] === 'a\u0000b',
      ...(row['tiny'] === 'real' ? {} : { tinyLost: true }),
    }
    KNOWN.set(kind, traits)
    return traits
  } catch (error) {
    throw asSqliteError(error)
  }
}
