import { isKey, type Value } from '../base/value.js'
import { type CopyState, copyValue } from '../schema/copy-value.js'
import { isObject } from './codec.js'
import type { Key, StoredRecord } from './entry.js'
import type { Row } from './storage.js'

/** What is saved for a bucket, as noex-store 0.1 saves it: its snapshots load here, and ours there. */
export interface BucketSnapshot {
  readonly state: {
    /** Key and record, by insertion. */
    readonly records: readonly (readonly [Key, StoredRecord])[]
    readonly autoincrementCounter: number
  }
  readonly metadata: {
    /** Wall clock, milliseconds. */
    readonly persistedAt: number
    /** Name of the store. */
    readonly serverId: string
    readonly schemaVersion: number
  }
}

/** What was found in a snapshot. */
export interface LoadedSnapshot {
  readonly rows: readonly Row[]
  readonly counter: number
  /** Name of the key field, where the records tell it; else empty. */
  readonly key: string
}

const SCHEMA_VERSION = 1

/** The key that a bucket is saved under. */
export function snapshotKey(store: string, bucket: string): string {
  return `${store}:bucket:${bucket}`
}

/** The snapshot of a bucket. Nothing in it is shared: adapters may change it, and some refuse what occurs twice. */
export function encodeSnapshot(
  store: string,
  keyField: string,
  rows: readonly Row[],
  counter: number,
  now: number,
): BucketSnapshot {
  return {
    state: {
      records: rows.map(({ record }) => [record[keyField] as Key, copy(record) as StoredRecord]),
      autoincrementCounter: counter,
    },
    metadata: { persistedAt: now, serverId: store, schemaVersion: SCHEMA_VERSION },
  }
}

/**
 * What `snapshot`, as an adapter gave it, holds. Rows are numbered from 1 in the order of the records.
 *
 * @throws {Error} it is not the snapshot of a bucket; the message says why.
 */
export function decodeSnapshot(snapshot: unknown): LoadedSnapshot {
  const { state, metadata } = mustObject(snapshot, 'the snapshot')
  const version = metadata === undefined ? SCHEMA_VERSION : mustObject(metadata, 'its metadata').schemaVersion
  if (version !== SCHEMA_VERSION) throw new Error(`schema version ${String(version)} is not known to this version`)
  const { records, autoincrementCounter = 0 } = mustObject(state, 'its state')
  if (!Array.isArray(records)) throw new Error('it has no list of records')
  if (!Number.isSafeInteger(autoincrementCounter)) throw new Error('its autoincrement counter is not an integer')
  const pairs = records.map(mustPair)
  const rows = pairs.map(([, record], i) => ({ ordinal: i + 1, record }))
  return { rows, counter: autoincrementCounter as number, key: keyFieldOf(pairs) }
}

function mustPair(pair: unknown, index: number): readonly [Key, StoredRecord] {
  if (!Array.isArray(pair) || pair.length !== 2 || !isKey(pair[0])) throw new Error(`record ${index} has no key`)
  const state: CopyState = { issues: [], characters: 0 }
  // Other stores keep dates, undefined and -0 as they are; here they are what an insert makes of them.
  const record = copyValue(mustObject(pair[1], `record ${index}`), `record ${index}`, state)
  const [issue] = state.issues
  if (issue !== undefined) throw new Error(`${issue.field}: ${issue.message}`)
  return [pair[0], record as StoredRecord]
}

function mustObject(value: unknown, what: string): { readonly [field: string]: Value } {
  if (!isObject(value)) throw new Error(`${what} is not an object`)
  return value
}

/** The one field that holds the key in every record; empty when there is none, or more than one. */
function keyFieldOf(pairs: readonly (readonly [Key, StoredRecord])[]): string {
  const [first] = pairs
  if (first === undefined) return ''
  const fields = Object.keys(first[1]).filter((field) => pairs.every(([key, record]) => record[field] === key))
  return fields.length === 1 ? (fields[0] as string) : ''
}

function copy(value: Value): Value {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(copy)
  const made: { [field: string]: Value } = {}
  for (const field of Object.keys(value)) made[field] = copy((value as StoredRecord)[field] as Value)
  return made
}
