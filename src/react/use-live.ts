import type { LoadedStatus, QueryStatus, SkippedStatus } from './status.js'
import { useProvided } from './store-provider.js'
import type { AnyQuery } from './resources.js'
import { useReadable } from './use-resource.js'
import type { ReadOptions, Skip } from './use-resource.js'

/**
 * The rows of a query, kept up to date. The array and its records are frozen, the same ones until they change, and shared by all
 * components that ask the same: a query made in the render is fine. Results are durable.
 *
 * Suspends until the first result is there; errors go to the error boundary. With `{ suspend: false }` it does neither.
 *
 * @param query of a bucket: `users.where({ … })`, `users.query()`. False, null or undefined: nothing is asked.
 * @throws {InvalidArgumentError} there is no provider, or what was given is no query.
 */
export function useLive<T>(query: AnyQuery<T>, options?: ReadOptions & { readonly suspend?: true }): readonly T[]
export function useLive<T>(
  query: AnyQuery<T> | Skip,
  options?: ReadOptions & { readonly suspend?: true },
): readonly T[] | undefined
export function useLive<T>(
  query: AnyQuery<T>,
  options: ReadOptions & { readonly suspend: false },
): QueryStatus<readonly T[]>
export function useLive<T>(
  query: AnyQuery<T> | Skip,
  options: ReadOptions & { readonly suspend: false },
): QueryStatus<readonly T[]> | SkippedStatus
export function useLive(query: AnyQuery<unknown> | Skip, options?: ReadOptions): unknown {
  const hook = 'useLive(query)'
  const provided = useProvided(hook)
  const status = useReadable(provided, options, hook, () =>
    query === false || query == null ? undefined : provided.look(provided.resources.ofRows(query, hook)),
  )
  return options?.suspend === false ? status : (status as LoadedStatus<unknown>).data
}
