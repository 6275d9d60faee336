import type { Entry } from '../log/entry.js'
import type { Durability, RowOp } from '../log/storage.js'
import type { CommitDraft } from './draft.js'

/** A commit that has its place, on its way to the storage. */
export interface Commit {
  readonly draft: CommitDraft
  /** Undefined where only buckets that are not stored are concerned. */
  readonly entry: Entry | undefined
  readonly durability: Durability
}

const LEVELS: readonly Durability[] = ['memory', 'process', 'disk']

/** True when what survives at `level` survives whatever `other` survives. */
export function isAsDurable(level: Durability, other: Durability): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(other)
}

/**
 * Commits that are written in one storage transaction, in seq order: at least one. All of them are written, or none is,
 * so everybody who waits for one of them waits for the same promise.
 */
export class CommitGroup {
  readonly commits: Commit[]
  readonly entries: Entry[]
  /** That of the strongest of its commits. */
  durability: Durability
  /** How many of its commits were answered for before they were written: nobody waits for them. */
  answered = 0
  /** Why it was undone. */
  failure: Error | undefined
  #written: Promise<void> | undefined
  #settle: ((failure: Error | undefined) => void) | undefined

  constructor(first: Commit) {
    this.commits = [first]
    this.entries = first.entry === undefined ? [] : [first.entry]
    this.durability = first.durability
  }

  /** Takes in one more commit, which comes after all others. */
  add(commit: Commit): void {
    this.commits.push(commit)
    if (commit.entry !== undefined) this.entries.push(commit.entry)
    if (!isAsDurable(this.durability, commit.durability)) this.durability = commit.durability
  }

  /** The row steps of all its commits, in order. */
  get ops(): readonly RowOp[] {
    const { commits } = this
    return commits.length === 1 ? (commits[0] as Commit).draft.ops : commits.flatMap(({ draft }) => draft.ops)
  }

  /** A promise that resolves when the group is written, and rejects when it was undone. */
  written(): Promise<void> {
    this.#written ??= new Promise((resolve, reject) => {
      this.#settle = (failure) => (failure === undefined ? resolve() : reject(failure))
    })
    return this.#written
  }

  /** Tells whoever waits that the group is written, or why it was undone. */
  settle(failure?: Error): void {
    this.failure = failure
    this.#settle?.(failure)
  }
}
