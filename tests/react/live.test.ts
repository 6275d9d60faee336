// @vitest-environment happy-dom
import { createElement, useState } from 'react'
import { renderToString } from 'react-dom/server'
import { describe, expect, test } from 'vitest'
import type { BucketHandle } from '../../src/core.js'
import { useLive, useQuery } from '../../src/react/index.js'
import { act, expectReports, gate, mount, openNotes, subscriptions } from './rendering.js'
import type { Note } from './rendering.js'

const texts = (notes: readonly Note[] | undefined): string => (notes ?? []).map(({ text }) => text).join(' ')

describe('useLive', () => {
  test('suspends until the first result is there, then gives frozen rows that follow the store', async () => {
    const { store, notes } = await openNotes()
    await notes.insertMany([
      { id: 'a', text: 'A' },
      { id: 'b', text: 'B' },
    ])
    const seen: (readonly Note[])[] = []
    const states: string[] = []
    const App = (): string => {
      states.push('asked')
      const rows = useLive(notes.query().orderBy('text'))
      states.push('answered')
      seen.push(rows)
      return texts(rows)
    }
    const page = await mount(App, { store })
    expect(page.text).toBe('A B')
    expect(states.slice(0, 2)).toEqual(['asked', 'asked'])
    expect(Object.isFrozen(seen[0])).toBe(true)
    expect(seen[0]?.[0]).toBe(await notes.get('a'))

    await act(() => notes.update('b', { text: '0' }))
    expect(page.text).toBe('0 A')
    expect(seen.at(-1)?.[1]).toBe(seen[0]?.[0])
  })

  test('shows the fallback while it waits', async () => {
    const { store } = await openNotes()
    const slow = gate()
    store.defineQuery('slow', async () => slow.opened.then(() => 'done'))
    const page = await mount(() => useQuery<string>('slow'), { store })
    expect(page.text).toBe('waiting')
    await act(() => slow.open())
    expect(page.text).toBe('done')
  })

  test('renders again only when its rows are others', async () => {
    const { store, notes } = await openNotes()
    await notes.insertMany([
      { id: 'a', text: 'A' },
      { id: 'b', done: true },
    ])
    let renders = 0
    const results = new Set<unknown>()
    let again = (): void => undefined
    const App = (): string => {
      const [, setCount] = useState(0)
      again = () => setCount((count) => count + 1)
      renders++
      const rows = useLive(notes.where({ done: false }))
      results.add(rows)
      return texts(rows)
    }
    const page = await mount(App, { store })
    const before = renders
    await act(() => notes.insert({ id: 'c', done: true }))
    await act(() => notes.update('b', { text: 'of no interest' }))
    await act(() =>
      store.transaction(async (tx) => {
        await tx.bucket('notes').insert({ id: 'd' })
        await tx.bucket('notes').delete('d')
      }),
    )
    expect(renders).toBe(before)
    await act(() => again())
    expect(renders).toBe(before + 1)
    expect(results.size).toBe(1)
    await act(() => notes.update('b', { done: false }))
    expect(page.text).toBe('A of no interest')
    expect(renders).toBe(before + 2)
  })

  test('equal queries share one subscription, and their rows', async () => {
    const { store, notes } = await openNotes()
    await notes.insert({ id: 'a', text: 'A' })
    const seen = new Set<unknown>()
    const Child = ({ filter }: { filter: object }): string => {
      const rows = useLive(notes.where(filter).limit(5))
      seen.add(rows)
      return texts(rows)
    }
    const App = () => [
      createElement(Child, { key: 1, filter: { done: false, text: 'A' } }),
      createElement(Child, { key: 2, filter: { text: 'A', done: false } }),
    ]
    const page = await mount(App as never, { store })
    expect(page.text).toBe('AA')
    expect(seen.size).toBe(1)
    expect(await subscriptions(store)).toBe(1)
  })

  test('without suspending it says that it is loading, then gives the data', async () => {
    const { store, notes } = await openNotes()
    await notes.insert({ id: 'a', text: 'A' })
    const seen: object[] = []
    const App = (): string => {
      const { data, error, isLoading } = useLive(notes.query(), { suspend: false })
      seen.push({ data: data?.length, error, isLoading })
      return texts(data)
    }
    const page = await mount(App, { store })
    expect(seen).toEqual([
      { data: undefined, error: undefined, isLoading: true },
      { data: 1, error: undefined, isLoading: false },
    ])
    expect(page.text).toBe('A')
  })

  test.each([false, null, undefined] as const)('asks nothing for %s', async (skip) => {
    const { store, notes } = await openNotes()
    await notes.insert({ id: 'a', text: 'A' })
    const seen: unknown[] = []
    const App = ({ isOn }: { isOn: boolean }): string => {
      const status = useLive(isOn ? notes.query() : skip, { suspend: false })
      const rows = useLive(isOn ? notes.query() : skip)
      seen.push(status, rows)
      return texts(rows)
    }
    const page = await mount(App, { store }, { props: { isOn: false } })
    expect(seen).toEqual([{ data: undefined, error: undefined, isLoading: false }, undefined])
    expect(await subscriptions(store)).toBe(0)
    await page.render({ isOn: true })
    expect(page.text).toBe('A')
    await page.render({ isOn: false })
    expect(page.text).toBe('')
  })

  test('follows its query when that changes', async () => {
    const { store, notes } = await openNotes()
    await notes.insertMany([
      { id: 'a', text: 'A' },
      { id: 'b', text: 'B', done: true },
    ])
    const App = ({ done }: { done: boolean }): string => texts(useLive(notes.where({ done })))
    const page = await mount(App, { store }, { props: { done: false } })
    expect(page.text).toBe('A')
    await page.render({ done: true })
    expect(page.text).toBe('B')
    await act(() => notes.update('b', { text: 'C' }))
    expect(page.text).toBe('C')
  })

  test('takes queries of another store than that of the provider', async () => {
    const one = await openNotes()
    const other = await openNotes()
    await one.notes.insert({ id: 'a', text: 'one' })
    await other.notes.insert({ id: 'a', text: 'other' })
    const App = (): string => `${texts(useLive(one.notes.query()))} ${texts(useLive(other.notes.query()))}`
    const page = await mount(App, { store: one.store })
    expect(page.text).toBe('one other')
    await act(() => other.notes.update('a', { text: 'another' }))
    expect(page.text).toBe('one another')
  })

  test('rows with the records that belong to them follow those too', async () => {
    const { store, notes } = await openNotes()
    const tags = await store.defineBucket('tags', {
      key: 'id',
      schema: { id: { type: 'string' }, noteId: { type: 'string', ref: 'notes' } },
    })
    await notes.insert({ id: 'a', text: 'A' })
    const App = (): string =>
      useLive((notes as BucketHandle).query().include('tags'))
        .map((note) => (note['tags'] as { id: string }[]).map(({ id }) => id).join())
        .join(' ')
    const page = await mount(App, { store })
    expect(page.text).toBe('')
    await act(() => tags.insertMany([{ id: 'red', noteId: 'a' }, { id: 'blue', noteId: 'a' }, { id: 'none' }]))
    expect(page.text).toBe('red,blue')
    expect(await subscriptions(store)).toBe(1)
  })

  test('a component may go because of what it was told', async () => {
    const { store, notes } = await openNotes()
    await notes.insertMany([
      { id: 'a', text: 'A' },
      { id: 'b', text: 'B' },
    ])
    const Child = ({ id }: { id: string }): string => `[${useLive(notes.where({ id }))[0]?.text ?? 'gone'}]`
    const App = () => useLive(notes.query()).map(({ id }) => createElement(Child, { key: id, id }))
    const page = await mount(App as never, { store })
    expect(page.text).toBe('[A][B]')
    await act(() => notes.delete('a'))
    expect(page.text).toBe('[B]')
    await act(() => notes.clear())
    expect(page.text).toBe('')
  })

  test('says what is missing, and what it does not take', async () => {
    const { store, notes } = await openNotes()
    expectReports()
    const page = await mount(() => texts(useLive('notes' as never)), { store })
    expect(page.text).toMatch(/failed: useLive\(query\): expected a query of a bucket/)
    const other = await mount(() => texts(useLive(notes.query(), { suspend: 1 } as never)), { store })
    expect(other.text).toMatch(/expected \{ suspend: true or false \}/)
    const wrong = await mount(() => texts(useLive(notes.where({ text: { gtt: 1 } } as never))), { store })
    expect(wrong.text).toMatch(/failed: .*gtt/)
    const refused = async (provider: object): Promise<string> => (await mount(() => 'none', provider as never)).text
    expect(await refused({ store: {} })).toMatch(/<StoreProvider store>: expected a started store/)
    expect(await refused({ store, collect: {} })).toMatch(/expected what collectSnapshot\(\) gave/)
    expect(await refused({ store, snapshot: 1 })).toMatch(/expected what snapshot\(\) of a collector gave/)
    const outside = createElement(() => texts(useLive(notes.query())))
    expect(() => renderToString(outside)).toThrow(
      /useLive\(query\): expected a <StoreProvider store={store}> around the component that calls it, got undefined/,
    )
  })
})
