import { InvalidArgumentError } from '../base/errors.js'
import { quietly } from '../base/quietly.js'
import type { BoundStatement } from './binding.js'
import { asSqliteError } from './error.js'
import type { Traits } from './values.js'

const KNOWN = new WeakMap<object, Traits>()

const PROBE = 'SELECT typeof(?) AS small, typeof(?) AS large, typeof(?) AS tiny, ? AS text'
const TEXT = 'a\u0000b'
const PROBE_VALUES: readonly unknown[] = [1, 2 ** 40, Number.MIN_VALUE, TEXT]

type Row = Readonly<Record<string, unknown>>
type All = (sql: string, values: readonly unknown[]) => unknown[]

/**
 * Finds out what the binding of `database` does with values, by trying it: versions of one binding differ, and so do connections
 * that were opened with other options. Nothing is read or written. Once per connection.
 *
 * @throws {SqliteError} the connection is not open.
 */
export function traitsOf(database: object, prepare: (sql: string) => BoundStatement): Traits {
  const known = KNOWN.get(database)
  if (known !== undefined) return known
  try {
    const native = prepare(PROBE)
    const traits = traitsIn(native.get([...PROBE_VALUES]) as Row)
    native.finalize?.()
    KNOWN.set(database, traits)
    return traits
  } catch (error) {
    throw asSqliteError(error)
  }
}

/**
 * As `traitsOf`, for a binding of which nothing is known: a value that it refuses is one that it cannot keep. `lossy`: integers
 * beyond 2^53 come rounded, or cannot be read.
 *
 * @throws {InvalidArgumentError} it answers something else than rows. {SqliteError} it cannot run a SELECT.
 */
export function probeTraits(all: All): { readonly traits: Traits; readonly lossy: boolean } {
  checkRows(all)
  const answer = (sql: string, ...values: unknown[]): unknown =>
    // It refuses the value, and so it will be refused before the binding sees it.
    quietly(() => (all(`SELECT ${sql} AS v`, values)[0] as Row)['v'])
  const traits = traitsIn({
    small: answer('typeof(?)', 1),
    large: answer('typeof(?)', 2 ** 40),
    tiny: answer('typeof(?)', Number.MIN_VALUE),
    text: answer('?', TEXT),
  })
  const takesBigints =
    answer('typeof(?)', 5n) === 'integer' && answer('CAST(? AS TEXT)', 2n ** 62n + 1n) === String(2n ** 62n + 1n)
  const lossy = answer('9007199254740993') !== 9007199254740993n
  return { traits: takesBigints ? traits : { ...traits, integers: 'never' }, lossy }
}

function checkRows(all: All): void {
  let rows: unknown[]
  try {
    rows = all('SELECT 1 AS one', [])
  } catch (error) {
    throw error instanceof InvalidArgumentError ? error : asSqliteError(error)
  }
  const [row] = rows as (Row | undefined)[]
  if (rows.length === 1 && (row?.['one'] === 1 || row?.['one'] === 1n)) return
  const expected = "rows that are objects by column name, with numbers or bigints: of 'SELECT 1 AS one' { one: 1 }"
  throw new InvalidArgumentError('fromBinding(binding.all)', expected, row ?? rows)
}

function traitsIn(row: Row): Traits {
  return {
    integers: row['small'] !== 'integer' ? 'bigint' : row['large'] === 'integer' ? 'all' : 'int32',
    nul: row['text'] === TEXT,
    ...(row['tiny'] === 'real' ? {} : { tinyLost: true }),
  }
}
