import { systemRuntime } from '../base/runtime.js'
import type {
  ReplicaType,
  SequencedRecord,
  StreamEntryRecord,
  StreamMeta,
  StreamMetaRecord,
  StreamPayload,
  StreamRecord,
  SyncMode,
} from '../streams/record.js'
import type { LoadOptions, StreamStore } from '../streams/stream-store.js'
import { check, CheckError } from './expect.js'

/** How CRDT documents are kept. */
export const COLLABORATIVE: SyncMode = {
  writerModel: 'concurrent',
  delivery: 'delta-capable',
  durability: 'persistent',
}
/** How documents with one writer are kept. */
export const AUTHORITATIVE: SyncMode = {
  writerModel: 'serialized',
  delivery: 'delta-capable',
  durability: 'persistent',
}
/** How presence is kept. */
export const EPHEMERAL: SyncMode = { writerModel: 'concurrent', delivery: 'snapshot-only', durability: 'transient' }

const YJS: ReplicaType = ['yjs', 1, 0]

/** A meta record in the shape of 2.x, which shares nothing with another one. */
export function metaRecord(
  schemaHash = 'h1',
  replicaType: ReplicaType = YJS,
  syncMode: SyncMode = COLLABORATIVE,
): StreamMetaRecord {
  return { kind: 'meta', meta: { replicaType: [...replicaType], syncMode: { ...syncMode }, schemaHash } }
}

/** A meta record in the shape of 1.6. */
export function oldMetaRecord(
  schemaHash = 'h1',
  replicaType: ReplicaType = YJS,
  syncProtocol: SyncMode = COLLABORATIVE,
): StreamMetaRecord {
  return { kind: 'meta', meta: { replicaType: [...replicaType], syncProtocol: { ...syncProtocol }, schemaHash } }
}

/** An entry: text is `json`, bytes are `binary`, unless `over` says otherwise. */
export function entry(data: string | Uint8Array, version = 'v1', over: Partial<StreamPayload> = {}): StreamEntryRecord {
  const encoding = typeof data === 'string' ? 'json' : 'binary'
  return { kind: 'entry', payload: { kind: 'since', encoding, data, ...over }, version }
}

/** `count` entries whose data say which they are. */
export function entries(count: number, tag = 'e'): StreamEntryRecord[] {
  return Array.from({ length: count }, (_, i) => entry(`${tag}${i}`, `${tag}v${i}`))
}

/** Everything that `source` has. */
export async function drain<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of source) items.push(item)
  return items
}

/** All records of a document. */
export function loadAll(store: StreamStore, id: string): Promise<StreamRecord[]> {
  return drain(store.loadAll(id))
}

/** Some records of a document, with their seqs. */
export function load(store: StreamStore, id: string, options?: LoadOptions): Promise<SequencedRecord[]> {
  return drain(store.load(id, options))
}

/** The ids under `prefix`. */
export function listIds(store: StreamStore, prefix?: string): Promise<string[]> {
  return drain(prefix === undefined ? store.listDocIds() : store.listDocIds(prefix))
}

/** A copy of a record without its seq. */
export function withoutSeq({ seq, ...record }: SequencedRecord): StreamRecord {
  check(Number.isSafeInteger(seq) && seq >= 0, `a seq is a whole number from 0, got ${String(seq)}`)
  return record
}

