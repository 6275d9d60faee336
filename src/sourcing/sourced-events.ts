import { InvalidArgumentError } from '../base/errors.js'
import { quietly } from '../base/quietly.js'
import type { Runtime } from '../base/runtime.js'
import type { Key, StoredRecord, Value } from '../base/value.js'
import { DuplicateKeyError, RecordNotFoundError } from '../commit/errors.js'
import type { Overlay } from '../commit/overlay.js'
import { currentIn, prepareIn } from '../commit/transaction-writes.js'
import { checkExpected, checkKey, checkVersion, keyIn } from '../commit/write-options.js'
import type { EventData } from '../log/entry.js'
import { deepFreeze } from '../schema/copy-value.js'
import { META_FIELDS } from '../schema/definition.js'
import type { FieldDefinition } from '../schema/definition.js'
import { isStandardSchema } from '../schema/field.js'
import { generateCuid, generateUuid } from '../schema/generate.js'
import type { ResultTarget } from './apply-result.js'
import { checkWrite } from './sourced-write.js'
import type { GivenWrite, SourcedAction, SourcedWrite } from './sourced-write.js'

/** What a write is about to make of one record. */
interface Step {
  readonly key: Key
  readonly before: StoredRecord | undefined
  readonly after: StoredRecord | undefined
}

/** A write of which all is known, and nothing is done. */
interface Plan {
  readonly steps: readonly Step[]
  /** What the method of the plain handle returns. */
  readonly result: unknown
  /** As the log keeps it. */
  readonly write: SourcedWrite
  /** New numbers of autoincrement fields are still to be taken. */
  readonly hasNumbers?: boolean
  readonly clears?: boolean
}

/** What a write is planned with. */
interface Place {
  readonly target: ResultTarget
  readonly overlay: Overlay
  /** Where generated keys come from. */
  readonly source: Runtime
  readonly given: GivenWrite | undefined
}

type Planner = (place: Place, write: SourcedWrite, data: unknown) => Plan

const PLAN: { readonly [A in SourcedAction]: Planner } = {
  insert: planInsert,
  insertMany: planInsertMany,
  update: (place, write, data) => planUpdate(place, write, mustKey(place, write.key), data),
  upsert: (place, write, data) => {
    const { target, overlay } = place
    const keyed = withKey(place, data, write.key)
    const key = keyIn('upsert(data)', keyed, overlay.key)
    const isThere = key !== undefined && currentIn(target.transaction, overlay, key) !== undefined
    if (!isThere) return planInsert(place, write, keyed)
    mustAgree(place, write.key, key)
    return planUpdate(place, write, key, keyed)
  },
  set: (place, write, data) => {
    const { record, key } = newRecord(place, data, write.key)
    const before = currentIn(place.target.transaction, place.overlay, key)
    const after = before === undefined ? record : replacing(before, record)
    return { steps: [{ key, before, after }], result: after, write: { ...write, key }, hasNumbers: true }
  },
  restore: planRestore,
  updateMany: planUpdateMany,
  delete: (place, write) => {
    return { steps: deletions(place, [mustKey(place, write.key)]), result: undefined, write }
  },
  deleteMany: (place, write) => {
    const keys = (write.keys ?? []).map((key) => mustKey(place, key))
    const steps = deletions(place, keys)
    return { steps, result: steps.length, write }
  },
  clear: ({ target, overlay }, write) => {
    if (overlay.size === 0 && overlay.isUntouched) return { steps: [], result: undefined, write }
    if (target.changes === undefined) return { steps: [], result: undefined, write, clears: true }
    // What there was is part of what happened.
    target.transaction.readSet.readWhere(overlay.bucket, undefined)
    const steps = overlay.keys().map((key) => ({ key, before: overlay.get(key), after: undefined }))
    return { steps, result: undefined, write, clears: true }
  },
}

/** A write to a sourced bucket that is checked and can be done. */
export interface PreparedWrite {
  /** What the log keeps of it, with the keys of its records: handlers see the same now and in a replay. */
  readonly data: EventData
  /** Does it. Nothing may have been written since. @returns what the method of the plain handle returns. */
  apply(): unknown
}

/**
 * Checks and completes what an event of a sourced bucket says, with the results and the errors of a plain one. Nothing is written.
 *
 * @param source where generated keys come from: records that have one already take nothing from it.
 * @param given by the caller, where that is what the event says: validators look at it, and not at its copy.
 */
