import { asError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import type { Commit } from '../commit/commit-group.js'
import type { CommitDraft } from '../commit/draft.js'
import type { Change } from '../log/entry.js'
import type { Interest } from '../query/bucket-predicates.js'
import { filterWords } from '../query/evaluation.js'
import type {
  Evaluation,
  EvaluationChange,
  EvaluationCommit,
  EvaluationView,
  TraceHandler,
} from '../query/evaluation.js'
import { looked } from '../query/find.js'
import { touches } from '../query/read-set.js'
import { built } from './view.js'
import type { View } from './view.js'

/** How far the store was, in numbers that only grow. */
interface Moment {
  readonly happened: number
  readonly commits: number
  readonly built: number
}

/** What is kept for who is traced: how far the store was when its last evaluation began, and the last evaluations. */
export interface TraceState extends Moment {
  readonly log: Evaluation[]
}

/** What can be traced. */
export interface Traceable {
  readonly kind: Evaluation['kind']
  /** What is asked. */
  readonly text: string
  readonly params: unknown
  /** How often it was evaluated, with the evaluation under way. */
  readonly run: number
  readonly listenerCount: number
  /** The views that it has read. */
  readonly readViews: Iterable<View>
  /** What else it has read. */
  readonly interests: Iterable<readonly [bucket: string, interest: Interest]>
  traced: TraceState | undefined
}

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

/**
 * Says of each evaluation why it was made, and how, while somebody wants to know; otherwise nothing is kept, and `isOn` is all
 * that is looked at.
 */
export class Trace {
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

  /** @param commitsOf how many commits the views have seen. */
  constructor(runtime: Runtime, commitsOf: () => number, onError: (error: Error) => void) {
    this.#runtime = runtime
    this.#commitsOf = commitsOf
    this.#onError = onError
  }

  /** Whether anybody wants to know. */
  get isOn(): boolean {
    return this.#users > 0
  }

  /** Calls `handler` after each evaluation. @returns ends it. */
  on(handler: TraceHandler): () => void {
    // The same function may be given twice, and ended once.
    const own: TraceHandler = (evaluation) => handler(evaluation)
    this.#handlers.add(own)
    this.use()
    return () => void (this.#handlers.delete(own) && this.release())
  }

  /** Somebody wants to know, until `release` is called as often. */
  use(): void {
    if (++this.#users === 1) this.#onSince = this.#now()
  }

  release(): void {
    if (--this.#users > 0) return
    this.#happenings = []
    this.#inFlight.clear()
  }

  #now(): Moment {
    return { happened: this.#happened, commits: this.#commitsOf(), built: built.views }
  }

  /** A commit has been applied in memory. */
  applied(commit: Commit): void {
    this.#inFlight.set(commit.draft, this.#note('commit', commit))
  }

  /** A commit is durable. */
  published(commit: Commit): void {
    const happening = this.#inFlight.get(commit.draft) ?? this.#note('commit', commit)
    this.#inFlight.delete(commit.draft)
    happening.published = ++this.#happened
  }

  /** A commit was taken back. */
  undone(commit: Commit): void {
    this.#inFlight.delete(commit.draft)
    this.#note('undone', commit)
  }

  /** A bucket was defined, or loaded anew. */
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

  /** An evaluation of `traceable` begins: it has read what the one before it has read. */
  begin(traceable: Traceable, isOvertaken: boolean): Tracing {
    const known = traceable.traced
    const since = latest(known ?? this.#onSince, this.#onSince)
    const now = this.#now()
    traceable.traced = { ...now, log: known?.log ?? [] }
    const happenings = this.#happenings.filter(({ published }) => published > since.happened)
    // Of one that is new nothing was read before.
    const { commits, built: builtSince } = traceable.run === 1 ? now : since
    return new Tracing(traceable, happenings, isOvertaken, { happened: 0, commits, built: builtSince }, this.#runtime)
  }

  /** An evaluation is over. */
  end(tracing: Tracing, result: unknown, delivered: boolean, thrown: { readonly error: unknown } | undefined): void {
    const { traced } = tracing.traceable
    const evaluation = tracing.evaluation(result, delivered, thrown === undefined ? undefined : asError(thrown.error))
    if (traced !== undefined) {
      traced.log.push(evaluation)
      if (traced.log.length > LOG_MAX) traced.log.shift()
      // What it has built itself is not news for the next one.
      tracing.traceable.traced = { ...traced, built: Math.max(traced.built, tracing.builtUntil) }
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

/** One evaluation under way, as far as traces are concerned. */
export class Tracing {
  readonly traceable: Traceable
  /** What `built` was when it had come to its end. */
  builtUntil = 0
  readonly #why: Reasons
  readonly #since: Moment
  readonly #runtime: Runtime
  readonly #beganMs: number
  #durationMs = 0
  #examined = 0
  #views: readonly EvaluationView[] = NONE
  /** A view has answered what is being read. */
  #isFromView = false

  constructor(
    traceable: Traceable,
    happenings: readonly Happening[],
    isOvertaken: boolean,
    since: Moment,
    runtime: Runtime,
  ) {
    this.traceable = traceable
    this.#since = since
    this.#runtime = runtime
    this.#why = reasonsOf(traceable, happenings, isOvertaken)
    for (const { builtAt, examined } of traceable.readViews) if (builtAt > since.built) this.#examined += examined
    this.#beganMs = runtime.elapsed()
  }

  /** Something is read from views. */
  viewed<T>(read: () => T): T {
    const { records } = looked
    this.#isFromView = true
    try {
      return read()
    } finally {
      this.#examined += looked.records - records
    }
  }

  /** A read inside a query function has given `result`. */
  readonly read = (result: unknown): void => {
    if (!this.#isFromView)
      this.#examined += countOf((result as { records?: unknown } | undefined)?.records ?? result, 1)
    this.#isFromView = false
  }

  /** The function has come to its end, or the rows are read. */
  ran(): void {
    this.#durationMs = this.#runtime.elapsed() - this.#beganMs
    const { commits, built: builtSince } = this.#since
    this.builtUntil = built.views
    this.#views = Array.from(this.traceable.readViews, ({ text, builtAt, changedIn }) =>
      Object.freeze({
        query: text,
        effect: builtAt > builtSince ? 'rebuilt' : changedIn > commits ? 'changed' : 'unchanged',
      }),
    )
  }

  /** What is to be said of it. */
  evaluation(result: unknown, delivered: boolean, error: Error | undefined): Evaluation {
    const { text, params, kind, listenerCount } = this.traceable
    return Object.freeze({
      query: text,
      params,
      kind,
      ...this.#why,
      views: this.#views,
      examined: this.#examined,
      returned: error === undefined && result !== undefined ? countOf(result, 1) : 0,
      durationMs: this.#durationMs,
      delivered,
      listeners: listenerCount,
      error,
    })
  }
}

function countOf(result: unknown, otherwise: number): number {
  return Array.isArray(result) ? result.length : otherwise
}

type Interests = readonly (readonly [bucket: string, interest: Interest])[]
type Reasons = Pick<Evaluation, 'cause' | 'commits' | 'changes' | 'matched' | 'omitted'>

/** Why `traceable` is evaluated: what of all that has happened touches what it has read. */
function reasonsOf(traceable: Traceable, happenings: readonly Happening[], isOvertaken: boolean): Reasons {
  const interests = [...traceable.interests]
  for (const { question } of traceable.readViews) {
    const { bucket, filter } = question.spec
    interests.push([bucket, filter.conditions.length === 0 ? 'all' : { filter }])
  }
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
