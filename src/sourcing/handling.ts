import type { Bucket } from '../commit/bucket.js'
import type { Transaction } from '../commit/transaction.js'
import type { Reads } from '../query/reads.js'
import { EventFailedError } from './errors.js'
import type { EventPhase } from './errors.js'
import type { EventParts } from './event-parts.js'
import type { NamedHandlers } from './event-registry.js'
import { HandlerView } from './handler-context.js'
import { RunningEvent } from './running-event.js'
import type { EventRoot } from './running-event.js'
import { SeededRuntime } from './seeded-stream.js'

/** Runs the handlers of the events of one transaction, and says of what fails where that was. */
export class Handling {
  readonly #parts: EventParts
  readonly #transaction: Transaction
  readonly #root: EventRoot

  constructor(parts: EventParts, transaction: Transaction, root: EventRoot) {
    this.#parts = parts
    this.#transaction = transaction
    this.#root = root
  }

  /** Time and randomness of one handler of one event. */
  world(event: RunningEvent, phase: EventPhase, handler: number): SeededRuntime {
    const { seed, at } = this.#root
    return new SeededRuntime(
      this.#parts.runtime,
      () => at,
      seed,
      () => `${event.index}/${phase}/${handler}`,
    )
  }

  /** The bucket, which can answer. @throws {BucketNotDefinedError} @throws {BucketUnavailableError} */
  ready(name: string): Bucket {
    const bucket = this.#parts.bucketOf(name)
    bucket.mustBeReady()
    return bucket
  }

  /** Runs a handler that must have no effects, twice where somebody wants to know whether it has any. */
  pure<T>(event: RunningEvent, phase: EventPhase, index: number, run: (view: HandlerView) => T): T {
    const { guard, pure } = this.#parts
    const { name } = event.definition.handlers[index] as NamedHandlers
    const view = (): HandlerView => new HandlerView(this.world(event, phase, index), (bucket) => this.#reads(bucket))
    return this.guarded(phase, name, event, () => {
      const outer = pure.isRunning
      pure.isRunning = true
      try {
        if (guard === undefined) return run(view())
        this.#root.seed.draw()
        return guard.watch(event.type, phase, name, () => run(view()))
      } finally {
        pure.isRunning = outer
      }
    })
  }

  #reads(name: string): Reads<never> {
    return this.#transaction.reads(this.ready(name))
  }

  /** What `work` returns. @throws {EventFailedError} it has failed. */
  guarded<T>(phase: EventPhase, reducer: string | undefined, at: RunningEvent | readonly string[], work: () => T): T {
    try {
      return work()
    } catch (error) {
      return this.fail(phase, reducer, at, error)
    }
  }

  /** @throws {EventFailedError} caused by `error`, unless that is one. */
  fail(phase: EventPhase, reducer: string | undefined, at: RunningEvent | readonly string[], error: unknown): never {
    if (error instanceof EventFailedError) throw error
    throw new EventFailedError(phase, reducer, at instanceof RunningEvent ? at.path : at, error)
  }
}
