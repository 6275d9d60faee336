import { splitmix32 } from '../base/seeded-random.js'
import { systemRuntime } from '../base/runtime.js'
import type { ReplicaType, StreamRecord } from '../streams/record.js'
import type { StreamStore } from '../streams/stream-store.js'
import { CheckError } from './expect.js'
import type { StreamCase, StreamTest } from './stream-case.js'
import {
  checkEqual,
  checkStream,
  entry,
  EPHEMERAL,
  failureOf,
  listIds,
  load,
  loadAll,
  metaRecord,
  oldMetaRecord,
  withoutSeq,
} from './stream-fixture.js'
import { type Refusal, StreamModel } from './stream-model.js'

const IDS = ['a', 'a\0', 'A', 'ab', '', '\u{10ffff}', 'a\ud800', '__proto__']
const STEPS = 300

/** Random calls on a store and on the model, in step. */
class Drill {
  readonly #model = new StreamModel()
  readonly #test: StreamTest
  readonly #below: (n: number) => number
  #handles: StreamStore[]
  #entries = 0

  constructor(test: StreamTest, seed: number) {
    this.#test = test
    this.#handles = [test.store]
    const bits = splitmix32(seed)
    this.#below = (n) => bits() % n
  }

  async run(steps: number): Promise<void> {
    if (this.#test.options.secondHandle === true) this.#handles.push(await this.#test.open())
    for (let step = 0; step < steps; step++) {
      const turn = this.#below(40)
      if (turn === 0 && this.#test.options.reopen === true) await this.#reopen()
      else if (turn < 12) await this.#together(2 + this.#below(12))
      else await this.#one(this.#pick(this.#handles), true)
      if (step % 25 === 24) await this.#checkAll(`after step ${step}`)
    }
    await this.#checkAll('at the end')
  }

  /** Calls on one handle, none of which is awaited before the next: they take effect in this order. */
  async #together(count: number): Promise<void> {
    const handle = this.#pick(this.#handles)
    await Promise.all(Array.from({ length: count }, () => this.#one(handle, false)))
  }

  /**
   * Makes one call; what it should do is decided before it is awaited.
   *
   * @param alone false: no `compact`, which takes its place in the order only when its fold is done.
   */
  #one(store: StreamStore, alone: boolean): Promise<void> {
    const id = this.#pick(IDS)
    const model = this.#model
    switch (this.#below(11)) {
      case 0:
      case 1:
      case 2: {
        const record = this.#record()
        return expectRefusal(store.append(id, record), model.append(id, [record]), 'append')
      }
      case 3:
      case 4: {
        const records = this.#records(5)
        return expectRefusal(store.appendMany(id, records), model.append(id, records), 'appendMany')
      }
      case 5: {
        const records = this.#records(6)
        return expectRefusal(store.replace(id, records), model.replace(id, records), 'replace')
      }
      case 6: {
        if (this.#below(2) === 0) return this.#read(store, id)
        model.delete(id)
        return expectRefusal(store.delete(id), undefined, 'delete')
      }
      case 7: {
        const existing = model.of(id)
        if (existing.length === 0 || !alone) return this.#read(store, id)
        const folded = [...existing.filter(({ kind }) => kind === 'meta').slice(-1), ...existing.slice(-1)]
        const promise = store.compact(id, () => folded)
        return expectRefusal(promise, model.replace(id, folded), 'compact')
      }
      default:
        return this.#read(store, id)
    }
  }

  #read(store: StreamStore, id: string): Promise<void> {
    const expected = this.#model.of(id)
    switch (this.#below(3)) {
      case 0: {
        const meta = this.#model.meta(id)
        return store.currentMeta(id).then((found) => checkEqual(found, meta, `currentMeta of ${JSON.stringify(id)}`))
      }
      case 1: {
        const limit = this.#below(6)
        return load(store, id, { limit }).then((found) =>
          checkEqual(found.map(withoutSeq), expected.slice(0, limit), `load of ${JSON.stringify(id)}`),
        )
      }
      default:
        return loadAll(store, id).then((found) => checkEqual(found, expected, `loadAll of ${JSON.stringify(id)}`))
    }
  }

  async #reopen(): Promise<void> {
    const count = this.#handles.length
    for (const handle of this.#handles) await handle.close()
    this.#handles = []
    while (this.#handles.length < count) this.#handles.push(await this.#test.open())
  }

  async #checkAll(claim: string): Promise<void> {
    for (const handle of this.#handles) {
      for (const id of IDS) await checkStream(handle, id, this.#model.of(id), `${claim}: ${JSON.stringify(id)}`)
      checkEqual((await listIds(handle)).length, this.#model.streams.size, `${claim}: count of ids`)
      const { docs, records } = await handle.stats()
      const total = [...this.#model.streams.values()].reduce((sum, stream) => sum + stream.length, 0)
      checkEqual([docs, records], [this.#model.streams.size, total], `${claim}: stats`)
    }
  }

  #records(max: number): StreamRecord[] {
    return Array.from({ length: this.#below(max) }, () => this.#record())
  }

  #record(): StreamRecord {
    const kind = this.#below(12)
    const n = this.#entries++
    const types: readonly ReplicaType[] = [
      ['yjs', 1, n % 4],
      ['yjs', 1, 0],
      ['yjs', 2, 0],
      ['loro', 1, 0],
    ]
    const type = types[Math.max(0, this.#below(10) - 6)] as ReplicaType
    if (kind === 0) return metaRecord(`h${n}`, type, this.#below(6) === 0 ? EPHEMERAL : undefined)
    if (kind < 4) return metaRecord(`h${n}`, type)
    if (kind === 4) return oldMetaRecord(`h${n}`, type)
    if (kind < 8) return entry(`data ${n}`, `v${n}`, kind === 5 ? { lineage: `l${n}` } : {})
    return entry(new Uint8Array(this.#below(300)).fill(n), `v${n}`, kind === 8 ? { kind: 'entirety' } : {})
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#below(items.length)] as T
  }
}

async function expectRefusal(promise: Promise<void>, refusal: Refusal | undefined, claim: string): Promise<void> {
  const failure = await failureOf(promise)
  if (refusal === undefined && failure !== undefined) throw new CheckError(`${claim}: it rejected`, { cause: failure })
  checkEqual(failure?.name, refusal, `${claim}: how it ended`)
}

/** Random calls. */
export const modelCases: readonly StreamCase[] = [
  {
    name: 'random calls, one by one and together, do what the model does',
    timeoutMs: 240_000,
    async run(test) {
      const seed = test.options.seed ?? Math.floor(systemRuntime.random() * 2 ** 32)
      try {
        await new Drill(test, seed).run(test.options.steps ?? STEPS)
      } catch (error) {
        const said = error instanceof Error ? error.message : String(error)
        throw new CheckError(`seed ${seed}: ${said}; run it again with { seed: ${seed} }`, { cause: error })
      }
    },
  },
]