export function prepareSourced(
  target: ResultTarget,
  bucket: string,
  data: EventData,
  source: Runtime,
  given?: GivenWrite,
): PreparedWrite {
  const write = checkWrite(bucket, data)
  const overlay = target.transaction.overlay(target.bucketOf(bucket))
  const place = { target, overlay, source, given }
  const isChanged = given === undefined || given.isChanged === true
  const plan = PLAN[write.action](place, write, isChanged ? write.data : given.data)
  return { data: noteOutcome(plan), apply: () => apply(target, overlay, plan) }
}

function apply(target: ResultTarget, overlay: Overlay, { steps, result, hasNumbers, clears }: Plan): unknown {
  const { transaction, changes } = target
  if (clears === true || steps.length > 0) target.written()
  if (clears === true) overlay.clear()
  for (const { key, before, after } of steps) {
    if (hasNumbers === true) transaction.takeNumbers(overlay.bucketState, after as StoredRecord)
    if (clears !== true) {
      if (after === undefined) overlay.delete(key)
      else overlay[before === undefined ? 'insert' : 'update'](key, after)
    }
    changes?.push({ bucket: overlay.bucket, key, before, after })
  }
  return result
}

/** The event as the log keeps it: with the records themselves where what was given cannot be stored. */
function noteOutcome({ write, steps }: Plan): EventData {
  const { action, data } = write
  if (data !== undefined || !isWithData(action)) return Object.freeze(write)
  const records = steps.map(({ after }) => fieldsOf(after as StoredRecord))
  const kept = action === 'insertMany' ? records : records[0]
  return Object.freeze({ ...write, ...(kept !== undefined && { data: deepFreeze(kept) }) })
}

function isWithData(action: SourcedAction): boolean {
  return (
    action === 'insert' || action === 'insertMany' || action === 'update' || action === 'upsert' || action === 'set'
  )
}

function fieldsOf(record: StoredRecord): { readonly [field: string]: Value } {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !META_FIELDS.includes(name)))
}

function planInsert(place: Place, write: SourcedWrite, data: unknown): Plan {
  const { record, key } = newRecord(place, data, write.key)
  mustBeFree(place, key)
  const steps = [{ key, before: undefined, after: record }]
  return { steps, result: record, write: { ...write, key }, hasNumbers: true }
}

function planInsertMany(place: Place, write: SourcedWrite, data: unknown): Plan {
  const { target, overlay, given } = place
  const list = mustList(place, write, data)
  const { keys } = write
  if (keys !== undefined && mustList(place, write, keys).length !== list.length) {
    throw new InvalidArgumentError(`event "bucket/${overlay.bucket}": insertMany: keys`, 'as many as data', keys)
  }
  const records = new Map<Key, StoredRecord>()
  const refused = upTo(list, given, (item, i) => {
    const { record, key } = newRecord(place, item, keys?.[i])
    if (records.has(key)) throw new DuplicateKeyError(overlay.bucket, key)
    mustBeFree(place, key)
    records.set(key, record)
    target.transaction.takeNumbers(overlay.bucketState, record)
  })
  const steps = [...records].map(([key, after]) => ({ key, before: undefined, after }))
  const kept = refused === undefined ? write.data : (write.data as readonly Value[] | undefined)?.slice(0, refused)
  const named = { ...write, ...(kept !== undefined && { data: Object.freeze(kept) as Value }) }
  return { steps, result: [...records.values()], write: { ...named, keys: Object.freeze([...records.keys()]) } }
}

function planUpdate(place: Place, write: SourcedWrite, key: Key, data: unknown): Plan {
  const { target, overlay } = place
  const { schema, name } = overlay.bucketState
  const version = checkVersion(`event "bucket/${name}"`, write)
  const before = mustBeThere(place, key)
  checkExpected(name, key, before, version)
  const after = schema.prepareUpdate(before, data, target.transaction.now())
  return { steps: [{ key, before, after }], result: after, write: { ...write, key } }
}

function planUpdateMany(place: Place, write: SourcedWrite, data: unknown): Plan {
  const { target, overlay, given } = place
  const { schema } = overlay.bucketState
  const keys = mustList(place, write, write.keys ?? []) as readonly Key[]
  const updated = new Map<Key, Step>()
  const refused = upTo(keys, given, (item) => {
    const key = mustKey(place, item)
    const known = updated.get(key)
    const before = known?.before ?? mustBeThere(place, key)
    const after = schema.prepareUpdate(known?.after ?? before, data, target.transaction.now())
    updated.set(key, { key, before, after })
  })
  const result = refused ?? keys.length
  return {
    steps: [...updated.values()],
    result,
    write: refused === undefined ? write : { ...write, keys: keys.slice(0, refused) },
  }
}

