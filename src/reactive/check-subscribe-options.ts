import { InvalidArgumentError } from '../base/errors.js'
import type { LiveOptions } from '../query/live.js'
import type { TraceHost } from './tracing.js'

/** What subscriptions are given, as it was when it was checked. */
export interface SubscriberOptions {
  readonly immediate: boolean | undefined
  readonly onError: ((error: Error) => void) | undefined
  readonly onEnd: (() => void) | undefined
  readonly signal: AbortSignal | undefined
  readonly trace: boolean | undefined
}

/**
 * Checks what a caller gives to subscribe, and reads it once.
 *
 * @param argument how the caller knows it, for errors: `live(callback, options)`.
 * @throws {InvalidArgumentError}
 */
export function checkSubscribeOptions(
  argument: string,
  callback: unknown,
  options: LiveOptions,
  { use }: TraceHost,
): SubscriberOptions {
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
  return { immediate, onError, onEnd, signal, trace }
}