/** One text for all values that are the same: keys sorted, bytes as hex, what is absent apart from what is undefined. */
export function textOf(value: unknown): string {
  if (value instanceof Uint8Array) return `bytes:${value.length}:${bytesText(value)}`
  if (value === undefined) return 'undefined'
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(textOf).join()}]`
  const fields = value as { readonly [key: string]: unknown }
  const keys = Object.keys(fields).sort()
  return `{${keys.map((key) => `${key}:${textOf(fields[key])}`).join()}}`
}

/** Hex where it is short, else a checksum (FNV-1a over 32 bits, in two directions). */
function bytesText(bytes: Uint8Array): string {
  if (bytes.length <= 64) return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  let [a, b] = [0x811c9dc5, 0x811c9dc5]
  for (let i = 0; i < bytes.length; i++) {
    a = Math.imul(a ^ (bytes[i] as number), 0x01000193)
    b = Math.imul(b ^ (bytes[bytes.length - 1 - i] as number), 0x01000193)
  }
  return `${(a >>> 0).toString(16)}-${(b >>> 0).toString(16)}`
}

/** Throws unless both are the same records, lists or metas, bytes and absent fields included. */
export function checkEqual(actual: unknown, expected: unknown, claim: string): void {
  const [got, wanted] = [textOf(actual), textOf(expected)]
  if (got !== wanted) throw new CheckError(`${claim}: expected ${shorten(wanted, got)}, got ${shorten(got, wanted)}`)
}

/** The part of a long text that differs from another one. */
function shorten(text: string, other: string): string {
  if (text.length <= 300) return text
  let at = 0
  while (at < text.length && text[at] === other[at]) at++
  const from = Math.max(0, at - 100)
  return `(${text.length} characters, from ${from}) ${text.slice(from, at + 200)}`
}

/** What the last meta of a stream says. */
export function lastMeta(records: readonly StreamRecord[]): StreamMeta | null {
  const metas = records.filter((record) => record.kind === 'meta')
  return metas.at(-1)?.meta ?? null
}

/** Throws unless every way of reading shows exactly `expected`; an empty list means that there is no such document. */
export async function checkStream(
  store: StreamStore,
  id: string,
  expected: readonly StreamRecord[],
  claim: string,
): Promise<void> {
  checkEqual(await loadAll(store, id), expected, `${claim}: loadAll`)
  const placed = await load(store, id)
  checkGrowing(placed, claim)
  checkEqual(placed.map(withoutSeq), expected, `${claim}: load`)
  checkEqual(await store.currentMeta(id), lastMeta(expected), `${claim}: currentMeta`)
  const listed = (await listIds(store)).includes(id)
  check(listed === expected.length > 0, `${claim}: listDocIds ${listed ? 'has' : 'lacks'} ${JSON.stringify(id)}`)
}

/** Throws unless seqs grow. */
export function checkGrowing(records: readonly SequencedRecord[], claim: string): void {
  for (let i = 1; i < records.length; i++) {
    const [before, after] = [records[i - 1]?.seq ?? -1, records[i]?.seq ?? -1]
    check(after > before, `${claim}: seqs grow, but ${after} follows ${before}`)
  }
}

/** Throws unless `promise` rejects with an error of that name whose message has `words`. @returns the error. */
export async function checkError(
  promise: Promise<unknown>,
  name: string,
  words: RegExp,
  claim: string,
): Promise<Error> {
  const error = await failureOf(promise)
  check(error !== undefined, `${claim}: expected ${name}, but it resolved`)
  check(error.name === name, `${claim}: expected ${name}, got ${error.name}: ${error.message}`)
  check(words.test(error.message), `${claim}: expected a message like ${String(words)}, got ${error.message}`)
  return error
}

/** The error that `promise` rejects with; `undefined` when it resolves. */
export async function failureOf(promise: Promise<unknown>): Promise<Error | undefined> {
  try {
    await promise
    return undefined
  } catch (error) {
    check(error instanceof Error, `a rejection is an Error, got ${String(error)}`)
    return error
  }
}

/** Waits, 10 seconds at most, until `condition` holds. */
export async function until(condition: () => boolean | Promise<boolean>, claim: string): Promise<void> {
  const started = systemRuntime.elapsed()
  while (!(await condition())) {
    check(systemRuntime.elapsed() - started < 10_000, `${claim}: has not happened within 10 s`)
    await pause(2)
  }
}

/** Gives everything that is under way the time to end: for showing that something does not happen. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await turn()
  await pause(25)
}

/** Resolves when everything that is due has run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => systemRuntime.defer(resolve))
}

/** Resolves after `ms` milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void systemRuntime.setTimer(ms, resolve, true))
}

/** A promise, and who resolves it. */
export interface Gate {
  readonly opened: Promise<void>
  open(): void
}

/** A gate that is closed. */
export function gate(): Gate {
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}
