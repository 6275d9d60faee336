import type { BucketDifference } from './compare.js'

/** What `--json` prints. */
export interface CheckResult {
  readonly varve: string
  readonly file: string
  readonly module: string
  /** Whether the code of the module makes the same state of the log, as far as it was compared. */
  readonly isSame: boolean
  /** Whether everything was compared that the file has, besides what was to be left out. */
  readonly isComplete: boolean
  readonly entries: number
  /** Events that were handled again. */
  readonly events: number
  /**
   * Events that were taken in as they were recorded, because they or their sub-events have `transact`, which was not run, or because they
   * have to do with `unknownBuckets`.
   */
  readonly recorded: number
  /** The types that have it. */
  readonly transactTypes: readonly string[]
  /** Buckets whose state at that time is not in the log: cleared or dropped later, or with `eviction: 'lru'`. */
  readonly unknownBuckets: readonly string[]
  /** How many times a projection with `onFailure: 'skip'` has left out an event. */
  readonly skipped: number
  /** Events that the code of the module cannot handle. */
  readonly failed: number
  readonly failures: readonly { readonly seq: number; readonly type: string; readonly message: string }[]
  readonly buckets: readonly BucketDifference[]
  /** Buckets with records in the file that the module does not define, or does not store: they were not compared. */
  readonly notCompared: readonly string[]
  /** Buckets that were to be left out. */
  readonly ignored: readonly string[]
  /** `store.stateHash()` of a store with the compared buckets, as the code of the module makes them of the log. */
  readonly hash: string
  readonly ms: number
}
