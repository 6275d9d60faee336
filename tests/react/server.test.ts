// @vitest-environment happy-dom
import { createElement, Suspense } from 'react'
import type { FunctionComponent } from 'react'
import { renderToPipeableStream, renderToString } from 'react-dom/server'
import { describe, expect, test, vi } from 'vitest'
import { collectSnapshot, useDurable, useLive, useQuery, useRecord } from '../../src/react/index.js'
import type { StoreProviderProps, StoreSnapshot } from '../../src/react/index.js'
import { act, expectReports, gate, mount, openNotes, tree, turns } from './rendering.js'
import type { Note, Notes } from './rendering.js'

const texts = (notes: readonly Note[] | undefined): string => (notes ?? []).map(({ text }) => text).join(' ')

/** Renders on the server, and waits for everything. */
function stream(App: FunctionComponent<never>, provider: StoreProviderProps): Promise<string> {
  return new Promise((resolve, reject) => {
    let html = ''
    const decoder = new TextDecoder()
    const destination = {
      write(chunk: Uint8Array | string) {
        html += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })
        return true
      },
      end: () => resolve(html),
      on: () => destination,
      once: () => destination,
      removeListener: () => destination,
      destroy: reject,
    }
    const { pipe } = renderToPipeableStream(tree(App, provider), {
      onAllReady: () => void pipe(destination as never),
      onError: reject,
      onShellError: reject,
    })
  })
}

/** What goes over the wire. */
function sent(snapshot: StoreSnapshot): StoreSnapshot {
  return JSON.parse(JSON.stringify(snapshot)) as StoreSnapshot
}

/** @returns gives what React has reported since, but that two renderers use one context: here both sides are one program. */
function watchReports(): () => string[] {
  const seen = expectReports()
  const messages = (): string[] => seen.mock.calls.map((call: unknown[]) => call.join(' '))
  return () => messages().filter((message) => !message.includes('Detected multiple renderers'))
}

/** The page of one store: everything that hooks can give. */
function pageOf(notes: Notes): FunctionComponent<never> {
  const Page = (): string => {
    const open = useLive(notes.where({ done: false }))
    const first = useRecord(notes, 'a')
    const none = useRecord(notes, 'none')
    const count = useQuery<number>('count', { done: false })
    const quiet = useLive(notes.where({ done: false }), { suspend: false })
    return [texts(open), first?.text, String(none), count, texts(quiet.data), useDurable()].join(' | ')
  }
  return Page as FunctionComponent<never>
}

async function openSide(): ReturnType<typeof openNotes> {
  const side = await openNotes()
  side.store.defineQuery('count', (ctx, { done }: { done: boolean }) => ctx.bucket('notes').count({ done }))
  return side
}

