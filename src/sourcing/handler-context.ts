import { InvalidArgumentError } from '../base/errors.js'
import type { TransactionBucketHandle } from '../commit/transaction-handle.js'
import type { Reads } from '../query/reads.js'
import type { EventTransaction, EventView, EventWorld } from './event-definition.js'
import type { SeededRuntime } from './seeded-stream.js'

/** Time and randomness of one handler of one event. */
class HandlerWorld implements EventWorld {
  readonly #world: EventWorld

  constructor(world: SeededRuntime) {
    this.#world = world
  }

  now(): number {
    return this.#world.now()
  }

  random(): number {
    return this.#world.random()
  }

  uuid(): string {
    return this.#world.uuid()
  }
}

/** What handlers without effects read with. */
export class HandlerView extends HandlerWorld implements EventView {
  readonly #reads: (bucket: string) => Reads<never>

  constructor(world: SeededRuntime, reads: (bucket: string) => Reads<never>) {
    super(world)
    this.#reads = reads
  }

  bucket(name: string): never {
    return this.#reads(name) as never
  }
}

/** What `transact` can do. */
export interface HandlerActions {
  bucket(name: string): TransactionBucketHandle
  dispatch(type: string, data: unknown): unknown
}

/** What `transact` gets. */
export class HandlerTransaction extends HandlerWorld implements EventTransaction {
  readonly #actions: HandlerActions

  constructor(world: SeededRuntime, actions: HandlerActions) {
    super(world)
    this.#actions = actions
  }

  bucket(name: string): never {
    return this.#actions.bucket(name) as never
  }

  /** Runs at once, so that events dispatched one after the other happen in that order also where nobody awaits them. */
  dispatch(type: string, data?: object): Promise<unknown> {
    if (typeof type !== 'string') return Promise.reject(new InvalidArgumentError('dispatch(type)', 'a string', type))
    const handled = started(() => this.#actions.dispatch(type, data))
    // One that fails fails the whole event, so whoever does not await it is told by that.
    handled.catch(() => undefined)
    return handled
  }
}

/** Runs `work` now; what it throws rejects like what it rejects with. */
// oxlint-disable-next-line typescript/require-await -- it turns what is thrown into a rejection
async function started(work: () => unknown): Promise<unknown> {
  return work()
}
