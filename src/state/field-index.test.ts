import { indexOn } from '../../tests/support/index-on.js'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { StoredRecord, Value } from '../base/value.js'
import { FieldIndex, isIndexable } from './field-index.js'
import type { Slot } from './slot.js'

const VALUES: readonly (Value | undefined)[] = [
  '',
  'a',
  'b',
  0,
  1,
  -1,
  Infinity,
  true,
  false,
  null,
  undefined,
  [1],
  { a: 1 },
]
const value = fc.constantFrom(...VALUES)
const step = fc.record({ op: fc.constantFrom('add', 'add', 'remove', 'move'), pick: fc.nat(), value })

function recordOf(ordinal: number, field: Value | undefined): StoredRecord {
  return field === undefined ? { id: ordinal } : { id: ordinal, field }
}

/** Records by ordinal; the model of an index is a scan over them. */
function compare(index: FieldIndex, slots: ReadonlyMap<number, Slot>): void {
  let size = 0
  for (const wanted of VALUES) {
    if (!isIndexable(wanted)) continue
    const expected = [...slots.values()]
      .filter((slot) => slot.record.field === wanted)
      .sort((a, b) => a.ordinal - b.ordinal)
    const found: Slot[] = []
    index.forEach(wanted, (slot) => {
      found.push(slot)
    })
    expect(found).toEqual(expected)
    expect(index.count(wanted)).toBe(expected.length)
    expect(index.only(wanted)).toBe(expected[0])
    size += expected.length
  }
  expect(index.size).toBe(size)
}

test('an index finds what a scan finds, in insertion order, after any changes in any order (S2)', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.array(fc.nat(1_000), { maxLength: 60 }), (script, ordinals) => {
      const index = new FieldIndex(indexOn('field', false))
      const slots = new Map<number, Slot>()
      for (const [at, { op, pick, value: field }] of script.entries()) {
        const present = [...slots.values()]
        const slot = present[pick % Math.max(1, present.length)]
        if (op === 'add') {
          const ordinal = ordinals[at] ?? at + 2_000
          if (slots.has(ordinal)) continue
          const added = { ordinal, record: recordOf(ordinal, field) }
          slots.set(ordinal, added)
          index.add(added, added.record)
        } else if (slot !== undefined && op === 'remove') {
          slots.delete(slot.ordinal)
          index.remove(slot, slot.record)
        } else if (slot !== undefined) {
          const after = recordOf(slot.ordinal, field)
          index.move(slot, slot.record, after)
          slot.record = after
        }
        compare(index, slots)
      }
    }),
  )
})

test('a visitor that returns false ends the visit', () => {
  const index = new FieldIndex(indexOn('field', false))
  for (let ordinal = 1; ordinal <= 5; ordinal++) index.add({ ordinal, record: { field: 'a' } }, { field: 'a' })
  const seen: number[] = []
  index.forEach('a', ({ ordinal }) => seen.push(ordinal) < 2)
  expect(seen).toEqual([1, 2])
})

test('removing a record that an index does not have is a bug (S2)', () => {
  const index = new FieldIndex(indexOn('field', false))
  const [a, b, c]: Slot[] = [1, 2, 3].map((ordinal) => ({ ordinal, record: { field: 'a' } }))
  if (a === undefined || b === undefined || c === undefined) throw new Error('there are three')
  index.add(a, a.record)
  expect(() => index.remove(b, b.record)).toThrow(/S2/)
  index.add(b, b.record)
  expect(() => index.remove(c, c.record)).toThrow(/S2/)
})

test('in a unique index two records may exchange their values, and change them back (S4)', () => {
  const index = new FieldIndex(indexOn('field', true))
  const a: Slot = { ordinal: 1, record: { field: 'x' } }
  const b: Slot = { ordinal: 2, record: { field: 'y' } }
  index.add(a, a.record)
  index.add(b, b.record)
  const move = (slot: Slot, field: string): void => {
    index.move(slot, slot.record, { field })
    slot.record = { field }
  }
  move(a, 'y')
  move(b, 'x')
  expect([index.only('x'), index.only('y')]).toEqual([b, a])
  move(b, 'y')
  move(a, 'x')
  expect([index.only('x'), index.only('y')]).toEqual([a, b])
  expect(index.size).toBe(2)
})

test('a record that has lost its place in a unique index gets it back by being added again (S4)', () => {
  const index = new FieldIndex(indexOn('field', true))
  const a: Slot = { ordinal: 1, record: { field: 'x' } }
  const b: Slot = { ordinal: 2, record: { field: 'x' } }
  index.add(a, a.record)
  index.add(b, b.record)
  index.remove(a, a.record)
  expect(index.only('x')).toBe(b)
  index.remove(b, b.record)
  expect(index.only('x')).toBeUndefined()
  index.add(a, a.record)
  expect([index.only('x'), index.size]).toEqual([a, 1])
})
