import { InvalidArgumentError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import type { Footprint } from '../query/read-set.js'
import type { Bucket } from './bucket.js'
import { TransactionConflictError } from './errors.js'
import type { Sequencer } from './sequencer.js'
import { Transaction } from './transaction.js'
import type { Committed } from './transaction.js'
import { TransactionBucketHandle } from './transaction-handle.js'
import { checkOptions } from './write-options.js'
import type { CommitNote, WriteOptions } from './write-options.js'

/** Options of `transaction`. */
export interface TransactionOptions extends WriteOptions {
  /** How often the function is run again after a conflict. Default 0: the conflict is thrown. */
  readonly retries?: number
}

/** What a transaction function gets. */
export interface TransactionScope {
  /** The bucket, inside this transaction. It may be awaited, and need not be. @throws {BucketNotDefinedError} */
  bucket(name: string): TransactionBucketHandle
}

/** Longest wait before a retry, in milliseconds. */
const RETRY_MS_MAX = 50

/** Runs transactions, and tells those that are open what others commit. */
export class Transactions {
  readonly #sequencer: Sequencer
  readonly #runtime: Runtime
  readonly #bucketOf: (name: string) => Bucket
  readonly #open = new Set<Transaction>()
  /** Makes the handle of a bucket in a transaction. What is built on top of the small store may make others. */
  handleOf: (transaction: Transaction, bucket: Bucket) => TransactionBucketHandle = (transaction, bucket) =>
    new TransactionBucketHandle(transaction, bucket)

  constructor(sequencer: Sequencer, runtime: Runtime, bucketOf: (name: string) => Bucket) {
    this.#sequencer = sequencer
    this.#runtime = runtime
    this.#bucketOf = bucketOf
  }

  /** A commit was applied, or undone. */
  observe(footprint: Footprint, isUndone: boolean): void {
    for (const transaction of this.#open) transaction.observe(footprint, isUndone)
  }

  /**
   * Runs `fn` and commits what it has written, all of it or nothing.
   *
   * @returns what `fn` returned, when the commit is durable.
   * @throws {TransactionConflictError} somebody else changed what was read, `retries` times more. Nothing was written.
   * @throws whatever `fn` throws. Nothing was written.
   */
  async run<T>(fn: (tx: TransactionScope) => T | Promise<T>, options: TransactionOptions = {}): Promise<T> {
    this.#sequencer.onWrite?.()
    if (typeof fn !== 'function') throw new InvalidArgumentError('transaction(fn)', 'a function', fn)
    const note = checkOptions('transaction(fn, options)', options)
    const { retries = 0 } = options
    if (!Number.isSafeInteger(retries) || retries < 0) {
      throw new InvalidArgumentError('transaction(fn, { retries })', 'a whole number from 0', retries)
    }
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#attempt(fn, note)
      } catch (error) {
        if (!(error instanceof TransactionConflictError) || attempt >= retries) throw error
        await this.pause(attempt)
      }
    }
  }

  async #attempt<T>(fn: (tx: TransactionScope) => T | Promise<T>, note: CommitNote): Promise<T> {
    const transaction = this.begin()
    try {
      const result = await fn({ bucket: (name) => this.handleOf(transaction, this.#bucketOf(name)) })
      await this.commit(transaction, note)
      return result
    } finally {
      this.end(transaction)
    }
  }

  /** Begins a transaction; whoever does it ends it. */
  begin(): Transaction {
    const transaction = new Transaction(this.#sequencer)
    this.#open.add(transaction)
    return transaction
  }

  /** Commits a transaction that was begun here; see `Transaction.commit`. */
  commit(transaction: Transaction, note: CommitNote): Promise<Committed | undefined> {
    return transaction.commit(note, () => this.#open.delete(transaction))
  }

  /** Ends a transaction, committed or not. */
  end(transaction: Transaction): void {
    this.#open.delete(transaction)
    transaction.end()
  }

  /** Resolves some time after the conflict of attempt `attempt`, counted from 0. */
  pause(attempt: number): Promise<void> {
    const ms = Math.min(2 ** attempt, RETRY_MS_MAX) * this.#runtime.random()
    return new Promise((resolve) => {
      if (attempt === 0) this.#runtime.defer(resolve)
      else this.#runtime.setTimer(ms, resolve, true)
    })
  }
}
