import { asError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import type { Commit } from '../commit/commit-group.js'
import type { CommitDraft } from '../commit/draft.js'
import type { Change } from '../log/entry.js'
import type { Interest } from '../query/bucket-predicates.js'
import { filterWords, questionWords } from '../query/evaluation.js'
import type {
  Evaluation,
  EvaluationChange,
  EvaluationCommit,
  EvaluationView,
  TraceHandler,
} from '../query/evaluation.js'
import { looked } from '../query/find.js'
import { touches } from '../query/read-set.js'
import type { Moment, Traceable, TraceHost, Tracer, Tracing } from './tracing.js'
import { built } from './view.js'
import type { Interests, View } from './view.js'

/** Something that makes evaluations necessary. */
interface Happening {
  readonly cause: 'commit' | 'undone' | 'reloaded'
  readonly seq: number | undefined
  readonly at: number | undefined
  readonly type: string
  readonly changes: readonly Change[]
  readonly cleared: readonly string[]
  /** What `happened` was when it happened; when it became durable, since it has. */
  published: number
}

const LOG_MAX = 16
const LIST_MAX = 32
/** So many happenings are kept for evaluations to come. */
const HAPPENINGS_MAX = 1_000
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
  #happenings: Happening[] = []
  /** Commits that are not durable yet. */
  readonly #inFlight = new Map<CommitDraft, Happening>()
  #happened = 0
  /** How far the store was when somebody first wanted to know. */
  #onSince: Moment = { happened: 0, commits: 0, built: 0 }

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
    this.#onSince = this.#now()
    this.#host.active = this
  }

  #release(): void {
    if (--this.#users > 0) return
    this.#host.active = undefined
    this.#happenings = []
    this.#inFlight.clear()
  }

  #now(): Moment {
    return { happened: this.#happened, commits: this.#commitsOf(), built: built.views }
  }

  applied(commit: Commit): void {
    this.#inFlight.set(commit.draft, this.#note('commit', commit))
  }

  published(commit: Commit): void {
    const happening = this.#inFlight.get(commit.draft) ?? this.#note('commit', commit)
    this.#inFlight.delete(commit.draft)
    happening.published = ++this.#happened
  }

  undone(commit: Commit): void {
    const applied = this.#inFlight.get(commit.draft)
    this.#inFlight.delete(commit.draft)
    this.#happenings = this.#happenings.filter((one) => one !== applied)
    this.#note('undone', commit)
  }

  reloaded(bucket: string): void {
    this.#happen({ cause: 'reloaded', seq: undefined, at: undefined, type: 'load', changes: NONE, cleared: [bucket] })
  }

  #note(cause: 'commit' | 'undone', { draft, entry }: Commit): Happening {
    const { type, changes, cleared } = draft
    return this.#happen({ cause, seq: entry?.seq, at: entry?.at, type, changes, cleared })
  }

  #happen(what: Omit<Happening, 'published'>): Happening {
    const happening = { ...what, published: ++this.#happened }
    this.#happenings.push(happening)
    if (this.#happenings.length > HAPPENINGS_MAX) this.#happenings.splice(0, HAPPENINGS_MAX / 2)
    return happening
  }

  begin(traceable: Traceable, isOvertaken: boolean): Tracing {
    const known = traceable.traced
    const since = latest(known ?? this.#onSince, this.#onSince)
    const now = this.#now()
    traceable.traced = { ...now, log: known?.log ?? [] }
    const happenings = this.#happenings.filter(({ published }) => published > since.happened)
    const reasons = reasonsOf(traceable, happenings, isOvertaken)
    // Of one that is new nothing was read before.
    return new OneTracing(traceable, reasons, traceable.run === 1 ? now : since, this.#runtime, this.#tell)
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
    for (const { builtAt, examined } of partsOf(viewsOf(traceable)))
      if (builtAt > since.built) this.#examined += examined
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

function viewsOf(traceable: Traceable): Iterable<View> {
  return 'view' in traceable ? [traceable.view] : traceable.views.read.keys()
}

/** The views, and all that they are put together of, each once. */
function partsOf(views: Iterable<View>, found: Set<View> = new Set()): ReadonlySet<View> {
  for (const view of views) {
    if (found.has(view)) continue
    found.add(view)
    partsOf(view.parts, found)
  }
  return found
}

function interestsOf(traceable: Traceable): Interests {
  const ofViews = Array.from(partsOf(viewsOf(traceable))).flatMap(({ interests }) => interests)
  if ('view' in traceable) return ofViews
  const others = Array.from(traceable.reads.read.keys(), ({ bucket, isKey, filter, name }): Interests[number] => [
    bucket.name,
    isKey ? { key: name } : filter === undefined ? (name as 'bucket' | 'all') : { filter },
  ])
  return [...others, ...ofViews]
}

type Reasons = Pick<Evaluation, 'cause' | 'commits' | 'changes' | 'matched' | 'omitted'>

/** Why `traceable` is evaluated: what of all that has happened touches what it has read. */
function reasonsOf(traceable: Traceable, happenings: readonly Happening[], isOvertaken: boolean): Reasons {
  const interests = interestsOf(traceable)
  const causes = new Set<Evaluation['cause']>()
  const commits: EvaluationCommit[] = []
  const changes: EvaluationChange[] = []
  const matched = new Set<string>()
  for (const happening of happenings) {
    const found = touchedBy(happening, interests, matched)
    if (found.length === 0) continue
    const { cause, seq, at, type } = happening
    causes.add(cause)
    changes.push(...found)
    if (cause !== 'reloaded') commits.push(Object.freeze({ seq, at, type }))
  }
  const known = (['undone', 'reloaded', 'commit'] as const).find((one) => causes.has(one))
  const omitted = { commits: over(commits), changes: over(changes), matched: over([...matched]) }
  return {
    cause: isOvertaken ? 'overtaken' : traceable.run === 1 ? 'subscribed' : (known ?? 'subscribed'),
    commits: firstOf(commits),
    changes: firstOf(changes),
    matched: firstOf([...matched]),
    omitted: Object.freeze(omitted),
  }
}

function over({ length }: readonly unknown[]): number {
  return Math.max(0, length - LIST_MAX)
}

function firstOf<T>(list: readonly T[]): readonly T[] {
  return Object.freeze(list.slice(0, LIST_MAX))
}

/** What of `happening` touches the interests; in `matched` goes which of them. */
function touchedBy({ changes, cleared }: Happening, interests: Interests, matched: Set<string>): EvaluationChange[] {
  const found: EvaluationChange[] = []
  for (const bucket of cleared) {
    const own = interests.filter(([name]) => name === bucket)
    for (const [, interest] of own) matched.add(`${bucket}: ${wordsOf(interest)}`)
    if (own.length > 0) found.push(Object.freeze({ bucket, key: undefined, kind: 'cleared' }))
  }
  for (const change of changes) {
    const { bucket, key, before, after } = change
    const own = interests.filter(([name, interest]) => name === bucket && isTouched(interest, change))
    for (const [, interest] of own) matched.add(`${bucket}: ${wordsOf(interest)}`)
    const kind = before === undefined ? 'inserted' : after === undefined ? 'deleted' : 'updated'
    if (own.length > 0) found.push(Object.freeze({ bucket, key, kind }))
  }
  return found
}

function isTouched(interest: Interest, change: Change): boolean {
  if (typeof interest === 'string') return interest === 'all'
  return 'key' in interest ? interest.key === change.key : touches(interest.filter, change)
}

function wordsOf(interest: Interest): string {
  if (interest === 'all') return 'all records'
  if (interest === 'bucket') return 'that it is there'
  return 'key' in interest ? `key ${JSON.stringify(interest.key)}` : filterWords(interest.filter)
}
