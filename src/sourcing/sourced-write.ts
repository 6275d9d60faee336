import { InvalidArgumentError } from '../base/errors.js'
import type { Key, StoredRecord, Value } from '../base/value.js'
import type { EventData } from '../log/entry.js'
import { sourcedType } from '../log/entry.js'
import { copyPlainObject } from '../schema/copy-value.js'

/** What a write to a sourced bucket can be. */
export type SourcedAction =
  | 'insert'
  | 'insertMany'
  | 'update'
  | 'upsert'
  | 'set'
  | 'restore'
  | 'updateMany'
  | 'delete'
  | 'deleteMany'
  | 'clear'

/** Data of the events that writes to a sourced bucket are. Which of them there are depends on the action. */
export interface SourcedWrite {
  readonly action: SourcedAction
  /** Key of the record; of a new one, at the latest when reducers see it. */
  readonly key?: Key
  readonly keys?: readonly Key[]
  /** What was given to the write: fields, or a list of them. */
  readonly data?: Value
  readonly ifVersion?: number
}

/** What the caller of a handle gave, and wants. */
export interface GivenWrite {
  /** Which the data of the event is a copy of. */
  readonly data: unknown
  /** The event says something else: a handler has changed it. */
  isChanged?: boolean
  /** Whether of a list what comes before an item that is refused is written all the same. */
  readonly keepsFirst?: boolean
  /** Why that item was refused. */
  refusal?: { readonly error: unknown }
}

/** The fields that an event of an action may have, besides `action`. */
const FIELDS: { readonly [A in SourcedAction]: readonly string[] } = {
  insert: ['key', 'data'],
  insertMany: ['keys', 'data'],
  update: ['key', 'data', 'ifVersion'],
  upsert: ['key', 'data'],
  set: ['key', 'data'],
  restore: ['key', 'data'],
  updateMany: ['keys', 'data'],
  delete: ['key'],
  deleteMany: ['keys'],
  clear: [],
}

/** `data`, which says what to write. @throws {InvalidArgumentError} */
export function checkWrite(bucket: string, data: EventData): SourcedWrite {
  const where = `event "${sourcedType(bucket)}"`
  const { action } = data
  if (typeof action !== 'string' || !Object.hasOwn(FIELDS, action)) {
    throw new InvalidArgumentError(`${where}: action`, Object.keys(FIELDS).join(', '), action)
  }
  const fields = FIELDS[action as SourcedAction]
  for (const name of Object.keys(data)) {
    if (name === 'action' || fields.includes(name)) continue
    throw new InvalidArgumentError(`${where}: ${action}`, ['action', ...fields].join(', '), name)
  }
  const write = data as unknown as SourcedWrite
  if (write.keys !== undefined && !Array.isArray(write.keys)) {
    throw new InvalidArgumentError(`${where}: ${action}: keys`, 'a list', write.keys)
  }
  return write
}

/** The data of the event that a write is: what was given, copied. What cannot be copied is left out: see `prepareSourced`. */
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

/**
 * The event that takes back what a commit has made of one record of a sourced bucket. The record gets back its fields, `_createdAt` and
 * `_expiresAt`; its `_version` goes on rising.
 *
 * @param before the record as it was; undefined: there was none.
 */
export function inverseWrite(
  bucket: string,
  key: Key,
  before: StoredRecord | undefined,
): { readonly type: string; readonly data: EventData } {
  const type = sourcedType(bucket)
  if (before === undefined) return { type, data: Object.freeze({ action: 'delete', key }) }
  const { _updatedAt, ...data } = before
  return { type, data: copyPlainObject(type, { action: 'restore', key, data }) }
}
