import { asError } from './base/errors.js'
import type { Bucket } from './commit/bucket.js'
import { StoreDegradedError, StoreStoppedError } from './commit/errors.js'
import { Sequencer } from './commit/sequencer.js'
import type { Commit } from './commit/commit-group.js'
import type { CommitListener, Position } from './commit/sequencer.js'
import { Transactions } from './commit/transactions.js'
import { Bus } from './events/bus.js'
import { publishCommit } from './lifecycle/bucket-events.js'
import type { StoreEvent } from './lifecycle/bucket-events.js'
import { Catalog } from './lifecycle/catalog.js'
import { Expiry } from './lifecycle/expiry.js'
import { RowMirror } from './log/rows.js'
import type { StorageReport } from './log/storage.js'
import type { SubscribeLive } from './query/live.js'
import { LiveQueries } from './reactive/live-queries.js'
import { LiveResults } from './reactive/live-results.js'
import type { TraceHost } from './reactive/tracing.js'
import type { View } from './reactive/view.js'
import { Views } from './reactive/views.js'
import type { CheckedOptions } from './store-options.js'
import type { Child, SupervisionEvent } from './supervise/child.js'
import { Process } from './supervise/process.js'
import { Supervisor } from './supervise/supervisor.js'

/** The parts of one running store, put together. What each does is said, and decided, in its own file. */
export class Engine implements CommitListener {
  readonly options: CheckedOptions
  readonly report: StorageReport
  readonly bus: Bus<StoreEvent>
  readonly sequencer: Sequencer
  readonly transactions: Transactions
  readonly catalog: Catalog
  readonly views: Views
  readonly trace: TraceHost = { active: undefined, use: undefined, release: undefined }
  readonly live: LiveResults
  readonly queries: LiveQueries
  readonly expiry: Expiry
  readonly supervisor: Supervisor
  isStopped = false
  /** How many commits were applied and taken back. */
  undoneCount = 0
  /** Told after each commit that was published, by what is built on top of the small store. */
  onPublished: (() => void) | undefined
  readonly #positionListeners = new Set<(position: Position) => void>()
  #isPositionDue = false

  /** Opens the storage and starts everything. @throws {StorageError} nothing is left running. */
  static async open(options: CheckedOptions): Promise<Engine> {
    const { storage, name, runtime, onError } = options
    const { now, uuid, setTimer } = runtime
    try {
      return new Engine(options, await storage.open({ store: name, now, uuid, setTimer, onError }))
    } catch (error) {
      // What went wrong first is what the caller has to hear.
      await storage.close().catch((also: unknown) => onError(asError(also)))
      throw error
    }
  }

  private constructor(options: CheckedOptions, report: StorageReport) {
    const { runtime, storage, onError, name } = options
    const bucketOf = (bucket: string) => this.catalog.must(bucket)
    const ephemeral = new RowMirror()
    const durability = options.durability ?? report.durability
    this.options = options
    this.report = report
    this.bus = new Bus<StoreEvent>((error) => onError(asError(error)))
    this.sequencer = new Sequencer({
      store: name,
      storage,
      report,
      runtime,
      ephemeral,
      durability,
      listener: this,
      onError,
    })
    this.transactions = new Transactions(this.sequencer, runtime, bucketOf)
    const { selfCheck } = options
    const onDiverged = (error: Error, view: View): void => void this.#diverged(view, error)
    const isReady = (bucket: string): boolean => this.catalog.has(bucket) && bucketOf(bucket).process.isReady
    this.views = new Views({ bucketOf, isReady, runtime, selfCheck, onDiverged })
    const reactive = { sequencer: this.sequencer, bucketOf, views: this.views, trace: this.trace, onError }
    this.live = new LiveResults(reactive)
    this.queries = new LiveQueries({ ...reactive, runtime })
    const onEvent = (event: SupervisionEvent): void => this.bus.publish(['process', event.process, event.type], event)
    const onEscalate = (error: Error): void => this.sequencer.refuse(new StoreDegradedError(name, error))
    this.supervisor = new Supervisor({ name, strategy: 'one_for_one', onEvent, onEscalate }, runtime)
    const { sequencer, supervisor } = this
    const onLoaded = (bucket: Bucket): void => {
      this.expiry.loaded(bucket)
      this.trace.active?.reloaded(bucket.name)
      // Queries that have missed the bucket, or have read an earlier one of its name, look again.
      this.queries.react({ changes: [], cleared: [bucket.name] })
      this.views.reloaded(bucket.name)
    }
    this.catalog = new Catalog({ runtime, sequencer, storage, report, ephemeral, supervisor, onLoaded })
    const { ttlCheckIntervalMs: intervalMs } = options
    this.expiry = new Expiry({
      runtime,
      sequencer: this.sequencer,
      buckets: () => this.catalog.buckets,
      intervalMs,
      onError,
    })
    void this.supervise(
      new Process({ name: 'expiry', start: () => this.expiry.start(), stop: () => this.expiry.stop() }, runtime),
    )
  }

