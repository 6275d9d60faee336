import { expect } from 'vitest'
import { Store } from '../../../src/index.js'
import type { BucketDefinition, Entry, StoreOptions } from '../../../src/index.js'
import { virtualRuntime } from '../../../src/testing/runtime.js'
import type { VirtualRuntime } from '../../../src/testing/runtime.js'
import type { Place } from './places.js'
import { PlainBucket } from './plain-store.js'
import type { Plain, PlainDefinition } from './plain-store.js'
import { pump } from './pump.js'

const isRole = ({ role }: Plain): boolean => role === undefined || role === 'admin' || role === 'user'

/** A bucket, as the store is told of it and as the model is. */
export interface BucketOfBoth {
  readonly real: BucketDefinition
  readonly plain: PlainDefinition
}

/** Lets go of what was used longest ago; the one bucket that is dropped and defined again. */
export const RECENT: BucketOfBoth = {
  real: { key: 'id', schema: { id: { type: 'string' } }, maxSize: 3, eviction: 'lru' },
  plain: { key: 'id', maxSize: 3, lru: true, persistent: true },
}

/** The buckets of the proof. */
export const BUCKETS: { readonly [name: string]: BucketOfBoth } = {
  users: {
    real: {
      key: 'id',
      schema: {
        id: { type: 'string', required: true },
        email: { type: 'string', unique: true },
        role: { type: 'string', enum: ['admin', 'user'] },
        age: { type: 'number', default: 18 },
      },
      indexes: ['role'],
    },
    plain: { key: 'id', unique: 'email', defaults: { age: 18 }, isValid: isRole, persistent: true },
  },
  notes: {
    real: {
      key: 'id',
      schema: { id: { type: 'number', generated: 'autoincrement' }, role: { type: 'string' }, age: { type: 'number' } },
      indexes: ['role', 'age'],
      etsType: 'ordered_set',
    },
    plain: { key: 'id', counter: 'id', byKey: true, persistent: true },
  },
  sessions: {
    real: {
      key: 'id',
      schema: { id: { type: 'string' }, role: { type: 'string' }, age: { type: 'number' } },
      ttl: '5s',
      maxSize: 4,
    },
    plain: { key: 'id', ttlMs: 5_000, maxSize: 4, persistent: true },
  },
  scratch: {
    real: {
      key: 'id',
      schema: {
        id: { type: 'string' },
        email: { type: 'string', unique: true },
        number: { type: 'number', generated: 'autoincrement' },
      },
      persistent: false,
    },
    plain: { key: 'id', unique: 'email', counter: 'number', persistent: false },
  },
  recent: RECENT,
}

/** What subscribers of the proof watch. */
async function watch({ bucket }: { bucket(name: string): any }): Promise<unknown> {
  const [admins, notes, scratch] = ['users', 'notes', 'scratch'].map((name) => bucket(name))
  return [await admins.where({ role: 'admin' }), await notes.count(), await notes.first(2), await scratch.sum('number')]
}

/** A store on one place under a virtual clock, the model beside it, and everything that the store tells about itself. */
export class World {
  readonly runtime: VirtualRuntime
  readonly plain = new Map<string, PlainBucket>()
  /** What the events make of nothing. */
  readonly shadow = new Map<string, Map<unknown, Plain>>()
  readonly errors: Error[] = []
  readonly events: unknown[] = []
  watched: unknown
  store!: Store
  readonly #place: Place
  readonly #options: StoreOptions
  readonly #buckets: { readonly [name: string]: BucketOfBoth }

  constructor(place: Place, options: StoreOptions = {}, seed = 1, buckets = BUCKETS) {
    this.#place = place
    this.#options = options
    this.#buckets = buckets
    this.runtime = virtualRuntime({ seed })
    for (const [name, { plain }] of Object.entries(buckets)) this.plain.set(name, new PlainBucket(plain))
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return pump(this.runtime, promise)
  }

