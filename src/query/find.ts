import type { OrderedList } from '../state/ordered-list.js'
import { byOrdinal } from '../state/slot.js'
import type { Slot } from '../state/slot.js'
import type { Table } from '../state/table.js'
import { matches } from './matches.js'
import { compareTerm, slotOrder } from './order.js'
import type { Collators, SlotOrder } from './order.js'
import { choosePlan } from './plan.js'
import type { Access, Plan } from './plan.js'
import type { QuerySpec } from './query-spec.js'

/** Cursors between which a page lies; neither is part of it. */
export interface PageBounds {
  readonly after: Slot | undefined
  readonly before: Slot | undefined
}

/** What was found, and what it took. */
export interface Found {
  /** In the order of the query. */
  readonly slots: Slot[]
  /** How many records were looked at. */
  readonly examined: number
  readonly plan: Plan
}

/** How many records all queries have looked at so far. What one of them has cost is the difference that it makes. */
export const looked = { records: 0 }

type Visit = (slot: Slot) => boolean

/**
 * Finds the records of `spec` in its order.
 *
 * @param bounds of a page.
 * @param isBackward take the last ones instead of the first ones, where there are more than `limit`.
 */
export function findSlots(
  table: Table,
  collators: Collators,
  spec: QuerySpec,
  bounds?: PageBounds,
  isBackward = false,
): Found {
  const plan = choosePlan(table, spec, collators, bounds !== undefined)
  const slots: Slot[] = []
  const order = slotOrder(spec.order, collators)
  const { conditions } = plan.rest
  let examined = 0
  const test = (slot: Slot): boolean => {
    examined++
    return (conditions.length === 0 || matches(plan.rest, slot.record)) && isWithin(slot, bounds, order)
  }
  if (plan.order === 'sort' || (isBackward && plan.access.kind !== 'range')) {
    walk(table, plan.access, (slot) => {
      if (test(slot)) slots.push(slot)
      return true
    })
    looked.records += examined
    return { slots: takeSorted(slots, order, spec, isBackward), examined, plan }
  }
  const { offset, limit } = spec
  let toSkip = offset
  walkInOrder(table, plan, bounds, isBackward, collators, (slot) => {
    if (slots.length >= limit) return false
    if (!test(slot)) return true
    if (toSkip > 0) toSkip--
    else slots.push(slot)
    return slots.length < limit
  })
  if (isBackward) slots.reverse()
  looked.records += examined
  return { slots, examined, plan }
}

/** Whether `slot` lies between the cursors. */
export function isWithin(slot: Slot, bounds: PageBounds | undefined, order: SlotOrder): boolean {
  if (bounds === undefined) return true
  const { after, before } = bounds
  return (after === undefined || order(slot, after) > 0) && (before === undefined || order(slot, before) < 0)
}

/** The part of `found` that the query gives, in its order. */
export function takeSorted(found: Slot[], order: SlotOrder, { offset, limit }: QuerySpec, isBackward: boolean): Slot[] {
  if (isBackward) {
    const last = topOf(found, (a, b) => order(b, a), limit)
    return last.reverse()
  }
  const wanted = topOf(found, order, offset + limit)
  return offset === 0 ? wanted : wanted.slice(offset)
}

/** The first `n` of `found` in order. */
function topOf(found: Slot[], order: SlotOrder, n: number): Slot[] {
  if (found.length <= n || n > 1_000) return found.sort(order).slice(0, n)
  if (n === 0) return []
  // Most records are not among the first few: one comparison each with the last of those.
  const top = found.slice(0, n).sort(order)
  for (let at = n; at < found.length; at++) {
    const slot = found[at] as Slot
    if (order(slot, top[n - 1] as Slot) >= 0) continue
    let low = 0
    let high = n - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (order(top[middle] as Slot, slot) < 0) low = middle + 1
      else high = middle
    }
    top.pop()
    top.splice(low, 0, slot)
  }
  return top
}

