import type { Transaction } from '../commit/transaction.js'
import { deleteIn, insertIn, updateIn } from '../commit/transaction-writes.js'
import type { CommitNote } from '../commit/write-options.js'
import type { Engine } from '../engine.js'
import type { EventData } from '../log/entry.js'
import type { BucketDefinition } from '../schema/definition.js'
import { EventFailedError } from './errors.js'
import { InternalBucket } from './internal-bucket.js'

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
const HEAD = { type: 'store/queue' }
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

/** The events of a queue, as they are stored. */
export class QueueBucket extends InternalBucket<QueuedEvent> {
  constructor(engine: Engine) {
    super(engine, BUCKET, DEFINITION)
  }

  /**
   * Adds an event.
   *
   * @returns it as it stands in the order of commits already, unless it was refused; and a promise of it, for when it is durable.
   */
  add(
    event: Omit<QueuedEvent, 'id'>,
    note: CommitNote,
  ): { readonly placed: QueuedEvent | undefined; readonly durable: Promise<QueuedEvent> } {
    const ids: number[] = []
    const insert = (tx: Transaction): QueuedEvent => {
      const added = insertIn(tx, tx.overlay(this.bucket), event) as unknown as QueuedEvent
      ids.push(added.id)
      return added
    }
    const durable = this.commit({ type: 'store/enqueue' }, insert, note)
    return { placed: this.get(ids[0] ?? Number.NaN), durable }
  }

  /** Changes what is kept of an event. @throws {RecordNotFoundError} it has left the queue. */
  async change(id: number, changes: Partial<QueuedEvent>): Promise<void> {
    await this.commit(HEAD, (tx) => updateIn(tx, tx.overlay(this.bucket), id, changes))
  }

  /** Takes an event out of the queue, in a commit of its own: it is not handled. */
  async remove(id: number): Promise<void> {
    await this.commit(HEAD, (tx) => deleteIn(tx, tx.overlay(this.bucket), id))
  }

  /**
   * Takes an event out of the queue, as a part of the commit that has its effects.
   *
   * @throws {EventFailedError} caused by `GoneError`: it is not there any more.
   */
  take(transaction: Transaction, id: number): void {
    this.bucket.mustBeReady()
    if (deleteIn(transaction, transaction.overlay(this.bucket), id)) return
    throw new EventFailedError('commit', undefined, [BUCKET], new GoneError(`event ${id} has left the queue`))
  }
}
