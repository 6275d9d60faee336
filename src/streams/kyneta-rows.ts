import { asError } from '../base/errors.js'
import { checkMeta } from './check-record.js'
import { StreamDamagedError } from './errors.js'
import type { StreamEntryRecord, StreamMeta, StreamPayload, StreamRecord } from './record.js'

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
  // A field that is undefined is left out; the order of fields is part of the format.
  if (typeof data === 'string') {
    return { kind: 'entry', payload: JSON.stringify({ kind, encoding, version, data, lineage }), blob: null }
  }
  return { kind: 'entry', payload: JSON.stringify({ kind, encoding, version, lineage }), blob: data }
}

/** The record of a row. @throws {StreamDamagedError} it is none. */
export function recordOfKyneta(id: string, seq: number, kind: unknown, payload: unknown, blob: unknown): StreamRecord {
  try {
    const content = JSON.parse(payload as string) as { readonly [field: string]: unknown }
    if (kind === 'meta') return { kind: 'meta', meta: metaOf(content) }
    const { lineage, version } = content
    // Some bindings make NULL of an empty BLOB; bytes are what has no text.
    const data = blob !== null ? plainBytes(blob) : 'data' in content ? content['data'] : new Uint8Array()
    if (typeof version !== 'string' || (blob === null && 'data' in content && typeof data !== 'string')) {
      throw new Error('fields are missing')
    }
    const entry = {
      kind: content['kind'] as StreamPayload['kind'],
      encoding: content['encoding'] as StreamPayload['encoding'],
      data: data as string | Uint8Array,
    }
    const full: StreamEntryRecord['payload'] = lineage === undefined ? entry : { ...entry, lineage: lineage as string }
    return { kind: 'entry', payload: full, version }
  } catch (error) {
    throw damaged(id, seq, error)
  }
}

/** What the index of a kyneta store says about a document. @throws {StreamDamagedError} it is not that. */
export function metaOfKyneta(id: string, data: unknown): StreamMeta {
  try {
    return metaOf(JSON.parse(data as string))
  } catch (error) {
    throw damaged(id, undefined, error)
  }
}

/** @param seq `undefined`: what is known about the document is damaged. */
export function damaged(id: string, seq: number | undefined, thrown: unknown): StreamDamagedError {
  const place = seq === undefined ? 'its meta' : `its record with seq ${seq}`
  const message =
    `stream ${JSON.stringify(id)}: ${place} cannot be read: ${asError(thrown).message}; it was left as it is; ` +
    'restore it from a backup, or replace or delete the document'
  return new StreamDamagedError('STREAM_DAMAGED', message, { id, seq, cause: thrown })
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
