import { describe, expect, test } from 'vitest'
import { InvalidArgumentError, MemoryAdapter, Store } from '../../src/index.js'
import type { ProjectionOptions, StoreOptions } from '../../src/index.js'
import { FaultPlan, faultyAdapter } from '../../src/testing/faults.js'
import { open, rejection } from './opened.js'

const ROW = { key: 'id', schema: { id: { type: 'string' }, n: { type: 'number' } } } as const
const OPTIONS = { buckets: { p: ROW, q: ROW }, events: { e: {} }, onError: () => undefined } satisfies StoreOptions

/** The last number of each of ten rows. */
const lastIn = (bucket: string, more: Partial<ProjectionOptions> = {}): ProjectionOptions => ({
  from: ['e'],
  into: [bucket],
  apply: ({ data }, tx) => void tx.bucket(bucket).upsert({ id: String(Number(data.i) % 10), n: Number(data.i) }),
  ...more,
})

async function fill(store: Store, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, i) => store.dispatch('e', { i })))
}

describe('a rebuild', () => {
  test.each([0, 1, 5, 50])(
    'that is due when the store stops, %d promise jobs after its start, lets it stop',
    async (n) => {
      const adapter = new MemoryAdapter()
      const start = (version: number) =>
        Store.start({
          ...OPTIONS,
          persistence: { adapter },
          projections: { p: lastIn('p', { version, mode: 'async' }), q: lastIn('q', { version }) },
        }) as Promise<Store>
      const first = await start(1)
      await fill(first, 20)
      await first.projected()
      await first.stop()
      const second = await start(2)
      const asked = second.rebuild('p').then(
        () => 'made',
        ({ name }: Error) => name,
      )
      for (let i = 0; i < n; i++) await Promise.resolve()
      await second.stop()
      expect(['StoreStoppedError', 'made']).toContain(await asked)
    },
  )

  test('ends for the caller whose onProgress throws, or whose signal is aborted, whatever the class of the error', async () => {
    const store = await open({ ...OPTIONS, projections: { p: lastIn('p') } })
    await fill(store, 1_500)
    const own = new InvalidArgumentError('mine', 'nothing', 1)
    const fails = { onProgress: () => raise(own) }
    expect(await rejection(store.rebuild('p', fails))).toBe(own)
    expect(store.projections).toMatchObject([{ state: 'running', error: undefined, rebuild: undefined }])
    const abort = new AbortController()
    const aborts = { signal: abort.signal, onProgress: () => abort.abort(own) }
    const [failed, aborted, report] = await Promise.all([
      rejection(store.rebuild('p', fails)),
      rejection(store.rebuild('p', aborts)),
      store.rebuild('p'),
    ])
    expect([failed, aborted]).toEqual([own, own])
    expect(report).toMatchObject({ changed: 0 })
  })

  test('says so where the store never writes again', async () => {
    const plan = new FaultPlan()
    const adapter = faultyAdapter(new MemoryAdapter(), plan)
    const projections = { p: lastIn('p', { mode: 'async' }), q: lastIn('q', { mode: 'async' }) }
    const store = await open({ ...OPTIONS, persistence: { adapter }, projections })
    await fill(store, 5)
    await store.projected()
    const asked = rejection(store.rebuild('p'))
    plan.arm({ failAt: 1, times: 1_000, only: /append/, when: 'after', error: () => new Error('lost') })
    await rejection(store.dispatch('e', { i: 1 }))
    expect((await asked).name).toBe('StoreDegradedError')
    expect((await rejection(store.rebuild('p'))).name).toBe('StoreDegradedError')
    plan.arm(undefined)
    await store.projected()
  })
})

function raise(error: Error): never {
  throw error
}
