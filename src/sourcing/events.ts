import { asError, InvalidArgumentError, VarveError } from '../base/errors.js'
import type { Bucket } from '../commit/bucket.js'
import { CommitDraft } from '../commit/draft.js'
import { BucketNotDefinedError, BucketUnavailableError } from '../commit/errors.js'
import type { Committed, Transaction } from '../commit/transaction.js'
import { TransactionBucketHandle } from '../commit/transaction-handle.js'
import type { CommitNote } from '../commit/write-options.js'
import type { Engine } from '../engine.js'
import { isInternalBucket, isSourcedType, sourcedType } from '../log/entry.js'
import type { EventData } from '../log/entry.js'
import { readArguments } from './event-arguments.js'
import type { EventArguments } from './event-arguments.js'
import type { EventReceipt } from './event-definition.js'
import { EventRegistry } from './event-registry.js'
import { EventRun } from './event-run.js'
import type { EventParts } from './event-parts.js'
import type { Dispatch, EventInput } from './running-event.js'
import { askable, describeFailure, EventFailedError, EventNotDefinedError, plainFailure } from './errors.js'
import { Guard } from './guard.js'
import type { ProjectionDefinitions } from './projection-definition.js'
import { Projections } from './projections.js'
import { copyData, disown } from './promises.js'
import { EventQueue } from './queue.js'
import { EventSeed } from './seeded-stream.js'
import { SourcedBucketHandle, SourcedTransactionHandle } from './sourced-handle.js'

/** How often an event is handled again because somebody else has changed what its handlers had read. */
const CONFLICT_RETRIES_MAX = 20

/** How a store deals with events. */
export interface EventsOptions {
  /** What becomes of events that nobody has defined. */
  readonly unknownEvents: 'refuse' | 'keep'
  /** Whether handlers are run twice, to report those that do not give the same again. */
  readonly checkDeterminism: boolean
  /** Whether queued events are handled from the start, or when somebody says so. */
  readonly queue: 'running' | 'paused'
}

/** An event after its commit. */
interface Handled {
  readonly run: EventRun
  /** Undefined where there was nothing to commit: a write to a sourced bucket that changes nothing. */
  readonly committed: Committed | undefined
  /** When it happened. */
  readonly at: number
}

/** What an attempt to handle an event has failed with. */
interface Refused {
  readonly error: unknown
  /** There where somebody else had changed what it had read before it failed: it may do better next time. */
  readonly conflict: Error | undefined
}

/** The events of one store: takes them in, and handles each in a transaction of its own. */
export class Events {
  readonly registry: EventRegistry
  readonly #engine: Engine
  readonly #parts: { -readonly [P in keyof EventParts]: EventParts[P] }
  readonly #runs = new WeakMap<Transaction, EventRun>()
  readonly queue: EventQueue
  readonly projections: Projections

