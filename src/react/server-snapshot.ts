import { InvalidArgumentError } from '../base/errors.js'
import { loaded } from './status.js'
import type { LoadedStatus } from './status.js'

/** What a server has rendered with, as plain JSON: the result of each query, by a text that names it. */
export interface StoreSnapshot {
  readonly [query: string]: { readonly data?: unknown }
}

/** Collects what one rendering on the server uses. */
export interface SnapshotCollector {
  /**
   * What was used so far, for the `snapshot` of the provider in the browser.
   *
   * @throws {InvalidArgumentError} a result is not plain JSON, so the browser would get another one.
   */
  snapshot(): StoreSnapshot
}

/**
 * Makes a collector for the `collect` of a `StoreProvider`: one for each rendering on the server. Not one for all: what one
 * user has seen is not for another.
 */
export function collectSnapshot(): SnapshotCollector {
  return new Collector()
}

/** See `collectSnapshot`. */
export class Collector implements SnapshotCollector {
  readonly #statuses = new Map<string, LoadedStatus<unknown>>()

  /** The first result that this rendering has used: all of it uses that. */
  statusOf(key: string): LoadedStatus<unknown> | undefined {
    return this.#statuses.get(key)
  }

  add(key: string, status: LoadedStatus<unknown>): void {
    this.#statuses.set(key, status)
  }

  snapshot(): StoreSnapshot {
    const entries = Array.from(this.#statuses, ([key, { data }]) => {
      if (!isJson(data) && data !== undefined) {
        const expected = 'results of plain JSON, so that the browser gets the same (return such from the query)'
        throw new InvalidArgumentError(`snapshot() of ${key}`, expected, data)
      }
      return [key, { data }] as const
    })
    return Object.fromEntries(entries)
  }
}

/** What `snapshot` holds, as hooks give it: by key, frozen to the bottom as records are. @throws {InvalidArgumentError} */
export function readSnapshot(snapshot: unknown): Map<string, LoadedStatus<unknown>> {
  if (snapshot === undefined) return new Map()
  const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null
  if (!isObject(snapshot) || !Object.values(snapshot).every(isObject)) {
    throw new InvalidArgumentError('<StoreProvider snapshot>', 'what snapshot() of a collector gave', snapshot)
  }
  const entries = Object.entries(snapshot as StoreSnapshot)
  return new Map(entries.map(([key, { data }]) => [key, loaded(freeze(data))]))
}

/** Whether `value` is the same after a way through JSON; fields of objects that are undefined may go missing. */
function isJson(value: unknown): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object') return false
  if (Array.isArray(value)) return value.every(isJson)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return false
  return Object.values(value).every((item) => item === undefined || isJson(item))
}

function freeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const item of Object.values(value)) freeze(item)
  return Object.freeze(value)
}
