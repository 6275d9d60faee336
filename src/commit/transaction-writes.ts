import type { Key, StoredRecord } from '../base/value.js'
import type { Bucket } from './bucket.js'
import { DuplicateKeyError, RecordNotFoundError } from './errors.js'
import type { Overlay } from './overlay.js'
import type { Transaction } from './transaction.js'
import { checkExpected, keyIn } from './write-options.js'

/** The record under `key` as the transaction sees it; that it was looked at is noted. */
export function currentIn(transaction: Transaction, overlay: Overlay, key: Key): StoredRecord | undefined {
  transaction.readSet.readKey(overlay.bucket, key)
  return overlay.get(key)
}

/** A new record of the bucket from what a caller gave. Nothing is written. @throws {ValidationError} */
export function prepareIn(transaction: Transaction, bucket: Bucket, data: unknown): StoredRecord {
  const { schema, table } = bucket
  const number = transaction.numbers?.next(bucket) ?? table.counter + 1
  return schema.prepareInsert(data, transaction.now(), number, transaction.source)
}

/** Writes a new record. @throws {ValidationError} @throws {DuplicateKeyError} nothing was written. */
export function insertIn(transaction: Transaction, overlay: Overlay, data: unknown): StoredRecord {
  const bucket = overlay.bucketState
  const record = prepareIn(transaction, bucket, data)
  const key = bucket.schema.keyOf(record)
  if (currentIn(transaction, overlay, key) !== undefined) throw new DuplicateKeyError(bucket.name, key)
  transaction.takeNumbers(bucket, record)
  overlay.insert(key, record)
  return record
}

/**
 * Merges `changes` into the record under `key`.
 *
 * @throws {RecordNotFoundError} @throws {TransactionConflictError} @throws {ValidationError} nothing was written.
 */
export function updateIn(
  transaction: Transaction,
  overlay: Overlay,
  key: Key,
  changes: unknown,
  version?: number,
): StoredRecord {
  const { schema, name } = overlay.bucketState
  const current = currentIn(transaction, overlay, key)
  if (current === undefined) throw new RecordNotFoundError(name, key)
  checkExpected(name, key, current, version)
  const record = schema.prepareUpdate(current, changes, transaction.now())
  overlay.update(key, record)
  return record
}

/**
 * As `updateIn` where the record is there, as `insertIn` where it is not.
 *
 * @param where how `data` is called in errors.
 */
export function upsertIn(transaction: Transaction, overlay: Overlay, where: string, data: unknown): StoredRecord {
  const key = keyIn(where, data, overlay.key)
  const isThere = key !== undefined && currentIn(transaction, overlay, key) !== undefined
  return isThere ? updateIn(transaction, overlay, key, data) : insertIn(transaction, overlay, data)
}

/** Writes a whole record, in place of the one under its key where there is one. @throws {ValidationError} */
export function setIn(transaction: Transaction, overlay: Overlay, data: unknown): StoredRecord {
  const bucket = overlay.bucketState
  const record = prepareIn(transaction, bucket, data)
  const key = bucket.schema.keyOf(record)
  const current = currentIn(transaction, overlay, key)
  transaction.takeNumbers(bucket, record)
  if (current === undefined) {
    overlay.insert(key, record)
    return record
  }
  const { _version: version, _createdAt } = current
  const replaced = Object.freeze({ ...record, _version: (version as number) + 1, _createdAt: _createdAt as number })
  overlay.update(key, replaced)
  return replaced
}

/** Deletes the record under `key`. @returns whether there was one. */
export function deleteIn(transaction: Transaction, overlay: Overlay, key: Key): boolean {
  if (currentIn(transaction, overlay, key) === undefined) return false
  overlay.delete(key)
  return true
}
