import type { LiveCallback, LiveExplanation } from '../query/live.js'
import type { SubscriberOptions } from './check-subscribe-options.js'
import { isEmpty } from './row-changes.js'
import { Subscriber } from './subscriber.js'
import type { TraceState, Tracing } from './tracing.js'
import type { Dependent, View } from './view.js'

/** The answer of a view of rows. */
export type Rows = readonly unknown[]

const NO_ROWS: Rows = Object.freeze([])
const nothing = (): void => undefined

/** One subscription to the rows of a view: what was given for it, and what it was told last. */
export class RowSubscriber extends Subscriber implements Dependent {
  readonly view: View
  readonly #callback: LiveCallback<unknown>
  readonly #onEnd: (() => void) | undefined
  readonly #schedule: (subscriber: RowSubscriber) => void
  /** The result may be another one than the delivered one. */
  isDirty = false
  isDue = false
  /** Its callback has not come to its end. */
  isBusy = false
  /** It is not told of the first result, if nothing is committed until that is read. */
  isQuiet: boolean
  /** Of one that is quiet: how many commits there had been when it knew what there was. */
  commits = 0
  /** While its first result is not durable: how many commits had been taken back when that was read. */
  undone: number | undefined
  settleReady: (error: Error | undefined) => void = nothing
  #rows: Rows | undefined
  /** How often its rows were read. */
  run = 0
  traced: TraceState | undefined
  /** What was read last, while that is traced and not delivered yet. */
  tracing: { readonly tracing: Tracing; readonly rows: Rows | undefined; readonly deliveries: number } | undefined

  constructor(
    view: View,
    callback: LiveCallback<unknown>,
    options: SubscriberOptions,
    onErrorOfStore: (error: Error) => void,
    schedule: (subscriber: RowSubscriber) => void,
  ) {
    super(options, onErrorOfStore)
    this.view = view
    this.#callback = callback
    this.isQuiet = options.immediate === false
    this.#onEnd = options.onEnd
    this.#schedule = schedule
    view.dependents.add(this)
  }

  /** What is delivered is what the view had when it was read; that it has changed since is seen when that is durable. */
  overtaken(): void {}

  touched(): void {
    this.#schedule(this)
  }

  /** Calls back, if the result is another one than before. @returns what the callback returned. */
  deliver(rows: Rows, position: number): unknown {
    this.advance(position)
    const before = this.#rows
    const { isQuiet, hasFailed } = this
    if (rows === before && !hasFailed) return undefined
    const { rows: told, changes } = this.view.toldAfter(before ?? NO_ROWS, rows)
    this.#rows = told
    this.isQuiet = false
    this.hasFailed = false
    if (before === undefined) {
      this.settleReady(undefined)
      this.settleReady = nothing
    }
    if (isQuiet) return undefined
    // What came was taken back before it was seen. That an error is over is told all the same.
    if (before !== undefined && !hasFailed && isEmpty(changes)) return undefined
    const { added, removed, changed, moved } = changes
    this.deliveries++
    try {
      return this.#callback(told, { added, removed, changed, moved, position })
    } catch (error) {
      // Also where it has just ended its subscription.
      this.tell(error)
      return undefined
    }
  }

  /** Something of its first result was taken back, and all that came after it: what there is now takes its place. */
  forget(): void {
    this.#rows = undefined
    this.isQuiet = true
  }

  /** It is over: all that it held has been let go. Never throws. */
  end(): void {
    this.view.dependents.delete(this)
    this.settleReady(undefined)
    this.letGo()
    try {
      this.#onEnd?.()
    } catch (error) {
      // What ends may be the whole store: the rest of it has to end too.
      this.tell(error)
    }
  }

  explain(): LiveExplanation {
    const { text, uses } = this.view
    return this.explanationOf(text, undefined, uses, this.traced)
  }
}
