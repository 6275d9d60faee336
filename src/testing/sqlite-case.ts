import type { SqliteAdapter } from '../sqlite/port.js'
import type { SqliteBind } from '../sqlite/values.js'
import { check, checkSame } from './expect.js'

/** What a binding can do besides what all have to. */
export interface SqliteClaims {
  /** Text with a NUL character is kept whole. Otherwise it has to be refused. Default true. */
  readonly nul: boolean
  /** Integers of 64 bits are kept whole. Otherwise those beyond 2^53 have to be refused. Default true. */
  readonly int64: boolean
  /** A whole number is bound as INTEGER. Otherwise it is bound as REAL. Default true. */
  readonly integers: boolean
  /** BEGIN may be used. Default true. */
  readonly begins: boolean
}

/** One check of the contract of `SqliteAdapter`. Throws when the adapter breaks it. */
export interface SqliteCase {
  readonly name: string
  /** What it needs: BEGIN, a second connection to the database, a second adapter on the connection. */
  readonly needs?: 'begins' | 'another' | 'again'
  run(test: SqliteTest): void | Promise<void>
}

/** What a case works with. */
export interface SqliteTest {
  /** On an empty database, whose connection it owns. */
  readonly adapter: SqliteAdapter
  readonly claims: SqliteClaims
  /** An adapter on another connection to the same database. */
  another(): SqliteAdapter
  /** Another adapter on the same connection, which it does not own. */
  again(): SqliteAdapter
}

type Row = Readonly<Record<string, unknown>>

/** All rows of a statement. */
export function rowsOf(adapter: SqliteAdapter, sql: string, ...params: SqliteBind[]): Row[] {
  return [...adapter.iterate(sql, ...params)].map((row) => ({ ...row }))
}

/** The values of the first row, in their order. */
export function valuesOf(adapter: SqliteAdapter, sql: string, ...params: SqliteBind[]): unknown[] {
  return Object.values(rowsOf(adapter, sql, ...params)[0] ?? {})
}

/** The column `x` of the table `a`, in order. */
export function xs(adapter: SqliteAdapter): unknown[] {
  return rowsOf(adapter, 'SELECT x FROM a ORDER BY x').map((row) => row['x'])
}

/** What `call` throws, in a box; `undefined` when it throws nothing. */
export function thrownBy(call: () => unknown): { readonly thrown: unknown } | undefined {
  try {
    call()
  } catch (thrown) {
    return { thrown }
  }
  return undefined
}

/** Throws unless `call` throws a `SqliteError` with the primary code. */
export function checkCode(call: () => unknown, code: string, claim: string): void {
  const error = mustThrow(call, claim)
  const found = { name: error.name, code: (error as { code?: unknown }).code }
  checkSame(found, { name: 'SqliteError', code }, `${claim} (${error.message})`)
}

/** Throws unless `call` throws an error that says which argument is wrong, or that the binding cannot take it. */
export function checkRefused(call: () => unknown, claim: string): void {
  const { name, message } = mustThrow(call, claim)
  check(
    name === 'InvalidArgumentError' || name === 'SqliteError',
    `${claim}: expected a refusal, got ${name}: ${message}`,
  )
}

function mustThrow(call: () => unknown, claim: string): Error {
  const caught = thrownBy(call)
  check(caught !== undefined, `${claim}: expected an error`)
  check(caught.thrown instanceof Error, `${claim}: expected an error, got something else`)
  return caught.thrown
}

/** Throws unless both are of the same type and the same; bytes are compared as such. */
export function checkValue(actual: unknown, expected: unknown, claim: string): void {
  if (!(expected instanceof Uint8Array)) {
    check(Object.is(actual, expected), `${claim}: expected ${shown(expected)}, got ${shown(actual)}`)
    return
  }
  check(actual instanceof Uint8Array, `${claim}: expected bytes, got ${shown(actual)}`)
  const isPlain = Object.getPrototypeOf(actual) === Uint8Array.prototype
  check(isPlain, `${claim}: expected a Uint8Array, got a ${actual.constructor.name}`)
  check(actual.buffer.byteLength === actual.byteLength, `${claim}: the array has to own its bytes`)
  checkSame([...actual], [...expected], claim)
}

function shown(value: unknown): string {
  const text = Object.is(value, -0) ? '-0' : String(value)
  return `${typeof value} ${text.length > 60 ? `${text.slice(0, 60)}…` : text}`
}
