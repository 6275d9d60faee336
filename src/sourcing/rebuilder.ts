import { asError, VarveError } from '../base/errors.js'
import { StoreStoppedError } from '../commit/errors.js'
import { Process } from '../supervise/process.js'
import type { Checkpoint } from './checkpoints.js'
import { isOutdated } from './checkpoints.js'
import { ProjectionFailedError, ProjectionGapError } from './projection-errors.js'
import type { Projection } from './projection.js'
import type { Projector, ProjectorParts } from './projector.js'
import { Rebuild } from './rebuild.js'
import type { RebuildOptions, RebuildProgress, RebuildReport } from './rebuild.js'
import { refusalOf } from './store-refusal.js'

interface Asked {
  readonly options: RebuildOptions
  readonly resolve: (report: RebuildReport) => void
  readonly reject: (error: unknown) => void
}

/**
 * The process that makes the buckets of a projection anew: when somebody asks for it, when the definition has changed, and when an earlier
 * run was interrupted.
 */
export class Rebuilder {
  readonly process: Process
  readonly #projection: Projection
  readonly #parts: ProjectorParts
  readonly #projector: Projector
  #isRunning = false
  #work: Promise<void> | undefined
  #progress: RebuildProgress | undefined
  #error: Error | undefined
  #asked: Asked[] = []
  /** Nobody is left who wants what is being made. */
  #isGivenUp = false
  /** Rejects the last one who wanted it. */
  #leave: (() => void) | undefined
  #settling: (() => void)[] = []

  constructor(projection: Projection, parts: ProjectorParts, projector: Projector) {
    this.#projection = projection
    this.#parts = parts
    this.#projector = projector
    const name = `rebuild:${projection.name}`
    this.process = new Process(
      { name, start: () => this.#start(), stop: () => this.#stop() },
      parts.engine.options.runtime,
    )
  }

  /** How far it is; undefined where nothing is being made. */
  get progress(): RebuildProgress | undefined {
    return this.#progress
  }

  /** Why nothing is made, where it would have to be. */
  get error(): Error | undefined {
    return this.#error
  }

  /** The first entry that has to be read for what is being made, or is about to be; undefined where nothing is. */
  get needed(): number | undefined {
    if (!this.#isDue) return undefined
    const { rebuild } = this.#checkpoint
    return rebuild === undefined || isOutdated(rebuild, this.#projection) ? 1 : rebuild.seq + 1
  }

  async #start(): Promise<void> {
    await this.#parts.checkpoints.ready()
    this.#isRunning = true
    this.#wake()
  }

  async #stop(): Promise<void> {
    this.#isRunning = false
    await this.#work
    if (this.#parts.engine.isStopped) this.end(new StoreStoppedError(this.#parts.engine.options.name))
  }

  /** Nothing is made any more. */
  end(error: Error): void {
    this.#leave?.()
    for (const { reject } of this.#asked.splice(0)) reject(error)
    this.#settle()
  }

  /** Makes the buckets anew. One that is under way already is joined. */
  ask(options: RebuildOptions): Promise<RebuildReport> {
    return new Promise((resolve, reject) => {
      const { isStopped, options: store, sequencer } = this.#parts.engine
      if (isStopped) throw new StoreStoppedError(store.name)
      sequencer.mustTakeWrites()
      options.signal?.throwIfAborted()
      this.#asked.push({ options, resolve, reject })
      this.#error = undefined
      this.#isGivenUp = false
      this.#leave?.()
      this.#wake()
    })
  }

  /** Tries again what has failed. */
  resume(): void {
    this.#error = undefined
    this.#wake()
  }

  get #checkpoint(): Checkpoint {
    return this.#parts.checkpoints.get(this.#projection.name) as Checkpoint
  }

  get #isDue(): boolean {
    // What is begun now would be refused at once, again and again.
    if (this.#parts.engine.isStopped) return false
    if (this.#asked.length > 0) return true
    const stored = this.#checkpoint
    return this.#error === undefined && (stored.rebuild !== undefined || isOutdated(stored, this.#projection))
  }

  #wake(): void {
    if (!this.#isRunning || this.#work !== undefined) return
    if (!this.#isDue) return this.#settle()
    this.#work = this.#run().then(
      () => {
        this.#work = undefined
        this.#progress = undefined
        this.#wake()
      },
      (bug: unknown) => {
        this.#work = undefined
        this.#progress = undefined
        this.process.kill(bug)
      },
    )
  }

  async #run(): Promise<void> {
    const rebuild = new Rebuild(this.#projection, this.#parts)
    // Who asks while it is made is answered by the same one: it has whatever is in the log when it ends.
    try {
      const report = await rebuild.run({
        progressed: (progress) => this.#tell(progress),
        isEnding: () => !this.#isRunning || this.#parts.engine.isStopped || this.#letGo(),
      })
      if (report === undefined) {
        if (this.#isGivenUp) await this.#discard(rebuild)
        return
      }
      this.#error = undefined
      this.#projector.replaced()
      for (const { resolve } of this.#asked.splice(0)) resolve(report)
    } catch (thrown) {
      if (this.#parts.engine.isStopped) return
      const refusal = refusalOf(this.#parts.engine)
      // The storage, or a bucket that has crashed: it goes on where it was when that is over.
      if (refusal === undefined && !isOver(thrown)) throw thrown
      if (refusal === undefined) await rebuild.discard()
      this.#failed(refusal ?? thrown)
    }
  }

  /** Nobody wants it any more. Who was the last to is told when nothing is left of it. */
  async #discard(rebuild: Rebuild): Promise<void> {
    const leave = this.#leave
    try {
      await rebuild.discard()
      this.#isGivenUp = false
    } finally {
      leave?.()
    }
  }

  /** Tells all who have asked how far it is. What their own functions throw ends it for them, and for nobody else. */
  #tell(progress: RebuildProgress): void {
    this.#progress = progress
    this.#reject(({ options }) => options.onProgress?.(progress))
  }

  /** Lets go of those whose signal is aborted. @returns whether nobody is left who wants it. */
  #letGo(): boolean {
    this.#reject(({ options }) => options.signal?.throwIfAborted())
    return this.#isGivenUp
  }

  /** Rejects those for whom `work` throws. Where they were the last to want it, it is given up. */
  #reject(work: (one: Asked) => void): void {
    for (const one of [...this.#asked]) {
      try {
        work(one)
      } catch (thrown) {
        this.#asked = this.#asked.filter((other) => other !== one)
        this.#isGivenUp = this.#asked.length === 0 && !isOutdated(this.#checkpoint, this.#projection)
        if (this.#isGivenUp) this.#leave = () => one.reject(thrown)
        else one.reject(thrown)
      }
    }
  }

  #failed(thrown: unknown): void {
    const { engine } = this.#parts
    const isDue = this.#checkpoint.rebuild !== undefined || isOutdated(this.#checkpoint, this.#projection)
    if (isDue) this.#error = asError(thrown)
    if (this.#asked.length === 0) engine.options.onError(asError(thrown))
    for (const { reject } of this.#asked.splice(0)) reject(thrown)
  }

  /** Resolves when nothing is being made. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#settling.push(resolve)
      if (this.#work === undefined && (!this.#isDue || !this.#isRunning)) this.#settle()
    })
  }

  #settle(): void {
    for (const resolve of this.#settling.splice(0)) resolve()
  }
}

/** Whether it would be of no use to go on. What callers have thrown does not come here. */
function isOver(thrown: unknown): boolean {
  const isOwn = thrown instanceof ProjectionFailedError || thrown instanceof ProjectionGapError
  return isOwn || !(thrown instanceof VarveError)
}
