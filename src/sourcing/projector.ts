import { asError } from '../base/errors.js'
import type { Bucket } from '../commit/bucket.js'
import type { Transaction } from '../commit/transaction.js'
import type { Engine } from '../engine.js'
import { Process } from '../supervise/process.js'
import type { Checkpoint, Checkpoints } from './checkpoints.js'
import { isOutdated } from './checkpoints.js'
import type { CommitGate } from './commit-gate.js'
import { refusalOf } from './store-refusal.js'
import { LogFollower, NEAR_ENTRIES } from './log-follower.js'
import type { FollowTarget } from './log-follower.js'
import type { Projection } from './projection.js'
import type { ProjectionWorld } from './projection-run.js'
import { maySkip, ProjectionFailedError, ProjectionGapError } from './projection-errors.js'

/** What projectors have in common. */
export interface ProjectorParts {
  readonly engine: Engine
  readonly world: ProjectionWorld
  readonly checkpoints: Checkpoints
  readonly gate: CommitGate
  /** @throws {BucketNotDefinedError} */
  readonly bucketOf: (name: string) => Bucket
}

/** What a projection is doing. */
export type ProjectionState = 'running' | 'building' | 'retrying' | 'halted' | 'rebuilding'

/**
 * Brings the buckets of a projection to where the log is: those of an async one again and again, those of an inline one until it has
 * everything, when commits of events take over.
 *
 * An event that fails crashes the process, and its supervisor starts it again; when that has been of no use, it stands still.
 */
export class Projector implements FollowTarget {
  readonly projection: Projection
  readonly process: Process
  readonly head: { readonly type: string; readonly data: { readonly projection: string } }
  readonly #parts: ProjectorParts
  #follower: LogFollower | undefined
  #isRunning = false
  #work: Promise<void> | undefined
  #unlisten: (() => void) | undefined
  /** Failures at the same place, one after the other. */
  #failures = 0
  #failedAt = 0
  #error: Error | undefined
  #isHalted = false
  #settling: (() => void)[] = []

  constructor(projection: Projection, parts: ProjectorParts) {
    this.projection = projection
    this.#parts = parts
    this.head = Object.freeze({ type: 'store/projection', data: Object.freeze({ projection: projection.name }) })
    const { runtime } = parts.engine.options
    const name = `projection:${projection.name}`
    this.process = new Process({ name, start: () => this.#start(), stop: () => this.#stop() }, runtime)
  }

  async #start(): Promise<void> {
    await this.#parts.checkpoints.ready()
    this.#follower = new LogFollower(this.#parts.engine, this.#parts.world, this.projection, this)
    this.#isRunning = true
    // Commits of events see to one that has everything.
    if (!this.#checkpoint.isLive) this.#unlisten = this.#parts.engine.onPosition(() => this.wake())
    this.wake()
  }

  async #stop(): Promise<void> {
    this.#isRunning = false
    this.#unlisten?.()
    await this.#work
    this.#settle()
  }

  get #checkpoint(): Checkpoint {
    return this.#parts.checkpoints.get(this.projection.name) as Checkpoint
  }

  /** See `FollowTarget`. */
  stored(): number {
    return this.#checkpoint.seq
  }

  /** See `FollowTarget`. */
  bucketOf(name: string): Bucket {
    return this.#parts.bucketOf(name)
  }

  /** See `FollowTarget`. */
  store(transaction: Transaction, seq: number, skipped: number): void {
    const { checkpoints } = this.#parts
    const stored = checkpoints.read(transaction, this.projection.name) as Checkpoint
    checkpoints.put(transaction, { ...stored, seq, skipped: stored.skipped + skipped })
  }

