import * as React from 'react'
import { Component, createElement, StrictMode, Suspense } from 'react'
import type { FunctionComponent, ReactNode } from 'react'
import { createRoot, hydrateRoot } from 'react-dom/client'
import { afterEach, vi } from 'vitest'
import { Store } from '../../src/core.js'
import type { BucketHandle } from '../../src/core.js'
import { StoreProvider } from '../../src/react/index.js'
import type { StoreProviderProps } from '../../src/react/index.js'

/** As much of an element as these tests look at: the library is compiled without the types of a browser. */
export interface TestElement {
  innerHTML: string
  readonly textContent: string
  querySelector(selector: string): (TestElement & { click(): void }) | null
}

const globals = globalThis as unknown as { document: { createElement(name: string): TestElement } }

/** React 19 has it itself, 18.2 does not. */
type Act = (work: () => Promise<void>) => Promise<void>
const reactAct: Act =
  (React as { act?: Act }).act ?? ((await import('react-dom/test-utils')) as unknown as { act: Act }).act

const globalFlags = globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }

/** Does `work` and waits until the store and React are at rest. */
export async function act(work: () => unknown): Promise<void> {
  const all = async (): Promise<void> => {
    await work()
    await turns()
  }
  await (globalFlags.IS_REACT_ACT_ENVIRONMENT === true ? reactAct(all) : all())
}

/** Whether updates wait for `act`; without it React works by itself, as in a page. */
export function setActing(isActing: boolean): void {
  globalFlags.IS_REACT_ACT_ENVIRONMENT = isActing
}
setActing(true)

const NOTE = {
  key: 'id',
  schema: {
    id: { type: 'string', required: true },
    text: { type: 'string', default: '' },
    done: { type: 'boolean', default: false },
  },
} as const

export type Note = { readonly id: string; readonly text: string; readonly done: boolean }
export type Notes = BucketHandle<typeof NOTE>

const stores: { stop(): Promise<void> }[] = []
const mounted: { unmount(): void }[] = []

afterEach(async () => {
  vi.useRealTimers()
  setActing(true)
  for (const root of mounted.splice(0)) await act(() => root.unmount())
  for (const store of stores.splice(0)) await store.stop()
  vi.restoreAllMocks()
})

/** A store with a bucket `notes`; stopped after the test. */
export async function openNotes(): Promise<{ store: Store<{ notes: typeof NOTE }>; notes: Notes }> {
  const store = await Store.start({ buckets: { notes: NOTE }, ttlCheckIntervalMs: 0 })
  stores.push(store)
  return { store, notes: store.bucket('notes') }
}

/** How many subscriptions the store has. */
export async function subscriptions(store: { getStats: Store['getStats'] }): Promise<number> {
  return (await store.getStats()).queries.activeSubscriptions
}

/** Shows `failed: …` for an error below it; the button in it tries again. */
export class Boundary extends Component<{ children?: ReactNode }, { error: Error | undefined }> {
  override state = { error: undefined as Error | undefined }

  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error }
  }

  override render(): ReactNode {
    const { error } = this.state
    if (error === undefined) return this.props.children
    const retry = (): void => this.setState({ error: undefined })
    return createElement('button', { onClick: retry }, `failed: ${error.message}`)
  }
}

export interface Mounted {
  readonly container: TestElement
  readonly text: string
  readonly html: string
  /** Renders `App` (again), with new props. */
  render(props?: object): Promise<void>
  unmount(): Promise<void>
}

/** `App` below a provider, error boundaries and a Suspense boundary that shows `waiting`. */
export function tree(App: FunctionComponent<never>, provider: StoreProviderProps, props: object = {}): ReactNode {
  const inner = createElement(Suspense, { fallback: 'waiting' }, createElement(App as FunctionComponent, props))
  const provided = createElement(StoreProvider, provider, createElement(Boundary, undefined, inner))
  return createElement(Boundary, undefined, provided)
}

/** Mounts `App` and waits until React and the store are at rest. */
export async function mount(
  App: FunctionComponent<never>,
  provider: StoreProviderProps,
  { props = {}, isStrict = false, html }: { props?: object; isStrict?: boolean; html?: string } = {},
): Promise<Mounted> {
  const container = globals.document.createElement('div')
  const wrap = (more: object): ReactNode =>
    isStrict ? createElement(StrictMode, undefined, tree(App, provider, more)) : tree(App, provider, more)
  let root = undefined as ReturnType<typeof createRoot> | undefined
  if (html !== undefined) container.innerHTML = html
  await act(() => {
    if (html === undefined) root = createRoot(container as never)
    else root = hydrateRoot(container as never, wrap(props), { onRecoverableError: (error) => console.error(error) })
    mounted.push(root)
    if (html === undefined) root.render(wrap(props))
  })
  const made = root as ReturnType<typeof createRoot>
  return {
    container,
    get text() {
      return container.textContent
    },
    get html() {
      return container.innerHTML
    },
    render: (more = props) => act(() => made.render(wrap(more))),
    unmount: () => act(() => made.unmount()),
  }
}

/** Lets promises and tasks that are due have their turn, without React noticing. */
export async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** Errors that boundaries catch are reported on the console by React; the test says that it expects them. */
export function expectReports(): ReturnType<typeof vi.spyOn> {
  return vi.spyOn(console, 'error').mockImplementation(() => undefined)
}

/** A promise and what settles it. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}
