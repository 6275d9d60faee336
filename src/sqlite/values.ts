import { describeValue, InvalidArgumentError } from '../base/errors.js'
import { isUint8Array } from '../base/uint8-array.js'
import { SqliteError } from './error.js'

/**
 * What can be bound to a parameter, in every binding alike: booleans become 0 and 1, `undefined` becomes NULL, whole numbers
 * up to 2^53 INTEGER (-0 becomes 0), all others REAL, a bigint INTEGER.
 */
export type SqliteBind = string | number | bigint | boolean | Uint8Array | null | undefined

/**
 * What a column holds: an INTEGER is a number, and a bigint beyond 2^53; a BLOB is a `Uint8Array` that owns its bytes.
 */
export type SqliteValue = string | number | bigint | Uint8Array | null

/** A row by column name. It may lack a prototype. */
export type SqliteRow = { readonly [column: string]: SqliteValue }

/** What a binding does with values. */
export interface Traits {
  /** Which whole numbers it binds as INTEGER; the others are handed to it as bigints. `never`: it has no other way than REAL. */
  readonly integers: 'all' | 'int32' | 'bigint' | 'never'
  /** True when text with a NUL comes back whole. */
  readonly nul: boolean
  /** True when it binds whole numbers beyond 2^53 as something else than they are. */
  readonly wholeUnsafe?: true
  /** True when it makes 0 of what is closer to it than 2^-52. */
  readonly tinyLost?: true
}

const SAFE = Number.MAX_SAFE_INTEGER
const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n
/** What the largest integers are rounded to; numbers beyond it were never integers. */
const INT64_EDGE = 2 ** 63

/** Node 20 has it; the library that TypeScript is told to compile for does not. */
interface WellFormed {
  isWellFormed(): boolean
}

/**
 * Makes `values` what the binding takes, in place.
 *
 * @throws {InvalidArgumentError} no binding takes one of them. {SqliteError} this one would lose a part of it.
 */
export function normaliseBinds(values: unknown[], traits: Traits): unknown[] {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]
    switch (typeof value) {
      case 'string':
        checkText(value, i, traits)
        break
      case 'number':
        values[i] = numberBind(value, i, traits)
        break
      case 'object':
        if (value !== null) values[i] = blobBind(value, i)
        break
      case 'undefined':
        values[i] = null
        break
      case 'boolean':
        values[i] = numberBind(value ? 1 : 0, i, traits)
        break
      case 'bigint':
        values[i] = bigintBind(value, i, traits)
        break
      default:
        throw wrongValue(i, value)
    }
  }
  return values
}

function numberBind(value: number, index: number, traits: Traits): number | bigint {
  if (value <= SAFE && value >= -SAFE) {
    if (value % 1 !== 0) {
      if (traits.tinyLost && Math.abs(value) < Number.EPSILON) throw lossError(index, 'a number close to 0')
      return value
    }
    if (traits.integers === 'bigint') return BigInt(value)
    if (traits.integers === 'int32' && (value | 0) !== value) return BigInt(value)
    return value === 0 ? 0 : value
  }
  if (Number.isNaN(value)) {
    throw new InvalidArgumentError(place(index), 'a number; SQLite would make NULL of it', value)
  }
  if (traits.wholeUnsafe && Number.isFinite(value))
    throw lossError(index, 'a whole number beyond 2^53 that is no bigint')
  return value
}

function bigintBind(value: bigint, index: number, traits: Traits): number | bigint {
  if (value < INT64_MIN || value > INT64_MAX) {
    throw new InvalidArgumentError(place(index), 'an integer of at most 64 bits', value)
  }
  if (traits.integers !== 'never') return value
  if (value > SAFE || value < -SAFE) throw lossError(index, 'an integer beyond 2^53')
  return Number(value)
}

function checkText(value: string, index: number, traits: Traits): void {
  if (!(value as unknown as WellFormed).isWellFormed()) {
    throw new InvalidArgumentError(place(index), 'text without lone surrogates, which UTF-8 cannot hold', value)
  }
  if (!traits.nul && value.includes('\u0000')) throw lossError(index, 'text with a NUL character')
}

function blobBind(value: object, index: number): Uint8Array {
  if (!isUint8Array(value)) throw wrongValue(index, value)
  return bytesBind(value, index)
}

function bytesBind(value: Uint8Array, index: number): Uint8Array {
  if (value.byteLength === 0 && isDetached(value.buffer)) {
    throw new InvalidArgumentError(place(index), 'a Uint8Array that still has its bytes', value)
  }
  if (!(value.buffer instanceof ArrayBuffer) && isShared(value)) return new Uint8Array(value)
  // A Buffer, and an array of another realm, are no plain Uint8Array to some of the bindings.
  if (Object.getPrototypeOf(value) === Uint8Array.prototype && !Object.hasOwn(value, 'byteLength')) {
    return value
  }
  // By its own slots: what an object says of its length is not to be believed, the memory of a binding lies behind it.
  return new Uint8Array(value)
}

function isShared(value: ArrayBufferView): boolean {
  return Object.prototype.toString.call(value.buffer) === '[object SharedArrayBuffer]'
}

function isDetached(buffer: ArrayBufferLike): boolean {
  try {
    return new Uint8Array(buffer).length < 0
  } catch (error) {
    // Only a buffer whose bytes were handed on refuses a view of it.
    return error instanceof TypeError
  }
}

function place(index: number): string {
  return `SQL parameter ${index + 1}`
}

function wrongValue(index: number, value: unknown): InvalidArgumentError {
  return new InvalidArgumentError(
    place(index),
    'a string, number, bigint, boolean, Uint8Array, null or undefined',
    value,
  )
}

function lossError(index: number, what: string): SqliteError {
  return new SqliteError(
    `${place(index)}: ${what}: this SQLite binding would lose a part of it; nothing was done`,
    'MISMATCH',
  )
}

/** @throws {InvalidArgumentError} there are not as many values as parameters. */
export function checkCount(given: number, parameters: number): void {
  if (given === parameters) return
  throw new InvalidArgumentError('SQL parameters', `${parameters} of them`, `${given}`)
}

/**
 * Makes a row of a binding what a row is everywhere, in place.
 *
 * @returns false when it has a number that may be a rounded integer.
 */
export function normaliseRow(row: { [column: string]: unknown }): boolean {
  let exact = true
  for (const column of Object.keys(row)) {
    const value = row[column]
    if (typeof value === 'string' || value === null) continue
    if (typeof value === 'number') {
      if ((value > SAFE || value < -SAFE) && value <= INT64_EDGE && value >= -INT64_EDGE) exact = false
    } else if (typeof value === 'bigint') {
      if (value <= SAFE && value >= -SAFE) row[column] = Number(value)
    } else if (typeof value === 'object') row[column] = ownBytes(value)
    else throw new SqliteError(`SQLite: a column holds ${describeValue(value)}`, 'MISMATCH')
  }
  return exact
}

/** BLOBs come as Buffers, as ArrayBuffers, and as views of memory that will be used for something else. */
function ownBytes(value: object): Uint8Array {
  if (!ArrayBuffer.isView(value)) return new Uint8Array(value as ArrayBuffer)
  const { buffer, byteOffset, byteLength } = value
  if (buffer.byteLength !== byteLength) return new Uint8Array(buffer, byteOffset, byteLength).slice()
  return Object.getPrototypeOf(value) === Uint8Array.prototype ? (value as Uint8Array) : new Uint8Array(buffer)
}
