import type { Transaction } from '../commit/transaction.js'
import { currentIn, deleteIn, setIn } from '../commit/transaction-writes.js'
import type { Engine } from '../engine.js'
import type { StorageAdapter } from '../log/storage.js'
import type { BucketDefinition } from '../schema/definition.js'
import { InternalBucket } from './internal-bucket.js'
import type { Projection } from './projection.js'

/** A rebuild that has begun: how far it has got, and of which definition. */
export interface RebuildPoint {
  readonly seq: number
  readonly version: number
  readonly from: readonly string[]
  readonly into: readonly string[]
  /** Events that it has left out. */
  readonly skipped?: number
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

/** The checkpoints of all projections. */
export class Checkpoints extends InternalBucket<Checkpoint> {
  constructor(engine: Engine) {
    super(engine, BUCKET, DEFINITION)
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

  /** Forgets a projection, as a part of `transaction`. */
  remove(transaction: Transaction, name: string): void {
    deleteIn(transaction, transaction.overlay(this.bucket), name)
  }
}

/** The checkpoints that `storage` has, for whoever reads a file without a store. */
export async function* storedCheckpoints(storage: StorageAdapter): AsyncGenerator<Checkpoint> {
  for await (const rows of storage.loadBucket(BUCKET)) {
    for (const { record } of rows) yield record as unknown as Checkpoint
  }
}

/** Whether `stored` is of another function of events than `projection`, so that what it has written is not what that would. */
export function isOutdated(
  stored: Omit<RebuildPoint, 'seq' | 'skipped'>,
  { version, from, into }: Projection,
): boolean {
  const isSame = (a: readonly string[], b: readonly string[]): boolean => a.join('\n') === b.join('\n')
  return stored.version !== version || !isSame(stored.from, from) || !isSame(stored.into, into)
}
