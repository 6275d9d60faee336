import type { BoundStatement } from './binding.js'
import { asSqliteError } from './error.js'
import type { Traits } from './values.js'

const KNOWN = new WeakMap<object, Traits>()

const PROBE = 'SELECT typeof(?) AS small, typeof(?) AS large, typeof(?) AS tiny, ? AS text'
const TEXT = 'a\u0000b'
const PROBE_VALUES: readonly unknown[] = [1, 2 ** 40, Number.MIN_VALUE, TEXT]

type Row = Readonly<Record<string, unknown>>

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
    const native = prepare(PROBE)
    const traits = traitsIn(native.get([...PROBE_VALUES]) as Row)
    native.finalize?.()
    KNOWN.set(kind, traits)
    return traits
  } catch (error) {
    throw asSqliteError(error)
  }
}

/** As `traitsOf`, for a binding of which nothing is known. `rounds`: integers beyond 2^53 come as other numbers. */
export function probeTraits(all: (sql: string, values: readonly unknown[]) => unknown[]): {
  readonly traits: Traits
  readonly rounds: boolean
} {
  try {
    const traits = traitsIn(all(PROBE, PROBE_VALUES)[0] as Row)
    return { traits: takesBigints(all) ? traits : { ...traits, integers: 'never' }, rounds: doesRound(all) }
  } catch (error) {
    throw asSqliteError(error)
  }
}

function traitsIn(row: Row): Traits {
  const integers = row['small'] !== 'integer' ? 'bigint' : row['large'] === 'integer' ? 'all' : 'int32'
  return {
    integers,
    nul: row['text'] === TEXT,
    ...(row['tiny'] === 'real' ? {} : { tinyLost: true }),
  }
}

function takesBigints(all: (sql: string, values: readonly unknown[]) => unknown[]): boolean {
  try {
    const [row] = all('SELECT typeof(?) AS type, CAST(? AS TEXT) AS text', [5n, 2n ** 62n + 1n]) as Row[]
    return row?.['type'] === 'integer' && row['text'] === String(2n ** 62n + 1n)
  } catch (error) {
    // It says that it does not.
    return error === undefined
  }
}

function doesRound(all: (sql: string, values: readonly unknown[]) => unknown[]): boolean {
  try {
    return typeof (all('SELECT 9007199254740993 AS large', [])[0] as Row)['large'] === 'number'
  } catch (error) {
    // It refuses, which is no rounding.
    return error === undefined
  }
}
