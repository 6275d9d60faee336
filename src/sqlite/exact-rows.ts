import { quietly } from '../base/quietly.js'
import type { SqlText } from './sql-text.js'
import type { SqliteRow, SqliteValue } from './values.js'

type All = (sql: string, values: unknown[]) => readonly unknown[]
type Row = Readonly<Record<string, unknown>>

/** What may have been an integer that SQLite has made a REAL: smaller ones are told whole. */
const ROUNDED_MIN = Number.MAX_SAFE_INTEGER
const ROUNDED_MAX = 2 ** 63
/** Keys of an object that come before all others, whatever the order in which they were set. */
const INDEX = /^\d+$/

/**
 * The rows of a SELECT, on a binding that cannot read integers beyond 2^53: with the type of each value, and integers as text.
 * It runs the SELECT anew, within another one.
 *
 * @param all runs a statement with values.
 * @param first a row of the first run, whose columns have the names that count. `undefined`: there is none; then the names are
 * those that the columns have within another SELECT: `n` where `N` was asked for, `id` for the `rowid` that it is.
 * @returns the rows, with bigints where they have to be; `undefined` when there is no telling: two columns have one name, or what
 * is a REAL may be an integer that was rounded.
 * @throws what the binding throws.
 */
export function readExactly(
  all: All,
  sql: string,
  text: SqlText,
  values: unknown[],
  first: SqliteRow | undefined,
): SqliteRow[] | undefined {
  const select = sql.slice(0, text.end)
  const names = namesOf(all, select, values, first)
  if (names === undefined) return undefined
  const columns = names.map(
    (_, i) =>
      `typeof(c${i}) AS t${i}, CASE typeof(c${i}) WHEN 'integer' THEN CAST(c${i} AS TEXT) ELSE c${i} END AS v${i}`,
  )
  const read = (within: string): Row[] => {
    const list = names.map((_, i) => `c${i}`).join(', ')
    const outer = `WITH varve_rows(${list}) AS MATERIALIZED (${within}\n) SELECT ${columns.join(', ')} FROM varve_rows`
    return all(outer, [...values]) as Row[]
  }
  // Where it cannot come after another one, it is read alone.
  const unchanged = quietly(() => readUnchanged(read, select, text, names.length))
  const rows = unchanged ?? read(select)
  if (unchanged === undefined && mayBeRounded(rows, names.length, select)) return undefined
  return rows.map((row) => {
    const valueOf = (i: number): unknown => (row[`t${i}`] === 'integer' ? BigInt(row[`v${i}`] as string) : row[`v${i}`])
    return Object.fromEntries(names.map((name, i) => [name, valueOf(i)])) as { [column: string]: SqliteValue }
  })
}

/**
 * The rows of a SELECT that comes after one whose columns have BLOB affinity and no rows: the columns of the whole have the
 * affinity of its first SELECT, and what is read from a column of REAL affinity is a REAL.
 *
 * @throws what the binding throws: some cannot come after another one, such as those ordered by what they do not answer.
 * Source: https://sqlite.org/datatype3.html#column_affinity_for_compound_views, sqlite3SubqueryColumnTypes in select.c
 */
function readUnchanged(
  read: (within: string) => Row[],
  select: string,
  { verb, start }: SqlText,
  count: number,
): Row[] {
  const [head, rest] = [select.slice(0, start), select.slice(start)]
  const blobs = Array.from({ length: count }, () => 'CAST(NULL AS BLOB)').join(', ')
  if (verb === 'VALUES') return read(`${head}VALUES (${blobs}), ${rest.slice('VALUES'.length)}`).slice(1)
  return read(`${head}SELECT ${blobs} WHERE 0 UNION ALL ${rest}`)
}

/** Only of several SELECTs can one have a REAL where another has an integer. */
function mayBeRounded(rows: readonly Row[], count: number, select: string): boolean {
  if (!/\b(?:UNION|INTERSECT|EXCEPT|VALUES)\b/i.test(select)) return false
  const isIt = (row: Row, i: number): boolean => {
    const size = Math.abs(Number(row[`v${i}`]))
    return row[`t${i}`] === 'real' && size > ROUNDED_MIN && size <= ROUNDED_MAX
  }
  return rows.some((row) => Array.from({ length: count }, (_, i) => i).some((i) => isIt(row, i)))
}

/** The names of the columns, in their order. `undefined`: two have the same. */
function namesOf(all: All, select: string, values: unknown[], first: Row | undefined): string[] | undefined {
  // One row of NULLs; SQLite calls the second of two columns `a` here `a:1`.
  const [empty] = all(`SELECT q.* FROM (SELECT 1) LEFT JOIN (${select}\n) AS q ON 0`, [...values]) as Row[]
  const inner = inOrder(all, select, values, Object.keys(empty ?? {}))
  const found = first === undefined ? inner : Object.keys(first)
  if (found.length === 0 || found.length !== inner.length) return undefined
  if (first === undefined) return inner.some((name) => /:\d+$/.test(name)) ? undefined : inner
  // A name that is a number is the same here and there.
  const others = found.filter((name) => !INDEX.test(name))
  return inner.map((name) => (INDEX.test(name) ? name : (others.shift() as string)))
}

/** Names that are numbers come first in an object, so that a row has to tell where each one is. */
function inOrder(all: All, select: string, values: unknown[], names: string[]): string[] {
  if (!names.some((name) => INDEX.test(name))) return names
  const places = names.map((_, i) => i)
  const [row] = all(`SELECT * FROM (${select}\n) WHERE 0 UNION ALL SELECT ${places.join(', ')}`, [...values]) as Row[]
  return names.toSorted((a, b) => Number(row?.[a]) - Number(row?.[b]))
}