describe('on the server', () => {
  test('streams what components wait for', async () => {
    const { store, notes } = await openSide()
    await notes.insertMany([
      { id: 'a', text: 'A' },
      { id: 'b', text: 'B' },
    ])
    const collect = collectSnapshot()
    const html = await stream(pageOf(notes), { store, collect })
    expect(html).toContain('A B | A | undefined | 2 | A B | true')
    expect(Object.values(collect.snapshot())).toHaveLength(4)
  })

  test('renderToString has what is there already, and the fallback for the rest', async () => {
    const { store, notes } = await openNotes()
    await notes.insert({ id: 'a', text: 'A' })
    const App = (): string => texts(useLive(notes.query()))
    const render = (): string => renderToString(tree(App, { store }))
    expect(render()).toContain('waiting')
    await turns()
    expect(render()).toBe('<!--$-->A<!--/$-->')
  })

  test('without suspending it is loading, and subscribes to nothing', async () => {
    const { store, notes } = await openNotes()
    const App = (): string => String(useLive(notes.query(), { suspend: false }).isLoading)
    expect(renderToString(tree(App, { store }))).toContain('true')
    expect((await store.getStats()).queries.activeSubscriptions).toBe(0)
  })

  test('one rendering uses one result for one question, whatever is written meanwhile', async () => {
    const { store, notes } = await openSide()
    await notes.insert({ id: 'a', text: 'A' })
    const slow = gate()
    store.defineQuery('slow', async () => {
      await slow.opened
      return 'done'
    })
    const Early = (): string => texts(useLive(notes.query()))
    const Late = (): string => `${useQuery<string>('slow')} ${texts(useLive(notes.query()))}`
    const App = () => [
      createElement(Suspense, { key: 1 }, createElement(Early)),
      ' and ',
      createElement(Suspense, { key: 2 }, createElement(Late)),
    ]
    const collect = collectSnapshot()
    const html = stream(App as never, { store, collect })
    await turns()
    await notes.insert({ id: 'b', text: 'B' })
    await turns()
    slow.open()
    expect(await html).toMatch(/A<!--.*done A<!--/)
    expect(await html).not.toContain('B')
  })

  test('what one user has seen is not in the snapshot of another', async () => {
    const { store, notes } = await openSide()
    await notes.insertMany([
      { id: 'a', text: 'of ada' },
      { id: 'b', text: 'of bob' },
    ])
    const page = (id: string) => () => useRecord(notes, id)?.text
    const [ada, bob] = [collectSnapshot(), collectSnapshot()]
    await Promise.all([
      stream(page('a') as never, { store, collect: ada }),
      stream(page('b') as never, { store, collect: bob }),
    ])
    expect(JSON.stringify(ada.snapshot())).toContain('of ada')
    expect(JSON.stringify(ada.snapshot())).not.toContain('of bob')
    expect(JSON.stringify(bob.snapshot())).not.toContain('of ada')
  })

  test.each<[name: string, result: unknown]>([
    ['a Date', new Date(0)],
    ['a Map', new Map()],
    ['NaN', { a: [Number.NaN] }],
    ['a bigint', 1n],
    ['undefined in a list', [undefined]],
  ])('a result that is not plain JSON (%s) is refused, not changed on the way', async (_, result) => {
    const { store } = await openNotes()
    store.defineQuery('odd', () => result)
    const collect = collectSnapshot()
    await stream((() => String(useQuery('odd') === 1)) as never, { store, collect })
    expect(() => collect.snapshot()).toThrow(/snapshot\(\) of query "odd" undefined: expected results of plain JSON/)
  })

  test('missing results and fields go through', async () => {
    const { store } = await openNotes()
    store.defineQuery('none', () => undefined)
    store.defineQuery('part', () => ({ a: undefined, b: [null, 1, 'x', true] }))
    const collect = collectSnapshot()
    const App = (): string => `${String(useQuery('none'))} ${useQuery<{ b: unknown[] }>('part').b.length}`
    await stream(App as never, { store, collect })
    const html = await stream(App as never, { store, snapshot: sent(collect.snapshot()) })
    expect(html).toContain('undefined 4')
  })
})