  constructor(engine: Engine) {
    const { runtime } = engine.options
    this.#engine = engine
    this.registry = new EventRegistry()
    this.queue = new EventQueue(engine, this)
    const bucketOf = (name: string): Bucket => {
      if (isInternalBucket(name)) throw new BucketNotDefinedError(name)
      return engine.catalog.must(name)
    }
    this.projections = new Projections(engine, this.registry, bucketOf)
    this.#parts = {
      registry: this.registry,
      runtime,
      now: () => engine.sequencer.now(),
      bucketOf,
      commitHook: this.projections,
      handleOf: (transaction, bucket, include, depth) =>
        bucket.definition.sourced === true
          ? new SourcedTransactionHandle(transaction, bucket, include, depth)
          : new TransactionBucketHandle(transaction, bucket),
      guard: undefined,
      pure: { isRunning: false, attempt: undefined },
    }
    engine.transactions.handleOf = (transaction, bucket) =>
      this.#parts.handleOf(transaction, bucket, (input) => this.#runOf(transaction).include(input), 0)
    engine.sequencer.onWrite = () => this.#mustHaveNoHandler('a write or a transaction')
    engine.catalog.onSourced = (bucket) => this.registry.defineSourced(sourcedType(bucket), bucket)
  }

  /** What its events have in common, for a replay. */
  get parts(): EventParts {
    return this.#parts
  }

  /** The handle of a bucket whose writes are events. */
  handle<D, L>(bucket: Bucket): SourcedBucketHandle<D, L> {
    return new SourcedBucketHandle<D, L>(bucket, this.#engine, (input, note) => this.#write(input, note))
  }

  /** Takes what `Store.start` was given, and goes on with what was left to do. @throws {EventDefinitionError} */
  async start(
    definitions: { readonly [type: string]: unknown },
    projections: ProjectionDefinitions,
    options: EventsOptions,
  ): Promise<void> {
    this.registry.keepsUnknown = options.unknownEvents === 'keep'
    if (options.checkDeterminism) this.#parts.guard = new Guard(this.#engine.options.onError)
    this.registry.defineAll(definitions)
    await this.projections.start()
    for (const [name, projection] of Object.entries(projections)) await this.projections.define(name, projection)
    await this.queue.resumeStored(options.queue === 'paused')
  }

  /** Whether a handler runs that must not have effects. What it does all the same is refused, and fails its event. */
  get isPure(): boolean {
    return this.#parts.pure.isRunning
  }

  #mustHaveNoHandler(what: string): void {
    const { pure } = this.#parts
    if (!pure.isRunning) return
    const place =
      'to be called outside of preprocess, reduce and derive (they return what they want done; or use transact)'
    pure.attempt ??= new InvalidArgumentError(what, place, undefined, 'a call inside of one')
    throw pure.attempt
  }

  /** What `dispatch` was called with, checked. @throws {InvalidArgumentError} @throws {EventNotDefinedError} nothing was done. */
  parse(method: string, first: unknown, data: unknown, options: unknown): Dispatch & EventArguments {
    const given = readArguments(method, first, data, options)
    const { type } = given
    this.#mustHaveNoHandler(`${method}("${type}")`)
    const { bucket } = this.registry.must(type)
    // The bucket may have been dropped, and may have come back as a plain one.
    if (bucket !== undefined && !this.#isSourced(bucket)) throw new EventNotDefinedError(type)
    const copy = given.data === undefined ? {} : copyData(`${method}("${type}", data)`, given.data)
    return { ...given, data: copy, seed: this.seed() }
  }

  #isSourced(bucket: string): boolean {
    const { catalog } = this.#engine
    return catalog.has(bucket) && catalog.must(bucket).definition.sourced === true
  }

  /**
   * Data for events of `type`, complete and checked as at a dispatch, without handling anything.
   *
   * @throws {EventNotDefinedError} @throws {InvalidArgumentError} @throws {ValidationError}
   */
  checkData(method: string, type: string, data: unknown): { readonly data: EventData; readonly version: number } {
    const { schema, version } = this.registry.must(type)
    const copy = data === undefined ? {} : copyData(`${method}("${type}", data)`, data)
    try {
      return { data: schema.check(copy, this.#parts.runtime), version }
    } catch (error) {
      // A validator that breaks is no better than a handler that does.
      if (askable(error) instanceof VarveError) throw error
      throw new EventFailedError('validate', undefined, [type], error)
    }
  }

  /**
   * Puts an event into the queue.
   *
   * @returns its id, when it is durable there.
   * @throws as `parse`; and {ValidationError} its data does not fit; nothing was done.
   */
  async enqueue(first: unknown, data: unknown, options: unknown): Promise<number> {
    const event = this.parse('enqueue', first, data, options)
    const checked = this.checkData('enqueue', event.type, event.data)
    const { delayMs = 0 } = event
    const lane = event.lane ?? this.registry.must(event.type).lane?.(checked.data)
    if (lane !== undefined && typeof lane !== 'string') {
      disown(lane)
      throw new InvalidArgumentError(`enqueue("${event.type}", data, { lane })`, 'a string', lane)
    }
    if (!(typeof delayMs === 'number' && delayMs >= 0 && Number.isFinite(delayMs))) {
      throw new InvalidArgumentError(`enqueue("${event.type}", data, { delayMs })`, 'milliseconds from 0', delayMs)
    }
    return this.queue.add({ ...event, ...checked }, lane, delayMs)
  }

  /** Randomness for a new event. */
  seed(text?: string): EventSeed {
    return new EventSeed(() => this.#parts.runtime.uuid(), text)
  }

  /**
   * Handles an event.
   *
   * @returns what became of it, when that is durable.
   * @throws {EventFailedError} nothing was written. @throws {StorageError} it could not be written, and was undone.
   */
  async dispatch(event: Dispatch, isRecorded = true): Promise<EventReceipt> {
    try {
      const { run, committed, at } = await this.#handle(event)
      const { data, events, result } = run.handled
      const { seq = this.#engine.sequencer.position.visible, changes = [] } = committed ?? {}
      const own = changes.filter(({ bucket }) => !isInternalBucket(bucket))
      // The log has the same ones.
      for (const change of own) Object.freeze(change)
      return Object.freeze({ seq, type: event.type, data, at, changes: Object.freeze(own), events, result })
    } catch (error) {
      if (isRecorded && error instanceof EventFailedError) await this.#record(event, error)
      throw error
    }
  }

  async #write(input: EventInput, note: CommitNote): Promise<unknown> {
    try {
      const { run } = await this.#handle({ ...input, at: undefined, note, seed: this.seed() })
      return run.handled.result
    } catch (error) {
      throw plainFailure(error, 0)
    }
  }

  async #handle(event: Dispatch): Promise<Handled> {
    const { transactions } = this.#engine
    for (let attempt = 0; ; ) {
      const transaction = transactions.begin()
      let outcome: Handled | Refused
      try {
        outcome = await this.#attempt(event, transaction)
      } finally {
        transactions.end(transaction)
      }
      if ('run' in outcome) return outcome
      const { error, conflict } = outcome
      const absent = this.#absentBucket(error)
      // Buckets that load, or that come back after a crash, are waited for; one that never will says so here.
      if (absent !== undefined && absent.process.state !== 'running') {
        await this.#await(event, absent)
        continue
      }
      // It has come up meanwhile; or a handler says so of a bucket that is there, which does not get better by itself.
      if (absent === undefined && conflict === undefined) throw error
      if (attempt >= CONFLICT_RETRIES_MAX) {
        throw conflict === undefined ? error : new EventFailedError('commit', undefined, [event.type], conflict)
      }
      await transactions.pause(attempt++)
    }
  }

  /** Says of a refusal whether there was a conflict then: one that comes later has nothing to do with it. */
  async #attempt(event: Dispatch, transaction: Transaction): Promise<Handled | Refused> {
    const { sequencer, transactions } = this.#engine
    const clock = sequencer.now()
    const at = event.at ?? clock
    const run = new EventRun(this.#parts, transaction, { at, meta: event.note.meta, seed: event.seed }, clock, true)
    try {
      event.before?.(transaction)
      const done = run.start(event)
      if (done !== undefined) await done
    } catch (error) {
      return { error, conflict: transaction.conflict }
    }
    const before = transaction.conflict
    try {
      const committed = await transactions.commit(transaction, event.note)
      return { run, committed, at }
    } catch (error) {
      const { conflict } = transaction
      const isConflict = conflict !== undefined && (error === conflict || causeOf(error) === conflict)
      if (isConflict || before !== undefined) return { error, conflict }
      const failed = isOfEvent(error) ? new EventFailedError('commit', undefined, [event.type], error) : error
      return { error: failed, conflict: undefined }
    }
  }

  /** The bucket that has to come up before the event can be handled. */
  #absentBucket(error: unknown): Bucket | undefined {
    const cause = causeOf(error)
    if (!(cause instanceof BucketUnavailableError)) return undefined
    const { catalog } = this.#engine
    const { bucket } = cause
    if (isInternalBucket(bucket)) return catalog.own(bucket)
    return catalog.has(bucket) ? catalog.must(bucket) : undefined
  }

  async #await(event: Dispatch, bucket: Bucket): Promise<void> {
    try {
      await bucket.whenReady()
    } catch (error) {
      throw new EventFailedError('reduce', undefined, [event.type], error)
    }
  }

  #runOf(transaction: Transaction): EventRun {
    let run = this.#runs.get(transaction)
    if (run === undefined) {
      const clock = this.#engine.sequencer.now()
      run = new EventRun(this.#parts, transaction, { at: clock, meta: undefined, seed: this.seed() }, clock, false)
      this.#runs.set(transaction, run)
    }
    return run
  }

  /** Writes a failure to the log, where its type wants that. */
  async #record({ type, data, note }: Dispatch, error: EventFailedError): Promise<void> {
    if (!this.registry.must(type).recordFailures || typeof data === 'function') return
    await this.recordFailure(type, data, error, note)
  }

  /** Writes a failure to the log. Where that fails too, `onError` is told. */
  async recordFailure(type: string, data: EventData, error: EventFailedError, note: CommitNote = {}): Promise<void> {
    try {
      const draft = new CommitDraft('store/failure', Object.freeze({ type, data, error: describeFailure(error) }))
      draft.meta = note.meta
      draft.event = {}
      this.#engine.sequencer.mustTakeWrites()
      await this.#engine.sequencer.submit(draft, note.durability)
    } catch (also) {
      this.#engine.options.onError(asError(also))
    }
  }
}

