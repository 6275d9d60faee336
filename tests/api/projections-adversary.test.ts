import { describe, expect, test } from 'vitest'
import { InvalidArgumentError, MemoryAdapter, Store } from '../../src/index.js'
import type { ProjectionOptions, StoreOptions } from '../../src/index.js'
import { FaultPlan, faultyAdapter } from '../../src/testing/faults.js'
import { virtualRuntime } from '../../src/testing/runtime.js'
import { open, openVirtual, rejection } from './opened.js'

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
  })

  test('of a version that fails stands still, lets history go, and goes on when it is told to', async () => {
    const adapter = new MemoryAdapter()
    const runtime = virtualRuntime({ seed: 1 })
    const start = (options: StoreOptions) =>
      Store.start({
        ...OPTIONS,
        persistence: { adapter },
        history: { rows: 50 },
        runtime,
        ...options,
      }) as Promise<Store>
    const first = await start({ projections: { p: lastIn('p') } })
    await fill(first, 20)
    await first.stop()
    let fails = true
    const apply: ProjectionOptions['apply'] = (_, tx) => {
      if (fails) throw new Error('bug')
      tx.bucket('p').upsert({ id: 'v2' })
    }
    const store = await start({ projections: { p: lastIn('p', { version: 2, history: 'kept', apply }) } })
    await store.projected()
    expect(store.projections).toMatchObject([{ state: 'halted', error: { name: 'ProjectionFailedError' } }])
    const firstSeq = async () => (await store.log.read({ limit: 1 }))[0]?.seq
    expect(await firstSeq()).toBe(1)
    for (let i = 0; i < 20; i++) {
      await fill(store, 50)
      await runtime.advance(1_000)
    }
    expect(await firstSeq()).toBeGreaterThan(500)
    fails = false
    store.resumeProjection('p')
    await store.projected()
    expect(store.projections).toMatchObject([{ state: 'running', error: undefined }])
    expect(await store.bucket('p').keys()).toEqual(['v2'])
    await store.stop()
  })

  test('counts anew what it leaves out', async () => {
    const store = await open(OPTIONS)
    let bad = 3
    const policy = { retries: 0, onFailure: 'skip' } as const
    const apply: ProjectionOptions['apply'] = ({ data }, tx) => {
      if (data.i < bad) throw new Error('bug')
      tx.bucket('p').upsert({ id: String(data.i) })
    }
    await store.defineProjection('p', lastIn('p', { mode: 'async', policy, apply }))
    for (let i = 0; i < 5; i++) await store.dispatch('e', { i })
    await store.projected()
    expect(store.projections).toMatchObject([{ skipped: 3 }])
    bad = 1
    await store.rebuild('p')
    expect(store.projections).toMatchObject([{ skipped: 1 }])
    expect(await store.bucket('p').keys()).toEqual(['1', '2', '3', '4'])
  })
})

describe('an async projection', () => {
  test('that has stood still goes on with what history has kept, where it may', async () => {
    for (const history of ['complete', 'kept'] as const) {
      const { store, runtime } = await openVirtual({ ...OPTIONS, history: { rows: 50 } })
      let fails = true
      const apply: ProjectionOptions['apply'] = ({ data }, tx) => {
        if (fails && data.i === 7) throw new Error('bug')
        tx.bucket('p').upsert({ id: String(data.i) })
      }
      await store.defineProjection('p', lastIn('p', { mode: 'async', history, policy: { retries: 0 }, apply }))
      for (let i = 0; i < 20; i++) {
        await fill(store, 50)
        await runtime.advance(1_000)
      }
      expect(store.projections).toMatchObject([{ state: 'halted' }])
      fails = false
      store.resumeProjection('p')
      await store.projected()
      const isKept = history === 'kept'
      expect(store.projections).toMatchObject([{ state: isKept ? 'running' : 'halted' }])
      expect(await store.bucket('p').count()).toBe(isKept ? 50 : 7)
    }
  })

  test('stands still where the store never writes again', async () => {
    const plan = new FaultPlan()
    const adapter = faultyAdapter(new MemoryAdapter(), plan)
    const projections = { p: lastIn('p', { mode: 'async' }) }
    const store = await open({ ...OPTIONS, persistence: { adapter }, projections })
    await store.projected()
    plan.arm({ failAt: 2, only: /append/, when: 'after', error: () => new Error('lost') })
    await store.dispatch('e', { i: 1 })
    await store.projected()
    expect(store.projections).toMatchObject([{ state: 'halted', error: { name: 'StoreDegradedError' } }])
  })
})

function raise(error: Error): never {
  throw error
}

