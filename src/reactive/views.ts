import { assert } from '../base/assert.js'
import { deepEqual } from '../base/equality.js'
import { asError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import type { Bucket } from '../commit/bucket.js'
import { BucketNotDefinedError, BucketUnavailableError } from '../commit/errors.js'
import type { CommitDraft } from '../commit/draft.js'
import type { Change } from '../log/entry.js'
import type { Entry } from '../query/bucket-predicates.js'
import type { Peers } from '../query/answer-included.js'
import { PredicateIndex } from '../query/predicate-index.js'
import type { Question } from '../query/query-spec.js'
import { isWhole, questionText } from '../query/query-spec.js'
import { AskedView } from './asked-view.js'
import { GroupsView } from './groups-view.js'
import { IncludeView } from './include-view.js'
import type { ViewHost } from './include-view.js'
import { NumberView } from './number-view.js'
import { RowsView } from './rows-view.js'
import type { PlacedChange, View } from './view.js'

/** What the views need of their store. */
export interface ViewsOptions {
  readonly bucketOf: (name: string) => Bucket
  /** Whether there is such a bucket, loaded and running. */
  readonly isReady: (name: string) => boolean
  readonly runtime: Runtime
  /** Share of the changed views that are compared with a fresh answer, from 0 to 1. */
  readonly selfCheck: number
  /** Told when a view is not what it should be; it is built anew. */
  readonly onDiverged: (error: Error, view: View) => void
}

/**
 * The views of a store: one for each question that somebody depends on. A commit finds those that it can touch through an
 * index over their filters, and brings them up to date at once, so that a view always answers as its bucket would.
 *
 * Holds V1 (see `View`). V2: a view that nobody uses is not kept.
 */
export class Views implements ViewHost {
  readonly #views = new Map<string, View>()
  readonly #index = new PredicateIndex<View>()
  readonly #entries = new Map<View, readonly Entry<View>[]>()
  /** Views put together of others that have changed in the commit that is being applied. */
  readonly #composed = new Set<View>()
  /** Views that have changed since the last commit that was published. */
  #changed: View[] = []
  #commits = 0
  #undone = 0
  /** How many views `selfCheck` has looked at, and how many of them were not what they should have been. */
  checkedCount = 0
  divergedCount = 0

  readonly #options: ViewsOptions

  constructor(options: ViewsOptions) {
    this.#options = options
  }

  #bucketOf(name: string): Bucket {
    return this.#options.bucketOf(name)
  }

  /** How many commits were taken back: what was read before one of them has perhaps never been. */
  get undoneCount(): number {
    return this.#undone
  }

  /** How many commits it has seen, those while nobody used a view left out. */
  get commitCount(): number {
    return this.#commits
  }

  /** How many views are kept. */
  get size(): number {
    return this.#views.size
  }

  /**
   * The view of `question`, which is kept until `release` is called as often.
   *
   * @throws {BucketNotDefinedError}
   */
  acquire(question: Question): View {
    const text = questionText(question)
    let view = this.#views.get(text)
    if (view === undefined) {
      this.#bucketOf(question.spec.bucket)
      view = makeView(question, this)
      this.#views.set(text, view)
      this.interested(view)
    }
    return this.retain(view)
  }

  interested(view: View): void {
    if (this.#views.get(view.text) !== view) return
    const before = this.#entries.get(view) ?? []
    const entries = view.interests.map(([bucket, interest]) => this.#index.add(bucket, interest, view))
    this.#entries.set(view, entries)
    for (const entry of before) if (!entries.includes(entry)) this.#index.remove(entry, view)
  }

  retain(view: View): View {
    view.uses++
    return view
  }

  /** For views that are put together of others. */
  readonly peers: Peers = (name) => this.#bucketOf(name).asPeer()

  /** Ends one use of a view. */
  release(view: View): void {
    assert(view.uses > 0 && this.#views.get(view.text) === view, 'V2', () => `nobody uses ${view.text}`)
    view.uses--
    if (view.uses > 0) return
    this.#views.delete(view.text)
    for (const entry of this.#entries.get(view) ?? []) this.#index.remove(entry, view)
    this.#entries.delete(view)
    view.end()
  }

  /** The bucket that has to be ready before `read` would answer; undefined where it would. */
  awaited(view: View): string | undefined {
    return view.awaits(this.#options.isReady)
  }

  /** The answer as it is now. @throws {BucketNotDefinedError} @throws {BucketUnavailableError} */
  read(view: View): unknown {
    if (view.isStale) {
      const bucket = this.#bucketOf(view.question.spec.bucket)
      bucket.mustBeReady()
      view.rebuild(bucket.source)
      view.isStale = false
    }
    return view.answer
  }

  /** A commit has been applied in memory: brings the views that it touches up to date. */
  applied(draft: CommitDraft): void {
    if (this.#index.isEmpty) return
    for (const name of draft.cleared) this.#stale(name)
    const { changes } = draft
    const commit = ++this.#commits
    const changed: View[] = []
    const note = (view: View): void => {
      if (view.changedIn === commit) return
      view.changedIn = commit
      changed.push(view)
    }
    let toBuild: Set<View> | undefined
    for (let at = 0; at < changes.length; at++) {
      const change = changes[at] as Change
      const { key, before, after } = change
      let placed: PlacedChange | undefined
      // Each view is in the index once.
      this.#index.forInterested(change, (view) => {
        if (view.isStale || toBuild?.has(view) === true) return
        const effect = view.apply((placed ??= { key, before, after, ordinal: draft.ordinalOf(at) }))
        if (effect === 'changed') note(view)
        else if (effect === 'rebuild') (toBuild ??= new Set()).add(view)
        else if (effect === 'stale') {
          view.isStale = true
          note(view)
        }
      })
    }
    // The bucket has the whole commit already: a view must not be built from it before it has seen all of that.
    for (const view of toBuild ?? []) {
      const { version } = view
      view.rebuild(this.#bucketOf(view.question.spec.bucket).source)
      if (view.version !== version) note(view)
    }
    for (const view of changed) {
      this.#check(view)
      this.#change(view)
    }
    for (const view of this.#composed) this.#check(view)
    this.#composed.clear()
  }

  changed(view: View): void {
    view.changedIn = this.#commits
    if (this.#options.selfCheck > 0) this.#composed.add(view)
    this.#change(view)
  }

  #change(view: View): void {
    if (!view.isUnannounced) {
      view.isUnannounced = true
      this.#changed.push(view)
    }
    for (const dependent of view.dependents) dependent.overtaken(view)
  }

  /** Looks at some whether they are what a fresh answer would be (V1); one that is not is built anew, and somebody is told. */
  #check(view: View): void {
    const { selfCheck, runtime } = this.#options
    if (selfCheck === 0 || view.isStale || runtime.random() >= selfCheck) return
    if (view.uses === 0) return
    try {
      const { reads } = this.#bucketOf(view.question.spec.bucket)
      assert(deepEqual(view.answer, reads.ask(view.question)), 'V1', () => `the view ${view.text} has diverged`)
      this.checkedCount++
    } catch (error) {
      // What cannot be asked says nothing.
      if (error instanceof BucketUnavailableError || error instanceof BucketNotDefinedError) return
      this.checkedCount++
      this.divergedCount++
      view.isStale = true
      this.#options.onDiverged(asError(error), view)
    }
  }

  /** Nothing is known any more of the views of a bucket: it was emptied, defined, loaded anew, or something was taken back. */
  #stale(bucket: string): void {
    this.#index.forTouched({ changes: [], cleared: [bucket] }, (view) => {
      view.isStale = true
      this.#change(view)
    })
  }

  /** A commit was taken back: what it touched has to be built anew. */
  undone(draft: CommitDraft): void {
    this.#undone++
    for (const bucket of new Set([...draft.cleared, ...draft.changes.map(({ bucket }) => bucket)])) this.#stale(bucket)
    this.#composed.clear()
    this.announce()
  }

  /** A bucket is another one than it was: defined, or loaded anew. */
  reloaded(bucket: string): void {
    this.#stale(bucket)
    this.#composed.clear()
    this.announce()
  }

  /** A commit is durable: those who depend on views that have changed are told. */
  announce(): void {
    if (this.#changed.length === 0) return
    const changed = this.#changed
    this.#changed = []
    for (const view of changed) {
      view.isUnannounced = false
      for (const dependent of view.dependents) dependent.touched(view)
    }
  }
}

function makeView(question: Question, host: ViewHost): View {
  const { spec, want } = question
  if (spec.include.length > 0) return new IncludeView(question, host)
  switch (want.kind) {
    case 'rows':
      return new RowsView(question)
    case 'count':
    case 'sum':
    case 'avg':
    case 'min':
    case 'max':
      return isWhole(spec) ? new NumberView(question) : new AskedView(question)
    case 'groups':
    case 'distinct':
      return isWhole(spec) ? new GroupsView(question) : new AskedView(question)
    default:
      return new AskedView(question)
  }
}
