import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { describe, expect, test } from 'vitest'
import {
  createIndexedDbStreamStore,
  deleteIndexedDbStreamStore,
  type IdbDatabase,
  type IdbFactory,
  type IdbTransaction,
} from '../../src/idb/index.js'
import type { FaultPlan } from '../../src/testing/faults.js'
import { describeStreamStore } from '../../src/testing/stream-conformance.js'
import { entry, failureOf, loadAll, metaRecord } from '../../src/testing/stream-fixture.js'

const indexedDB = new IDBFactory() as unknown as IdbFactory
const options = { indexedDB, IDBKeyRange }
const open = (place: string) => createIndexedDbStreamStore(place, options)

/** An IndexedDB whose n-th transaction, or request of one, fails. */
function faulty(plan: FaultPlan): IdbFactory {
  const wrapped = <T extends object>(target: T, over: (name: string) => unknown): T =>
    new Proxy(target, {
      get: (_, name) => {
        const special = over(String(name))
        if (special !== undefined) return special
        const value = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
      set: (_, name, value) => Reflect.set(target, name, value, target),
    })
  const storeOf = (tx: IdbTransaction, name: string) => {
    const store = tx.objectStore(name)
    return wrapped(store, (method) => {
      if (!['get', 'put', 'delete', 'getAll', 'getAllKeys'].includes(method)) return undefined
      return (...args: unknown[]) =>
        plan.run(method, () => (store as unknown as Record<string, (...args: unknown[]) => unknown>)[method]?.(...args))
    })
  }
  const database = (db: IdbDatabase) =>
    wrapped(db, (method) => {
      if (method !== 'transaction') return undefined
      return (...args: Parameters<IdbDatabase['transaction']>) => {
        const tx = plan.run(method, () => db.transaction(...args))
        return wrapped(tx, (name) => (name === 'objectStore' ? (store: string) => storeOf(tx, store) : undefined))
      }
    })
  return wrapped(indexedDB, (method) => {
    if (method !== 'open') return undefined
    return (name: string, version: number) => {
      const request = plan.run(method, () => indexedDB.open(name, version))
      let db: IdbDatabase | undefined
      return wrapped(request, (field) => {
        if (field !== 'result' || request.transaction !== null) return undefined
        return (db ??= database(request.result))
      })
    }
  })
}

describeStreamStore(
  'IndexedDB',
  open,
  {
    reopen: true,
    secondHandle: true,
    keepsClears: true,
    namespaces: (place, namespace) => open(`${place}/${namespace}`),
    faults: (place, plan) => createIndexedDbStreamStore(place, { ...options, indexedDB: faulty(plan) }),
    crash: () => undefined,
    cleanup: (place) => deleteIndexedDbStreamStore(place, options),
    payloadBytesMax: 5_000_000,
  },
  { describe, it: test },
)

test('a store lets go of a database that is deleted, says so, and can be opened again, empty', async () => {
  const store = await open('taken')
  await store.appendMany('doc', [metaRecord(), entry('a')])
  await deleteIndexedDbStreamStore('taken', options)
  expect(await failureOf(store.append('doc', entry('b')))).toMatchObject({ code: 'IDB_LOST' })
  expect(await failureOf(loadAll(store, 'doc'))).toMatchObject({ code: 'IDB_LOST' })
  await store.close()
  const again = await open('taken')
  expect(await loadAll(again, 'doc')).toEqual([])
  await again.close()
  await deleteIndexedDbStreamStore('never there', options)
})

test('a database that is something else is refused, and left as it is', async () => {
  const make = (name: string, version: number) =>
    new Promise<void>((resolve, reject) => {
      const request = indexedDB.open(name, version)
      request.onupgradeneeded = () => void request.result.createObjectStore('doc_meta')
      request.onerror = () => reject(request.error)
      request.onsuccess = () => {
        request.result.close()
        resolve()
      }
    })
  for (const version of [1, 2]) {
    const name = `foreign ${version}`
    await make(name, version)
    expect(await failureOf(open(name))).toMatchObject({ name: 'StreamFormatError', reason: 'foreign-tables' })
    await make(name, version)
  }
})

test('where there is no IndexedDB, and for what is no name, nothing is opened', async () => {
  expect(await failureOf(createIndexedDbStreamStore('x'))).toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(await failureOf(createIndexedDbStreamStore(1 as never, options))).toMatchObject({ code: 'INVALID_ARGUMENT' })
})
