import { assert } from '../base/assert.js'
import { deepEqual } from '../base/equality.js'
import type { Key, StoredRecord } from '../base/value.js'
import type { Bucket } from '../commit/bucket.js'
import type { Overlay } from '../commit/overlay.js'
import type { Transaction } from '../commit/transaction.js'
import type { Engine } from '../engine.js'
import type { Slot } from '../state/slot.js'
import type { Checkpoint, RebuildPoint } from './checkpoints.js'
import { isOutdated } from './checkpoints.js'
import { LogFollower, NEAR_ENTRIES } from './log-follower.js'
import type { FollowTarget } from './log-follower.js'
import type { Projection } from './projection.js'
import type { ProjectorParts } from './projector.js'

/** How far a rebuild has got. */
export interface RebuildProgress {
  /** The last entry that was taken in. */
  readonly position: number
  /** The last entry that is to be taken in, as far as that is known: the log grows meanwhile. In the end, `position` is that. */
  readonly total: number
  /** Where this run has begun: more than 0 where it goes on with one that was interrupted. */
  readonly began: number
}

/** What `rebuild` takes besides the name. */
export interface RebuildOptions {
  /** Called after each batch of entries. What it throws ends the rebuild for this caller, as `signal` does. */
  readonly onProgress?: (progress: RebuildProgress) => void
  /** Ends it for this caller; where nobody else waits for it, nothing is left of it then. */
  readonly signal?: AbortSignal
  /**
   * For a projection with `history: 'kept'` whose log does not begin with its first entry any more: make it of the entries that are there,
   * without what it has of earlier ones. Default: that is refused.
   */
  readonly fromKept?: boolean
}

/** Who a rebuild is made for. Neither may throw. */
export interface RebuildAudience {
  /** Told after each batch of entries. */
  progressed(progress: RebuildProgress): void
  /** Asked between two batches: whether it is to end as it is. */
  isEnding(): boolean
}

/** What a rebuild has done. */
export interface RebuildReport {
  /** The last entry that is in it. */
  readonly position: number
  /** Records that are different from what they were before, in all buckets of the projection. */
  readonly changed: number
}

/** Where the records of a bucket are while they are made anew. */
function shadowName(projection: string, bucket: string): string {
  return `varve/rebuild/${projection}/${bucket}`
}

/**
 * Makes the buckets of a projection anew beside those that are there, then puts them in their place in one commit. How far it has got is
 * stored with what it has made, so that it goes on after a crash.
 */
export class Rebuild implements FollowTarget {
  readonly head: { readonly type: string; readonly data: { readonly projection: string } }
  readonly #projection: Projection
  readonly #parts: ProjectorParts
  readonly #shadows = new Map<string, Bucket>()
  #changed = 0
  #position = 0

  constructor(projection: Projection, parts: ProjectorParts) {
    this.#projection = projection
    this.#parts = parts
    this.head = Object.freeze({ type: 'store/rebuild', data: Object.freeze({ projection: projection.name }) })
  }

  /** The last entry that was taken in. */
  get position(): number {
    return this.#position
  }

