/** The algorithm that understands a document, and its version: `['yjs', 1, 0]`. Equal majors understand each other. */
export type ReplicaType = readonly [name: string, major: number, minor: number]

/** How a document is written, delivered and kept. Two that differ in any of the three cannot share a document. */
export interface SyncMode {
  readonly writerModel: 'serialized' | 'concurrent'
  readonly delivery: 'delta-capable' | 'snapshot-only'
  readonly durability: 'persistent' | 'transient'
}

interface StreamMetaBase {
  readonly replicaType: ReplicaType
  /** Opaque. The last one that was written counts. */
  readonly schemaHash: string
  /** Written by kyneta 3.x. This and further fields, of any JSON, are kept as they are. */
  readonly supportedHashes?: readonly string[]
}

/** What is known about a document. Shape of kyneta 2.x and 3.x. */
export interface StreamMetaV2 extends StreamMetaBase {
  readonly syncMode: SyncMode
}

/** What is known about a document. Shape of kyneta 1.6, which calls the mode a protocol. */
export interface StreamMetaV1 extends StreamMetaBase {
  readonly syncProtocol: SyncMode
}

/** What is known about a document, in either shape; it is given back in the shape in which it came. */
export type StreamMeta = StreamMetaV2 | StreamMetaV1

/** A snapshot that stands for itself (`entirety`), or a change since a version (`since`). */
export interface StreamPayload {
  readonly kind: 'entirety' | 'since'
  /** What the writer says about `data`; not checked against it. */
  readonly encoding: 'json' | 'binary'
  /** Text stays text and bytes stay bytes, whatever `encoding` says. */
  readonly data: string | Uint8Array
  /** Kept as it is; absent stays absent. */
  readonly lineage?: string
}

/** One record of a stream. */
export type StreamRecord = StreamMetaRecord | StreamEntryRecord

/** What is known about the document changes here. The first record of a stream is one. */
export interface StreamMetaRecord {
  readonly kind: 'meta'
  readonly meta: StreamMeta
}

/** A piece of the document. */
export interface StreamEntryRecord {
  readonly kind: 'entry'
  readonly payload: StreamPayload
  /** Opaque, kept as it is. */
  readonly version: string
}

/** A record with its place. Seqs of a stream grow; there may be gaps. */
export type SequencedRecord = StreamRecord & { readonly seq: number }
