import { InvalidArgumentError } from '../base/errors.js'

/** @throws {InvalidArgumentError} `n` is neither a whole number from `min` nor Infinity. */
export function parseCount(n: unknown, min: number, argument: string): number {
  if (n === Number.POSITIVE_INFINITY || (Number.isSafeInteger(n) && (n as number) >= min)) return n as number
  throw new InvalidArgumentError(argument, `a whole number from ${min}`, n)
}

/** @throws {InvalidArgumentError} `path` is no name of a field. */
export function parsePath(path: unknown, argument: string): string {
  if (typeof path === 'string' && path !== '') return path
  throw new InvalidArgumentError(argument, 'the name of a field', path)
}