/** Whether a commit was refused because of what the event wants, and not because the storage cannot write. */
function isOfEvent(error: unknown): boolean {
  return (
    error instanceof VarveError &&
    ['UNIQUE_CONSTRAINT', 'DUPLICATE_KEY', 'BUCKET_NOT_DEFINED', 'BUCKET_OWNED'].includes(error.code)
  )
}

/** Why an event has failed; of any other error, that one. */
function causeOf(error: unknown): unknown {
  return error instanceof EventFailedError ? error.cause : error
}

/** The options of `Store.start` that are about events. @throws {InvalidArgumentError} @throws {EventDefinitionError} */
export function checkEventOptions(
  events: unknown,
  unknownEvents: unknown,
  checkDeterminism: unknown,
  queue: unknown,
): EventsOptions {
  if (typeof events !== 'object' || events === null || Array.isArray(events)) {
    throw new InvalidArgumentError('Store.start({ events })', 'an object of event definitions', events)
  }
  if (unknownEvents !== undefined && unknownEvents !== 'refuse' && unknownEvents !== 'keep') {
    throw new InvalidArgumentError('Store.start({ unknownEvents })', '"refuse" or "keep"', unknownEvents)
  }
  if (checkDeterminism !== undefined && typeof checkDeterminism !== 'boolean') {
    throw new InvalidArgumentError('Store.start({ checkDeterminism })', 'true or false', checkDeterminism)
  }
  if (queue !== undefined && queue !== 'running' && queue !== 'paused') {
    throw new InvalidArgumentError('Store.start({ queue })', '"running" or "paused"', queue)
  }
  // What is wrong with them is said before anything is opened.
  const own = Object.entries(events).filter(([type]) => !isSourcedType(type))
  new EventRegistry().defineAll(Object.fromEntries(own))
  return {
    unknownEvents: unknownEvents ?? 'refuse',
    checkDeterminism: checkDeterminism ?? false,
    queue: queue ?? 'running',
  }
}
