/**
 * Base of every error that a caller can expect and act on. Anything thrown by Varve that is not a `VarveError` is a
 * bug, in Varve or in a callback it was given.
 */
export class VarveError extends Error {
  /** Made of the code, `BucketNotDefinedError` of `BUCKET_NOT_DEFINED`, unless the class gives another one. */
  override readonly name: string
  /** Stable, upper case; decide on this or on the class, never on the message. */
  readonly code: string

  /** @param options `cause`, and the data fields of the class: it only has to declare those. */
  constructor(code: string, message: string, options?: ErrorOptions | { readonly [field: string]: unknown }) {
    super(message, options)
    this.name = `${code.toLowerCase().replace(/(^|_)./g, (start) => start.slice(-1).toUpperCase())}Error`
    this.code = code
    Object.assign(this, options)
  }
}

/** A public function was called with something it does not take. Nothing was done. */
export class InvalidArgumentError extends VarveError {
  declare readonly name: 'InvalidArgumentError'
  /** The argument, as the caller knows it: `bucket.first(n)`. */
  declare readonly argument: string

  /** @param got what `given` is called. */
  constructor(argument: string, expected: string, given: unknown, got: string = describeValue(given)) {
    super('INVALID_ARGUMENT', `${argument}: expected ${expected}, got ${got}; nothing was done`, {
      argument,
    })
  }
}

/** Names `value` for a message: its type, and the value itself where it is short. Never throws, never calls into it. */
export function describeValue(value: unknown): string {
  if (value === null) return 'null'
  switch (typeof value) {
    case 'string':
      return value.length <= 40 ? `string ${JSON.stringify(value)}` : `a string of ${value.length} characters`
    case 'number':
    case 'boolean':
      return `${typeof value} ${String(value)}`
    case 'undefined':
      return 'undefined'
    case 'function':
      return 'a function'
    case 'object':
      return describeObject(value)
    default:
      return `a ${typeof value}`
  }
}

function describeObject(value: object): string {
  try {
    if (Array.isArray(value)) return 'an array'
    return value instanceof Date ? 'a Date' : value instanceof Promise ? 'a promise' : 'an object'
  } catch (error) {
    // Only a proxy that was revoked has no answer.
    return `an object that cannot be looked at (${String(error)})`
  }
}

/** The error in `thrown`, made into one where something else was thrown. */
export function asError(thrown: unknown): Error {
  try {
    if (thrown instanceof Error) return thrown
  } catch (error) {
    // Only a proxy that was revoked has no answer.
    return new Error('a proxy that was revoked was thrown', { cause: error })
  }
  return new Error(`a non-error was thrown: ${describeValue(thrown)}`)
}
