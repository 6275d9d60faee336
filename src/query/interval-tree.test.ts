import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkNode } from './check-predicate-index.js'
import { IntervalTree } from './interval-tree.js'
import type { Bound, IntervalNode } from './interval-tree.js'

interface Known {
  readonly low: Bound
  readonly high: Bound | undefined
}

function found(tree: IntervalTree<Known>, value: Bound): Known[] {
  const items: Known[] = []
  tree.forEachAt(value, (item) => items.push(item))
  return items
}

function isIn(value: Bound, { low, high }: Known): boolean {
  return low <= value && (high === undefined || value <= high)
}

const TEXTS = ['', 'a', 'ab', 'b', '\uffff', '\uffff\uffff'] as const
const numbers = fc.constantFrom<number>(Number.NEGATIVE_INFINITY, -1, 0, 1, 2, 3, 4, Number.POSITIVE_INFINITY)

test.each<[kind: string, bound: fc.Arbitrary<Bound>]>([
  ['numbers', numbers],
  ['strings', fc.constantFrom<Bound>(...TEXTS)],
])('an interval tree of %s finds what a scan finds, after any adds and removes (Q4)', (_kind, bound) => {
  const step = fc.record({
    low: bound,
    high: fc.option(bound, { nil: undefined }),
    isAdd: fc.boolean(),
    pick: fc.nat(),
    asked: bound,
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const tree = new IntervalTree<Known>()
      const model = new Map<Known, IntervalNode<Known>>()
      for (const { low, high, isAdd, pick, asked } of steps) {
        const present = [...model.keys()]
        const known = present[pick % Math.max(1, present.length)]
        if (isAdd || known === undefined) {
          const item = { low, high }
          model.set(item, tree.add(low, high, item))
        } else {
          tree.remove(model.get(known) as IntervalNode<Known>)
          model.delete(known)
        }
        expect(checkNode(tree.root)).toHaveLength(model.size)
        expect(tree.isEmpty).toBe(model.size === 0)
        const expected = [...model.keys()].filter((one) => isIn(asked, one))
        expect(new Set(found(tree, asked))).toEqual(new Set(expected))
      }
    }),
  )
})

test('a tree stays flat, in whatever order the intervals come and go', () => {
  const depth = (node: IntervalNode<number> | undefined): number =>
    node === undefined ? 0 : 1 + Math.max(depth(node.left), depth(node.right))
  const tree = new IntervalTree<number>()
  const nodes = Array.from({ length: 10_000 }, (_, n) => tree.add(n, n + 5, n))
  expect(depth(tree.root)).toBeLessThan(60)
  for (const node of nodes.slice(0, 9_000)) tree.remove(node)
  expect(depth(tree.root)).toBeLessThan(45)
  const at: number[] = []
  tree.forEachAt(9_500, (n) => at.push(n))
  expect(at).toEqual([9_495, 9_496, 9_497, 9_498, 9_499, 9_500])
})

test('removing what is not in the tree, and a tree out of order, are bugs (Q4)', () => {
  const tree = new IntervalTree<string>()
  const node = tree.add(1, 2, 'a')
  tree.add(2, 3, 'b')
  tree.remove(node)
  expect(() => tree.remove(node)).toThrow(/Q4/)
  const root = tree.root as IntervalNode<string>
  root.highMax = 7
  expect(() => checkNode(root)).toThrow(/Q4/)
  root.highMax = 3
  root.left = { ...root, id: 9, left: undefined }
  expect(() => checkNode(root)).toThrow(/Q4/)
})
