import type { Value } from '../base/value.js'
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

/** So many are kept for evaluations to come, */
const KEPT_MAX = 1_000
/** as long as what they hold is estimated to be no more than so many bytes, each of them with `HAPPENING_BYTES` of its own. */
const KEPT_BYTES_MAX = 8_000_000
const HAPPENING_BYTES = 200
const NONE: readonly never[] = Object.freeze([])

/**
 * What has happened, as far as evaluations to come may have to be told: the last one, and those before it while all of them are
 * within `KEPT_MAX` and `KEPT_BYTES_MAX`. Of the others it is known how many there were. Commits that are not durable yet are
 * not counted: they are held by the store in any case.
 */
export class Happenings {
  /** In the order of their numbers. */
  #settled: { readonly happening: Happening; readonly bytes: number }[] = []
  #bytes = 0
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
    this.#bytes = 0
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
    const bytes = HAPPENING_BYTES + bytesOf(happening.changes)
    this.#settled.push({ happening, bytes })
    this.#bytes += bytes
    let gone = 0
    while (gone < this.#settled.length - 1) {
      if (this.#settled.length - gone <= KEPT_MAX && this.#bytes <= KEPT_BYTES_MAX) break
      this.#bytes -= this.#settled[gone++]?.bytes ?? 0
    }
    if (gone === 0) return
    this.#settled.splice(0, gone)
    this.#forgotten += gone
  }

  since({ happened, settled }: Moment): Happened {
    const all = [...this.#settled.map(({ happening }) => happening), ...this.#inFlight.values()]
    return {
      known: all.filter(({ number }) => number > happened),
      forgotten: Math.max(0, this.#forgotten - settled),
    }
  }
}

/** About how many bytes the records of `changes` take. */
function bytesOf(changes: readonly Change[]): number {
  let bytes = 0
  for (const { before, after } of changes) bytes += bytesOfValue(before) + bytesOfValue(after)
  return bytes
}

/** One for each character, and eight for everything that there is to hold. */
function bytesOfValue(value: Value | undefined): number {
  const values = value === undefined ? [] : [value]
  let bytes = 0
  while (values.length > 0) {
    const one = values.pop()
    bytes += typeof one === 'string' ? 8 + one.length : 8
    if (typeof one === 'object' && one !== null) for (const item of Object.values(one)) values.push(item)
  }
  return bytes
}
