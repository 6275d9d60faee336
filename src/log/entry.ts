import type { Key, StoredRecord, Value } from '../base/value.js'

export type { Key, StoredRecord, Value } from '../base/value.js'

/** Why a record went: somebody deleted it, its time came, or the bucket was full. */
export type DeleteCause = 'delete' | 'ttl' | 'evicted'

/**
 * What one commit did to one record: inserted (`before` undefined), updated, or deleted (`after` undefined). It carries
 * what is needed to go forward and back. Never both undefined.
 */
export interface Change {
  readonly bucket: string
  readonly key: Key
  readonly before: StoredRecord | undefined
  readonly after: StoredRecord | undefined
  /** For deletions that nobody asked for; absent means `'delete'`. */
  readonly cause?: DeleteCause
  /** Of a deletion, where the record stood in its bucket: what is needed to put it back there, looking back. */
  readonly ordinal?: number
}

/**
 * One commit, as the log keeps it. Applying entries in `seq` order to nothing gives the store's state.
 * First the `cleared` buckets are emptied, then `changes` are applied in order.
 */
export interface Entry {
  /** 1, 2, 3 … without a gap (L1). */
  readonly seq: number
  /** Unique across stores: `<log id>-<seq>`. */
  readonly id: string
  /** Wall clock at commit, milliseconds; never less than that of the entry before (L2). */
  readonly at: number
  /** `store/write`, `store/transaction`, `store/expire`, `store/import`, `store/drop`. */
  readonly type: string
  /** What the type needs to say besides its changes: of a drop, the bucket and how many records it had. */
  readonly data?: { readonly [field: string]: Value }
  /** Buckets that were emptied before `changes`. */
  readonly cleared?: readonly string[]
  readonly changes: readonly Change[]
  /** Buckets whose changes were taken out of this entry because the bucket was cleared or dropped later. */
  readonly redacted?: readonly string[]
}
