import { createElement } from 'react'
// @vitest-environment happy-dom
import { describe, expect, test } from 'vitest'
import { MemoryAdapter, Store } from '../../src/core.js'
import { useDurable, useLive, useQuery, useRecord, useStore } from '../../src/react/index.js'
import { act, expectReports, gate, mount, openNotes, subscriptions } from './rendering.js'

describe('useQuery', () => {
  test('gives the result of a named query, by reference and by name, and follows its parameters', async () => {
    const { store, notes } = await openNotes()
    await notes.insertMany([{ id: 'a' }, { id: 'b', done: true }, { id: 'c', done: true }])
    const ids = store.defineQuery('ids', async (ctx, { done }: { done: boolean }) =>
      (await ctx.bucket('notes').where({ done })).map(({ id }) => id),
    )
    const all = store.defineQuery('all', (ctx) => ctx.bucket('notes').count())
    const App = ({ done }: { done: boolean }): string =>
      `${useQuery(ids, { done }).join('')} ${useQuery<string[]>('ids', { done }).join('')} ${useQuery(all)} ${useQuery<number>('all')}`
    const page = await mount(App, { store }, { props: { done: true } })
    expect(page.text).toBe('bc bc 3 3')
    expect(await subscriptions(store)).toBe(2)
    await page.render({ done: false })
    expect(page.text).toBe('a a 3 3')
    await act(() => notes.update('b', { done: false }))
    expect(page.text).toBe('ab ab 3 3')
  })

  test('takes the parameters as they are in the render', async () => {
    const { store } = await openNotes()
    store.defineQuery('echo', (_, { id }: { id: number }) => id)
    const params = { id: 0 }
    const One = ({ id }: { id: number }) => {
      params.id = id
      return ` ${String(useQuery('echo', params, { suspend: false }).data)}`
    }
    const app = await mount(() => [1, 2].map((id) => createElement(One, { id, key: id })), { store })
    expect(app.text).toBe(' 1 2')
  })

  test('renders again only when the result is another one, by value', async () => {
    const { store, notes } = await openNotes()
    await notes.insert({ id: 'a', text: 'A' })
    let runs = 0
    store.defineQuery('texts', async (ctx) => {
      runs++
      return (await ctx.bucket('notes').all()).map(({ text }) => text)
    })
    const results: unknown[] = []
    const App = (): string => {
      const texts = useQuery<string[]>('texts')
      results.push(texts)
      return texts.join(' ')
    }
    const page = await mount(App, { store })
    const before = results.length
    const runsBefore = runs
    await act(() => notes.update('a', { done: true }))
    expect(runs).toBeGreaterThan(runsBefore)
    expect(results.length).toBe(before)
    await page.render()
    expect(new Set(results).size).toBe(1)
  })

  test('equal parameters share a subscription in whatever order they were written; others are told apart by identity', async () => {
    const { store } = await openNotes()
    let runs = 0
    store.defineQuery('count', (_, params: unknown) => {
      runs++
      return params instanceof Map ? params.size : Object.keys(params as object).length
    })
    const map = new Map([['a', 1]])
    const App = () => [
      useQuery<number>('count', { a: 1, b: { c: [2, new Date(0)] } }),
      useQuery<number>('count', { b: { c: [2, new Date(0)] }, a: 1 }),
      useQuery<number>('count', map),
      useQuery<number>('count', map),
    ]
    const page = await mount(App as never, { store })
    expect(page.text).toBe('2211')
    expect(runs).toBe(2)
    expect(await subscriptions(store)).toBe(2)
  })

  test('says what it does not take', async () => {
    expectReports()
    const { store } = await openNotes()
    const number = await mount(() => useQuery(7 as never), { store })
    expect(number.text).toMatch(/failed: useQuery\(query, params, options\): expected a query, or the name of one/)
    const symbol = await mount(() => useQuery('q', Symbol('a')), { store })
    expect(symbol.text).toMatch(/expected parameters that can be told apart/)
    const unknown = await mount(() => useQuery('unknown'), { store })
    expect(unknown.text).toBe('failed: Query "unknown" is not defined')
  })

  test('asks nothing where there is no query', async () => {
    const { store } = await openNotes()
    const seen: unknown[] = []
    await mount(
      () => {
        seen.push(useQuery(null, {}), useQuery(false as const, {}, { suspend: false }))
        return ''
      },
      { store },
    )
    expect(seen).toEqual([undefined, { data: undefined, error: undefined, isLoading: false }])
  })
})

