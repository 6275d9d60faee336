import { assert } from '../base/assert.js'
import { InvalidArgumentError } from '../base/errors.js'
import { TransactionEndedError } from '../commit/errors.js'
import type { EntryHead, Transaction } from '../commit/transaction.js'
import type { Change, EntryEvent, EventData, SubEvent } from '../log/entry.js'
import { copyPlainObject, deepFreeze } from '../schema/copy-value.js'
import { applyResult } from './apply-result.js'
import type { ResultTarget } from './apply-result.js'
import type { EventParts } from './event-parts.js'
import type { EventType, NamedHandlers } from './event-registry.js'
import { EventRecursionError } from './errors.js'
import type { EventPhase } from './errors.js'
import { AppliedSubEvent, RunningEvent } from './running-event.js'
import type { Asked, EventInput, EventRoot } from './running-event.js'
import { HandlerTransaction } from './handler-context.js'
import { copyData, disown } from './promises.js'
import { Handling } from './handling.js'
import { SeededRuntime } from './seeded-stream.js'
import type { GivenWrite } from './sourced-write.js'
import type { CurrentData } from './upcast.js'

/** Deepest nesting of sub-events. */
export const DEPTH_MAX = 100
/** Most sub-events of one event, all levels together. */
export const SUB_EVENTS_MAX = 10_000

/**
 * The life of one event, and of the sub-events that it brings about, within one transaction: preprocess, reduce, apply,
 * derive, sub-events depth first, transact. What is not `transact` never waits.
 *
 * Holds EV1: all of it is one commit, or none. EV2: reducers of an event see the state before it.
 */
export class EventRun implements EntryHead {
  readonly #parts: EventParts
  readonly #transaction: Transaction
  readonly #root: EventRoot
  readonly #handling: Handling
  readonly #clock: number
  /** Whether the transaction is the event, rather than has some. */
  readonly #isEvent: boolean
  #main: RunningEvent | undefined
  /** Events of a transaction that is none itself. */
  readonly #loose: SubEvent[] = []
  #count = 0
  /** How many there were before the event that no other has brought about. */
  #countFrom = 0
  /** Events that have begun and not come to their end. */
  #open = 0
  /** The writes of reducers that are being collected must not be seen by others of the same event (EV2). */
  #reducing = false

  /** Takes over what the entry of `transaction` says. */
  constructor(parts: EventParts, transaction: Transaction, root: EventRoot, clock: number, isEvent: boolean) {
    this.#parts = parts
    this.#transaction = transaction
    this.#root = root
    this.#handling = new Handling(parts, transaction, root)
    this.#clock = clock
    this.#isEvent = isEvent
    transaction.head = this
    // The records of an event are of one time, those of a transaction each of its own.
    const now = isEvent ? () => clock : parts.now
    transaction.source = new SeededRuntime(parts.runtime, now, root.seed, () => 'records')
  }

  get type(): string {
    return this.#isEvent && this.#main !== undefined ? this.#main.type : 'store/transaction'
  }

  get data(): EventData | undefined {
    const data = this.#isEvent ? this.#main?.data : undefined
    return data === undefined || Object.keys(data).length === 0 ? undefined : data
  }

  /** As it was handled. */
  get handled(): { readonly data: EventData; readonly events: readonly SubEvent[]; readonly result: unknown } {
    const { data = {}, subs = [], result } = this.#main ?? {}
    return { data, events: deepFreeze(subs), result }
  }

