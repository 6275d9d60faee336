import type { StorageAdapter } from '../log/storage.js'
import type { TestWriter } from './storage-fixture.js'

/** One check of the contract. Throws or rejects when the adapter breaks it. */
export interface ConformanceCase {
  readonly name: string
  /** What it needs: rows, or the log too, to outlive `close`; refusal of a second open. */
  readonly needs?: 'durable' | 'durableLog' | 'exclusive'
  run(test: ConformanceTest): Promise<void>
}

/** What a case works with. */
export interface ConformanceTest {
  /** On the adapter of the fixture, opened. */
  readonly writer: TestWriter
  /** True when the log outlives `close`. */
  readonly durableLog: boolean
  /** Closes the adapter that is open, opens another on the same place, and continues with it. */
  restart(): Promise<TestWriter>
  /** Another adapter on the same place, not opened. */
  another(): StorageAdapter
}
