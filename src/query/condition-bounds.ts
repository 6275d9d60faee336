import type { Condition, Scalar } from './filter.js'

/** One end of a run of values. */
export interface End {
  readonly value: Scalar
  /** `value` itself is not in the run. */
  readonly isOpen: boolean
}

/** The values of which the condition asks for one; null stands for null and missing. Undefined where it asks for none. */
export function valuesOf(condition: Condition): readonly (Scalar | null)[] | undefined {
  switch (condition.op) {
    case 'eq':
      return [condition.value]
    case 'in':
      return condition.value
    default:
      return undefined
  }
}

/**
 * The ends, of one type, between which a comparison asks for values of that type; undefined where it asks for none, or where
 * nothing matches: NaN has no place in any order.
 */
export function endsOf(condition: Condition): readonly [low: End | undefined, high: End | undefined] | undefined {
  switch (condition.op) {
    case 'gt':
    case 'gte':
      return Number.isNaN(condition.value)
        ? undefined
        : [{ value: condition.value, isOpen: condition.op === 'gt' }, undefined]
    case 'lt':
    case 'lte':
      return Number.isNaN(condition.value)
        ? undefined
        : [undefined, { value: condition.value, isOpen: condition.op === 'lt' }]
    case 'between': {
      const [low, high] = condition.value
      if (typeof low !== typeof high || Number.isNaN(low) || Number.isNaN(high)) return undefined
      return [
        { value: low, isOpen: false },
        { value: high, isOpen: false },
      ]
    }
    default:
      return undefined
  }
}
