import type { Runtime } from '../base/runtime.js'
import type { Bucket } from '../commit/bucket.js'
import type { Transaction } from '../commit/transaction.js'
import type { TransactionBucketHandle } from '../commit/transaction-handle.js'
import type { SubEvent } from '../log/entry.js'
import type { EventRegistry } from './event-registry.js'
import type { Guard } from './guard.js'
import type { EntryPlace, EventGroup } from './event-group.js'
import type { EventInput } from './running-event.js'

/** What else becomes of the events of a commit, at its last moment. */
export interface CommitHook {
  /** True where nothing does. */
  readonly isIdle: boolean
  /** What has to happen before they can be committed. */
  waits(transaction: Transaction, events: readonly SubEvent[]): Promise<unknown> | undefined
  /** @param entry the one that they are of, where they are handled again. @throws {EventFailedError} nothing is committed. */
  complete(transaction: Transaction, group: EventGroup, entry: EntryPlace | undefined): void
}

/** What the events of a store have in common. */
export interface EventParts {
  readonly registry: EventRegistry
  readonly runtime: Runtime
  /** The clock for records. */
  readonly now: () => number
  /** @throws {BucketNotDefinedError} */
  readonly bucketOf: (name: string) => Bucket
  /** @param include takes the events that writes to a sourced bucket are. @param depth of those events. */
  readonly handleOf: (
    transaction: Transaction,
    bucket: Bucket,
    include: (input: EventInput) => unknown,
    depth: number,
  ) => TransactionBucketHandle
  readonly guard: Guard | undefined
  readonly commitHook: CommitHook
  /** Set while handlers run that must not have effects, with what one of them tried all the same. */
  readonly pure: { isRunning: boolean; attempt: Error | undefined }
}