/** A record as it was, with its fields, `_createdAt` and `_expiresAt`; its `_version` goes on rising. */
function planRestore(place: Place, write: SourcedWrite): Plan {
  const { target, overlay } = place
  const key = mustKey(place, write.key)
  const before = currentIn(target.transaction, overlay, key)
  const was = (write.data ?? {}) as { readonly [field: string]: Value }
  const _version = Number(before?._version ?? was._version) + 1
  const after = overlay.bucketState.schema.prepareImport({ ...was, _version, _updatedAt: target.transaction.now() })
  mustAgree(place, key, overlay.bucketState.schema.keyOf(after))
  return { steps: [{ key, before, after }], result: after, write }
}

/** A new record as it is in place of `current`. */
function replacing({ _version, _createdAt }: StoredRecord, record: StoredRecord): StoredRecord {
  return Object.freeze({ ...record, _version: (_version as number) + 1, _createdAt: _createdAt as number })
}

function deletions({ target, overlay }: Place, keys: readonly Key[]): Step[] {
  return [...new Set(keys)].flatMap((key) => {
    const before = currentIn(target.transaction, overlay, key)
    return before === undefined ? [] : [{ key, before, after: undefined }]
  })
}

/**
 * Does `one` with each of `list`. Where the caller wants that, what comes before an item that is refused stays, and the error is for
 * the caller to tell.
 *
 * @returns the index of that item; undefined where none was refused.
 */
function upTo<T>(
  list: readonly T[],
  given: GivenWrite | undefined,
  one: (item: T, index: number) => void,
): number | undefined {
  let index = 0
  try {
    for (; index < list.length; index++) one(list[index] as T, index)
    return undefined
  } catch (error) {
    if (given?.keepsFirst !== true || index === 0) throw error
    given.refusal = { error }
    return index
  }
}

/** A new record, and its key, which is the one that the event says where it says one. */
function newRecord(
  place: Place,
  data: unknown,
  key: Key | undefined,
): { readonly record: StoredRecord; readonly key: Key } {
  const { target, overlay } = place
  const record = prepareIn(target.transaction, overlay.bucketState, withKey(place, data, key))
  const own = overlay.bucketState.schema.keyOf(record)
  mustAgree(place, key, own)
  return { record, key: own }
}

/**
 * What was given, with a key where it has none: the one that the event says, or a new one. That has randomness of its own, so that all
 * other generated values are the same again in a replay, where the key is known.
 */
function withKey({ overlay, source }: Place, data: unknown, key: Key | undefined): unknown {
  if (typeof data !== 'object' || data === null) return data
  const field = overlay.key
  // What fails here fails again where it is told well.
  const keyed = quietly(() => {
    if (Array.isArray(data) || data instanceof Date) return data as unknown
    if (Object.hasOwn(data, field) && (data as { [name: string]: unknown })[field] !== undefined) return data
    const own = key ?? generatedKey(overlay, source)
    return own === undefined ? data : { ...data, [field]: own }
  })
  return keyed ?? data
}

function generatedKey({ bucketState, key }: Overlay, source: Runtime): Key | undefined {
  const { schema } = bucketState.definition
  if (isStandardSchema(schema)) return undefined
  const { generated } = (schema[key] ?? {}) as FieldDefinition
  if (generated === 'uuid') return generateUuid(source)
  return generated === 'cuid' ? generateCuid(source) : undefined
}

function mustBeFree({ target, overlay }: Place, key: Key): void {
  if (currentIn(target.transaction, overlay, key) !== undefined) throw new DuplicateKeyError(overlay.bucket, key)
}

function mustBeThere({ target, overlay }: Place, key: Key): StoredRecord {
  const record = currentIn(target.transaction, overlay, key)
  if (record === undefined) throw new RecordNotFoundError(overlay.bucket, key)
  return record
}

function mustAgree({ overlay }: Place, said: Key | undefined, own: Key): void {
  if (said === undefined || said === own) return
  throw new InvalidArgumentError(
    `event "bucket/${overlay.bucket}": key`,
    `that of its data, ${JSON.stringify(own)}`,
    said,
  )
}

function mustList({ overlay }: Place, { action }: SourcedWrite, list: unknown): readonly unknown[] {
  if (Array.isArray(list)) return list
  throw new InvalidArgumentError(`event "bucket/${overlay.bucket}": ${action}`, 'a list', list)
}

function mustKey({ overlay }: Place, key: unknown): Key {
  return checkKey(`event "bucket/${overlay.bucket}": key`, key)
}