  /** See `FollowTarget`. */
  skips(seq: number): boolean {
    const { onFailure, retries } = this.projection.policy
    return onFailure === 'skip' && (this.#failedAt === seq ? this.#failures : 0) >= retries
  }

  /** The last entry that it has taken in, or need not. */
  get position(): number {
    const { isLive } = this.#checkpoint
    if (isLive) return this.#parts.engine.sequencer.position.visible
    return Math.max(this.#follower?.position ?? 0, this.#checkpoint.seq)
  }

  get error(): Error | undefined {
    return this.#error
  }

  get state(): ProjectionState {
    const { isLive } = this.#checkpoint
    if (this.#isHalted) return 'halted'
    if (this.#error !== undefined) return 'retrying'
    if (isOutdated(this.#checkpoint, this.projection)) return 'rebuilding'
    return this.projection.mode === 'inline' && !isLive ? 'building' : 'running'
  }

  /** Whether there is nothing to do: it has everything, or stands still, or is replaced by what is being rebuilt. */
  get #isIdle(): boolean {
    if (this.#isHalted || isOutdated(this.#checkpoint, this.projection)) return true
    if (this.projection.mode === 'inline') return this.#checkpoint.isLive
    return this.position >= this.#parts.engine.sequencer.position.visible
  }

  /** Goes on where there is something to do. */
  wake(): void {
    if (!this.#isRunning || this.#work !== undefined || this.#parts.checkpoints.bucket.process.state !== 'running')
      return
    if (this.#checkpoint.isLive) this.#unlisten?.()
    if (this.#isIdle) return this.#settle()
    this.#work = this.#run().then(
      () => {
        this.#work = undefined
        this.wake()
      },
      (error: unknown) => {
        this.#work = undefined
        this.#failed(asError(error))
      },
    )
  }

  async #run(): Promise<void> {
    const { sequencer } = this.#parts.engine
    const follower = this.#follower as LogFollower
    while (this.#isRunning && !this.#isIdle) {
      const isNear = sequencer.position.visible - follower.position <= NEAR_ENTRIES
      if (this.projection.mode === 'inline' && isNear) await this.#goLive(follower)
      else await follower.step()
      if (follower.position >= this.#failedAt) {
        this.#error = undefined
        this.#failures = 0
      }
    }
  }

  /** While no event is committed, takes in the last ones; from then on commits of events do that. */
  async #goLive(follower: LogFollower): Promise<void> {
    const { engine, gate, checkpoints } = this.#parts
    await gate.hold(async () => {
      await engine.sequencer.settled()
      const last = engine.sequencer.position.visible
      while (follower.position < last && this.#isRunning) await follower.step()
      if (!this.#isRunning || isOutdated(this.#checkpoint, this.projection)) return
      await checkpoints.commit(this.head, (transaction) => {
        const stored = checkpoints.read(transaction, this.projection.name) as Checkpoint
        checkpoints.put(transaction, { ...stored, seq: last, isLive: true })
      })
    })
  }

  #failed(error: Error): void {
    if (!this.#isRunning || this.#parts.engine.isStopped) return
    const at = error instanceof ProjectionFailedError ? error.seq : (this.#follower?.position ?? 0) + 1
    this.#failures = at === this.#failedAt ? this.#failures + 1 : 1
    this.#failedAt = at
    const refusal = refusalOf(this.#parts.engine)
    this.#error = refusal ?? error
    const { retries, onFailure } = this.projection.policy
    // A storage that cannot write may be able to later; what has left the log does not come back.
    const isStuck = onFailure === 'halt' || !maySkip(error.cause)
    const isLast = error instanceof ProjectionFailedError && this.#failures > retries && isStuck
    this.#isHalted = isLast || error instanceof ProjectionGapError || refusal !== undefined
    if (this.#isHalted) {
      this.#parts.engine.options.onError(this.#error)
      this.#settle()
    } else this.process.kill(error)
  }

  /** Tries again after it has come to stand still. */
  resume(): void {
    this.#isHalted = false
    this.#failures = 0
    this.wake()
  }

  /** Its buckets were replaced by what was rebuilt. */
  replaced(): void {
    this.#error = undefined
    this.resume()
  }

  /** Resolves when it has taken in everything that is written now, or stands still. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#settling.push(resolve)
      this.wake()
    })
  }

  #settle(): void {
    if (this.#isIdle || this.#parts.engine.isStopped) this.end()
  }

  /** Nobody has to wait for it any more. */
  end(): void {
    for (const resolve of this.#settling.splice(0)) resolve()
  }
}