  event(at: number): EntryEvent | undefined {
    assert(this.#open === 0, 'EV1', () => `${this.#open} events of "${this.type}" are not at their end`)
    const events = this.#isEvent ? this.#main?.subs : this.#loose
    const hasEvents = events !== undefined && events.length > 0
    if (!this.#isEvent && !hasEvents) return undefined
    // A write to a sourced bucket that changes nothing is no more an event than one to a plain bucket is a commit.
    if (this.#isEvent && this.#main?.definition.bucket !== undefined && !this.#main.hasWritten && !hasEvents) {
      return undefined
    }
    const { version = 1 } = this.#isEvent ? (this.#main as RunningEvent) : {}
    const seed = this.#root.seed.text
    return {
      ...(version > 1 && { version }),
      ...(this.#root.at !== at && this.#isEvent && { at: this.#root.at }),
      ...(this.#clock !== at && { clock: this.#clock }),
      ...(seed !== undefined && { seed }),
      ...(hasEvents && { events }),
    }
  }

  waits(): Promise<unknown> | undefined {
    const { commitHook } = this.#parts
    return commitHook.isIdle ? undefined : commitHook.waits(this.#transaction, this.#roots)
  }

  complete(): void {
    const { commitHook } = this.#parts
    if (commitHook.isIdle && this.#isEvent && this.#main?.subs === undefined) return
    const events = this.#roots
    // Nothing comes after this, and the log and the receipt have the same ones.
    deepFreeze(events)
    if (commitHook.isIdle) return
    if (events.length === 0 || this.event(0) === undefined) return
    const { at, meta, entry } = this.#root
    commitHook.complete(this.#transaction, { at, clock: this.#clock, meta, events }, entry)
  }

  /** Its events as the log is about to have them. */
  get #roots(): readonly SubEvent[] {
    if (!this.#isEvent) return this.#loose
    return this.#main === undefined ? [] : [this.#main.record]
  }

  /** Handles the event that the transaction is for. @throws {EventFailedError} whatever was written is to be thrown away. */
  start(input: EventInput): void | Promise<void> {
    return this.#handle(input, undefined, (event) => (this.#main = event))
  }

  /**
   * Handles an event as a part of a transaction that is none itself.
   *
   * @throws {EventFailedError} where it had written anything, the transaction is over.
   */
  include(input: EventInput): unknown {
    return this.#handleFor(input, undefined, false)
  }

  #handleFor(input: EventInput, parent: RunningEvent | undefined, isDispatch: boolean): unknown {
    let own: RunningEvent | undefined
    const failed = (error: unknown): never => {
      // There is no way back to before its first write. And what was dispatched has to happen, or nothing does.
      if (isDispatch || own?.hasWritten === true) this.#transaction.doom(error as Error)
      throw error
    }
    try {
      const done = this.#handle(input, parent, (event) => (own = event))
      if (done === undefined) return own?.result
      return this.#transaction.track(done.then(() => own?.result, failed))
    } catch (error) {
      return failed(error)
    }
  }

  #handle(
    input: EventInput,
    parent: RunningEvent | undefined,
    began: (event: RunningEvent) => void,
  ): void | Promise<void> {
    this.#open++
    let own: RunningEvent | undefined
    const over = (): void => void this.#open--
    const failed = (error: unknown): never => {
      over()
      disown(own?.results)
      throw error
    }
    let done: void | Promise<void>
    try {
      done = this.#live(input, parent, (event) => began((own = event)))
    } catch (error) {
      return failed(error)
    }
    if (done === undefined) over()
    else return done.then(over, failed)
  }

  #live(
    input: EventInput,
    parent: RunningEvent | undefined,
    began: (event: RunningEvent) => void,
  ): void | Promise<void> {
    const { event, asked } = this.#applied(input, parent, began)
    return this.#subEvents(event, asked, 0)
  }

  /** The part of its life that never waits. @param noted is told what it has changed, besides itself. */
  #applied(
    input: EventInput,
    parent: RunningEvent | undefined,
    began: (event: RunningEvent) => void,
    noted?: Change[],
  ): AppliedSubEvent {
    const event = this.#begin(input, parent)
    began(event)
    const begun = event.data
    this.#preprocess(event)
    if (input.given !== undefined) input.given.isChanged = event.data !== begun
    const asked = this.#reduce(event, input.given, noted)
    this.#derive(event, asked)
    if (parent !== undefined) event.takePlace(parent.records)
    else if (!this.#isEvent) event.takePlace(this.#loose)
    return new AppliedSubEvent(event, asked)
  }

  #begin({ type, data, version }: EventInput, parent: RunningEvent | undefined): RunningEvent {
    const path = [...(parent?.path ?? []), type]
    const { registry } = this.#parts
    const definition = this.#handling.guarded('validate', undefined, path, () => registry.must(type))
    if (path.length - 1 > DEPTH_MAX) this.#tooMany('sub-events nested in each other', DEPTH_MAX, path)
    // A transaction that is no event has no limit of its own.
    if (parent === undefined) this.#countFrom = this.#count
    if (this.#count - this.#countFrom > SUB_EVENTS_MAX) this.#tooMany('sub-events of one event', SUB_EVENTS_MAX, path)
    const index = this.#count++
    const given =
      typeof data === 'function'
        ? this.#handling.guarded('validate', undefined, path, () => data(this.#transaction))
        : data
    const current = this.#handling.guarded('upcast', undefined, path, () => this.#current(definition, given, version))
    const event = new RunningEvent(definition, current, this.#root, parent, index)
    event.data = this.#checked(event, current.data, version !== undefined)
    return event
  }

  /** Data of any version, as one of now. Types that nobody has defined have no version. */
  #current(definition: EventType, data: EventData, version = definition.version): CurrentData {
    const { registry } = this.#parts
    if (version === definition.version || registry.find(definition.type) === undefined) return { data, version }
    const raised = copyData(`event "${definition.type}": data`, registry.upcast(definition, data, version))
    return { data: raised, version: definition.version }
  }

  #tooMany(what: string, max: number, path: readonly string[]): never {
    return this.#handling.fail('events', undefined, path, new EventRecursionError(what, max, path))
  }

  /** @param hasPassed its schema, before: its validators are not asked again. */
  #checked(event: RunningEvent, data: EventData, hasPassed: boolean): EventData {
    const { schema } = event.definition
    if (schema.isOpen) return data
    const source = this.#handling.world(event, 'validate', 0)
    return this.#handling.guarded('validate', undefined, event, () => schema.check(data, source, hasPassed))
  }

  #preprocess(event: RunningEvent): void {
    const { handlers } = event.definition
    // What the log has of it is what came out of this.
    if (event.parent === undefined && this.#root.entry !== undefined) return
    for (let i = 0; i < handlers.length; i++) {
      const one = handlers[i] as NamedHandlers
      if (one.preprocess === undefined) continue
      const given = this.#handling.pure(event, 'preprocess', i, (view) => one.preprocess?.(event.seen, view))
      if (given === undefined) continue
      event.results.push(given)
      const data = this.#handling.guarded('preprocess', one.name, event, () =>
        copyPlainObject(`event "${event.type}": what preprocess returned`, given),
      )
      event.data = this.#checked(event, data, true)
    }
  }

  /** Collects what all reducers want, then applies it. @returns the sub-events that they ask for. */
  #reduce(event: RunningEvent, given: GivenWrite | undefined, noted?: Change[]): Asked[] {
    const { handlers } = event.definition
    const { bucket } = event.definition
    const write =
      bucket === undefined ? undefined : this.#handling.sourced(event, bucket, this.#target(event, noted), given)
    const results: { readonly name: string; readonly result: unknown }[] = []
    this.#reducing = true
    try {
      for (let i = 0; i < handlers.length; i++) {
        const one = handlers[i] as NamedHandlers
        if (one.reduce === undefined) continue
        const result = this.#handling.pure(event, 'reduce', i, (view) => one.reduce?.(event.seen, view))
        if (result === undefined || result === null) continue
        results.push({ name: one.name, result })
        event.results.push(result)
      }
    } finally {
      this.#reducing = false
    }
    const from = noted?.length
    if (write !== undefined) event.result = this.#handling.guarded('apply', undefined, event, () => write.apply())
    for (const change of noted?.slice(from) ?? []) event.changes?.push(change)
    const asked: Asked[] = []
    for (const { name, result } of results) this.#apply(event, 'reduce', name, result, asked)
    return asked
  }

