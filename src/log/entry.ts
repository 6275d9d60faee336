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

/** Data of an event, and what is said about it: a plain object, frozen to the bottom. */
export type EventData = { readonly [field: string]: Value }

/** An event that was dispatched while another one was handled, as the log keeps it: part of the same commit. */
export interface SubEvent {
  readonly type: string
  /** Absent: 1. */
  readonly version?: number
  readonly data?: EventData
  /** Those that were dispatched while it was handled, in the order in which they were. */
  readonly events?: readonly SubEvent[]
}

/** What an entry that is an event says besides its type, its data and its changes. */
export interface EntryEvent {
  /** Version of the definition that the data is of. Absent: 1. */
  readonly version?: number
  /** When it happened, in milliseconds. Absent: at the entry's time. */
  readonly at?: number
  /** The clock that its changes were made by. Absent: the entry's time. */
  readonly clock?: number
  /** What its random numbers and ids were drawn from. Absent: it has drawn none. */
  readonly seed?: string
  /** Sub-events, depth first in the order in which they were handled. */
  readonly events?: readonly SubEvent[]
}

const SOURCED = 'bucket/'

/** Type of the events that the writes of a sourced bucket are. */
export function sourcedType(bucket: string): string {
  return SOURCED + bucket
}

/** True for types of events that are writes to a sourced bucket. */
export function isSourcedType(type: string): boolean {
  return type.startsWith(SOURCED)
}

const INTERNAL = 'varve/'

/** True for buckets that Varve keeps for itself: nobody sees them, nor what is written to them. */
export function isInternalBucket(name: string): boolean {
  return name.startsWith(INTERNAL)
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
  /** `store/write`, `store/transaction`, `store/expire`, `store/import`, `store/drop` …, or the type of an event. */
  readonly type: string
  /** What the type needs to say besides its changes: of a drop, the bucket and how many records it had; of an event, its data. */
  readonly data?: EventData
  /** Who did it, and why, as the writer has said. */
  readonly meta?: EventData
  /** There where the entry is an event, or where a transaction has written to sourced buckets. */
  readonly event?: EntryEvent
  /** Buckets that were emptied before `changes`. */
  readonly cleared?: readonly string[]
  readonly changes: readonly Change[]
  /** Buckets whose changes were taken out of this entry because the bucket was cleared or dropped later. */
  readonly redacted?: readonly string[]
}