describe('in the browser', () => {
  test('takes over what the server has rendered without a difference, then follows its own store', async () => {
    const reports = watchReports()
    const server = await openSide()
    await server.notes.insertMany([
      { id: 'a', text: 'A' },
      { id: 'b', text: 'B' },
    ])
    const collect = collectSnapshot()
    const html = await stream(pageOf(server.notes), { store: server.store, collect })

    const client = await openSide()
    const seen: string[] = []
    const inner = pageOf(client.notes) as unknown as () => string
    const Page = (): string => {
      const text = inner()
      seen.push(text)
      return text
    }
    const snapshot = sent(collect.snapshot())
    const page = await mount(Page as never, { store: client.store, snapshot }, { html })
    expect(reports()).toEqual([])
    expect(seen[0]).toBe('A B | A | undefined | 2 | A B | true')
    // The client's store has nothing yet, and what it says counts.
    expect(page.text).toBe(' |  | undefined | 0 |  | true')
    await act(() => client.notes.insert({ id: 'a', text: 'new' }))
    expect(page.text).toBe('new | new | undefined | 1 | new | true')
    expect(html).not.toContain('waiting')
    expect(seen.some((text) => text.includes('waiting'))).toBe(false)
  })

  test('renders nothing again where its store says what the server has said', async () => {
    const reports = watchReports()
    const server = await openSide()
    await server.notes.insertMany([
      { id: 'a', text: 'A' },
      { id: 'b', text: 'B' },
    ])
    const collect = collectSnapshot()
    const App = (notes: Notes, seen: unknown[]) => (): string => {
      const rows = useLive(notes.query().select('id', 'text'))
      seen.push(rows)
      return texts(rows as never)
    }
    const html = await stream(App(server.notes, []) as never, { store: server.store, collect })
    const client = await openSide()
    await client.notes.insertMany([
      { id: 'a', text: 'A' },
      { id: 'b', text: 'B' },
    ])
    const seen: unknown[] = []
    const snapshot = sent(collect.snapshot())
    const page = await mount(App(client.notes, seen) as never, { store: client.store, snapshot }, { html })
    expect(page.text).toBe('A B')
    expect(seen).toHaveLength(1)
    expect(Object.isFrozen(seen[0])).toBe(true)
    expect(reports()).toEqual([])
  })

  test('a store that is ahead while the page is taken over does not disturb it', async () => {
    const reports = watchReports()
    const server = await openSide()
    await server.notes.insert({ id: 'a', text: 'A' })
    const collect = collectSnapshot()
    const html = await stream(pageOf(server.notes), { store: server.store, collect })
    const client = await openSide()
    await client.notes.insert({ id: 'a', text: 'ahead' })
    // Something else has asked the same before.
    await mount(pageOf(client.notes), { store: client.store })
    const snapshot = sent(collect.snapshot())
    const page = await mount(pageOf(client.notes), { store: client.store, snapshot }, { html })
    expect(reports()).toEqual([])
    expect(page.text).toBe('ahead | ahead | undefined | 1 | ahead | true')
  })

  test('what is mounted later begins with what the store says, not with what the server said long ago', async () => {
    watchReports()
    const server = await openSide()
    await server.notes.insert({ id: 'a', text: 'old' })
    const collect = collectSnapshot()
    const App = (notes: Notes, seen: unknown[]) =>
      (({ isOn }: { isOn: boolean }): unknown => {
        const Child = (): string => {
          const text = useRecord(notes, 'a')?.text ?? 'none'
          seen.push(text)
          return text
        }
        return isOn ? createElement(Child) : 'off'
      }) as FunctionComponent<never>
    await stream((() => useRecord(server.notes, 'a')?.text) as never, { store: server.store, collect })
    const client = await openSide()
    await client.notes.insert({ id: 'a', text: 'new' })
    const seen: unknown[] = []
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const provider = { store: client.store, snapshot: sent(collect.snapshot()) }
    const page = await mount(App(client.notes, seen), provider, { props: { isOn: true } })
    expect(seen[0]).toBe('old')
    expect(page.text).toBe('new')
    await page.render({ isOn: false })
    await act(() => vi.advanceTimersByTime(60_000))
    expect((await client.store.getStats()).queries.activeSubscriptions).toBe(0)
    seen.length = 0
    await page.render({ isOn: true })
    expect(seen).not.toContain('old')
    expect(page.text).toBe('new')
  })

  test('without a snapshot the form that does not suspend begins loading, as on the server', async () => {
    const reports = watchReports()
    const side = await openSide()
    await side.notes.insert({ id: 'a', text: 'A' })
    const App = (): string => {
      const { data, isLoading } = useLive(side.notes.query(), { suspend: false })
      return isLoading ? 'loading' : texts(data)
    }
    const html = renderToString(tree(App, { store: side.store }))
    expect(html).toContain('loading')
    await mount(App, { store: side.store })
    const page = await mount(App, { store: side.store }, { html })
    expect(reports()).toEqual([])
    expect(page.text).toBe('A')
  })

  test('the tests above see a difference when there is one', async () => {
    const reports = watchReports()
    const { store, notes } = await openSide()
    const App = () => createElement('b', undefined, texts(useLive(notes.query())))
    await mount(App as never, { store })
    await mount(App as never, { store }, { html: '<!--$--><i>other</i><!--/$-->' })
    expect(reports().join()).toMatch(/hydrat/i)
  })
})
