import { checksum } from '../base/checksum.js'
import { stringify } from '../base/json.js'
import type { Change, DeleteCause, Entry, EntryEvent, Key, StoredRecord, Value } from './entry.js'
import { sourcedType } from './entry.js'
import { redactEntry } from './memory-log.js'

/** Version of the entry's text. Raised when a reader of the old text would misread the new one. */
export const ENTRY_FORMAT = 1

/** An entry as text, with the checksum that is chained. */
export interface EncodedEntry {
  readonly text: string
  /** Checksum of the entry's original text; it stays when the text is redacted, so the chain stays verifiable. */
  readonly sum: number
  /** Checksum of `text`, where that is not the original text any more. */
  readonly redactedSum?: number
}

/**
 * JSON texts of records, each made once however often the record occurs: in an entry, in a row, in the entry after it.
 * Made for one batch and thrown away with it.
 */
export class RecordTexts {
  readonly #texts: Map<StoredRecord, string> = new Map()
  readonly #names: Map<string, string> = new Map()

  /** The JSON text of `record`. */
  of(record: StoredRecord): string {
    let text = this.#texts.get(record)
    if (text === undefined) {
      text = stringify(record)
      this.#texts.set(record, text)
    }
    return text
  }

  /** The JSON text of a name that occurs often, such as a bucket's. */
  name(name: string): string {
    let text = this.#names.get(name)
    if (text === undefined) {
      text = JSON.stringify(name)
      this.#names.set(name, text)
    }
    return text
  }
}

/**
 * The text of an entry: one JSON object, `{"v":1,"seq":…,"id":…,"at":…,"type":…,"data":…,"meta":…,
 * "event":{"version":…,"at":…,"clock":…,"seed":…,"events":[{"type":…,"version":…,"data":…,"events":[…]}]},"cleared":[…],"changes":[
 * {"bucket":…,"key":…,"before":{…},"after":{…},"cause":…,"ordinal":…}],"redacted":[…]}`, where absent means none, and an absent `id`
 * that it is `<log id>-<seq>`.
 *
 * @param logId id of the log that it is written to.
 * @param texts shared by everything that is written in the same batch.
 */
export function encodeEntry(entry: Entry, logId: string, texts: RecordTexts): EncodedEntry {
  const text = entryText(entry, logId, texts)
  return { text, sum: checksum(text) }
}

/**
 * What is written for an entry whose buckets `buckets` have been emptied since: its changes to them are left out.
 *
 * @param sum the checksum of the original text.
 */
export function encodeRedacted(entry: Entry, buckets: readonly string[], logId: string, sum: number): EncodedEntry {
  const text = entryText(buckets.reduce(redactEntry, entry), logId, new RecordTexts())
  return { text, sum, redactedSum: checksum(text) }
}

/**
 * A text that occurs in the text of every entry with a change to `bucket`, for finding them without parsing. It may
 * occur in others too, inside a record.
 */
export function bucketMark(bucket: string): string {
  return `{"bucket":${JSON.stringify(bucket)},"key":`
}

/** As `bucketMark`, in the text of every event that is a write to the sourced bucket `bucket`. */
export function sourcedMark(bucket: string): string {
  return `"type":${JSON.stringify(sourcedType(bucket))}`
}

/** As `bucketMark`, of the entries with a change to one record. */
export function keyMark(bucket: string, key: Key): string {
  return `${bucketMark(bucket)}${JSON.stringify(key)},`
}

/**
 * The entry that `text`, or what `JSON.parse` made of it, stands for. Its records are not frozen.
 *
 * @param logId id of the log that it was read from.
 * @throws {Error} the text is damaged or from another version; the message says what is wrong with it.
 */
export function decodeEntry(text: string | Value, logId: string): Entry {
  const raw = typeof text === 'string' ? parseObject(text) : mustObject(text, 'the entry')
  if (raw.v !== ENTRY_FORMAT) throw new Error(`format ${String(raw.v)} of the entry is not known to this version`)
  const { seq, id = `${logId}-${String(raw.seq)}`, at, type, data, meta, event, cleared, changes, redacted } = raw
  if (!Number.isSafeInteger(seq) || typeof at !== 'number') throw new Error('the entry has no seq or no time')
  if (typeof id !== 'string' || typeof type !== 'string') throw new Error('the entry has no id or no type')
  if (!Array.isArray(changes)) throw new Error('the entry has no changes')
  return {
    seq: seq as number,
    id,
    at,
    type,
    ...(data === undefined ? {} : { data: mustObject(data, 'data') }),
    ...(meta === undefined ? {} : { meta: mustObject(meta, 'meta') }),
    ...(event === undefined ? {} : { event: mustEvent(event) }),
    ...(cleared === undefined ? {} : { cleared: mustNames(cleared) }),
    changes: changes.map(decodeChange),
    ...(redacted === undefined ? {} : { redacted: mustNames(redacted) }),
  }
}

