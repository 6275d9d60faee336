import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { describe, expect, test } from 'vitest'
import { createIndexedDbStreamStore, type IdbDatabase, type IdbFactory } from '../../src/idb/index.js'
import { Store } from '../../src/index.js'
import { STREAM_BUCKET } from '../../src/streams/bucket-backend.js'
import { createBucketStreamStore } from '../../src/streams/index.js'
import { entry, failureOf, loadAll, metaRecord } from '../../src/testing/stream-fixture.js'

describe('a bucket that is there already', () => {
  test.each([
    ['has another schema', { key: 'id', schema: { id: { type: 'string' } } }],
    ['lets go of old records', { ...STREAM_BUCKET, ttl: 300 }],
    ['has room for few', { ...STREAM_BUCKET, maxSize: 3 }],
    ['lacks an index', { ...STREAM_BUCKET, indexes: [['live']] }],
  ])('is refused when it %s', async (_what, definition) => {
    const store = await Store.start()
    await store.defineBucket('streams', definition as never)
    const failure = await failureOf(createBucketStreamStore(store))
    expect(failure).toMatchObject({ name: 'StreamFormatError', reason: 'foreign-tables' })
    expect(failure?.message).toContain('"streams"')
    await store.stop()
  })

  test('is taken when it is the same, kept in memory or not', async () => {
    const store = await Store.start()
    await store.defineBucket('streams', { ...STREAM_BUCKET, persistent: false } as never)
    for (const id of ['a', 'b']) await (await createBucketStreamStore(store)).append(id, metaRecord())
    expect(await loadAll(await createBucketStreamStore(store), 'a')).toEqual([metaRecord()])
    await store.stop()
  })
})

/** An IndexedDB, and the databases of the stores on it. */
function factory(): { indexedDB: IdbFactory; databases: IdbDatabase[] } {
  const bare = new IDBFactory()
  const databases: IdbDatabase[] = []
  const indexedDB = {
    open(name: string, version?: number) {
      const request = bare.open(name, version)
      request.addEventListener('success', () => void databases.push(request.result as unknown as IdbDatabase))
      return request
    },
    deleteDatabase: (name: string) => bare.deleteDatabase(name),
  }
  return { indexedDB, databases }
}

/** Puts `format` where a store keeps what it says of itself. */
function stamp(db: IdbDatabase, format: unknown): Promise<void> {
  return new Promise((resolve) => {
    const tx = db.transaction(['varve_state'], 'readwrite')
    tx.objectStore('varve_state').put(format, 'format' as never)
    tx.oncomplete = () => resolve()
  })
}

describe('a database of IndexedDB', () => {
  test.each([
    [{ major: 2, minor: 0 }, 'incompatible-major'],
    ['one', 'malformed-version'],
    [undefined, 'malformed-version'],
  ])('of the format %j is refused: %s', async (format, reason) => {
    const { indexedDB, databases } = factory()
    const options = { indexedDB, IDBKeyRange }
    const store = await createIndexedDbStreamStore('db', options)
    await stamp(databases[0] ?? expect.fail(), format)
    await store.close()
    expect(await failureOf(createIndexedDbStreamStore('db', options))).toMatchObject({
      name: 'StreamFormatError',
      reason,
    })
    // Nobody holds it.
    await new Promise((resolve) => {
      indexedDB.deleteDatabase('db').onsuccess = resolve
    })
  })

  test('of a later minor is read', async () => {
    const { indexedDB, databases } = factory()
    const options = { indexedDB, IDBKeyRange }
    const store = await createIndexedDbStreamStore('db', options)
    await store.append('a', metaRecord())
    await stamp(databases[0] ?? expect.fail(), { major: 1, minor: 7 })
    await store.close()
    const again = await createIndexedDbStreamStore('db', options)
    expect(await loadAll(again, 'a')).toEqual([metaRecord()])
    await again.close()
  })

  test('whose connection was closed by the browser is lost, and not broken', async () => {
    const { indexedDB, databases } = factory()
    const store = await createIndexedDbStreamStore('db', { indexedDB, IDBKeyRange })
    await store.append('a', metaRecord())
    databases[0]?.close()
    for (const call of [() => store.append('a', entry('x')), () => loadAll(store, 'a'), () => store.stats()]) {
      expect(await failureOf(call())).toMatchObject({ code: 'IDB_LOST' })
    }
    await store.close()
  })
})
