import { asError, InvalidArgumentError } from '../base/errors.js'
import { META_FIELDS } from '../schema/definition.js'
import { EVERYTHING, filterText, parseFilter } from './filter.js'
import type { Filter } from './filter.js'
import { parseOrderTerm } from './order.js'
import type { OrderTerm } from './order.js'
import { parseCount } from './parse-count.js'

/** That the records which a relation leads to are wanted with each row, under `name`. Which relation that is, the buckets say. */
export interface Include {
  readonly name: string
  /** The bucket of the related records; undefined: it is what the name means. */
  readonly bucket: string | undefined
  /** Their field that has the key of the row; undefined: the only one that can. */
  readonly via: string | undefined
  /** The query of the related records, except for its bucket. */
  readonly filter: Filter
  readonly order: readonly OrderTerm[]
  readonly limit: number
  readonly include: readonly Include[]
  /** Names of the options that were given. */
  readonly options: readonly string[]
}

/** What a query includes that includes nothing. */
export const NO_INCLUDES: readonly Include[] = Object.freeze([])

/** Relations inside relations, and all relations of a query, at most. */
const DEPTH_MAX = 8
const INCLUDES_MAX = 100
/** What rows have already. */
const RESERVED = ['__proto__', ...META_FIELDS]
const OPTIONS = ['bucket', 'via', 'where', 'orderBy', 'limit', 'include']

/**
 * Reads what `include` takes: names of relations, or one object of options by name.
 *
 * @param before what the query includes already.
 * @param argument how the caller knows it, for errors.
 * @returns all that it includes now. @throws {InvalidArgumentError}
 */
export function parseIncludes(
  before: readonly Include[],
  given: readonly unknown[],
  argument: string,
): readonly Include[] {
  try {
    return new Parser(argument, countOf(before)).all(given, 0, before)
  } catch (thrown) {
    // A getter or proxy that throws is its owner's mistake, not a bug of the bucket.
    const error = asError(thrown)
    if (error instanceof InvalidArgumentError) throw error
    throw new InvalidArgumentError(`${argument}: reading it failed: ${error.message}`, 'plain values', given)
  }
}

function countOf(includes: readonly Include[]): number {
  return includes.reduce((count, { include }) => count + 1 + countOf(include), 0)
}

class Parser {
  readonly #argument: string
  #count: number

  constructor(argument: string, count: number) {
    this.#argument = argument
    this.#count = count
  }

  all(given: readonly unknown[], depth: number, before = NO_INCLUDES): readonly Include[] {
    if (depth >= DEPTH_MAX) throw new InvalidArgumentError(this.#argument, `at most ${DEPTH_MAX} levels`, given)
    const named = given.flatMap((one): [name: string, options: object][] => {
      if (typeof one === 'string' && one !== '') return [[one, {}]]
      if (!isObject(one)) throw this.#refuse('names of relations, or an object of options by name', one)
      return Object.entries(one).map(([name, options]) => {
        if (options === true) return [name, {}]
        if (!isObject(options)) throw this.#refuse(`true or an object of ${OPTIONS.join(', ')} for ${name}`, options)
        return [name, options]
      })
    })
    if (named.length === 0) throw this.#refuse('at least one relation', given)
    this.#count += named.length
    if (this.#count > INCLUDES_MAX) throw this.#refuse(`at most ${INCLUDES_MAX} relations`, given)
    const names = new Set(before.map(({ name }) => name))
    for (const [name] of named) {
      if (RESERVED.includes(name)) throw this.#refuse('a name that is none of the store', name)
      if (names.has(name)) throw this.#refuse('each relation once', name)
      names.add(name)
    }
    return Object.freeze([...before, ...named.map(([name, options]) => this.#one(name, options, depth))])
  }

  #refuse(expected: string, given: unknown): InvalidArgumentError {
    return new InvalidArgumentError(this.#argument, expected, given)
  }

  #one(name: string, given: object, depth: number): Include {
    const options = Object.keys(given)
    for (const option of options) {
      if (!OPTIONS.includes(option)) throw this.#refuse(`only ${OPTIONS.join(', ')} for ${name}`, option)
    }
    const { bucket, via, where, orderBy, limit, include } = given as Record<string, unknown>
    const at = (option: string): string => `${this.#argument}: ${name}: ${option}`
    for (const [option, value] of Object.entries({ bucket, via })) {
      if (value !== undefined && (typeof value !== 'string' || value === '')) {
        throw new InvalidArgumentError(at(option), 'a name', value)
      }
    }
    return Object.freeze({
      name,
      bucket: bucket as string | undefined,
      via: via as string | undefined,
      filter: where === undefined ? EVERYTHING : parseFilter(where, at('where')),
      order: Object.freeze(orderBy === undefined ? [] : parseOrder(orderBy, at('orderBy'))),
      limit: limit === undefined ? Number.POSITIVE_INFINITY : parseCount(limit, 0, at('limit')),
      include: include === undefined ? [] : this.all(Array.isArray(include) ? include : [include], depth + 1),
      options: Object.freeze(options.filter((option) => (given as Record<string, unknown>)[option] !== undefined)),
    })
  }
}

/** A field, a field with a direction, or a list of either. */
function parseOrder(given: unknown, argument: string): OrderTerm[] {
  if (!Array.isArray(given)) return [parseOrderTerm(given, 'asc', argument)]
  const list: readonly unknown[] = typeof given[0] === 'string' ? [given] : given
  return list.map((term) => {
    const [field, direction = 'asc'] = Array.isArray(term) ? (term as unknown[]) : [term]
    return parseOrderTerm(field, direction, argument)
  })
}

function isObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** The same for includes that ask for the same, to be made a text of. */
export function includeParts({ name, bucket, via, filter, order, limit, include }: Include): unknown {
  return [name, bucket, via, filterText(filter), order, limit, include.map(includeParts)]
}
