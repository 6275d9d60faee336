import { asError } from '../base/errors.js'
import type { Bucket } from '../commit/bucket.js'
import type { Sequencer } from '../commit/sequencer.js'
import type { LiveCallback, LiveOptions, LiveSubscription } from '../query/live.js'
import type { Question } from '../query/query-spec.js'
import { checkSubscribeOptions } from './check-subscribe-options.js'
import { RowSubscriber } from './row-subscriber.js'
import type { Rows } from './row-subscriber.js'
import type { TraceHost } from './tracing.js'
import type { Views } from './views.js'
import { WorkCount } from './work-count.js'

/** What live results need of their store. */
export interface LiveResultsOptions {
  readonly sequencer: Sequencer
  readonly views: Views
  readonly trace: TraceHost
  readonly bucketOf: (name: string) => Bucket
  readonly onError: (error: Error) => void
}

const NOW = Promise.resolve()

/**
 * Subscriptions to the rows of queries: each gets the result whenever it has changed, with what has changed in it.
 *
 * Holds Q2: no subscriber gets an older state after a newer one. Results are durable: what a view has in memory is delivered
 * when all of it is written.
 */
export class LiveResults {
  readonly #options: LiveResultsOptions
  readonly #subscribers = new Set<RowSubscriber>()
  #due: RowSubscriber[] = []
  #evaluations = 0
  readonly #work = new WorkCount()

  constructor(options: LiveResultsOptions) {
    this.#options = options
  }

  get count(): number {
    return this.#subscribers.size
  }

  /** How often rows were read. */
  get evaluationCount(): number {
    return this.#evaluations
  }

  /** @throws {InvalidArgumentError} @throws {BucketNotDefinedError} nothing was done. */
  subscribe(question: Question, callback: LiveCallback<never>, options: LiveOptions = {}): LiveSubscription {
    const { views, trace, onError } = this.#options
    const checked = checkSubscribeOptions('live(callback, options)', callback, options, trace)
    const { signal } = checked
    const stop = (): void => {
      if (subscriber === undefined) signal?.removeEventListener('abort', stop)
      else this.#end(subscriber)
    }
    let subscriber: RowSubscriber | undefined
    signal?.addEventListener('abort', stop)
    try {
      const view = views.acquire(question)
      subscriber = new RowSubscriber(view, callback as LiveCallback<unknown>, checked, onError, this.#schedule)
      if (subscriber.isTraced) trace.use?.()
    } catch (error) {
      stop()
      throw error
    }
    return this.#begin(subscriber, stop, signal?.aborted === true)
  }

  #begin(subscriber: RowSubscriber, stop: () => void, isOver: boolean): LiveSubscription {
    subscriber.stop = stop
    const ready = new Promise<void>((resolve, reject) => {
      subscriber.settleReady = (error) => (error === undefined ? resolve() : reject(error))
    })
    // Whoever does not ask is told through onError.
    ready.catch(() => undefined)
    this.#subscribers.add(subscriber)
    if (isOver) stop()
    else {
      this.#schedule(subscriber)
      this.#beginQuietly(subscriber)
    }
    return Object.freeze(Object.assign(stop, { ready, explain: () => subscriber.explain() }))
  }

