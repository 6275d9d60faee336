import { InvalidArgumentError } from '../base/errors.js'

/** Throws unless `signal` can end what it is given to, or there is none. @throws {InvalidArgumentError} */
export function checkSignal(where: string, signal: AbortSignal | undefined): void {
  // One of another realm is as good, and no instance of this one's class.
  if (signal === undefined || typeof signal?.throwIfAborted === 'function') return
  throw new InvalidArgumentError(where, 'an AbortSignal', signal)
}
