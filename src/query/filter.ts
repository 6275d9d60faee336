import { asError, describeValue, InvalidArgumentError } from '../base/errors.js'
import type { StoredRecord, Value } from '../base/value.js'

/** One condition of a filter: the field equals the value; null stands for null and missing. */
export interface Condition {
  readonly field: string
  readonly value: string | number | boolean | null
}

/** A filter that has been checked. All conditions have to hold; without any, everything matches. */
export interface Filter {
  readonly conditions: readonly Condition[]
}

/**
 * Checks a filter as callers give it.
 *
 * @param argument how the caller knows it, for errors: `bucket.where(filter)`.
 * @throws {InvalidArgumentError} it is not an object, or a value in it is neither a scalar, a `Date` nor null.
 */
export function parseFilter(filter: unknown, argument: string): Filter {
  const conditions: Condition[] = []
  try {
    if (typeof filter !== 'object' || filter === null || Array.isArray(filter) || filter instanceof Date) {
      throw new InvalidArgumentError(argument, 'an object of field values', filter)
    }
    for (const field of Object.keys(filter)) {
      conditions.push({ field, value: parseValue((filter as Record<string, unknown>)[field], field, argument) })
    }
  } catch (thrown) {
    // A getter or proxy that throws is its owner's mistake, not a bug of the bucket.
    if (thrown instanceof InvalidArgumentError) throw thrown
    throw new InvalidArgumentError(
      `${argument}: reading it failed: ${asError(thrown).message}`,
      'plain field values',
      filter,
    )
  }
  return { conditions }
}

function parseValue(value: unknown, field: string, argument: string): Condition['value'] {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
      return value
    default:
      if (value === null) return null
      if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString()
  }
  const hint = value === undefined ? ' (to match missing values, ask for null)' : ''
  const expected = `a string, number, boolean, valid Date or null for field ${describeValue(field)}${hint}`
  throw new InvalidArgumentError(argument, expected, value)
}

/** Whether `record` matches. Inherited properties are not fields. */
export function matches(filter: Filter, record: StoredRecord): boolean {
  const { conditions } = filter
  for (let i = 0; i < conditions.length; i++) {
    const { field, value } = conditions[i] as Condition
    if (value === null) {
      if (fieldOf(record, field) != null) return false
    } else if (record[field] !== value) return false
  }
  return true
}

/** The value of a field; undefined where the record does not have it itself. */
export function fieldOf(record: StoredRecord, field: string): Value | undefined {
  return Object.hasOwn(record, field) ? record[field] : undefined
}