  /** What comes after the subscription is told, even if it comes before the first result would have been read. */
  #beginQuietly(subscriber: RowSubscriber): void {
    if (!subscriber.isQuiet) return
    const { views } = this.#options
    subscriber.commits = views.commitCount
    const name = views.awaited(subscriber.view)
    if (name === undefined) return this.#readQuietly(subscriber)
    // What fails here fails again, and is told, when the result is due.
    this.#readLoaded(subscriber, name).catch(() => undefined)
  }

  /** Waits for the bucket before the writes do that come after the subscription. */
  async #readLoaded(subscriber: RowSubscriber, name: string): Promise<void> {
    await this.#options.bucketOf(name).process.call(() => this.#readQuietly(subscriber))
  }

  #readQuietly(subscriber: RowSubscriber): void {
    const { sequencer, views } = this.#options
    if (!subscriber.isActive || !subscriber.isQuiet || subscriber.commits !== views.commitCount) return
    const rows = this.#read(subscriber)
    subscriber.deliver(rows, sequencer.position.durable)
    this.#traced(subscriber)
    const settled = sequencer.settled()
    if (settled === undefined) return
    subscriber.undone = views.undoneCount
    void settled.then(() => (subscriber.undone = undefined))
  }

  /** The rows as they are now. */
  #read(subscriber: RowSubscriber): Rows {
    const { trace, views } = this.#options
    // What was committed meanwhile is not told apart from what there was: the first result is told after all.
    if (subscriber.commits !== views.commitCount) subscriber.isQuiet = false
    this.#evaluations++
    subscriber.run++
    const tracing = trace.active?.begin(subscriber, false)
    if (tracing === undefined) return views.read(subscriber.view) as Rows
    const { deliveries } = subscriber
    subscriber.tracing = { tracing, rows: undefined, deliveries }
    try {
      const rows = tracing.viewed(() => views.read(subscriber.view) as Rows)
      subscriber.tracing = { tracing, rows, deliveries }
      return rows
    } finally {
      tracing.ran()
    }
  }

  /** What was read is delivered by now, if it ever is. */
  #traced(subscriber: RowSubscriber, thrown?: { readonly error: unknown }): void {
    const { tracing: one, deliveries } = subscriber
    if (one === undefined) return
    subscriber.tracing = undefined
    one.tracing.end(one.rows, deliveries > one.deliveries, thrown)
  }

  #end(subscriber: RowSubscriber): void {
    if (!subscriber.isActive) return
    subscriber.isActive = false
    this.#subscribers.delete(subscriber)
    if (subscriber.isTraced) this.#options.trace.release?.()
    this.#options.views.release(subscriber.view)
    // Last: it calls what others have written.
    subscriber.end()
  }

  readonly #schedule = (subscriber: RowSubscriber): void => {
    subscriber.isDirty = true
    const { undoneCount, commitCount } = this.#options.views
    if (subscriber.undone !== undefined && subscriber.undone !== undoneCount) {
      subscriber.forget()
      subscriber.undone = undoneCount
      subscriber.commits = commitCount
    }
    if (subscriber.isDue || subscriber.isBusy || !subscriber.isActive) return
    subscriber.isDue = true
    this.#work.begin()
    this.#due.push(subscriber)
    // A promise job: it comes after the rest of the batch has been published.
    if (this.#due.length === 1) void NOW.then(this.#refreshAll)
  }

  readonly #refreshAll = (): void => {
    const due = this.#due
    this.#due = []
    for (const subscriber of due) {
      if (this.#isReady(subscriber)) this.#refresh(subscriber)
      else void this.#refreshLater(subscriber)
    }
  }

  /** Whether the result can be had, and delivered, at once. */
  #isReady({ view, isActive }: RowSubscriber): boolean {
    const { views, sequencer } = this.#options
    return !isActive || (views.awaited(view) === undefined && sequencer.settled() === undefined)
  }

  #refresh(subscriber: RowSubscriber): void {
    try {
      subscriber.isDirty = false
      const { sequencer } = this.#options
      if (subscriber.isActive) {
        const rows = this.#read(subscriber)
        this.#deliver(subscriber, rows, sequencer.position.visible)
        this.#traced(subscriber)
      }
    } catch (error) {
      this.#failed(subscriber, error)
    } finally {
      this.#done(subscriber)
    }
  }

  async #refreshLater(subscriber: RowSubscriber): Promise<void> {
    const { view } = subscriber
    try {
      while (subscriber.isDirty && subscriber.isActive) {
        subscriber.isDirty = false
        const { views, sequencer, bucketOf } = this.#options
        for (let name = views.awaited(view); name !== undefined; name = views.awaited(view)) {
          await bucketOf(name).whenReady()
          // Its view has been let go: reading would build it anew, and what that acquires nobody would release.
          if (!subscriber.isActive) return
        }
        const rows = this.#read(subscriber)
        const position = sequencer.position.visible
        const { undoneCount } = views
        await sequencer.settled()
        // Something of it, or of the seqs that it is said to have, was taken back: it has never been.
        if (views.undoneCount !== undoneCount) subscriber.isDirty = true
        else this.#deliver(subscriber, rows, position)
        this.#traced(subscriber)
      }
    } catch (error) {
      this.#failed(subscriber, error)
    } finally {
      this.#done(subscriber)
    }
  }

  #failed(subscriber: RowSubscriber, error: unknown): void {
    this.#traced(subscriber, { error })
    subscriber.settleReady(asError(error))
    subscriber.hasFailed = true
    subscriber.report(error)
  }

  #done(subscriber: RowSubscriber): void {
    subscriber.isDue = false
    if (subscriber.isDirty) this.#schedule(subscriber)
    this.#work.end()
  }

  #deliver(subscriber: RowSubscriber, rows: Rows, position: number): void {
    if (!subscriber.isActive) return
    const outcome = subscriber.deliver(rows, position)
    if (typeof (outcome as PromiseLike<unknown> | undefined)?.then !== 'function') return
    // Nothing queues up behind a callback that takes its time: it gets the latest result when it is done.
    subscriber.isBusy = true
    const free = (): void => {
      subscriber.isBusy = false
      if (subscriber.isDirty) this.#schedule(subscriber)
    }
    Promise.resolve(outcome).then(free, (error: unknown) => {
      subscriber.tell(error)
      free()
    })
  }

  /** Resolves when no result is due. */
  settle(): Promise<void> {
    return this.#work.settled()
  }

  /** Ends all subscriptions. */
  stop(): void {
    for (const subscriber of [...this.#subscribers]) subscriber.stop()
  }
}
