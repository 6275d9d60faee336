export { InvariantError } from './base/assert.js'
export { InvalidArgumentError, VarveError } from './base/errors.js'
export type { Runtime, Timer } from './base/runtime.js'
export { systemRuntime } from './base/runtime.js'
export type { Key, StoredRecord, Value } from './base/value.js'
export type { BridgeOptions, EventReceiver } from './bridge/rules.js'
export { bridgeStoreToRules } from './bridge/rules.js'
export { BucketHandle } from './commit/bucket-handle.js'
export {
  BucketAlreadyExistsError,
  BucketCrashedError,
  BucketNotDefinedError,
  BucketUnavailableError,
  DuplicateKeyError,
  RecordNotFoundError,
  StoreDegradedError,
  StoreStoppedError,
  TransactionConflictError,
  TransactionEndedError,
  UniqueConstraintError,
} from './commit/errors.js'
export type { Position } from './commit/sequencer.js'
export type { TransactionBucketHandle } from './commit/transaction-handle.js'
export type { TransactionOptions } from './commit/transactions.js'
export type { UpdateOptions, WriteOptions } from './commit/write-options.js'
export type { OpenReport } from './core-store.js'
export { ArchiveError } from './history/archive-format.js'
export type { UndoConflict } from './history/errors.js'
export { HistoryGoneError, NotYetCommittedError, UndoConflictError, UndoRefusedError } from './history/errors.js'
export type { AtOptions, PastView } from './history/past-view.js'
export type { ReadArchiveOptions } from './history/read-archive.js'
export { readArchive } from './history/read-archive.js'
export type { RecordHistory, StoreBucket } from './history/store-bucket.js'
export type { UndoOptions } from './history/undo.js'
export type { RecordHistoryOptions, RecordVersion } from './history/versions.js'
export type {
  BucketClearedEvent,
  BucketDeletedEvent,
  BucketDroppedEvent,
  BucketEvent,
  BucketInsertedEvent,
  BucketUpdatedEvent,
  ProcessEvent,
  ViewDivergedEvent,
} from './lifecycle/bucket-events.js'
export type { BucketDescription } from './lifecycle/catalog.js'
export type { ArchiveOption, HistoryOption } from './lifecycle/history.js'
export type { LogEntries, LogReader, LogReadOptions } from './lifecycle/log-reader.js'
export type { ImportOptions, ImportReport } from './lifecycle/transfer.js'
export { ImportError } from './lifecycle/transfer.js'
export type { Change, DeleteCause, Entry, EntryEvent, EventData, SubEvent } from './log/entry.js'
export { StorageError, StorageFullError, StorageLockedError, StorageUnreadableError } from './log/errors.js'
export { FileAdapter } from './log/file-adapter.js'
export { MemoryAdapter } from './log/memory-adapter.js'
export type { SnapshotAdapter } from './log/snapshot-storage.js'
export { SnapshotStorage } from './log/snapshot-storage.js'
export { SQLiteAdapter } from './log/sqlite-adapter.js'
export type {
  Appended,
  Batch,
  BucketMeta,
  Durability,
  HistoryBudget,
  Missed,
  OpenContext,
  Quarantined,
  ReadLogOptions,
  Row,
  RowOp,
  StorageAdapter,
  StorageReport,
} from './log/storage.js'
export type { Aggregate } from './query/aggregate.js'
export { avg, count, max, min, sum } from './query/aggregate.js'
export type { QueryPage } from './query/answer.js'
export type { AsyncBucketReader } from './query/async-reads.js'
export type {
  Evaluation,
  EvaluationChange,
  EvaluationCommit,
  EvaluationView,
  TraceHandler,
} from './query/evaluation.js'
export type { Explanation } from './query/explain.js'
export type {
  LiveCallback,
  LiveChanges,
  LiveExplanation,
  LiveObserver,
  LiveOptions,
  LiveRows,
  LiveSubscription,
} from './query/live.js'
export type { AggregatesOf, GroupRow, Groups, PageOptions, Query, Selected, SyncQuery } from './query/query.js'
export type { BucketReader, PaginatedResult, PaginateOptions } from './query/reads.js'
export { QueryAlreadyDefinedError, QueryNotDefinedError, QueryOvertakenError } from './reactive/errors.js'
export type { QuerySubscription, SubscribeOptions } from './reactive/query-subscription.js'
export type { QueryBucket } from './reactive/query-bucket.js'
export type {
  BucketDefinition,
  CollateOptions,
  FieldDefinition,
  FieldType,
  FormatType,
  GeneratedType,
  IndexDefinition,
  RecordMeta,
  SchemaDefinition,
  SchemaField,
} from './schema/definition.js'
export type { ValidationIssue } from './schema/errors.js'
export { DefinitionError, ValidationError } from './schema/errors.js'
export { isValidEmail, isValidIsoDate, isValidUrl } from './schema/formats.js'
export { generateCuid, generateTimestamp, generateUuid } from './schema/generate.js'
export type {
  ChangesOf,
  DefinitionCheck,
  FilterOf,
  InputOf,
  KeyOf,
  NumericField,
  RecordOf,
  StoreRecord,
} from './schema/infer.js'
export type { IncludeAliases, Included, IncludeName, IncludeOptions, Links } from './schema/links.js'
export { parseTtl, TtlError } from './schema/ttl.js'
export {
  EventDefinitionError,
  EventFailedError,
  EventNotDefinedError,
  EventNotParkedError,
  EventRecursionError,
  NonDeterministicError,
  UpcastError,
} from './sourcing/errors.js'
export { QueuedEventFailedError } from './sourcing/queued-failure.js'
export type { EventPhase } from './sourcing/errors.js'
export { event } from './sourcing/event-definition.js'
export type {
  AppliedEvent,
  BucketResult,
  DispatchOptions,
  DomainEvent,
  EnqueueOptions,
  EventDefinitions,
  EventHandlers,
  EventOptions,
  EventReceipt,
  EventRef,
  EventSchemaDefinition,
  EventTransaction,
  EventView,
  QueueOutcome,
  QueuePolicy,
  ReduceResult,
  SubEventInput,
} from './sourcing/event-definition.js'
export type { ParkedEvents } from './sourcing/parked.js'
export type { ProjectionBucket } from './sourcing/projection-bucket.js'
export type {
  ProjectedEvent,
  ProjectionDefinitions,
  ProjectionOptions,
  ProjectionPolicy,
  ProjectionTransaction,
} from './sourcing/projection-definition.js'
export {
  BucketOwnedError,
  ProjectionDefinitionError,
  ProjectionFailedError,
  ProjectionGapError,
  ProjectionNotDefinedError,
} from './sourcing/projection-errors.js'
export type { EventStoreStats } from './sourcing/event-store.js'
export type { ProjectionStats } from './sourcing/projections.js'
export type { RebuildOptions, RebuildProgress, RebuildReport } from './sourcing/rebuild.js'
export type { QueueStats } from './sourcing/queue.js'
export type { QueueControl } from './sourcing/queue-control.js'
export type { QueuedEvent } from './sourcing/queue-bucket.js'
export type { StoreOptions } from './store.js'
export type { StorePersistenceConfig } from './store-storage.js'
export { Store } from './store.js'
export type {
  BucketName,
  EventOf,
  Named,
  QueryContext,
  QueryFn,
  QueryRef,
  StoreView,
  Topic,
  TransactionContext,
} from './store-contexts.js'
export type { BucketDefinitions, CorePersistenceConfig, CoreStoreOptions } from './store-options.js'
export type { StoreStats } from './store-stats.js'
export type { ProcessState, RestartType, Strategy, TreeNode } from './supervise/child.js'
export type { ProcessSpec } from './supervise/process.js'
export { Process } from './supervise/process.js'
export type { GroupSpec, WorkerSpec } from './supervise/worker.js'
