import type { Runtime } from '../base/runtime.js'
import type { Bucket } from '../commit/bucket.js'
import type { Transaction } from '../commit/transaction.js'
import type { TransactionBucketHandle } from '../commit/transaction-handle.js'
import type { EventRegistry } from './event-registry.js'
import type { Guard } from './guard.js'
import type { AtCommit } from './projected-event.js'
import type { EventInput } from './running-event.js'

/** What the events of a store have in common. */
export interface EventParts {
  readonly registry: EventRegistry
  readonly runtime: Runtime
  /** @throws {BucketNotDefinedError} */
  readonly bucketOf: (name: string) => Bucket
  /** @param include takes the events that writes to a sourced bucket are. */
  readonly handleOf: (
    transaction: Transaction,
    bucket: Bucket,
    include: (input: EventInput) => unknown,
  ) => TransactionBucketHandle
  readonly guard: Guard | undefined
  /** What else becomes of the events of a commit. */
  readonly atCommit: AtCommit
  /** Set while handlers run that must not have effects. */
  readonly pure: { isRunning: boolean }
}
