import { asError, InvalidArgumentError } from '../base/errors.js'
import { ExactSum } from '../base/exact-sum.js'
import { stringify } from '../base/json.js'
import type { StoredRecord, Value } from '../base/value.js'
import { fieldOf } from './field-path.js'

/** One aggregate over a group of records. */
export type Aggregate =
  | { readonly kind: 'count' }
  | { readonly kind: 'sum' | 'avg' | 'min' | 'max'; readonly path: string }

/** Aggregates by the name that they have in the result. */
export interface Aggregates {
  readonly [name: string]: Aggregate
}

/** How many records are in the group. */
export function count(): { readonly kind: 'count' } {
  return { kind: 'count' }
}

/** The sum of the numbers in `field`; other values do not count. 0 for none. Exact, then rounded once. */
export function sum<P extends string>(field: P): { readonly kind: 'sum'; readonly path: P } {
  return { kind: 'sum', path: field }
}

/** Mean of the numbers in `field`; 0 for none. */
export function avg<P extends string>(field: P): { readonly kind: 'avg'; readonly path: P } {
  return { kind: 'avg', path: field }
}

/** Smallest number in `field`; undefined for none. */
export function min<P extends string>(field: P): { readonly kind: 'min'; readonly path: P } {
  return { kind: 'min', path: field }
}

/** Largest number in `field`; undefined for none. */
export function max<P extends string>(field: P): { readonly kind: 'max'; readonly path: P } {
  return { kind: 'max', path: field }
}

const KINDS = ['sum', 'avg', 'min', 'max'] as const

/** @throws {InvalidArgumentError} it is not an object of what `count`, `sum`, `avg`, `min` and `max` make. */
export function parseAggregates(given: unknown, by: readonly string[], argument: string): Aggregates {
  const expected = 'an object of count(), sum(field), avg(field), min(field) and max(field)'
  const refuse = (at: string, value: unknown): never => {
    throw new InvalidArgumentError(at, expected, value)
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return refuse(argument, given)
  try {
    const parsed = Object.entries(given as Record<string, unknown>).map(([name, one]): [string, Aggregate] => {
      const at = `${argument}: ${name}`
      if (by.includes(name) || name === '__proto__') {
        throw new InvalidArgumentError(at, 'a name that no field of groupBy has', name)
      }
      if (typeof one !== 'object' || one === null) return refuse(at, one)
      const { kind, path } = one as { kind: unknown; path?: unknown }
      if (kind === 'count') return [name, Object.freeze({ kind })]
      const known = KINDS.find((wanted) => wanted === kind)
      if (known === undefined || typeof path !== 'string' || path === '') return refuse(at, one)
      return [name, Object.freeze({ kind: known, path })]
    })
    return Object.freeze(Object.fromEntries(parsed))
  } catch (thrown) {
    // A getter or proxy that throws is its owner's mistake.
    const error = asError(thrown)
    if (error instanceof InvalidArgumentError) throw error
    return refuse(`${argument}: reading it failed: ${error.message}`, given)
  }
}

/** The numbers of one field over a set of records that grows and shrinks: what sum, avg, min and max are made of. */
export class Numbers {
  readonly #path: string
  readonly #sum = new ExactSum()
  #count = 0
  #min = Number.POSITIVE_INFINITY
  #max = Number.NEGATIVE_INFINITY

  constructor(path: string) {
    this.#path = path
  }

  add(record: StoredRecord): void {
    const value = fieldOf(record, this.#path)
    if (typeof value !== 'number') return
    this.#count++
    this.#sum.add(value)
    if (value < this.#min) this.#min = value
    if (value > this.#max) this.#max = value
  }

  /**
   * Takes away a record that was added.
   *
   * @returns false where the answer to `kind` is not known any more without looking at all records again: the smallest or
   *   largest number has gone.
   */
  remove(record: StoredRecord, kind: 'sum' | 'avg' | 'min' | 'max'): boolean {
    const value = fieldOf(record, this.#path)
    if (typeof value !== 'number') return true
    this.#count--
    this.#sum.add(value, -1)
    if (kind === 'min') return this.#count > 0 && value > this.#min
    if (kind === 'max') return this.#count > 0 && value < this.#max
    return !this.#sum.hasOverflowed
  }

  /** 0 for the sum and mean of nothing, undefined for its smallest and largest number. */
  answer(kind: 'sum' | 'avg' | 'min' | 'max'): number | undefined {
    if (kind === 'sum') return this.#sum.value
    if (kind === 'avg') return this.#count === 0 ? 0 : this.#sum.value / this.#count
    if (this.#count === 0) return undefined
    return kind === 'min' ? this.#min : this.#max
  }
}

/** One group while it is being counted. */
export class Group {
  readonly #aggregates: Aggregates
  /** What the records of the group have in common, by field; null for missing. */
  readonly key: readonly (Value | null)[]
  readonly #by: readonly string[]
  readonly #numbers: { readonly [name: string]: Numbers }
  count = 0

  /** @param record any of the group; it is not counted yet. */
  constructor(by: readonly string[], record: StoredRecord, aggregates: Aggregates) {
    this.#by = by
    this.key = groupKey(record, by)
    this.#aggregates = aggregates
    const wanted = Object.entries(aggregates).flatMap(([name, one]) =>
      one.kind === 'count' ? [] : [[name, new Numbers(one.path)] as const],
    )
    this.#numbers = Object.fromEntries(wanted)
  }

  add(record: StoredRecord): void {
    this.count++
    for (const name of Object.keys(this.#numbers)) this.#numbers[name]?.add(record)
  }

  /** @returns false where the group has to be counted anew. */
  remove(record: StoredRecord): boolean {
    this.count--
    let isKnown = true
    for (const name of Object.keys(this.#numbers)) {
      const { kind } = this.#aggregates[name] as { kind: 'sum' }
      if (this.#numbers[name]?.remove(record, kind) === false) isKnown = false
    }
    return isKnown
  }

  /** The row of the result: the fields of the group, then its aggregates. Frozen. */
  row(): { readonly [field: string]: Value | undefined } {
    const row: [string, Value | undefined][] = this.#by.map((path, at) => [path, this.key[at]])
    for (const [name, { kind }] of Object.entries(this.#aggregates)) {
      row.push([name, kind === 'count' ? this.count : this.#numbers[name]?.answer(kind)])
    }
    return Object.freeze(Object.fromEntries(row))
  }
}

/** What the record has in the fields of a group; null for missing. */
function groupKey(record: StoredRecord, by: readonly string[]): (Value | null)[] {
  return by.map((path) => fieldOf(record, path) ?? null)
}

/** The same text for records of the same group. */
export function groupText(record: StoredRecord, by: readonly string[]): string {
  return stringify(byName(groupKey(record, by)))
}

/** `value` with the fields of its objects in one order: they say the same in any. */
function byName(value: Value): Value {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(byName)
  const fields = value as { readonly [field: string]: Value }
  const names = Object.keys(fields).sort()
  return Object.fromEntries(names.map((name) => [name, byName(fields[name] as Value)]))
}
