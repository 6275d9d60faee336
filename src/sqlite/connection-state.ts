import type { SavepointStep } from './sql-text.js'

/** What all adapters on one native connection have in common. */
export interface ConnectionState {
  /** How many statements are running: more than one where SQL calls functions of the application. */
  statements: number
  /** How many transactions are running, nested ones too. */
  transactions: number
  /** Why what is written now would be outside of the transaction that is running; empty: it would not. */
  broken: string
  /** Names of the savepoints that the innermost `fn` has begun by itself and not yet ended, oldest first. */
  savepoints: readonly string[]
  /** The adapter that has begun the transaction which is open, by a statement of its own. */
  owner: object | undefined
}

/**
 * The savepoints there are after `steps`.
 *
 * @returns the step instead that is on a savepoint which is not among them.
 */
export function afterSteps(
  savepoints: readonly string[],
  steps: readonly SavepointStep[],
): readonly string[] | SavepointStep {
  let there = savepoints
  for (const step of steps) {
    const last = there.lastIndexOf(step.name)
    if (step.verb === 'SAVEPOINT') there = [...there, step.name]
    else if (last < 0) return step
    else there = there.slice(0, step.verb === 'RELEASE' ? last : last + 1)
  }
  return there
}

const STATES = new WeakMap<object, ConnectionState>()

/** @param native what tells connections apart. */
export function stateOf(native: object): ConnectionState {
  const known = STATES.get(native)
  if (known !== undefined) return known
  const made: ConnectionState = { statements: 0, transactions: 0, broken: '', savepoints: [], owner: undefined }
  STATES.set(native, made)
  return made
}
