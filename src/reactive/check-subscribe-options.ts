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
  for (const [name, flag] of Object.entries({ immediate, trace })) {
    if (flag !== undefined && typeof flag !== 'boolean') {
      throw new InvalidArgumentError(`${argument}: ${name}`, 'true or false', flag)
    }
  }
  if (trace === true && use === undefined) {
    throw new InvalidArgumentError(`${argument}: trace`, 'a store of "varve"; one of "varve/core" has no traces', trace)
  }
  for (const [name, fn] of Object.entries({ onError, onEnd })) {
    if (fn !== undefined && typeof fn !== 'function') {
      throw new InvalidArgumentError(`${argument}: ${name}`, 'a function', fn)
    }
  }
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    throw new InvalidArgumentError(`${argument}: signal`, 'an AbortSignal', signal)
  }
  return options
}
