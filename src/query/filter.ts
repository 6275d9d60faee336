import { asError, describeValue, InvalidArgumentError } from '../base/errors.js'
import { stringify } from '../base/json.js'

/** What can be compared with. NaN matches nothing. */
export type Scalar = string | number | boolean

/** One condition on one field, or on a path into nested fields. A comparison with a missing or null field is false. */
export type Comparison =
  /** Null: the field is missing or null; for `ne`, it is there. */
  | { readonly op: 'eq' | 'ne'; readonly path: string; readonly value: Scalar | null }
  /** Values of the same type only: strings by UTF-16 code unit, numbers, false before true. */
  | { readonly op: 'gt' | 'gte' | 'lt' | 'lte'; readonly path: string; readonly value: Scalar }
  | { readonly op: 'in' | 'notIn'; readonly path: string; readonly value: readonly (Scalar | null)[] }
  /** From the first to the second, both included. */
  | { readonly op: 'between'; readonly path: string; readonly value: readonly [Scalar, Scalar] }
  | { readonly op: 'startsWith' | 'endsWith' | 'contains' | 'like'; readonly path: string; readonly value: string }
  /** The field is an array that has this item. */
  | { readonly op: 'has'; readonly path: string; readonly value: Scalar | null }
  | { readonly op: 'exists'; readonly path: string; readonly value: boolean }

/** One condition of a filter. */
export type Condition =
  | Comparison
  | { readonly op: 'or'; readonly filters: readonly Filter[] }
  | { readonly op: 'not'; readonly filter: Filter }

/** A filter that has been checked. All conditions have to hold; without any, everything matches. */
export interface Filter {
  readonly conditions: readonly Condition[]
}

/** The filter that everything matches. */
export const EVERYTHING: Filter = Object.freeze({ conditions: [] })

const DEPTH_MAX = 32
const CONDITIONS_MAX = 10_000
/** What a pattern costs grows with its length times that of the text. */
const LIKE_MAX = 1_000

/** What the operand of each operator has to be, in words, and what it becomes; undefined where it is refused. */
const OPERATORS: {
  readonly [op: string]: readonly [expected: string, take: (value: unknown) => Comparison['value'] | undefined]
} = {
  eq: ['a string, number, boolean, valid Date or null', takeScalarOrNull],
  ne: ['a string, number, boolean, valid Date or null', takeScalarOrNull],
  gt: ['a string, number, boolean or valid Date', takeScalar],
  gte: ['a string, number, boolean or valid Date', takeScalar],
  lt: ['a string, number, boolean or valid Date', takeScalar],
  lte: ['a string, number, boolean or valid Date', takeScalar],
  in: ['a list of strings, numbers, booleans, valid Dates and nulls', takeList],
  notIn: ['a list of strings, numbers, booleans, valid Dates and nulls', takeList],
  between: ['a list of two values, the smallest and the largest', takePair],
  startsWith: ['a string', takeString],
  endsWith: ['a string', takeString],
  contains: ['a string', takeString],
  like: [
    `a string of at most ${LIKE_MAX} characters, with % for any, _ for one, and \\ before one that is meant`,
    (value) => (typeof value === 'string' && value.length <= LIKE_MAX ? value : undefined),
  ],
  has: ['a string, number, boolean, valid Date or null', takeScalarOrNull],
  exists: ['true or false', (value) => (typeof value === 'boolean' ? value : undefined)],
}

/**
 * Checks a filter as callers give it, and takes a copy of it.
 *
 * @param argument how the caller knows it, for errors: `bucket.where(filter)`.
 * @throws {InvalidArgumentError} it is not a filter: the message names the field or operator, and what is allowed.
 */
export function parseFilter(filter: unknown, argument: string): Filter {
  try {
    return new Parser(argument).filter(filter, 0)
  } catch (thrown) {
    // A getter or proxy that throws is its owner's mistake, not a bug of the bucket.
    const error = asError(thrown)
    if (error instanceof InvalidArgumentError) throw error
    const failure = `${argument}: reading it failed: ${error.message}`
    throw new InvalidArgumentError(failure, 'plain field values', filter)
  }
}

class Parser {
  readonly #argument: string
  #count = 0

  constructor(argument: string) {
    this.#argument = argument
  }

  #refuse(expected: string, given: unknown): never {
    const hint = given === undefined ? ' (to match missing values, ask for null)' : ''
    throw new InvalidArgumentError(this.#argument, expected + hint, given)
  }

  #note(count: number, given: unknown): void {
    this.#count += count
    if (this.#count > CONDITIONS_MAX) this.#refuse(`at most ${CONDITIONS_MAX} conditions and items of lists`, given)
  }

