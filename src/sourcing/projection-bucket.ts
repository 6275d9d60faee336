import type { Key, StoredRecord } from '../base/value.js'
import type { Bucket } from '../commit/bucket.js'
import type { Overlay } from '../commit/overlay.js'
import type { Transaction } from '../commit/transaction.js'
import { deleteIn, insertIn, setIn, updateIn, upsertIn } from '../commit/transaction-writes.js'
import { checkKey } from '../commit/write-options.js'
import { Reads } from '../query/reads.js'
import type { BucketReader } from '../query/reads.js'
import type { AnyDefinition, ChangesOf, InputOf, KeyOf, RecordOf } from '../schema/infer.js'
import type { UniqueCheck } from './unique-check.js'

/** A bucket of a projection, in the hands of its `apply`: all reads and writes, answered at once. */
export interface ProjectionBucket<D = AnyDefinition> extends BucketReader<RecordOf<D>, KeyOf<D>> {
  /** A new record. @throws {DuplicateKeyError} @throws {ValidationError} */
  insert(data: InputOf<D>): RecordOf<D>
  /** A whole record, in place of the one under its key where there is one. @throws {ValidationError} */
  set(data: InputOf<D>): RecordOf<D>
  /** @throws {RecordNotFoundError} @throws {ValidationError} */
  update(key: KeyOf<D>, changes: ChangesOf<D>): RecordOf<D>
  /** As `update` where the record is there, as `insert` where it is not. */
  upsert(data: InputOf<D>): RecordOf<D>
  /** @returns whether there was one. */
  delete(key: KeyOf<D>): boolean
  /** Deletes everything, and takes it out of the log. */
  clear(): void
}

/** What `apply` of a projection gets. */
export class ProjectionBucketHandle extends Reads<never, never> implements ProjectionBucket<never> {
  readonly #transaction: Transaction
  readonly #uniques: UniqueCheck | undefined
  readonly overlay: Overlay

  /**
   * @param peer another bucket of the projection; throws where it is none of them.
   * @param uniques is told of what is written.
   */
  constructor(
    transaction: Transaction,
    bucket: Bucket,
    peer: (name: string) => ProjectionBucketHandle,
    uniques?: UniqueCheck,
  ) {
    const overlay = transaction.overlay(bucket)
    // Nobody else writes to it, so there is nothing to be noted about what is read.
    super(overlay, undefined, undefined, (name) => ({ source: peer(name).overlay, reads: () => peer(name) }))
    this.overlay = overlay
    this.#transaction = transaction
    this.#uniques = uniques
  }

  insert(data: unknown): never {
    return this.#wrote(insertIn(this.#transaction, this.overlay, data))
  }

  set(data: unknown): never {
    return this.#wrote(setIn(this.#transaction, this.overlay, data))
  }

  update(key: unknown, changes: unknown): never {
    return this.#wrote(updateIn(this.#transaction, this.overlay, this.#key('update', key), changes))
  }

  upsert(data: unknown): never {
    const where = `bucket("${this.overlay.bucket}").upsert(data)`
    return this.#wrote(upsertIn(this.#transaction, this.overlay, where, data))
  }

  delete(key: unknown): boolean {
    const known = this.#key('delete', key)
    this.#uniques?.touch(this.overlay, known)
    return deleteIn(this.#transaction, this.overlay, known)
  }

  clear(): void {
    this.overlay.clear()
    this.#uniques?.cleared(this.overlay)
  }

  #wrote(record: StoredRecord): never {
    this.#uniques?.touch(this.overlay, this.overlay.bucketState.schema.keyOf(record))
    return record as never
  }

  #key(method: string, key: unknown): Key {
    return checkKey(`bucket("${this.overlay.bucket}").${method}(key)`, key)
  }
}