  /** @param asked gets the sub-events that are asked for. */
  #derive(event: RunningEvent, asked: Asked[]): void {
    if (event.changes === undefined) return
    const { handlers } = event.definition
    for (let i = 0; i < handlers.length; i++) {
      const one = handlers[i] as NamedHandlers
      if (one.derive === undefined) continue
      const result = this.#handling.pure(event, 'derive', i, (view) => one.derive?.(event.applied as never, view))
      if (result === undefined || result === null) continue
      event.results.push(result)
      this.#apply(event, 'derive', one.name, result, asked)
    }
  }

  #apply(event: RunningEvent, phase: EventPhase, name: string, result: unknown, asked: Asked[]): void {
    // Writes to sourced buckets are sub-events that are applied in their place; what else they bring about comes later.
    const include = (input: EventInput): void => {
      asked.push(this.#applied(input, event, (own) => (own.results = event.results), event.changes))
    }
    const events = this.#handling.guarded(phase === 'derive' ? 'derive' : 'apply', name, event, () =>
      applyResult(this.#target(event, event.changes, include), result),
    )
    if (asked.length + events.length > SUB_EVENTS_MAX) {
      this.#tooMany('sub-events of one event', SUB_EVENTS_MAX, event.path)
    }
    for (const one of events) asked.push(one)
  }

  #target(event: RunningEvent, noted = event.changes, include?: ResultTarget['include']): ResultTarget {
    return {
      transaction: this.#transaction,
      include,
      bucketOf: (name) => this.#handling.ready(name),
      changes: noted,
      written: () => {
        assert(!this.#reducing, 'EV2', `event "${event.type}": written while its reducers run`)
        event.markWritten()
      },
    }
  }

  #subEvents(event: RunningEvent, asked: readonly Asked[], from: number): void | Promise<void> {
    for (let i = from; i < asked.length; i++) {
      const one = asked[i] as Asked
      const done =
        one instanceof AppliedSubEvent
          ? this.#subEvents(one.event, one.asked, 0)
          : this.#handle(this.#inputOf(event, one), event, () => undefined)
      if (done !== undefined) return done.then(() => this.#subEvents(event, asked, i + 1))
    }
    return this.#transact(event, 0)
  }

  #inputOf(event: RunningEvent, asked: unknown): EventInput {
    return this.#handling.guarded('events', undefined, event, () => {
      const { type, data } = copyPlainObject('events[]', asked)
      if (typeof type !== 'string') throw new InvalidArgumentError('events[].type', 'the type of an event', type)
      return { type, data: data === undefined ? {} : copyPlainObject(`events[]: data of "${type}"`, data) }
    })
  }

  #transact(event: RunningEvent, from: number): void | Promise<void> {
    const { handlers } = event.definition
    for (let i = from; i < handlers.length; i++) {
      const one = handlers[i] as NamedHandlers
      if (one.transact === undefined) continue
      const failed = (error: unknown): never => this.#handling.fail('transact', one.name, event, error)
      const keep = (result: unknown): void => {
        // The result of a write is what the write returns.
        if (result !== undefined && event.definition.bucket === undefined) event.result = result
      }
      try {
        const result = one.transact(event.applied, this.#context(event, i))
        if (isPromise(result)) {
          return this.#transaction
            .track(Promise.resolve(result))
            .then(keep, failed)
            .then(() => this.#transact(event, i + 1))
        }
        keep(result)
      } catch (error) {
        failed(error)
      }
    }
  }

  #context(event: RunningEvent, index: number): HandlerTransaction {
    const { bucketOf, handleOf } = this.#parts
    const transaction = this.#transaction
    return new HandlerTransaction(this.#handling.world(event, 'transact', index), {
      bucket: (name) => {
        // After the end, the handle says so to whoever uses it, as that of any transaction.
        if (!transaction.isOver) event.markWritten()
        return handleOf(transaction, bucketOf(name), (input) => this.#handleFor(input, event, false), event.depth + 1)
      },
      dispatch: (type, data) => {
        if (transaction.isOver) throw new TransactionEndedError('', `event "${event.type}": tx.dispatch("${type}")`)
        const copy = data === undefined ? {} : copyData(`dispatch("${type}", data)`, data)
        return this.#handleFor({ type, data: copy }, event, true)
      },
    })
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}
