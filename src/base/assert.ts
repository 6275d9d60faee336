/** A broken invariant: a bug in Varve, never a user's mistake. It crashes the process that owns the state. */
export class InvariantError extends Error {
  override readonly name: string = 'InvariantError'
  /** Number of the invariant in docs/INVARIANTS.md, for example `S1`. */
  readonly invariant: string

  constructor(invariant: string, detail: string) {
    super(`invariant ${invariant} does not hold: ${detail}; this is a bug in varve, please report it`)
    this.invariant = invariant
  }
}

/**
 * Throws `InvariantError` unless `condition` holds.
 *
 * @param invariant number in docs/INVARIANTS.md.
 * @param detail what was seen; kept short, it may end up in a log. A function where the text would be made for nothing
 *   on every write.
 */
export function assert(condition: boolean, invariant: string, detail: string | (() => string)): asserts condition {
  if (!condition) throw new InvariantError(invariant, typeof detail === 'string' ? detail : detail())
}
