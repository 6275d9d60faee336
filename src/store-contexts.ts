import type { Key } from './base/value.js'
import type { TransactionBucketHandle } from './commit/transaction-handle.js'
import type {
  BucketClearedEvent,
  BucketDeletedEvent,
  BucketDroppedEvent,
  BucketEvent,
  BucketInsertedEvent,
  BucketUpdatedEvent,
  ProcessEvent,
  StoreEvent,
  ViewDivergedEvent,
} from './lifecycle/bucket-events.js'
import type { BucketReader } from './query/reads.js'
import type { QueryBucket } from './reactive/query-bucket.js'
import type { KeyOf, RecordOf } from './schema/infer.js'
import type { Links } from './schema/links.js'
import type { AnyBuckets } from './store-options.js'

/** Names of the buckets that were given to `start`, for completion; any other name may be a bucket as well. */
export type BucketName<B> = (keyof B & string) | (string & {})

/** The definition of bucket `N`; `unknown` where it was not given to `start`. */
export type Named<B, N> = N extends keyof B ? B[N] : unknown

/** What a transaction function gets. */
export interface TransactionContext<B = AnyBuckets> {
  /** The bucket, inside this transaction. It may be awaited, and need not be. @throws {BucketNotDefinedError} */
  bucket<N extends BucketName<B>>(name: N): TransactionBucketHandle<Named<B, N>, Links<B, N>>
}

/** What a query function reads with. */
export interface QueryContext<B = AnyBuckets> {
  /** @throws {BucketNotDefinedError} */
  bucket<N extends BucketName<B>>(name: N): QueryBucket<Named<B, N>, Links<B, N>>
}

/** What a function given to `store.read` gets. */
export interface StoreView<B = AnyBuckets> {
  /** @throws {BucketNotDefinedError} @throws {BucketUnavailableError} the bucket is loading or restarting. */
  bucket<N extends BucketName<B>>(name: N): BucketReader<RecordOf<Named<B, N>>, KeyOf<Named<B, N>>, Links<B, N>>
}

/** A query: a plain async function of what it reads. It may run again at any time, so it must not have effects. */
export type QueryFn<P = void, R = unknown, B = AnyBuckets> = (context: QueryContext<B>, params: P) => R | Promise<R>

/** A defined query, with the types of its parameters and result. Its name can be used in its place. */
export interface QueryRef<P = unknown, R = unknown> {
  readonly name: string
  /** Never there; it carries the types. */
  readonly types?: ((params: P) => R) | undefined
}

/** The parameters of a query whose function takes `A` after its context; `void` where it takes none. */
export type ParamsOf<A extends readonly unknown[]> = A extends readonly [] ? void : A[0]

/** Patterns of `store.on`, for completion; any other string may be one as well. */
export type Topic<B> =
  | `bucket.${(keyof B & string) | '*'}.${BucketEvent['type'] | '*'}`
  | `process.*.${ProcessEvent['type']}`
  | `view.${(keyof B & string) | '*'}.${ViewDivergedEvent['type']}`
  | '*'
  | (string & {})

/** What `store.on` delivers for a pattern. */
export type EventOf<B, P extends string> = P extends `bucket.${infer N}.inserted`
  ? BucketInsertedEvent<RecordOf<Named<B, N>>, EventKey<B, N>>
  : P extends `bucket.${infer N}.updated`
    ? BucketUpdatedEvent<RecordOf<Named<B, N>>, EventKey<B, N>>
    : P extends `bucket.${infer N}.deleted`
      ? BucketDeletedEvent<RecordOf<Named<B, N>>, EventKey<B, N>>
      : P extends `bucket.${string}.cleared`
        ? BucketClearedEvent
        : P extends `bucket.${string}.dropped`
          ? BucketDroppedEvent
          : P extends `bucket.${infer N}.*`
            ? BucketEvent<RecordOf<Named<B, N>>, EventKey<B, N>>
            : P extends `bucket.${string}`
              ? BucketEvent
              : P extends `process.${string}`
                ? ProcessEvent
                : P extends `view.${string}`
                  ? ViewDivergedEvent
                  : StoreEvent

type EventKey<B, N> = KeyOf<Named<B, N>> & Key
