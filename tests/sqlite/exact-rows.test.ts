import { DatabaseSync } from '@photostructure/sqlite'
import { describe, expect, it } from 'vitest'
import { fromBinding, fromNodeSqlite, type SqliteAdapter } from '../../src/sqlite.js'
import { rowsOf } from '../../src/testing/sqlite-case.js'

const LARGE = 2n ** 53n + 1n

type Row = Record<string, unknown>

/** Two adapters on one connection: one reads integers whole, the other has them rounded, or refused. */
function pair(read: (value: bigint) => number): [whole: SqliteAdapter, lossy: SqliteAdapter] {
  const database = new DatabaseSync(':memory:')
  const all = (sql: string, values: readonly unknown[]): object[] => {
    const statement = database.prepare(sql)
    statement.setReadBigInts(true)
    const rows = statement.all(...(values as never[])) as Row[]
    for (const row of rows) {
      for (const [name, value] of Object.entries(row)) if (typeof value === 'bigint') row[name] = read(value)
    }
    return rows
  }
  const lossy = fromBinding({ exec: (sql) => database.exec(sql), all })
  lossy.exec('CREATE TABLE a(id INTEGER PRIMARY KEY, n INTEGER, z REAL, s TEXT); CREATE TABLE q(n)')
  lossy.exec('INSERT INTO a VALUES (1, ?, 1.5, ?), (2, 5, 1e17, ?)', LARGE, '007', 'b')
  lossy.exec('INSERT INTO q VALUES (?)', LARGE)
  return [fromNodeSqlite(database), lossy]
}

const rounded = (value: bigint): number => Number(value)

function refused(value: bigint): number {
  if (value > Number.MAX_SAFE_INTEGER) throw new Error('Value is too large')
  return Number(value)
}

const MIXED = [
  'SELECT z AS v FROM a UNION ALL SELECT n FROM a',
  'SELECT n AS v FROM a UNION ALL SELECT z FROM a',
  'SELECT z AS v FROM a UNION SELECT n FROM a ORDER BY v LIMIT 3',
  'SELECT s AS v FROM a UNION ALL SELECT n FROM a',
  'SELECT n AS v FROM a EXCEPT SELECT z FROM a',
  'WITH b AS (SELECT z, n FROM a) SELECT z AS v FROM b UNION ALL SELECT n FROM b WHERE n > ?',
  `VALUES (CAST(1 AS REAL)), (${LARGE})`,
  `SELECT (SELECT n AS v FROM a UNION ALL SELECT z FROM a WHERE 0 LIMIT 1) AS v, ${LARGE} AS w`,
  'SELECT n FROM q',
  'SELECT z, n FROM a ORDER BY s',
]

describe.each([
  ['rounded', rounded],
  ['refused', refused],
] as const)('where integers beyond 2^53 are %s', (_name, read) => {
  it.each(MIXED)('no column makes REALs of them: %s', (sql) => {
    const [whole, lossy] = pair(read)
    const values = sql.includes('?') ? [0] : []
    const rows = rowsOf(whole, sql, ...values)
    expect(JSON.stringify(rows.map(tell))).toContain(`${LARGE}n`)
    expect(rowsOf(lossy, sql, ...values)).toEqual(rows)
  })

  it('what may be one that was rounded is refused', () => {
    const [, lossy] = pair(read)
    const sql = 'SELECT (SELECT n FROM a UNION ALL SELECT z FROM a WHERE 0 LIMIT 1) AS v FROM a ORDER BY s'
    expect(() => rowsOf(lossy, sql)).toThrow(/2\^53|large/)
  })
})

const NAMED = [
  'SELECT rowid, N FROM a',
  'SELECT _rowid_, "N", a.Z FROM a',
  'SELECT n COLLATE BINARY FROM a',
  'SELECT *, rowid AS r FROM a',
  'SELECT s, n, 1, 0 FROM a',
  'SELECT n AS "a:1", n AS b FROM a',
  'SELECT N FROM (SELECT n FROM a)',
]

it.each(NAMED)('columns have their names, whatever is in them: %s', (sql) => {
  const [whole, lossy] = pair(rounded)
  expect(rowsOf(lossy, sql)).toEqual(rowsOf(whole, sql))
})

it('a number whose kind is not told is not called an integer, and its row is not written', () => {
  const [, lossy] = pair(rounded)
  expect(() => rowsOf(lossy, 'INSERT INTO a(z) VALUES (1e17) RETURNING z')).toThrow(
    /does not tell whether.*nothing was written/,
  )
  expect(rowsOf(lossy, 'SELECT count(*) AS n FROM a')).toEqual([{ n: 2 }])
})

function tell(row: object): unknown[] {
  return Object.values(row).map((value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
}
