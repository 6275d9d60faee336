import { expect } from 'vitest'
import { Store } from '../../../src/index.js'
import type { BucketDefinition, Entry, StorageAdapter } from '../../../src/index.js'
import type { FaultPlan } from '../../../src/testing/faults.js'
import { virtualRuntime } from '../../../src/testing/runtime.js'
import type { Plain } from './plain-store.js'
import { pump } from './pump.js'
import { byKey, replay } from './world.js'

const OP = { type: 'string' } as const
const FULL: BucketDefinition = { key: 'id', schema: { id: { type: 'string' }, op: OP }, maxSize: 3 }
const BUCKETS: { readonly [name: string]: BucketDefinition } = {
  users: {
    key: 'id',
    schema: { id: { type: 'string' }, email: { type: 'string', unique: true }, n: { type: 'number' }, op: OP },
    indexes: ['op'],
  },
  notes: { key: 'id', schema: { id: { type: 'number', generated: 'autoincrement' }, op: OP } },
  scratch: { key: 'id', schema: { id: { type: 'string' }, op: OP }, persistent: false },
  full: FULL,
}
/** Outcome of a write that found nothing to do. */
const NOTHING = 'nothing'
const STORED = Object.keys(BUCKETS).filter((name) => name !== 'scratch')

/** Writes that the storage has acknowledged, by the text of their records: seen from between store and storage. */
class Witness {
  readonly entries: Entry[] = []
  readonly records = new Set<string>()

  watch(adapter: StorageAdapter): StorageAdapter {
    const append = adapter.append.bind(adapter)
    const note = (batch: { readonly entries: readonly Entry[] }): void => {
      for (const entry of batch.entries) {
        this.entries.push(entry)
        for (const { before, after } of entry.changes) {
          for (const record of [before, after]) if (record !== undefined) this.records.add(JSON.stringify(record))
        }
      }
    }
    adapter.append = (head, batch) => {
      const outcome = append(head, batch)
      if (!(outcome instanceof Promise)) {
        if (outcome.appended) note(batch)
        return outcome
      }
      return outcome.then((written) => {
        if (written.appended) note(batch)
        return written
      })
    }
    return adapter
  }

  /** Names of the writes of an entry. */
  has(op: string): boolean {
    return this.entries.some(({ changes }) => changes.some(({ after, key }) => (after?.op ?? `-${String(key)}`) === op))
  }
}

/** One run of a fixed script over everything that writes, while a fault waits in the storage. */
export class Drill {
  readonly #open: () => StorageAdapter
  readonly #plan: FaultPlan
  readonly #runtime = virtualRuntime()
  readonly #witness = new Witness()
  /** What became of each write: its code where it was refused. */
  readonly #outcomes = new Map<string, string>()
  readonly #errors: Error[] = []
  /** Records that were published before the storage had acknowledged them. */
  readonly #early: unknown[] = []
  #isUnknown = false
  #store: Store | undefined

  /** @param open makes an adapter on the place of this drill; its calls go through `plan`, which is armed. */
  constructor(open: () => StorageAdapter, plan: FaultPlan) {
    this.#open = open
    this.#plan = plan
  }

  #run<T>(promise: Promise<T>): Promise<T> {
    return pump(this.#runtime, promise)
  }

  #start(adapter: StorageAdapter): Promise<Store> {
    const onError = (error: Error): void => void this.#errors.push(error)
    const base = { name: 'drill', history: 'forever', durability: 'process', runtime: this.#runtime, onError } as const
    return this.#run(Store.start({ ...base, buckets: BUCKETS, persistence: { adapter } }) as Promise<any>)
  }

  /** Runs the script, then looks at memory, disk and what callers were told. */
  async run(): Promise<void> {
    const adapter = this.#witness.watch(this.#open())
    try {
      this.#store = await this.#start(adapter)
    } catch (error) {
      expect((error as { code?: string }).code, String(error)).toBeDefined()
    }
    let memory: Memory = new Map()
    if (this.#store !== undefined) {
      await this.#listen(this.#store)
      await this.#script(this.#store)
      await this.#probe(this.#store)
      memory = await this.#read(this.#store)
      await this.#stop(this.#store)
    }
    this.#plan.arm(undefined)
    // An end that has failed is tried again.
    await adapter.close()
    await this.#judge(memory)
  }

