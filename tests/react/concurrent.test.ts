// @vitest-environment happy-dom
import { createElement, startTransition, useDeferredValue, useLayoutEffect, useRef, useState } from 'react'
import type { FunctionComponent } from 'react'
import { expect, test } from 'vitest'
import { useLive, useQuery } from '../../src/react/index.js'
import { act, gate, mount, openNotes, setActing } from './rendering.js'
import type { Notes } from './rendering.js'

const CHILDREN = 40

/** Takes so long that React gives others their turn between two of them. */
function work(): void {
  const end = performance.now() + 3
  while (performance.now() < end);
}

/**
 * Renders many slow components in a transition, and writes while they are rendered.
 *
 * @returns for each commit the different values that its components show, and how many were rendered before the write was seen
 *   and after it.
 */
async function writeWhileRendering(
  read: (notes: Notes) => number,
): Promise<{ commits: number[][]; before: number; after: number; last: string }> {
  const { store, notes } = await openNotes()
  await notes.insert({ id: 'first' })
  const commits: number[][] = []
  const rendered: number[] = []
  let show = (): void => undefined
  const Slow: FunctionComponent<{ shown: Set<number> }> = ({ shown }) => {
    const count = read(notes)
    work()
    rendered.push(count)
    useLayoutEffect(() => void shown.add(count))
    return `${count} `
  }
  const App = (): unknown => {
    const [isShown, setShown] = useState(false)
    const count = read(notes)
    show = () => setShown(true)
    // Layout effects of children run before that of their parent, all in one commit.
    const shown = useRef(new Set<number>()).current
    useLayoutEffect(() => {
      if (isShown) commits.push([...shown])
      shown.clear()
    })
    if (!isShown) return `${count} `
    return Array.from({ length: CHILDREN }, (_, key) => createElement(Slow, { key, shown }))
  }
  const page = await mount(App as never, { store })
  setActing(false)
  startTransition(() => show())
  while (rendered.length < 5) await new Promise((resolve) => setImmediate(resolve))
  await notes.insert({ id: 'second' })
  await expect.poll(() => page.text.split(' ').length, { timeout: 10_000 }).toBe(CHILDREN + 1)
  await new Promise((resolve) => setTimeout(resolve, 50))
  const before = rendered.filter((count) => count === 1).length
  return { commits, before, after: rendered.length - before, last: page.text }
}

test('components of one render show the same state, also when it changes while they are rendered', async () => {
  const { commits, before, after, last } = await writeWhileRendering((notes) => useLive(notes.query()).length)
  expect(before).toBeGreaterThan(0)
  expect(after).toBeGreaterThan(0)
  expect(commits.length).toBeGreaterThan(0)
  for (const shown of commits) expect(shown).toHaveLength(1)
  expect(last).toBe('2 '.repeat(CHILDREN))
})

test('the test of that finds hooks that read what changes', async () => {
  const latest = { rows: 1, stop: undefined as (() => void) | undefined }
  const { commits } = await writeWhileRendering((notes) => {
    latest.stop ??= notes.query().live((rows) => (latest.rows = rows.length))
    return latest.rows
  })
  latest.stop?.()
  expect(commits.some((shown) => shown.length > 1)).toBe(true)
})

test('a transition to another query keeps what is shown until its result is there', async () => {
  const { store } = await openNotes()
  const gates = { one: gate(), two: gate() }
  store.defineQuery('slow', async (_, which: 'one' | 'two') => {
    await gates[which].opened
    return which
  })
  let go: (which: 'one' | 'two') => void = () => undefined
  const App = (): string => {
    const [which, setWhich] = useState<'one' | 'two'>('one')
    go = setWhich
    return useQuery<string>('slow', which)
  }
  const page = await mount(App, { store })
  expect(page.text).toBe('waiting')
  await act(() => gates.one.open())
  expect(page.text).toBe('one')
  await act(() => startTransition(() => go('two')))
  expect(page.text).toBe('one')
  await act(() => gates.two.open())
  expect(page.text).toBe('two')
})

test('a deferred value lags behind, and comes', async () => {
  const { store, notes } = await openNotes()
  await notes.insertMany([{ id: 'a' }, { id: 'b', done: true }, { id: 'c', done: true }])
  const seen: string[] = []
  const App = ({ done }: { done: boolean }): string => {
    const deferred = useDeferredValue(done)
    const text = `${done} ${useLive(notes.where({ done: deferred })).length}`
    seen.push(text)
    return text
  }
  const page = await mount(App, { store }, { props: { done: false } })
  await page.render({ done: true })
  expect(page.text).toBe('true 2')
  expect(seen).toContain('true 1')
  expect(page.html).not.toContain('waiting')
})
