import { assert } from '../base/assert.js'
import { asError, VarveError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import type { Entry } from '../log/entry.js'
import { StorageError } from '../log/errors.js'
import type { RowMirror } from '../log/rows.js'
import type { Appended, Durability, Missed, RowOp, StorageAdapter, StorageReport } from '../log/storage.js'
import { type Commit, CommitGroup, isAsDurable } from './commit-group.js'
import type { CommitDraft } from './draft.js'
import { StoreDegradedError } from './errors.js'

/** How far the log has got, as seqs. */
export interface Position {
  /** The last commit that reads can see. */
  readonly visible: number
  /** The last commit that is written at the store's durability level. Never beyond `visible`. */
  readonly durable: number
}

/** Who is told about commits. None of these may throw. */
export interface CommitListener {
  /** Right after a commit was applied, long before it is durable. */
  applied(commit: Commit): void
  /** In seq order, when the commit is durable at its level. */
  published(commit: Commit): void
  /** A commit that had been applied was taken back because it could not be written. */
  undone(commit: Commit): void
}

/** Everything that the sequencer needs. */
export interface SequencerOptions {
  readonly store: string
  readonly storage: StorageAdapter
  readonly report: StorageReport
  readonly runtime: Runtime
  /** Rows of the buckets that are not stored. */
  readonly ephemeral: RowMirror
  readonly durability: Durability
  readonly listener: CommitListener
  readonly onError: (error: Error) => void
}

/** More commits than this are not written in one storage transaction, so that the event loop gets its turn. */
const GROUP_COMMITS_MAX = 1_000
/** A lone writer gives timers and I/O their turn after this many groups, or milliseconds, whichever comes first. */
const GROUPS_IN_TURN_MAX = 16
const TURN_MS_MAX = 2

/**
 * Puts commits into their one order, writes them in groups, and tells the world when they are written.
 *
 * Holds L1: seqs have no gap. L2: time does not go back in the log. L3: durable never passes visible. C2: commits are
 * published in seq order, each once, and only when written. C3: when a group cannot be written, it and everything
 * after it are undone, and every caller is told.
 */
export class Sequencer {
  readonly #options: SequencerOptions
  #visible: number
  #durable: number
  /** Seq of the last entry that the storage has. */
  #head: number
  #lastAt: number
  /** Groups that have not been given to the storage; commits join the last one until it is full. */
  readonly #waiting: CommitGroup[] = []
  /** True while a group is being written, or something else needs the storage for itself. */
  #busy = false
  #isScheduled = false
  /** True after a group of one commit. */
  #isLone = false
  /** When the event loop last had its turn, as far as is known, and how many groups were written since. */
  #turnAt = 0
  #writtenInTurn = 0
  #refusal: VarveError | undefined
  #parted: StoreDegradedError | undefined
  /** Asked before somebody outside begins a write or a transaction: throws where that may not be. */
  onWrite: (() => void) | undefined
  readonly #exclusive: (() => Promise<void>)[] = []
  /** How many commits were submitted, and how many of them are written or undone. */
  #submitted = 0
  #done = 0
  readonly #settling: { readonly ticket: number; readonly resolve: () => void }[] = []
  /** What listeners wrote while they were being told about something else. */
  readonly #unpublished: Commit[] = []
  #isPublishing = false
  /** Seq of the last commit that was published. */
  #published: number

  constructor(options: SequencerOptions) {
    this.#options = options
    const { head, headAt } = options.report
    this.#visible = head
    this.#durable = head
    this.#head = head
    this.#published = head
    this.#lastAt = headAt
  }

  get position(): Position {
    return { visible: this.#visible, durable: this.#durable }
  }

  /** Seq that the next commit will have. */
  get nextSeq(): number {
    return this.#visible + 1
  }

  /** Wall clock for records and entries: never less than that of the last commit (L2). */
  now(): number {
    return Math.max(this.#options.runtime.now(), this.#lastAt)
  }

  /** The time of an entry that would like to be of `wanted`: not before the last one (L2). */
  entryTime(wanted: number | undefined): number {
    return wanted !== undefined && wanted >= this.#lastAt ? wanted : this.now()
  }

  /** A promise that settles when everything submitted so far is written or undone; undefined when it is already. */
  settled(): Promise<void> | undefined {
    if (this.#done === this.#submitted) return undefined
    return new Promise((resolve) => this.#settling.push({ ticket: this.#submitted, resolve }))
  }

  #finish(commits: number): void {
    this.#done += commits
    while (this.#settling.length > 0 && (this.#settling[0] as { ticket: number }).ticket <= this.#done) {
      this.#settling.shift()?.resolve()
    }
  }

  /** From now on every write is refused with `error`. The first reason stays. */
  refuse(error: VarveError): void {
    this.#refusal ??= error
  }

  /** The storage may hold other commits than memory: nothing is written to it any more, and no bucket read from it. */
  #part(cause: Error): void {
    this.#parted ??= new StoreDegradedError(this.#options.store, cause)
    this.refuse(this.#parted)
  }

  /** @throws {StoreDegradedError} the storage may hold other commits than memory: its rows do not fit other buckets. */
  mustAgreeWithStorage(): void {
    if (this.#parted !== undefined) throw this.#parted
  }

  /** @throws the reason, where writes are refused. Nothing was done. */
  mustTakeWrites(): void {
    if (this.#refusal !== undefined) throw this.#refusal
  }

  /**
   * Gives an applied commit its place and sees to it that it is written.
   *
   * @returns undefined when it is durable at its level already; otherwise a promise that settles then. When it rejects,
   *   the commit was undone.
   */
  submit(draft: CommitDraft, durability: Durability = this.#options.durability): Promise<void> | undefined {
    const commit: Commit = { draft, entry: this.#entryOf(draft), durability }
    this.#options.listener.applied(commit)
    this.#submitted++
    if (!this.#busy && this.#waiting.length === 0) {
      if (this.#options.storage.immediate === true) return this.#writeAtOnce(commit)
      if (commit.entry === undefined) {
        this.#publish([commit])
        this.#finish(1)
        return undefined
      }
    }
    const group = this.#join(commit)
    this.#hurry()
    if (durability !== 'memory') return group.written()
    group.answered++
    return undefined
  }

  /** @throws {StorageError} it could not be written, and was undone. */
  #writeAtOnce(commit: Commit): undefined {
    const group = new CommitGroup(commit)
    this.#write(group)
    if (group.failure !== undefined) throw group.failure
  }

  /** @returns the group that the commit is in now: the last one. */
  #join(commit: Commit): CommitGroup {
    const last = this.#waiting.at(-1)
    if (last !== undefined && last.commits.length < GROUP_COMMITS_MAX) {
      last.add(commit)
      return last
    }
    const group = new CommitGroup(commit)
    this.#waiting.push(group)
    return group
  }

  #entryOf(draft: CommitDraft): Entry | undefined {
    if (!draft.isLogged) return undefined
    const at = draft.at ?? this.now()
    assert(at >= this.#lastAt, 'L2', () => `time goes back from ${this.#lastAt} to ${at}`)
    const seq = this.#visible + 1
    this.#lastAt = at
    this.#visible = seq
    const entry: { -readonly [F in keyof Entry]: Entry[F] } = {
      seq,
      id: `${this.#options.report.logId}-${seq}`,
      at,
      type: draft.type,
      changes: draft.loggedChanges,
    }
    if (draft.data !== undefined) entry.data = draft.data
    if (draft.meta !== undefined) entry.meta = draft.meta
    if (draft.event !== undefined) entry.event = draft.event
    if (draft.clearedBuckets.length === 0) return entry
    const cleared = draft.clearedBuckets.filter(({ bucket }) => bucket.persistent).map(({ bucket }) => bucket.name)
    if (cleared.length > 0) entry.cleared = cleared
    return entry
  }

  /** Sees to it that what waits is written in a task of its own: whatever is about to write in this turn joins the group. */
  #schedule(): void {
    if (this.#isScheduled || this.#busy) return
    this.#isScheduled = true
    this.#options.runtime.defer(() => {
      this.#turnAt = this.#options.runtime.elapsed()
      this.#writtenInTurn = 0
      this.#writeDue()
    })
  }

  /**
   * As `schedule`, but still in this turn where the writer seems to be alone: one that waits for each of its writes has
   * nobody to wait for, and a task costs more than all else that is done for a commit.
   *
   * Timers and I/O are not starved: after a few groups, or milliseconds, the next one is a task again. That is also what
   * brings writers together that run in the same turn and do not know of each other.
   */
  #hurry(): void {
    if (this.#isScheduled || this.#busy) return
    const { runtime } = this.#options
    const isAlone = this.#isLone && this.#writtenInTurn < GROUPS_IN_TURN_MAX
    if (!isAlone || runtime.elapsed() - this.#turnAt >= TURN_MS_MAX) return this.#schedule()
    this.#isScheduled = true
    void Promise.resolve().then(() => this.#writeDue())
  }

  #writeDue(): void {
    this.#isScheduled = false
    if (!this.#busy) this.#writeNext()
  }

  #writeNext(): void {
    const group = this.#waiting.shift()
    if (group === undefined) this.#rest()
    else this.#write(group)
  }

  #write(group: CommitGroup): void {
    const { entries, ops, durability } = group
    this.#busy = true
    this.#isLone = group.commits.length === 1
    this.#writtenInTurn++
    let outcome: Appended | Missed | Promise<Appended | Missed> = { appended: true, head: this.#head }
    try {
      if (entries.length > 0) outcome = this.#options.storage.append(this.#head, { entries, ops, durability })
    } catch (error) {
      this.#failed(group, error)
      return
    }
    if (!(outcome instanceof Promise)) this.#written(group, outcome)
    else {
      outcome.then(
        (result) => this.#written(group, result),
        (error: unknown) => this.#failed(group, error),
      )
    }
  }

  #written(group: CommitGroup, outcome: Appended | Missed): void {
    const expected = this.#head + group.entries.length
    if (!outcome.appended || outcome.head !== expected) {
      const cause = new StorageError(`another writer has appended to the log of store "${this.#options.store}"`)
      this.#part(cause)
      this.#failed(group, cause)
      return
    }
    this.#head = expected
    if (isAsDurable(group.durability, this.#options.durability)) this.#durable = expected
    assert(this.#durable <= this.#visible, 'L3', () => `durable ${this.#durable} is beyond visible ${this.#visible}`)
    this.#busy = false
    this.#publish(group.commits)
    group.settle()
    this.#finish(group.commits.length)
    this.#rest()
  }

  #failed(group: CommitGroup, thrown: unknown): void {
    const error = thrown instanceof VarveError ? thrown : this.#wrap(thrown)
    if (error instanceof StorageError && error.outcome === 'unknown') {
      this.#part(error)
    }
    // Everything after the group stands on it, so it goes too, the last one first.
    const lost = [group, ...this.#waiting.splice(0)]
    for (const { commits } of lost.toReversed()) for (const { draft } of commits.toReversed()) draft.undo()
    this.#visible = this.#head
    this.#busy = false
    for (const one of lost) {
      // What waited behind the group was never given to the storage: of that alone it is known that it is not written.
      const failure = one === group ? error : (this.#parted ?? error)
      for (const commit of one.commits) this.#options.listener.undone(commit)
      for (let count = 0; count < one.answered; count++) this.#options.onError(failure)
      one.settle(failure)
    }
    for (const { commits } of lost) this.#finish(commits.length)
    this.#rest()
  }

  #wrap(thrown: unknown): StorageError {
    const message = `store "${this.#options.store}": the storage failed: ${asError(thrown).message}; nothing was written`
    return new StorageError(message, { cause: thrown })
  }

  #publish(commits: readonly Commit[]): void {
    for (const { draft } of commits)
      if (draft.ephemeralOps.length > 0) this.#options.ephemeral.apply(draft.ephemeralOps)
    // A listener may write; what it writes is published after what it was told about.
    if (this.#isPublishing) {
      this.#unpublished.push(...commits)
      return
    }
    this.#isPublishing = true
    for (const commit of commits) this.#publishOne(commit)
    while (this.#unpublished.length > 0) this.#publishOne(this.#unpublished.shift() as Commit)
    this.#isPublishing = false
  }

  #publishOne(commit: Commit): void {
    try {
      const seq = commit.entry?.seq ?? this.#published
      const isNext = commit.entry === undefined || (seq === this.#published + 1 && seq <= this.#head)
      assert(isNext, 'C2', () => `commit ${seq} is published after ${this.#published}, written is ${this.#head}`)
      this.#published = seq
      this.#options.listener.published(commit)
    } catch (bug) {
      // The commit stands; but who has heard of it is not known any more, so nothing is added to the confusion.
      this.refuse(new StoreDegradedError(this.#options.store, asError(bug)))
      this.#options.onError(asError(bug))
    }
  }

  /** Goes on with whatever is due next; work that needs the storage for itself comes before the next group. */
  #rest(): void {
    if (this.#busy) return
    const work = this.#exclusive.shift()
    if (work !== undefined) {
      this.#busy = true
      void work().then(() => {
        this.#busy = false
        this.#rest()
      })
      return
    }
    if (this.#waiting.length > 0) this.#schedule()
  }

  /** Runs `work` between two groups: nothing is being written until it is done. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#exclusive.push(() => attempt(work).then(resolve, reject))
      this.#rest()
    })
  }

  /** Applies row steps that are not part of any commit. */
  async writeRows(ops: readonly RowOp[]): Promise<void> {
    const { storage, durability } = this.#options
    await this.exclusive(async () => {
      const outcome = await storage.append(this.#head, { entries: [], ops, durability })
      if (!outcome.appended)
        throw new StorageError(`another writer has appended to the log of store "${this.#options.store}"`)
    })
  }

  /** Makes all commits so far durable at the strongest level that the storage has. */
  async flush(): Promise<void> {
    await this.settled()
    await this.exclusive(async () => {
      await this.#options.storage.flush()
      this.#durable = this.#head
    })
  }
}

/** Runs `work`; what it throws before it has a promise rejects like what it throws later. */
async function attempt<T>(work: () => Promise<T>): Promise<T> {
  return work()
}
