import type { Bucket } from '../commit/bucket.js'
import type { EntryHead, Transaction } from '../commit/transaction.js'
import type { CommitNote } from '../commit/write-options.js'
import type { Engine } from '../engine.js'
import type { BucketDefinition } from '../schema/definition.js'

/**
 * A bucket that Varve keeps for itself, with records `R`: nobody sees it (`isInternalBucket`), and it is there only where somebody
 * needs it. Each change of it is part of a commit.
 */
export class InternalBucket<R> {
  protected readonly engine: Engine
  readonly #name: string
  readonly #definition: BucketDefinition
  #bucket: Bucket | undefined
  #opening: Promise<void> | undefined

  constructor(engine: Engine, name: string, definition: BucketDefinition) {
    this.engine = engine
    this.#name = name
    this.#definition = definition
  }

  /** Whether an earlier run has left one. */
  get isStored(): boolean {
    return this.engine.report.buckets.some(({ bucket }) => bucket === this.#name)
  }

  /** Defines the bucket; before that there is nothing in it. */
  open(): Promise<void> {
    this.#opening ??= (async () => {
      const { bucket, loaded } = this.engine.catalog.define(this.#name, this.#definition, true)
      await loaded
      this.#bucket = bucket
    })()
    return this.#opening
  }

  /** The bucket, which is open. */
  get bucket(): Bucket {
    return this.#bucket as Bucket
  }

  /** Resolves when the bucket answers, after a crash of it; at once where it is not open. */
  async ready(): Promise<void> {
    await this.#bucket?.whenReady()
  }

  /** Whether it can be read and written now. */
  get isReady(): boolean {
    return this.#bucket?.process.state === 'running'
  }

  /** The record under `key`. */
  get(key: string | number): R | undefined {
    return this.#bucket?.table.get(key) as R | undefined
  }

  /** How many records there are. */
  get size(): number {
    return this.#bucket?.table.size ?? 0
  }

  /** Calls `visit` for each record, in the order in which they came. */
  forEach(visit: (record: R) => void): void {
    this.#bucket?.table.forEach(({ record }) => visit(record as R))
  }

  /**
   * Runs `work`, which cannot wait, in a transaction of its own.
   *
   * @param head what its entry says.
   * @returns what `work` returned, when that is durable.
   * @throws whatever `work` throws, or the commit is refused with; nothing was written.
   */
  async commit<T>(head: EntryHead, work: (transaction: Transaction) => T, note: CommitNote = {}): Promise<T> {
    const { transactions } = this.engine
    const transaction = transactions.begin()
    transaction.head = head
    try {
      const result = work(transaction)
      await transactions.commit(transaction, note)
      return result
    } finally {
      transactions.end(transaction)
    }
  }
}
