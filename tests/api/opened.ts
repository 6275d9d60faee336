import { afterEach } from 'vitest'
import { Store } from '../../src/index.js'
import type { BucketDefinition, BucketHandle, StoreOptions, VarveError } from '../../src/index.js'
import { virtualRuntime } from '../../src/testing/runtime.js'
import type { VirtualRuntime } from '../../src/testing/runtime.js'

const opened: Store[] = []

/** For suites that run again with sourced buckets in place of plain ones: nothing else about them may differ. */
export const sourced = { isOn: false }

function asSourced(definition: BucketDefinition): BucketDefinition {
  return sourced.isOn && typeof definition === 'object' && definition !== null
    ? { ...definition, sourced: true }
    : definition
}

afterEach(async () => {
  for (const store of opened.splice(0)) await store.stop()
})

/** A store that is stopped after the test. Its records are of no type that the compiler knows. */
export async function open(options: StoreOptions = {}): Promise<Store> {
  const buckets =
    options.buckets &&
    Object.fromEntries(Object.entries(options.buckets).map(([name, definition]) => [name, asSourced(definition)]))
  const store = (await Store.start(buckets === undefined ? options : { ...options, buckets })) as Store
  opened.push(store)
  const define = store.defineBucket.bind(store)
  if (sourced.isOn) store.defineBucket = (name, definition) => define(name, asSourced(definition as never)) as never
  return store
}

/** A store with the one bucket `b`. */
export async function openBucket(
  definition: BucketDefinition,
  options: StoreOptions = {},
): Promise<{ store: Store; bucket: BucketHandle }> {
  const store = await open(options)
  await store.defineBucket('b', definition)
  return { store, bucket: store.bucket('b') }
}

/** A store under a clock that the test moves. */
export async function openVirtual(
  options: StoreOptions = {},
  seed = 1,
): Promise<{ store: Store; runtime: VirtualRuntime }> {
  const runtime = virtualRuntime({ seed })
  return { store: await open({ ...options, runtime }), runtime }
}

/** What `promise` rejects with; the test fails when it does not. */
export async function rejection(promise: Promise<unknown>): Promise<VarveError & Record<string, unknown>> {
  try {
    await promise
  } catch (error) {
    return error as VarveError & Record<string, unknown>
  }
  throw new Error('expected a rejection')
}

/** Lets timers and I/O of the host have their turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** A promise and what settles it. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined
  const promise = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened: promise, open: () => open() }
}

export const KEYED: BucketDefinition = { key: 'id', schema: { id: { type: 'string', required: true } } }

/** The users of the README. */
export const USERS: BucketDefinition = {
  key: 'id',
  schema: {
    id: { type: 'string', generated: 'uuid' },
    name: { type: 'string', required: true },
    email: { type: 'string', format: 'email', unique: true },
    role: { type: 'string', enum: ['admin', 'user'], default: 'user' },
  },
  indexes: ['role'],
}
