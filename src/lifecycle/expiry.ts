import { asError } from '../base/errors.js'
import type { Runtime, Timer } from '../base/runtime.js'
import type { Bucket } from '../commit/bucket.js'
import { CommitDraft } from '../commit/draft.js'
import type { Sequencer } from '../commit/sequencer.js'
import type { Change } from '../log/entry.js'

/** The wall clock may jump, so the next due time is looked at again at least this often. */
const SLEEP_MS_MAX = 60_000

/** So many records go in one commit; more go in the next. */
const BATCH_RECORDS_MAX = 1_000

/** What expiry needs of its store. */
export interface ExpiryOptions {
  readonly runtime: Runtime
  readonly sequencer: Sequencer
  readonly buckets: () => Iterable<Bucket>
  /** Shortest time between two checks, in milliseconds; 0 or less: only `purge` is called. */
  readonly intervalMs: number
  readonly onError: (error: Error) => void
}

/**
 * Deletes records whose time has come, as ordinary commits. It sleeps until the next one is due, and looks at nothing
 * else.
 */
export class Expiry {
  readonly #options: ExpiryOptions
  #timer: Timer | undefined
  #wakesAt = Number.POSITIVE_INFINITY
  #lastRun = Number.NEGATIVE_INFINITY
  #isRunning = false
  #isStopped = false

  constructor(options: ExpiryOptions) {
    this.#options = options
  }

  get isEnabled(): boolean {
    return this.#options.intervalMs > 0
  }

  /** Looks at when the next record is due, and sleeps until then. */
  start(): void {
    this.#isStopped = false
    this.#sleep()
  }

  #sleep(): void {
    let due = Number.POSITIVE_INFINITY
    for (const bucket of this.#options.buckets()) due = Math.min(due, bucket.table.nextDue ?? due)
    this.#wakeAt(due)
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
    this.#timer = undefined
    this.#wakesAt = Number.POSITIVE_INFINITY
  }

  /** A commit was made: there may be something that is due before anything else. */
  notice(changes: readonly Change[]): void {
    let due = Number.POSITIVE_INFINITY
    for (const { after } of changes) {
      const expiresAt = after?._expiresAt
      if (typeof expiresAt === 'number' && expiresAt < due) due = expiresAt
    }
    if (due < this.#wakesAt) this.#wakeAt(due)
  }

  /** A bucket was loaded: what it holds may have been due for long. */
  loaded(bucket: Bucket): void {
    const due = bucket.table.nextDue
    if (due !== undefined && due < this.#wakesAt) this.#wakeAt(due)
  }

  #wakeAt(due: number): void {
    if (!this.isEnabled || this.#isRunning || this.#isStopped || due === Number.POSITIVE_INFINITY) return
    const { runtime, intervalMs } = this.#options
    this.#timer?.cancel()
    const now = runtime.now()
    const rest = this.#lastRun + intervalMs - runtime.elapsed()
    const sleepMs = Math.min(Math.max(due - now, rest, 0), SLEEP_MS_MAX)
    this.#wakesAt = due
    this.#timer = runtime.setTimer(Math.ceil(sleepMs), () => {
      this.#timer = undefined
      void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    this.#lastRun = this.#options.runtime.elapsed()
    try {
      await this.purge()
    } catch (error) {
      this.#options.onError(asError(error))
    }
    this.#isRunning = false
    this.#wakesAt = Number.POSITIVE_INFINITY
    this.#sleep()
  }

  /** Deletes everything that is due. @returns how many records went. */
  async purge(): Promise<number> {
    let purged = 0
    for (const bucket of [...this.#options.buckets()]) {
      if (bucket.table.nextDue !== undefined && !bucket.dropped) purged += await this.#purgeBucket(bucket)
    }
    return purged
  }

  async #purgeBucket(bucket: Bucket): Promise<number> {
    let purged = 0
    for (;;) {
      const count = await bucket.process.call(() => this.#purgeBatch(bucket))
      purged += count
      if (count < BATCH_RECORDS_MAX) return purged
    }
  }

  #purgeBatch(bucket: Bucket): number | Promise<number> {
    const { sequencer, runtime } = this.#options
    const keys = bucket.table.due(runtime.now(), BATCH_RECORDS_MAX)
    if (keys.length === 0) return 0
    sequencer.mustTakeWrites()
    const draft = new CommitDraft('store/expire')
    draft.make(() => {
      for (const key of keys) draft.delete(bucket, key, 'ttl')
    })
    return sequencer.submit(draft)?.then(() => keys.length) ?? keys.length
  }
}
