import { expect, it } from 'vitest'
import { splitmix32 } from '../../src/base/seeded-random.js'
import { createMemoryStreamStore } from '../../src/streams/index.js'
import { compareIds } from '../../src/streams/id-order.js'
import { listIds, metaRecord } from '../../src/testing/stream-fixture.js'

it('ids in memory stay in order, however many come and go between two lists', async () => {
  const store = createMemoryStreamStore()
  const random = splitmix32(7)
  const there = new Set<string>()
  for (const changes of [0, 1, 2, 64, 65, 500, 3, 300, 1, 64, 200]) {
    const calls: Promise<void>[] = []
    for (let i = 0; i < changes; i++) {
      const id = `d${random() % 400}`
      calls.push(there.has(id) ? store.delete(id) : store.append(id, metaRecord()))
      if (!there.delete(id)) there.add(id)
    }
    await Promise.all(calls)
    expect(await listIds(store)).toEqual([...there].sort(compareIds))
  }
  await store.close()
})
