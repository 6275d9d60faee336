import { assert } from '../base/assert.js'
import { asError, VarveError } from '../base/errors.js'
import type { Timer } from '../base/runtime.js'
import type { Bucket } from '../commit/bucket.js'
import { TransactionConflictError } from '../commit/errors.js'
import type { Engine } from '../engine.js'
import { insertIn, updateIn } from '../commit/transaction-writes.js'
import type { Entry, EventData, SubEvent } from '../log/entry.js'
import { deepFreeze } from '../schema/copy-value.js'
import type { BucketDefinition } from '../schema/definition.js'
import { Process } from '../supervise/process.js'
import type { DomainEvent } from './event-definition.js'
import type { EventRegistry } from './event-registry.js'
import { ProjectionGapError } from './projection.js'
import type { Projection, ProjectionStats } from './projection.js'

/** Name of the bucket that nobody sees, with how far each projection has got. */
export const CHECKPOINTS = 'varve/projections'
/** Its definition. */
export const CHECKPOINTS_DEFINITION: BucketDefinition = {
  key: 'name',
  schema: { name: { type: 'string', required: true }, seq: { type: 'number', required: true } },
}

/** Entries that are read, and taken in in one commit, at a time. */
const BATCH_ENTRIES = 500
/** A checkpoint is written after so many entries of no interest: they need not be read again at the next start. */
const SKIPPED_MAX = 2_000
const RETRY_MS = 1_000
const RETRY_MS_MAX = 60_000

/**
 * A projection that follows the log: takes in each event once, because how far it has got is written in the commit that
 * has its effects.
 *
 * Holds EV4: events are taken in in the order of the log, each once.
 */
export class Projector {
  readonly #engine: Engine
  readonly #registry: EventRegistry
  readonly #projection: Projection
  readonly #checkpoints: Bucket
  readonly #bucketOf: (name: string) => Bucket
  readonly process: Process
  /** The last entry that was looked at. What is stored may be behind, by entries of no interest. */
  #position = 0
  #isRunning = false
  #run: Promise<void> | undefined
  #unlisten: (() => void) | undefined
  #timer: Timer | undefined
  #failures = 0
  #error: Error | undefined
  #settling: (() => void)[] = []