  filter(given: unknown, depth: number): Filter {
    if (!isObject(given)) this.#refuse('an object of field values', given)
    // Anything else may have no fields to look at, as a Map or a promise, and would mean everything.
    const prototype: unknown = Object.getPrototypeOf(given)
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      this.#refuse('a plain object of field values', given)
    }
    if (depth > DEPTH_MAX) this.#refuse(`at most ${DEPTH_MAX} filters inside each other`, given)
    const conditions: Condition[] = []
    for (const name of Object.keys(given)) {
      const value = given[name]
      if (name === 'and' && Array.isArray(value)) {
        for (const one of this.#filters(value, depth)) conditions.push(...one.conditions)
      } else if (name === 'or' && Array.isArray(value)) {
        conditions.push({ op: 'or', filters: this.#filters(value, depth) })
      } else if (name === 'not' && isObject(value)) {
        this.#note(1, value)
        conditions.push({ op: 'not', filter: this.filter(value, depth + 1) })
      } else this.#field(name, value, conditions)
    }
    return { conditions }
  }

  #filters(list: readonly unknown[], depth: number): Filter[] {
    return this.#copy(list).map((one) => this.filter(one, depth + 1))
  }

  /** The items as they are, however the list says that it is walked, which may have no end; counted before they are read. */
  #copy(list: readonly unknown[]): unknown[] {
    const { length } = list
    this.#note(length, list)
    return Array.from({ length }, (_, at) => list[at])
  }

  #field(path: string, value: unknown, conditions: Condition[]): void {
    this.#note(1, value)
    const scalar = takeScalarOrNull(value)
    if (scalar !== undefined) {
      conditions.push({ op: 'eq', path, value: scalar })
      return
    }
    const field = describeValue(path)
    const known = Object.keys(OPERATORS).join(', ')
    if (!isObject(value)) {
      this.#refuse(`a string, number, boolean, valid Date, null or an object of operators for field ${field}`, value)
    }
    const names = Object.keys(value)
    if (names.length === 0) this.#refuse(`operators for field ${field}: some of ${known}`, value)
    this.#note(names.length - 1, value)
    for (const op of names) {
      const operand = value[op]
      const operator = Object.hasOwn(OPERATORS, op) ? OPERATORS[op] : undefined
      if (operator === undefined) return this.#refuse(`for field ${field} operators out of ${known}`, op)
      const [expected, take] = operator
      const taken = take(Array.isArray(operand) ? this.#copy(operand) : operand)
      if (taken === undefined) return this.#refuse(`${expected} for operator ${op} of field ${field}`, operand)
      conditions.push({ op, path, value: taken } as Comparison)
    }
  }
}

function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

function takeScalar(value: unknown): Scalar | undefined {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  if (!(value instanceof Date)) return undefined
  const time = Date.prototype.getTime.call(value)
  return Number.isNaN(time) ? undefined : new Date(time).toISOString()
}

function takeScalarOrNull(value: unknown): Scalar | null | undefined {
  return value === null ? null : takeScalar(value)
}

function takeString(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function takeList(value: unknown): readonly (Scalar | null)[] | undefined {
  if (!Array.isArray(value)) return undefined
  const list = value.map(takeScalarOrNull)
  return list.includes(undefined) ? undefined : (list as (Scalar | null)[])
}

function takePair(value: unknown): readonly [Scalar, Scalar] | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined
  const [from, to] = [takeScalar(value[0]), takeScalar(value[1])]
  return from === undefined || to === undefined ? undefined : ([from, to] as const)
}

/** A text that is the same for filters that say the same: the order of conditions and of items does not matter. */
export function filterText({ conditions }: Filter): string {
  return `{${[...new Set(conditions.map(conditionText))].sort().join(' & ')}}`
}

/** As `filterText`, for one condition. */
export function conditionText(condition: Condition): string {
  if (condition.op === 'or') return `or [${[...new Set(condition.filters.map(filterText))].sort().join(' | ')}]`
  if (condition.op === 'not') return `not ${filterText(condition.filter)}`
  const { op, path, value } = condition
  const isList = op === 'in' || op === 'notIn'
  const text = isList ? [...new Set(value.map(valueText))].sort().join() : valueText(value)
  return `${JSON.stringify(path)} ${op} ${isList ? `[${text}]` : text}`
}

/** NaN, which matches nothing, is not null, which matches what is missing. */
function valueText(value: Comparison['value']): string {
  return Number.isNaN(value) ? 'NaN' : stringify(value)
}
