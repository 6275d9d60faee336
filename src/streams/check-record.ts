import { describeValue, InvalidArgumentError } from '../base/errors.js'
import { quietly } from '../base/quietly.js'
import { isUint8Array, plainView } from '../base/uint8-array.js'
import type {
  ReplicaType,
  SequencedRecord,
  StreamEntryRecord,
  StreamMeta,
  StreamPayload,
  StreamRecord,
  SyncMode,
} from './record.js'

const AXES: { readonly [axis in keyof SyncMode]: readonly SyncMode[axis][] } = {
  writerModel: ['serialized', 'concurrent'],
  delivery: ['delta-capable', 'snapshot-only'],
  durability: ['persistent', 'transient'],
}

type Fields = Record<string, unknown>

const META_RECORD_FIELDS: readonly string[] = ['kind', 'meta']
const ENTRY_FIELDS: readonly string[] = ['kind', 'payload', 'version']
const PAYLOAD_FIELDS: readonly string[] = ['kind', 'encoding', 'data', 'lineage']

/** Deeper values would exhaust the stack of somebody who reads them. */
const META_DEPTH_MAX = 100

/** @throws {InvalidArgumentError} `id` is no string. Any string will do. */
export function checkId(method: string, id: unknown): string {
  if (typeof id !== 'string') throw new InvalidArgumentError(`${method}(id)`, 'a string', id)
  return id
}

/**
 * A copy of a record, with nothing of the caller's in it: what the caller does to theirs later has no effect. Fields keep
 * their order, so that the text of a meta is the one that kyneta would write.
 *
 * @param argument as the caller knows it.
 * @param borrowsBytes true: the bytes of an entry are still the caller's. `ownBytes` makes them the record's.
 * @throws {InvalidArgumentError} not a record, or one with fields that would not be kept.
 */
export function checkRecord(argument: string, record: unknown, borrowsBytes = false): StreamRecord {
  const fields = fieldsOf(argument, record, 'a record')
  if (fields['kind'] === 'meta') {
    onlyFields(argument, fields, META_RECORD_FIELDS)
    return { kind: 'meta', meta: checkMeta(`${argument}.meta`, fields['meta']) }
  }
  if (fields['kind'] !== 'entry')
    throw new InvalidArgumentError(`${argument}.kind`, "'meta' or 'entry'", fields['kind'])
  onlyFields(argument, fields, ENTRY_FIELDS)
  const version = checkText(`${argument}.version`, fields['version'])
  return { kind: 'entry', payload: checkPayload(`${argument}.payload`, fields['payload'], borrowsBytes), version }
}

/** Copies of records, in their order. @throws {InvalidArgumentError} not an array of records. */
export function checkRecords(argument: string, records: unknown): StreamRecord[] {
  // `isArray` throws for a proxy that was revoked, which is none, either.
  const isArray = quietly(() => Array.isArray(records)) === true
  if (!isArray) throw new InvalidArgumentError(argument, 'an array of records', records)
  const list = records as readonly unknown[]
  const copies: StreamRecord[] = []
  // Not `map`: it passes over holes, and may be the caller's own.
  for (let i = 0; i < list.length; i++) copies.push(checkRecord(`${argument}[${i}]`, read(argument, list, i)))
  return copies
}

/** A copy of what is known about a document. @throws {InvalidArgumentError} it is not that. */
export function checkMeta(argument: string, meta: unknown): StreamMeta {
  const fields = fieldsOf(argument, meta, 'a meta')
  const [mode, other] =
    fields['syncProtocol'] === undefined
      ? (['syncMode', 'syncProtocol'] as const)
      : (['syncProtocol', 'syncMode'] as const)
  if (fields[other] !== undefined) {
    throw new InvalidArgumentError(argument, 'syncMode (kyneta 2.x) or syncProtocol (1.6), not both', meta)
  }
  const copy: Fields = {}
  // Of later versions, and applications: kept, where JSON keeps them.
  for (const field of Object.keys(fields)) copy[field] = checkJson(`${argument}.${field}`, fields[field], 0)
  copy['replicaType'] = checkReplicaType(`${argument}.replicaType`, fields['replicaType'])
  copy[mode] = checkSyncMode(`${argument}.${mode}`, fields[mode])
  copy['schemaHash'] = checkText(`${argument}.schemaHash`, fields['schemaHash'])
  return copy as unknown as StreamMeta
}

/** A copy of a record that has been checked. */
export function copyRecord(record: StreamRecord): StreamRecord {
  if (record.kind === 'meta') return { kind: 'meta', meta: copyMeta(record.meta) }
  const { kind, encoding, data, lineage } = record.payload
  const payload = { kind, encoding, data: typeof data === 'string' ? data : new Uint8Array(data) }
  return { kind: 'entry', payload: lineage === undefined ? payload : { ...payload, lineage }, version: record.version }
}

/** A record with its place, as readers get it. Field by field: a spread takes longer than reading the record. */
export function sequenced({ seq, record }: { readonly seq: number; readonly record: StreamRecord }): SequencedRecord {
  if (record.kind === 'meta') return { kind: 'meta', meta: record.meta, seq }
  return { kind: 'entry', payload: record.payload, version: record.version, seq }
}

/** A copy of a meta that has been checked. */
export function copyMeta(meta: StreamMeta): StreamMeta {
  return JSON.parse(JSON.stringify(meta)) as StreamMeta
}

