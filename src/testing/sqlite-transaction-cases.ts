import type { SqliteAdapter } from '../sqlite/port.js'
import { check, checkSame } from './expect.js'
import { checkCode, checkRefused, rowsOf, type SqliteCase, thrownBy, xs } from './sqlite-case.js'

function put(adapter: SqliteAdapter, x: number): void {
  adapter.exec('INSERT INTO a VALUES (?)', x)
}

/** The part of the contract that is about transactions, and about the end. */
export const sqliteTransactionCases: readonly SqliteCase[] = [
  {
    name: 'a transaction that returns is committed, and answers what it returns',
    run({ adapter }) {
      adapter.exec('CREATE TABLE a(x)')
      for (const value of [1, undefined, null, false, { then: 1 }])
        checkSame(
          adapter.transaction(() => value),
          value,
          'it',
        )
      adapter.transaction(() => {
        put(adapter, 1)
        put(adapter, 2)
      })
      checkSame(xs(adapter), [1, 2], 'the rows')
    },
  },
  {
    name: 'a transaction that throws anything is undone, and throws it on',
    run({ adapter }) {
      adapter.exec('CREATE TABLE a(x PRIMARY KEY)')
      for (const thrown of [new Error('x'), undefined, null, 0, 'text', Symbol('s')]) {
        const caught = thrownBy(() =>
          adapter.transaction(() => {
            put(adapter, 1)
            throw thrown
          }),
        )
        check(caught !== undefined && Object.is(caught.thrown, thrown), `what was thrown comes out: ${String(thrown)}`)
        checkSame(xs(adapter), [], 'nothing was written')
      }
      const twice = (): void => adapter.transaction(() => [1, 1].forEach((x) => put(adapter, x)))
      checkCode(twice, 'SQLITE_CONSTRAINT', 'an error of SQLite')
      checkSame(xs(adapter), [], 'nothing was written')
      adapter.transaction(() => put(adapter, 3))
      checkSame(xs(adapter), [3], 'and the next one works')
    },
  },
  {
    name: 'a schema that a transaction has changed is as it was when it throws',
    run({ adapter }) {
      adapter.exec('CREATE TABLE a(x); INSERT INTO a VALUES (1)')
      thrownBy(() =>
        adapter.transaction(() => {
          adapter.exec('ALTER TABLE a ADD COLUMN y; CREATE TABLE b(z)')
          rowsOf(adapter, 'SELECT * FROM a')
          throw new Error('no')
        }),
      )
      checkSame(rowsOf(adapter, 'SELECT * FROM a'), [{ x: 1 }], 'the table')
      adapter.exec('INSERT INTO a VALUES (1)')
      checkCode(() => rowsOf(adapter, 'SELECT * FROM b'), 'SQLITE_ERROR', 'the other table')
    },
  },
  {
    name: 'an inner transaction that throws is undone alone',
    run({ adapter }) {
      adapter.exec('CREATE TABLE a(x)')
      adapter.transaction(() => {
        put(adapter, 1)
        for (const x of [2, 3]) {
          thrownBy(() =>
            adapter.transaction(() => {
              put(adapter, x)
              adapter.transaction(() => put(adapter, x * 10))
              throw new Error('no')
            }),
          )
        }
        adapter.transaction(() => put(adapter, 4))
        adapter.transaction(() => adapter.transaction(() => put(adapter, 5)))
      })
      checkSame(xs(adapter), [1, 4, 5], 'the rows')
    },
  },
  {
    name: 'an inner transaction that returns is undone with the outer one',
    run({ adapter }) {
      adapter.exec('CREATE TABLE a(x)')
      thrownBy(() =>
        adapter.transaction(() => {
          adapter.transaction(() => put(adapter, 1))
          throw new Error('no')
        }),
      )
      checkSame(xs(adapter), [], 'the rows')
    },
  },
  {
    name: 'a function that is asynchronous is refused, and undone',
    async run({ adapter }) {
      adapter.exec('CREATE TABLE a(x)')
      let called = false
      const later = async (): Promise<void> => {
        called = true
        put(adapter, 1)
      }
      checkRefused(() => adapter.transaction(later), 'an async function')
      const rejecting = (): Promise<never> => {
        put(adapter, 2)
        return Promise.reject(new Error('nobody waits for this'))
      }
      checkRefused(() => adapter.transaction(rejecting), 'a promise')
      // oxlint-disable-next-line unicorn/no-thenable -- what is not a promise, and can be waited for
      checkRefused(() => adapter.transaction(() => ({ then: () => put(adapter, 3) })), 'a thenable')
      await Promise.resolve()
      check(!called, 'an async function is not called')
      checkSame(xs(adapter), [], 'nothing was written')
    },
  },
  {
    name: 'a commit that fails undoes everything, and the next transaction works',
    // A Durable Object commits later, and starts anew when it cannot.
    needs: 'begins',
    run({ adapter }) {
      adapter.exec('PRAGMA foreign_keys = ON')
      adapter.exec('CREATE TABLE a(x INTEGER PRIMARY KEY)')
      adapter.exec('CREATE TABLE b(y INTEGER REFERENCES a(x) DEFERRABLE INITIALLY DEFERRED)')
      const orphan = (): void =>
        adapter.transaction(() => {
          put(adapter, 1)
          adapter.exec('INSERT INTO b VALUES (?)', 99)
        })
      checkCode(orphan, 'SQLITE_CONSTRAINT', 'a commit without what is referred to')
      checkSame([xs(adapter), rowsOf(adapter, 'SELECT * FROM b')], [[], []], 'nothing was written')
      adapter.transaction(() => {
        adapter.exec('INSERT INTO b VALUES (?)', 5)
        put(adapter, 5)
      })
      checkSame(xs(adapter), [5], 'the next one')
    },
  },
  {
    name: 'rows that are being gone through do not keep a transaction from ending',
    run({ adapter }) {
      adapter.exec('CREATE TABLE a(x); INSERT INTO a VALUES (1), (2), (3)')
      const rows = (): unknown => adapter.iterate('SELECT x FROM a')[Symbol.iterator]().next()
      adapter.transaction(() => [rows(), put(adapter, 4)])
      thrownBy(() =>
        adapter.transaction(() => {
          rows()
          put(adapter, 5)
          throw new Error('no')
        }),
      )
      for (const { x } of adapter.iterate<{ x: number }>('SELECT x FROM a')) {
        adapter.transaction(() => put(adapter, x + 10))
      }
      checkSame(xs(adapter), [1, 2, 3, 4, 11, 12, 13, 14], 'the rows')
    },
  },
  {
    name: 'after SQLite has rolled back by itself, nothing is written outside of the transaction',
    needs: 'begins',
    run({ adapter }) {
      adapter.exec('CREATE TABLE a(x PRIMARY KEY); INSERT INTO a VALUES (1)')
      for (const nested of [false, true]) {
        const body = (): void => {
          put(adapter, 2)
          const conflict = (): void => adapter.exec('INSERT OR ROLLBACK INTO a VALUES (?)', 1)
          thrownBy(nested ? () => adapter.transaction(conflict) : conflict)
          thrownBy(() => put(adapter, 3))
          thrownBy(() => adapter.transaction(() => put(adapter, 4)))
        }
        check(thrownBy(() => adapter.transaction(body)) !== undefined, 'it cannot be committed')
        checkSame(xs(adapter), [1], 'nothing was written')
      }
      adapter.transaction(() => put(adapter, 5))
      checkSame(xs(adapter), [1, 5], 'the next one')
    },
  },
  {
    name: 'within a transaction that the caller has begun, it is a savepoint',
    needs: 'begins',
    run({ adapter }) {
      adapter.exec('CREATE TABLE a(x)')
      for (const end of ['ROLLBACK', 'COMMIT']) {
        adapter.exec('BEGIN')
        put(adapter, 1)
        adapter.transaction(() => put(adapter, 2))
        thrownBy(() =>
          adapter.transaction(() => {
            put(adapter, 3)
            throw new Error('no')
          }),
        )
        adapter.exec(end)
        checkSame(xs(adapter), end === 'COMMIT' ? [1, 2] : [], `after ${end}`)
      }
    },
  },
  {
    name: 'a function cannot end its transaction by COMMIT or ROLLBACK, and the next one works',
    needs: 'begins',
    run({ adapter }) {
      adapter.exec('CREATE TABLE a(x)')
      for (const end of ['COMMIT', 'ROLLBACK', '/* and on */ end transaction', 'ROLLBACK; BEGIN']) {
        const ending = (): void => {
          put(adapter, 1)
          adapter.exec(end)
        }
        checkRefused(() => adapter.transaction(ending), `${end} inside`)
        checkSame(xs(adapter), [], `after ${end} inside`)
        const going = (): void => {
          thrownBy(ending)
          put(adapter, 2)
        }
        const failed = thrownBy(() => adapter.transaction(going)) !== undefined
        checkSame(xs(adapter), failed ? [] : [1, 2], `all or nothing of a function that goes on after ${end}`)
        adapter.exec('DELETE FROM a')
      }
      adapter.transaction(() => {
        adapter.exec('SAVEPOINT part')
        put(adapter, 3)
        adapter.exec('ROLLBACK TO part')
        adapter.exec('RELEASE part')
        put(adapter, 4)
      })
      checkSame(xs(adapter), [4], 'the next one, with a savepoint of its own')
    },
  },
  {
    name: 'two adapters on one connection share its transaction',
    needs: 'again',
    run({ adapter, again }) {
      adapter.exec('CREATE TABLE a(x)')
      const other = again()
      thrownBy(() =>
        adapter.transaction(() => {
          put(adapter, 1)
          other.transaction(() => put(other, 2))
          throw new Error('no')
        }),
      )
      checkSame(xs(adapter), [], 'all of it was undone')
      other.transaction(() => adapter.transaction(() => other.transaction(() => put(adapter, 3))))
      checkSame(xs(other), [3], 'all of it was committed')
      other.close()
    },
  },
  {
    name: 'after close every call is an error that says so; close is safe twice',
    run({ adapter }) {
      adapter.exec('CREATE TABLE a(x)')
      const rows = adapter.iterate('SELECT 1 AS one')
      adapter.close()
      adapter.close()
      for (const call of [
        () => adapter.exec('SELECT 1'),
        () => adapter.exec('INSERT INTO a VALUES (?)', 1),
        () => rowsOf(adapter, 'SELECT 1 AS one'),
        () => adapter.transaction(() => 1),
      ]) {
        checkCode(call, 'SQLITE_MISUSE', 'a call')
      }
      checkSame(
        [...rows].map((row) => ({ ...row })),
        [{ one: 1 }],
        'rows that were read before',
      )
    },
  },
  {
    name: 'close leaves a connection open that is not its own',
    needs: 'again',
    run({ adapter, again }) {
      adapter.exec('CREATE TABLE a(x)')
      const other = again()
      put(other, 1)
      other.close()
      checkCode(() => put(other, 2), 'SQLITE_MISUSE', 'the one that was closed')
      put(adapter, 3)
      checkSame(xs(adapter), [1, 3], 'the rows')
    },
  },
]
