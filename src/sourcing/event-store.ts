import type { Bucket } from '../commit/bucket.js'
import { Store as CoreStore } from '../core-store.js'
import type { StoreStats } from '../store-stats.js'
import type { Engine } from '../engine.js'
import { StoreBucketHandle } from '../history/store-bucket.js'
import type { AnyLinks } from '../schema/links.js'
import type { SchemaDefinition } from '../schema/definition.js'
import type { AnyBuckets, BucketDefinitions } from '../store-options.js'
import type {
  DispatchArgs,
  DispatchOptions,
  EnqueueOptions,
  EventDefinitions,
  EventHandlers,
  EventOptions,
  EventReceipt,
  EventRef,
  EventSchemaDefinition,
  ExtendedData,
  NamedInput,
  NamedReceipt,
  RefOf,
  UpcastSteps,
} from './event-definition.js'
import { Events } from './events.js'
import { ParkedEvents } from './parked.js'
import type { ProjectionOptions, ProjectionSource } from './projection-definition.js'
import type { ProjectionStats } from './projections.js'
import { QueueControl } from './queue-control.js'
import type { RebuildOptions, RebuildReport } from './rebuild.js'

/** The events of a store whose events the compiler does not know. */
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyEvents = any

/**
 * The class of the small store as this one sees it. The two `start` check literal definitions by the same rules, which
 * the compiler cannot relate to each other for options that differ.
 */
interface CoreStoreClass {
  new <B extends BucketDefinitions>(engine: Engine): CoreStore<B>
  start(options: never): Promise<CoreStore>
}

const Base: CoreStoreClass = CoreStore as unknown as CoreStoreClass

/** Aggregated facts about a store. */
export interface EventStoreStats extends StoreStats {
  /** There where any are defined. */
  readonly projections?: readonly ProjectionStats[]
}

/** What the whole store knows about events. */
export class EventStore<
  B extends BucketDefinitions = AnyBuckets,
  E extends EventDefinitions = AnyEvents,
