import type { Key } from '../base/value.js'
import type { Commit } from '../commit/commit-group.js'
import type { Bus } from '../events/bus.js'
import { isInternalBucket } from '../log/entry.js'
import type { Change, DeleteCause } from '../log/entry.js'
import type { StoreRecord } from '../schema/infer.js'
import type { SupervisionEvent } from '../supervise/child.js'

/** Published as `bucket.<name>.inserted`. */
export interface BucketInsertedEvent<R = StoreRecord, K = Key> {
  readonly type: 'inserted'
  readonly bucket: string
  readonly key: K
  readonly record: R
}

/** Published as `bucket.<name>.updated`. */
export interface BucketUpdatedEvent<R = StoreRecord, K = Key> {
  readonly type: 'updated'
  readonly bucket: string
  readonly key: K
  readonly oldRecord: R
  readonly newRecord: R
}

/** Published as `bucket.<name>.deleted`. */
export interface BucketDeletedEvent<R = StoreRecord, K = Key> {
  readonly type: 'deleted'
  readonly bucket: string
  readonly key: K
  readonly record: R
  /** Somebody deleted it, its time came, or the bucket was full. */
  readonly cause: DeleteCause
}

/** Published as `bucket.<name>.cleared`: all records went at once, without an event for each. */
export interface BucketClearedEvent {
  readonly type: 'cleared'
  readonly bucket: string
  readonly key?: undefined
  /** How many records it had. */
  readonly count: number
}

/** Published as `bucket.<name>.dropped`. */
export interface BucketDroppedEvent {
  readonly type: 'dropped'
  readonly bucket: string
  readonly key?: undefined
  /** How many records it had. */
  readonly count: number
}

/** What is published under `bucket.<name>.<type>`. */
export type BucketEvent<R = StoreRecord, K = Key> =
  | BucketInsertedEvent<R, K>
  | BucketUpdatedEvent<R, K>
  | BucketDeletedEvent<R, K>
  | BucketClearedEvent
  | BucketDroppedEvent

/** Published as `process.<name>.<type>`. */
export type ProcessEvent = SupervisionEvent

/** Published as `view.<bucket>.diverged`: a live result was not what a fresh one is. Only with the option `selfCheck`. */
export interface ViewDivergedEvent {
  readonly type: 'diverged'
  readonly bucket: string
  /** What was asked, as a canonical text. */
  readonly query: string
  readonly error: Error
}

/** Whatever `store.on` delivers. */
export type StoreEvent = BucketEvent | ProcessEvent | ViewDivergedEvent

/** Publishes what a commit has done, in the order in which it did it. */
export function publishCommit(bus: Bus<StoreEvent>, { draft }: Commit): void {
  if (bus.isIdle) return
  for (const { bucket, count } of draft.clearedBuckets) {
    if (isInternalBucket(bucket.name)) continue
    bus.publish(['bucket', bucket.name, 'cleared'], { type: 'cleared', bucket: bucket.name, count })
  }
  for (const change of draft.changes) publishChange(bus, change)
  if (draft.dropped !== undefined && !isInternalBucket(draft.dropped)) {
    const count = draft.data?.records as number
    bus.publish(['bucket', draft.dropped, 'dropped'], { type: 'dropped', bucket: draft.dropped, count })
  }
}

function publishChange(bus: Bus<StoreEvent>, { bucket, key, before, after, cause }: Change): void {
  const type = before === undefined ? 'inserted' : after === undefined ? 'deleted' : 'updated'
  const topic = ['bucket', bucket, type]
  if (!bus.hasListeners(topic) || isInternalBucket(bucket)) return
  const [oldRecord, newRecord] = [before, after] as unknown as [StoreRecord, StoreRecord]
  if (type === 'inserted') bus.publish(topic, { type, bucket, key, record: newRecord })
  else if (type === 'updated') bus.publish(topic, { type, bucket, key, oldRecord, newRecord })
  else bus.publish(topic, { type, bucket, key, record: oldRecord, cause: cause ?? 'delete' })
}
