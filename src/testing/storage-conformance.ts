import { InvalidArgumentError } from '../base/errors.js'
import type { Durability, StorageAdapter } from '../log/storage.js'
import type { ConformanceCase } from './conformance-case.js'
import { logCases } from './conformance-log.js'
import { rowCases } from './conformance-rows.js'
import { TestWriter, testContext } from './storage-fixture.js'

/** One storage for one test. */
export interface AdapterFixture {
  /** Not opened yet; nothing in it. */
  readonly adapter: StorageAdapter
  /** Another adapter on the same place. Absent where nothing outlives the adapter. */
  reopen?(): StorageAdapter
  /** Called at the end, with every adapter closed. */
  cleanup?(): void | Promise<void>
}

/** What is checked, and what the adapter claims. */
export interface ConformanceOptions {
  /** A fresh, empty storage for each test. */
  create(): Promise<AdapterFixture> | AdapterFixture
  /** True when rows outlive `close`. Default: whether fixtures have `reopen`. */
  readonly durable?: boolean
  /** True when the log, too, outlives `close`. Default: as `durable`. */
  readonly durableLog?: boolean
  /** True when two adapters on one place must not be open together. Default: as `durable`. */
  readonly exclusive?: boolean
  /** Level of the writes. Default `'disk'` where the adapter gives it, else its strongest. */
  readonly durability?: Durability
}

/** How a test framework takes tests: vitest, jest, mocha, node:test and bun:test all do. */
export interface TestFramework {
  describe(name: string, body: () => void): void
  /** @param timeoutMs how long the test may take, where the framework asks for it. */
  it(name: string, body: () => Promise<void>, timeoutMs?: number): void
}

/** All cases of the storage contract, for running them without a test framework. */
export const storageCases: readonly ConformanceCase[] = [...logCases, ...rowCases]

/**
 * Declares the tests of the whole storage contract for an adapter: run them on an adapter of your own.
 *
 * @example describeStorageAdapter('my adapter', { create: () => ({ adapter: new MyAdapter() }) }, { describe, it })
 * @param framework `describe` and `it` of the test framework; by default its globals.
 * @throws {InvalidArgumentError} there are no such globals.
 */
export function describeStorageAdapter(name: string, options: ConformanceOptions, framework?: TestFramework): void {
  const { describe, it } = testFramework('describeStorageAdapter(framework)', framework)
  describe(`storage contract: ${name}`, () => {
    for (const one of storageCases) it(one.name, () => runStorageCase(one, options))
  })
}

/** Runs one case on a fresh fixture. A case that needs what the adapter does not claim passes without running. */
export async function runStorageCase(one: ConformanceCase, options: ConformanceOptions): Promise<void> {
  const fixture = await options.create()
  const durable = options.durable ?? fixture.reopen !== undefined
  const claims = { durable, durableLog: options.durableLog ?? durable, exclusive: options.exclusive ?? durable }
  let writer = new TestWriter(fixture.adapter, testContext('conformance'))
  try {
    if (one.needs !== undefined && !claims[one.needs]) return
    const report = await writer.open()
    writer.durability = options.durability ?? report.durability
    const another = (): StorageAdapter => mustReopen(fixture)
    await one.run({
      writer,
      durableLog: claims.durableLog,
      another,
      async restart() {
        await writer.adapter.close()
        const next = new TestWriter(another(), testContext('conformance'))
        next.model = writer.model
        next.durability = writer.durability
        writer = next
        await writer.open()
        return writer
      },
    })
  } finally {
    await writer.adapter.close()
    await fixture.cleanup?.()
  }
}

function mustReopen(fixture: AdapterFixture): StorageAdapter {
  if (fixture.reopen === undefined) throw new InvalidArgumentError('fixture.reopen', 'a function', undefined)
  return fixture.reopen()
}

/**
 * `framework`, or the globals of the test framework that runs. @param place for the message.
 *
 * @throws {InvalidArgumentError} there are no such globals.
 */
export function testFramework(place: string, framework: TestFramework | undefined): TestFramework {
  if (framework !== undefined) return framework
  const { describe, it } = globalThis as unknown as Partial<TestFramework>
  if (typeof describe === 'function' && typeof it === 'function') return { describe, it }
  throw new InvalidArgumentError(place, 'describe and it of the test framework', undefined)
}
