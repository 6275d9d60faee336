import { compareValues } from '../../src/base/value-order.js'
import type { IndexOptions } from '../../src/state/field-index.js'

/** An index on one field, as the definition of a bucket makes it. */
export function indexOn(field: string, unique = false): IndexOptions {
  return {
    fields: [field],
    unique,
    order: (a, b) => compareValues(a.record[field], b.record[field]) || a.ordinal - b.ordinal,
  }
}
