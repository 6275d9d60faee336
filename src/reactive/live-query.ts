import { deepEqual, remember } from '../base/equality.js'
import { asError } from '../base/errors.js'
import { quietly } from '../base/quietly.js'
import type { PredicateIndex } from '../query/predicate-index.js'
import { NONE } from './listener.js'
import type { Listener } from './listener.js'
import { LiveReads } from './live-reads.js'
import { LiveViews } from './live-views.js'
import type { QueryBucket } from './query-bucket.js'
import type { TraceState } from './tracing.js'
import type { Dependent, View } from './view.js'
import type { Views } from './views.js'

/** What a query function gets to read with. */
export interface QueryContext {
  /** @throws {BucketNotDefinedError} */
  bucket(name: string): QueryBucket
}

/** A query: a plain async function of what it reads. It may run again at any time, so it must not have effects. */
export type QueryFunction = (context: QueryContext, params?: unknown) => unknown

/** A query with its parameters. */
export interface Asked {
  readonly name: string
  readonly fn: QueryFunction
  readonly params: unknown
  /** The same for equal queries with equal parameters, which share one evaluation; undefined where that cannot be told. */
  readonly key: string | undefined
}

/** Parameters as they are now: the caller, and the function, may change what they have. */
export function ownParams(params: unknown): unknown {
  // What cannot be copied, because a getter throws or it contains itself, is passed on as it is.
  return quietly(() => remember(params)) ?? params
}

/**
 * A query with its parameters, evaluated for all who have subscribed to it: what it has read, its last result, and its
 * listeners. Or one that runs once, for nobody but its caller.
 */
export class LiveQuery implements Dependent {
  readonly asked: Asked
  readonly isOnce: boolean
  readonly listeners: Set<Listener> = new Set()
  readonly reads: LiveReads<LiveQuery>
  readonly views: LiveViews
  /** How often its function was begun. */
  run = 0
  /** How many commits there had been when it began, and how many of them had been taken back. */
  commits = 0
  undone = 0
  /** Its function is running. */
  isRunning = false
  /** Its function is running, or has come to its end and what it has read is not durable yet. */
  isEvaluating = false
  /** What the evaluation has read is not of one state, or will never be durable. */
  isTorn = false
  /** It has to run again. */
  isDirty = false
  /** It will run in a promise job. */
  isDue = false
  /** Somebody sees to it that it runs as long as it has to. */
  isBusy = false
  isActive = true
  /** The last evaluation has given a result, and `last` is what that was. */
  isCurrent = false
  last: unknown = NONE
  /** Of a query that is traced. */
  traced: TraceState | undefined
  readonly #schedule: (query: LiveQuery) => void

  constructor(
    index: PredicateIndex<LiveQuery>,
    views: Views,
    asked: Asked,
    isOnce: boolean,
    schedule: (query: LiveQuery) => void,
  ) {
    this.asked = asked
    this.isOnce = isOnce
    this.reads = new LiveReads(index, this, isOnce)
    this.views = new LiveViews(views, this)
    this.#schedule = schedule
  }

  /** A view that it has read is not what it was: an evaluation that goes on with what it was is worth nothing. */
  overtaken({ isStale }: View): void {
    if (isStale || this.isRunning) this.isTorn = true
  }

  touched(): void {
    this.#schedule(this)
  }

  /** Whether its result is that of what is durable, as far as is known. */
  get isFresh(): boolean {
    return this.isCurrent && !this.isDirty && !this.isEvaluating
  }

  /** Whether the evaluation under way will give a result that is not older than this moment. */
  get willBeFresh(): boolean {
    return this.isEvaluating && !this.isTorn && (this.isRunning || !this.isDirty)
  }

  /** An evaluation begins. */
  begin(): void {
    this.run++
    this.isRunning = this.isEvaluating = true
    this.isTorn = this.isDirty = false
    this.reads.begin()
    this.views.begin()
  }

  /** The function has come to its end: what only evaluations before this one have read does not count any more. */
  keepCurrent(hasFailed: boolean): void {
    this.reads.keepCurrent(hasFailed)
    this.views.keepCurrent(hasFailed)
  }

  /** Nobody listens any more. */
  end(): void {
    this.isActive = false
    this.reads.end()
    this.views.end()
  }

  /** Those who are to be called back with `result`, which is good; the others learn that it is what they have. */
  due(result: unknown): Listener[] {
    const isChanged = !deepEqual(result, this.last)
    // Callbacks may change what they are given.
    if (isChanged) this.last = remember(result, this.last)
    this.isCurrent = true
    const due: Listener[] = []
    for (const listener of this.listeners) {
      if (listener.runFirst > this.run) continue
      const { baseline, isImmediate } = listener
      listener.baseline = NONE
      const isFirst = listener.waiting !== undefined
      listener.arrived()
      const isNews = isFirst
        ? isImmediate || listener.isLate(this.commits)
        : baseline === NONE
          ? isChanged
          : !deepEqual(result, baseline)
      // That an error is over is told too, also where it has changed nothing.
      if (isNews || listener.hasFailed) due.push(listener)
      listener.hasFailed = false
    }
    return due
  }

  /**
   * The evaluation was overtaken: its result tells those who wait for none what comes later by comparison, and is seen by nobody.
   *
   * @param isUndone commits were taken back meanwhile: what it has read of them never was, so the next result is the first.
   */
  torn(result: unknown, isUndone: boolean): void {
    for (const listener of this.listeners) {
      if (listener.waiting === undefined || listener.isImmediate || listener.runFirst > this.run) continue
      if (isUndone) listener.commits ??= this.commits
      else {
        listener.baseline = listener.isLate(this.commits) ? Symbol('another') : remember(result)
        listener.arrived()
      }
    }
  }

  /** @returns those who wait for their first result, and will not get one; the others are told. */
  failed(thrown: unknown): Listener[] {
    const error = asError(thrown)
    this.isCurrent = false
    const refused: Listener[] = []
    for (const listener of [...this.listeners]) {
      if (listener.runFirst > this.run) continue
      if (listener.waiting !== undefined && !listener.goesOn) refused.push(listener)
      else {
        listener.arrived()
        listener.hasFailed = true
        listener.report(error)
      }
    }
    return refused
  }
}
