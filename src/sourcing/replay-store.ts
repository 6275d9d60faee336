import { systemRuntime } from '../base/runtime.js'
import type { Runtime } from '../base/runtime.js'
import type { Bucket } from '../commit/bucket.js'
import { Engine } from '../engine.js'
import { capturedOf } from '../history/captured.js'
import { stateHash } from '../history/state-hash.js'
import type { Entry } from '../log/entry.js'
import type { StorageAdapter } from '../log/storage.js'
import type { BucketDefinition } from '../schema/definition.js'
import { checkOptions } from '../store-options.js'
import type { EventHandlers, EventOptions } from './event-definition.js'
import { Events } from './events.js'
import { Projection } from './projection.js'
import type { ProjectionOptions } from './projection-definition.js'
import { Replay } from './replay.js'
import type { ReplayOptions, ReplayReport } from './replay.js'

/** What a replay store begins with. */
export interface ReplayStoreOptions {
  readonly unknownEvents?: 'refuse' | 'keep'
  /** Default: in memory. */
  readonly storage?: StorageAdapter
  readonly runtime?: Runtime
}

/**
 * A store for one replay: it is given definitions, as a store is, and then a log. What is in it afterwards is to be looked at; it takes no
 * events of its own.
 */
export class ReplayStore {
  readonly #engine: Engine
  readonly #events: Events
  readonly #projections: Projection[] = []

  /** Opens an empty one. @throws {StorageError} */
  static async open({
    unknownEvents,
    storage,
    runtime = systemRuntime,
  }: ReplayStoreOptions = {}): Promise<ReplayStore> {
    const persistence = storage && { persistence: { adapter: storage } }
    const engine = await Engine.open(checkOptions({ name: 'replay', runtime, ttlCheckIntervalMs: 0, ...persistence }))
    return new ReplayStore(engine, unknownEvents === 'keep')
  }

  private constructor(engine: Engine, keepsUnknown: boolean) {
    this.#engine = engine
    this.#events = new Events(engine)
    this.#events.registry.keepsUnknown = keepsUnknown
  }

  /** As `store.defineBucket`. */
  async defineBucket(name: string, definition: BucketDefinition): Promise<void> {
    await this.#engine.catalog.define(name, definition).loaded
  }

  /** As `store.defineEvent`. */
  defineEvent(type: string, options: EventOptions): { readonly type: string } {
    this.#events.registry.define(type, options)
    return { type }
  }

  /** As `store.extendEvent`. */
  extendEvent(event: string | { readonly type: string }, handlers: EventHandlers): void {
    this.#events.registry.extend(typeof event === 'string' ? event : event.type, handlers)
  }

  /** As `store.defineProjection`. */
  defineProjection(name: string, options: ProjectionOptions): Promise<void> {
    this.#projections.push(new Projection(name, options))
    return Promise.resolve()
  }

  /** Defines what is given by name, as to `Store.start`. */
  async define({ buckets = {}, events = {}, projections = {} }: ReplayDefinitions): Promise<void> {
    for (const [name, definition] of Object.entries(buckets)) await this.defineBucket(name, definition)
    this.#events.registry.defineAll(events)
    for (const [name, options] of Object.entries(projections)) {
      await this.defineProjection(name, options as ProjectionOptions)
    }
  }

  /** Handles the entries of a log again, from the first one on. */
  replay(entries: AsyncIterable<Entry>, options: Omit<ReplayOptions, 'projections'> = {}): Promise<ReplayReport> {
    return new Replay(this.#engine, this.#events, { ...options, projections: this.#projections }).run(entries)
  }

  /** The buckets, with what the replay has made of them. */
  get buckets(): Iterable<Bucket> {
    return this.#engine.catalog.buckets
  }

  /** As `store.stateHash`. @param only the buckets to be counted. Default: all. */
  stateHash(only?: ReadonlySet<string>): Promise<string> {
    return stateHash(() => {
      const captured = capturedOf(this.#engine)
      return { ...captured, buckets: [...captured.buckets].filter(({ name }) => only === undefined || only.has(name)) }
    }, this.#engine.options.runtime)
  }

  /** Lets go of everything. */
  async stop(): Promise<void> {
    await this.#engine.stop()
  }
}

/** Definitions by name. */
export interface ReplayDefinitions {
  readonly buckets?: { readonly [name: string]: BucketDefinition }
  readonly events?: { readonly [type: string]: unknown }
  readonly projections?: { readonly [name: string]: unknown }
}
