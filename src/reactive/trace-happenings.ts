import type { Commit } from '../commit/commit-group.js'
import type { CommitDraft } from '../commit/draft.js'
import type { Change } from '../log/entry.js'
import type { Moment } from './tracing.js'

/** Something that makes evaluations necessary. */
export interface Happening {
  readonly cause: 'commit' | 'undone' | 'reloaded'
  readonly seq: number | undefined
  readonly at: number | undefined
  readonly type: string
  readonly changes: readonly Change[]
  readonly cleared: readonly string[]
  /** What `happened` was when it was applied; once it is settled, when it was. */
  readonly number: number
}

/** What has happened since a moment. */
export interface Happened {
  /** All that is known of it, in the order in which it was settled; what is not durable yet comes last. */
  readonly known: readonly Happening[]
  /** How many more were settled since then, and are not kept any more. */
  readonly forgotten: number
}

/** Nothing has. */
export const NOTHING: Happened = Object.freeze({ known: Object.freeze([]), forgotten: 0 })

/** So many are kept for evaluations to come. */
const KEPT_MAX = 1_000
const NONE: readonly never[] = Object.freeze([])

/**
 * What has happened, as far as evaluations to come may have to be told: the last `KEPT_MAX`. Of the others it is known how many there were. Commits that are not durable yet are
 * not counted: they are held by the store in any case.
 */
export class Happenings {
  /** In the order of their numbers. */
  #settled: Happening[] = []
  #forgotten = 0
  /** Commits that are not durable yet. */
  readonly #inFlight = new Map<CommitDraft, Happening>()
  #happened = 0

  /** How far it is, in numbers that only grow. */
  get now(): Pick<Moment, 'happened' | 'settled'> {
    return { happened: this.#happened, settled: this.#forgotten + this.#settled.length }
  }

  /** From now on somebody wants to know. */
  begin(): void {
    // Evaluations that were traced earlier are older than this.
    this.#happened++
  }

  /** Lets go of everything. */
  clear(): void {
    this.#forgotten += this.#settled.length
    this.#settled = []
    this.#inFlight.clear()
  }

  applied(commit: Commit): void {
    this.#inFlight.set(commit.draft, this.#happening('commit', commit))
  }

  published(commit: Commit): void {
    this.#inFlight.delete(commit.draft)
    this.#settle(this.#happening('commit', commit))
  }

  undone(commit: Commit): void {
    this.#inFlight.delete(commit.draft)
    this.#settle(this.#happening('undone', commit))
  }

  reloaded(bucket: string): void {
    const facts = { seq: undefined, at: undefined, type: 'load', changes: NONE, cleared: [bucket] }
    this.#settle({ cause: 'reloaded', ...facts, number: ++this.#happened })
  }

  #happening(cause: 'commit' | 'undone', { draft, entry }: Commit): Happening {
    const { type, changes, cleared } = draft
    return { cause, seq: entry?.seq, at: entry?.at, type, changes, cleared, number: ++this.#happened }
  }

  #settle(happening: Happening): void {
    this.#settled.push(happening)
    if (this.#settled.length <= KEPT_MAX) return
    this.#settled.shift()
    this.#forgotten++
  }

  since({ happened, settled }: Moment): Happened {
    const all = [...this.#settled, ...this.#inFlight.values()]
    return {
      known: all.filter(({ number }) => number > happened),
      forgotten: Math.max(0, this.#forgotten - settled),
    }
  }
}
