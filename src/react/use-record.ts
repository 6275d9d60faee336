import { InvalidArgumentError } from '../base/errors.js'
import { BucketHandle } from '../commit/bucket-handle.js'
import { queryIdentity } from '../query/query-value.js'
import type { KeyOf, RecordOf } from '../schema/infer.js'
import type { BucketName, Named } from '../store-contexts.js'
import type { RegisteredBuckets } from './register.js'
import type { AnyQuery } from './resources.js'
import { failed, loaded } from './status.js'
import type { LoadedStatus, QueryStatus, SkippedStatus } from './status.js'
import { useProvided } from './store-provider.js'
import type { Provided } from './store-provider.js'
import { useReadable } from './use-resource.js'
import type { ReadOptions } from './use-resource.js'

type Suspending = ReadOptions & { readonly suspend?: true }
type Quiet = ReadOptions & { readonly suspend: false }
type Of<N> = Named<RegisteredBuckets, N>

const HOOK = 'useRecord(bucket, key)'

/**
 * The record under `key`, or undefined, kept up to date: the same object until the record changes.
 *
 * Suspends until it is known; errors go to the error boundary. With `{ suspend: false }` it does neither.
 *
 * @param bucket a handle of the provider's store, or the name of a bucket.
 * @param key null or undefined: nothing is asked, and the record is undefined.
 * @throws {InvalidArgumentError} there is no provider, or what was given is no bucket of its store, or no key.
 */
export function useRecord<D>(
  bucket: BucketHandle<D>,
  key: KeyOf<D> | null | undefined,
  options?: Suspending,
): RecordOf<D> | undefined
export function useRecord<D>(
  bucket: BucketHandle<D>,
  key: KeyOf<D>,
  options: Quiet,
): QueryStatus<RecordOf<D> | undefined>
export function useRecord<D>(
  bucket: BucketHandle<D>,
  key: KeyOf<D> | null | undefined,
  options: Quiet,
): QueryStatus<RecordOf<D> | undefined> | SkippedStatus
export function useRecord<N extends BucketName<RegisteredBuckets>>(
  bucket: N,
  key: KeyOf<Of<N>> | null | undefined,
  options?: Suspending,
): RecordOf<Of<N>> | undefined
export function useRecord<N extends BucketName<RegisteredBuckets>>(
  bucket: N,
  key: KeyOf<Of<N>>,
  options: Quiet,
): QueryStatus<RecordOf<Of<N>> | undefined>
export function useRecord<N extends BucketName<RegisteredBuckets>>(
  bucket: N,
  key: KeyOf<Of<N>> | null | undefined,
  options: Quiet,
): QueryStatus<RecordOf<Of<N>> | undefined> | SkippedStatus
export function useRecord(bucket: string | BucketHandle, key: unknown, options?: ReadOptions): unknown {
  const provided = useProvided(HOOK)
  const status = useReadable(provided, options, HOOK, () =>
    key == null ? undefined : provided.look(provided.resources.ofRows(recordQuery(provided, bucket, key), HOOK)),
  )
  const record = key == null ? status : ofFirstRow(status as QueryStatus<readonly unknown[]>)
  return options?.suspend === false ? record : (record as LoadedStatus<unknown>).data
}

/** The query for the one record under `key`. */
function recordQuery({ store, resources }: Provided, bucket: string | BucketHandle, key: unknown): AnyQuery<unknown> {
  if (typeof bucket !== 'string' && !(bucket instanceof BucketHandle))
    throw new InvalidArgumentError(HOOK, 'a bucket, or the name of one', bucket)
  const handle = typeof bucket === 'string' ? store.bucket(bucket) : bucket
  const isOwn = handle !== bucket || resources.isOwn(queryIdentity(handle.query())?.owner ?? handle)
  if (!isOwn) throw new InvalidArgumentError(HOOK, "a bucket of the provider's store", bucket)
  return handle.where({ [store.describeBucket(handle.name).definition.key]: key as string }).limit(1)
}

const firstRows = new WeakMap<object, QueryStatus<unknown>>()

/** The same for one record, and the same object each time, so that effects may depend on it. */
function ofFirstRow(status: QueryStatus<readonly unknown[]>): QueryStatus<unknown> {
  if (status.isLoading) return status
  const known = firstRows.get(status)
  if (known !== undefined) return known
  const first = status.error === undefined ? loaded(status.data[0]) : failed(status.error, status.data?.[0])
  firstRows.set(status, first)
  return first
}
