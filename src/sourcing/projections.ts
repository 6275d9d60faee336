import { InvalidArgumentError } from '../base/errors.js'
import type { Bucket, BucketOwner } from '../commit/bucket.js'
import { BucketNotDefinedError } from '../commit/errors.js'
import type { Transaction } from '../commit/transaction.js'
import type { Engine } from '../engine.js'
import { checkSignal } from '../history/check-signal.js'
import { entryAfter } from '../history/log-access.js'
import type { SubEvent } from '../log/entry.js'
import { StorageError } from '../log/errors.js'
import { Supervisor } from '../supervise/supervisor.js'
import { Checkpoints, isOutdated } from './checkpoints.js'
import type { Checkpoint } from './checkpoints.js'
import { CommitGate } from './commit-gate.js'
import { DormantOwner } from './dormant-owner.js'
import { EventFailedError, EventNotDefinedError } from './errors.js'
import type { EventRegistry } from './event-registry.js'
import type { EntryPlace, EventGroup } from './event-group.js'
import { visitEvents } from './event-group.js'
import type { CommitHook } from './event-parts.js'
import { matchesType, Projection } from './projection.js'
import { ProjectionRun } from './projection-run.js'
import type { ProjectionOptions } from './projection-definition.js'
import { ProjectionDefinitionError, ProjectionGapError, ProjectionNotDefinedError } from './projection-errors.js'
import type { ProjectionState, ProjectorParts } from './projector.js'
import { Projector } from './projector.js'
import type { RebuildOptions, RebuildProgress, RebuildReport } from './rebuild.js'
import { dropShadows } from './rebuild.js'
import { Rebuilder } from './rebuilder.js'

/** What is known about a projection. */
export interface ProjectionStats {
  readonly name: string
  readonly mode: 'inline' | 'async'
  readonly version: number
  readonly state: ProjectionState
  /** The last entry that it has taken in, or need not. */
  readonly position: number
  /** How many entries it is behind. */
  readonly lag: number
  /** How many entries were left out because they kept failing. */
  readonly skipped: number
  /** Why it does not go on, where it does not. */
  readonly error: Error | undefined
  /** How far it is made anew, where it is. */
  readonly rebuild: RebuildProgress | undefined
}

const LOSS_REFUSED =
  'it stands as it was, and would be without what it may have of them; rebuild(name, { fromKept: true }) makes it of the entries that are there'
const LOSS_TOLD =
  'its definition has changed, so it is made anew of the entries that are there, without what it may have had of those; keep more history'

/** The projections of one store. */
export class Projections implements CommitHook {
  readonly #engine: Engine
  readonly #registry: EventRegistry
  readonly #parts: ProjectorParts
  readonly #checkpoints: Checkpoints
  readonly #gate = new CommitGate()
  readonly #defined = new Map<string, { readonly projector: Projector; readonly rebuilder: Rebuilder }>()
  #inline: readonly Projection[] = []
  /** Inline ones of an earlier run that nobody has defined yet: what they miss has to be known when somebody does. */
  readonly #dormant = new Set<string>()
  #supervisor: Supervisor | undefined

  constructor(engine: Engine, registry: EventRegistry, bucketOf: (name: string) => Bucket) {
    this.#engine = engine
    this.#registry = registry
    this.#checkpoints = new Checkpoints(engine)
    const world = { runtime: engine.options.runtime, registry }
    this.#parts = { engine, world, checkpoints: this.#checkpoints, gate: this.#gate, bucketOf }
  }