  get #checkpoint(): Checkpoint {
    return this.#parts.checkpoints.get(this.#projection.name) as Checkpoint
  }

  /** See `FollowTarget`. */
  stored(): number {
    return this.#checkpoint.rebuild?.seq ?? 0
  }

  /** See `FollowTarget`. */
  bucketOf(name: string): Bucket {
    return this.#shadows.get(name) as Bucket
  }

  /** See `FollowTarget`. */
  store(transaction: Transaction, seq: number, left: number): void {
    const { checkpoints } = this.#parts
    const stored = checkpoints.read(transaction, this.#projection.name) as Checkpoint
    const rebuild = stored.rebuild as RebuildPoint
    const skipped = (rebuild.skipped ?? 0) + left
    checkpoints.put(transaction, { ...stored, rebuild: { ...rebuild, seq, skipped } })
  }

  /** See `FollowTarget`. */
  skips(): boolean {
    return this.#projection.policy.onFailure === 'skip'
  }

  /**
   * Does all of it, or what is left of it. What it throws leaves the buckets as they were.
   *
   * @returns undefined where it was to end before: then it can be gone on with, or discarded.
   * @throws {ProjectionGapError} @throws {ProjectionFailedError}
   */
  async run(audience: RebuildAudience): Promise<RebuildReport | undefined> {
    const { engine, world, gate } = this.#parts
    await this.#begin()
    const follower = new LogFollower(engine, world, this.#projection, this)
    const began = follower.position
    let isMade = false
    this.#position = began
    const step = async (last?: number): Promise<void> => {
      await follower.step()
      const { position } = follower
      this.#position = position
      // Its own commits make the log longer; they are not waited for.
      const total = Math.max(position, last ?? engine.sequencer.position.visible)
      audience.progressed({ position, total, began })
    }
    while (!audience.isEnding() && engine.sequencer.position.visible - follower.position > NEAR_ENTRIES) await step()
    await gate.hold(async () => {
      await engine.sequencer.settled()
      const last = engine.sequencer.position.visible
      while (!audience.isEnding() && follower.position < last) await step(last)
      if (audience.isEnding()) return
      await this.#switch(last)
      isMade = true
    })
    if (!isMade) return undefined
    await this.#dropShadows()
    return { position: this.#position, changed: this.#changed }
  }

  /** Goes on with one that was interrupted, if it is of the same definition; else begins with nothing. */
  async #begin(): Promise<void> {
    const { checkpoints } = this.#parts
    const { name, version, from, into } = this.#projection
    await checkpoints.ready()
    await this.#defineShadows()
    const { rebuild } = this.#checkpoint
    if (rebuild !== undefined && !isOutdated(rebuild, this.#projection)) return
    await this.#dropShadows()
    await this.#defineShadows()
    await checkpoints.commit(this.head, (transaction) => {
      const stored = checkpoints.read(transaction, name) as Checkpoint
      checkpoints.put(transaction, { ...stored, rebuild: { seq: 0, version, from, into } })
    })
  }

  async #defineShadows(): Promise<void> {
    const { engine, bucketOf } = this.#parts
    for (const name of this.#projection.into) {
      const shadow = shadowName(this.#projection.name, name)
      let bucket = engine.catalog.own(shadow)
      if (bucket === undefined) {
        const defined = engine.catalog.define(shadow, bucketOf(name).definition, true)
        await defined.loaded
        bucket = defined.bucket
      }
      this.#shadows.set(name, bucket)
    }
  }

  async #dropShadows(): Promise<void> {
    for (const [name, { name: shadow }] of this.#shadows) {
      await this.#parts.engine.catalog.drop(shadow, true)
      this.#shadows.delete(name)
    }
  }

  /** Throws away what was made. */
  async discard(): Promise<void> {
    const { checkpoints } = this.#parts
    await this.#dropShadows()
    await checkpoints.commit(this.head, (transaction) => {
      const { rebuild: _, ...stored } = checkpoints.read(transaction, this.#projection.name) as Checkpoint
      checkpoints.put(transaction, stored)
    })
  }

  /** One commit: the buckets hold what was made, and what made it is forgotten. */
  async #switch(seq: number): Promise<void> {
    const { checkpoints, bucketOf, engine } = this.#parts
    const { name, version, from, into, mode } = this.#projection
    const waits = (): Promise<unknown> | undefined => {
      const all = [...this.#shadows.values(), ...into.map((one) => bucketOf(one)), checkpoints.bucket]
      return all.find(({ process }) => process.state !== 'running')?.whenReady()
    }
    for (let wait = waits(); wait !== undefined; wait = waits()) await wait
    assert(this.#position >= seq, 'EV6', () => `${name} is replaced with ${this.#position} of ${seq} entries`)
    this.#changed = 0
    let given: readonly string[] = []
    await checkpoints.commit(this.head, (transaction) => {
      for (const [one, shadow] of this.#shadows) {
        const overlay = transaction.overlay(bucketOf(one))
        overlay.writer = this.#projection
        this.#changed += replace(overlay, shadow)
        // Numbers are a part of what was made: the next one is what it would be if nothing else had ever been (EV7).
        if (shadow.schema.counterFields.length > 0) transaction.setCounter(bucketOf(one), shadow.table.counter)
      }
      const stored = checkpoints.read(transaction, name) as Checkpoint
      given = stored.into.filter((one) => !into.includes(one))
      const { skipped = 0 } = stored.rebuild ?? {}
      checkpoints.put(transaction, { name, version, from, into, seq, isLive: mode === 'inline', skipped })
    })
    // Those that it is no longer into are everybody's.
    for (const bucket of engine.catalog.buckets) {
      if (given.includes(bucket.name) && bucket.owner?.name === name) bucket.owner = undefined
    }
  }
}

/** Throws away what a rebuild has left behind, also one of an earlier run. */
export async function dropShadows(engine: Engine, { name, into, rebuild }: Checkpoint): Promise<void> {
  const { catalog, report } = engine
  for (const bucket of new Set([...into, ...(rebuild?.into ?? [])])) {
    const shadow = shadowName(name, bucket)
    const stored = report.buckets.find((meta) => meta.bucket === shadow)
    if (catalog.own(shadow) === undefined) {
      if (stored === undefined || stored.key === '') continue
      // Only what is needed to have it loaded: what is in it is of no interest.
      await catalog.define(shadow, { key: stored.key, schema: { [stored.key]: { type: 'string' } } }, true).loaded
    }
    await catalog.drop(shadow, true)
  }
}

/**
 * Makes the records of a bucket, and their order, those of `shadow`, with as few changes as that takes: who listens is told of nothing that is
 * as it was.
 *
 * @returns how many records have changed.
 */
function replace(overlay: Overlay, shadow: Bucket): number {
  const { table, schema } = overlay.bucketState
  const wanted: Slot[] = []
  shadow.table.forEach((slot) => void wanted.push(slot))
  // Those that stand in the right order stay where they are: all up to the first that does not. The rest goes to the end.
  const kept = new Set<Key>()
  let last = 0
  let count = 0
  let at = 0
  for (; at < wanted.length; at++) {
    const { record } = wanted[at] as Slot
    const slot = table.slot(schema.keyOf(record))
    if (slot === undefined || slot.ordinal <= last) break
    last = slot.ordinal
    kept.add(schema.keyOf(record))
    if (deepEqual(slot.record, record)) continue
    overlay.update(schema.keyOf(record), record)
    count++
  }
  const gone: StoredRecord[] = []
  table.forEach(({ record }) => void (kept.has(schema.keyOf(record)) || gone.push(record)))
  for (const record of gone) overlay.delete(schema.keyOf(record))
  const moved = new Map(gone.map((record) => [schema.keyOf(record), record]))
  for (; at < wanted.length; at++) {
    const { record } = wanted[at] as Slot
    overlay.insert(schema.keyOf(record), record)
    const before = moved.get(schema.keyOf(record))
    moved.delete(schema.keyOf(record))
    if (before === undefined || !deepEqual(before, record)) count++
  }
  return count + moved.size
}
