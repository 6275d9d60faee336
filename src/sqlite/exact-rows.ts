import type { SqliteRow, SqliteValue } from './values.js'

type All = (sql: string, values: unknown[]) => readonly unknown[]
type Row = Readonly<Record<string, unknown>>

/**
 * The rows of a SELECT, on a binding that cannot read integers beyond 2^53: with the type of each value, and integers as text.
 * It runs the SELECT anew, within another one.
 *
 * @param all runs a statement with values.
 * @returns the rows, with bigints where they have to be; `undefined` when there is no telling, because two columns have one name.
 * @throws what the binding throws.
 */
export function readExactly(all: All, sql: string, values: unknown[]): SqliteRow[] | undefined {
  // One row of NULLs, whose names are those of the columns.
  const [empty] = all(`SELECT q.* FROM (SELECT 1) LEFT JOIN (${sql}\n) AS q ON 0`, [...values]) as Row[]
  const names = Object.keys(empty ?? {})
  // SQLite calls the second of two columns `a` here `a:1`.
  if (names.length === 0 || names.some((name) => /:\d+$/.test(name))) return undefined
  const columns = names.map((name, i) => {
    const column = `"${name.replaceAll('"', '""')}"`
    return `typeof(${column}) AS t${i}, CASE typeof(${column}) WHEN 'integer' THEN CAST(${column} AS TEXT) ELSE ${column} END AS v${i}`
  })
  const rows = all(`WITH q AS MATERIALIZED (${sql}\n) SELECT ${columns.join(', ')} FROM q`, [...values]) as Row[]
  return rows.map(
    (row) =>
      Object.fromEntries(
        names.map((name, i) => [name, row[`t${i}`] === 'integer' ? BigInt(row[`v${i}`] as string) : row[`v${i}`]]),
      ) as { [column: string]: SqliteValue },
  )
}
