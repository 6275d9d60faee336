import type { Bucket } from '../commit/bucket.js'
import { TransactionEndedError } from '../commit/errors.js'
import type { Transaction } from '../commit/transaction.js'
import type { Reads } from '../query/reads.js'
import type { ResultTarget } from './apply-result.js'
import { askable, EventFailedError } from './errors.js'
import type { EventPhase } from './errors.js'
import type { EventParts } from './event-parts.js'
import type { NamedHandlers } from './event-registry.js'
import { HandlerView } from './handler-context.js'
import { mustNotWait } from './promises.js'
import { RunningEvent } from './running-event.js'
import type { EventRoot } from './running-event.js'
import { SeededRuntime } from './seeded-stream.js'
import { prepareSourced } from './sourced-events.js'
import type { PreparedWrite } from './sourced-events.js'
import type { GivenWrite } from './sourced-write.js'

/** Runs the handlers of the events of one transaction, and says of what fails where that was. */
export class Handling {
  readonly #parts: EventParts
  readonly #transaction: Transaction
  readonly #root: EventRoot
  /** That say already where it was. Those of other events do not say it of this one. */
  readonly #failures = new WeakSet<EventFailedError>()

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
    const once = (): T => mustNotWait(`what ${phase} returns`, run(view()))
    const found: string[] = []
    try {
      return this.guarded(phase, name, event, () => {
        const { isRunning, attempt: before } = pure
        pure.isRunning = true
        pure.attempt = undefined
        try {
          if (guard !== undefined) this.#root.seed.draw()
          const result = guard === undefined ? once() : guard.watch(once, found)
          // Also where it did not look at what became of it.
          const { attempt } = this.#parts.pure
          if (attempt !== undefined) throw attempt
          return result
        } finally {
          pure.isRunning = isRunning
          pure.attempt = before
        }
      })
    } finally {
      // Who is told may dispatch, and ask for the time.
      guard?.report(event.type, phase, name, found)
    }
  }

  /**
   * The write that an event of a sourced bucket is, checked and not done. The data of the event is complete from here on: what handlers see
   * is what the log has.
   */
  sourced(event: RunningEvent, bucket: string, target: ResultTarget, given: GivenWrite | undefined): PreparedWrite {
    const source = this.world(event, 'apply', 0)
    const write = this.guarded('apply', undefined, event, () =>
      prepareSourced(target, bucket, event.data, source, given),
    )
    event.data = write.data
    return write
  }

  #reads(name: string): Reads<never> {
    if (this.#transaction.isOver) throw new TransactionEndedError(name, `view.bucket("${name}")`)
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

  /** @throws {EventFailedError} caused by `thrown`, unless that is one of this transaction. */
  fail(phase: EventPhase, reducer: string | undefined, at: RunningEvent | readonly string[], thrown: unknown): never {
    const cause = askable(thrown)
    if (cause instanceof EventFailedError && this.#failures.has(cause)) throw cause
    const error = new EventFailedError(phase, reducer, at instanceof RunningEvent ? at.path : at, cause)
    this.#failures.add(error)
    throw error
  }
}
