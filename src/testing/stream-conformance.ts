import { InvalidArgumentError } from '../base/errors.js'
import { systemRuntime } from '../base/runtime.js'
import type { StreamStore } from '../streams/stream-store.js'
import type { TestFramework } from './storage-conformance.js'
import type { OpenStreamStore, StreamCase, StreamNeed, StreamConformanceOptions, StreamTest } from './stream-case.js'
import { compactCases } from './stream-cases-compact.js'
import { compactRaceCases } from './stream-cases-compact-races.js'
import { dataCases } from './stream-cases-data.js'
import { faultCases } from './stream-cases-faults.js'
import { foreignCases } from './stream-cases-foreign.js'
import { handleCases } from './stream-cases-handles.js'
import { idCases } from './stream-cases-ids.js'
import { iteratorCases } from './stream-cases-iterate.js'
import { largeCases } from './stream-cases-large.js'
import { lifeCases } from './stream-cases-life.js'
import { modelCases } from './stream-cases-model.js'
import { orderCases } from './stream-cases-order.js'
import { readCases } from './stream-cases-read.js'
import { replaceCases } from './stream-cases-replace.js'
import { ruleCases } from './stream-cases-rules.js'
import { tailCases } from './stream-cases-tail.js'
import { tailHandleCases } from './stream-cases-tail-handles.js'

/** All cases of the contract of record streams, for running them without a test framework. Names are unique. */
export const streamStoreCases: readonly StreamCase[] = [
  ...ruleCases,
  ...dataCases,
  ...idCases,
  ...readCases,
  ...iteratorCases,
  ...largeCases,
  ...replaceCases,
  ...compactCases,
  ...compactRaceCases,
  ...orderCases,
  ...tailCases,
  ...lifeCases,
  ...handleCases,
  ...tailHandleCases,
  ...faultCases,
  ...foreignCases,
  ...modelCases,
]

const CASE_MS = 60_000
const PAYLOAD_BYTES = 50_000_000

/**
 * Declares the tests of the whole contract of record streams for a store: run them on one of your own. It runs under any
 * framework with `describe` and `it`, in a worker and in a browser.
 *
 * @example describeStreamStore('mine', (place) => openMine(place), { reopen: true }, { describe, it })
 * @param open a store on a place, which is a name made of letters, digits and `-`. A place that it has not seen is empty;
 *   with the same one it gives another handle on the same documents.
 * @param options what the store claims; cases that need what it does not claim are not declared.
 * @param framework `describe` and `it` of the test framework; by default its globals.
 * @throws {InvalidArgumentError} there are no such globals.
 */
export function describeStreamStore(
  name: string,
  open: OpenStreamStore,
  options: StreamConformanceOptions = {},
  framework?: TestFramework,
): void {
  const { describe, it } = framework ?? globalFramework()
  describe(`record streams: ${name}`, () => {
    for (const one of streamStoreCases) {
      if (!isClaimed(one, options)) continue
      it(one.name, () => runStreamCase(one, open, options), one.timeoutMs ?? CASE_MS)
    }
  })
}

/**
 * Runs one case on a new place. One that needs what the store does not claim passes without running.
 *
 * @throws what the case throws: `CheckError` where a promise is broken.
 */
export async function runStreamCase(
  one: StreamCase,
  open: OpenStreamStore,
  options: StreamConformanceOptions = {},
): Promise<void> {
  if (!isClaimed(one, options)) return
  const lab = new Lab(open, options)
  const failures: unknown[] = []
  // Both ends are reported, and the first one counts: a case that failed may leave what cannot be closed.
  const step = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      failures.push(error)
    }
  }
  await step(async () => one.run(await lab.start()))
  await step(() => lab.end())
  if (failures.length > 0) throw failures[0]
}

/** True where the store claims all that the case needs. */
function isClaimed(one: StreamCase, options: StreamConformanceOptions): boolean {
  return (one.needs ?? []).every((need) => hasClaim(need, options))
}

function hasClaim(need: StreamNeed, options: StreamConformanceOptions): boolean {
  if (need === 'bigPayloads') return (options.payloadBytesMax ?? PAYLOAD_BYTES) > 0
  const claim = options[need]
  return claim !== undefined && claim !== false
}

/** The places of one case, and everything that is open there. */
class Lab {
  readonly #open: OpenStreamStore
  readonly #options: StreamConformanceOptions
  readonly #name: string
  readonly #places = new Set<string>()
  readonly #stores: StreamStore[] = []

  constructor(open: OpenStreamStore, options: StreamConformanceOptions) {
    this.#open = open
    this.#options = options
    this.#name = systemRuntime.uuid()
  }

  async start(): Promise<StreamTest> {
    const options = this.#options
    return {
      store: this.#keep(await this.#open(this.#place())),
      options,
      open: async (suffix) => this.#keep(await this.#open(this.#place(suffix))),
      openNamespace: async (namespace) =>
        this.#keep(await must(options.namespaces, 'namespaces')(this.#place('n'), namespace)),
      openFaulty: async (plan, suffix = 'f') =>
        this.#keep(await must(options.faults, 'faults')(this.#place(suffix), plan)),
      crash: async (suffix = 'f') => must(options.crash, 'crash')(this.#place(suffix)),
      openForeign: async (sql, suffix = 'k') => {
        const foreign = await must(options.openForeign, 'openForeign')(this.#place(suffix), sql)
        this.#keep(foreign.store)
        return foreign
      },
    }
  }

  async end(): Promise<void> {
    // A store that crashed or was closed by the case may refuse; those that are left open would keep the next from running.
    await Promise.allSettled(this.#stores.map(async (store) => store.close()))
    for (const place of this.#places) await this.#options.cleanup?.(place)
  }

  #place(suffix?: string): string {
    const place = suffix === undefined ? this.#name : `${this.#name}-${suffix}`
    this.#places.add(place)
    return place
  }

  #keep(store: StreamStore): StreamStore {
    this.#stores.push(store)
    return store
  }
}

function must<T>(claim: T | undefined, name: string): T {
  if (claim === undefined)
    throw new InvalidArgumentError(`StreamConformanceOptions.${name}`, 'what the case needs', undefined)
  return claim
}

function globalFramework(): TestFramework {
  const { describe, it } = globalThis as unknown as Partial<TestFramework>
  if (typeof describe === 'function' && typeof it === 'function') return { describe, it }
  throw new InvalidArgumentError('describeStreamStore(framework)', 'describe and it of the test framework', undefined)
}
