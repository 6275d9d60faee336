import fc from 'fast-check'
import { expect, test } from 'vitest'
import { rowChanges } from './row-changes.js'
import type { RowChanges } from './row-changes.js'

interface Row {
  readonly id: number
  readonly text: string
}

/** Rows of different records, more than are compared in place. */
const rows = fc
  .uniqueArray(fc.integer({ min: 0, max: 400 }), { maxLength: 200, size: 'max' })
  .map((ids) => ids.map((id): Row => ({ id, text: '' })))
const steps = fc.array(
  fc.record({ kind: fc.constantFrom('put', 'take', 'change', 'move'), from: fc.nat(300), to: fc.nat(300) }),
  { maxLength: 4 },
)

function changed(before: readonly Row[], some: readonly { kind: string; from: number; to: number }[]): Row[] {
  const after = [...before]
  let nextId = 1_000
  for (const { kind, from, to } of some) {
    if (kind === 'put') after.splice(to % (after.length + 1), 0, { id: nextId++, text: 'new' })
    else if (after.length > 0) {
      const [row] = after.splice(from % after.length, 1) as [Row]
      if (kind === 'change') after.splice(from % (after.length + 1), 0, { ...row, text: 'changed' })
      if (kind === 'move') after.splice(to % (after.length + 1), 0, row)
    }
  }
  return after
}

/** What comes of `before` when it is told what has changed, in the order of `after`. */
function applied(before: readonly Row[], { added, removed, changed: replaced }: RowChanges<Row>): Set<Row> {
  const found = new Set(before)
  for (const row of removed) expect(found.delete(row)).toBe(true)
  for (const { before: was, after: is } of replaced) {
    expect(found.delete(was)).toBe(true)
    expect(is.id).toBe(was.id)
    found.add(is)
  }
  for (const row of added) found.add(row)
  return found
}

test('what has changed leads from one result to the other, whatever is known of their ends', () => {
  fc.assert(
    fc.property(rows, steps, fc.nat(300), fc.nat(300), (before, some, headAtMost, tailAtMost) => {
      const after = changed(before, some)
      const shorter = Math.min(before.length, after.length)
      let head = 0
      while (head < Math.min(shorter, headAtMost) && before[head] === after[head]) head++
      let tail = 0
      while (tail < Math.min(shorter, tailAtMost) && before.at(-1 - tail) === after.at(-1 - tail)) tail++
      const keyOf = ({ id }: Row): number => id
      const fresh = rowChanges(before, after, keyOf)
      expect(applied(before, fresh)).toEqual(new Set(after))
      for (const { row, from, to } of fresh.moved) {
        expect(before[from]?.id).toBe(row.id)
        expect(after[to]).toBe(row)
      }
      expect(rowChanges(Object.freeze(before), Object.freeze(after), keyOf, { head, tail, step: undefined })).toEqual(
        fresh,
      )
    }),
    { numRuns: 2_000 },
  )
})

test('of one row that has changed, or moved, nothing has to be compared', () => {
  const [a, b, c] = [1, 2, 3].map((id): Row => ({ id, text: '' })) as [Row, Row, Row]
  const later = { ...a, text: 'later' }
  const keyOf = (): never => {
    throw new Error('compared')
  }
  const known = (from: number, to: number) => ({ head: 0, tail: 0, step: { from, to } })
  const none = { added: [], removed: [], changed: [], moved: [] }
  expect(rowChanges([a, b], [a, b, c], keyOf, known(-1, 2))).toEqual({ ...none, added: [c] })
  expect(rowChanges([a, b], [b], keyOf, known(0, -1))).toEqual({ ...none, removed: [a] })
  expect(rowChanges([a, b], [later, b], keyOf, known(0, 0))).toEqual({
    ...none,
    changed: [{ before: a, after: later }],
  })
  expect(rowChanges([a, b], [b, later], keyOf, known(0, 1))).toEqual({
    ...none,
    changed: [{ before: a, after: later }],
    moved: [{ row: later, from: 0, to: 1 }],
  })
})

test('rows between others that have gone, come and changed have not moved', () => {
  const rows = (...ids: number[]) => ids.map((id) => ({ id, changed: id < 0 }))
  const [a, b, c, d, e, f, g, h] = rows(1, 2, 3, 4, 5, 6, 7, 8)
  const [A, H, x, y] = [{ ...a, changed: true }, { ...h, changed: true }, ...rows(9, 10)]
  const changes = rowChanges([a, b, c, d, e, f, g, h], [A, d, e, x, y, f, H], (row) => row?.id)
  expect(changes).toEqual({
    added: [x, y],
    removed: [b, c, g],
    changed: [
      { before: a, after: A },
      { before: h, after: H },
    ],
    moved: [],
  })
})
