export { failOnDivergence } from './divergence.js'
export type { Fault } from './faults.js'
export { FaultPlan, faultyAdapter, faultySqliteAdapter } from './faults.js'
export type { VirtualRuntime, VirtualRuntimeOptions } from './runtime.js'
export { virtualRuntime } from './runtime.js'
export type { SqliteBindingFixture, SqliteBindingOptions } from './sqlite-binding.js'
export { describeSqliteBinding, runSqliteCase, sqliteBindingCases } from './sqlite-binding.js'
export type { SqliteCase, SqliteClaims, SqliteTest } from './sqlite-case.js'
export type { AdapterFixture, ConformanceOptions, TestFramework } from './storage-conformance.js'
export { describeStorageAdapter, runStorageCase, storageCases } from './storage-conformance.js'
export type {
  StoreDatabase,
  StoreOnSqliteCase,
  StoreOnSqliteOptions,
  StoreOnSqliteReport,
} from './store-on-sqlite.js'
export { runStoreOnSqlite, storeOnSqliteCases } from './store-on-sqlite.js'
export type { ForeignPlace, OpenStreamStore, StreamCase, StreamNeed, StreamConformanceOptions } from './stream-case.js'
export { describeStreamStore, runStreamCase, streamStoreCases } from './stream-conformance.js'
