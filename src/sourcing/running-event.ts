import type { CommitNote } from '../commit/write-options.js'
import type { Transaction } from '../commit/transaction.js'
import type { Change, EventData, SubEvent } from '../log/entry.js'
import type { AppliedEvent, DomainEvent, SubEventInput } from './event-definition.js'
import type { EventType } from './event-registry.js'
import type { EntryPlace } from './event-group.js'
import type { EventSeed } from './seeded-stream.js'
import type { GivenWrite } from './sourced-write.js'
import type { CurrentData } from './upcast.js'

/** An event to be handled. */
export interface EventInput {
  readonly type: string
  /** Frozen. Made anew for each attempt where a function is given. */
  readonly data: EventData | ((transaction: Transaction) => EventData)
  /** Of the definition that the data has passed already: it comes out of the queue or the log. Absent: it is as it was given. */
  readonly version?: number | undefined
  /** By the caller of a sourced bucket. */
  readonly given?: GivenWrite | undefined
}

/** The one event of a run that was dispatched; its sub-events are of the same time and say the same. */
export interface EventRoot {
  readonly at: number
  readonly meta: EventData | undefined
  readonly seed: EventSeed
  /** The entry that it is of, where it is handled again. */
  readonly entry?: EntryPlace
}

/** An event that is to be dispatched, checked. */
export interface Dispatch extends EventInput {
  readonly at: number | undefined
  readonly note: CommitNote
  readonly seed: EventSeed
  /** Done in the same transaction, before the event. */
  readonly before?: (transaction: Transaction) => void
}

/** An event while it is being handled: where it is in its life. Handlers do not see it, but what it says of itself (`seen`). */
export class RunningEvent {
  readonly type: string
  readonly version: number
  data: EventData
  readonly at: number
  readonly meta: EventData | undefined
  readonly depth: number
  readonly definition: EventType
  readonly parent: RunningEvent | undefined
  /** Place among all events of its run. */
  readonly index: number
  readonly changes: Change[] | undefined
  /** Sub-events that have begun. */
  subs: SubEvent[] | undefined
  /** Where the record of it is, as a sub-event. */
  #place: { readonly records: SubEvent[]; readonly at: number } | undefined
  #seen: DomainEvent | undefined
  /** Whether anything was written for it, or for a sub-event of it. */
  hasWritten = false
  result: unknown = undefined
  /** What its handlers without effects have returned. */
  results: unknown[] = []

  constructor(
    definition: EventType,
    { data, version }: CurrentData,
    root: EventRoot,
    parent: RunningEvent | undefined,
    index: number,
  ) {
    this.type = definition.type
    this.version = version
    this.data = data
    this.at = root.at
    this.meta = root.meta
    this.depth = parent === undefined ? 0 : parent.depth + 1
    this.definition = definition
    this.parent = parent
    this.index = index
    this.changes = definition.wantsChanges ? [] : undefined
  }

  /** Types from the dispatched event down to this one. */
  get path(): string[] {
    return this.parent === undefined ? [this.type] : [...this.parent.path, this.type]
  }

  /** Something was written for it. */
  markWritten(): void {
    if (this.hasWritten) return
    this.hasWritten = true
    this.parent?.markWritten()
  }

  /** What handlers are given: frozen, as everything in it. */
  get seen(): DomainEvent {
    const { type, version, data, at, meta, depth } = this
    if (this.#seen?.data !== data) this.#seen = Object.freeze({ type, version, data, at, meta, depth })
    return this.#seen
  }

  /** What handlers are given after it was applied. */
  get applied(): AppliedEvent {
    const changes = Object.freeze((this.changes ?? []).map((change) => Object.freeze(change)))
    return Object.freeze({ ...this.seen, changes })
  }

  /** Puts its record behind `records`. */
  takePlace(records: SubEvent[]): void {
    this.#place = { records, at: records.push(this.record) - 1 }
  }

  /** Where the records of its sub-events are; its own record has them from now on, also where it has come to its end. */
  get records(): SubEvent[] {
    if (this.subs === undefined) {
      this.subs = []
      if (this.#place !== undefined) this.#place.records[this.#place.at] = this.record
    }
    return this.subs
  }

  /** As the log keeps it where it is a sub-event. */
  get record(): SubEvent {
    const { type, version, data, subs } = this
    const hasData = Object.keys(data).length > 0
    return { type, ...(version > 1 && { version }), ...(hasData && { data }), ...(subs && { events: subs }) }
  }
}

/** A sub-event that has been applied already, and what it asks for. */
export class AppliedSubEvent {
  readonly event: RunningEvent
  readonly asked: readonly Asked[]

  constructor(event: RunningEvent, asked: readonly Asked[]) {
    this.event = event
    this.asked = asked
  }
}

/** What handlers ask for besides. */
export type Asked = SubEventInput | AppliedSubEvent
