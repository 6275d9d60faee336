import { assert } from '../base/assert.js'
import { asError } from '../base/errors.js'
import type { Bucket } from '../commit/bucket.js'
import type { Sequencer } from '../commit/sequencer.js'
import type { LiveCallback, LiveExplanation, LiveOptions, LiveSubscription } from '../query/live.js'
import type { Question } from '../query/query-spec.js'
import { checkSubscribeOptions } from './check-subscribe-options.js'
import type { TraceHost, TraceState, Tracing } from './tracing.js'
import type { Dependent, View } from './view.js'
import type { Views } from './views.js'

/** What live results need of their store. */
export interface LiveResultsOptions {
  readonly sequencer: Sequencer
  readonly views: Views
  readonly trace: TraceHost
  readonly bucketOf: (name: string) => Bucket
  readonly onError: (error: Error) => void
}

type Rows = readonly unknown[]

const NO_ROWS: Rows = Object.freeze([])
const NOW = Promise.resolve()
const nothing = (): void => undefined

/**
 * Subscriptions to the rows of queries: each gets the result whenever it has changed, with what has changed in it.
 *
 * Holds Q2: no subscriber gets an older state after a newer one. Results are durable: what a view has in memory is delivered
 * when all of it is written.
 */
export class LiveResults {
  readonly #options: LiveResultsOptions
  readonly #subscriptions = new Set<Subscription>()
  #due: Subscription[] = []
  #unsettled = 0
  #evaluations = 0
  readonly #settled: (() => void)[] = []

  constructor(options: LiveResultsOptions) {
    this.#options = options
  }

  get count(): number {
    return this.#subscriptions.size
  }

  /** How often rows were read. */
  get evaluationCount(): number {
    return this.#evaluations
  }

  /** @throws {InvalidArgumentError} @throws {BucketNotDefinedError} nothing was done. */
  subscribe(question: Question, callback: LiveCallback<never>, options: LiveOptions = {}): LiveSubscription {
    const {
      immediate = true,
      onError = this.#options.onError,
      signal,
      onEnd,
      trace = false,
    } = checkSubscribeOptions('live(callback, options)', callback, options, this.#options.trace)
    const { views } = this.#options
    const stop = (): void => {
      signal?.removeEventListener('abort', stop)
      if (subscription !== undefined) this.#end(subscription)
    }
    let subscription: Subscription | undefined
    signal?.addEventListener('abort', stop)
    try {
      const view = views.acquire(question)
      subscription = new Subscription(view, callback as LiveCallback<unknown>, onError, immediate, onEnd, (one) =>
        this.#schedule(one),
      )
      subscription.isTraced = trace
      if (trace) this.#options.trace.use?.()
    } catch (error) {
      stop()
      throw error
    }
    return this.#begin(subscription, stop, signal?.aborted === true)
  }

  #begin(subscription: Subscription, stop: () => void, isOver: boolean): LiveSubscription {
    subscription.stop = stop
    const ready = new Promise<void>((resolve, reject) => {
      subscription.settleReady = (error) => (error === undefined ? resolve() : reject(error))
    })
    // Whoever does not ask is told through onError.
    ready.catch(() => undefined)
    this.#subscriptions.add(subscription)
    if (isOver) stop()
    else {
      this.#schedule(subscription)
      // What comes after this call is told, even if it comes before the first result would have been read.
      const { views } = this.#options
      if (subscription.isQuiet && views.awaited(subscription.view) === undefined) this.#readQuietly(subscription)
    }
    return Object.freeze(Object.assign(stop, { ready, explain: () => subscription.explain() }))
  }

  #readQuietly(subscription: Subscription): void {
    const rows = this.#read(subscription)
    subscription.deliver(rows, this.#options.sequencer.position.durable, this.#options.onError)
    this.#traced(subscription)
  }

