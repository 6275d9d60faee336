import { assert } from '../base/assert.js'
import type { Entry, SubEvent } from './entry.js'
import { sourcedType } from './entry.js'
import type { HistoryBudget, ReadLogOptions } from './storage.js'

/** How many changes a log in memory keeps when no budget is given: enough to look back, too little to matter. */
const CHANGES_KEPT = 10_000

/** Dropped entries are cut off in one go once there are this many, so that each append stays cheap. */
const CUT_AT = 1_024

/** A log in memory, with its oldest entries dropped as new ones come. Holds L1: seqs have no gap. */
export class MemoryLog {
  #entries: Entry[] = []
  /** Index of the oldest entry that still counts; those before it wait to be cut off. */
  #start = 0
  #changes = 0
  #head = 0

  /** Seq of the last entry; 0 when there never was one. */
  get head(): number {
    return this.#head
  }

  /** Seq of the oldest entry kept; `head + 1` when none is. */
  get first(): number {
    return this.#head + 1 - (this.#entries.length - this.#start)
  }

  /** Wall clock of the last entry; 0 when none is kept. */
  get headAt(): number {
    return this.#entries.at(-1)?.at ?? 0
  }

  /** Throws unless `entries` follow the last one without a gap. */
  check(entries: readonly Entry[]): void {
    let head = this.#head
    for (const entry of entries) {
      assert(entry.seq === head + 1, 'L1', () => `entry ${entry.seq} does not follow ${head}`)
      head = entry.seq
    }
  }

  /** Appends entries in seq order, all or none, and lets the oldest go. */
  append(entries: readonly Entry[]): void {
    this.check(entries)
    for (const entry of entries) {
      this.#entries.push(entry)
      this.#head = entry.seq
      this.#changes += entry.changes.length + 1
    }
    while (this.#changes > CHANGES_KEPT && this.#start < this.#entries.length - 1) this.#dropOldest()
  }

  #dropOldest(): void {
    const entry = this.#entries[this.#start] as Entry
    this.#changes -= entry.changes.length + 1
    this.#start++
    if (this.#start < CUT_AT && this.#start < this.#entries.length) return
    this.#entries = this.#entries.slice(this.#start)
    this.#start = 0
  }

  /**
   * Lets go of entries beyond the budget. `now` is the wall clock. Bytes are not counted: entries in memory are no text,
   * and their number is bounded anyway.
   *
   * @returns how many went.
   */
  trim(budget: HistoryBudget, now: number): number {
    const before = this.first
    const oldest = now - (budget.ageMs ?? Number.POSITIVE_INFINITY)
    const { upTo = Number.POSITIVE_INFINITY } = budget
    while (this.#start < this.#entries.length && this.first <= upTo) {
      const tooMany = this.#entries.length - this.#start > (budget.rows ?? Number.POSITIVE_INFINITY)
      if (!tooMany && (this.#entries[this.#start] as Entry).at >= oldest) break
      this.#dropOldest()
    }
    return this.first - before
  }

  /** Takes what entries before `seq` say about `bucket` out of them. */
  redact(bucket: string, seq: number): void {
    const kept = this.#entries.slice(this.#start)
    this.#entries = kept.map((entry) => (entry.seq < seq ? redactEntry(entry, bucket) : entry))
    this.#start = 0
    this.#changes = this.#entries.reduce((sum, entry) => sum + entry.changes.length + 1, 0)
  }

  /** Entries after `after`, in seq order. */
  read(after: number, options: ReadLogOptions = {}): Entry[] {
    const from = Math.max(this.#start, this.#start + after + 1 - this.first)
    const limit = options.limit ?? Number.POSITIVE_INFINITY
    const found: Entry[] = []
    for (let i = from; i < this.#entries.length && found.length < limit; i++) {
      const entry = this.#entries[i] as Entry
      if (options.types === undefined || options.types.includes(entry.type)) found.push(freezeEntry(entry))
    }
    return found
  }
}

/** `entry` without what it says about `bucket`; the same entry where it says nothing about it. */
export function redactEntry(entry: Entry, bucket: string): Entry {
  const type = sourcedType(bucket)
  const isSaid = entry.type === type || entry.event?.events?.some((event) => tells(event, type)) === true
  if (!isSaid && !entry.changes.some((change) => change.bucket === bucket)) return entry
  const { data, event, ...rest } = entry
  return {
    ...rest,
    ...(data !== undefined && entry.type !== type && { data }),
    ...(event !== undefined && { event: isSaid ? redactEvents(event, type) : event }),
    changes: entry.changes.filter((change) => change.bucket !== bucket),
    redacted: [...(entry.redacted ?? []).filter((name) => name !== bucket), bucket],
  }
}

function tells(event: SubEvent, type: string): boolean {
  return (event.type === type && event.data !== undefined) || event.events?.some((sub) => tells(sub, type)) === true
}

/** `event` without the data of sub-events of `type`: what a sourced bucket was told is as much about it as its changes. */
function redactEvents<E extends { readonly events?: readonly SubEvent[] }>(event: E, type: string): E {
  if (event.events === undefined) return event
  const events = event.events.map((sub) => {
    const { data, ...rest } = redactEvents(sub, type)
    return data === undefined || sub.type === type ? rest : { ...rest, data }
  })
  return { ...event, events }
}

/** `entry`, frozen: it is the log's own, and readers get it. */
function freezeEntry(entry: Entry): Entry {
  if (Object.isFrozen(entry)) return entry
  for (const change of entry.changes) Object.freeze(change)
  Object.freeze(entry.changes)
  if (entry.cleared !== undefined) Object.freeze(entry.cleared)
  return Object.freeze(entry)
}
