import { InvalidArgumentError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import type { Footprint } from '../query/read-set.js'
import type { Bucket } from './bucket.js'
import { TransactionConflictError } from './errors.js'
import type { Sequencer } from './sequencer.js'
import { Transaction } from './transaction.js'
import type { TransactionBucketHandle } from './transaction.js'
import { checkDurability } from './write-options.js'
import type { WriteOptions } from './write-options.js'

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
    if (typeof fn !== 'function') throw new InvalidArgumentError('transaction(fn)', 'a function', fn)
    const durability = checkDurability('transaction(fn, options)', options)
    const { retries = 0 } = options
    if (!Number.isSafeInteger(retries) || retries < 0) {
      throw new InvalidArgumentError('transaction(fn, { retries })', 'a whole number from 0', retries)
    }
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#attempt(fn, durability)
      } catch (error) {
        if (!(error instanceof TransactionConflictError) || attempt >= retries) throw error
        await this.#pause(attempt)
      }
    }
  }

  async #attempt<T>(fn: (tx: TransactionScope) => T | Promise<T>, durability: WriteOptions['durability']): Promise<T> {
    const transaction = new Transaction(this.#sequencer)
    this.#open.add(transaction)
    try {
      const result = await fn({ bucket: (name) => transaction.handle(this.#bucketOf(name)) })
      await transaction.commit(durability, () => this.#open.delete(transaction))
      return result
    } finally {
      this.#open.delete(transaction)
      transaction.end()
    }
  }

  #pause(attempt: number): Promise<void> {
    const ms = Math.min(2 ** attempt, RETRY_MS_MAX) * this.#runtime.random()
    return new Promise((resolve) => {
      if (attempt === 0) this.#runtime.defer(resolve)
      else this.#runtime.setTimer(ms, resolve, true)
    })
  }
}