describe('autoincrement keys of a projection are a function of the log', () => {
  const LINES = {
    key: 'n',
    schema: { n: { type: 'number', generated: 'autoincrement' }, i: { type: 'number' } },
  } as const
  const lines = (version: number, mode: 'inline' | 'async'): ProjectionOptions => ({
    ...{ from: ['e'], into: ['lines'], version, mode },
    apply: ({ data }, tx) => {
      if (version === 1 || data.i % 2 === 0) tx.bucket('lines').insert({ i: data.i })
    },
  })
  const pairs = async (store: Store) => (await store.bucket('lines').all()).map(({ n, i }) => [n, i])

  test.each(['inline', 'async'] as const)('and not of what was there before, %s', async (mode) => {
    const adapter = new MemoryAdapter()
    const start = (version: number) =>
      Store.start({
        ...{ persistence: { adapter }, buckets: { lines: LINES }, events: { e: {} } },
        ...(version > 0 && { projections: { p: lines(version, mode) } }),
        onError: () => undefined,
      }) as Promise<Store>
    let store = await start(0)
    for (let i = 0; i < 3; i++) await store.bucket('lines').insert({ i })
    await store.bucket('lines').clear()
    await store.stop()
    store = await start(1)
    await fill(store, 6)
    await store.projected()
    expect((await pairs(store)).at(-1)).toEqual([6, 5])
    await store.stop()
    store = await start(2)
    await store.projected()
    store.kill('bucket:lines')
    await store.dispatch('e', { i: 8 })
    await store.projected()
    await store.stop()
    store = await start(2)
    await store.dispatch('e', { i: 10 })
    await store.projected()
    const made = [
      [1, 0],
      [2, 2],
      [3, 4],
      [4, 8],
      [5, 10],
    ]
    expect(await pairs(store)).toEqual(made)
    expect(await store.rebuild('p')).toMatchObject({ changed: 0 })
    expect(await pairs(store)).toEqual(made)
    await store.stop()
  })

  test('a write that the storage refuses takes none', async () => {
    const plan = new FaultPlan()
    const adapter = faultyAdapter(new MemoryAdapter(), plan)
    const persistence = { adapter: Object.assign(adapter, { immediate: false }) }
    const more = { persistence, projections: { p: lines(1, 'inline') } }
    const store = await open({ ...OPTIONS, buckets: { lines: LINES }, ...more })
    await store.dispatch('e', { i: 1 })
    await store.settle()
    plan.arm({ failAt: 1, only: /append/, error: () => new Error('full') })
    await Promise.all([2, 3].map((i) => store.dispatch('e', { i })))
    await store.settle()
    expect(plan.hits).toBe(1)
    await store.dispatch('e', { i: 4 })
    expect(await pairs(store)).toEqual([
      [1, 1],
      [2, 4],
    ])
    expect(await store.rebuild('p')).toMatchObject({ changed: 0 })
  })
})

describe('errors of projections say what to do', () => {
  test.each<[string, 'halt' | 'skip', string]>([
    ['old', 'halt', 'later events wait; repair upcast, then store.resumeProjection("p")'],
    ['old', 'skip', 'it was left out; store.rebuild("p") takes it in, when that is repaired'],
    ['new', 'halt', 'later events wait; run the code that has written it, or newer code'],
    ['new', 'skip', 'later events wait; run the code that has written it, or newer code'],
    ['bad', 'halt', 'repair apply, then store.resumeProjection("p"); or leave out what fails'],
    ['gone', 'halt', 'later events wait; define the event'],
  ])('%s, %s', async (type, onFailure, expected) => {
    const adapter = new MemoryAdapter()
    const v = (version: number, upcast = {}) => ({ version, upcast }) as object
    const up = { 1: () => raise(new Error('no')) }
    const first = await Store.start({
      persistence: { adapter },
      events: { old: v(1), new: v(2, { 1: (data: object) => data }), bad: {}, gone: {} },
    })
    await first.dispatch(type as never)
    await first.stop()
    const errors: Error[] = []
    const events = { old: v(2, up), new: v(1), bad: {} }
    const onError = (error: Error): void => void errors.push(error)
    const store = await open({ buckets: { p: ROW }, persistence: { adapter }, events, onError })
    const apply = (_: unknown, tx: never): void => void (tx as { bucket(n: string): never }).bucket('other')
    const policy = { retries: 0, onFailure }
    await store.defineProjection('p', { from: ['*'], into: ['p'], mode: 'async', policy, apply: apply as never })
    await store.projected()
    const [{ message } = new Error('none')] = errors
    expect(message).toContain(expected)
    expect(message.match(/nothing (of it )?was/g)).toEqual(['nothing of it was'])
    const isSkipped = expected.startsWith('it was left out')
    expect(store.projections).toMatchObject([{ state: isSkipped ? 'running' : 'halted', skipped: isSkipped ? 1 : 0 }])
  })

  test('a definition that names what is not there names the projection too', async () => {
    const store = await open(OPTIONS)
    const from = await rejection(store.defineProjection('p', { ...lastIn('p'), from: ['nobody'] }))
    expect(from).toMatchObject({ name: 'ProjectionDefinitionError', cause: { name: 'EventNotDefinedError' } })
    expect(from.message).toBe(
      'projection "p": from: Event "nobody" is not defined; it was not taken, and nothing was changed; correct it and define it again',
    )
    const into = await rejection(store.defineProjection('p', { ...lastIn('p'), into: ['nobody'] }))
    expect(into).toMatchObject({ name: 'ProjectionDefinitionError', cause: { name: 'BucketNotDefinedError' } })
  })
})
