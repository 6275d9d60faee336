import { createContext, createElement, useContext, useMemo, useState } from 'react'
import type { FunctionComponentElement, ProviderProps, ReactNode } from 'react'
import { InvalidArgumentError } from '../base/errors.js'
import { Store } from '../core-store.js'
import type { RegisteredStore } from './register.js'
import type { Readable, Resource } from './resource.js'
import { resourcesOf } from './resources.js'
import type { Resources } from './resources.js'
import { Collector, readSnapshot } from './server-snapshot.js'
import type { SnapshotCollector, StoreSnapshot } from './server-snapshot.js'
import { LOADING } from './status.js'
import type { LoadedStatus, QueryStatus } from './status.js'

/** What a `StoreProvider` takes. */
export interface StoreProviderProps {
  /** Of `varve` or of `varve/core`. It is the caller's: nothing stops it when the provider goes. */
  readonly store: Store
  /** What the server has rendered with. Read once, by the first render. */
  readonly snapshot?: StoreSnapshot | undefined
  /** On the server: collects what is rendered with. */
  readonly collect?: SnapshotCollector | undefined
  readonly children?: ReactNode
}

/** What a provider gives to the hooks below it. */
export class Provided {
  readonly store: Store
  readonly resources: Resources
  readonly #answers: ReadonlyMap<string, LoadedStatus<unknown>>
  readonly #collector: Collector | undefined
  /** Answers that were the beginning of a resource: later ones begin with what the store says. */
  readonly #used = new Set<string>()

  constructor(store: Store, answers: ReadonlyMap<string, LoadedStatus<unknown>>, collector: Collector | undefined) {
    this.store = store
    this.resources = resourcesOf(store)
    this.#answers = answers
    this.#collector = collector
  }

  /** Notes that a render looks at `resource`, which begins with what the server has sent. @returns it. */
  look(resource: Resource): Resource {
    const { key } = resource
    const answer = key === undefined || this.#used.has(key) ? undefined : this.#answers.get(key)
    if (key !== undefined && answer !== undefined) {
      this.#used.add(key)
      resource.seed(answer)
    }
    resource.look()
    return resource
  }

  /**
   * What is rendered on the server, and again in the browser when it takes over what the server has rendered: there it must be the
   * same, however far the store has come meanwhile.
   *
   * @param isWaiting the hook waits for its first result.
   */
  serverStatus({ key, read }: Readable, isWaiting: boolean): QueryStatus<unknown> {
    const known = key === undefined ? undefined : (this.#collector?.statusOf(key) ?? this.#answers.get(key))
    if (known !== undefined) return known
    const status = read()
    // Nobody will tell the browser of it, which so begins without.
    if (!isWaiting && (key === undefined || this.#collector === undefined)) return LOADING
    if (key !== undefined && status.error === undefined && !status.isLoading) this.#collector?.add(key, status)
    return status
  }
}

const Context = createContext<Provided | undefined>(undefined)

/** Gives `store` to the hooks below it. @throws {InvalidArgumentError} */
export function StoreProvider({
  store,
  snapshot,
  collect,
  children,
}: StoreProviderProps): FunctionComponentElement<ProviderProps<Provided | undefined>> {
  if (!(store instanceof Store)) throw new InvalidArgumentError('<StoreProvider store>', 'a started store', store)
  if (collect !== undefined && !(collect instanceof Collector)) {
    throw new InvalidArgumentError('<StoreProvider collect>', 'what collectSnapshot() gave', collect)
  }
  const [answers] = useState(() => readSnapshot(snapshot))
  const provided = useMemo(() => new Provided(store, answers, collect), [store, answers, collect])
  return createElement(Context.Provider, { value: provided }, children)
}

/** What the provider above gives. @throws {InvalidArgumentError} there is none. */
export function useProvided(hook: string): Provided {
  const provided = useContext(Context)
  if (provided === undefined)
    throw new InvalidArgumentError(hook, 'a <StoreProvider store={store}> around the component that calls it', provided)
  return provided
}

/** The store of the provider above. @typeParam S what it is known to be, where it is not registered. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- who knows the type of the store says it
export function useStore<S = RegisteredStore>(): S {
  return useProvided('useStore()').store as S
}
