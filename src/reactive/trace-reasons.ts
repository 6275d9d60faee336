import type { Change } from '../log/entry.js'
import type { Interest } from '../query/bucket-predicates.js'
import type { Evaluation, EvaluationChange, EvaluationCommit } from '../query/evaluation.js'
import { touches } from '../query/read-set.js'
import type { Traceable } from './tracing.js'
import type { Interests, View } from './view.js'
import { filterWords } from './words.js'

/** Something that makes evaluations necessary. */
export interface Happening {
  readonly cause: 'commit' | 'undone' | 'reloaded'
  readonly seq: number | undefined
  readonly at: number | undefined
  readonly type: string
  readonly changes: readonly Change[]
  readonly cleared: readonly string[]
  /** What `happened` was when it happened; when it became durable, since it has. */
  published: number
}

/** So many items of each list are said. */
const LIST_MAX = 32

/** The views that it has read. */
export function viewsOf(traceable: Traceable): Iterable<View> {
  return 'view' in traceable ? [traceable.view] : traceable.views.read.keys()
}

/** The views, and all that they are put together of, each once. */
export function partsOf(views: Iterable<View>, found: Set<View> = new Set()): ReadonlySet<View> {
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

/** Why an evaluation was made. */
export type Reasons = Pick<Evaluation, 'cause' | 'commits' | 'changes' | 'matched' | 'omitted'>

/** Why `traceable` is evaluated: what of all that has happened touches what it has read. */
export function reasonsOf(traceable: Traceable, happenings: readonly Happening[], isOvertaken: boolean): Reasons {
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
