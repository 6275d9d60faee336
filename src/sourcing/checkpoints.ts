import type { Bucket } from '../commit/bucket.js'
import type { EntryHead, Transaction } from '../commit/transaction.js'
import { currentIn, setIn } from '../commit/transaction-writes.js'
import type { Engine } from '../engine.js'
import type { BucketDefinition } from '../schema/definition.js'
import type { Projection } from './projection.js'

/** A rebuild that has begun: how far it has got, and of which definition. */
export interface RebuildPoint {
  readonly seq: number
  readonly version: number
  readonly from: readonly string[]
  readonly into: readonly string[]
}

/** How far a projection has got, as it is stored, in the commit that has the effects. */
export interface Checkpoint {
  readonly name: string
  readonly version: number
  readonly from: readonly string[]
  readonly into: readonly string[]
  /** Its buckets have taken in every event of the log up to here. */
  readonly seq: number
  /** It is inline, and has taken in everything there is, also after `seq`. */
  readonly isLive: boolean
  /** Events that were left out because they kept failing. */
  readonly skipped: number
  readonly rebuild?: RebuildPoint
}

const BUCKET = 'varve/projections'
const DEFINITION: BucketDefinition = {
  key: 'name',
  schema: {
    name: { type: 'string', required: true },
    version: { type: 'number', required: true },
    from: { type: 'array', required: true },
    into: { type: 'array', required: true },
    seq: { type: 'number', required: true },
    isLive: { type: 'boolean', required: true },
    skipped: { type: 'number', required: true },
    rebuild: { type: 'object' },
  },
}

/** The checkpoints of all projections, in a bucket that nobody sees. Each change of it is part of a commit. */
export class Checkpoints {
  readonly #engine: Engine
  #bucket: Bucket | undefined
  #opening: Promise<void> | undefined

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Whether there are any of an earlier run. */
  get isStored(): boolean {
    return this.#engine.report.buckets.some(({ bucket }) => bucket === BUCKET)
  }

  /** Defines the bucket; before that there is nothing in it. */
  open(): Promise<void> {
    this.#opening ??= (async () => {
      const { bucket, loaded } = this.#engine.catalog.define(BUCKET, DEFINITION, true)
      await loaded
      this.#bucket = bucket
    })()
    return this.#opening
  }

  /** The checkpoint of a projection. */
  get(name: string): Checkpoint | undefined {
    return this.#bucket?.table.get(name) as Checkpoint | undefined
  }

  /** All of them. */
  get all(): readonly Checkpoint[] {
    const found: Checkpoint[] = []
    this.#bucket?.table.forEach(({ record }) => void found.push(record as unknown as Checkpoint))
    return found
  }

  /** The bucket, for a transaction that has to wait until it answers. */
  get bucket(): Bucket {
    return this.#bucket as Bucket
  }

  /** Resolves when the bucket answers, after a crash of it. */
  async ready(): Promise<void> {
    await this.#bucket?.process.call(() => undefined)
  }

  /** The checkpoint as `transaction` sees it, which is in conflict when somebody else moves it. */
  read(transaction: Transaction, name: string): Checkpoint | undefined {
    return currentIn(transaction, transaction.overlay(this.bucket), name) as Checkpoint | undefined
  }

  /** Stores a checkpoint, as a part of `transaction`. */
  put(transaction: Transaction, checkpoint: Checkpoint): void {
    const { name, version, from, into, seq, isLive, skipped, rebuild } = checkpoint
    const stored = { name, version, from, into, seq, isLive, skipped, ...(rebuild && { rebuild }) }
    setIn(transaction, transaction.overlay(this.bucket), stored)
  }

  /** Runs `work` in a transaction of its own, which becomes an entry of the type `type`, and waits until that is durable. */
  async commit(head: EntryHead, work: (transaction: Transaction) => void): Promise<void> {
    const { transactions } = this.#engine
    const transaction = transactions.begin()
    transaction.head = head
    try {
      work(transaction)
      await transactions.commit(transaction, {})
    } finally {
      transactions.end(transaction)
    }
  }
}

/** Whether `stored` is of another function of events than `projection`, so that what it has written is not what that would. */
export function isOutdated(stored: Omit<RebuildPoint, 'seq'>, { version, from, into }: Projection): boolean {
  const isSame = (a: readonly string[], b: readonly string[]): boolean => a.join('\n') === b.join('\n')
  return stored.version !== version || !isSame(stored.from, from) || !isSame(stored.into, into)
}
