import { InvalidArgumentError } from '../base/errors.js'
import type { StoredRecord, Value } from '../base/value.js'
import { compareValues } from '../base/value-order.js'
import type { Slot } from '../state/slot.js'
import { Group, groupText, Numbers } from './aggregate.js'
import type { Aggregates } from './aggregate.js'
import { cursorAt, slotAt } from './cursor.js'
import { explain } from './explain.js'
import type { Explanation } from './explain.js'
import { fieldOf } from './field-path.js'
import { findSlots, isWithin, takeSorted } from './find.js'
import type { PageBounds } from './find.js'
import { slotOrder } from './order.js'
import { isWhole } from './query-spec.js'
import type { Question, QuerySpec, Want } from './query-spec.js'
import { FRESH_ORDINALS } from './source.js'
import type { Source } from './source.js'

/** One page of a query. */
export interface QueryPage<T> {
  readonly records: T[]
  /** Whether there is more in the direction in which the page was asked for. */
  readonly hasMore: boolean
  /** Give it as `after` for what follows. Undefined for an empty page only. */
  readonly nextCursor: string | undefined
  /** Give it as `before` for what comes before. Undefined for an empty page only. */
  readonly prevCursor: string | undefined
}

/** The answer to `question` from `source` as it is now. What it reads is noted by whoever asks. */
export function answer(source: Source, { spec, want }: Question): unknown {
  switch (want.kind) {
    case 'rows':
      return rowsOf(source, spec)
    case 'first':
      return rowsOf(source, { ...spec, limit: Math.min(spec.limit, 1) })[0]
    case 'count':
      return countOf(source, spec)
    case 'exists':
      return slotsOf(source, unordered({ ...spec, limit: Math.min(spec.limit, 1) })).length > 0
    case 'sum':
    case 'avg':
    case 'min':
    case 'max':
      return numbersOf(source, spec, want.path).answer(want.kind)
    case 'distinct':
      return distinctOf(records(source, spec), want.path)
    case 'groups':
      return groupsOf(records(source, spec), want.by, want.aggregates).map((group) => group.row())
    case 'page':
      return pageOf(source, spec, want)
    case 'explain':
      return explainOf(source, spec)
  }
}

/** The slots of `spec` in its order, from a table by plan, or from what a transaction has written over one. */
export function slotsOf(source: Source, spec: QuerySpec, bounds?: PageBounds, isBackward = false): Slot[] {
  const { table, collators } = source
  if (table !== undefined) return findSlots(table, collators, spec, bounds, isBackward).slots
  const order = slotOrder(spec.order, collators)
  const slots = source.slots(spec.filter).filter((slot) => isWithin(slot, bounds, order))
  return takeSorted(slots, order, spec, isBackward)
}

function explainOf(source: Source, spec: QuerySpec): Explanation {
  const { table, collators } = source
  if (table === undefined) return explain(spec, undefined, source.size, slotsOf(source, spec).length)
  const { slots, examined, plan } = findSlots(table, collators, spec)
  return explain(spec, plan, examined, slots.length)
}

/** `spec` without its order, where that does not change which records it has. */
function unordered(spec: QuerySpec): QuerySpec {
  return spec.order.length > 0 ? { ...spec, order: [] } : spec
}

/** The records that the query has, in whatever order where all of them are counted. */
function records(source: Source, spec: QuerySpec): StoredRecord[] {
  return slotsOf(source, isWhole(spec) ? unordered(spec) : spec).map(({ record }) => record)
}

function rowsOf(source: Source, spec: QuerySpec): unknown[] {
  if (spec.order.length === 0 && isWhole(spec)) {
    const found = source.find(spec.filter)
    return spec.fields === undefined ? found : found.map((record) => project(record, spec.fields))
  }
  return slotsOf(source, spec).map(({ record }) => project(record, spec.fields))
}

/** The record, or a frozen object of some of its fields. */
export function project(record: StoredRecord, fields: readonly string[] | undefined): StoredRecord {
  if (fields === undefined) return record
  const row: [string, Value][] = []
  for (const path of fields) {
    const value = fieldOf(record, path)
    if (value !== undefined) row.push([path, value])
  }
  return Object.freeze(Object.fromEntries(row))
}

function countOf(source: Source, { filter, limit, offset }: QuerySpec): number {
  return Math.min(Math.max(0, source.count(filter) - offset), limit)
}

function numbersOf(source: Source, spec: QuerySpec, path: string): Numbers {
  const numbers = new Numbers(path)
  for (const record of records(source, spec)) numbers.add(record)
  return numbers
}

/** The different values of a field in the order of values; null stands for missing. */
function distinctOf(from: Iterable<StoredRecord>, path: string): Value[] {
  return groupsOf(from, [path], {}).map(({ key }) => key[0] as Value)
}

function groupsOf(from: Iterable<StoredRecord>, by: readonly string[], aggregates: Aggregates): Group[] {
  const groups = new Map<string, Group>()
  for (const record of from) {
    const text = groupText(record, by)
    let group = groups.get(text)
    if (group === undefined) groups.set(text, (group = new Group(by, record, aggregates)))
    group.add(record)
  }
  return groupRows(groups.values())
}

/** Groups in the order of what their records have in common. */
export function groupRows(groups: Iterable<Group>): Group[] {
  return [...groups].sort((a, b) => compareValues(a.key, b.key))
}

function pageOf(source: Source, spec: QuerySpec, want: Extract<Want, { kind: 'page' }>): QueryPage<unknown> {
  const { after, before, size } = want
  const at = `bucket("${spec.bucket}").where(…).page`
  const bounds = {
    after: after === undefined ? undefined : slotAt(after, spec, `${at}({ after })`),
    before: before === undefined ? undefined : slotAt(before, spec, `${at}({ before })`),
  }
  for (const [name, slot] of Object.entries(bounds)) {
    if (slot === undefined || slot.ordinal < FRESH_ORDINALS || source.table === undefined) continue
    throw new InvalidArgumentError(
      `${at}({ ${name} })`,
      'a cursor of what is stored, not of what a transaction has written',
      want[name as 'after'],
    )
  }
  const isBackward = before !== undefined && after === undefined
  const slots = slotsOf(source, { ...spec, limit: size + 1 }, bounds, isBackward)
  const hasMore = slots.length > size
  if (hasMore) {
    if (isBackward) slots.shift()
    else slots.pop()
  }
  const cursor = (slot: Slot | undefined) => (slot === undefined ? undefined : cursorAt(slot, spec))
  return {
    records: slots.map(({ record }) => project(record, spec.fields)),
    hasMore,
    nextCursor: cursor(slots.at(-1)),
    prevCursor: cursor(slots[0]),
  }
}
