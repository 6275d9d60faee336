import type { EventData } from '../log/entry.js'
import type { BucketName, Named } from '../store-contexts.js'
import type { AnyBuckets } from '../store-options.js'
import type { DomainEvent, EventDataOf, EventRef, EventWorld, ReduceResult } from './event-definition.js'
import type { ProjectionBucket } from './projection-bucket.js'

/** An event as projections see it: one that has happened, in an entry of the log. Everything in it is frozen. */
export interface ProjectedEvent<D = EventData> extends DomainEvent<D> {
  /** Place of its entry in the log; sub-events have that of their event. */
  readonly seq: number
}

/** What `apply` of a projection reads and writes with. Time and randomness are those of the event. */
export interface ProjectionTransaction<B = AnyBuckets> extends EventWorld {
  /** One of the buckets that the projection is into. @throws {InvalidArgumentError} it is another one. */
  bucket<N extends BucketName<B>>(name: N): ProjectionBucket<Named<B, N>>
}

/** What becomes of an async projection, or of one that is being built, when `apply` keeps failing. */
export interface ProjectionPolicy {
  /** Attempts after the first. Default 5. They are those of its supervisor: after 0, 100, 200 … milliseconds. */
  readonly retries?: number
  /**
   * `halt` (default): it stands still, with its error in `store.projections`, until `store.resumeProjection` or the next start. `skip`: it
   * goes on without the event, and counts it in `skipped`.
   */
  readonly onFailure?: 'halt' | 'skip'
}

/** An event, in the list of those that a projection is made of. */
export type ProjectionSource = string | EventRef<never>

// oxlint-disable-next-line typescript/no-explicit-any -- with `unknown`, every projection would have to cast
type LooseData = { readonly [field: string]: any }

/** An event of one of the types `F`, with the type of its data where that is known. */
export type ProjectionEvent<F extends readonly ProjectionSource[], E> = F[number] extends infer T
  ? T extends EventRef<never, infer D>
    ? ProjectedEvent<D>
    : T extends keyof E & string
      ? unknown extends E[T]
        ? ProjectedEvent<LooseData>
        : ProjectedEvent<EventDataOf<E[T]>> & { readonly type: T }
      : ProjectedEvent<LooseData>
  : never

/** What `defineProjection` takes. */
export interface ProjectionOptions<
  B = AnyBuckets,
  // oxlint-disable-next-line typescript/no-explicit-any -- with `unknown`, it could not be given to a store with events
  E = any,
  F extends readonly ProjectionSource[] = readonly string[],
> {
  /** Types of the events that it is made of, sub-events included; `order/*` stands for all that begin so, `*` for all. */
  readonly from: F
  /** Names of the buckets that it keeps. Nobody else writes to them. */
  readonly into: readonly string[]
  /**
   * `inline` (default): part of the commit of each event. `async`: afterwards, in commits of its own, each event exactly once, in the
   * order of the log.
   */
  readonly mode?: 'inline' | 'async'
  /** Raised when `apply` does something else than before: the projection is then rebuilt. Default 1. */
  readonly version?: number
  /**
   * What to do where the log does not begin with its first entry any more and the projection is to be made of it: refuse (`complete`, the
   * default), or make it of the entries that are `kept`. So one that has stood still for so long that history has let go of what comes next
   * goes on, with `kept`, with what is there.
   */
  readonly history?: 'complete' | 'kept'
  readonly policy?: ProjectionPolicy
  /**
   * Takes in one event: writes with `tx`, or says what changes as a reducer does. Synchronous, and a function of the event and of the
   * projection's own buckets.
   */
  apply(event: ProjectionEvent<F, E>, tx: ProjectionTransaction<B>): ReduceResult<B> | undefined | void
}

/** Projections by name, as `Store.start` takes them. */
export type ProjectionDefinitions<B = AnyBuckets> = {
  // oxlint-disable-next-line typescript/no-explicit-any -- as above
  readonly [name: string]: ProjectionOptions<B, any, readonly any[]>
}

/** The sources of projections, by name: what is inferred of `ProjectionsFor`. */
export type ProjectionSources = { readonly [name: string]: readonly ProjectionSource[] }

/** Projections by name, made of the events `E` into the buckets `B`: each knows the data of the types in its `from`. */
export type ProjectionsFor<B, E, P extends ProjectionSources> = {
  readonly [N in keyof P]: ProjectionOptions<B, E, P[N]> & {
    readonly from: string extends P[N][number] ? unknown : readonly SourceIn<B, E>[]
  }
}

/** Whatever is defined at the same moment can be named. */
type SourceIn<B, E> = (keyof E & string) | `${string}*` | `bucket/${keyof B & string}` | EventRef<never>

/** `apply`, called on the object that it was given in. */
export type ProjectionApply = (event: ProjectedEvent<EventData>, tx: never) => unknown
