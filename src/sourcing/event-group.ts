import { sourcedType } from '../log/entry.js'
import type { Entry, EventData, SubEvent } from '../log/entry.js'

/** The place of an entry in its log. */
export interface EntryPlace {
  readonly seq: number
  /** Unique across stores. */
  readonly id: string
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

/** The events that an entry is, or has; undefined where it has none. */
export function groupOf({ type, data, at, meta, event, redacted }: Entry): EventGroup | undefined {
  if (event === undefined) return undefined
  const { clock = at, events } = event
  // What a transaction, or an undo, has done besides has no event of its own, and its meta belongs to all of it.
  if (type === 'store/transaction' || type === 'store/undo')
    return { at: clock, clock, meta: undefined, events: events ?? [], redacted }
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