  /** Takes over what is known of projections of an earlier run. */
  async start(): Promise<void> {
    if (!this.#checkpoints.isStored) return
    await this.#checkpoints.open()
    this.#checkpoints.forEach(({ name, isLive }) => void (isLive && this.#dormant.add(name)))
    const { catalog } = this.#engine
    catalog.ownerOf = (bucket) => this.#storedOwner(bucket)
    for (const bucket of catalog.buckets) bucket.owner = this.#storedOwner(bucket.name)
  }

  /** Who has written to a bucket in an earlier run, where that is not defined in this one. */
  #storedOwner(bucket: string): BucketOwner | undefined {
    let owner: BucketOwner | undefined
    this.#checkpoints.forEach(({ name, into }) => {
      if (into.includes(bucket)) owner = this.#defined.get(name)?.projector.projection ?? new DormantOwner(name)
    })
    return owner
  }

  /**
   * Defines a projection. It begins where it has stopped. A new one is made of the log; one whose definition has changed is made anew.
   *
   * @throws {ProjectionDefinitionError} @throws {ProjectionGapError} it was not taken.
   */
  async define(name: string, options: ProjectionOptions): Promise<void> {
    const projection = new Projection(name, options)
    if (this.#defined.has(name)) throw new ProjectionDefinitionError(name, 'it is defined already')
    const known = <T>(option: string, find: () => T): T => {
      try {
        return find()
      } catch (cause) {
        if (!(cause instanceof EventNotDefinedError || cause instanceof BucketNotDefinedError)) throw cause
        const [problem] = cause.message.split(';')
        throw new ProjectionDefinitionError(name, `${option}: ${problem}`, { cause })
      }
    }
    for (const type of projection.from) if (!type.endsWith('*')) known('from', () => this.#registry.must(type))
    const buckets = projection.into.map((bucket) => known('into', () => this.#ownable(name, bucket)))
    const projector = new Projector(projection, this.#parts)
    const rebuilder = new Rebuilder(projection, this.#parts, projector)
    this.#defined.set(name, { projector, rebuilder })
    for (const bucket of buckets) bucket.owner = projection
    try {
      await this.#checkpoints.open()
      await this.#checkpoints.ready()
      for (const bucket of buckets) await bucket.whenReady()
      await this.#enrol(projector, buckets)
      this.#dormant.delete(name)
      await this.#warnOfLoss(projection)
      if (projection.mode === 'inline') this.#inline = [...this.#inline, projection]
      await this.#supervise(projector, rebuilder)
    } catch (error) {
      this.#defined.delete(name)
      for (const bucket of buckets) bucket.owner = this.#storedOwner(bucket.name)
      throw error
    }
  }

  /** One whose definition has changed is made anew without being asked, of what is there. */
  async #warnOfLoss(projection: Projection): Promise<void> {
    if (!isOutdated(this.#checkpoints.get(projection.name) as Checkpoint, projection)) return
    const loss = await this.#loses(projection, LOSS_TOLD)
    if (loss !== undefined) this.#engine.options.onError(loss)
  }

  /**
   * Forgets a projection, defined or not. Its buckets stay as they are, and are everybody's.
   *
   * @throws {ProjectionNotDefinedError} there is none, in this run or an earlier one; nothing was done.
   */
  async drop(name: string): Promise<void> {
    const stored = this.#checkpoints.get(name)
    if (stored === undefined) throw new ProjectionNotDefinedError(String(name))
    this.#engine.sequencer.mustTakeWrites()
    await this.#end(name)
    try {
      await this.#checkpoints.ready()
      await dropShadows(this.#engine, stored)
      const head = { type: 'store/projection', data: Object.freeze({ projection: name }) }
      await this.#checkpoints.commit(head, (transaction) => this.#checkpoints.remove(transaction, name))
      await this.#engine.sequencer.settled()
    } finally {
      for (const bucket of this.#engine.catalog.buckets) {
        if (bucket.owner?.name === name) bucket.owner = this.#storedOwner(bucket.name)
      }
    }
    if (this.#checkpoints.get(name) === undefined) this.#dormant.delete(name)
    else throw new StorageError(`dropProjection("${name}"): it could not be written; drop it again`)
  }

  /** From here on it takes in nothing: as if it were not defined in this run. */
  async #end(name: string): Promise<void> {
    const { projector, rebuilder } = this.#defined.get(name) ?? {}
    if (projector === undefined || rebuilder === undefined) return
    this.#defined.delete(name)
    this.#inline = this.#inline.filter((one) => one !== projector.projection)
    if (this.#checkpoints.get(name)?.isLive === true) this.#dormant.add(name)
    const error = new ProjectionNotDefinedError(name)
    await this.#supervisor?.terminateChild(rebuilder.process.name, error)
    await this.#supervisor?.terminateChild(projector.process.name, error)
    rebuilder.end(error)
    projector.end()
  }

  async #supervise(projector: Projector, rebuilder: Rebuilder): Promise<void> {
    if (this.#supervisor === undefined) {
      // How often one is tried again is for its policy to say.
      const intensity = { max: Number.POSITIVE_INFINITY, withinMs: 60_000 }
      const { runtime, onError } = this.#engine.options
      const onEvent = ({ error }: { readonly error?: Error | undefined }): void => error && onError(error)
      this.#supervisor = new Supervisor({ name: 'projections', intensity, onEvent }, runtime)
      await this.#engine.supervise(this.#supervisor)
    }
    await this.#supervisor.startChild(projector.process)
    await this.#supervisor.startChild(rebuilder.process)
  }

  /** The bucket, if a projection can keep it. */
  #ownable(projection: string, name: string): Bucket {
    const bucket = this.#parts.bucketOf(name)
    const { ttl, maxSize, sourced } = bucket.definition
    const refuse = (problem: string): never => {
      throw new ProjectionDefinitionError(projection, `into: bucket "${name}" ${problem}`)
    }
    const { owner } = bucket
    if (owner !== undefined && owner.name !== projection) {
      refuse(`is written by projection "${owner.name}", which store.dropProjection would give up`)
    }
    if (!bucket.persistent) refuse('is not stored, so that it would not agree with how far the projection has got')
    if (sourced === true) refuse('is sourced: its writes would be events themselves')
    if (ttl !== undefined || maxSize !== undefined) {
      refuse('loses records by itself (ttl, maxSize), so that it is no function of events; delete them in apply')
    }
    return bucket
  }

  /** Sees to it that there is a checkpoint which says what is left to do. */
  async #enrol({ projection, head }: Projector, buckets: readonly Bucket[]): Promise<void> {
    const { name, version, from, into, mode } = projection
    const stored = this.#checkpoints.get(name)
    for (const bucket of buckets) {
      if (stored?.into.includes(bucket.name) === true || bucket.table.size === 0) continue
      const problem = `into: bucket "${bucket.name}" has ${bucket.table.size} records that it has not made; clear it first`
      throw new ProjectionDefinitionError(name, problem)
    }
    if (stored === undefined) await this.#mustBeComplete(projection)
    await this.#checkpoints.commit(head, (transaction) => {
      const { visible } = this.#engine.sequencer.position
      const put = (checkpoint: Checkpoint): void => this.#checkpoints.put(transaction, checkpoint)
      const known = this.#checkpoints.read(transaction, name)
      if (known === undefined) {
        // Numbers that were given before it was there are none of its own.
        for (const bucket of buckets) if (bucket.table.counter > 0) transaction.setCounter(bucket, 0)
        put({ name, version, from, into, seq: 0, isLive: mode === 'inline' && visible === 0, skipped: 0 })
      } else if (known.isLive && (mode === 'async' || isOutdated(known, projection))) {
        // Nothing that it is made of has happened since, or that would be written here.
        put({ ...known, seq: visible, isLive: false })
      }
    })
    await this.#engine.sequencer.settled()
    if (this.#checkpoints.get(name) !== undefined) return
    throw new StorageError(`defineProjection("${name}"): it could not be written; it was not taken`)
  }

  /** @throws {ProjectionGapError} the log does not begin at its first entry any more. */
  async #mustBeComplete({ name, history }: Projection): Promise<void> {
    if (history === 'kept') return
    const first = await this.#firstSeq()
    if (first > 1) throw new ProjectionGapError(name, 1, first - 1)
  }

  async #firstSeq(): Promise<number> {
    await this.#engine.sequencer.settled()
    const { visible } = this.#engine.sequencer.position
    const { seq = visible + 1 } = (await entryAfter(this.#engine.options, 0)) ?? {}
    return seq
  }

  /** What a projection may do without when it begins, it would lose when it is made anew. */
  async #loses({ name, history }: Projection, next: string): Promise<ProjectionGapError | undefined> {
    if (history !== 'kept') return undefined
    const first = await this.#firstSeq()
    return first > 1 ? new ProjectionGapError(name, 1, first - 1, next) : undefined
  }

  get isIdle(): boolean {
    return this.#inline.length === 0 && this.#dormant.size === 0 && this.#gate.closed === undefined
  }

  waits(transaction: Transaction, events: readonly SubEvent[]): Promise<unknown> | undefined {
    if (this.#gate.closed !== undefined) return this.#gate.closed
    if (this.#inline.length === 0 && this.#dormant.size === 0) return undefined
    // A transaction waits for the buckets that it has looked at.
    transaction.overlay(this.#checkpoints.bucket)
    for (const projection of this.#inline) {
      if (!projection.takesAny({ events })) continue
      for (const name of projection.into) transaction.overlay(this.#parts.bucketOf(name))
    }
    return undefined
  }

  complete(transaction: Transaction, group: EventGroup, entry: EntryPlace | undefined): void {
    const { sequencer, report } = this.#engine
    const seq = sequencer.nextSeq
    const place = entry ?? { seq, id: `${report.logId}-${seq}` }
    for (const projection of this.#inline) {
      if (this.#checkpoints.get(projection.name)?.isLive === true && projection.takesAny(group)) {
        this.#project(projection, transaction, group, place)
      }
    }
    for (const name of this.#dormant) {
      const stored = this.#checkpoints.get(name)
      if (stored?.isLive !== true) continue
      let isMissed = false
      visitEvents(group, ({ type }) => void (isMissed ||= matchesType(stored.from, type)))
      if (isMissed) this.#checkpoints.put(transaction, { ...stored, isLive: false, seq: place.seq - 1 })
    }
  }

  #project(projection: Projection, transaction: Transaction, group: EventGroup, place: EntryPlace): void {
    const run = new ProjectionRun(projection, transaction, this.#parts.world, this.#parts.bucketOf)
    try {
      run.take(group, place)
    } catch (error) {
      const [first] = group.events
      const path = first === undefined || first.type === run.type ? [run.type] : [first.type, run.type]
      throw new EventFailedError('project', projection.name, path, error)
    }
  }

  /** Name of a projection, defined in this run or an earlier one, that takes in events of `type`. */
  takerOf(type: string): string | undefined {
    let taker: string | undefined
    for (const [name, { projector }] of this.#defined) if (projector.projection.takes(type)) taker ??= name
    this.#checkpoints.forEach(({ name, from }) => {
      if (!this.#defined.has(name) && matchesType(from, type)) taker ??= name
    })
    return taker
  }

  /** The first entry that one of them has to read yet. One that stands still does not keep the log for itself. */
  get needed(): number | undefined {
    let first = Number.POSITIVE_INFINITY
    for (const { projector, rebuilder } of this.#defined.values()) {
      const { seq = 0, isLive = false } = this.#checkpoints.get(projector.projection.name) ?? {}
      // What is stored counts: that is where the next run begins.
      if (!isLive && stateOf(projector, rebuilder) !== 'halted') first = Math.min(first, seq + 1)
      first = Math.min(first, rebuilder.needed ?? first)
    }
    return Number.isFinite(first) ? first : undefined
  }

  /** What is known about each. */
  get stats(): ProjectionStats[] {
    const { visible } = this.#engine.sequencer.position
    return Array.from(this.#defined.values(), ({ projector, rebuilder }) => {
      const { projection, position, error } = projector
      const { name, mode, version } = projection
      const state = stateOf(projector, rebuilder)
      const { skipped = 0 } = this.#checkpoints.get(name) ?? {}
      const { progress: rebuild } = rebuilder
      const lag = Math.max(0, visible - position)
      return { name, mode, version, state, position, lag, skipped, error: error ?? rebuilder.error, rebuild }
    })
  }

  /** Resolves when all have taken in everything that is written now, or stand still. */
  async settled(): Promise<void> {
    const all = [...this.#defined.values()]
    await Promise.all(all.map(({ rebuilder }) => rebuilder.settled()))
    await Promise.all(all.map(({ projector }) => projector.settled()))
  }

  /** Lets one that stands still try again. @throws {ProjectionNotDefinedError} */
  resume(name: string): void {
    const { projector, rebuilder } = this.#must(name)
    projector.resume()
    rebuilder.resume()
  }

  /** Makes the buckets of a projection anew; see `Rebuild`. */
  async rebuild(name: string, options: RebuildOptions = {}): Promise<RebuildReport> {
    if (typeof options !== 'object' || options === null) {
      throw new InvalidArgumentError('rebuild(name, options)', 'an object { onProgress, signal, fromKept }', options)
    }
    const { onProgress, signal, fromKept = false } = options
    if (typeof fromKept !== 'boolean') {
      throw new InvalidArgumentError('rebuild(name, { fromKept })', 'true or false', fromKept)
    }
    if (onProgress !== undefined && typeof onProgress !== 'function') {
      throw new InvalidArgumentError('rebuild(name, { onProgress })', 'a function', onProgress)
    }
    checkSignal('rebuild(name, { signal })', signal)
    const { rebuilder, projector } = this.#must(name)
    const loss = fromKept ? undefined : await this.#loses(projector.projection, LOSS_REFUSED)
    if (loss !== undefined) throw loss
    return rebuilder.ask(options)
  }

  #must(name: string): { readonly projector: Projector; readonly rebuilder: Rebuilder } {
    const found = this.#defined.get(name)
    if (found === undefined) throw new ProjectionNotDefinedError(String(name))
    return found
  }
}

/** One whose buckets are of another definition stands still where they cannot be made anew. */
function stateOf(projector: Projector, { error }: Rebuilder): ProjectionState {
  return projector.state === 'rebuilding' && error !== undefined ? 'halted' : projector.state
}
