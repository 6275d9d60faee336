import type { SqliteAdapter } from '../sqlite/port.js'
import { check, checkSame } from './expect.js'
import { checkCode, checkRefused, rowsOf, type SqliteCase, thrownBy, valuesOf, xs } from './sqlite-case.js'

function fill(adapter: SqliteAdapter, count: number): void {
  adapter.exec('CREATE TABLE a(x INTEGER)')
  adapter.exec(
    'INSERT INTO a WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i FROM n',
    count,
  )
}

/** The part of the contract that is about statements and their errors. */
export const sqliteStatementCases: readonly SqliteCase[] = [
  {
    name: 'exec runs several statements; none is nothing to do',
    run({ adapter }) {
      adapter.exec("CREATE TABLE a(x); INSERT INTO a VALUES (';'); -- a comment\nINSERT INTO a VALUES ('y');")
      for (const nothing of ['', '  \n', '-- nothing', '/* nothing */ ']) adapter.exec(nothing)
      checkSame(xs(adapter), [';', 'y'], 'the rows')
      adapter.exec('SELECT x FROM a; SELECT 1')
      adapter.exec('SELECT x FROM a WHERE x = ?', 'y')
    },
  },
  {
    name: 'a second statement is refused where values are given or rows are asked for',
    run({ adapter }) {
      adapter.exec('CREATE TABLE a(x)')
      checkRefused(() => adapter.exec('INSERT INTO a VALUES (?); INSERT INTO a VALUES (2)', 1), 'with values')
      checkRefused(() => rowsOf(adapter, 'SELECT 1 AS one; DELETE FROM a'), 'with rows')
      checkRefused(() => rowsOf(adapter, ''), 'no statement')
      checkSame(xs(adapter), [], 'nothing was written')
      checkSame(valuesOf(adapter, "SELECT ';' AS a; -- the end;"), [';'], 'an end is no second statement')
    },
  },
  {
    name: 'triggers with several statements can be made',
    run({ adapter }) {
      const trigger = `CREATE TRIGGER t AFTER INSERT ON a BEGIN
        INSERT INTO b VALUES (CASE WHEN new.x > 1 THEN 'many' ELSE 'one' END); INSERT INTO b VALUES (';'); END`
      adapter.exec(`CREATE TABLE a(x); CREATE TABLE b(y); ${trigger}; INSERT INTO a VALUES (1)`)
      checkSame(rowsOf(adapter, 'SELECT y FROM b'), [{ y: 'one' }, { y: ';' }], 'what it has written')
      adapter.exec('DROP TRIGGER t')
      rowsOf(adapter, trigger)
      adapter.exec('INSERT INTO a VALUES (?)', 2)
      checkSame(rowsOf(adapter, 'SELECT count(*) AS n FROM b'), [{ n: 4 }], 'made by itself')
    },
  },
  {
    name: 'what iterate runs is done whether or not anybody looks at the rows',
    run({ adapter }) {
      adapter.exec('CREATE TABLE a(x)')
      for (const row of adapter.iterate('INSERT INTO a VALUES (1), (2), (3) RETURNING x')) {
        checkSame({ ...row }, { x: 1 }, 'the first row')
        break
      }
      checkSame(xs(adapter), [1, 2, 3], 'all rows are there')
      checkSame(rowsOf(adapter, 'DELETE FROM a WHERE x > 1'), [], 'a statement without rows')
      adapter.exec('INSERT INTO a VALUES (?), (5) RETURNING x', 4)
      checkSame(xs(adapter), [1, 4, 5], 'with exec')
    },
  },
  {
    name: 'an iteration that is left early, or never begun, leaves no statement open',
    run({ adapter }) {
      fill(adapter, 500)
      const left = adapter.iterate('SELECT x FROM a')[Symbol.iterator]()
      left.next()
      adapter.iterate('SELECT x FROM a ORDER BY x')
      for (const row of adapter.iterate('SELECT x FROM a WHERE x > ?', 3)) if (row['x'] !== undefined) break
      thrownBy(() => {
        for (const row of adapter.iterate('SELECT x FROM a WHERE x > 4')) throw new Error(String(row['x']))
      })
      // Refused while any statement reads the table.
      adapter.exec('DROP TABLE a')
      checkSame(valuesOf(adapter, "SELECT count(*) AS n FROM sqlite_schema WHERE name = 'a'"), [0], 'the tables')
    },
  },
  {
    name: 'while rows are gone through, others can be written; the rows are those of the beginning',
    run({ adapter }) {
      fill(adapter, 300)
      let seen = 0
      for (const row of adapter.iterate<{ x: number }>('SELECT x FROM a')) {
        adapter.exec('INSERT INTO a VALUES (?)', row.x + 1000)
        if (row.x % 2 === 0) adapter.exec('DELETE FROM a WHERE x = ?', row.x + 1)
        seen++
      }
      checkSame(seen, 300, 'the rows seen')
      checkSame(valuesOf(adapter, 'SELECT count(*) AS n FROM a WHERE x > 1000'), [300], 'the rows written')
    },
  },
  {
    name: 'two iterations of one statement do not disturb each other',
    run({ adapter }) {
      fill(adapter, 6)
      const sql = 'SELECT x FROM a WHERE x > ? ORDER BY x'
      const seen: unknown[] = []
      for (const outer of adapter.iterate<{ x: number }>(sql, 4)) {
        for (const inner of adapter.iterate<{ x: number }>(sql, outer.x - 1)) seen.push([outer.x, inner.x])
      }
      checkSame(
        seen,
        [
          [5, 5],
          [5, 6],
          [6, 6],
        ],
        'the pairs',
      )
      const [one, two] = [adapter.iterate(sql, 0), adapter.iterate(sql, 3)].map((rows) => rows[Symbol.iterator]())
      const turns = [one?.next(), two?.next(), one?.next(), two?.next()].map(
        (turn) => (turn?.value as { x?: number } | undefined)?.x,
      )
      checkSame(turns, [1, 4, 2, 5], 'in turns')
    },
  },
  {
    name: 'statements follow a schema that changes',
    run({ adapter }) {
      adapter.exec('CREATE TABLE a(x); INSERT INTO a VALUES (1)')
      const read = (): unknown => rowsOf(adapter, 'SELECT * FROM a')
      checkSame(read(), [{ x: 1 }], 'at first')
      adapter.exec('ALTER TABLE a ADD COLUMN y DEFAULT 2')
      checkSame(read(), [{ x: 1, y: 2 }], 'with another column')
      adapter.exec("DROP TABLE a; CREATE TABLE a(z, x); INSERT INTO a VALUES ('z', 5)")
      checkSame(read(), [{ z: 'z', x: 5 }], 'another table of that name')
      checkSame(Object.keys(rowsOf(adapter, 'SELECT * FROM a')[0] ?? {}), ['z', 'x'], 'the order of columns')
    },
  },
  {
    name: 'thousands of different statements are no burden',
    run({ adapter }) {
      fill(adapter, 3)
      for (let i = 0; i < 2_500; i++)
        checkSame(valuesOf(adapter, `SELECT x + ${i} AS y FROM a LIMIT 1`), [i + 1], 'a row')
      checkSame(valuesOf(adapter, 'SELECT x + 0 AS y FROM a LIMIT 1'), [1], 'the first once more')
    },
  },
  {
    name: 'large answers are whole and in order',
    run({ adapter }) {
      fill(adapter, 20_000)
      let expected = 1
      for (const { x } of adapter.iterate<{ x: number }>('SELECT x FROM a ORDER BY x'))
        checkSame(x, expected++, 'a row')
      checkSame(expected, 20_001, 'the number of rows')
    },
  },
  {
    name: 'errors are SqliteErrors with the result code and their cause',
    run({ adapter }) {
      adapter.exec('CREATE TABLE a(x INTEGER PRIMARY KEY, y NOT NULL CHECK (y <> 7)); INSERT INTO a VALUES (1, 1)')
      checkCode(() => adapter.exec('SELEC 1'), 'SQLITE_ERROR', 'exec of no SQL')
      checkCode(() => adapter.exec('SELEC ?', 1), 'SQLITE_ERROR', 'exec of no SQL with a value')
      checkCode(() => rowsOf(adapter, 'SELECT * FROM nowhere'), 'SQLITE_ERROR', 'a table that is not there')
      const constraint = 'SQLITE_CONSTRAINT'
      checkCode(() => adapter.exec('INSERT INTO a VALUES (1, 1)'), constraint, 'a key that is there, by exec')
      checkCode(() => adapter.exec('INSERT INTO a VALUES (?, 1)', 1), constraint, 'with a value')
      checkCode(() => rowsOf(adapter, 'INSERT INTO a VALUES (?, 1) RETURNING x', 1), constraint, 'by iterate')
      checkCode(() => adapter.exec('INSERT INTO a VALUES (?, ?)', 2, null), constraint, 'NOT NULL')
      checkCode(() => adapter.exec('INSERT INTO a VALUES (?, ?)', 2, 7), constraint, 'CHECK')
      checkCode(() => adapter.exec('INSERT INTO a VALUES (?, 1)', 'x'), 'SQLITE_MISMATCH', 'a text as a row id')
      const caught = thrownBy(() => adapter.exec('SELEC 1'))?.thrown as Error | undefined
      check(caught?.cause instanceof Error, 'the error has a cause')
    },
  },
  {
    name: 'a statement that has failed can be run again',
    run({ adapter }) {
      adapter.exec('CREATE TABLE a(x PRIMARY KEY)')
      for (const sql of ['INSERT INTO a VALUES (?)', 'INSERT INTO a VALUES (?) RETURNING x']) {
        const start = xs(adapter).length
        for (const x of [start + 1, start + 1, start + 2]) thrownBy(() => rowsOf(adapter, sql, x))
        thrownBy(() => adapter.exec(sql, start + 2))
        adapter.exec(sql, start + 3)
      }
      checkSame(xs(adapter), [1, 2, 3, 4, 5, 6], 'the rows')
    },
  },
  {
    name: 'what another connection holds is SQLITE_BUSY, and passes',
    needs: 'another',
    run({ adapter, another }) {
      adapter.exec('CREATE TABLE a(x)')
      const other = another()
      try {
        let called = false
        adapter.transaction(() => {
          adapter.exec('INSERT INTO a VALUES (1)')
          checkCode(() => other.exec('INSERT INTO a VALUES (?)', 2), 'SQLITE_BUSY', 'a write')
          checkCode(() => other.transaction(() => (called = true)), 'SQLITE_BUSY', 'a transaction')
        })
        check(!called, 'what cannot begin is not called')
        other.transaction(() => other.exec('INSERT INTO a VALUES (?)', 3))
        checkSame(xs(adapter), [1, 3], 'the rows')
        // Rows that nobody looks at any more must not keep the other one from writing.
        other.iterate('SELECT x FROM a')[Symbol.iterator]().next()
        adapter.exec('PRAGMA wal_checkpoint(TRUNCATE)')
        adapter.exec('INSERT INTO a VALUES (?)', 4)
        checkSame(xs(other), [1, 3, 4], 'as the other one sees it')
      } finally {
        other.close()
      }
    },
  },
]
