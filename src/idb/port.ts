// What is used of IndexedDB, in types of its own: those of the DOM are not there where there is no DOM.

/** An event's handler, whatever it wants to know of the event. */
type Handler = ((event: never) => unknown) | null

/** `IDBRequest`. */
export interface IdbRequest<T = unknown> {
  readonly result: T
  readonly error: unknown
  onsuccess: Handler
  onerror: Handler
}

/** `IDBOpenDBRequest`. */
export interface IdbOpenRequest<T = IdbDatabase> extends IdbRequest<T> {
  readonly transaction: IdbTransaction | null
  onblocked: Handler
  onupgradeneeded: Handler
}

/** `IDBFactory`: `globalThis.indexedDB` is one. */
export interface IdbFactory {
  open(name: string, version?: number): IdbOpenRequest
  deleteDatabase(name: string): IdbOpenRequest<unknown>
}

/** `IDBDatabase`. */
export interface IdbDatabase {
  readonly objectStoreNames: { contains(name: string): boolean }
  onversionchange: Handler
  onclose: Handler
  createObjectStore(name: string): IdbObjectStore
  transaction(
    stores: string[],
    mode?: 'readonly' | 'readwrite',
    options?: { durability?: 'strict' | 'relaxed' | 'default' },
  ): IdbTransaction
  close(): void
}

/** `IDBTransaction`. */
export interface IdbTransaction {
  readonly error: unknown
  oncomplete: Handler
  onabort: Handler
  objectStore(name: string): IdbObjectStore
  abort(): void
}

/** `IDBObjectStore`, with bounds as `IDBKeyRange` gives them. */
export interface IdbObjectStore {
  get(key: never): IdbRequest
  put(value: unknown, key?: never): IdbRequest
  delete(key: never): IdbRequest
  getAll(query?: never, count?: number): IdbRequest<unknown[]>
  getAllKeys(query?: never, count?: number): IdbRequest<unknown[]>
}

/** `IDBKeyRange`, the part that makes ranges. */
export interface IdbKeyRanges {
  bound(lower: unknown, upper: unknown, lowerOpen?: boolean, upperOpen?: boolean): unknown
  lowerBound(lower: unknown, open?: boolean): unknown
}
