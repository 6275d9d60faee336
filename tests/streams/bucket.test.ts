import { describe, expect, test } from 'vitest'
import { Store } from '../../src/index.js'
import { createBucketStreamStore } from '../../src/streams/index.js'
import { describeStreamStore } from '../../src/testing/stream-conformance.js'
import { entry, metaRecord } from '../../src/testing/stream-fixture.js'

const stores = new Map<string, Promise<Store>>()

function storeOf(place: string): Promise<Store> {
  const store = stores.get(place) ?? Store.start()
  stores.set(place, store)
  return store
}

describeStreamStore(
  'a bucket',
  async (place) => createBucketStreamStore(await storeOf(place)),
  {
    reopen: true,
    secondHandle: true,
    keepsClears: true,
    namespaces: async (place, namespace) =>
      createBucketStreamStore(await storeOf(place), { bucket: `ns ${namespace}` }),
    cleanup: async (place) => {
      await (await stores.get(place))?.stop()
      stores.delete(place)
    },
    payloadBytesMax: 5_000_000,
  },
  { describe, it: test },
)

test('a write is one commit of the store, with rows that can be looked at', async () => {
  const store = await Store.start()
  const streams = await createBucketStreamStore(store)
  const before = store.position.visible
  await streams.appendMany('doc', [metaRecord(), entry('a'), entry(Uint8Array.of(1, 2))])
  expect(store.position.visible).toBe(before + 1)
  expect(await store.bucket('streams').count()).toBe(4)
  await streams.close()
  await store.stop()
})
