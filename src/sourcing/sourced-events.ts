import { InvalidArgumentError } from '../base/errors.js'
import type { Key, StoredRecord, Value } from '../base/value.js'
import { DuplicateKeyError, RecordNotFoundError } from '../commit/errors.js'
import type { Overlay } from '../commit/overlay.js'
import { currentIn, deleteIn, insertIn, prepareIn, updateIn } from '../commit/transaction-writes.js'
import { checkExpected, checkKey, keyIn } from '../commit/write-options.js'
import type { EventData } from '../log/entry.js'
import { isObject } from '../log/codec.js'
import { copyPlainObject, deepFreeze } from '../schema/copy-value.js'
import { META_FIELDS } from '../schema/definition.js'
import type { ResultTarget } from './apply-result.js'

/** What a write to a sourced bucket can be. */
export type SourcedAction =
  | 'insert'
  | 'insertMany'
  | 'update'
  | 'upsert'
  | 'updateMany'
  | 'delete'
  | 'deleteMany'
  | 'clear'

/** Data of the events that writes to a sourced bucket are. Which of them there are depends on the action. */
export interface SourcedWrite {
  readonly action: SourcedAction
  /** Key of the record; of an insert, as far as it is known before. */
  readonly key?: Key
  readonly keys?: readonly Key[]
  /** What was given to the write: fields, or a list of them. */
  readonly data?: Value
  readonly ifVersion?: number
}

type Perform = (target: ResultTarget, overlay: Overlay, write: SourcedWrite) => unknown

const PERFORM: { readonly [A in SourcedAction]: Perform } = {
  insert: (target, overlay, { data }) => {
    // What is wrong with it is said before the first write.
    const record = wrote(target, () => insertIn(target.transaction, overlay, data))
    target.changes?.push({ bucket: overlay.bucket, key: keyOf(overlay, record), before: undefined, after: record })
    return record
  },
  insertMany: (target, overlay, { data }) => insertAll(target, overlay, data as readonly Value[]),
  update: (target, overlay, { key, data, ifVersion }) =>
    updateOne(target, overlay, mustKey(overlay, key), data, ifVersion),
  upsert: (target, overlay, write) => {
    const key = keyIn('upsert(data)', write.data, overlay.key)
    const isThere = key !== undefined && currentIn(target.transaction, overlay, key) !== undefined
    return isThere ? updateOne(target, overlay, key, write.data) : PERFORM.insert(target, overlay, write)
  },
  updateMany: (target, overlay, { keys = [], data }) => {
    updateAll(
      target,
      overlay,
      keys.map((key) => mustKey(overlay, key)),
      data,
    )
    return keys.length
  },
  delete: (target, overlay, { key }) => deleteOne(target, overlay, mustKey(overlay, key)),
  deleteMany: (target, overlay, { keys = [] }) => {
    for (const key of keys) deleteOne(target, overlay, mustKey(overlay, key))
    return keys.length
  },
  clear: (target, overlay) => {
    if (overlay.size === 0 && overlay.isUntouched) return
    target.written()
    overlay.clear()
  },
}

/** The fields of a write that an action may have, besides its name. */
const FIELDS = ['action', 'key', 'keys', 'data', 'ifVersion']

/** What was done, and what the log is to keep of it. */
export interface Sourced {
  /** What the method of the plain handle returns. */
  readonly result: unknown
  readonly data: EventData
}

/**
 * Does what an event of a sourced bucket says, with the results and the errors of a plain one. Where it throws, nothing was written.
 *
 * @param raw what the caller gave as data, where that is what the event says: validators look at it, and not at its copy.
 */
export function performSourced(target: ResultTarget, bucket: string, data: EventData, raw?: unknown): Sourced {
  const write = data as unknown as SourcedWrite
  if (typeof write.action !== 'string' || !Object.hasOwn(PERFORM, write.action)) {
    throw new InvalidArgumentError(`event "bucket/${bucket}": action`, Object.keys(PERFORM).join(', '), write.action)
  }
  for (const name of Object.keys(data)) {
    if (!FIELDS.includes(name)) throw new InvalidArgumentError(`event "bucket/${bucket}"`, FIELDS.join(', '), name)
  }
  const overlay = target.transaction.overlay(target.bucketOf(bucket))
  const given = raw === undefined ? withKey(overlay, write) : ({ ...write, data: raw } as SourcedWrite)
  const list = write.action === 'insertMany' ? given.data : write.action.endsWith('Many') ? write.keys : []
  if (!Array.isArray(list)) throw new InvalidArgumentError(`event "bucket/${bucket}": ${write.action}`, 'a list', list)
  const result = PERFORM[write.action](target, overlay, given)
  return { result, data: noteOutcome(overlay, write, result) }
}

