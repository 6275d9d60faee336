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
  expect([...list.from()]).toEqual(model)
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

/** Items 0, 2, 4 … of a list that has been added to and deleted from, so that its chunks differ in size. */
function grown(size: number, seed: number): { list: OrderedList<number>; items: number[] } {
  const items = Array.from({ length: size }, (_, at) => at * 2)
  const list = new OrderedList(byValue, items)
  for (let odd = seed % 7; odd < size; odd += 3) list.add(odd * 2 + 1)
  for (let odd = seed % 7; odd < size; odd += 3) list.delete(odd * 2 + 1)
  for (let gone = seed % 5; gone < size / 3; gone++) list.delete(gone * 2)
  return { list, items: items.filter((item) => item < (seed % 5) * 2 || item >= Math.ceil(size / 3) * 2) }
}

test('places, parts and walks of a list are those of a plain array, over one chunk or many', () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 3_000 }), fc.nat(100), share, share, share, (size, seed, x, y, z) => {
      const { list, items } = grown(size, seed)
      checkOrderedList(list)
      const place = (at: number): number => Math.floor(at * items.length)
      const [from, to] = [place(Math.min(x, y)), place(Math.max(x, y))]
      for (const at of [-1, 0, from, to, items.length - 1, items.length]) expect(list.at(at)).toBe(items[at])
      const part = items.slice(from, to)
      expect(list.slice(from, to)).toEqual(part)
      expect(list.slice(to, from)).toEqual([])
      const bound = z * size * 2
      let calls = 0
      const isBefore = (item: number): boolean => ++calls > 0 && item < bound
      expect(list.partition(isBefore, from, to)).toBe(from + part.filter((item) => item < bound).length)
      expect(calls).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(size + 2)))
      expect(list.partition(isBefore)).toBe(items.filter((item) => item < bound).length)
      expect(list.partition(() => true, from, to)).toBe(to)
      expect(list.partition(() => false, from, to)).toBe(from)
      const stopAfter = Math.floor(z * (part.length + 1))
      const walk = (name: 'forEachIn' | 'forEachBack', most = Number.POSITIVE_INFINITY): number[] => {
        const seen: number[] = []
        list[name](from, to, (item) => seen.push(item) < most)
        return seen
      }
      expect(walk('forEachIn')).toEqual(part)
      expect(walk('forEachBack')).toEqual(part.toReversed())
      if (stopAfter === 0) return
      expect(walk('forEachIn', stopAfter)).toEqual(part.slice(0, stopAfter))
      expect(walk('forEachBack', stopAfter)).toEqual(part.toReversed().slice(0, stopAfter))
    }),
  )
})

test('places are those of now after each change', () => {
  const list = new OrderedList(byValue, [1, 3])
  expect(list.at(1)).toBe(3)
  list.add(2)
  expect([list.at(1), list.at(2), list.partition((item) => item < 3)]).toEqual([2, 3, 2])
  list.delete(1)
  expect([list.at(0), list.at(1), list.at(2)]).toEqual([2, 3, undefined])
})

test('check finds a planted fault: items that are not in order (S3)', () => {
  expect(() => checkOrderedList(new OrderedList(byValue, [1, 3, 2]))).toThrow(/S3/)
})
