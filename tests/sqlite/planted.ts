import type { SqliteAdapter } from '../../src/sqlite/port.js'
import type { SqliteBind } from '../../src/sqlite/values.js'

type Row = Record<string, unknown>
type Bug = (good: SqliteAdapter) => Partial<SqliteAdapter>

/** A binding that is broken in one way, and the case that finds it. */
export interface Planted {
  readonly bug: string
  readonly caughtBy: string
  plant(good: SqliteAdapter): Partial<SqliteAdapter>
}

/** Values are changed on their way in. */
function binding(change: (value: SqliteBind) => unknown): Bug {
  return (good) => ({
    exec: (sql, ...params) => good.exec(sql, ...(params.map(change) as SqliteBind[])),
    iterate: (sql, ...params) => good.iterate(sql, ...(params.map(change) as SqliteBind[])),
  })
}

/** Values are changed on their way out. */
function reading(change: (value: unknown) => unknown): Bug {
  return (good) => ({
    iterate: <T>(sql: string, ...params: SqliteBind[]) =>
      Array.from(good.iterate<Row>(sql, ...params), (row) =>
        Object.fromEntries(Object.entries(row).map(([name, value]) => [name, change(value)])),
      ) as T[],
  })
}

/** Errors are changed. */
function failing(change: (error: unknown, sql: string) => unknown): Bug {
  const tell = <T>(sql: string, call: () => T): T => {
    try {
      return call()
    } catch (error) {
      throw change(error, sql)
    }
  }
  return (good) => ({
    exec: (sql, ...params) => tell(sql, () => good.exec(sql, ...params)),
    iterate: (sql, ...params) => tell(sql, () => good.iterate(sql, ...params)),
  })
}

/** Transactions by plain BEGIN and COMMIT. `depth` counts those that are open. */
function transactions(run: (good: SqliteAdapter, fn: () => unknown, depth: number) => unknown): Bug {
  let depth = 0
  return (good) => ({
    transaction<R>(fn: () => R) {
      depth++
      try {
        return run(good, fn, depth) as R
      } finally {
        depth--
      }
    },
  })
}

function plain(good: SqliteAdapter, fn: () => unknown): unknown {
  good.exec('BEGIN IMMEDIATE')
  try {
    const result = fn()
    good.exec('COMMIT')
    return result
  } catch (error) {
    good.exec('ROLLBACK')
    throw error
  }
}

const heap = new Uint8Array(1 << 20)

/** A view on memory that the next one uses, too. */
function onHeap(value: unknown): unknown {
  if (!(value instanceof Uint8Array)) return value
  heap.set(value.subarray(0, heap.length))
  return heap.subarray(0, Math.min(value.length, heap.length))
}

const VALUES = {
  boolean: 'booleans are 0 and 1, undefined is NULL',
  text: 'text is kept whole',
  nul: 'text with a NUL character is kept whole, or refused',
  surrogate: 'text with a lone surrogate is refused',
  blob: 'BLOBs are Uint8Arrays that own their bytes',
  alias: 'bytes that were read or bound do not change afterwards',
  whole: 'whole numbers are INTEGER, others REAL',
  odd: 'numbers that SQLite would make others of are refused or kept: -0 is 0, NaN is refused',
  large: 'integers beyond 2^53 are bigints, exact both ways, or refused',
  small: 'rows with integers of any size come as asked for: small ones as numbers',
  bits: 'a bigint of more than 64 bits is refused',
  twice: 'a statement that writes and answers a large integer writes once',
  types: 'values of other types are refused before anything happens',
  count: 'the number of values has to be that of the parameters',
} as const

const is64 = (value: unknown): value is bigint => typeof value === 'bigint'

