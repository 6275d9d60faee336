import { quietly } from '../base/quietly.js'
import { asError, InvalidArgumentError } from '../base/errors.js'
import { remember } from '../base/equality.js'
import { stableText } from '../base/stable-text.js'
import { StoreStoppedError } from '../commit/errors.js'
import type { Store } from '../core-store.js'
import { queryIdentity } from '../query/query-value.js'
import type { Query } from '../query/query.js'
import type { AnyDefinition } from '../schema/infer.js'
import { GOES_ON } from '../reactive/query-subscription.js'
import type { QueryRef } from '../store-contexts.js'
import { Resource } from './resource.js'
import type { Source } from './resource.js'

/** A query of any bucket with rows of type `T`. */
export type AnyQuery<T> = Query<AnyDefinition, T>

const caches = new WeakMap<Store, Resources>()

/** The resources of `store`: the same for all providers of it. */
export function resourcesOf(store: Store): Resources {
  const known = caches.get(store)
  if (known !== undefined) return known
  const resources = new Resources(store)
  caches.set(store, resources)
  return resources
}

/** The resources that components of one store share: one for all that ask the same. */
export class Resources {
  readonly #store: Store
  readonly #byText = new Map<string, Resource>()
  /** Numbers of what has no text: stores of queries, and parameters. */
  readonly #numbers = new WeakMap<object, number>()
  #numbered = 0
  /** What identifies the queries of this store, once it has a bucket. */
  #owner: object | undefined

  constructor(store: Store) {
    this.#store = store
  }

  /** For the rows of a query, of this store or of another one. @throws what is wrong with the query. */
  ofRows(query: AnyQuery<unknown>, argument: string): Resource {
    const identity = queryIdentity(query)
    if (identity === undefined)
      throw new InvalidArgumentError(argument, 'a query of a bucket, as bucket.where(…)', query)
    const { owner, text } = identity
    const source: Source = (to) =>
      query.live((rows) => to.result(rows), {
        onError: (error) => to.failed(error),
        onEnd: () => to.ended(new StoreStoppedError(this.#store.name)),
      })
    if (this.isOwn(owner)) return this.#resource(`live ${text}`, true, source)
    return this.#resource(`live of store ${this.#numberOf(owner)} ${text}`, false, source)
  }

  /** For the result of a named query. */
  ofNamed(query: string | QueryRef<never>, params: unknown): Resource {
    const name = typeof query === 'string' ? query : query.name
    const text = stableText(params)
    // As they are now: the component may use the same object for others.
    const own = text === undefined ? params : remember(params)
    const source: Source = (to) => this.#subscribe(name, own, to)
    if (text !== undefined) return this.#resource(`query ${JSON.stringify(name)} ${text}`, true, source)
    if ((typeof params !== 'object' && typeof params !== 'function') || params === null)
      throw new InvalidArgumentError('useQuery(query, params)', 'parameters that can be told apart', params)
    return this.#resource(`query ${JSON.stringify(name)} #${this.#numberOf(params)}`, false, source)
  }

  #subscribe(name: string, params: unknown, to: Parameters<Source>[0]): () => void {
    const abort = new AbortController()
    let isTold = false
    const callback = (result: unknown): void => {
      isTold = true
      to.result(result)
    }
    const onError = (error: Error): void => {
      isTold = true
      to.failed(error)
    }
    const options = { immediate: true, signal: abort.signal, onError, [GOES_ON]: true as const }
    this.#store.subscribe(name, params, callback, options).then(
      // The first result, or error, comes before this, unless the store was stopped.
      () => isTold || to.ended(new StoreStoppedError(this.#store.name)),
      (error: unknown) => to.ended(asError(error)),
    )
    return () => abort.abort()
  }

  /** Whether queries of `owner` are queries of this store. */
  isOwn(owner: object): boolean {
    return owner === this.#ownerOf()
  }

  #ownerOf(): object | undefined {
    if (this.#owner !== undefined) return this.#owner
    const [name] = this.#store.listBuckets()
    // A store that was stopped has no queries any more.
    if (name !== undefined) this.#owner = quietly(() => queryIdentity(this.#store.bucket(name).query())?.owner)
    return this.#owner
  }

  #numberOf(value: object): number {
    const number = this.#numbers.get(value) ?? ++this.#numbered
    this.#numbers.set(value, number)
    return number
  }

  /** @param isSendable whether `text` means the same elsewhere. */
  #resource(text: string, isSendable: boolean, source: Source): Resource {
    const known = this.#byText.get(text)
    if (known !== undefined) return known
    const resource = new Resource(isSendable ? text : undefined, source, (one, isKept) => {
      if (isKept && !this.#byText.has(text)) this.#byText.set(text, one)
      if (!isKept && this.#byText.get(text) === one) this.#byText.delete(text)
    })
    this.#byText.set(text, resource)
    return resource
  }
}