/** A new record gets the key that it got when the event was handled first. */
function withKey({ key: field }: Overlay, write: SourcedWrite): SourcedWrite {
  const { action, key, data } = write
  if ((action !== 'insert' && action !== 'upsert') || key === undefined || !isObject(data)) return write
  return Object.hasOwn(data, field) ? write : { ...write, data: { ...data, [field]: key } }
}

/** The event, with the key of its record; and with the records themselves where what was given cannot be stored. */
function noteOutcome(overlay: Overlay, write: SourcedWrite, result: unknown): EventData {
  const { action } = write
  const isOne = action === 'insert' || action === 'upsert' || action === 'update'
  const isKnown = !isOne || write.key !== undefined
  const isKept = write.data !== undefined || !(isOne || action === 'insertMany')
  if (isKnown && isKept) return write as unknown as EventData
  const records = isOne ? [result as StoredRecord] : (result as readonly StoredRecord[])
  const fields = records.map((record) =>
    Object.fromEntries(Object.entries(record).filter(([name]) => !META_FIELDS.includes(name))),
  )
  return Object.freeze({
    ...(write as unknown as EventData),
    ...(isOne && { key: keyOf(overlay, records[0] as StoredRecord) }),
    ...(!isKept && { data: deepFreeze(isOne ? (fields[0] as Value) : fields) }),
  })
}

/** The data of the event that a write is: what was given, copied. What cannot be copied is left out: see `performSourced`. */
export function sourcedData(
  bucket: string,
  write: { readonly action: SourcedAction; readonly data?: unknown },
): EventData {
  try {
    return copyPlainObject(`bucket("${bucket}").${write.action}(data)`, write)
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error
    const { data: _, ...rest } = write
    return Object.freeze(rest)
  }
}

function insertAll(target: ResultTarget, overlay: Overlay, list: readonly Value[]): StoredRecord[] {
  const { transaction } = target
  const bucket = overlay.bucketState
  const seen = new Set<Key>()
  const records = list.map((data) => {
    const record = prepareIn(transaction, bucket, data)
    const key = bucket.schema.keyOf(record)
    if (seen.has(key) || currentIn(transaction, overlay, key) !== undefined) {
      throw new DuplicateKeyError(bucket.name, key)
    }
    seen.add(key)
    transaction.takeNumbers(bucket, record)
    return record
  })
  for (const record of records) {
    target.written()
    overlay.insert(keyOf(overlay, record), record)
    target.changes?.push({ bucket: bucket.name, key: keyOf(overlay, record), before: undefined, after: record })
  }
  return records
}

function updateAll(target: ResultTarget, overlay: Overlay, keys: readonly Key[], data: unknown): void {
  const { transaction } = target
  const { schema, name } = overlay.bucketState
  const updated = keys.map((key) => {
    const before = currentIn(transaction, overlay, key)
    if (before === undefined) throw new RecordNotFoundError(name, key)
    return { key, before, after: schema.prepareUpdate(before, data, transaction.now()) }
  })
  for (const { key, before, after } of updated) {
    target.written()
    overlay.update(key, after)
    target.changes?.push({ bucket: name, key, before, after })
  }
}

function updateOne(target: ResultTarget, overlay: Overlay, key: Key, data: unknown, ifVersion?: number): StoredRecord {
  const before = overlay.get(key)
  if (before !== undefined) checkExpected(overlay.bucket, key, before, ifVersion)
  const after = wrote(target, () => updateIn(target.transaction, overlay, key, data, ifVersion))
  target.changes?.push({ bucket: overlay.bucket, key, before, after })
  return after
}

function deleteOne(target: ResultTarget, overlay: Overlay, key: Key): void {
  const before = currentIn(target.transaction, overlay, key)
  if (before === undefined) return
  target.written()
  deleteIn(target.transaction, overlay, key)
  target.changes?.push({ bucket: overlay.bucket, key, before, after: undefined })
}

/** Writes of one record write last, so one that throws has written nothing. */
function wrote<T>(target: ResultTarget, write: () => T): T {
  const written = write()
  target.written()
  return written
}

function keyOf(overlay: Overlay, record: StoredRecord): Key {
  return overlay.bucketState.schema.keyOf(record)
}

function mustKey(overlay: Overlay, key: unknown): Key {
  return checkKey(`event "bucket/${overlay.bucket}": key`, key)
}