/** Bugs in values. */
const values: Planted[] = [
  { bug: 'booleans are text', caughtBy: VALUES.boolean, plant: binding((v) => (typeof v === 'boolean' ? `${v}` : v)) },
  { bug: 'undefined is empty text', caughtBy: VALUES.boolean, plant: binding((v) => (v === undefined ? '' : v)) },
  {
    bug: 'a byte order mark is dropped',
    caughtBy: VALUES.text,
    plant: reading((v) => (typeof v === 'string' ? v.replace(/^\ufeff/, '') : v)),
  },
  {
    bug: 'text ends at a NUL',
    caughtBy: VALUES.nul,
    plant: binding((v) => (typeof v === 'string' ? v.split('\0')[0] : v)),
  },
  {
    bug: 'lone surrogates become question marks',
    caughtBy: VALUES.surrogate,
    plant: binding((v) => (typeof v === 'string' ? new TextDecoder().decode(new TextEncoder().encode(v)) : v)),
  },
  {
    bug: 'BLOBs are Buffers',
    caughtBy: VALUES.blob,
    plant: reading((v) => (v instanceof Uint8Array ? Buffer.from(v) : v)),
  },
  {
    bug: 'BLOBs are ArrayBuffers',
    caughtBy: VALUES.blob,
    plant: reading((v) => (v instanceof Uint8Array ? v.buffer : v)),
  },
  {
    bug: 'an empty BLOB is NULL',
    caughtBy: VALUES.blob,
    plant: binding((v) => (v instanceof Uint8Array && v.length === 0 ? null : v)),
  },
  { bug: 'BLOBs are views of memory that is used again', caughtBy: VALUES.alias, plant: reading(onHeap) },
  {
    bug: 'whole numbers are REAL',
    caughtBy: VALUES.whole,
    plant: (good) => ({
      iterate: (sql, ...params) => good.iterate(sql.replace('typeof(?)', 'typeof(? + 0.0)'), ...params),
    }),
  },
  {
    bug: 'whole numbers have 32 bits',
    caughtBy: VALUES.whole,
    plant: binding((v) => (Number.isInteger(v) ? Number(v) | 0 : v)),
  },
  { bug: 'NaN is NULL', caughtBy: VALUES.odd, plant: binding((v) => (Number.isNaN(v) ? null : v)) },
  { bug: 'large integers are rounded', caughtBy: VALUES.large, plant: reading((v) => (is64(v) ? Number(v) : v)) },
  {
    bug: 'large integers are rounded as they go in',
    caughtBy: VALUES.large,
    plant: binding((v) => (is64(v) ? Number(v) : v)),
  },
  {
    bug: 'all integers are bigints',
    caughtBy: VALUES.small,
    plant: reading((v) => (Number.isInteger(v) ? BigInt(v as number) : v)),
  },
  { bug: 'bigints lose bits', caughtBy: VALUES.bits, plant: binding((v) => (is64(v) ? BigInt.asIntN(64, v) : v)) },
  {
    bug: 'a statement is tried once more for its large integers',
    caughtBy: VALUES.twice,
    plant: (good) => ({
      iterate(sql, ...params) {
        if (sql.includes('9007199254740993')) good.exec(sql, ...params)
        return good.iterate(sql, ...params)
      },
    }),
  },
  {
    bug: 'objects become text',
    caughtBy: VALUES.types,
    plant: binding((v) => (Object(v) === v && !(v instanceof Uint8Array) ? String(v) : v)),
  },
  {
    bug: 'bytes without a buffer are empty',
    caughtBy: VALUES.types,
    plant: binding((v) => (v instanceof Uint8Array && v.length === 0 ? new Uint8Array(0) : v)),
  },
  {
    bug: 'missing values are NULL',
    caughtBy: VALUES.count,
    plant: (good) => ({
      exec: (sql, ...params) =>
        good.exec(sql, ...params, ...Array<null>(Math.max(0, sql.split('?').length - 1 - params.length)).fill(null)),
    }),
  },
]