  async open(): Promise<void> {
    const buckets = Object.fromEntries(Object.entries(this.#buckets).map(([name, { real }]) => [name, real]))
    const onError = (error: Error): void => void this.errors.push(error)
    const adapter = this.#place.adapter()
    const base: StoreOptions = {
      name: 'proof',
      history: 'forever',
      durability: 'process',
      runtime: this.runtime,
      onError,
    }
    this.store = (await this.run(
      Store.start({ ...base, ...this.#options, buckets, persistence: { adapter } }),
    )) as Store
    for (const [name, bucket] of this.plain) {
      const rows = this.plain.get(name)?.definition.persistent === true ? bucket.records : []
      this.shadow.set(name, new Map(rows.map((record) => [record[bucket.definition.key], record])))
    }
    await this.run(this.store.on('bucket.*.*', (event) => this.#hear(event as Plain)))
    this.store.defineQuery('watch', watch)
    const see = (result: unknown): void => {
      this.watched = result
    }
    await this.run(this.store.subscribe('watch', see, { immediate: true }))
  }

  #hear(event: Plain): void {
    this.events.push(event)
    const rows = this.shadow.get(event.bucket as string) as Map<unknown, Plain>
    const known = rows.get(event.key)
    if (event.type === 'inserted') {
      expect(known).toBeUndefined()
      rows.set(event.key, event.record as Plain)
    } else if (event.type === 'updated') {
      expect(event.oldRecord).toEqual(known)
      rows.set(event.key, event.newRecord as Plain)
    } else if (event.type === 'deleted') {
      expect(event.record).toEqual(known)
      rows.delete(event.key)
    } else {
      expect(event.count).toBe(rows.size)
      rows.clear()
    }
  }

  /** Stops the store and starts it again on the same place. */
  async reopen(): Promise<void> {
    await this.run(this.store.stop())
    for (const [name, bucket] of this.plain) {
      if (!bucket.definition.persistent) this.plain.set(name, new PlainBucket(bucket.definition))
      else bucket.reload()
    }
    await this.open()
    expect(this.store.openReport).toMatchObject({ created: false, quarantined: [], truncatedBytes: 0 })
  }

  /** Lets time pass, and everything go whose time has come. */
  async pass(ms: number): Promise<void> {
    await this.runtime.advance(ms)
    await this.run(this.store.purgeTtl())
    const now = this.runtime.now()
    for (const bucket of this.plain.values()) {
      for (const record of bucket.records) if (record._expiresAt <= now) bucket.delete(record[bucket.definition.key])
    }
  }

  /** The store answers what the model answers, and has told nothing else. */
  async check(): Promise<void> {
    await this.run(this.store.settle())
    for (const [name, plain] of this.plain) {
      const rows = this.store.read((view) => view.bucket(name).all())
      expect(rows, name).toEqual(plain.records)
      const { key } = plain.definition
      expect(this.store.read((view) => view.bucket(name).keys())).toEqual(plain.ordered().map((record) => record[key]))
      for (const record of rows) expect(Object.isFrozen(record)).toBe(true)
      expect([...(this.shadow.get(name)?.values() ?? [])].sort(byKey(key))).toEqual([...plain.records].sort(byKey(key)))
    }
    expect(this.watched).toEqual(await this.run(this.store.runQuery('watch')))
    const { visible, durable } = this.store.position
    expect(durable).toBe(visible)
    expect(this.errors).toEqual([])
  }

  /** The log has no gap, and makes of nothing what the buckets have. */
  async checkLog(): Promise<void> {
    const entries = await this.run(Promise.resolve(this.store.log.read()))
    expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, at) => at + 1))
    expect(entries.at(-1)?.seq ?? 0).toBe(this.store.position.durable)
    const replayed = replay(entries)
    for (const [name, plain] of this.plain) {
      if (!plain.definition.persistent) expect(replayed.get(name)).toBeUndefined()
      else expect([...(replayed.get(name)?.values() ?? [])]).toEqual(plain.records)
    }
  }

  async export(): Promise<string> {
    const lines: string[] = []
    const collect = async (): Promise<void> => {
      for await (const line of this.store.export()) lines.push(line)
    }
    await this.run(collect())
    return lines.join('')
  }

  async close(): Promise<void> {
    await this.run(this.store.stop())
    this.#place.cleanup()
  }
}

export function byKey(key: string): (a: Plain, b: Plain) => number {
  return (a, b) => (a[key] < b[key] ? -1 : 1)
}

/** The rows that a log makes of nothing, in insertion order. */
export function replay(entries: readonly Entry[]): Map<string, Map<unknown, Plain>> {
  const rows = new Map<string, Map<unknown, Plain>>()
  for (const { type, data, cleared, changes } of entries) {
    for (const bucket of cleared ?? []) rows.get(bucket)?.clear()
    if (type === 'store/drop') rows.delete(data?.bucket as string)
    for (const { bucket, key, after } of changes) {
      const known = rows.get(bucket) ?? new Map<unknown, Plain>()
      rows.set(bucket, known)
      if (after === undefined) known.delete(key)
      else known.set(key, after)
    }
  }
  return rows
}
