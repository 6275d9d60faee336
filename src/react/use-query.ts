/* oxlint-disable typescript/no-unnecessary-type-parameters -- who names a query by its name says its types */
import { InvalidArgumentError } from '../base/errors.js'
import type { QueryRef } from '../store-contexts.js'
import type { LoadedStatus, QueryStatus, SkippedStatus } from './status.js'
import { useProvided } from './store-provider.js'
import { useReadable } from './use-resource.js'
import type { ReadOptions, Skip } from './use-resource.js'

type Suspending = ReadOptions & { readonly suspend?: true }
type Quiet = ReadOptions & { readonly suspend: false }

/**
 * The result of a named query, kept up to date: the same value until it changes, shared by all components that ask the same.
 *
 * Suspends until the first result is there; errors go to the error boundary. With `{ suspend: false }` it does neither.
 *
 * @param query what `defineQuery` returned, or its name. False, null or undefined: nothing is asked.
 * @param params equal ones are the same, wherever they were made. Those that only identity tells apart (class instances, Maps,
 *   functions) must not be made in the render.
 * @throws {InvalidArgumentError} there is no provider, or what was given is no query.
 */
export function useQuery<R>(query: QueryRef<undefined, R> | QueryRef<void, R>): R
export function useQuery<P, R>(query: QueryRef<P, R>, params: NoInfer<P>, options?: Suspending): R
export function useQuery<P, R>(query: QueryRef<P, R>, params: NoInfer<P>, options: Quiet): QueryStatus<R>
export function useQuery<P, R>(query: QueryRef<P, R> | Skip, params: NoInfer<P>, options?: Suspending): R | undefined
export function useQuery<P, R>(
  query: QueryRef<P, R> | Skip,
  params: NoInfer<P>,
  options: Quiet,
): QueryStatus<R> | SkippedStatus
/** By name: the caller says the type of the result. */
export function useQuery<R = unknown>(query: string, params?: unknown, options?: Suspending): R
export function useQuery<R = unknown>(query: string, params: unknown, options: Quiet): QueryStatus<R>
export function useQuery<R = unknown>(query: string | Skip, params?: unknown, options?: Suspending): R | undefined
export function useQuery<R = unknown>(
  query: string | Skip,
  params: unknown,
  options: Quiet,
): QueryStatus<R> | SkippedStatus
export function useQuery(query: string | QueryRef<never> | Skip, params?: unknown, options?: ReadOptions): unknown {
  const hook = 'useQuery(query, params, options)'
  const provided = useProvided(hook)
  const status = useReadable(provided, options, hook, () => {
    if (query === false || query == null) return undefined
    if (typeof (typeof query === 'object' ? query.name : query) !== 'string')
      throw new InvalidArgumentError(hook, 'a query, or the name of one', query)
    return provided.look(provided.resources.ofNamed(query, params))
  })
  return options?.suspend === false ? status : (status as LoadedStatus<unknown>).data
}
