import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Change, EventData, SubEvent } from '../log/entry.js'
import type { TransactionBucketHandle } from '../commit/transaction-handle.js'
import type { BucketReader } from '../query/reads.js'
import type { SchemaDefinition } from '../schema/definition.js'
import type { ChangesOf, DataInputOf, DataOf, InputOf, KeyOf, RecordOf } from '../schema/infer.js'
import type { Links } from '../schema/links.js'
import type { BucketName, Named } from '../store-contexts.js'
import type { AnyBuckets } from '../store-options.js'
import type { SourcedAction } from './sourced-write.js'

/** What the data of an event is checked against: fields as in a bucket, or one Standard Schema validator of objects. */
export type EventSchemaDefinition = SchemaDefinition | StandardSchemaV1

/** An event, as its handlers see it. Everything in it is frozen. */
export interface DomainEvent<D = EventData> {
  readonly type: string
  /** Version of the definition that `data` fits. */
  readonly version: number
  readonly data: D
  /** When it happened, in milliseconds: as it was dispatched with, else when it began to be handled. */
  readonly at: number
  readonly meta: EventData | undefined
  /** 0: it was dispatched; more: it is a sub-event, of a sub-event of … */
  readonly depth: number
}

/** As `DomainEvent`, with what it has done itself so far: its sub-events come later. */
export interface AppliedEvent<D = EventData> extends DomainEvent<D> {
  readonly changes: readonly Change[]
}

/** Time and randomness of an event: the same again whenever the same event is handled. */
export interface EventWorld {
  /** `event.at`. */
  now(): number
  /** A float in [0, 1). */
  random(): number
  /** A version 4 UUID. */
  uuid(): string
}

/** What handlers read with. It cannot write, and answers at once. */
export interface EventView<B = AnyBuckets> extends EventWorld {
  /** The bucket as it is before the event, or for `derive` after it. @throws {BucketNotDefinedError} */
  bucket<N extends BucketName<B>>(name: N): BucketReader<RecordOf<Named<B, N>>, KeyOf<Named<B, N>>, Links<B, N>>
}

/** An event that a handler asks for. */
export interface SubEventInput {
  readonly type: string
  readonly data?: object
}

/** What `transact` gets. Everything it does is part of the event's commit. */
export interface EventTransaction<B = AnyBuckets> extends EventWorld {
  /** The bucket inside the event's transaction; reads see what the event has done so far. */
  bucket<N extends BucketName<B>>(name: N): TransactionBucketHandle<Named<B, N>, Links<B, N>>
  /** Handles a sub-event at once. @returns what its own `transact` returned. One that fails after it has written fails the whole event. */
  dispatch(type: string, data?: object): Promise<unknown>
}

type OneOrMany<T> = T | readonly T[]
type UpdateOf<D> = D extends { readonly key: infer K extends string }
  ? ChangesOf<D> & { readonly [N in K]: KeyOf<D> }
  : object

/** What is to become of one bucket. Applied in this order, each a record, a key, or a list of them. */
export interface BucketResult<D = AnyBuckets> {
  /** Delete all records first. */
  readonly clear?: boolean | undefined
  /** Delete the records under these keys, where there are any. */
  readonly remove?: OneOrMany<KeyOf<D>> | undefined
  /** New records. A key that is taken fails the event. */
  readonly insert?: OneOrMany<InputOf<D>> | undefined
  /** Whole records, in place of those under their keys where there are any. */
  readonly set?: OneOrMany<InputOf<D>> | undefined
  /** Changes, each with the key of its record, which has to be there. */
  readonly update?: OneOrMany<UpdateOf<D>> | undefined
  /** As `update` where the record is there, as `insert` where it is not. */
  readonly upsert?: OneOrMany<InputOf<D> | UpdateOf<D>> | undefined
}

/** What a reducer wants done: results by bucket; and under `events`, where that is a list or has a type, sub-events. */
export type ReduceResult<B = AnyBuckets> = { readonly [N in keyof B]?: BucketResult<B[N]> | undefined } & {
  readonly events?: OneOrMany<SubEventInput> | undefined
} & { readonly [bucket: string]: BucketResult | OneOrMany<SubEventInput> | undefined }