describe('useRecord', () => {
  test('gives the record, the same object until it changes, or undefined', async () => {
    const { store, notes } = await openNotes()
    await notes.insertMany([
      { id: 'a', text: 'A' },
      { id: 'b', text: 'B' },
    ])
    const seen: unknown[] = []
    const App = ({ id }: { id: string | undefined }): string => {
      const record = useRecord(notes, id)
      seen.push(record)
      return `${record?.text} ${String(useRecord('notes', id)?.['text'])}`
    }
    const page = await mount(App, { store }, { props: { id: 'a' } })
    expect(page.text).toBe('A A')
    expect(seen.at(-1)).toBe(await notes.get('a'))
    expect(await subscriptions(store)).toBe(1)
    const renders = seen.length
    await act(() => notes.update('b', { text: 'other' }))
    expect(seen.length).toBe(renders)
    await act(() => notes.update('a', { text: 'new' }))
    expect(page.text).toBe('new new')
    await act(() => notes.delete('a'))
    expect(page.text).toBe('undefined undefined')
    await act(() => notes.insert({ id: 'a', text: 'back' }))
    expect(page.text).toBe('back back')
    await page.render({ id: undefined })
    expect(page.text).toBe('undefined undefined')
  })

  test('false and 0 are keys; the status is the same object until the record changes', async () => {
    const { store } = await openNotes()
    const flags = await store.defineBucket('flags', {
      key: 'on',
      schema: { on: { type: 'boolean' }, n: { type: 'number' } },
    })
    await flags.insertMany([
      { on: false, n: 1 },
      { on: true, n: 2 },
    ])
    const seen = new Set<unknown>()
    const App = (): string => {
      const status = useRecord(flags, false, { suspend: false })
      if (!status.isLoading) seen.add(status)
      return `${status.data?.n}`
    }
    const page = await mount(App, { store })
    await page.render()
    await act(() => flags.update(true, { n: 3 }))
    await page.render()
    expect(page.text).toBe('1')
    expect(seen.size).toBe(1)
  })

  test('says what it does not take', async () => {
    expectReports()
    const one = await openNotes()
    const other = await openNotes()
    const { store } = one
    const foreign = await mount(() => useRecord(other.notes, 'a')?.text, { store })
    expect(foreign.text).toMatch(/failed: useRecord\(bucket, key\): expected a bucket of the provider's store/)
    const number = await mount(() => useRecord(7 as never, 'a') as never, { store })
    expect(number.text).toMatch(/expected a bucket, or the name of one, got number 7/)
    const unknown = await mount(() => useRecord('unknown', 'a') as never, { store })
    expect(unknown.text).toBe('failed: Bucket "unknown" is not defined')
    const key = await mount(() => useRecord(one.notes, Symbol('a') as never) as never, { store })
    expect(key.text).toMatch(/^failed: /)
  })
})

describe('useStore', () => {
  test('gives the store of the provider, and follows it', async () => {
    const one = await openNotes()
    const other = await openNotes()
    await one.notes.insert({ id: 'a', text: 'one' })
    await other.notes.insert({ id: 'a', text: 'other' })
    const App = (): string => {
      const store = useStore()
      return `${store.name} ${String(useRecord('notes', 'a')?.['text'])} ${useLive(store.bucket('notes').query()).length}`
    }
    const page = await mount(App, { store: one.store })
    expect(page.text).toBe(`${one.store.name} one 1`)
    const second = await mount(App, { store: other.store })
    expect(second.text).toBe(`${other.store.name} other 1`)
  })
})

/** A storage that answers when the test says so. */
class SlowStorage extends MemoryAdapter {
  override readonly immediate = false as never
  wait: Promise<void> | undefined

  override async open(...args: Parameters<MemoryAdapter['open']>): ReturnType<MemoryAdapter['open']> {
    return { ...(await super.open(...args)), durability: 'disk' }
  }

  override append(...args: Parameters<MemoryAdapter['append']>): never {
    const answer = async (): Promise<unknown> => {
      await this.wait
      return super.append(...args)
    }
    return answer() as never
  }
}

describe('useDurable', () => {
  test('is false while something is being written, and renders only when that changes', async () => {
    const storage = new SlowStorage()
    const schema = { id: { type: 'number', generated: 'autoincrement' } } as const
    const store = await Store.start({
      persistence: { adapter: storage },
      buckets: { items: { key: 'id', schema } },
    })
    const seen: boolean[] = []
    const page = await mount(
      () => {
        const isDurable = useDurable()
        seen.push(isDurable)
        return isDurable ? 'saved' : 'saving'
      },
      { store },
    )
    expect(page.text).toBe('saved')
    const slow = gate()
    storage.wait = slow.opened
    const writes: Promise<unknown>[] = []
    await act(() => void writes.push(store.bucket('items').insert({})))
    await act(() => void writes.push(store.bucket('items').insert({}), store.bucket('items').insert({})))
    expect(page.text).toBe('saving')
    await act(() => {
      slow.open()
      return Promise.all(writes)
    })
    expect(page.text).toBe('saved')
    expect(seen).toEqual([true, false, true])
    await act(() => store.bucket('items').insert({}, { durability: 'memory' }))
    await act(() => store.flush())
    expect(page.text).toBe('saved')
    await page.unmount()
    await store.stop()
  })

  test('a store that has stopped moves no more', async () => {
    const { store } = await openNotes()
    await store.stop()
    const page = await mount(() => String(useDurable()), { store })
    expect(page.text).toBe('true')
  })
})
