import type { BucketDifference } from './compare.js'

/** What `--json` prints. */
export interface CheckResult {
  readonly varve: string
  readonly file: string
  readonly module: string
  /** Whether the code of the module makes the same state of the log. */
  readonly isSame: boolean
  readonly entries: number
  readonly events: number
  /** Events that the code of the module cannot handle. */
  readonly failed: number
  readonly failures: readonly { readonly seq: number; readonly type: string; readonly message: string }[]
  readonly buckets: readonly BucketDifference[]
  /** Buckets of the file that the module does not define: they are not compared. */
  readonly undefinedBuckets: readonly string[]
  /** `store.stateHash()` of what the code of the module makes of the log. */
  readonly hash: string
  readonly ms: number
}
