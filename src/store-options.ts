import { InvalidArgumentError } from './base/errors.js'
import { systemRuntime } from './base/runtime.js'
import type { Runtime } from './base/runtime.js'
import { MemoryAdapter } from './log/memory-adapter.js'
import { hasMethods, isDurabilityOption, isStorageAdapter } from './log/storage.js'
import type { Durability, StorageAdapter } from './log/storage.js'
import type { BucketDefinition } from './schema/definition.js'
import type { DefinitionCheck } from './schema/infer.js'

/** Buckets by name, as `Store.start` takes them. */
export type BucketDefinitions = { readonly [name: string]: BucketDefinition }

/** The buckets of any store: `Store` without arguments is one whose buckets the compiler does not know. */
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyBuckets = any

/** Where a store keeps its data. */
export interface CorePersistenceConfig {
  readonly adapter: StorageAdapter
  /** Takes errors that no call can be rejected with. */
  readonly onError?: (error: Error) => void
}

/** What literal buckets are checked against besides. A part of the parameter, so that the options themselves infer `B`. */
export interface BucketsCheck<B> {
  readonly buckets?: { readonly [N in keyof B]: DefinitionCheck<B[N]> }
}

/** Options of `Store.start`. */
export interface CoreStoreOptions<B extends BucketDefinitions = BucketDefinitions> {
  /** Default `store-1`, `store-2` … */
  readonly name?: string
  /** Buckets to define at once; `start` resolves when they are loaded. */
  readonly buckets?: B
  /** Default: in memory only. */
  readonly persistence?: CorePersistenceConfig
  /** Shortest time between two checks for records that are due; 0 switches them off. Default 1,000 ms. */
  readonly ttlCheckIntervalMs?: number
  /** When a write resolves, unless it says otherwise itself. Default: the strongest level the storage has. */
  readonly durability?: Durability
  /** Takes errors that no call can be rejected with: of event handlers, subscriptions, background work. */
  readonly onError?: (error: Error) => void
  /**
   * Share of the changes of live results, from 0 to 1, after which the result is compared with a fresh one. A difference is a
   * bug in Varve: `onError` and an event `view.<bucket>.diverged` tell of it, and the result is made anew. Default 0.
   */
  readonly selfCheck?: number
  /** Clock, timers and randomness. Default: the host's. */
  readonly runtime?: Runtime
}

/** The options after they were checked. */
export interface CheckedOptions {
  readonly name: string
  readonly buckets: BucketDefinitions
  readonly storage: StorageAdapter
  /** Whether the caller has said where to keep the data. */
  readonly hasStorage: boolean
  readonly ttlCheckIntervalMs: number
  readonly durability: Durability | undefined
  readonly onError: (error: Error) => void
  readonly selfCheck: number
  readonly runtime: Runtime
}

/** Names of the options of the small store. */
export const CORE_OPTIONS: readonly string[] = [
  'name',
  'buckets',
  'persistence',
  'ttlCheckIntervalMs',
  'durability',
  'onError',
  'selfCheck',
  'runtime',
]

const RUNTIME_METHODS = Object.keys(systemRuntime)

let count = 0

/** Throws unless `options` is an object that has no other options than those named `known`. @throws {InvalidArgumentError} */
export function checkOptionNames(options: unknown, known: readonly string[]): void {
  const argument = 'Store.start(options)'
  if (typeof options !== 'object' || options === null) throw new InvalidArgumentError(argument, 'an object', options)
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new InvalidArgumentError(argument, `only ${known.join(', ')}`, name)
  }
}

/** Checks the options of `Store.start` and fills in defaults. @throws {InvalidArgumentError} nothing was done. */
export function checkOptions(options: CoreStoreOptions): CheckedOptions {
  const invalid = (name: string, expected: string, given: unknown): never => {
    throw new InvalidArgumentError(`Store.start(${name})`, expected, given)
  }
  checkOptionNames(options, CORE_OPTIONS)
  const {
    name,
    buckets = {},
    persistence,
    ttlCheckIntervalMs = 1_000,
    durability,
    onError,
    selfCheck = 0,
    runtime = systemRuntime,
  } = options
  if (name !== undefined && (typeof name !== 'string' || name === '')) invalid('{ name }', 'a name', name)
  if (typeof buckets !== 'object' || buckets === null || Array.isArray(buckets)) {
    invalid('{ buckets }', 'an object of bucket definitions', buckets)
  }
  if (typeof ttlCheckIntervalMs !== 'number' || Number.isNaN(ttlCheckIntervalMs)) {
    invalid('{ ttlCheckIntervalMs }', 'a number of milliseconds', ttlCheckIntervalMs)
  }
  if (!isDurabilityOption(durability)) invalid('{ durability }', '"memory", "process" or "disk"', durability)
  if (!(typeof selfCheck === 'number' && selfCheck >= 0 && selfCheck <= 1)) {
    invalid('{ selfCheck }', 'a number from 0 to 1', selfCheck)
  }
  if (!hasMethods(runtime, RUNTIME_METHODS))
    invalid('{ runtime }', `an object with ${RUNTIME_METHODS.join(', ')}`, runtime)
  for (const [at, fn] of [
    ['{ onError }', onError],
    ['{ persistence: { onError } }', persistence?.onError],
  ] as const) {
    if (fn !== undefined && typeof fn !== 'function') invalid(at, 'a function', fn)
  }
  // The field's habit is to be loud about errors that nobody asked for, and console.error is everywhere.
  const report = onError ?? persistence?.onError ?? ((error: Error) => console.error(error))
  return {
    name: name ?? `store-${++count}`,
    buckets,
    storage: storageOf(persistence, invalid),
    hasStorage: persistence !== undefined,
    ttlCheckIntervalMs,
    durability,
    selfCheck,
    onError: (error) => {
      try {
        report(error)
      } catch (second) {
        console.error(second)
      }
    },
    runtime,
  }
}

function storageOf(
  persistence: CorePersistenceConfig | undefined,
  invalid: (name: string, expected: string, given: unknown) => never,
): StorageAdapter {
  if (persistence === undefined) return new MemoryAdapter()
  if (typeof persistence !== 'object' || persistence === null)
    return invalid('{ persistence }', 'an object { adapter }', persistence)
  if (isStorageAdapter(persistence.adapter)) return persistence.adapter
  return invalid('{ persistence: { adapter } }', 'a storage adapter', persistence.adapter)
}
