import { chainAfter, checksum, checksumBytes } from '../base/checksum.js'
import { asError, describeValue } from '../base/errors.js'
import { checkMeta } from './check-record.js'
import { StreamDamagedError } from './errors.js'
import type { StreamEntryRecord, StreamMeta, StreamRecord } from './record.js'
import type { PlacedRecord, StreamHead } from './stream-backend.js'

/** A record as kyneta keeps it in a row: kind, JSON, and bytes that are no JSON. */
export interface KynetaRow {
  readonly kind: string
  readonly payload: string
  readonly blob: Uint8Array | null
}

/**
 * The row of a record, byte for byte as kyneta's sql-store-core 1.x to 3.x writes it.
 * Source: shared/research/record-streams.md, 1.3.
 */
export function kynetaRow(record: StreamRecord): KynetaRow {
  if (record.kind === 'meta') return { kind: 'meta', payload: JSON.stringify(record.meta), blob: null }
  const { kind, encoding, data, lineage } = record.payload
  const { version } = record
  // Put together by hand, which takes a third of the time. The order of fields is part of the format.
  let payload = `{"kind":"${kind}","encoding":"${encoding}","version":${JSON.stringify(version)}`
  if (typeof data === 'string') payload += `,"data":${JSON.stringify(data)}`
  payload += lineage === undefined ? '}' : `,"lineage":${JSON.stringify(lineage)}}`
  return { kind: 'entry', payload, blob: typeof data === 'string' ? null : data }
}

/**
 * The record of a row. Only what could have been written as a record is one.
 *
 * @param blob `null`: there are no bytes. Where a binding makes that of an empty BLOB, its caller has to know.
 * @throws {StreamDamagedError} it is none.
 */
export function recordOfKyneta(id: string, seq: number, kind: unknown, payload: unknown, blob: unknown): StreamRecord {
  try {
    if (typeof payload !== 'string') throw new Error('its payload is no text')
    const content = JSON.parse(payload) as { readonly [field: string]: unknown }
    if (kind === 'meta') {
      if (blob !== null) throw new Error('a meta has no bytes')
      return { kind: 'meta', meta: metaOf(content) }
    }
    if (kind !== 'entry') throw new Error(`its kind is ${JSON.stringify(kind)}, not 'meta' or 'entry'`)
    return entryOf(content, blob)
  } catch (error) {
    throw damaged(id, seq, error)
  }
}

function entryOf(content: { readonly [field: string]: unknown }, blob: unknown): StreamEntryRecord {
  const { kind, encoding, version, data: text, lineage } = content
  if (kind !== 'entirety' && kind !== 'since') throw new Error(`${describeValue(kind)} is no kind of payload`)
  if (encoding !== 'json' && encoding !== 'binary') throw new Error(`${describeValue(encoding)} is no encoding`)
  if (typeof version !== 'string') throw new Error('its version is no string')
  if (lineage !== undefined && typeof lineage !== 'string') throw new Error('its lineage is no string')
  if ((text === undefined) === (blob === null)) throw new Error('it has to have either text or bytes')
  if (blob === null && typeof text !== 'string') throw new Error('its data is no string')
  const data = blob === null ? (text as string) : plainBytes(blob)
  return {
    kind: 'entry',
    payload: lineage === undefined ? { kind, encoding, data } : { kind, encoding, data, lineage },
    version,
  }
}

/** The next link of a chain of checksums over records, as their rows say them, and their places. 0 begins it. */
export function traceAfter(chain: number, records: readonly PlacedRecord[]): number {
  let trace = chain
  for (const { seq, record } of records) {
    const { kind, payload, blob } = kynetaRow(record)
    trace = chainAfter(trace, checksum(`${seq} ${kind} ${payload}`))
    if (blob !== null) trace = chainAfter(trace, checksumBytes(blob))
  }
  return trace
}

/** What the index of a kyneta store says about a document. @throws {StreamDamagedError} it is not that. */
export function metaOfKyneta(id: string, data: unknown): StreamMeta {
  try {
    return metaOf(JSON.parse(data as string))
  } catch (error) {
    throw damaged(id, undefined, error)
  }
}

/**
 * What is known about a document, and, where that is damaged, what to say to who needs it.
 *
 * @param meta as it is kept; `null`: there is no such document. @param seqNext throws when the seqs that are there are none.
 */
export function headOf(id: string, meta: unknown, seqNext: () => number): StreamHead {
  let damage: StreamDamagedError | undefined
  const unlessDamaged = <T>(work: () => T): T | undefined => {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof StreamDamagedError)) throw error
      damage ??= error
      return undefined
    }
  }
  const known = meta === null ? null : unlessDamaged(() => metaOfKyneta(id, meta))
  const seq = unlessDamaged(seqNext)
  const head = { meta: known ?? null, seqNext: seq ?? 0 }
  return damage === undefined ? head : { ...head, damage }
}

/** @param seq as it is there, though it be none; `undefined`: what is known about the document is damaged. */
export function damaged(id: string, seq: unknown, thrown: unknown): StreamDamagedError {
  const place = seq === undefined ? 'its meta' : `its record with seq ${String(seq)}`
  const message =
    `stream ${JSON.stringify(id)}: ${place} cannot be read: ${asError(thrown).message}; it was left as it is; ` +
    'restore it from a backup, or replace or delete the document'
  return new StreamDamagedError('STREAM_DAMAGED', message, { id, seq, cause: thrown })
}

/** A seq as it was read. @throws {StreamDamagedError} it is no safe integer from 0 up. */
export function seqOf(id: string, seq: unknown): number {
  const number = typeof seq === 'number' || typeof seq === 'bigint' ? Number(seq) : Number.NaN
  if (Number.isSafeInteger(number) && number >= 0) return number
  throw damaged(id, seq, new Error('a seq is an integer from 0 to 2^53 - 1'))
}

/** A BLOB as the reader's own `Uint8Array`, whatever a binding makes of it. */
export function plainBytes(blob: unknown): Uint8Array {
  if (blob instanceof ArrayBuffer) return new Uint8Array(blob)
  if (!ArrayBuffer.isView(blob)) throw new Error('bytes are missing')
  // Small buffers of Node share their memory with others, so they are copied.
  if (Object.getPrototypeOf(blob) === Uint8Array.prototype) return blob as Uint8Array
  return new Uint8Array(blob.buffer as ArrayBuffer, blob.byteOffset, blob.byteLength).slice()
}

/** Later versions may add fields: they are given out, as everything else is. */
function metaOf(content: unknown): StreamMeta {
  const { replicaType, syncMode, syncProtocol, schemaHash } = content as { readonly [field: string]: unknown }
  const known = syncMode === undefined ? { syncProtocol } : { syncMode }
  checkMeta('meta', { replicaType, ...known, schemaHash })
  return content as StreamMeta
}