> extends Base<B> {
  /** Not for users. @internal */
  protected readonly events: Events

  protected constructor(engine: Engine) {
    super(engine)
    this.events = new Events(engine)
  }

  protected override handle<D, L = AnyLinks>(bucket: Bucket): StoreBucketHandle<D, L> {
    if (bucket.definition.sourced === true) return this.events.handle<D, L>(bucket)
    return new StoreBucketHandle<D, L>(bucket, this.engine)
  }

  /**
   * Defines a type of events: what its data is, and what happens when one is dispatched.
   *
   * @returns a typed reference; the type works as well.
   * @throws {EventDefinitionError} it was not taken.
   */
  defineEvent<const S extends EventSchemaDefinition = SchemaDefinition, R = unknown, const V extends number = 1>(
    type: string,
    options: EventOptions<S, B, R> & { readonly version?: V } & UpcastSteps<V>,
  ): RefOf<S, R> {
    this.mustRun()
    this.events.registry.define(type, options as EventOptions)
    return Object.freeze({ type })
  }

  /**
   * Adds handlers to a type of events, after those that are there: one module defines an event, others join in. Those of
   * `bucket/<name>` join in the writes of a sourced bucket.
   *
   * @throws {EventNotDefinedError} @throws {EventDefinitionError} they were not taken.
   */
  extendEvent<I, D, R>(event: EventRef<I, D, R>, handlers: EventHandlers<D, B, R>): void
  /** By type: for events that were given to `start` the data is typed, and for the writes of buckets that were. */
  extendEvent<T extends (keyof E & string) | `bucket/${keyof B & string}` | (string & {})>(
    type: T,
    handlers: EventHandlers<ExtendedData<B, E, T>, B>,
  ): void
  extendEvent(event: string | EventRef<never>, handlers: unknown): void {
    this.mustRun()
    this.events.registry.extend(typeOfEvent(event), handlers as EventHandlers)
  }

  /**
   * Dispatches an event: all that its handlers want is one commit, with one entry in the log, or nothing happens.
   *
   * @returns what became of it, when that is durable.
   * @throws {EventNotDefinedError} @throws {InvalidArgumentError} it cannot be stored; nothing was done.
   * @throws {EventFailedError} a handler failed, or wanted what is not possible; nothing was written.
   */
  dispatch<I, D, R>(event: EventRef<I, D, R>, ...args: DispatchArgs<NoInfer<I>>): Promise<EventReceipt<D, R>>
  /** As one object. */
  dispatch<T extends string>(
    event: { readonly type: T; readonly data: NamedInput<E, T> } & DispatchOptions,
  ): Promise<NamedReceipt<E, T>>
  /** By type: for events that were given to `start` the data is typed. */
  dispatch<T extends (keyof E & string) | (string & {})>(
    type: T,
    ...args: DispatchArgs<NamedInput<E, T>>
  ): Promise<NamedReceipt<E, T>>
  dispatch(event: unknown, data?: unknown, options?: unknown): Promise<EventReceipt<never, never>> {
    return this.#settling(async () => {
      const receipt = await this.events.dispatch(this.events.parse('dispatch', event, data, options))
      return receipt as EventReceipt<never, never>
    })
  }

  /**
   * Puts an event into the queue, to be handled later, exactly once, also when the program is killed in between. What becomes
   * of it when it fails is for the `policy` of its definition to say.
   *
   * @returns its id, when it is durable in the queue.
   * @throws {EventNotDefinedError} @throws {InvalidArgumentError} @throws {ValidationError} nothing was done.
   */
  enqueue<I, D, R>(event: EventRef<I, D, R>, ...args: DispatchArgs<NoInfer<I>, EnqueueOptions>): Promise<number>
  /** By type: for events that were given to `start` the data is typed. */
  enqueue<T extends (keyof E & string) | (string & {})>(
    type: T,
    ...args: DispatchArgs<NamedInput<E, T>, EnqueueOptions>
  ): Promise<number>
  enqueue(event: unknown, data?: unknown, options?: unknown): Promise<number> {
    return this.#settling(() => this.events.enqueue(event, data, options))
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    this.mustRun()
    return work()
  }

  #settling<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#run(work)
    // A reducer cannot wait for it. Its event fails of the same error.
    if (this.events.isPure) done.catch(() => undefined)
    return done
  }

  /**
   * Defines a projection: buckets that are a function of events, and that nobody else writes to. An inline one is part of the commit of each
   * event, an async one follows the log; each event is taken in exactly once, those included that were before it. One whose `version`,
   * `from` or `into` has changed is rebuilt; what it has stays until then.
   *
   * @returns when it is taken; it may still have a log to read (`store.projections`, `store.projected`).
   * @throws {ProjectionDefinitionError} it is wrong, or names an event or a bucket that is not defined (the `cause`).
   * @throws {ProjectionGapError} the log does not begin with its first entry any more. It was not taken.
   */
  async defineProjection<const F extends readonly ProjectionSource[]>(
    name: string,
    options: ProjectionOptions<B, E, F>,
  ): Promise<void> {
    this.mustRun()
    await this.events.projections.define(name, options as never)
  }

  /** Aggregated facts, all of one moment. */
  override async getStats(): Promise<EventStoreStats> {
    const stats = await super.getStats()
    const { projections } = this
    return projections.length === 0 ? stats : { ...stats, projections }
  }

  /** How far each projection has got. */
  get projections(): readonly ProjectionStats[] {
    return this.events.projections.stats
  }

  /** Resolves when all projections have taken in everything that is written now, or stand still. */
  projected(): Promise<void> {
    return this.events.projections.settled()
  }

  /**
   * Makes the buckets of a projection anew from the log, and puts them in the place of the old ones in one commit. Until then those are
   * there and kept; reads and writes go on. Interrupted by a crash or a stop, it goes on when the projection is defined again.
   *
   * @throws {ProjectionNotDefinedError} nothing was done.
   * @throws {ProjectionGapError} @throws {ProjectionFailedError} @throws the reason of `signal`. The buckets are as they were.
   */
  async rebuild(name: string, options?: RebuildOptions): Promise<RebuildReport> {
    this.mustRun()
    return this.events.projections.rebuild(name, options)
  }

  /** Lets a projection that stands still try again. @throws {ProjectionNotDefinedError} */
  resumeProjection(name: string): void {
    this.mustRun()
    this.events.projections.resume(name)
  }

  /**
   * Gives a projection up, defined in this run or in an earlier one: it takes in nothing any more, and how far it has got is forgotten. Its
   * buckets stay as they are, and everybody may write to them; `dropBucket` drops them. A rebuild of it ends.
   *
   * @throws {ProjectionNotDefinedError} nothing is known of it; nothing was done.
   * @throws {StorageError} it could not be written; define it again, or drop it again.
   */
  async dropProjection(name: string): Promise<void> {
    this.mustRun()
    await this.events.projections.drop(name)
  }

  /** Queued events that were set aside because they kept failing. */
  get parked(): ParkedEvents {
    return new ParkedEvents(this.events)
  }

  /** The queue of events, to look at and to steer. */
  get queue(): QueueControl {
    return new QueueControl(this.events.queue)
  }
}

function typeOfEvent(event: string | EventRef<never>): string {
  return typeof event === 'object' && event !== null ? event.type : event
}