/**
 * The plain object that `text` is as JSON.
 *
 * @throws {Error} it is not JSON, or not an object.
 */
export function parseObject(text: string): { readonly [field: string]: Value } {
  return mustObject(JSON.parse(text), 'the text')
}

/** True for an object that is neither null nor an array. What `JSON.parse` returned is then a plain object. */
export function isObject(value: unknown): value is { readonly [field: string]: Value } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function entryText(entry: Entry, logId: string, texts: RecordTexts): string {
  let text = `{"v":${ENTRY_FORMAT},"seq":${entry.seq}`
  if (entry.id !== `${logId}-${entry.seq}`) text += `,"id":${JSON.stringify(entry.id)}`
  text += `,"at":${entry.at},"type":${texts.name(entry.type)}`
  if (entry.data !== undefined) text += `,"data":${stringify(entry.data)}`
  if (entry.meta !== undefined) text += `,"meta":${stringify(entry.meta)}`
  if (entry.event !== undefined) text += `,"event":${stringify(entry.event as Value)}`
  if (entry.cleared !== undefined) text += `,"cleared":${JSON.stringify(entry.cleared)}`
  text += ',"changes":['
  let comma = ''
  for (const change of entry.changes) {
    text += `${comma}{"bucket":${texts.name(change.bucket)},"key":${JSON.stringify(change.key)}`
    if (change.before !== undefined) text += `,"before":${texts.of(change.before)}`
    if (change.after !== undefined) text += `,"after":${texts.of(change.after)}`
    if (change.cause !== undefined) text += `,"cause":"${change.cause}"`
    text += change.ordinal === undefined ? '}' : `,"ordinal":${change.ordinal}}`
    comma = ','
  }
  return entry.redacted === undefined ? `${text}]}` : `${text}],"redacted":${JSON.stringify(entry.redacted)}}`
}

function decodeChange(raw: Value): Change {
  const { bucket, key, before, after, cause, ordinal } = mustObject(raw, 'a change')
  if (typeof bucket !== 'string') throw new Error('a change names no bucket')
  if (typeof key !== 'string' && typeof key !== 'number' && typeof key !== 'boolean') {
    throw new Error('a change has no key')
  }
  if (before === undefined && after === undefined) throw new Error('a change changes nothing')
  const change: { -readonly [K in keyof Change]: Change[K] } = {
    bucket,
    key: key,
    before: before === undefined ? undefined : mustObject(before, 'a record'),
    after: after === undefined ? undefined : mustObject(after, 'a record'),
  }
  if (cause !== undefined) change.cause = mustCause(cause)
  if (ordinal !== undefined) change.ordinal = mustOrdinal(ordinal)
  return change
}

function mustObject(value: unknown, what: string): { readonly [field: string]: Value } {
  if (!isObject(value)) throw new Error(`${what} is not a JSON object`)
  return value
}

function mustEvent(value: Value): EntryEvent {
  const event = mustObject(value, 'the event')
  if (event.events !== undefined) mustEvents(event.events)
  return event
}

function mustEvents(value: Value): void {
  if (!Array.isArray(value)) throw new Error('the sub-events are not a list')
  for (const item of value as readonly Value[]) {
    const { type, events } = mustObject(item, 'a sub-event')
    if (typeof type !== 'string') throw new Error('a sub-event has no type')
    if (events !== undefined) mustEvents(events)
  }
}

function mustNames(value: Value): readonly string[] {
  if (!Array.isArray(value) || !value.every((name) => typeof name === 'string')) {
    throw new Error('a list of buckets is not a list of names')
  }
  return value
}

function mustCause(value: Value): DeleteCause {
  if (value !== 'delete' && value !== 'ttl' && value !== 'evicted') throw new Error('a change has an unknown cause')
  return value
}

function mustOrdinal(value: Value): number {
  if (!Number.isSafeInteger(value)) throw new Error('a change has an ordinal that is no number')
  return value as number
}
