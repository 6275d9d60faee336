import { useSyncExternalStore } from 'react'
import { InvalidArgumentError } from '../base/errors.js'
import type { Readable } from './resource.js'
import { failed, SKIPPED } from './status.js'
import type { QueryStatus, SkippedStatus } from './status.js'
import type { Provided } from './store-provider.js'

/** Options of the hooks that read. */
export interface ReadOptions {
  /**
   * `true`, the default: the component suspends until the first result is there, and errors go to the error boundary. `false`: it
   * gets `{ data, error, isLoading }`.
   */
  readonly suspend?: boolean
}

/** In the place of a query: nothing is asked. */
export type Skip = false | null | undefined

const nothing = (): void => undefined

const NOT_ASKED: Readable = {
  key: undefined,
  read: () => SKIPPED,
  listen: () => nothing,
  wait: () => Promise.resolve(),
}

/**
 * Reads what `find` finds, and renders again when it is another one.
 *
 * @param find finds the resource; undefined where nothing is asked. What it throws is like an error of the query.
 * @returns the status; when it suspends, always one with a result.
 */
export function useReadable(
  provided: Provided,
  options: ReadOptions | undefined,
  hook: string,
  find: () => Readable | undefined,
): QueryStatus<unknown> | SkippedStatus {
  const suspend = isSuspending(options, hook)
  const readable = found(find)
  const status = useSyncExternalStore(readable.listen, readable.read, () =>
    readable === NOT_ASKED ? readable.read() : provided.serverStatus(readable, suspend),
  )
  if (!suspend) return status
  if (status.error !== undefined) throw status.error
  // oxlint-disable-next-line typescript/only-throw-error -- how a component suspends, in React 18 and 19
  if (status.isLoading) throw readable.wait()
  return status
}

function isSuspending(options: ReadOptions | undefined, hook: string): boolean {
  if (options === undefined) return true
  const { suspend = true } = Object(options) as ReadOptions
  if (typeof options !== 'object' || options === null || typeof suspend !== 'boolean') {
    throw new InvalidArgumentError(`${hook}: options`, '{ suspend: true or false }', options)
  }
  return suspend
}

function found(find: () => Readable | undefined): Readable {
  try {
    return find() ?? NOT_ASKED
  } catch (error) {
    // A wrong call is the program's mistake, whichever form it chose; the rest is said as errors of queries are.
    if (error instanceof InvalidArgumentError || !(error instanceof Error)) throw error
    const status = failed(error)
    return { ...NOT_ASKED, read: () => status }
  }
}