  /** Subscribes to the rows of a question, for handles. */
  readonly subscribeLive: SubscribeLive = (question, callback, options) =>
    this.live.subscribe(question, callback, options)

  /** Puts a process, or a supervisor of them, under the store's own. */
  supervise(child: Child): Promise<void> {
    return this.supervisor.startChild(child)
  }

  /** Later, because that is found in the middle of a commit, and who is told may write. */
  async #diverged({ text, question }: View, error: Error): Promise<void> {
    await Promise.resolve()
    const { bucket } = question.spec
    this.bus.publish(['view', bucket, 'diverged'], { type: 'diverged', bucket, query: text, error })
    this.options.onError(error)
  }

  /** Calls `listener` whenever the position of the log has moved. @returns ends it. */
  onPosition(listener: (position: Position) => void): () => void {
    // The same function may be given twice, and ended once.
    const own = (position: Position): void => listener(position)
    this.#positionListeners.add(own)
    return () => void this.#positionListeners.delete(own)
  }

  /** Tells who listens where the log is now: in a promise job, because who listens may write, and nothing else may be half done then. */
  positionMoved(): void {
    if (this.#positionListeners.size === 0 || this.#isPositionDue) return
    this.#isPositionDue = true
    void Promise.resolve().then(() => this.#tellPosition())
  }

  #tellPosition(): void {
    this.#isPositionDue = false
    const { position } = this.sequencer
    for (const listener of [...this.#positionListeners]) {
      if (!this.#positionListeners.has(listener)) continue
      try {
        listener(position)
      } catch (error) {
        this.options.onError(asError(error))
      }
    }
  }

  applied(commit: Commit): void {
    const { draft } = commit
    this.trace.active?.applied(commit)
    this.transactions.observe(draft, false)
    this.views.applied(draft)
    this.queries.overtake(draft, false)
    this.positionMoved()
  }

  published(commit: Commit): void {
    this.trace.active?.published(commit)
    this.queries.react(commit.draft)
    this.views.announce()
    this.expiry.notice(commit.draft.changes)
    this.onPublished?.()
    publishCommit(this.bus, commit)
    this.positionMoved()
  }

  undone(commit: Commit): void {
    const { draft } = commit
    this.undoneCount++
    this.trace.active?.undone(commit)
    this.transactions.observe(draft, true)
    this.queries.overtake(draft, true)
    this.queries.react(draft)
    this.views.undone(draft)
    this.positionMoved()
  }

  /** Writes what was submitted, then ends everything. What is asked for from now on is refused. */
  async stop(): Promise<void> {
    this.isStopped = true
    await this.supervisor.stop(new StoreStoppedError(this.options.name))
    await this.sequencer.settled()
    try {
      this.queries.stop()
      this.live.stop()
    } finally {
      // Whatever is wrong with subscriptions: the file, and its lock, are let go.
      await this.options.storage.close()
    }
  }
}
