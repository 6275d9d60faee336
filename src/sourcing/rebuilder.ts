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

  /** Why the buckets are not of the definition, where they are not and nothing is done about it. */
  get error(): Error | undefined {
    return this.#error
  }

  async #start(): Promise<void> {
    await this.#parts.checkpoints.ready()
    this.#isRunning = true
    this.#wake()
  }

  async #stop(): Promise<void> {
    this.#isRunning = false
    await this.#work
    if (!this.#parts.engine.isStopped) return
    const error = new StoreStoppedError(this.#parts.engine.options.name)
    for (const { reject } of this.#asked.splice(0)) reject(error)
    this.#settle()
  }

  /** Makes the buckets anew. One that is under way already is joined. */
  ask(options: RebuildOptions): Promise<RebuildReport> {
    return new Promise((resolve, reject) => {
      if (this.#parts.engine.isStopped) return reject(new StoreStoppedError(this.#parts.engine.options.name))
      this.#asked.push({ options, resolve, reject })
      this.#error = undefined
      this.#wake()
    })
  }

  /** Tries again what has failed. */
  resume(): void {
    this.#error = undefined
    this.#wake()
  }

  get #isDue(): boolean {
    if (this.#asked.length > 0) return true
    const { checkpoints } = this.#parts
    const stored = checkpoints.get(this.#projection.name) as Checkpoint
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
    const isGivenUp = (): boolean =>
      this.#asked.length > 0 && this.#asked.every(({ options }) => options.signal?.aborted === true)
    try {
      const report = await rebuild.run(
        {
          onProgress: (progress) => {
            this.#progress = progress
            for (const { options } of this.#asked) options.onProgress?.(progress)
            if (isGivenUp()) this.#asked[0]?.options.signal?.throwIfAborted()
          },
          ...(isGivenUp() && { signal: this.#asked[0]?.options.signal as AbortSignal }),
        },
        () => !this.#isRunning,
      )
      if (report === undefined) return
      this.#error = undefined
      this.#projector.replaced()
      for (const { resolve } of this.#asked.splice(0)) resolve(report)
    } catch (thrown) {
      if (this.#parts.engine.isStopped) return
      // The storage, or a bucket that has crashed: it goes on where it was when that is over.
      if (!this.#isOver(thrown)) throw thrown
      await rebuild.discard()
      this.#failed(thrown)
    }
  }

  /** Whether it would be of no use to go on. */
  #isOver(thrown: unknown): boolean {
    const isOwn = thrown instanceof ProjectionFailedError || thrown instanceof ProjectionGapError
    return isOwn || !(thrown instanceof VarveError)
  }

  #failed(thrown: unknown): void {
    const { engine, checkpoints } = this.#parts
    const stored = checkpoints.get(this.#projection.name) as Checkpoint
    if (isOutdated(stored, this.#projection)) this.#error = asError(thrown)
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