/** Calls `visit` for each slot of `access`, in whatever order it has them, until it returns false. */
function walk(table: Table, access: Access, visit: Visit): void {
  switch (access.kind) {
    case 'keys':
      for (const key of access.keys) {
        const slot = table.slot(key)
        if (slot !== undefined && !visit(slot)) return
      }
      return
    case 'values':
      for (const value of access.values) {
        let isOn = true
        access.hash.forEach(value, (slot) => (isOn = visit(slot)))
        if (!isOn) return
      }
      return
    case 'range':
      access.list.forEachIn(access.from, access.to, visit)
      return
    case 'scan':
      table.forEach(visit)
  }
}

/** Calls `visit` for the slots of a plan in the order of the query, or in its reverse, until it returns false. */
function walkInOrder(
  table: Table,
  plan: Plan,
  bounds: PageBounds | undefined,
  isReversed: boolean,
  collators: Collators,
  visit: Visit,
): void {
  const { access, hasLooseTies, order } = plan
  if (access.kind !== 'range') return walk(table, access, visit)
  const isBackward = order === 'backward'
  const sign = isBackward ? -1 : 1
  const compare = termsOrder(plan, collators)
  // Where the list has exactly the order of the query, each slot has one place in it; else it is one of a run.
  const isExact = !isBackward && !hasLooseTies
  const inList: SlotOrder = isExact ? (a, b) => compare(a, b) || a.ordinal - b.ordinal : (a, b) => sign * compare(a, b)
  const { list } = access
  const { after, before } = bounds ?? { after: undefined, before: undefined }
  const [first, last] = isBackward ? [before, after] : [after, before]
  let { from, to } = access
  if (first !== undefined) from = list.partition((slot) => inList(slot, first) < (isExact ? 1 : 0), from, to)
  if (last !== undefined) to = list.partition((slot) => inList(slot, last) < (isExact ? 0 : 1), from, to)
  if (isExact) {
    if (isReversed) list.forEachBack(from, to, visit)
    else list.forEachIn(from, to, visit)
    return
  }
  const isDown = isBackward !== isReversed
  while (from < to) {
    const edge = list.at(isDown ? to - 1 : from) as Slot
    const start = isDown ? runStart(list, inList, edge, from, to) : from
    const end = isDown ? to : runEnd(list, inList, edge, from, to)
    if (!walkRun(list, start, end, hasLooseTies, isReversed, visit)) return
    if (isDown) to = start
    else from = end
  }
}

/** Where the run begins that has `edge` as its last slot, before `to`. Most runs are short: it looks near by first. */
function runStart(list: OrderedList<Slot>, inList: SlotOrder, edge: Slot, from: number, to: number): number {
  let known = to - 1
  for (let step = 1; known > from; step *= 2) {
    const low = Math.max(from, known - step)
    if (inList(list.at(low) as Slot, edge) < 0) {
      return list.partition((slot) => inList(slot, edge) < 0, low + 1, known)
    }
    known = low
  }
  return from
}

/** Where the run ends that has `edge` as its first slot, at `from`. */
function runEnd(list: OrderedList<Slot>, inList: SlotOrder, edge: Slot, from: number, to: number): number {
  let known = from + 1
  for (let step = 1; known < to; step *= 2) {
    const high = Math.min(to, known + step)
    if (inList(list.at(high - 1) as Slot, edge) > 0) {
      return list.partition((slot) => inList(slot, edge) <= 0, known, high - 1)
    }
    known = high
  }
  return to
}

/** Slots that are the same to the order come in insertion order, or in its reverse. @returns whether to go on. */
function walkRun(
  list: OrderedList<Slot>,
  from: number,
  to: number,
  hasLooseTies: boolean,
  isReversed: boolean,
  visit: Visit,
): boolean {
  let isOn = true
  const visitAll = (slot: Slot): boolean => (isOn = visit(slot))
  if (hasLooseTies) {
    const slots = list.slice(from, to).sort(byOrdinal)
    if (isReversed) slots.reverse()
    slots.every(visitAll)
  } else if (isReversed) list.forEachBack(from, to, visitAll)
  else list.forEachIn(from, to, visitAll)
  return isOn
}

/** The order of the terms alone: 0 for slots that only their ordinals tell apart. */
function termsOrder({ terms }: Plan, collators: Collators): SlotOrder {
  return (a, b) => {
    for (const term of terms) {
      const order = compareTerm(a.record, b.record, term, collators)
      if (order !== 0) return order
    }
    return 0
  }
}
