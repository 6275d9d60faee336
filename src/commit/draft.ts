import { assert } from '../base/assert.js'
import type { Key, StoredRecord } from '../base/value.js'
import type { Change, DeleteCause, EntryEvent, EventData } from '../log/entry.js'
import type { RowOp } from '../log/storage.js'
import type { Footprint } from '../query/read-set.js'
import type { FieldIndex, IndexValue } from '../state/field-index.js'
import type { Slot } from '../state/slot.js'
import type { Table } from '../state/table.js'
import type { Bucket } from './bucket.js'
import { BucketNotDefinedError, DuplicateKeyError, UniqueConstraintError } from './errors.js'

/** A record that lost its place in a unique index to another; it must have given up the value by the end. */
interface Displaced {
  readonly bucket: Bucket
  readonly table: Table
  readonly index: FieldIndex
  readonly slot: Slot
  readonly value: IndexValue
}

/** What a commit did to the counter of a bucket. */
interface CounterRise {
  readonly from: number
  to: number
  /** What the storage was last told. */
  readonly stored: number
}

/** A bucket that was emptied by a commit, and how many records it had. */
export interface Cleared {
  readonly bucket: Bucket
  readonly count: number
  /** What the bucket had before. */
  readonly table: Table
}

/** Where the change of the same index was made, and how many records the bucket had before. */
interface Step {
  readonly bucket: Bucket
  readonly slot: Slot
  readonly size: number
}

/** Shared by all drafts that have nothing to put there, which is most of them. */
const NONE: readonly never[] = Object.freeze([])

/** `list` with `item` at its end. Most lists stay at one item: a literal takes an eighth of the room that a push makes. */
function added<T>(list: readonly T[], item: T): readonly T[] {
  if (list.length === 0) return [item]
  ;(list as T[]).push(item)
  return list
}

/**
 * A commit in the making. Its steps are applied to the tables as they come, each with what it takes to undo it; nobody
 * else can look in between, because making a commit never waits. In the end it is either verified or undone as a whole.
 *
 * Holds C1: after `undo`, the tables hold what they held before the first step.
 */
export class CommitDraft implements Footprint {
  readonly type: string
  readonly data: EventData | undefined
  meta: EventData | undefined
  /** There where the entry is an event: then it is written even if nothing has changed. */
  event: EntryEvent | undefined
  /** Whether each write to a bucket that is not everybody's was checked before (EV5). */
  isChecked = false
  /** Time of the entry, where that is decided already. */
  at: number | undefined
  changes: readonly Change[] = NONE
  clearedBuckets: readonly Cleared[] = NONE
  /** Row steps for the storage, and for the buckets that are kept in memory only. */
  ops: readonly RowOp[] = NONE
  ephemeralOps: readonly RowOp[] = NONE
  /** The bucket that is being worked on; it is the one that crashes when a step meets a bug. */
  current: Bucket | undefined
  #steps: readonly Step[] = NONE
  #displaced: Displaced[] | undefined
  #reverse: (() => void) | undefined
  #counters: Map<Bucket, CounterRise> | undefined
  #grown: Set<Bucket> | undefined

  constructor(type: string, data?: EventData) {
    this.type = type
    this.data = data
  }

  /** Name of the bucket that is dropped by this commit. */
  dropped: string | undefined

  /** Names of the buckets of which nothing is as it was: emptied or dropped. */
  get cleared(): readonly string[] {
    if (this.dropped === undefined && this.clearedBuckets.length === 0) return NONE
    const names = this.clearedBuckets.map(({ bucket }) => bucket.name)
    return this.dropped === undefined ? names : [...names, this.dropped]
  }

  get isEmpty(): boolean {
    return !this.isLogged && this.ephemeralOps.length === 0
  }

  /** Whether there is anything for the log and the storage. */
  get isLogged(): boolean {
    return this.ops.length > 0 || this.event !== undefined
  }

