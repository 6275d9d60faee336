import { assert } from '../base/assert.js'
import { describeValue, InvalidArgumentError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import type { Bucket } from '../commit/bucket.js'
import type { Transaction } from '../commit/transaction.js'
import type { Change } from '../log/entry.js'
import { applyResult } from './apply-result.js'
import type { EntryPlace, EventGroup } from './event-group.js'
import { visitEvents } from './event-group.js'
import type { EventRegistry } from './event-registry.js'
import type { Projection } from './projection.js'
import { ProjectionBucketHandle } from './projection-bucket.js'
import type { ProjectedEvent } from './projection-definition.js'
import { EventSeed, placeSeed, SeededRuntime } from './seeded-stream.js'
import { UniqueCheck } from './unique-check.js'
import { upcastData } from './upcast.js'

/** What taking in events needs of its store. */
export interface ProjectionWorld {
  readonly runtime: Runtime
  readonly registry: EventRegistry
}

/** A projection at work within one transaction. */
export class ProjectionRun {
  readonly #projection: Projection
  readonly #transaction: Transaction
  readonly #world: ProjectionWorld
  readonly #handles: ReadonlyMap<string, ProjectionBucketHandle>
  readonly #bucketOf: (name: string) => Bucket
  readonly #uniques: UniqueCheck | undefined
  /** Type of the event that was taken in last. */
  type = ''
  #place: EntryPlace = { seq: 0, id: '' }
  #group: EventGroup | undefined
  #index = 0
  #chance: SeededRuntime | undefined

  /**
   * @param bucketOf the bucket that stands for one of `into`, which has to be there.
   * @param isBatch several entries are one commit: each is checked as if it had its own.
   */
  constructor(
    projection: Projection,
    transaction: Transaction,
    world: ProjectionWorld,
    bucketOf: (name: string) => Bucket,
    isBatch = false,
  ) {
    this.#projection = projection
    this.#transaction = transaction
    this.#world = world
    this.#bucketOf = bucketOf
    this.#uniques = isBatch ? new UniqueCheck() : undefined
    const peer = (name: string): ProjectionBucketHandle => this.bucket(name)
    this.#handles = new Map(
      projection.into.map((name) => [
        name,
        new ProjectionBucketHandle(transaction, bucketOf(name), peer, this.#uniques),
      ]),
    )
  }

  /**
   * Takes in those of the events of one entry that are for the projection.
   *
   * @throws whatever `apply` throws. @throws {UniqueConstraintError} Then the transaction is of no use.
   */
  take(group: EventGroup, place: EntryPlace): void {
    this.#group = group
    this.#place = place
    this.#index = 0
    const { source, numbers } = this.#transaction
    // Those of its buckets are its own, also where the event has again the numbers that it had.
    this.#transaction.numbers = undefined
    const { name } = this.#projection
    for (const { overlay } of this.#handles.values()) {
      const { owner } = overlay.bucketState
      assert(owner === undefined || owner === this.#projection, 'EV5', () => `${name}: owned by ${String(owner?.name)}`)
      overlay.writer = owner
    }
    try {
      visitEvents(group, (event, depth) => {
        const { type, data = {}, version = 1 } = event
        if (!this.#projection.takes(type)) return
        this.type = type
        const { at, meta } = group
        const now = upcastData(this.#world.registry, type, version, data)
        this.#takeOne({ type, version: now.version, data: now.data, at, meta, depth, seq: place.seq })
        this.#index++
      })
      this.#uniques?.check()
    } finally {
      this.#transaction.source = source
      this.#transaction.numbers = numbers
      for (const handle of this.#handles.values()) handle.overlay.writer = undefined
    }
  }

  #takeOne(event: ProjectedEvent): void {
    const { name, apply } = this.#projection
    this.#chance = undefined
    this.#transaction.source = this.#source('records', (this.#group as EventGroup).clock)
    const result: unknown = apply(Object.freeze(event), this as never)
    if (result === undefined || result === null) return
    if (result instanceof Promise) {
      // Its outcome is of no interest any more: the error says what is wrong.
      result.catch(() => undefined)
      throw new InvalidArgumentError(`projection "${name}": apply`, 'to be synchronous', describeValue(result))
    }
    const changes: Change[] | undefined = this.#uniques && []
    const target = { transaction: this.#transaction, changes, written: () => undefined }
    const asked = applyResult({ ...target, bucketOf: (bucket) => this.#own(bucket) }, result)
    // A bucket may stand for another one, so that it has another name.
    for (const { overlay } of this.#handles.values()) {
      for (const { bucket, key } of changes ?? []) if (bucket === overlay.bucket) this.#uniques?.touch(overlay, key)
    }
    if (asked.length > 0) throw new InvalidArgumentError(`projection "${name}"`, 'no events in the result', asked)
  }

  /** The same again for the same event of the same log, whenever it is taken in. */
  #source(label: string, now: number): SeededRuntime {
    const { id, seq } = this.#place
    const seed = new EventSeed(() => placeSeed(id, seq))
    const index = this.#index
    return new SeededRuntime(
      this.#world.runtime,
      () => now,
      seed,
      () => `${this.#projection.name}/${index}/${label}`,
    )
  }

  /** See `ProjectionTransaction`. */
  bucket(name: string): never {
    const handle = this.#handles.get(name)
    if (handle === undefined) this.#own(name)
    return handle as never
  }

  #own(name: string): Bucket {
    if (this.#handles.has(name)) return this.#bucketOf(name)
    const names = this.#projection.into.join(', ')
    throw new InvalidArgumentError(`projection "${this.#projection.name}"`, `only buckets of into (${names})`, name)
  }

  now(): number {
    return (this.#group as EventGroup).at
  }

  random(): number {
    return (this.#chance ??= this.#source('apply', this.now())).random()
  }

  uuid(): string {
    return (this.#chance ??= this.#source('apply', this.now())).uuid()
  }
}
