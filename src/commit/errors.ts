import { VarveError } from '../base/errors.js'
import type { Key } from '../base/value.js'

/** A bucket of this name exists. Nothing was done. */
export class BucketAlreadyExistsError extends VarveError {
  override readonly name = 'BucketAlreadyExistsError'
  declare readonly bucket: string

  constructor(bucket: string) {
    super('BUCKET_EXISTS', `Bucket "${bucket}" already exists`, { bucket })
  }
}

/** There is no bucket of this name, or not any more. Nothing was done. */
export class BucketNotDefinedError extends VarveError {
  declare readonly name: 'BucketNotDefinedError'
  declare readonly bucket: string

  constructor(bucket: string, options?: ErrorOptions) {
    super('BUCKET_NOT_DEFINED', `Bucket "${bucket}" is not defined`, { ...options, bucket })
  }
}

/** A record with this key exists. Nothing was written. */
export class DuplicateKeyError extends VarveError {
  declare readonly name: 'DuplicateKeyError'
  declare readonly bucket: string
  declare readonly key: Key

  constructor(bucket: string, key: Key) {
    const remedy = 'nothing was written; use update or upsert to change it'
    super('DUPLICATE_KEY', `Bucket "${bucket}" already has a record with key "${shorten(key)}"; ${remedy}`, {
      bucket,
      key,
    })
  }
}

/** Another record has this value in a unique field. Nothing was written. */
export class UniqueConstraintError extends VarveError {
  declare readonly name: 'UniqueConstraintError'
  declare readonly bucket: string
  declare readonly field: string
  declare readonly value: unknown

  constructor(bucket: string, field: string, value: unknown) {
    const message = `Unique constraint violation in bucket "${bucket}": field "${field}" already has value "${shorten(value)}"`
    super('UNIQUE_CONSTRAINT', message, { bucket, field, value })
  }
}

/** There is no record with this key to update. Nothing was written. */
export class RecordNotFoundError extends VarveError {
  declare readonly name: 'RecordNotFoundError'
  declare readonly bucket: string
  declare readonly key: Key

  constructor(bucket: string, key: Key) {
    super('RECORD_NOT_FOUND', `Record with key "${shorten(key)}" not found in bucket "${bucket}"`, { bucket, key })
  }
}

/** Somebody else changed what was read. Nothing was written; run the transaction again, or let `retries` do it. */
export class TransactionConflictError extends VarveError {
  declare readonly name: 'TransactionConflictError'
  declare readonly bucket: string
  declare readonly key: Key
  declare readonly field: string | undefined

  constructor(bucket: string, key: Key, detail: string, field?: string) {
    const message = `Transaction conflict in bucket "${bucket}" for key "${shorten(key)}": ${detail}`
    super('TRANSACTION_CONFLICT', message, { bucket, key, field })
  }
}

/** A transaction's handle was used after the transaction had ended. Nothing was done. */
export class TransactionEndedError extends VarveError {
  declare readonly name: 'TransactionEndedError'

  /** @param where what was used: default, a handle of the bucket. */
  constructor(bucket: string, where = `bucket "${bucket}"`) {
    const remedy = 'await everything inside the callback'
    super('TRANSACTION_ENDED', `${where}: the transaction of this handle has ended; nothing was done; ${remedy}`)
  }
}

/**
 * A bug was met in a bucket: the call had no effect. `cause` is the bug. The bucket is rebuilt to its last commit, unless it
 * has crashed too often: then it stays down, and every call says so.
 */
export class BucketCrashedError extends VarveError {
  declare readonly name: 'BucketCrashedError'
  declare readonly bucket: string

  constructor(bucket: string, cause: unknown, isFinal = false) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const restart = 'nothing was written; the bucket restarts with its last commit and takes calls again'
    const state = isFinal ? 'it has crashed too often and stays down; stop the store and start it again' : restart
    super('BUCKET_CRASHED', `Bucket "${bucket}" crashed: ${reason}; ${state}`, { cause, bucket })
  }
}

/** The bucket cannot answer at once: it is still loading, or restarting. Only `store.read` does not wait. */
export class BucketUnavailableError extends VarveError {
  declare readonly name: 'BucketUnavailableError'
  declare readonly bucket: string

  constructor(bucket: string, state: string) {
    const message = `Bucket "${bucket}" is ${state}; store.read cannot wait for it; use the asynchronous handle`
    super('BUCKET_UNAVAILABLE', message, { bucket })
  }
}

/** The store was stopped. Nothing was done. */
export class StoreStoppedError extends VarveError {
  declare readonly name: 'StoreStoppedError'

  constructor(store: string) {
    super('STORE_STOPPED', `Store "${store}" is stopped; nothing was done; start a new one`)
  }
}

/** The store takes no writes any more, and says why in `cause`. Reads go on. Nothing was written; stop and start it. */
export class StoreDegradedError extends VarveError {
  declare readonly name: 'StoreDegradedError'

  constructor(store: string, cause: Error) {
    const remedy = 'nothing was written; reads go on; stop the store and start it again'
    super('STORE_DEGRADED', `Store "${store}" refuses writes: ${cause.message}; ${remedy}`, { cause })
  }
}

/** A key or a value, for a message. */
export function shorten(value: unknown): string {
  const text = String(value)
  return text.length <= 100 ? text : `${text.slice(0, 100)}…`
}
