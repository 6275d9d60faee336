import type { VarveError } from '../base/errors.js'
import type { Engine } from '../engine.js'

/** Why the store will never write again, where that is so. */
export function refusalOf({ sequencer }: Engine): VarveError | undefined {
  try {
    sequencer.mustTakeWrites()
  } catch (refusal) {
    return refusal as VarveError
  }
  return undefined
}
