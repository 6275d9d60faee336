import type { StoredRecord } from '../base/value.js'

/**
 * The place of a record in its table. Indexes point to slots, so that an update which changes no indexed field changes
 * one pointer. Ordinals grow in insertion order and are never given twice within a bucket.
 */
export interface Slot {
  readonly ordinal: number
  record: StoredRecord
}

/** Insertion order. */
export function byOrdinal(a: Slot, b: Slot): number {
  return a.ordinal - b.ordinal
}
