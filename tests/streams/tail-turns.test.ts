import { describe, expect, it } from 'vitest'
import { systemRuntime } from '../../src/base/runtime.js'
import { createStreamStore, MemoryStreams, type StreamBackend, type StreamStore } from '../../src/streams/index.js'
import { entry, failureOf, metaRecord, until } from '../../src/testing/stream-fixture.js'

const PAGE_MS = 1
const DOCS = 60

/** A store each of whose pages takes a millisecond, and how many it read before timers and I/O had a turn, at most. */
function slow(streams: MemoryStreams, change: (backend: StreamBackend) => StreamBackend = (backend) => backend) {
  const seen = { pages: 0, pagesMax: 0, deferred: 0 }
  let ms = 0
  const backend = streams.backend()
  const counted: StreamBackend = {
    ...backend,
    page(...args) {
      ms += PAGE_MS
      seen.pages++
      seen.pagesMax = Math.max(seen.pagesMax, seen.pages)
      return backend.page(...args)
    },
  }
  const runtime = {
    ...systemRuntime,
    elapsed: () => ms,
    defer(fn: () => void): void {
      seen.deferred++
      systemRuntime.defer(() => {
        seen.pages = 0
        fn()
      })
    },
  }
  return { store: createStreamStore(change(counted), { runtime }), seen }
}

async function fill(store: StreamStore): Promise<void> {
  for (let i = 0; i < DOCS; i++) await store.append(`p/${i}`, metaRecord())
}

describe('a tail of many documents gives timers and I/O their turn', () => {
  it('between documents, when it begins and when another handle has written', async () => {
    const streams = new MemoryStreams()
    const { store, seen } = slow(streams)
    const other = createStreamStore(streams.backend())
    await fill(other)
    let told = 0
    store.tail({ prefix: 'p/' }, { pollMs: 5 }, () => void told++)
    await until(() => told === DOCS, 'all are told')
    await other.append('p/7', entry('x'))
    await until(() => told === DOCS + 1, 'the new one is told')
    expect(seen.deferred).toBeGreaterThanOrEqual(20)
    expect(seen.pagesMax).toBeLessThanOrEqual(6)
    await store.close()
    await other.close()
  })

  it('also where pages and onRecord answer by promises that are fulfilled at once', async () => {
    const streams = new MemoryStreams()
    const { store, seen } = slow(streams, (backend) => ({ ...backend, page: async (...args) => backend.page(...args) }))
    await fill(store)
    let told = 0
    store.tail({ prefix: 'p/' }, {}, async () => void told++)
    await until(() => told === DOCS, 'all are told')
    expect(seen.deferred).toBeGreaterThanOrEqual(9)
    expect(seen.pagesMax).toBeLessThanOrEqual(7)
    await store.close()
  })
})

describe('a tail whose storage does not say its version', () => {
  const gone = new Error('gone')
  const broken = {
    'at once': (): never => {
      throw gone
    },
    later: (): Promise<never> => Promise.reject(gone),
  }

  it.each(Object.entries(broken))(
    'tells onError after tail() has returned, which may open it again: %s',
    async (_, version) => {
      const store = createStreamStore({ ...new MemoryStreams().backend(), version })
      let [depth, depthMax, times] = [0, 0, 0]
      const open = (): void => {
        depth++
        depthMax = Math.max(depthMax, depth)
        store.tail('doc', { onError: () => (times++, open()) }, () => undefined)
        depth--
      }
      open()
      expect(times).toBe(0)
      await until(() => times > 20, 'it is opened again and again, and timers go on')
      expect(depthMax).toBe(1)
      await store.close()
    },
  )

  it('hears of it when the storage fails later', async () => {
    let isGone = false
    const backend = new MemoryStreams().backend()
    const store = createStreamStore({ ...backend, version: () => (isGone ? broken['at once']() : backend.version()) })
    const tail = store.tail('doc', { pollMs: 1 }, () => undefined)
    isGone = true
    expect(await failureOf(tail.ended)).toBe(gone)
    await store.close()
  })
})
