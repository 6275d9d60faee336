/** What all adapters on one native connection have in common. */
export interface ConnectionState {
  /** How many statements are running: more than one where SQL calls functions of the application. */
  statements: number
  /** How many transactions are running, nested ones too. */
  transactions: number
  /** Why what is written now would be outside of the transaction that is running; empty: it would not. */
  broken: string
  /** The adapter that has begun the transaction which is open, by a statement of its own. */
  owner: object | undefined
}

const STATES = new WeakMap<object, ConnectionState>()

/** @param native what tells connections apart. */
export function stateOf(native: object): ConnectionState {
  const known = STATES.get(native)
  if (known !== undefined) return known
  const made: ConnectionState = { statements: 0, transactions: 0, broken: '', owner: undefined }
  STATES.set(native, made)
  return made
}
