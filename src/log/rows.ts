import { assert } from '../base/assert.js'
import type { StoredRecord } from './entry.js'
import type { BucketMeta, Row, RowOp } from './storage.js'

interface MirroredBucket {
  meta: BucketMeta
  readonly rows: Map<number, StoredRecord>
}

type Undo =
  | { readonly bucket: string; readonly ordinal: number; readonly record: StoredRecord | undefined }
  | {
      readonly bucket: string
      readonly meta: BucketMeta | undefined
      readonly rows: Map<number, StoredRecord> | undefined
    }

/**
 * The rows of all buckets, in memory. Records are shared with whoever gave them, not copied: they are frozen.
 * Holds R1: a row that is deleted was there.
 */
export class RowMirror {
  readonly #buckets = new Map<string, MirroredBucket>()

  /** Applies the steps in order: all of them, or none when one breaks R1. */
  apply(ops: readonly RowOp[]): void {
    // A single step is all or nothing by itself.
    if (ops.length === 1) this.#applyOne(ops[0] as RowOp)
    else this.applyUndoable(ops)
  }

  /** As `apply`. @returns a function that takes all of it back, as long as nothing else has been applied since. */
  applyUndoable(ops: readonly RowOp[]): () => void {
    const before: Undo[] = []
    const undo = (): void => {
      for (const one of before.reverse()) this.#undo(one)
    }
    try {
      for (const op of ops) {
        before.push(this.#undoOf(op))
        this.#applyOne(op)
      }
    } catch (error) {
      // The step that failed has changed nothing, so its own undo does nothing either.
      undo()
      throw error
    }
    return undo
  }

  /** What brings back the state before `op`: a row for the frequent steps, the whole bucket for the others. */
  #undoOf(op: RowOp): Undo {
    const bucket = op.op === 'define' ? op.meta.bucket : op.bucket
    const known = this.#buckets.get(bucket)
    if (op.op === 'put' || op.op === 'delete')
      return { bucket, ordinal: op.ordinal, record: known?.rows.get(op.ordinal) }
    return {
      bucket,
      meta: known?.meta,
      rows: op.op === 'clear' && known !== undefined ? new Map(known.rows) : known?.rows,
    }
  }

  #undo(undo: Undo): void {
    if ('ordinal' in undo) {
      const rows = this.#buckets.get(undo.bucket)?.rows
      if (undo.record === undefined) rows?.delete(undo.ordinal)
      else rows?.set(undo.ordinal, undo.record)
    } else if (undo.meta === undefined || undo.rows === undefined) this.#buckets.delete(undo.bucket)
    else this.#buckets.set(undo.bucket, { meta: undo.meta, rows: undo.rows })
  }

  #applyOne(op: RowOp): void {
    switch (op.op) {
      case 'put':
        this.#must(op.bucket).rows.set(op.ordinal, op.record)
        return
      case 'delete': {
        const deleted = this.#must(op.bucket).rows.delete(op.ordinal)
        assert(deleted, 'R1', () => `bucket ${op.bucket} has no row ${op.ordinal}`)
        return
      }
      case 'clear':
        this.#must(op.bucket).rows.clear()
        return
      case 'define': {
        const known = this.#buckets.get(op.meta.bucket)
        if (known === undefined) this.#buckets.set(op.meta.bucket, { meta: op.meta, rows: new Map() })
        else known.meta = op.meta
        return
      }
      case 'drop':
        this.#buckets.delete(op.bucket)
        return
      case 'counter': {
        const bucket = this.#must(op.bucket)
        bucket.meta = { ...bucket.meta, counter: op.counter }
      }
    }
  }

  #must(bucket: string): MirroredBucket {
    const known = this.#buckets.get(bucket)
    assert(known !== undefined, 'R1', () => `bucket ${bucket} is not defined in this storage`)
    return known
  }

  /** What is kept about each bucket, in the order of their creation. */
  metas(): BucketMeta[] {
    return Array.from(this.#buckets.values(), (bucket) => bucket.meta)
  }

  /** The rows of a bucket by rising ordinal; empty for a bucket that is not there. */
  rows(bucket: string): Row[] {
    const known = this.#buckets.get(bucket)
    if (known === undefined) return []
    const rows = Array.from(known.rows, ([ordinal, record]) => ({ ordinal, record }))
    return rows.sort((a, b) => a.ordinal - b.ordinal)
  }
}
