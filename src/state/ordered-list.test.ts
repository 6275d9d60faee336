import fc from 'fast-check'
import { expect, test } from 'vitest'
import { OrderedList } from './ordered-list.js'
import { checkOrderedList } from './check-ordered-list.js'

const byValue = (a: number, b: number): number => a - b

type Step = { readonly op: 'add' | 'delete' | 'from' | 'last'; readonly value: number }

const steps = fc.array(
  fc.record<Step>({
    op: fc.constantFrom('add', 'add', 'add', 'delete', 'delete', 'from', 'last'),
    value: fc.integer({ min: 0, max: 60 }),
  }),
  { maxLength: 120 },
)

/** Does one step to the list and to a sorted array, and compares what both answer. */
function step(list: OrderedList<number>, model: number[], { op, value }: Step): void {
  if (op === 'add') {
    if (model.includes(value)) return
    list.add(value)
    model.push(value)
    model.sort(byValue)
  } else if (op === 'delete') {
    const at = model.indexOf(value)
    expect(list.delete(value)).toBe(at !== -1)
    if (at !== -1) model.splice(at, 1)
  } else if (op === 'from') expect([...list.from(value)]).toEqual(model.filter((item) => item > value))
  else expect(list.last(value)).toEqual(value === 0 ? [] : model.slice(-value))
}

function compare(list: OrderedList<number>, model: readonly number[]): void {
  checkOrderedList(list)
  expect(list.size).toBe(model.length)
  expect(list.first).toBe(model[0])
  expect(list.toArray()).toEqual(model)
  expect([...list.from()]).toEqual(model)
}

test('any sequence of adds and deletes keeps the order of the items (S3)', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 60 })), steps, (initial, script) => {
      const model = [...initial].sort(byValue)
      const list = new OrderedList(byValue, model)
      for (const one of script) {
        step(list, model, one)
        compare(list, model)
      }
    }),
  )
})

test('lists of many chunks split, shrink and empty without losing an item', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 31 }), fc.boolean(), (seed, rising) => {
      let state = seed
      const draw = (max: number): number => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
        return state % max
      }
      const list = new OrderedList<number>(byValue)
      const model = new Set<number>()
      for (let i = 0; i < 3_000; i++) {
        const item = rising ? i : draw(5_000)
        if (model.has(item)) continue
        model.add(item)
        list.add(item)
      }
      compare(list, [...model].sort(byValue))
      for (const item of model) {
        if (draw(3) === 0) continue
        model.delete(item)
        expect(list.delete(item)).toBe(true)
        expect(list.delete(item)).toBe(false)
      }
      const left = [...model].sort(byValue)
      compare(list, left)
      const seen: number[] = []
      list.forEach((item) => seen.push(item) < 5)
      expect(seen).toEqual(left.slice(0, 5))
      for (const item of left) list.delete(item)
      compare(list, [])
    }),
    { numRuns: 10 },
  )
})

test('check finds a planted fault: items that are not in order (S3)', () => {
  expect(() => checkOrderedList(new OrderedList(byValue, [1, 3, 2]))).toThrow(/S3/)
})