  /** Its drop may be on its way to the storage, while work that was begun before still comes in. */
  #enter(bucket: Bucket): void {
    if (bucket.dropped) throw new BucketNotDefinedError(bucket.name)
    if (!this.isChecked) bucket.owner?.refuse(bucket.name)
    this.current = bucket
  }

  /** @throws {DuplicateKeyError} the key is taken. */
  insert(bucket: Bucket, record: StoredRecord): void {
    this.#enter(bucket)
    const { table, schema } = bucket
    const key = schema.keyOf(record)
    if (table.slot(key) !== undefined) throw new DuplicateKeyError(bucket.name, key)
    this.#noteDisplaced(bucket, record, undefined)
    const { size } = table
    const slot = table.insert(record)
    this.#put({ bucket, slot, size }, { bucket: bucket.name, key, before: undefined, after: record })
    for (const field of schema.counterFields) this.raiseCounter(bucket, record[field])
    if (bucket.definition.maxSize !== undefined) (this.#grown ??= new Set()).add(bucket)
  }

  /** Sees to it that `number`, and whatever is below it, is not given by the counter again. */
  raiseCounter(bucket: Bucket, number: unknown): void {
    const rise = this.countFrom(bucket)
    if (Number.isSafeInteger(number) && (number as number) > bucket.table.counter) moveCounter(bucket, rise, number)
  }

  /** Makes `number` the last one that the counter has given, whatever that was. */
  setCounter(bucket: Bucket, number: number): void {
    moveCounter(bucket, this.countFrom(bucket), number)
    // It may be what the storage is thought to have where it is not known what it has.
    bucket.counterStored = -1
  }

  /** What the commit does to the counter, which was at `from` before it. */
  countFrom(bucket: Bucket, from: number = bucket.table.counter): CounterRise {
    this.#counters ??= new Map()
    let rise = this.#counters.get(bucket)
    if (rise === undefined) {
      rise = { from, to: bucket.table.counter, stored: bucket.counterStored }
      this.#counters.set(bucket, rise)
    }
    return rise
  }

  /** Replaces the record in `slot`, which is in the table, by one with the same key. */
  update(bucket: Bucket, slot: Slot, after: StoredRecord): void {
    this.#enter(bucket)
    this.#noteDisplaced(bucket, after, slot)
    const { record: before } = slot
    const { size } = bucket.table
    bucket.table.update(after, slot)
    this.#put({ bucket, slot, size }, { bucket: bucket.name, key: bucket.schema.keyOf(after), before, after })
  }

  /** Deletes the record under `key`, which is there. */
  delete(bucket: Bucket, key: Key, cause?: DeleteCause): void {
    this.#enter(bucket)
    const { size } = bucket.table
    const slot = bucket.table.delete(key)
    const { ordinal } = slot
    const change = { bucket: bucket.name, key, before: slot.record, after: undefined, ordinal }
    this.#addStep({ bucket, slot, size }, cause === undefined ? change : { ...change, cause })
    this.#addOp(bucket, { op: 'delete', bucket: bucket.name, ordinal })
  }

  /** Empties the bucket. Comes before all other steps on it. `seq` is set when the commit gets its place. */
  clear(bucket: Bucket, seq: number): void {
    this.#enter(bucket)
    const { table } = bucket
    this.clearedBuckets = [...this.clearedBuckets, { bucket, count: table.size, table }]
    bucket.table = table.emptied()
    this.#addOp(bucket, { op: 'clear', bucket: bucket.name, seq })
  }

  /** Drops the bucket. `undone` brings back what the caller has taken away. */
  drop(bucket: Bucket, seq: number, undone: () => void): void {
    this.current = bucket
    this.dropped = bucket.name
    this.#reverse = undone
    this.#addOp(bucket, { op: 'drop', bucket: bucket.name, seq })
  }

  #put(step: Step, change: Change): void {
    this.#addStep(step, change)
    const { bucket, slot } = step
    this.#addOp(bucket, { op: 'put', bucket: bucket.name, ordinal: slot.ordinal, record: slot.record })
  }

  #addStep(step: Step, change: Change): void {
    this.#steps = added(this.#steps, step)
    this.changes = added(this.changes, change)
  }

  #addOp(bucket: Bucket, op: RowOp): void {
    if (bucket.persistent) this.ops = added(this.ops, op)
    else this.ephemeralOps = added(this.ephemeralOps, op)
  }

  #noteDisplaced(bucket: Bucket, record: StoredRecord, own: Slot | undefined): void {
    const { table } = bucket
    for (const { hash: index } of table.indexes) {
      if (index?.unique !== true) continue
      const value = index.valueIn(record)
      if (value === undefined) continue
      const slot = index.only(value)
      if (slot !== undefined && slot !== own) (this.#displaced ??= []).push({ bucket, table, index, slot, value })
    }
  }

  /** @throws {UniqueConstraintError} two records would have the same value in a unique field (S4). */
  verify(): void {
    if (this.#displaced === undefined) return
    for (const { bucket, table, index, slot, value } of this.#displaced) {
      const isThere = bucket.table === table && table.slot(bucket.schema.keyOf(slot.record)) === slot
      if (isThere && index.valueIn(slot.record) === value && index.only(value) !== slot) {
        throw new UniqueConstraintError(bucket.name, index.name, value)
      }
    }
  }

  /** Lets go of the first records of buckets that have grown over their `maxSize`, and notes the counters. */
  complete(): void {
    if (this.#grown !== undefined) for (const bucket of this.#grown) this.#evict(bucket)
    if (this.#counters !== undefined) for (const bucket of this.#counters.keys()) this.#noteCounter(bucket)
  }

  #evict(bucket: Bucket): void {
    const { maxSize } = bucket.definition
    while (bucket.table.size > (maxSize as number)) {
      this.delete(bucket, bucket.schema.keyOf(bucket.table.evictable(0) as StoredRecord), 'evicted')
    }
  }

  #noteCounter(bucket: Bucket): void {
    const { counter } = bucket.table
    if (counter === bucket.counterStored) return
    this.#addOp(bucket, { op: 'counter', bucket: bucket.name, counter })
    bucket.counterStored = counter
  }

  /** Where the record of the change at `index` stands, or stood, in its bucket. */
  ordinalOf(index: number): number {
    return (this.#steps[index] as Step).slot.ordinal
  }

  /** What the log keeps: the changes of buckets that are stored. */
  get loggedChanges(): readonly Change[] {
    if (this.ephemeralOps.length === 0) return this.changes
    const kept = new Set(this.ops.map((op) => (op.op === 'define' ? op.meta.bucket : op.bucket)))
    return this.changes.filter((change) => kept.has(change.bucket))
  }

  /** Takes everything back. A bucket whose own state does not allow it any more crashes, and is rebuilt. */
  undo(): void {
    for (let i = this.#steps.length - 1; i >= 0; i--) {
      const { bucket, slot, size } = this.#steps[i] as Step
      const { before, after } = this.changes[i] as Change
      try {
        bucket.table.undo(slot, before, after)
        assert(bucket.table.size === size, 'C1', `bucket ${bucket.name} has ${bucket.table.size} records`)
      } catch (bug) {
        bucket.process.kill(bug)
      }
    }
    for (const { bucket, table } of this.clearedBuckets) bucket.table = table
    for (const displaced of this.#displaced ?? NONE) giveBack(displaced)
    for (const [bucket, { from, to, stored }] of this.#counters ?? NONE) {
      // Numbers that an open transaction has taken since stay taken.
      if (bucket.table.counter === to) bucket.table.counter = from
      bucket.counterStored = Math.min(bucket.counterStored, stored)
    }
    this.#reverse?.()
    this.#steps = NONE
  }

  /** Applies `steps` and verifies the outcome; when that throws, everything is taken back first. */
  make<T>(steps: (draft: CommitDraft) => T): T {
    try {
      const result = steps(this)
      this.verify()
      this.complete()
      return result
    } catch (error) {
      this.undo()
      throw error
    }
  }
}

/** A record that had lost its place in a unique index has it again, once all steps are taken back. */
function giveBack({ bucket, table, index, slot, value }: Displaced): void {
  const isThere = table.slot(bucket.schema.keyOf(slot.record)) === slot
  if (isThere && index.valueIn(slot.record) === value) index.add(slot, slot.record)
}

function moveCounter({ table }: Bucket, rise: CounterRise, number: unknown): void {
  table.counter = number as number
  rise.to = number as number
}
