import { assert } from '../base/assert.js'
import { checkOrderedList } from './check-ordered-list.js'
import type { Slot } from './slot.js'
import type { TableIndex } from './table-index.js'
import type { Table } from './table.js'

/** Throws unless S1 to S7 hold. Visits every record. */
export function checkTable(table: Table): void {
  const { bucket, key } = table.options
  const { slots, due, order, nextOrdinal } = table.parts
  let expiring = 0
  checkOrderedList(due)
  if (order !== undefined) checkOrderedList(order)
  for (const [at, slot] of slots) {
    assert(Object.isFrozen(slot.record), 'S7', `bucket ${bucket}: a record can be changed`)
    assert(slot.record[key] === at, 'S1', `bucket ${bucket}: a record is under another key than its own`)
    assert(slot.ordinal < nextOrdinal, 'S6', `bucket ${bucket}: ordinal ${slot.ordinal} was never given`)
    if (slot.record._expiresAt !== undefined) expiring++
    for (const index of table.indexes) checkIndexed(bucket, index, slot)
  }
  assert(due.size === expiring, 'S5', `bucket ${bucket}: ${due.size} records are due, ${expiring} expire`)
  for (const index of table.indexes) {
    checkSizes(bucket, index, slots.values())
  }
}

function checkSizes(bucket: string, { hash, orderedIfKept, options }: TableIndex, slots: Iterable<Slot>): void {
  const { fields, where } = options
  let indexable = 0
  let included = 0
  for (const { record } of slots) {
    if (hash?.valueIn(record) !== undefined) indexable++
    if (where === undefined || where.test(record)) included++
  }
  const name = `bucket ${bucket}: index ${fields.join(', ')}`
  assert(hash === undefined || hash.size === indexable, 'S2', () => `${name} has ${hash?.size} of ${indexable}`)
  if (orderedIfKept === undefined) return
  checkOrderedList(orderedIfKept)
  assert(orderedIfKept.size === included, 'S8', `${name} has ${orderedIfKept.size} of ${included} in order`)
}

function checkIndexed(bucket: string, { hash, options, orderedIfKept }: TableIndex, slot: Slot): void {
  const name = `bucket ${bucket}: index ${options.fields.join(', ')}`
  const isOrdered = orderedIfKept !== undefined && (options.where === undefined || options.where.test(slot.record))
  if (isOrdered) {
    const place = orderedIfKept.partition((other) => options.order(other, slot) < 0)
    assert(orderedIfKept.at(place) === slot, 'S8', `${name} misses a record in its order`)
  }
  const value = hash?.valueIn(slot.record)
  if (hash === undefined || value === undefined) return
  let found = false
  hash.forEach(value, (other) => {
    found = other === slot
    return !found
  })
  assert(found || hash.unique, 'S2', `${name} misses a record`)
  assert(found, 'S4', `${name}: two records have the same value`)
}
