import { InvalidArgumentError } from '../base/errors.js'

/**
 * The options that a caller gave, or none.
 *
 * @param where the function that was called. @param known the names of all options that it has.
 * @throws {InvalidArgumentError} no object, or one with a name that is none: it would do nothing, without a word.
 */
export function checkOptions<T extends object>(
  where: string,
  options: T | undefined,
  known: readonly (keyof T & string)[],
): Partial<T> {
  if (options === undefined) return {}
  if (typeof options !== 'object' || options === null) {
    throw new InvalidArgumentError(`${where}(options)`, `an object with ${known.join(', ')}`, options)
  }
  for (const name of Object.keys(options)) {
    if ((known as readonly string[]).includes(name)) continue
    throw new InvalidArgumentError(`${where}(options)`, `no options but ${known.join(', ')}`, name)
  }
  return options
}
