import type { Change } from '../log/entry.js'
import { BucketPredicates } from '../query/bucket-predicates.js'
import type { Entry, Interest } from '../query/bucket-predicates.js'
import type { Evaluation, EvaluationChange, EvaluationCommit } from '../query/evaluation.js'
import { touches } from '../query/read-set.js'
import type { Happened, Happening } from './trace-happenings.js'
import type { Traceable } from './tracing.js'
import type { Interests, View } from './view.js'
import { filterWords } from './words.js'

/** So many items of each list are said. */
const LIST_MAX = 32
/** So few changes are compared with one reading after the other: to put a reading into an index takes as long as comparing it so often. */
const SCANNED_MAX = 64
/** No footprint has this number. */
const NO_FOOTPRINT = -1

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

function interestsOf(traceable: Traceable, parts: ReadonlySet<View>): Interests {
  const ofViews: Interests[number][] = []
  for (const { interests } of parts) ofViews.push(...interests)
  if ('view' in traceable) return ofViews
  const others = Array.from(traceable.reads.read.keys(), ({ bucket, isKey, filter, name }): Interests[number] => [
    bucket.name,
    isKey ? { key: name } : filter === undefined ? (name as 'bucket' | 'all') : { filter },
  ])
  return [...others, ...ofViews]
}

/** Why an evaluation was made. */
export type Reasons = Pick<Evaluation, 'cause' | 'commits' | 'changes' | 'matched' | 'omitted'>

/**
 * Why `traceable` is evaluated: what of all that has happened touches what it has read.
 *
 * @param parts the views that it has read, and all that they are put together of.
 * @param isSeen all that has happened since the evaluation before is known, or was forgotten.
 */
export function reasonsOf(
  traceable: Traceable,
  parts: ReadonlySet<View>,
  { known, forgotten }: Happened,
  isSeen: boolean,
  isOvertaken: boolean,
): Reasons {
  const readings = new Readings(interestsOf(traceable, parts), known)
  const causes = new Set<Happening['cause']>()
  const commits = new Listed<EvaluationCommit>()
  const changes = new Listed<EvaluationChange>()
  for (const happening of known) {
    const { cause, seq, at, type } = happening
    const before = changes.count
    listTouched(happening, readings, changes)
    if (changes.count === before) continue
    causes.add(cause)
    if (cause !== 'reloaded') commits.add(() => ({ seq, at, type }))
  }
  const matched = new Listed<string>()
  for (const one of readings.found) matched.add(() => `${one.bucket.name}: ${wordsOf(one)}`)
  const found = (['undone', 'reloaded', 'commit'] as const).find((one) => causes.has(one))
  const other = forgotten > 0 || !isSeen ? 'commit' : 'subscribed'
  return {
    cause: isOvertaken ? 'overtaken' : traceable.run === 1 ? 'subscribed' : (found ?? other),
    commits: Object.freeze(commits.first),
    changes: Object.freeze(changes.first),
    matched: Object.freeze(matched.first),
    omitted: Object.freeze({
      commits: commits.omitted,
      changes: changes.omitted,
      matched: matched.omitted,
      forgotten,
    }),
  }
}

/** The first `LIST_MAX` of some items, and how many there are. */
class Listed<T> {
  readonly first: T[] = []
  count = 0

  /** @param item is made only where it is said. */
  add(item: () => T): void {
    if (this.count++ < LIST_MAX) this.first.push(Object.freeze(item()))
  }

  get omitted(): number {
    return this.count - this.first.length
  }
}

/** Adds to `changes` what of the happening touches the readings. */
function listTouched(happening: Happening, readings: Readings, changes: Listed<EvaluationChange>): void {
  for (const bucket of happening.cleared) {
    if (readings.findCleared(bucket)) changes.add(() => ({ bucket, key: undefined, kind: 'cleared' }))
  }
  for (const change of happening.changes) {
    if (!readings.findTouched(change)) continue
    const { bucket, key, before, after } = change
    const kind = before === undefined ? 'inserted' : after === undefined ? 'deleted' : 'updated'
    changes.add(() => ({ bucket, key, kind }))
  }
}

/** Equal readings are one. */
type Reading = Entry<never>

/**
 * What was read, to be compared with changes. For more than `SCANNED_MAX` of them it is put into an index first, so that the cost
 * is that of the changes and of what was read, and not of the two multiplied.
 */
class Readings {
  /** Those that something has touched. */
  readonly found: Set<Reading> = new Set()
  readonly #buckets = new Map<string, { interests: Interest[]; index: BucketPredicates<never> }>()
  readonly #isIndexed: boolean

  constructor(interests: Interests, happenings: readonly Happening[]) {
    this.#isIndexed = happenings.reduce((sum, { changes }) => sum + changes.length, 0) > SCANNED_MAX
    for (const [bucket, interest] of interests) {
      let at = this.#buckets.get(bucket)
      if (at === undefined) this.#buckets.set(bucket, (at = { interests: [], index: new BucketPredicates(bucket) }))
      if (this.#isIndexed) at.index.entry(interest)
      else at.interests.push(interest)
    }
  }

  /** Finds all readings of the bucket. @returns whether there are any. */
  findCleared(bucket: string): boolean {
    const at = this.#buckets.get(bucket)
    for (const interest of at?.interests ?? []) at?.index.entry(interest)
    at?.index.forEach((reading) => this.found.add(reading))
    return at !== undefined
  }

  /** Finds the readings that the change touches. @returns whether there are any. */
  findTouched(change: Change): boolean {
    const at = this.#buckets.get(change.bucket)
    if (at === undefined) return false
    let isTouching = false
    const hit = (reading: Reading): void => {
      isTouching = true
      this.found.add(reading)
    }
    if (this.#isIndexed) at.index.forTouched(change, NO_FOOTPRINT, hit)
    else for (const one of at.interests) if (isTouched(one, change)) hit(at.index.entry(one))
    return isTouching
  }
}

function isTouched(interest: Interest, change: Change): boolean {
  if (typeof interest === 'string') return interest === 'all'
  return 'key' in interest ? interest.key === change.key : touches(interest.filter, change)
}

function wordsOf({ name, isKey, filter }: Reading): string {
  if (isKey) return `key ${JSON.stringify(name)}`
  if (filter !== undefined) return filterWords(filter)
  return name === 'all' ? 'all records' : 'that it is there'
}
