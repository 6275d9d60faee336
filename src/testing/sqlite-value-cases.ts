import type { SqliteAdapter } from '../sqlite/port.js'
import type { SqliteBind } from '../sqlite/values.js'
import { check, checkSame } from './expect.js'
import { checkRefused, checkValue, rowsOf, type SqliteCase, thrownBy, valuesOf, xs } from './sqlite-case.js'

const SAFE = BigInt(Number.MAX_SAFE_INTEGER)
const LARGE = [SAFE + 1n, SAFE + 2n, -SAFE - 1n, -SAFE - 2n, 2n ** 62n + 1n, 2n ** 63n - 1n, -(2n ** 63n)]

/** Throws unless `value` comes back as it is. */
function checkKept(adapter: SqliteAdapter, value: SqliteBind, claim: string): void {
  checkValue(valuesOf(adapter, 'SELECT ? AS v', value)[0], value, claim)
}

/** Numbers that a binding may have no way to bind: kept, or refused. */
function checkKeptOrRefused(adapter: SqliteAdapter, value: number): void {
  const caught = thrownBy(() => checkKept(adapter, value, `${value}`))
  if (caught !== undefined) checkRefused(() => rowsOf(adapter, 'SELECT ? AS v', value), `${value} is kept or refused`)
}

/** The part of the contract that is about values. */
export const sqliteValueCases: readonly SqliteCase[] = [
  {
    name: 'booleans are 0 and 1, undefined is NULL',
    run({ adapter }) {
      const sql = 'SELECT ? AS a, ? AS b, ? AS c, ? AS d'
      checkSame(valuesOf(adapter, sql, true, false, undefined, null), [1, 0, null, null], 'the values')
      checkSame(valuesOf(adapter, 'SELECT ? AS a', true), [1], 'a boolean alone')
      checkSame(valuesOf(adapter, 'SELECT ? AS a', undefined), [null], 'undefined alone')
      checkSame(valuesOf(adapter, 'SELECT ? IS 1 AS a, ? IS NULL AS b', true, undefined), [1, 1], 'as SQLite sees them')
    },
  },
  {
    name: 'text is kept whole',
    run({ adapter }) {
      const texts = ['', ' ', '\'"`;--', '\ufeffbom', 'žluťoučký 🐎', '\uffff\u{10ffff}', 'x'.repeat(1_000_000), '007']
      for (const text of texts) checkKept(adapter, text, 'a text')
      const lengths = valuesOf(adapter, 'SELECT typeof(?) AS t, length(?) AS n, hex(?) AS h', '', 'a🐎', 'ž')
      checkSame(lengths, ['text', 2, 'C5BE'], 'texts as SQLite sees them')
    },
  },
  {
    name: 'text with a NUL character is kept whole, or refused',
    run({ adapter, claims }) {
      adapter.exec('CREATE TABLE a(x)')
      for (const text of ['\u0000', 'a\u0000', '\u0000b', 'a\u0000ž🐎\u0000']) {
        if (claims.nul) checkKept(adapter, text, 'a text with a NUL')
        else checkRefused(() => adapter.exec('INSERT INTO a VALUES (?)', text), 'a text with a NUL is refused')
      }
      checkSame(xs(adapter), [], 'nothing was written')
    },
  },
  {
    name: 'text with a lone surrogate is refused',
    run({ adapter }) {
      adapter.exec('CREATE TABLE a(x)')
      for (const text of ['\ud800', 'a\udfffb', '\udc00\ud800', `${'x'.repeat(5000)}\ud83d`]) {
        checkRefused(() => adapter.exec('INSERT INTO a VALUES (?)', text), 'it cannot be kept')
        checkRefused(() => rowsOf(adapter, 'INSERT INTO a VALUES (?) RETURNING x', text), 'it cannot be kept')
      }
      checkSame(xs(adapter), [], 'nothing was written')
    },
  },
  {
    name: 'BLOBs are Uint8Arrays that own their bytes',
    run({ adapter }) {
      class Bytes extends Uint8Array {}
      const all = Uint8Array.from({ length: 300 }, (_, i) => i & 255)
      const values = [all, all.subarray(7, 9), new Uint8Array(0), new Uint8Array(100_000).fill(7)]
      for (const value of values) checkValue(valuesOf(adapter, 'SELECT ? AS v', value)[0], value.slice(), 'a BLOB')
      checkValue(valuesOf(adapter, 'SELECT ? AS v', new Bytes(3))[0], new Uint8Array(3), 'of a class of its own')
      const sql = 'SELECT typeof(?) AS t, length(?) AS n'
      checkSame(valuesOf(adapter, sql, new Uint8Array(0), new Uint8Array(0)), ['blob', 0], 'an empty BLOB is no NULL')
      checkValue(rowsOf(adapter, "SELECT x'00ff' AS v")[0]?.['v'], new Uint8Array([0, 255]), 'a literal')
    },
  },
  {
    name: 'bytes that were read or bound do not change afterwards',
    run({ adapter }) {
      adapter.exec('CREATE TABLE a(x)')
      const given = new Uint8Array([1, 2, 3])
      adapter.exec('INSERT INTO a VALUES (?)', given)
      given.fill(9)
      const first = valuesOf(adapter, 'SELECT x FROM a')[0] as Uint8Array
      adapter.exec('UPDATE a SET x = ?', new Uint8Array([7, 7, 7]))
      rowsOf(adapter, 'SELECT x, ? AS y FROM a', new Uint8Array(1000).fill(5))
      checkValue(first, new Uint8Array([1, 2, 3]), 'what was read first')
      first.fill(0)
      checkValue(valuesOf(adapter, 'SELECT x FROM a')[0], new Uint8Array([7, 7, 7]), 'what is there')
    },
  },
  {
    name: 'whole numbers are INTEGER, others REAL',
    run({ adapter, claims }) {
      const whole = [
        0,
        1,
        -1,
        255,
        2 ** 31,
        -(2 ** 31),
        2 ** 32,
        2 ** 40,
        Number.MAX_SAFE_INTEGER,
        -Number.MAX_SAFE_INTEGER,
      ]
      for (const value of whole) {
        const found = valuesOf(adapter, 'SELECT typeof(?) AS t, ? AS v', value, value)
        checkSame(found, [claims.integers ? 'integer' : 'real', value], `${value}`)
      }
      for (const value of [0.5, -1.25, 1e-7, 1.0000000000000002, 123456789.125, Infinity, -Infinity]) {
        checkSame(valuesOf(adapter, 'SELECT typeof(?) AS t, ? AS v', value, value), ['real', value], `${value}`)
      }
      adapter.exec('CREATE TABLE a(x INTEGER)')
      adapter.exec('INSERT INTO a VALUES (?)', 5)
      checkSame(valuesOf(adapter, 'SELECT typeof(x) AS t, x FROM a'), ['integer', 5], 'in a column of type INTEGER')
      checkValue(valuesOf(adapter, 'SELECT 5.0 AS v')[0], 5, 'a REAL that is whole')
    },
  },
  {
    name: 'numbers that SQLite would make others of are refused or kept: -0 is 0, NaN is refused',
    run({ adapter }) {
      checkSame(Number(valuesOf(adapter, 'SELECT ? AS v', -0)[0]) === 0, true, '-0 is 0')
      checkRefused(() => rowsOf(adapter, 'SELECT ? AS v', Number.NaN), 'NaN')
      for (const value of [
        5e-324,
        -1e-20,
        2 ** 53,
        -(2 ** 53),
        2 ** 60,
        2 ** 63,
        -(2 ** 63),
        2 ** 64,
        1e300,
        -Number.MAX_VALUE,
      ]) {
        checkKeptOrRefused(adapter, value)
      }
    },
  },
  {
    name: 'integers beyond 2^53 are bigints, exact both ways, or refused',
    run({ adapter, claims }) {
      adapter.exec('CREATE TABLE a(x INTEGER)')
      for (const value of LARGE) {
        if (claims.int64) {
          checkKept(adapter, value, 'a bigint')
          checkSame(valuesOf(adapter, 'SELECT CAST(? AS TEXT) AS v', value), [String(value)], 'as SQLite sees it')
          checkValue(valuesOf(adapter, `SELECT ${literal(value)} AS v`)[0], value, 'a literal')
        } else {
          checkRefused(() => adapter.exec('INSERT INTO a VALUES (?)', value), 'a bigint is refused')
          checkRefused(() => rowsOf(adapter, `SELECT ${literal(value)} AS v`), 'a literal is refused')
        }
      }
      checkSame(xs(adapter), [], 'nothing was written')
    },
  },
  {
    name: 'rows with integers of any size come as asked for: small ones as numbers',
    run({ adapter, claims }) {
      for (const value of [0n, 7n, -7n, SAFE, -SAFE]) {
        checkValue(valuesOf(adapter, 'SELECT ? AS v', value)[0], Number(value), 'a small bigint')
      }
      if (!claims.int64) return
      adapter.exec('CREATE TABLE a(x INTEGER)')
      for (const x of [1, 2n ** 60n, 2]) adapter.exec('INSERT INTO a VALUES (?)', x)
      const all = rowsOf(adapter, 'SELECT x, x * 0 + 5 AS five, 0.5 AS half FROM a ORDER BY rowid')
      checkSame(
        all.map(Object.values),
        [
          [1, 5, 0.5],
          [2n ** 60n, 5, 0.5],
          [2, 5, 0.5],
        ].map(Object.values),
        'the rows',
      )
      checkSame(
        rowsOf(adapter, 'SELECT x FROM a WHERE x < 9 ORDER BY x'),
        [{ x: 1 }, { x: 2 }],
        'small ones afterwards',
      )
    },
  },
  {
    name: 'a bigint of more than 64 bits is refused',
    run({ adapter }) {
      adapter.exec('CREATE TABLE a(x)')
      for (const value of [2n ** 63n, -(2n ** 63n) - 1n, 2n ** 64n, 2n ** 200n]) {
        checkRefused(() => adapter.exec('INSERT INTO a VALUES (?)', value), 'it has no room')
      }
      checkSame(xs(adapter), [], 'nothing was written')
    },
  },
  {
    name: 'a statement that writes and answers a large integer writes once',
    run({ adapter }) {
      adapter.exec('CREATE TABLE a(x INTEGER PRIMARY KEY, y)')
      const sql = 'INSERT INTO a(y) VALUES (?) RETURNING x, 9007199254740993 AS large'
      const caught = thrownBy(() => checkValue(rowsOf(adapter, sql, 1)[0]?.['large'], 9007199254740993n, 'the answer'))
      if (caught !== undefined) checkRefused(() => rowsOf(adapter, sql, 1), 'an answer that is not exact')
      const written = caught === undefined ? 1 : 3
      check(xs(adapter).length <= written, `the rows were written once, got ${xs(adapter).length} of them`)
      const before = xs(adapter).length
      const cte = `WITH one(y) AS (SELECT 2) ${sql.replace('VALUES (?)', 'SELECT y FROM one')}`
      const refused = thrownBy(() => rowsOf(adapter, cte)) !== undefined
      const added = xs(adapter).length - before
      check(added === 1 || (refused && added === 0), `a statement WITH writes once, or is refused, got ${added} rows`)
    },
  },
  {
    name: 'values of other types are refused before anything happens',
    run({ adapter }) {
      adapter.exec('CREATE TABLE a(x)')
      const detached = new Uint8Array(4)
      structuredClone(detached, { transfer: [detached.buffer] })
      const values: unknown[] = [
        new Date(0),
        Symbol('s'),
        () => 1,
        {},
        { x: 1 },
        [],
        [1],
        new Array(3),
        new Map(),
        new ArrayBuffer(2),
        new Float64Array(1),
        new DataView(new ArrayBuffer(2)),
        Object(1),
        Object('a'),
        Object(1n),
        detached,
      ]
      for (const value of values) {
        const what = Object.prototype.toString.call(value)
        checkRefused(() => adapter.exec('INSERT INTO a VALUES (?)', value as SqliteBind), what)
        checkRefused(() => rowsOf(adapter, 'INSERT INTO a VALUES (?) RETURNING x', value as SqliteBind), what)
        checkRefused(
          () => adapter.exec('INSERT INTO a VALUES (?), (?)', 1, value as SqliteBind),
          `${what} as the second`,
        )
      }
      checkSame(xs(adapter), [], 'nothing was written')
      adapter.exec('INSERT INTO a VALUES (?)', 1)
      checkSame(xs(adapter), [1], 'and the adapter goes on')
    },
  },
  {
    name: 'the number of values has to be that of the parameters',
    run({ adapter }) {
      adapter.exec('CREATE TABLE a(x)')
      checkRefused(() => adapter.exec('INSERT INTO a VALUES (?)', 1, 2), 'too many')
      checkRefused(() => adapter.exec('INSERT INTO a VALUES (?), (?)', 1), 'too few')
      checkRefused(() => adapter.exec('INSERT INTO a VALUES (?)'), 'none')
      checkRefused(() => adapter.exec('INSERT INTO a VALUES (1)', 1), 'one for a statement without parameters')
      checkRefused(() => rowsOf(adapter, 'SELECT ? AS v'), 'none')
      checkSame(
        valuesOf(adapter, 'SELECT \'?\' AS a, ? AS "b?" -- ?', 1),
        ['?', 1],
        'question marks in text and comments',
      )
      checkSame(xs(adapter), [], 'nothing was written')
    },
  },
]

/** The least integer cannot be written as one. */
function literal(value: bigint): string {
  return value === -(2n ** 63n) ? '(-9223372036854775807 - 1)' : String(value)
}
