export type { IdbStreamOptions } from './idb-stream-store.js'
export { createIndexedDbStreamStore, deleteIndexedDbStreamStore } from './idb-stream-store.js'
export type {
  IdbDatabase,
  IdbFactory,
  IdbKeyRanges,
  IdbObjectStore,
  IdbOpenRequest,
  IdbRequest,
  IdbTransaction,
} from './port.js'
