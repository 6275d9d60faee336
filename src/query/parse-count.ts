import { InvalidArgumentError } from '../base/errors.js'

/**
 * A count that a caller gives: how many records, at most or at a time.
 *
 * @param argument how the caller knows it, for errors.
 * @throws {InvalidArgumentError} `n` is neither a whole number from `min` nor Infinity.
 */
export function parseCount(n: unknown, min: number, argument: string): number {
  if (n === Number.POSITIVE_INFINITY || (Number.isSafeInteger(n) && (n as number) >= min)) return n as number
  throw new InvalidArgumentError(argument, `a whole number from ${min}`, n)
}
