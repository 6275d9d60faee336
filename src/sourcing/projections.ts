import type { Bucket } from '../commit/bucket.js'
import type { Engine } from '../engine.js'
import type { EventRegistry } from './event-registry.js'
import { Projection, ProjectionDefinitionError } from './projection.js'
import type { ProjectionOptions, ProjectionStats } from './projection.js'
import { CHECKPOINTS, CHECKPOINTS_DEFINITION, Projector } from './projector.js'

/** The projections of one store. */
export class Projections {
  readonly #engine: Engine
  readonly #registry: EventRegistry
  readonly #bucketOf: (name: string) => Bucket
  readonly #inline = new Map<string, Projection>()
  readonly #byType = new Map<string, Projection[]>()
  readonly #async = new Map<string, Projector>()
  #checkpoints: Promise<Bucket> | undefined

  constructor(engine: Engine, registry: EventRegistry, bucketOf: (name: string) => Bucket) {
    this.#engine = engine
    this.#registry = registry
    this.#bucketOf = bucketOf
  }

  /**
   * Defines a projection. An async one begins where it has stopped, or at the oldest entry of the log.
   *
   * @throws {ProjectionDefinitionError} @throws {BucketNotDefinedError} it was not taken.
   */
  async define(name: string, options: ProjectionOptions): Promise<void> {
    const projection = new Projection(name, options)
    if (this.#inline.has(name) || this.#async.has(name)) {
      throw new ProjectionDefinitionError(name, 'it is defined already')
    }
    projection.mustHaveBuckets((bucket) => this.#engine.catalog.has(bucket))
    if (projection.mode === 'inline') return this.#addInline(projection)
    this.#checkpoints ??= this.#openCheckpoints()
    const checkpoints = await this.#checkpoints
    const projector = new Projector(this.#engine, this.#registry, projection, checkpoints, this.#bucketOf)
    this.#async.set(name, projector)
    await this.#engine.supervise(projector.process)
  }

  #addInline(projection: Projection): void {
    this.#inline.set(projection.name, projection)
    for (const type of projection.from) this.#byType.set(type, [...this.inlineOf(type), projection])
  }

  async #openCheckpoints(): Promise<Bucket> {
    const { bucket, loaded } = this.#engine.catalog.define(CHECKPOINTS, CHECKPOINTS_DEFINITION, true)
    await loaded
    return bucket
  }

  /** Those that are part of the commit of events of `type`, in the order of their definition. */
  inlineOf(type: string): readonly Projection[] {
    return this.#byType.get(type) ?? NONE
  }

  /** What is known about each. */
  get stats(): ProjectionStats[] {
    const { durable: position } = this.#engine.sequencer.position
    const inline = [...this.#inline.keys()].map((name) => {
      return { name, mode: 'inline', position, lag: 0, error: undefined } as const
    })
    return [...inline, ...Array.from(this.#async.values(), (projector) => projector.stats)]
  }

  /** Resolves when the async ones have taken in everything that is durable now, or do not go on. */
  async settled(): Promise<void> {
    await Promise.all(Array.from(this.#async.values(), (projector) => projector.settled()))
  }
}

const NONE: readonly Projection[] = Object.freeze([])
