import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import type { StorageAdapter } from '../../src/index.js'
import { MemoryAdapter, Store } from '../../src/index.js'
import { Views } from '../../src/reactive/views.js'
import { runs } from './support/runs.js'

type Step =
  | { readonly do: 'put' | 'delete'; readonly id: number; readonly n: number }
  | { readonly do: 'fail' | 'subscribe' | 'turn' | 'settle' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('put' as const, 'put' as const, 'delete' as const),
      id: fc.nat(4),
      n: fc.nat(3),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('fail' as const, 'subscribe' as const, 'turn' as const, 'turn' as const, 'settle' as const),
    }),
  },
)

/** A storage that takes a turn for each append, and fails those that it is told to fail. */
function slowStorage(): { storage: StorageAdapter; failNext: () => void } {
  const memory: StorageAdapter = new MemoryAdapter()
  let failing = 0
  const storage = new Proxy(memory, {
    get: (target, name): unknown => {
      if (name === 'immediate') return false
      const value: unknown = Reflect.get(target, name)
      if (name !== 'append') return typeof value === 'function' ? value.bind(target) : value
      return async (...args: Parameters<StorageAdapter['append']>) => {
        await new Promise((resolve) => setImmediate(resolve))
        if (failing > 0) {
          failing--
          throw new Error('the disk')
        }
        return target.append(...args)
      }
    },
  })
  return { storage, failNext: () => failing++ }
}

const stateOf = (rows: Iterable<{ readonly id: number; readonly n?: unknown }>): string =>
  JSON.stringify(Array.from(rows, ({ id, n }) => `${id}:${String(n)}`).sort())

/** Every result that is delivered has been the state of the bucket at some moment of its history on disk, and the last is its end. */
async function deliversHistory(steps: readonly Step[]): Promise<void> {
  const { storage, failNext } = slowStorage()
  const errors: string[] = []
  const store = await Store.start({
    persistence: { adapter: storage },
    onError: (error) => errors.push(error.message),
    buckets: { b: { key: 'id', schema: { id: { type: 'number' }, n: { type: 'number' } } } },
  })
  const b = store.bucket('b')
  const now = new Map<number, { id: number; n?: unknown }>()
  const history = [stateOf([])]
  await store.on('bucket.b.*', (event) => {
    if (event.type === 'deleted') now.delete(event.key)
    else if (event.type === 'inserted') now.set(event.key, event.record)
    else if (event.type === 'updated') now.set(event.key, event.newRecord)
    history.push(stateOf(now.values()))
  })
  const seen: { state: string; at: number }[][] = []
  store.defineQuery('all', (ctx) => ctx.bucket('b').where({}))
  const subscribe = (): void => {
    const [live, named]: [{ state: string; at: number }[], { state: string; at: number }[]] = [[], []]
    seen.push(live, named)
    b.query().live((rows) => live.push({ state: stateOf(rows), at: history.length }))
    void store.subscribe<readonly { id: number }[]>(
      'all',
      (rows) => named.push({ state: stateOf(rows), at: history.length }),
      { immediate: true },
    )
  }
  subscribe()
  for (const one of steps) {
    if ('id' in one) {
      const written = one.do === 'put' ? b.upsert({ id: one.id, n: one.n }) : b.delete(one.id)
      written.catch(() => undefined)
    } else if (one.do === 'fail') failNext()
    else if (one.do === 'subscribe') subscribe()
    else if (one.do === 'settle') await store.settle()
    else await new Promise((resolve) => setImmediate(resolve))
  }
  await store.settle()
  await new Promise((resolve) => setImmediate(resolve))
  await store.settle()
  const end = stateOf(await b.all())
  for (const deliveries of seen) {
    for (const { state, at } of deliveries) expect(history.slice(0, at)).toContain(state)
    expect(deliveries.at(-1)?.state).toBe(end)
  }
  expect(errors.filter((message) => !message.includes('the disk'))).toEqual([])
  await store.stop()
}

test('what is delivered is history on disk, whatever is taken back meanwhile (C2, Q2)', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30 }), deliversHistory), runs(600))
}, 300_000)

test('the check finds a planted bug: nobody counts what was taken back', async () => {
  const spy = vi.spyOn(Views.prototype, 'undoneCount', 'get').mockReturnValue(0)
  await expect(
    fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30 }), deliversHistory), {
      numRuns: 20_000,
      endOnFailure: true,
    }),
  )
    .rejects.toThrow(/Property failed/)
    .finally(() => spy.mockRestore())
}, 300_000)