/** How an event is handled. All but `transact` are synchronous functions of what they are given. */
export interface EventHandlers<D = { readonly [field: string]: unknown }, B = AnyBuckets, R = unknown> {
  /** What errors call these handlers. Default: the type of the event. */
  readonly name?: string
  /** May return other data: canonical, or with ids assigned. Fields are checked again, Standard Schema validators are not asked again. */
  preprocess?(event: DomainEvent<D>, view: EventView<B>): object | undefined | void
  /** Says what changes, from the state before the event. */
  reduce?(event: DomainEvent<D>, view: EventView<B>): ReduceResult<B> | undefined | void
  /** Says what changes besides, from the state after it. Those of one event see each other's results. */
  derive?(event: AppliedEvent<D>, view: EventView<B>): ReduceResult<B> | undefined | void
  /** Does whatever is left, imperatively, after the sub-events. What it returns is what `dispatch` resolves with. */
  transact?(event: AppliedEvent<D>, tx: EventTransaction<B>): R | Promise<R>
}

/** What becomes of a queued event that keeps failing: see `QueuePolicy`. */
export type QueueOutcome = 'park' | 'skip' | 'halt'

/** How often a queued event is tried again, and what happens then. */
export interface QueuePolicy {
  /** Attempts after the first; Infinity: for ever. Default 5. */
  readonly retries?: number
  /** Wait before the first of them, in milliseconds; it doubles each time. Default 1,000. */
  readonly backoffMs?: number
  /** The wait grows no further than this. Default 60,000. */
  readonly backoffMaxMs?: number
  /**
   * `park` (default): it is set aside, with whatever waits in its lane. `skip`: it is dropped. `halt`: the queue stands still
   * until `store.queue.resume()` or the next start.
   */
  readonly onFailure?: QueueOutcome
}

/** A function from data of one version to data of the next. */
export type Upcast = (data: never) => object

/** `upcast` is needed, with a step from each earlier version, where the version is a literal greater than 1. */
export type UpcastSteps<V> = V extends number
  ? number extends V
    ? { readonly upcast?: { readonly [version: number]: Upcast } }
    : V extends 1
      ? { readonly upcast?: undefined }
      : { readonly upcast: { readonly [N in Below<V>]: Upcast } }
  : { readonly upcast?: undefined }

type Below<V extends number, T extends readonly unknown[] = [unknown]> = T['length'] extends V
  ? never
  : T['length'] extends 50
    ? number
    : T['length'] | Below<V, [...T, unknown]>

/** What `defineEvent` takes. */
export interface EventOptions<S = SchemaDefinition, B = AnyBuckets, R = unknown>
  extends EventHandling<S, DataOf<S>, B, R> {}

/** Handlers of an event, and what they are of: data that fits the schema `S`, which they see as `D`. */
export interface EventHandling<S, D, B, R> extends EventHandlers<D, B, R> {
  /** Raised when data of before no longer fits; then `upcast` says how it is brought forward. Default 1. */
  readonly version?: number
  /** Default: any plain object. */
  readonly schema?: S
  /** By version: makes data of that version into data of the next one. */
  readonly upcast?: { readonly [version: number]: Upcast } | undefined
  /** For `enqueue`. */
  readonly policy?: QueuePolicy
  /** For `enqueue`: events of one lane are handled in order, and wait for one that is being tried again or is parked. */
  lane?(data: D): string | undefined
  /** Whether a failure is written to the log, as an entry `store/failure`. Default false. */
  readonly recordFailures?: boolean
}

/** Data of an event in a definition that is given to `start`: the compiler knows it only with `event({ … })`. */
// oxlint-disable-next-line typescript/no-explicit-any -- with `unknown`, every reducer would have to cast
type LooseData = { readonly [field: string]: any }

/** Definitions by type, as `Store.start` takes them. */
export type EventDefinitions<B = AnyBuckets> = {
  readonly [type: string]: EventHandling<EventSchemaDefinition, LooseData, B, unknown>
}

/** The schema of a definition; `unknown` where it has none. */
type SchemaOf<D> = unknown extends D
  ? unknown
  : D extends { readonly schema?: infer S }
    ? Exclude<S, undefined>
    : unknown

