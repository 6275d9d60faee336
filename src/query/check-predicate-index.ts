import { assert } from '../base/assert.js'
import type { BucketPredicates, Entry } from './bucket-predicates.js'
import type { Bound, IntervalNode } from './interval-tree.js'
import type { PredicateIndex } from './predicate-index.js'

/** Throws unless Q4 holds: everything that is read waits where it has to, and nothing is kept that nobody reads. Visits all. */
export function checkPredicateIndex<D>(index: PredicateIndex<D>): void {
  for (const [name, bucket] of index.parts) {
    assert(!bucket.isEmpty, 'Q4', `bucket ${name} is kept, and nobody has read it`)
    checkBucket(bucket)
  }
}

function checkBucket<D>(bucket: BucketPredicates<D>): void {
  const { keys, others, paths, residual } = bucket.parts
  const waiting = new Set<unknown>(residual)
  for (const [path, { values, ranges }] of paths) {
    const isEmpty = values.size === 0 && ranges.number.isEmpty && ranges.string.isEmpty
    assert(!isEmpty, 'Q4', `field ${path} is kept, and nobody waits there`)
    for (const set of values.values()) {
      assert(set.size > 0, 'Q4', `a value of field ${path} is kept, and nobody waits there`)
      for (const entry of set) waiting.add(`${path} ${entry.name}`)
    }
    for (const node of [...checkNode(ranges.number.root), ...checkNode(ranges.string.root)]) waiting.add(node)
  }
  for (const entry of [...keys.values(), ...others.values()]) {
    assert(entry.dependents.size > 0, 'Q4', `an interest in bucket ${bucket.name} is kept, and nobody has it`)
    checkEntry(bucket, entry, waiting)
  }
  assert(waiting.size === 0, 'Q4', `bucket ${bucket.name}: ${waiting.size} filters wait that nobody has read`)
}

/** Takes what the entry accounts for out of `waiting`. */
function checkEntry<D>(bucket: BucketPredicates<D>, entry: Entry<D>, waiting: Set<unknown>): void {
  const { keys, others, paths, residual } = bucket.parts
  const own = entry.isKey ? keys.get(entry.name) : others.get(entry.name as string)
  assert(own === entry && entry.bucket === bucket, 'Q4', 'an interest is under another name than its own')
  if (entry.filter === undefined) return
  if (entry.places === undefined) {
    assert(residual.has(entry), 'Q4', `filter ${entry.name} waits nowhere`)
    waiting.delete(entry)
    return
  }
  for (const { place, node } of entry.places) {
    if (place.isRange)
      assert(node?.item === entry && waiting.delete(node), 'Q4', `filter ${entry.name} is not in its tree`)
    else {
      const isThere = paths.get(place.path)?.values.get(place.value)?.has(entry) === true
      assert(isThere, 'Q4', `filter ${entry.name} does not wait at its value of ${place.path}`)
      waiting.delete(`${place.path} ${entry.name}`)
    }
  }
}

/** Throws unless the nodes are in the order of a search tree and of a heap, and know the largest end below them. */
export function checkNode<T>(node: IntervalNode<T> | undefined): IntervalNode<T>[] {
  if (node === undefined) return []
  const { left, right, low, id, priority } = node
  const [before, after] = [checkNode(left), checkNode(right)]
  const isSorted = (a: IntervalNode<T>, b: { low: Bound; id: number }): boolean =>
    a.low < b.low || (a.low === b.low && a.id < b.id)
  const last = before.at(-1)
  const [first] = after
  const isOrdered = (last === undefined || isSorted(last, node)) && (first === undefined || isSorted(node, first))
  assert(isOrdered, 'Q4', `interval ${id}, from ${low}, is out of order`)
  const isHeap = (left?.priority ?? 0) <= priority && (right?.priority ?? 0) <= priority
  assert(isHeap, 'Q4', `interval ${id} has less priority than one below it`)
  const all = [...before, node, ...after]
  const highs = all.map(({ high }) => high)
  const highMax = highs.includes(undefined) ? undefined : highs.reduce((a, b) => ((a as Bound) > (b as Bound) ? a : b))
  assert(node.highMax === highMax, 'Q4', `interval ${id} says that the largest end below it is ${node.highMax}`)
  return all
}