  /** Whatever is published has been acknowledged by the storage before. */
  async #listen(store: Store): Promise<void> {
    // Noted, not thrown: the store takes what its listeners throw for their own business.
    const check = (record: unknown): void => {
      if (!this.#witness.records.has(JSON.stringify(record))) this.#early.push(record)
    }
    const bus = store.on('bucket.*.*', (event: any) => {
      if (event.bucket === 'scratch') return
      for (const record of [event.record, event.oldRecord, event.newRecord]) if (record !== undefined) check(record)
    })
    await this.#run(bus)
    store.defineQuery('all users', ({ bucket }) => bucket('users').all())
    const see = (users: unknown): void => (users as unknown[]).forEach(check)
    await this.#run(store.subscribe('all users', see, { onError: () => undefined })).catch(() => undefined)
  }

  /** Does writes at the same time, and notes what becomes of them. */
  async #write(writes: { readonly [op: string]: () => Promise<unknown> }): Promise<void> {
    const all = Object.entries(writes).map(async ([op, write]) => {
      try {
        this.#outcomes.set(op, (await write()) === NOTHING ? NOTHING : 'written')
      } catch (error) {
        const { code = String(error), outcome } = error as { code?: string; outcome?: string }
        if (outcome === 'unknown') this.#isUnknown = true
        this.#errors.push(error as Error)
        expect(code).toMatch(/^[A-Z_]+$/)
        this.#outcomes.set(op, code)
      }
    })
    await this.#run(Promise.all(all))
  }

  async #script(store: Store): Promise<void> {
    const on = (name: string): any => store.bucket(name)
    const insert = (bucket: string, op: string, data: Plain = {}) => ({
      [op]: async () => on(bucket).insert({ id: op, op, ...data }),
    })
    const raise = (op: string) => ({
      [op]: () =>
        store.transaction(
          async (tx) => {
            const users = tx.bucket('users') as any
            await users.update('u1', { n: ((await users.get('u1'))?.n ?? 0) + 1, op })
          },
          { retries: 5 },
        ),
    })
    await this.#write({
      ...insert('users', 'u1', { email: 'e' }),
      ...insert('users', 'u2'),
      ...insert('notes', 'n1', { id: undefined }),
    })
    await this.#write({
      t1: () => this.#transaction(store, 't1'),
      ...insert('scratch', 's1'),
      ...insert('users', 'u3'),
    })
    await this.#write({
      m1: async () => (await on('users').updateMany({}, { n: 7, op: 'm1' })) || NOTHING,
      '-u2': async () => ((await on('users').has('u2')) ? on('users').delete('u2') : NOTHING),
    })
    await this.#write({
      ...insert('users', 'u4', { email: 'e' }),
      many: () => on('full').insertMany(['f1', 'f2', 'f3'].map((id) => ({ id, op: 'many' }))),
    })
    store.kill('bucket:users')
    await this.#write({ ...raise('r1'), ...raise('r2') })
    await this.#write({
      clear: () => on('notes').clear(),
      ...insert('notes', 'n2', { id: undefined }),
      flush: () => store.flush(),
    })
    await this.#write({ drop: () => store.dropBucket('full') })
    await this.#write({ define: () => store.defineBucket('full', FULL) })
    await this.#write({ full: async () => on('full').insert({ id: 'f4', op: 'full' }), ...insert('scratch', 's2') })
    await this.#write({ log: () => Promise.resolve(store.log.read()), export: () => drain(store.export()) })
  }

  async #transaction(store: Store, op: string): Promise<void> {
    await store.transaction(async (tx) => {
      await (tx.bucket('users') as any).update('u1', { n: 1, op })
      await (tx.bucket('notes') as any).insert({ op })
      for (const id of ['x', 'y']) await (tx.bucket('full') as any).insert({ id, op })
      await (tx.bucket('scratch') as any).insert({ id: op, op })
    })
  }

  /** In the end the store either takes writes or says why not. */
  async #probe(store: Store): Promise<void> {
    await this.#write({ probe: async () => store.bucket('users').insert({ id: 'probe', op: 'probe' }) })
    const probe = this.#outcomes.get('probe')
    if (probe !== 'written') expect(probe).toMatch(/^(STORE_DEGRADED|STORAGE.*|BUCKET_CRASHED)$/)
    // Faults pass: a store that has not given up takes the next write, or the one after it.
    for (let tries = 0; tries < 4 && probe?.startsWith('STORAGE') === true; tries++) {
      if (this.#outcomes.get('again') === 'written') break
      await this.#write({ again: async () => store.bucket('users').insert({ id: 'again', op: 'again' }) })
    }
    const again = this.#outcomes.get('again') ?? 'written'
    if (again === 'written') return
    // Or it has given up: because it does not know what is written, or because the disk cannot be trusted any more.
    const reason = this.#errors.at(-1)?.message ?? ''
    expect(this.#isUnknown ? again : reason).toMatch(
      /^STORE_DEGRADED$|cannot be undone .* nothing was written; reopen the store$/,
    )
  }

  /** What the store answers, where it can: nothing of a write that was refused. */
  async #read(store: Store): Promise<Memory> {
    const memory: Memory = new Map()
    for (const name of Object.keys(BUCKETS)) {
      try {
        memory.set(name, (await this.#run(store.bucket(name).all())) as Plain[])
      } catch (error) {
        expect((error as { code?: string }).code).toMatch(/^BUCKET_(CRASHED|NOT_DEFINED)$/)
      }
    }
    for (const [name, records] of memory) {
      for (const { id, op } of records)
        expect(this.#outcomes.get(op as string), `${name} ${String(id)} is there`).toBe('written')
    }
    return memory
  }

  async #stop(store: Store): Promise<void> {
    try {
      await this.#run(store.stop())
    } catch (error) {
      expect((error as { code?: string }).code, String(error)).toMatch(/^STORAGE/)
    }
  }

  /** Memory, disk, and what callers were told agree. */
  async #judge(memory: Memory): Promise<void> {
    for (const [op, outcome] of this.#outcomes) {
      if (['clear', 'flush', 'drop', 'define', 'log', 'export', 's1', 's2'].includes(op)) continue
      expect(this.#witness.has(op), `${op}: ${outcome}`).toBe(outcome === 'written')
    }
    expect(this.#early).toEqual([])
    const store = await this.#start(this.#open())
    const log = await this.#run(Promise.resolve(store.log.read()))
    expect(log.map(({ seq }) => seq)).toEqual(log.map((_, at) => at + 1))
    const { entries } = this.#witness
    expect(entries.length).toBeLessThanOrEqual(log.length)
    if (!this.#isUnknown) expect(entries.length).toBe(log.length)
    const rows = rowsOf(log)
    for (const name of STORED) {
      const found = (await this.#run(store.bucket(name).all())) as Plain[]
      expect(found.sort(byKey('id')), `${name} on disk, and what its log makes`).toEqual(rows(name))
    }
    // What an unknown outcome has left on disk beyond it, memory does not have.
    const known = rowsOf(entries)
    for (const [name, records] of memory) {
      if (name !== 'scratch') expect([...records].sort(byKey('id')), `${name} in memory`).toEqual(known(name))
    }
    expect(store.openReport.quarantined).toEqual([])
    await this.#run(store.stop())
  }
}

type Memory = Map<string, readonly Plain[]>

function rowsOf(log: readonly Entry[]): (bucket: string) => Plain[] {
  const rows = replay(log)
  return (bucket) => [...(rows.get(bucket)?.values() ?? [])].sort(byKey('id'))
}

async function drain(lines: AsyncIterable<string>): Promise<void> {
  for await (const line of lines) expect(line.endsWith('\n')).toBe(true)
}
