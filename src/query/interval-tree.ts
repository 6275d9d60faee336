import { assert } from '../base/assert.js'

/** A value that ranges are over. One tree holds numbers only, or strings only. */
export type Bound = number | string

/** An interval in the tree, with both of its ends. A node of a treap: ordered by `low`, a heap by `priority`. */
export interface IntervalNode<T> {
  readonly item: T
  readonly low: Bound
  /** Undefined: it has no upper end. */
  readonly high: Bound | undefined
  readonly id: number
  readonly priority: number
  left: IntervalNode<T> | undefined
  right: IntervalNode<T> | undefined
  /** The largest `high` at and below this node. */
  highMax: Bound | undefined
}

type Root<T> = IntervalNode<T> | undefined

/**
 * Finds the intervals that a value is in. Adding and removing cost O(log n), finding k of them O((k + 1) log n): expected, over
 * priorities that look random and are the same on every run.
 *
 * Source: augmented interval trees (Cormen et al., Introduction to Algorithms, 14.3) on treaps (Seidel and Aragon, 1996).
 */
export class IntervalTree<T> {
  #root: Root<T>
  #id = 0

  get isEmpty(): boolean {
    return this.#root === undefined
  }

  /** @returns what `remove` takes. */
  add(low: Bound, high: Bound | undefined, item: T): IntervalNode<T> {
    const id = ++this.#id
    const priority = scatter(id)
    const node = { item, low, high, id, priority, left: undefined, right: undefined, highMax: high }
    this.#root = insert(this.#root, node)
    return node
  }

  /** Removes an interval that is in this tree. */
  remove(node: IntervalNode<T>): void {
    this.#root = remove(this.#root, node)
  }

  /** Calls `visit` for the item of each interval that `value` is in. The tree must not change meanwhile. */
  forEachAt(value: Bound, visit: (item: T) => void): void {
    visitAt(this.#root, value, visit)
  }

  /** For `checkPredicateIndex`, which is apart so that no bundle has it. */
  get root(): IntervalNode<T> | undefined {
    return this.#root
  }
}

function visitAt<T>(root: Root<T>, value: Bound, visit: (item: T) => void): void {
  for (let node = root; node !== undefined; node = node.right) {
    if (node.highMax !== undefined && node.highMax < value) return
    visitAt(node.left, value, visit)
    if (node.low > value) return
    if (node.high === undefined || node.high >= value) visit(node.item)
  }
}

function isBefore<T>(a: IntervalNode<T>, b: IntervalNode<T>): boolean {
  return a.low < b.low || (a.low === b.low && a.id < b.id)
}

function insert<T>(root: Root<T>, node: IntervalNode<T>): IntervalNode<T> {
  if (root === undefined) return node
  if (node.priority > root.priority) {
    ;[node.left, node.right] = split(root, node)
    return measured(node)
  }
  if (isBefore(node, root)) root.left = insert(root.left, node)
  else root.right = insert(root.right, node)
  return measured(root)
}

function remove<T>(root: Root<T>, node: IntervalNode<T>): Root<T> {
  assert(root !== undefined, 'Q4', 'an interval that is removed is not in its tree')
  if (root === node) return merge(root.left, root.right)
  if (isBefore(node, root)) root.left = remove(root.left, node)
  else root.right = remove(root.right, node)
  return measured(root)
}

/** What comes before `at`, and what comes after it. */
function split<T>(root: Root<T>, at: IntervalNode<T>): [Root<T>, Root<T>] {
  if (root === undefined) return [undefined, undefined]
  if (isBefore(root, at)) {
    const [before, after] = split(root.right, at)
    root.right = before
    return [measured(root), after]
  }
  const [before, after] = split(root.left, at)
  root.left = after
  return [before, measured(root)]
}

function merge<T>(a: Root<T>, b: Root<T>): Root<T> {
  if (a === undefined || b === undefined) return a ?? b
  if (a.priority > b.priority) {
    a.right = merge(a.right, b)
    return measured(a)
  }
  b.left = merge(a, b.left)
  return measured(b)
}

function measured<T>(node: IntervalNode<T>): IntervalNode<T> {
  const { left, right } = node
  let highMax = node.high
  if (left !== undefined) highMax = larger(highMax, left.highMax)
  if (right !== undefined) highMax = larger(highMax, right.highMax)
  node.highMax = highMax
  return node
}

function larger(a: Bound | undefined, b: Bound | undefined): Bound | undefined {
  return a === undefined || b === undefined ? undefined : a > b ? a : b
}

/** The id with its bits in disorder, each id another number (the finalizer of MurmurHash3). */
function scatter(id: number): number {
  let mixed = Math.imul(id ^ (id >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
