import { InvalidArgumentError } from '../base/errors.js'
import type { TraceHost } from './tracing.js'

/** What all subscriptions can be given. */
interface Checked {
  readonly immediate?: boolean
  readonly onError?: (error: Error) => void
  readonly onEnd?: () => void
  readonly signal?: AbortSignal
  readonly trace?: boolean
}

/**
 * Checks what a caller gives when he subscribes.
 *
 * @param argument how he knows it, for errors: `live(callback, options)`.
 * @throws {InvalidArgumentError}
 */
export function checkSubscribeOptions<O extends Checked>(
  argument: string,
  callback: unknown,
  options: O,
  { use }: TraceHost,
): O {
  if (typeof callback !== 'function') throw new InvalidArgumentError(argument, 'a function', callback)
  if (typeof options !== 'object' || options === null) throw new InvalidArgumentError(argument, 'an object', options)
  const { immediate, onError, onEnd, signal, trace } = options
  const check = (name: string, value: unknown, type: string, expected: string): void => {
    if (value !== undefined && typeof value !== type) {
      throw new InvalidArgumentError(`${argument}: ${name}`, expected, value)
    }
  }
  check('immediate', immediate, 'boolean', 'true or false')
  check('trace', trace, 'boolean', 'true or false')
  check('onError', onError, 'function', 'a function')
  check('onEnd', onEnd, 'function', 'a function')
  if (trace === true && use === undefined) {
    throw new InvalidArgumentError(`${argument}: trace`, 'a store of "varve"; one of "varve/core" has no traces', trace)
  }
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    throw new InvalidArgumentError(`${argument}: signal`, 'an AbortSignal', signal)
  }
  return options
}