  constructor(
    engine: Engine,
    registry: EventRegistry,
    projection: Projection,
    checkpoints: Bucket,
    bucketOf: (name: string) => Bucket,
  ) {
    this.#engine = engine
    this.#registry = registry
    this.#projection = projection
    this.#checkpoints = checkpoints
    this.#bucketOf = bucketOf
    const { runtime } = engine.options
    const name = `projection:${projection.name}`
    this.process = new Process({ name, start: () => this.#start(), stop: () => this.#stop() }, runtime)
  }

  #start(): void {
    this.#position = this.#stored
    this.#isRunning = true
    this.#error = undefined
    this.#failures = 0
    this.#unlisten = this.#engine.onPosition(() => this.#wake())
    this.#wake()
  }

  async #stop(): Promise<void> {
    this.#isRunning = false
    this.#unlisten?.()
    this.#timer?.cancel()
    this.#timer = undefined
    await this.#run
    for (const resolve of this.#settling.splice(0)) resolve()
  }

  get #stored(): number {
    return (this.#checkpoints.table.get(this.#projection.name)?.seq as number | undefined) ?? 0
  }

  get stats(): ProjectionStats {
    const { name, mode } = this.#projection
    const lag = Math.max(0, this.#engine.sequencer.position.durable - this.#position)
    return { name, mode, position: this.#position, lag, error: this.#error }
  }

  /** Resolves when it has taken in everything that was durable when it was asked, or does not go on. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#settling.push(resolve)
      this.#settle()
    })
  }

  #settle(): void {
    const isBehind = this.#position < this.#engine.sequencer.position.durable
    if (this.#isRunning && isBehind && this.#error === undefined) return
    for (const resolve of this.#settling.splice(0)) resolve()
  }

  #wake(): void {
    if (!this.#isRunning || this.#run !== undefined || this.#timer !== undefined) return
    if (this.#position >= this.#engine.sequencer.position.durable) return this.#settle()
    this.#run = this.#catchUp().then(
      () => {
        this.#run = undefined
        this.#wake()
      },
      (error: unknown) => {
        this.#run = undefined
        this.#failed(asError(error))
      },
    )
  }

  #failed(error: Error): void {
    if (!this.#isRunning || this.#engine.isStopped) return
    this.#position = this.#stored
    this.#error = error
    this.#engine.options.onError(error)
    this.#settle()
    // What has left the log does not come back.
    if (error instanceof ProjectionGapError) return
    const ms = Math.min(RETRY_MS * 2 ** this.#failures++, RETRY_MS_MAX)
    this.#timer = this.#engine.options.runtime.setTimer(ms, () => {
      this.#timer = undefined
      this.#wake()
    })
  }

  /** Takes in what there is, a batch at a time. */
  async #catchUp(): Promise<void> {
    while (this.#isRunning && this.#position < this.#engine.sequencer.position.durable) {
      const entries: Entry[] = []
      const options = { limit: BATCH_ENTRIES }
      for await (const entry of this.#engine.options.storage.readLog(this.#position, options)) entries.push(entry)
      const [first, last] = [entries[0], entries.at(-1)]
      if (first === undefined || last === undefined) {
        this.#position = this.#engine.sequencer.position.durable
        return
      }
      if (this.#stored > 0 && first.seq > this.#position + 1) {
        throw new ProjectionGapError(this.#projection.name, this.#position, first.seq)
      }
      const events = entries.flatMap((entry) => this.#eventsOf(entry))
      if (events.length > 0 || last.seq - this.#stored > SKIPPED_MAX) await this.#takeAll(events, last.seq)
      assert(last.seq > this.#position, 'EV4', () => `${last.seq} comes after ${this.#position}`)
      this.#position = last.seq
      this.#error = undefined
      this.#failures = 0
    }
  }

  /** One commit: what the events change, and that they were taken in. */
  async #takeAll(events: readonly DomainEvent[], seq: number): Promise<void> {
    const { transactions } = this.#engine
    for (let attempt = 0; ; attempt++) {
      const transaction = transactions.begin()
      transaction.head = { type: 'store/projection', data: Object.freeze({ name: this.#projection.name, seq }) }
      try {
        for (const event of events) this.#projection.take(event, transaction, this.#bucketOf)
        const { name } = this.#projection
        const overlay = transaction.overlay(this.#checkpoints)
        const stored = overlay.get(name)?.seq as number | undefined
        transaction.readSet.readKey(CHECKPOINTS, name)
        assert((stored ?? 0) < seq, 'EV4', () => `projection ${name} has taken in ${stored}, and ${seq} again`)
        if (stored === undefined) insertIn(transaction, overlay, { name, seq })
        else updateIn(transaction, overlay, name, { seq })
        await transactions.commit(transaction, {})
        return
      } catch (error) {
        if (!(error instanceof TransactionConflictError) || transaction.conflict === undefined) throw error
      } finally {
        transactions.end(transaction)
      }
      await transactions.pause(attempt)
    }
  }

  /** The events of an entry that the projection is made of, in the order in which they were handled. */
  #eventsOf({ type, data, at, meta, event }: Entry): DomainEvent[] {
    if (event === undefined) return []
    const found: DomainEvent[] = []
    const visit = (one: SubEvent, depth: number): void => {
      if (this.#projection.from.has(one.type)) {
        const { version, data: own } = this.#current(one)
        found.push(Object.freeze({ type: one.type, version, data: own, at: event.at ?? at, meta, depth }))
      }
      for (const sub of one.events ?? []) visit(sub, depth + 1)
    }
    const { version, events } = event
    visit({ type, ...(version && { version }), ...(data && { data }), ...(events && { events }) }, 0)
    return found
  }

  /** An event of the log, brought to the version of now. Frozen: the log's own may not be. */
  #current({ type, version = 1, data = {} }: SubEvent): { readonly version: number; readonly data: EventData } {
    try {
      const definition = this.#registry.find(type)
      if (definition === undefined || definition.version === version) return { version, data: deepFreeze(data) }
      return { version: definition.version, data: deepFreeze(this.#registry.upcast(definition, data, version)) }
    } catch (error) {
      if (error instanceof VarveError) throw error
      throw new VarveError(
        'UPCAST',
        `event "${type}" of version ${version}: upcast failed: ${asError(error).message}`,
        {
          cause: error,
        },
      )
    }
  }
}