/** Bugs in statements. */
const statements: Planted[] = [
  {
    bug: 'exec runs the first statement only',
    caughtBy: 'exec runs several statements; none is nothing to do',
    plant: (good) => ({ exec: (sql, ...params) => good.exec(/^[^;']*/.exec(sql)?.[0] ?? '', ...params) }),
  },
  {
    bug: 'a second statement is dropped',
    caughtBy: 'a second statement is refused where values are given or rows are asked for',
    plant: (good) => ({
      exec: (sql, ...params) => good.exec(params.length === 0 ? sql : (sql.split(';')[0] ?? ''), ...params),
    }),
  },
  {
    bug: 'scripts are cut at each semicolon',
    caughtBy: 'triggers with several statements can be made',
    plant: (good) => ({ exec: (sql, ...params) => sql.split(';').forEach((part) => good.exec(part, ...params)) }),
  },
  {
    bug: 'a statement goes on as its rows are asked for',
    caughtBy: 'what iterate runs is done whether or not anybody looks at the rows',
    plant: (good) => ({
      iterate(sql, ...params) {
        const rows = good.iterate(sql, ...params)
        if (sql.startsWith('INSERT')) good.exec('DELETE FROM a WHERE x > 1')
        return rows as never
      },
    }),
  },
  {
    bug: 'rows come by pages, of whatever is there then',
    caughtBy: 'while rows are gone through, others can be written; the rows are those of the beginning',
    plant: (good) => ({
      *iterate(sql, ...params) {
        for (let at = 0; at < 1000; at++) {
          const page = [...good.iterate(`SELECT * FROM (${sql}) LIMIT 1 OFFSET ${at}`, ...params)]
          if (page.length === 0) return
          yield page[0] as never
        }
      },
    }),
  },
  {
    bug: 'one cursor serves all iterations of a statement',
    caughtBy: 'two iterations of one statement do not disturb each other',
    plant(good) {
      const cursors = new Map<string, { rows: unknown[] }>()
      return {
        *iterate(sql, ...params) {
          const cursor = cursors.get(sql) ?? { rows: [] }
          cursors.set(sql, cursor)
          cursor.rows = [...good.iterate(sql, ...params)]
          while (cursor.rows.length > 0) yield cursor.rows.shift() as never
        },
      }
    },
  },
  ...[
    'statements follow a schema that changes',
    'a schema that a transaction has changed is as it was when it throws',
  ].map(
    (caughtBy): Planted => ({
      bug: 'names of columns are kept',
      caughtBy,
      plant(good) {
        const names = new Map<string, string[]>()
        return {
          iterate: <T>(sql: string, ...params: SqliteBind[]) =>
            Array.from(good.iterate<Row>(sql, ...params), (row) => {
              if (!names.has(sql)) names.set(sql, Object.keys(row))
              return Object.fromEntries(names.get(sql)?.map((name) => [name, row[name] ?? null]) ?? [])
            }) as T[],
        }
      },
    }),
  ),
  {
    bug: 'statements are mixed up when there are many',
    caughtBy: 'thousands of different statements are no burden',
    plant(good) {
      const kept: string[] = []
      return {
        iterate(sql, ...params) {
          if (kept.length < 1000) kept.push(sql)
          return good.iterate(kept.length < 1000 ? sql : (kept[sql.length] ?? ''), ...params)
        },
      }
    },
  },
  {
    bug: 'answers end at 10,000 rows',
    caughtBy: 'large answers are whole and in order',
    plant: (good) => ({ iterate: (sql, ...params) => [...good.iterate(sql, ...params)].slice(0, 10_000) as never }),
  },
  {
    bug: 'errors are those of the binding',
    caughtBy: 'errors are SqliteErrors with the result code and their cause',
    plant: failing((error) => (error as Error).cause),
  },
  {
    bug: 'a statement that has failed once fails again',
    caughtBy: 'a statement that has failed can be run again',
    plant(good) {
      const failed = new Set<string>()
      const run = <T>(sql: string, call: () => T): T => {
        if (failed.has(sql)) throw new Error('cannot reset')
        failed.add(sql)
        const result = call()
        failed.delete(sql)
        return result
      }
      return {
        exec: (sql, ...params) => run(sql, () => good.exec(sql, ...params)),
        iterate: (sql, ...params) => run(sql, () => good.iterate(sql, ...params)),
      }
    },
  },
  {
    bug: 'a lock is any error',
    caughtBy: 'what another connection holds is SQLITE_BUSY, and passes',
    plant: failing((error) => (String(error).includes('locked') ? new Error('cannot') : error)),
  },
]

/** Bugs in transactions and at the end. */
const units: Planted[] = [
  {
    bug: 'a transaction answers nothing',
    caughtBy: 'a transaction that returns is committed, and answers what it returns',
    plant: (good) => ({ transaction: (fn) => good.transaction(() => void fn()) as never }),
  },
  {
    bug: 'a transaction that throws undefined is committed',
    caughtBy: 'a transaction that throws anything is undone, and throws it on',
    plant: transactions((good, fn) => {
      good.exec('BEGIN')
      let failure: unknown
      try {
        fn()
      } catch (error) {
        failure = error
      }
      good.exec(failure ? 'ROLLBACK' : 'COMMIT')
      if (failure) throw failure
    }),
  },
  {
    bug: 'an inner transaction is part of the outer one',
    caughtBy: 'an inner transaction that throws is undone alone',
    plant: transactions((good, fn, depth) => (depth > 1 ? fn() : plain(good, fn))),
  },
  {
    bug: 'an inner transaction commits the outer one',
    caughtBy: 'an inner transaction that returns is undone with the outer one',
    plant: transactions((good, fn, depth) => {
      if (depth === 1) return plain(good, fn)
      const result = fn()
      good.exec('COMMIT; BEGIN')
      return result
    }),
  },
  {
    bug: 'an async function is taken',
    caughtBy: 'a function that is asynchronous is refused, and undone',
    plant: transactions(plain),
  },
  {
    bug: 'a commit that fails leaves the transaction open',
    caughtBy: 'a commit that fails undoes everything, and the next transaction works',
    plant: transactions((good, fn) => {
      good.exec('BEGIN')
      fn()
      good.exec('COMMIT')
    }),
  },
  {
    bug: 'rows that are gone through keep a transaction from ending',
    caughtBy: 'rows that are being gone through do not keep a transaction from ending',
    plant(good) {
      let open = 0
      return {
        *iterate(sql, ...params) {
          open++
          yield* good.iterate<never>(sql, ...params)
          open--
        },
        transaction: (fn) => {
          if (open > 0) throw new Error('connection is busy')
          return good.transaction(fn)
        },
      }
    },
  },
  {
    bug: 'what comes after a rollback of SQLite is written by itself',
    caughtBy: 'after SQLite has rolled back by itself, nothing is written outside of the transaction',
    plant: transactions((good, fn, depth) => (depth > 1 ? fn() : plain(good, fn))),
  },
  {
    bug: 'a transaction ends that of the caller',
    caughtBy: 'within a transaction that the caller has begun, it is a savepoint',
    plant: transactions((good, fn) => {
      const result = fn()
      good.exec('COMMIT')
      return result
    }),
  },
  {
    bug: 'a commit that fails is nothing',
    caughtBy: 'a function cannot end its transaction by COMMIT or ROLLBACK, and the next one works',
    plant: (good) => ({
      transaction(fn) {
        try {
          return good.transaction(fn)
        } catch (error) {
          if (String(error).includes('would end the transaction')) return undefined as never
          throw error
        }
      },
    }),
  },
  {
    bug: 'calls after close do nothing',
    caughtBy: 'after close every call is an error that says so; close is safe twice',
    plant: failing((error) => (String(error).includes('closed') ? new TypeError('cannot') : error)),
  },
  {
    bug: 'a statement stays open until its last row',
    caughtBy: 'an iteration that is left early, or never begun, leaves no statement open',
    plant(good) {
      let open = 0
      return {
        *iterate(sql, ...params) {
          open++
          yield* good.iterate<never>(sql, ...params)
          open--
        },
        exec(sql, ...params) {
          if (open > 0 && sql.startsWith('DROP')) throw new Error('database table is locked')
          good.exec(sql, ...params)
        },
      }
    },
  },
]

/** All bugs. */
export const planted: readonly Planted[] = [...values, ...statements, ...units]
