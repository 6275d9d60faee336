export type { SnapshotAdapter, SnapshotStorageOptions } from './log/snapshot-storage.js'
export { SnapshotStorage } from './log/snapshot-storage.js'
