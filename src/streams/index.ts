export type { StreamHost } from './bucket-backend.js'
export type { BucketStreamOptions } from './bucket-stream-store.js'
export { createBucketStreamStore } from './bucket-stream-store.js'
export {
  StreamClosedError,
  StreamConflictError,
  StreamDamagedError,
  StreamFirstRecordError,
  StreamFormatError,
  StreamMismatchError,
  StreamNoMetaError,
  StreamReplacedError,
} from './errors.js'
export { compareIds, hasIdPrefix } from './id-order.js'
export { MemoryStreams } from './memory-backend.js'
export type { MemoryStreamOptions } from './memory-stream-store.js'
export { createMemoryStreamStore } from './memory-stream-store.js'
export type {
  ReplicaType,
  SequencedRecord,
  StreamEntryRecord,
  StreamMeta,
  StreamMetaRecord,
  StreamMetaV1,
  StreamMetaV2,
  StreamPayload,
  StreamRecord,
  SyncMode,
} from './record.js'
export type { StreamStoreOptions } from './record-streams.js'
export { createStreamStore } from './record-streams.js'
export type { StreamTablesOwn, StreamTablesV1, StreamTablesV2 } from './sqlite-names.js'
export type { SqliteStreamOptions } from './sqlite-stream-store.js'
export { createSqliteStreamStore } from './sqlite-stream-store.js'
export type {
  EntriesToAppend,
  MaybePromise,
  PlacedRecord,
  PlanWrites,
  ReadState,
  StreamBackend,
  StreamHead,
  StreamPage,
  StreamWrite,
} from './stream-backend.js'
export type {
  Fold,
  LoadOptions,
  OnRecord,
  StreamStats,
  StreamStore,
  StreamTail,
  TailOptions,
  TailPrefix,
} from './stream-store.js'