/** The data of events with the definition `D`. */
export type EventDataOf<D> = DataOf<SchemaOf<D>>

/** What is given to dispatch one of them. */
export type EventInputOf<D> = DataInputOf<SchemaOf<D>>

/** What its `transact` returns. */
export type EventResultOf<D> = unknown extends D
  ? unknown
  : D extends { readonly transact?: (...args: never) => infer R }
    ? Awaited<R>
    : unknown

/** A definition for `Store.start({ events })`, whose handlers know the type of their data. */
export function event<
  const S extends EventSchemaDefinition = SchemaDefinition,
  R = unknown,
  const V extends number = 1,
>(options: EventOptions<S, AnyBuckets, R> & { readonly version?: V } & UpcastSteps<V>): EventOptions<S, AnyBuckets, R> {
  return options
}

/** What is given to dispatch type `T` of the events `E`: any object for one that is not among them. */
export type NamedInput<E, T> = T extends keyof E ? EventInputOf<E[T]> : object

/** The data of events of type `T`. */
export type NamedData<E, T> = T extends keyof E ? EventDataOf<E[T]> : { readonly [field: string]: unknown }

/** The data of the events that writes to a sourced bucket with the definition `D` are. */
export type SourcedData<D> = {
  /** `set` comes of the results of handlers; `restore` takes a write back. */
  readonly action: SourcedAction
  /** The record's, where it is one. What has none yet gets it after `preprocess`. */
  readonly key?: KeyOf<D>
  readonly keys?: readonly KeyOf<D>[]
  /** What the caller gave: of `insertMany` a list. */
  readonly data?: InputOf<D> | ChangesOf<D> | readonly InputOf<D>[]
  readonly ifVersion?: number
}

/** The data of events of type `T`, where buckets are known as well. */
export type ExtendedData<B, E, T> = 0 extends 1 & B
  ? NamedData<E, T>
  : T extends `bucket/${infer N}`
    ? N extends keyof B
      ? SourcedData<B[N]>
      : NamedData<E, T>
    : NamedData<E, T>

/** What dispatching one resolves with. */
export type NamedReceipt<E, T> = EventReceipt<NamedData<E, T>, T extends keyof E ? EventResultOf<E[T]> : unknown>

/** The arguments of `dispatch` after the event: data may be left out where nothing in it is needed. */
export type DispatchArgs<I, O = DispatchOptions> = object extends I
  ? [data?: I | undefined, options?: O | undefined]
  : [data: I, options?: O | undefined]

/** A defined event, with the types of its data and of what `dispatch` resolves with. Its type can be used in its place. */
export interface EventRef<I = object, D = EventData, R = unknown> {
  readonly type: string
  /** Never there; it carries the types. */
  readonly types?: ((input: I) => { readonly data: D; readonly result: R }) | undefined
}

/** What `defineEvent` returns for a schema. */
export type RefOf<S, R = unknown> = EventRef<DataInputOf<S>, DataOf<S>, R>

/** What became of an event. */
export interface EventReceipt<D = EventData, R = unknown> {
  /** Place of its entry in the log. */
  readonly seq: number
  readonly type: string
  /** As it was handled, and is kept: after `preprocess`. */
  readonly data: D
  readonly at: number
  /** What it has changed in all, its sub-events included. */
  readonly changes: readonly Change[]
  readonly events: readonly SubEvent[]
  /** What `transact` returned. */
  readonly result: R
}

/** What `dispatch` takes besides type and data. */
export interface DispatchOptions {
  /** When it happened. Default: now. */
  readonly at?: number
  /** Who did it, and why. */
  readonly meta?: { readonly [field: string]: unknown }
  readonly durability?: 'memory' | 'process' | 'disk'
}

/** What `enqueue` takes besides type and data. */
export interface EnqueueOptions extends DispatchOptions {
  /** Events of one lane are handled in order. Default: what the `lane` of the definition says, else none. */
  readonly lane?: string
  /** It is not handled before so many milliseconds have passed. Default 0. */
  readonly delayMs?: number
}