/** A copy of a value that JSON keeps as it is. @param depth how many objects and arrays it is in. */
function checkJson(argument: string, value: unknown, depth: number): unknown {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value
  // JSON has no -0.
  if (typeof value === 'number' && Number.isFinite(value)) return value + 0
  // As above: a revoked proxy is no array.
  const isArray = quietly(() => Array.isArray(value)) === true
  // Nor is it an object.
  const isPlain = isArray || quietly(() => isPlainObject(value)) === true
  if (!isPlain || depth >= META_DEPTH_MAX) {
    throw new InvalidArgumentError(argument, `a value of JSON, not more than ${META_DEPTH_MAX} deep`, value)
  }
  if (isArray) {
    const list = value as readonly unknown[]
    return Array.from({ length: list.length }, (_, i) =>
      checkJson(`${argument}[${i}]`, read(argument, list, i), depth + 1),
    )
  }
  const copy: Fields = {}
  for (const [field, content] of Object.entries(fieldsOf(argument, value, 'an object'))) {
    copy[field] = checkJson(`${argument}.${field}`, content, depth + 1)
  }
  return copy
}

function isPlainObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null
}

function checkPayload(argument: string, payload: unknown, borrowsBytes: boolean): StreamPayload {
  const fields = fieldsOf(argument, payload, 'a payload')
  onlyFields(argument, fields, PAYLOAD_FIELDS)
  const { kind, encoding, data, lineage } = fields
  if (kind !== 'entirety' && kind !== 'since') {
    throw new InvalidArgumentError(`${argument}.kind`, "'entirety' or 'since'", kind)
  }
  if (encoding !== 'json' && encoding !== 'binary') {
    throw new InvalidArgumentError(`${argument}.encoding`, "'json' or 'binary'", encoding)
  }
  const copy = { kind, encoding, data: checkData(`${argument}.data`, data, borrowsBytes) } as const
  return lineage === undefined ? copy : { ...copy, lineage: checkText(`${argument}.lineage`, lineage) }
}

function checkData(argument: string, data: unknown, borrowsBytes: boolean): string | Uint8Array {
  if (typeof data === 'string') return data
  const isBytes = isUint8Array(data)
  if (isBytes && borrowsBytes) {
    // It throws where the buffer has been given away; then copying says so, too.
    const view = quietly(() => plainView(data))
    // Bytes that were given away look like none.
    if (view !== undefined && view.length > 0) return view
  }
  const bytes = isBytes ? copyBytes(data) : undefined
  if (bytes === undefined) throw new InvalidArgumentError(argument, 'a string or a Uint8Array', data)
  return bytes
}

/** Makes the bytes of a record that has borrowed them its own, in place. */
export function ownBytes(record: StreamEntryRecord): void {
  const payload = record.payload as { data: string | Uint8Array }
  if (typeof payload.data !== 'string') payload.data = new Uint8Array(payload.data)
}

function copyBytes(data: Uint8Array): Uint8Array | undefined {
  // It throws where the buffer has been given away (transferred): then there are no bytes to keep.
  return quietly(() => new Uint8Array(data))
}

function checkReplicaType(argument: string, value: unknown): ReplicaType {
  // As above: a revoked proxy is no array.
  const parts = quietly(() => (Array.isArray(value) && value.length === 3 ? [value[0], value[1], value[2]] : undefined))
  const [name, major, minor] = (parts ?? []) as unknown[]
  if (typeof name !== 'string' || !isCount(major) || !isCount(minor)) {
    throw new InvalidArgumentError(argument, '[name, major, minor]: a string and two integers from 0 up', value)
  }
  return [name, major + 0, minor + 0]
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function checkSyncMode(argument: string, value: unknown): SyncMode {
  const fields = fieldsOf(argument, value, 'an object with writerModel, delivery and durability')
  onlyFields(argument, fields, Object.keys(AXES))
  for (const [axis, values] of Object.entries(AXES)) {
    if (!(values as readonly unknown[]).includes(fields[axis])) {
      throw new InvalidArgumentError(`${argument}.${axis}`, `'${values.join("' or '")}'`, fields[axis])
    }
  }
  return fields as unknown as SyncMode
}

function checkText(argument: string, value: unknown): string {
  if (typeof value !== 'string') throw new InvalidArgumentError(argument, 'a string', value)
  return value
}

/** The fields of an object, each read once; those that are undefined are left out. */
function fieldsOf(argument: string, value: unknown, expected: string): Fields {
  if (typeof value !== 'object' || value === null) throw new InvalidArgumentError(argument, expected, value)
  const fields: Fields = {}
  for (const field of keysOf(argument, value)) {
    const content = read(argument, value, field)
    if (content === undefined) continue
    // A field of this name would become the prototype.
    if (field === '__proto__') throw new InvalidArgumentError(argument, 'no field "__proto__"', content)
    fields[field] = content
  }
  return fields
}

function keysOf(argument: string, value: object): string[] {
  try {
    return Object.keys(value)
  } catch (error) {
    throw new InvalidArgumentError(argument, 'an object that can be read', error)
  }
}

/** One field, wherever it comes from. @throws {InvalidArgumentError} its getter throws. */
function read(argument: string, value: object, field: string | number): unknown {
  try {
    return (value as { readonly [field: string | number]: unknown })[field]
  } catch (error) {
    throw new InvalidArgumentError(`${argument}.${field}`, 'a field that can be read', error)
  }
}

function onlyFields(argument: string, fields: Fields, known: readonly string[]): void {
  for (const field of Object.keys(fields)) {
    if (known.includes(field)) continue
    // Leaving it out would lose it without a word.
    throw new InvalidArgumentError(argument, `no fields but ${known.join(', ')}`, describeField(field, fields[field]))
  }
}

function describeField(field: string, value: unknown): string {
  return `${field}: ${describeValue(value)}`
}
