import { asError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import type { Commit } from '../commit/commit-group.js'
import type { Evaluation, EvaluationView, TraceHandler } from '../query/evaluation.js'
import { looked } from '../query/find.js'
import { Happenings, NOTHING } from './trace-happenings.js'
import { partsOf, reasonsOf, viewsOf } from './trace-reasons.js'
import type { Reasons } from './trace-reasons.js'
import type { Moment, Traceable, TraceHost, Tracer, Tracing } from './tracing.js'
import { built } from './view.js'
import type { View } from './view.js'
import { questionWords } from './words.js'

const LOG_MAX = 16
const NONE: readonly never[] = Object.freeze([])

/** Says of each evaluation why it was made, and how, while somebody wants to know; otherwise nothing is kept. */
export class Trace implements Tracer {
  readonly #host: TraceHost
  readonly #handlers = new Set<TraceHandler>()
  readonly #runtime: Runtime
  readonly #onError: (error: Error) => void
  readonly #commitsOf: () => number
  /** How many want to know, with the handlers. */
  #users = 0
  readonly #happenings = new Happenings()
  /** How far the store was when somebody first wanted to know. */
  #onSince: Moment = { happened: 0, settled: 0, commits: 0, built: 0 }

  /**
   * @param host of the store: the trace makes itself known there, and is active there while somebody wants to know.
   * @param commitsOf how many commits the views have seen.
   */
  constructor(host: TraceHost, runtime: Runtime, commitsOf: () => number, onError: (error: Error) => void) {
    this.#host = host
    this.#runtime = runtime
    this.#commitsOf = commitsOf
    this.#onError = onError
    host.use = () => this.#use()
    host.release = () => this.#release()
  }

  /** Calls `handler` after each evaluation. @returns ends it. */
  on(handler: TraceHandler): () => void {
    // The same function may be given twice, and ended once.
    const own: TraceHandler = (evaluation) => handler(evaluation)
    this.#handlers.add(own)
    this.#use()
    return () => void (this.#handlers.delete(own) && this.#release())
  }

  #use(): void {
    if (++this.#users > 1) return
    this.#happenings.begin()
    this.#onSince = this.#now()
    this.#host.active = this
  }

  #release(): void {
    if (--this.#users > 0) return
    this.#host.active = undefined
    this.#happenings.clear()
  }

  #now(): Moment {
    return { ...this.#happenings.now, commits: this.#commitsOf(), built: built.views }
  }

  applied(commit: Commit): void {
    this.#happenings.applied(commit)
  }

  published(commit: Commit): void {
    this.#happenings.published(commit)
  }

  undone(commit: Commit): void {
    this.#happenings.undone(commit)
  }

  reloaded(bucket: string): void {
    this.#happenings.reloaded(bucket)
  }

  begin(traceable: Traceable, isOvertaken: boolean): Tracing {
    const known = traceable.traced
    const since = latest(known ?? this.#onSince, this.#onSince)
    const now = this.#now()
    traceable.traced = { ...now, log: known?.log ?? [] }
    // What came before somebody wanted to know may be the reason too.
    const isSeen = known !== undefined && known.happened >= this.#onSince.happened
    const happened = traceable.run === 1 ? NOTHING : this.#happenings.since(since)
    const parts = partsOf(viewsOf(traceable))
    const reasons = reasonsOf(traceable, parts, happened, isSeen, isOvertaken)
    // Of one that is new nothing was read before.
    return new OneTracing(traceable, parts, reasons, traceable.run === 1 ? now : since, this.#runtime, this.#tell)
  }

  readonly #tell = (traceable: Traceable, evaluation: Evaluation, builtUntil: number): void => {
    const { traced } = traceable
    if (traced !== undefined) {
      traced.log.push(evaluation)
      if (traced.log.length > LOG_MAX) traced.log.shift()
      // What it has built itself is not news for the next one.
      traceable.traced = { ...traced, built: Math.max(traced.built, builtUntil) }
    }
    for (const handler of [...this.#handlers]) {
      try {
        handler(evaluation)
      } catch (error) {
        this.#onError(asError(error))
      }
    }
  }
}

function latest(a: Moment, b: Moment): Moment {
  return {
    happened: Math.max(a.happened, b.happened),
    settled: Math.max(a.settled, b.settled),
    commits: Math.max(a.commits, b.commits),
    built: Math.max(a.built, b.built),
  }
}

class OneTracing implements Tracing {
  readonly #traceable: Traceable
  readonly #reasons: Reasons
  readonly #since: Moment
  readonly #runtime: Runtime
  readonly #tell: (traceable: Traceable, evaluation: Evaluation, builtUntil: number) => void
  readonly #beganMs: number
  #durationMs = 0
  #examined = 0
  /** What `built` was when it had come to its end. */
  #builtUntil = 0
  #views: readonly EvaluationView[] = NONE
  /** A view has answered what is being read. */
  #isFromView = false

  constructor(
    traceable: Traceable,
    parts: ReadonlySet<View>,
    reasons: Reasons,
    since: Moment,
    runtime: Runtime,
    tell: (traceable: Traceable, evaluation: Evaluation, builtUntil: number) => void,
  ) {
    this.#traceable = traceable
    this.#reasons = reasons
    this.#since = since
    this.#runtime = runtime
    this.#tell = tell
    // Views that a commit has built anew before somebody asked for them.
    for (const { builtAt, examined } of parts) if (builtAt > since.built) this.#examined += examined
    this.#beganMs = runtime.elapsed()
  }

  viewed<T>(read: () => T): T {
    const { records } = looked
    this.#isFromView = true
    try {
      return read()
    } finally {
      this.#examined += looked.records - records
    }
  }

  readonly read = (result: unknown): void => {
    if (!this.#isFromView) this.#examined += countOf((result as { records?: unknown } | undefined)?.records ?? result)
    this.#isFromView = false
  }

  ran(): void {
    this.#durationMs = this.#runtime.elapsed() - this.#beganMs
    this.#builtUntil = built.views
    const { commits, built: builtSince } = this.#since
    this.#views = Array.from(viewsOf(this.#traceable), ({ question, builtAt, changedIn }) =>
      Object.freeze({
        query: questionWords(question),
        effect: builtAt > builtSince ? 'rebuilt' : changedIn > commits ? 'changed' : 'unchanged',
      }),
    )
  }

  end(result: unknown, delivered: boolean, thrown: { readonly error: unknown } | undefined): void {
    const evaluation = Object.freeze({
      ...factsOf(this.#traceable),
      ...this.#reasons,
      views: Object.freeze(this.#views),
      examined: this.#examined,
      returned: result === undefined ? 0 : countOf(result),
      durationMs: this.#durationMs,
      delivered,
      error: thrown === undefined ? undefined : asError(thrown.error),
    })
    this.#tell(this.#traceable, evaluation, this.#builtUntil)
  }
}

function countOf(result: unknown): number {
  return Array.isArray(result) ? result.length : 1
}

function factsOf(traceable: Traceable): Pick<Evaluation, 'query' | 'params' | 'kind' | 'listeners'> {
  if ('view' in traceable) {
    const { question, uses } = traceable.view
    return { query: questionWords(question), params: undefined, kind: 'live', listeners: uses }
  }
  const { asked, listeners } = traceable
  return { query: asked.name, params: asked.params, kind: 'query', listeners: listeners.size }
}
