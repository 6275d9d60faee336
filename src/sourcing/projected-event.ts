import type { Transaction } from '../commit/transaction.js'
import { sourcedType } from '../log/entry.js'
import type { Entry, EventData, SubEvent } from '../log/entry.js'
import type { DomainEvent } from './event-definition.js'

/** The place of an entry in its log. */
export interface EntryPlace {
  readonly seq: number
  /** Unique across stores. */
  readonly id: string
}

/** An event as projections see it: one that has happened, in an entry of the log. Everything in it is frozen. */
export interface ProjectedEvent<D = EventData> extends DomainEvent<D> {
  /** Place of its entry in the log; sub-events have that of their event. */
  readonly seq: number
}

/** The events of one entry, as they are written. */
export interface EventGroup {
  readonly at: number
  /** The clock of records that are made for them. */
  readonly clock: number
  readonly meta: EventData | undefined
  readonly events: readonly SubEvent[]
  /** Buckets of which the log has let go: what they were told is not there any more. */
  readonly redacted?: readonly string[] | undefined
}

/** What else becomes of the events of a commit, at its last moment. */
export interface AtCommit {
  /** True where nothing does. */
  readonly isIdle: boolean
  /** What has to happen before they can be committed. */
  waits(transaction: Transaction, events: readonly SubEvent[]): Promise<unknown> | undefined
  /** @param entry the one that they are of, where they are handled again. @throws {EventFailedError} nothing is committed. */
  complete(transaction: Transaction, group: EventGroup, entry: EntryPlace | undefined): void
}

/** The events that an entry is, or has; undefined where it has none. */
export function groupOf({ type, data, at, meta, event, redacted }: Entry): EventGroup | undefined {
  if (event === undefined) return undefined
  const { clock = at, events } = event
  // What a transaction has done besides has no event of its own, and its meta belongs to all of it.
  if (type === 'store/transaction') return { at: clock, clock, meta: undefined, events: events ?? [], redacted }
  if (type.startsWith('store/')) return undefined
  const { version } = event
  const main = { type, ...(version && { version }), ...(data && { data }), ...(events && { events }) }
  return { at: event.at ?? at, clock, meta, events: [main], redacted }
}

/** Calls `visit` for each event, in the order in which they were handled, with its depth. */
export function visitEvents(
  { events, redacted }: Pick<EventGroup, 'events' | 'redacted'>,
  visit: (event: SubEvent, depth: number) => void,
  depth = 0,
): void {
  for (const event of events) {
    if (redacted === undefined || !redacted.some((bucket) => sourcedType(bucket) === event.type)) visit(event, depth)
    if (event.events !== undefined) visitEvents({ events: event.events, redacted }, visit, depth + 1)
  }
}
