import { assert } from '../base/assert.js'
import type { StoredRecord } from './entry.js'
import type { BucketMeta, Row, RowOp } from './storage.js'

interface MirroredBucket {
  meta: BucketMeta
  readonly rows: Map<number, StoredRecord>
}

/**
 * The rows of all buckets, in memory. Records are shared with whoever gave them, not copied: they are frozen.
 * Holds R1: a row that is deleted was there.
 */
export class RowMirror {
  readonly #buckets = new Map<string, MirroredBucket>()

  /** Applies the steps in order. */
  apply(ops: readonly RowOp[]): void {
    for (const op of ops) this.#applyOne(op)
  }

  #applyOne(op: RowOp): void {
    switch (op.op) {
      case 'put':
        this.#must(op.bucket).rows.set(op.ordinal, op.record)
        return
      case 'delete': {
        const deleted = this.#must(op.bucket).rows.delete(op.ordinal)
        assert(deleted, 'R1', `bucket ${op.bucket} has no row ${op.ordinal}`)
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
    assert(known !== undefined, 'R1', `bucket ${bucket} is not defined in this storage`)
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
