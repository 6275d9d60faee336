// @vitest-environment happy-dom
import { createElement, StrictMode, Suspense, useLayoutEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { MemoryAdapter, Store } from '../../src/core.js'
import { useLive, useQuery, useRecord } from '../../src/react/index.js'
import { FAILED_KEEP_MS, KEEP_MS } from '../../src/react/resource.js'
import { act, expectReports, gate, mount, openNotes, setActing, subscriptions, tree, turns } from './rendering.js'
import type { Note } from './rendering.js'

const texts = (notes: readonly Note[]): string => notes.map(({ text }) => text).join(' ')

// Time is the test's; tasks and promises are not.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

/** Lets `ms` pass, step by step, so that React has its turn in between. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 500) await act(() => vi.advanceTimersByTime(Math.min(500, left)))
}

describe('subscriptions', () => {
  test.each([false, true])('one while it is shown, none some time after (StrictMode: %s)', async (isStrict) => {
    const { store, notes } = await openNotes()
    await notes.insert({ id: 'a', text: 'A' })
    const live = vi.spyOn(Object.getPrototypeOf(notes.query()) as { live(): void }, 'live')
    const App = (): string => {
      const [query] = useState(() => notes.query())
      return `${texts(useLive(query))} ${useRecord(notes, 'a')?.text}`
    }
    const page = await mount(App, { store }, { isStrict })
    expect(page.text).toBe('A A')
    expect(await subscriptions(store)).toBe(2)
    await pass(10 * KEEP_MS)
    expect(await subscriptions(store)).toBe(2)
    await page.unmount()
    expect(await subscriptions(store)).toBe(2)
    await pass(KEEP_MS)
    expect(await subscriptions(store)).toBe(0)
    expect(live).toHaveBeenCalledTimes(2)
  })

  test('what comes back soon finds its rows and its subscription', async () => {
    const { store, notes } = await openNotes()
    await notes.insert({ id: 'a', text: 'A' })
    let waits = 0
    const Waits = (): string => `waiting ${++waits}`
    const Child = (): string => texts(useLive(notes.query()))
    const App = ({ isOn }: { isOn: boolean }) =>
      createElement(Suspense, { fallback: createElement(Waits) }, isOn ? createElement(Child) : 'off')
    const page = await mount(App, { store }, { props: { isOn: true } })
    const before = waits
    for (let round = 0; round < 5; round++) {
      await page.render({ isOn: false })
      await pass(KEEP_MS - 500)
      await page.render({ isOn: true })
      expect(page.text).toBe('A')
    }
    expect(waits).toBe(before)
    expect(await subscriptions(store)).toBe(1)
  })

  test('a change of the query lets go of the one before', async () => {
    const { store, notes } = await openNotes()
    const App = ({ id }: { id: string }): string => useRecord(notes, id)?.text ?? 'none'
    const page = await mount(App, { store }, { props: { id: '0' } })
    for (let id = 1; id < 20; id++) await page.render({ id: String(id) })
    expect(await subscriptions(store)).toBe(20)
    await pass(2 * KEEP_MS)
    expect(await subscriptions(store)).toBe(1)
  })

  test('a render that is given up leaves none behind', async () => {
    const { store, notes } = await openNotes()
    const never = gate()
    store.defineQuery('never', async () => never.opened)
    const Child = ({ id }: { id: number }): string => `${useLive(notes.where({ id: String(id) })).length}`
    const Waits = ({ id }: { id: number }): string => useQuery<string>('never', { id })
    // The layout effect renders something else before anything that has suspended is ever shown.
    const App = () => {
      const [isGivenUp, setGivenUp] = useState(false)
      useLayoutEffect(() => setGivenUp(true), [])
      if (isGivenUp) return 'given up'
      return Array.from({ length: 10 }, (_, id) =>
        createElement(Suspense, { key: id, fallback: '' }, createElement(Child, { id }), createElement(Waits, { id })),
      )
    }
    const page = await mount(App as never, { store })
    expect(page.text).toBe('given up')
    expect(await subscriptions(store)).toBeGreaterThan(0)
    await pass(2 * KEEP_MS)
    expect(await subscriptions(store)).toBe(0)
  })

  test('a tree that goes while it is suspended leaves none behind', async () => {
    const { store } = await openNotes()
    const never = gate()
    store.defineQuery('never', async () => never.opened)
    const page = await mount(() => useQuery<string>('never'), { store })
    expect(page.text).toBe('waiting')
    await pass(10 * KEEP_MS)
    expect(await subscriptions(store)).toBe(1)
    await page.unmount()
    await pass(2 * KEEP_MS)
    expect(await subscriptions(store)).toBe(0)
  })

  test('a render that throws leaves none behind', async () => {
    expectReports()
    const { store, notes } = await openNotes()
    const App = (): string => {
      useLive(notes.query())
      throw new Error('of the component')
    }
    const page = await mount(App, { store })
    expect(page.text).toBe('failed: of the component')
    await pass(2 * KEEP_MS)
    expect(await subscriptions(store)).toBe(0)
  })

  test('without suspending, a render alone subscribes to nothing', async () => {
    const { store, notes } = await openNotes()
    const App = (): string => {
      useLive(notes.query(), { suspend: false })
      const [isDone] = useState(false)
      if (!isDone) throw new Error('given up')
      return ''
    }
    expectReports()
    await mount(App, { store })
    expect(await subscriptions(store)).toBe(0)
  })
})

describe('a first result that takes long', () => {
  test('is evaluated once, and shown when it comes', async () => {
    const { store } = await openNotes()
    const slow = gate()
    let runs = 0
    store.defineQuery('slow', async () => {
      runs++
      await slow.opened
      return 'done'
    })
    const page = await mount(() => useQuery<string>('slow'), { store })
    await pass(20 * KEEP_MS)
    expect(page.text).toBe('waiting')
    await act(() => slow.open())
    expect(page.text).toBe('done')
    expect(runs).toBe(1)
  })

  test('is kept for who waits for two of them, the first of which has come long ago', async () => {
    const { store } = await openNotes()
    const gates = { one: gate(), two: gate() }
    const runs = { one: 0, two: 0 }
    for (const name of ['one', 'two'] as const) {
      store.defineQuery(name, async () => {
        runs[name]++
        await gates[name].opened
        return name
      })
    }
    const One = (): string => useQuery<string>('one')
    const Two = (): string => useQuery<string>('two')
    const page = await mount((() => [createElement(One, { key: 1 }), createElement(Two, { key: 2 })]) as never, {
      store,
    })
    await pass(KEEP_MS)
    await act(() => gates.one.open())
    await pass(10 * KEEP_MS)
    expect(page.text).toBe('waiting')
    await act(() => gates.two.open())
    expect(page.text).toBe('onetwo')
    expect(runs).toEqual({ one: 1, two: 1 })
  })
})

describe('errors', () => {
  test('of the first run go to the boundary; what is mounted anew after a second asks anew', async () => {
    expectReports()
    const { store } = await openNotes()
    let runs = 0
    store.defineQuery('moody', () => {
      if (++runs === 1) throw new Error('not today')
      return 'fine'
    })
    const page = await mount(() => useQuery<string>('moody'), { store })
    expect(page.text).toBe('failed: not today')
    expect(runs).toBe(1)
    await act(() => page.container.querySelector('button')?.click())
    expect(page.text).toBe('failed: not today')
    await pass(FAILED_KEEP_MS)
    expect(await subscriptions(store)).toBe(0)
    await act(() => page.container.querySelector('button')?.click())
    expect(page.text).toBe('fine')
    expect(runs).toBe(2)
  })

  test('after a result go to the boundary too; the next result is the end of it', async () => {
    expectReports()
    const { store, notes } = await openNotes()
    await notes.insert({ id: 'a', text: 'A' })
    store.defineQuery('text', async (ctx) => {
      const text = (await ctx.bucket('notes').get('a'))?.text
      if (text === 'bad') throw new Error('bad text')
      return text
    })
    const page = await mount(() => useQuery<string>('text'), { store })
    expect(page.text).toBe('A')
    await act(() => notes.update('a', { text: 'bad' }))
    expect(page.text).toBe('failed: bad text')
    await act(() => notes.update('a', { text: 'good' }))
    await act(() => page.container.querySelector('button')?.click())
    expect(page.text).toBe('good')
    expect(await subscriptions(store)).toBe(1)
  })

  test('without suspending they are in the status, with the last result', async () => {
    const { store, notes } = await openNotes()
    await notes.insert({ id: 'a', text: 'A' })
    store.defineQuery('text', async (ctx) => {
      const text = (await ctx.bucket('notes').get('a'))?.text
      if (text === 'bad') throw new Error('bad text')
      return text
    })
    const App = (): string => {
      const { data, error } = useQuery<string>('text', undefined, { suspend: false })
      return `${data} ${error?.message ?? 'ok'}`
    }
    const page = await mount(App, { store })
    expect(page.text).toBe('A ok')
    await act(() => notes.update('a', { text: 'bad' }))
    expect(page.text).toBe('A bad text')
    await act(() => notes.update('a', { text: 'A' }))
    expect(page.text).toBe('A ok')
  })

  test('of the first run are over with the next result, where nobody has left', async () => {
    const { store, notes } = await openNotes()
    store.defineQuery('strict', async (ctx) => {
      const count = await ctx.bucket('notes').count()
      if (count === 0) throw new Error('no notes')
      return count
    })
    const late = { type: 'string', ref: 'late' } as const
    const links = await store.defineBucket('links', { key: 'id', schema: { id: { type: 'string' }, late } })
    const shown = ({ data, error, isLoading }: { data?: unknown; error?: Error | undefined; isLoading: boolean }) =>
      isLoading ? ' loading' : ` ${error?.message ?? JSON.stringify(data)}`
    const suspend = { suspend: false } as const
    const App = () => {
      const named = [useQuery('strict', undefined, suspend), useQuery('defined later', undefined, suspend)]
      return [...named, useLive(links.query().include('late' as never), suspend)].map(shown).join()
    }
    const app = await mount(App, { store })
    expect(app.text).toMatch(/^ no notes,.*defined later.*,.*late.* is not defined$/)
    await act(() => notes.insert({ id: 'a' }))
    expect(app.text).toMatch(/^ 1,/)
    store.defineQuery('defined later', () => 2)
    await store.defineBucket('late', { key: 'id', schema: { id: { type: 'string' } } })
    await act(() => void vi.advanceTimersByTime(2 * FAILED_KEEP_MS))
    expect(app.text).toBe(' 1, 2, []')
    await act(() => notes.insert({ id: 'b' }))
    expect(app.text).toBe(' 2, 2, []')
  })

  test('of a bucket that is dropped are over when it is there again, be it as it was', async () => {
    const { store, notes } = await openNotes()
    const definition = store.describeBucket('notes').definition
    const App = (): string => {
      const { data, error } = useLive(notes.query(), { suspend: false })
      return `${data?.length} ${error?.name ?? 'ok'}`
    }
    const page = await mount(App, { store })
    expect(page.text).toBe('0 ok')
    await act(() => store.dropBucket('notes'))
    expect(page.text).toBe('0 BucketNotDefinedError')
    await act(() => store.defineBucket('notes', definition))
    expect(page.text).toBe('0 ok')
  })

  test('of a bucket or query that is not there, until it is', async () => {
    expectReports()
    const { store } = await openNotes()
    const App = (): string => {
      const { error } = useQuery('later', undefined, { suspend: false })
      const record = useRecord('later', 1, { suspend: false })
      return `${error?.name} ${record.error?.name}`
    }
    const page = await mount(App, { store })
    expect(page.text).toBe('QueryNotDefinedError BucketNotDefinedError')
    await page.unmount()
    await pass(FAILED_KEEP_MS)
    await store.defineBucket('later', { key: 'id', schema: { id: { type: 'number' } } })
    store.defineQuery('later', () => 1)
    const again = await mount(App, { store })
    expect(again.text).toBe('undefined undefined')
  })

  test('a store that stops tells who still waits for a named query; who has a result keeps it', async () => {
    expectReports()
    const { store, notes } = await openNotes()
    await notes.insert({ id: 'a', text: 'A' })
    const slow = gate()
    store.defineQuery('slow', async () => slow.opened)
    const Loaded = (): string => texts(useLive(notes.query()))
    const Waits = (): string => ` ${useQuery('slow', undefined, { suspend: false }).error?.name ?? 'waits'}`
    const App = () => [createElement(Loaded, { key: 1 }), createElement(Waits, { key: 2 })]
    const page = await mount(App as never, { store })
    expect(page.text).toBe('A waits')
    const suspended = await mount(() => useQuery<string>('slow'), { store })
    await act(() => store.stop())
    await act(() => slow.open())
    expect(page.text).toBe('A StoreStoppedError')
    expect(suspended.text).toMatch(/^failed: Store ".*" is stopped/)
    const late = await mount(() => texts(useLive(notes.where({ id: 'b' }))), { store })
    expect(late.text).toMatch(/^failed: /)
  })

  test('a store that stops tells who still waits for rows', async () => {
    expectReports()
    const slow = gate()
    class SlowStorage extends MemoryAdapter {
      override async *loadBucket(...args: Parameters<MemoryAdapter['loadBucket']>) {
        await slow.opened
        yield* super.loadBucket(...args)
      }
    }
    const store = await Store.start({ persistence: { adapter: new SlowStorage() }, onError: () => undefined })
    const defined = store.defineBucket('notes', { key: 'id', schema: { id: { type: 'number' } } })
    const App = (): string => `${useLive(store.bucket('notes').query()).length}`
    const page = await mount(App, { store })
    expect(page.text).toBe('waiting')
    const stopped = store.stop()
    await act(() => slow.open())
    await act(() => Promise.allSettled([stopped, defined]))
    expect(page.text).toMatch(/^failed: .*(stopped|not defined)/)
  })
})

test('React without act: a root that is dropped while it renders leaves no subscription', async () => {
  setActing(false)
  const { store, notes } = await openNotes()
  const globals = globalThis as unknown as { document: { createElement(name: string): never } }
  const App = (): string => texts(useLive(notes.query()))
  for (let round = 0; round < 10; round++) {
    const root = createRoot(globals.document.createElement('div'))
    root.render(createElement(StrictMode, undefined, tree(App, { store })))
    await turns(round % 4)
    root.unmount()
  }
  await turns()
  for (let round = 0; round < 4; round++) {
    vi.advanceTimersByTime(KEEP_MS)
    await turns()
  }
  expect(await subscriptions(store)).toBe(0)
})
