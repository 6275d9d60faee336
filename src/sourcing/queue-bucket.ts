import type { Bucket } from '../commit/bucket.js'
import type { Transaction } from '../commit/transaction.js'
import { deleteIn, insertIn, updateIn } from '../commit/transaction-writes.js'
import type { CommitNote } from '../commit/write-options.js'
import type { Engine } from '../engine.js'
import type { EventData } from '../log/entry.js'
import type { BucketDefinition } from '../schema/definition.js'
import { EventFailedError } from './errors.js'

/** An event in the queue, as it is kept. */
export interface QueuedEvent {
  readonly id: number
  readonly type: string
  readonly version: number
  readonly data: EventData
  readonly meta?: EventData
  /** When it happened. */
  readonly at: number
  readonly lane?: string
  readonly state: 'waiting' | 'parked'
  /** Attempts that have failed. */
  readonly attempts: number
  /** It is not handled before. */
  readonly dueAt: number
  /** What failed last: phase, reducer, path, name, message and code of the error. */
  readonly error?: EventData
}

/** The one that its commit was to take out of the queue is not there any more. */
export class GoneError extends Error {}

const BUCKET = 'varve/queue'
const DEFINITION: BucketDefinition = {
  key: 'id',
  schema: {
    id: { type: 'number', generated: 'autoincrement' },
    type: { type: 'string', required: true },
    version: { type: 'number', required: true },
    data: { type: 'object', required: true },
    meta: { type: 'object' },
    at: { type: 'number', required: true },
    lane: { type: 'string' },
    state: { type: 'string', enum: ['waiting', 'parked'], required: true },
    attempts: { type: 'number', required: true },
    dueAt: { type: 'number', required: true },
    error: { type: 'object' },
  },
}

/** The events of a queue, as they are stored: in a bucket that nobody sees. Each change of it is a commit. */
export class QueueBucket {
  readonly #engine: Engine
  #bucket: Bucket | undefined

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Whether there are events of an earlier run. */
  get isStored(): boolean {
    return this.#engine.report.buckets.some(({ bucket }) => bucket === BUCKET)
  }

  /** Defines the bucket; before that there is nothing in it. */
  async open(): Promise<void> {
    const { bucket, loaded } = this.#engine.catalog.define(BUCKET, DEFINITION, true)
    await loaded
    this.#bucket = bucket
  }

  /** The event of this id. */
  get(id: number): QueuedEvent | undefined {
    return this.#bucket?.table.get(id) as QueuedEvent | undefined
  }

  /** How many there are. */
  get size(): number {
    return this.#bucket?.table.size ?? 0
  }

  /** Calls `visit` for each, in the order in which they came. */
  forEach(visit: (event: QueuedEvent) => void): void {
    this.#bucket?.table.forEach(({ record }) => visit(record as unknown as QueuedEvent))
  }

  /** Adds an event, when that is durable. */
  async add(event: Omit<QueuedEvent, 'id'>, note: CommitNote): Promise<QueuedEvent> {
    const added = await this.#write('store/enqueue', note, (transaction, bucket) =>
      insertIn(transaction, transaction.overlay(bucket), event),
    )
    return added as unknown as QueuedEvent
  }

  /** Changes what is kept of an event. */
  async change(id: number, changes: Partial<QueuedEvent>): Promise<void> {
    await this.#write('store/queue', {}, (transaction, bucket) =>
      updateIn(transaction, transaction.overlay(bucket), id, changes),
    )
  }

  /** Takes an event out of the queue, in a commit of its own: it is not handled. */
  async remove(id: number): Promise<void> {
    await this.#write('store/queue', {}, (transaction, bucket) => {
      deleteIn(transaction, transaction.overlay(bucket), id)
    })
  }

  /** Takes an event out of the queue, as a part of the commit that has its effects. */
  take(transaction: Transaction, id: number): void {
    const bucket = this.#bucket as Bucket
    bucket.mustBeReady()
    if (deleteIn(transaction, transaction.overlay(bucket), id)) return
    throw new EventFailedError('commit', undefined, [BUCKET], new GoneError(`event ${id} has left the queue`))
  }

  /** Resolves when the bucket answers, after a crash of it. */
  async ready(): Promise<void> {
    await this.#bucket?.process.call(() => undefined)
  }

  async #write<T>(type: string, note: CommitNote, change: (transaction: Transaction, bucket: Bucket) => T): Promise<T> {
    const { transactions } = this.#engine
    const transaction = transactions.begin()
    transaction.head = { type }
    try {
      const result = change(transaction, this.#bucket as Bucket)
      await transactions.commit(transaction, note)
      return result
    } finally {
      transactions.end(transaction)
    }
  }
}
