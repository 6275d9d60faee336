import { assert } from '../base/assert.js'
import { checkOrderedList } from './check-ordered-list.js'
import { isIndexable } from './field-index.js'
import type { FieldIndex } from './field-index.js'
import type { Slot } from './slot.js'
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
    let indexable = 0
    for (const slot of slots.values()) if (isIndexable(slot.record[index.field])) indexable++
    assert(index.size === indexable, 'S2', `bucket ${bucket}: index ${index.field} has ${index.size} of ${indexable}`)
  }
}

function checkIndexed(bucket: string, index: FieldIndex, slot: Slot): void {
  const value = slot.record[index.field]
  if (!isIndexable(value)) return
  let found = false
  index.forEach(value, (other) => {
    found = other === slot
    return !found
  })
  assert(found || index.unique, 'S2', `bucket ${bucket}: index ${index.field} misses a record`)
  assert(found, 'S4', `bucket ${bucket}: two records have the same ${index.field}`)
}