  /** The rows as they are now. */
  #read(subscription: Subscription): Rows {
    const { trace, views } = this.#options
    this.#evaluations++
    subscription.run++
    const tracing = trace.active?.begin(subscription, false)
    if (tracing === undefined) return views.read(subscription.view) as Rows
    const { deliveries } = subscription
    subscription.tracing = { tracing, rows: undefined, deliveries }
    try {
      const rows = tracing.viewed(() => views.read(subscription.view) as Rows)
      subscription.tracing = { tracing, rows, deliveries }
      return rows
    } finally {
      tracing.ran()
    }
  }

  /** What was read is delivered by now, if it ever is. */
  #traced(subscription: Subscription, thrown?: { readonly error: unknown }): void {
    const { tracing: one, deliveries } = subscription
    if (one === undefined) return
    subscription.tracing = undefined
    one.tracing.end(one.rows, deliveries > one.deliveries, thrown)
  }

  #end(subscription: Subscription): void {
    if (!subscription.isActive) return
    subscription.isActive = false
    subscription.onEnd?.()
    subscription.settleReady(undefined)
    subscription.view.dependents.delete(subscription)
    this.#subscriptions.delete(subscription)
    if (subscription.isTraced) this.#options.trace.release?.()
    this.#options.views.release(subscription.view)
  }

  #schedule(subscription: Subscription): void {
    subscription.isDirty = true
    if (subscription.isDue || subscription.isBusy || !subscription.isActive) return
    subscription.isDue = true
    this.#unsettled++
    this.#due.push(subscription)
    // A promise job: it comes after the rest of the batch has been published.
    if (this.#due.length === 1) void NOW.then(this.#refreshAll)
  }

  readonly #refreshAll = (): void => {
    const due = this.#due
    this.#due = []
    for (const subscription of due) {
      if (this.#isReady(subscription)) this.#refresh(subscription)
      else void this.#refreshLater(subscription)
    }
  }

  /** Whether the result can be had, and delivered, at once. */
  #isReady({ view, isActive }: Subscription): boolean {
    const { views, sequencer } = this.#options
    return !isActive || (views.awaited(view) === undefined && sequencer.settled() === undefined)
  }

  #refresh(subscription: Subscription): void {
    try {
      subscription.isDirty = false
      const { sequencer } = this.#options
      if (subscription.isActive) {
        const rows = this.#read(subscription)
        this.#deliver(subscription, rows, sequencer.position.visible)
        this.#traced(subscription)
      }
    } catch (error) {
      this.#failed(subscription, error)
    } finally {
      this.#done(subscription)
    }
  }

  async #refreshLater(subscription: Subscription): Promise<void> {
    const { view } = subscription
    try {
      while (subscription.isDirty && subscription.isActive) {
        subscription.isDirty = false
        const { views, sequencer, bucketOf } = this.#options
        for (let name = views.awaited(view); name !== undefined; name = views.awaited(view)) {
          await bucketOf(name).process.call(() => undefined)
        }
        const rows = this.#read(subscription)
        const position = sequencer.position.visible
        const { undoneCount } = views
        await sequencer.settled()
        // Something of it, or of the seqs that it is said to have, was taken back: it has never been.
        if (views.undoneCount !== undoneCount) subscription.isDirty = true
        else this.#deliver(subscription, rows, position)
        this.#traced(subscription)
      }
    } catch (error) {
      this.#failed(subscription, error)
    } finally {
      this.#done(subscription)
    }
  }

  #failed(subscription: Subscription, error: unknown): void {
    this.#traced(subscription, { error })
    subscription.settleReady(asError(error))
    subscription.hasFailed = true
    subscription.report(error, this.#options.onError)
  }

  #done(subscription: Subscription): void {
    subscription.isDue = false
    this.#unsettled--
    if (subscription.isDirty) this.#schedule(subscription)
    if (this.#unsettled === 0) for (const resolve of this.#settled.splice(0)) resolve()
  }

  #deliver(subscription: Subscription, rows: Rows, position: number): void {
    if (!subscription.isActive) return
    const { position: last } = subscription
    assert(position >= last, 'Q2', () => `a result of ${position} comes after one of ${last}`)
    const outcome = subscription.deliver(rows, position, this.#options.onError)
    if (typeof (outcome as PromiseLike<unknown> | undefined)?.then !== 'function') return
    // Nothing queues up behind a callback that takes its time: it gets the latest result when it is done.
    subscription.isBusy = true
    const free = (): void => {
      subscription.isBusy = false
      if (subscription.isDirty) this.#schedule(subscription)
    }
    Promise.resolve(outcome).then(free, (error: unknown) => {
      subscription.report(error, this.#options.onError)
      free()
    })
  }

  /** Resolves when no result is due. */
  async settle(): Promise<void> {
    while (this.#unsettled > 0) await new Promise<void>((resolve) => this.#settled.push(resolve))
  }

  /** Ends all subscriptions. */
  stop(): void {
    for (const subscription of [...this.#subscriptions]) subscription.stop()
  }
}

class Subscription implements Dependent {
  readonly view: View
  readonly #callback: LiveCallback<unknown>
  readonly #onError: (error: Error) => void
  readonly #schedule: (subscription: Subscription) => void
  isActive = true
  /** The result may be another one than the delivered one. */
  isDirty = false
  isDue = false
  /** Its callback has not come to its end. */
  isBusy = false
  position = 0
  /** It has told of an error since it was last called back. */
  hasFailed = false
  settleReady: (error: Error | undefined) => void = nothing
  /** It is not told of the first result. */
  isQuiet: boolean
  /** Ends it, and lets go of the signal. */
  stop: () => void = nothing
  readonly onEnd: (() => void) | undefined
  #rows: Rows | undefined
  deliveries = 0
  /** Its own option asks for traces. */
  isTraced = false
  traced: TraceState | undefined
  /** What was read last, while that is traced and not delivered yet. */
  tracing: { readonly tracing: Tracing; readonly rows: Rows | undefined; readonly deliveries: number } | undefined
  /** How often it was read. */
  run = 0

  constructor(
    view: View,
    callback: LiveCallback<unknown>,
    onError: (error: Error) => void,
    immediate: boolean,
    onEnd: (() => void) | undefined,
    schedule: (subscription: Subscription) => void,
  ) {
    this.view = view
    this.#callback = callback
    this.#onError = onError
    this.isQuiet = !immediate
    this.onEnd = onEnd
    this.#schedule = schedule
    view.dependents.add(this)
  }

  /** What is delivered is what the view had when it was read; that it has changed since is seen when that is durable. */
  overtaken(): void {}

  touched(): void {
    this.#schedule(this)
  }

  /** Calls back, if the result is another one than before. @returns what the callback returned. */
  deliver(rows: Rows, position: number, onError: (error: Error) => void): unknown {
    const before = this.#rows
    this.position = position
    const { isQuiet, hasFailed } = this
    if (rows === before && !hasFailed) return undefined
    this.#rows = rows
    this.isQuiet = false
    this.hasFailed = false
    if (before === undefined) {
      this.settleReady(undefined)
      this.settleReady = nothing
    }
    if (isQuiet) return undefined
    const { added, removed, changed, moved } = this.view.changesTo(before ?? NO_ROWS, rows)
    // What came was taken back before it was seen. That an error is over is told all the same.
    if (before !== undefined && !hasFailed && added.length + removed.length + changed.length + moved.length === 0)
      return undefined
    this.deliveries++
    try {
      return this.#callback(rows, { added, removed, changed, moved, position })
    } catch (error) {
      this.report(error, onError)
      return undefined
    }
  }

  report(thrown: unknown, onError: (error: Error) => void): void {
    if (!this.isActive) return
    try {
      this.#onError(asError(thrown))
    } catch (error) {
      onError(asError(error))
    }
  }

  explain(): LiveExplanation {
    const { deliveries, position, traced } = this
    const { text: query, uses: shared } = this.view
    return { query, params: undefined, deliveries, shared, position, evaluations: [...(traced?.log ?? [])] }
  }
}
