import { expect, test } from 'vitest'
import { Store } from '../../src/index.js'
import type { BucketDefinition } from '../../src/index.js'
import { virtualRuntime } from '../../src/testing/runtime.js'
import { kinds } from './support/places.js'
import type { Kind } from './support/places.js'
import { pump } from './support/pump.js'
import { must } from './support/runs.js'

const BUCKETS: { readonly [name: string]: BucketDefinition } = {
  users: {
    key: 'id',
    schema: {
      id: { type: 'string', generated: 'uuid' },
      code: { type: 'string', generated: 'cuid' },
      n: { type: 'number' },
    },
    indexes: ['n'],
  },
  sessions: {
    key: 'id',
    schema: { id: { type: 'number', generated: 'autoincrement' }, n: { type: 'number' } },
    ttl: '2s',
    maxSize: 5,
  },
  counters: { key: 'id', schema: { id: { type: 'string' }, n: { type: 'number' } } },
}

/** What one run leaves: its log as JSON, and its export. */
interface Trace {
  readonly log: string
  readonly text: string
}

/** Concurrent writers with conflicts and retries, expiry, eviction, a clear and a crash, all under a virtual clock. */
async function play(kind: Kind, seed: number): Promise<Trace> {
  const runtime = virtualRuntime({ seed })
  const place = kind.make()
  const base = { name: 'same', history: 'forever', durability: 'process', runtime, buckets: BUCKETS } as const
  const store = (await pump(
    runtime,
    Store.start({ ...base, persistence: { adapter: place.adapter() } }) as Promise<any>,
  )) as Store
  const on = (name: string): any => store.bucket(name)
  await pump(runtime, on('counters').insert({ id: 'c', n: 0 }))
  const writer = async (n: number): Promise<void> => {
    for (let i = 0; i < 6; i++) {
      await on('users').insert({ n: n * i })
      await on('sessions').insertMany([{ n }, { n: i }])
      await store.transaction(
        async (tx) => {
          const counters = tx.bucket('counters') as any
          const { n: before } = await counters.get('c')
          // Somebody else may come in between; then this runs again, after a random while.
          await new Promise<void>((resolve) => runtime.setTimer(runtime.random() * 10, resolve))
          await counters.update('c', { n: before + 1 })
        },
        { retries: 100 },
      )
      await on('users').updateMany({ n: 0 }, { n: Math.floor(runtime.random() * 5) })
    }
  }
  let isOver = false
  const all = Promise.all([1, 2, 3].map(writer)).finally(() => {
    isOver = true
  })
  for (let turn = 0; !isOver; turn++) {
    if (turn === 20) store.kill('bucket:users')
    await runtime.advance(Math.floor(runtime.random() * 50))
  }
  await all
  await pump(runtime, on('sessions').clear())
  await pump(runtime, on('sessions').insert({ n: 1 }))
  await runtime.advance(5_000)
  expect(await pump(runtime, on('counters').get('c'))).toMatchObject({ n: 18 })
  const log = JSON.stringify(await pump(runtime, Promise.resolve(store.log.read())))
  let text = ''
  const collect = async (): Promise<void> => {
    for await (const line of store.export()) text += line
  }
  await pump(runtime, collect())
  await pump(runtime, store.stop())
  place.cleanup()
  return { log, text }
}

test.each(kinds)(
  'the same seed and the same calls give the same log and the same export, byte for byte: $name',
  async (kind) => {
    const [first, second] = [await play(kind, 42), await play(kind, 42)]
    expect(first.log.length).toBeGreaterThan(10_000)
    expect(second.log).toBe(first.log)
    expect(second.text).toBe(first.text)
  },
)

test('another seed gives another log', async () => {
  const [first, second] = [await play(must(kinds[0]), 1), await play(must(kinds[0]), 2)]
  expect(second.log).not.toBe(first.log)
  expect(second.text).not.toBe(first.text)
})

test.each([
  ['that answer at once', ['memory', 'snapshot']],
  ['on any binding of SQLite', kinds.flatMap(({ name }) => (name.startsWith('sqlite') ? [name] : []))],
])('storages %s give the same log, whichever they are', async (_which, names) => {
  // Between the two, groups form at other moments, so writers meet at others.
  const traces = await Promise.all(kinds.filter(({ name }) => names.includes(name)).map((kind) => play(kind, 7)))
  for (const { log, text } of traces) expect([log, text]).toEqual([must(traces[0]).log, must(traces[0]).text])
})
