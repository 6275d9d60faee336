import { compareValues } from '../../src/base/value-order.js'
import { compoundValue, isIndexable } from '../../src/state/field-index.js'
import type { IndexOptions, IndexPredicate } from '../../src/state/field-index.js'

/** An index on one field, as the definition of a bucket makes it. */
export function indexOn(field: string, unique = false): IndexOptions {
  return {
    fields: [field],
    unique,
    order: (a, b) => compareValues(a.record[field], b.record[field]) || a.ordinal - b.ordinal,
  }
}

/** An index on two fields, of the records that `test` is true for. */
export function compoundOn(first: string, second: string, unique = false, where?: IndexPredicate): IndexOptions {
  const fields = [first, second]
  return {
    fields,
    unique,
    where,
    valueIn: (record) => {
      const values = fields.map((field) => record[field])
      const isIn = where?.test(record) !== false && values.every(isIndexable)
      return isIn ? compoundValue(values) : undefined
    },
    order: (a, b) =>
      compareValues(a.record[first], b.record[first]) ||
      compareValues(a.record[second], b.record[second]) ||
      a.ordinal - b.ordinal,
  }
}
