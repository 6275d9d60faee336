import type { SnapshotAdapter } from 'varve/snapshots'

/** IndexedDB as a key-value place: each bucket of the store is one value. */
export async function indexedDbPlace(name: string): Promise<SnapshotAdapter> {
  const opening = indexedDB.open(name, 1)
  opening.onupgradeneeded = () => opening.result.createObjectStore('buckets')
  const db = await done(opening)
  const values = (mode: IDBTransactionMode): IDBObjectStore => db.transaction('buckets', mode).objectStore('buckets')
  return {
    save: (key, state) => committed(values('readwrite'), (store) => store.put(state, key)),
    load: (key) => done(values('readonly').get(key)),
    delete: (key) => committed(values('readwrite'), (store) => store.delete(key)),
    exists: async (key) => (await done(values('readonly').count(key))) > 0,
    listKeys: async () => (await done(values('readonly').getAllKeys())).map(String),
    close: () => Promise.resolve(db.close()),
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

/** A write is there when its transaction is complete, which is later than when its request has succeeded. */
function committed(store: IDBObjectStore, write: (store: IDBObjectStore) => IDBRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    write(store)
    store.transaction.oncomplete = () => resolve()
    store.transaction.onabort = () => reject(store.transaction.error)
  })
}
