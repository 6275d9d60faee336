import { deepEqual } from '../../base/equality.js'
import type { Key, StoredRecord } from '../../base/value.js'

/** A record that is not the same on both sides. */
export interface Difference {
  readonly key: Key
  readonly kind: 'added' | 'removed' | 'changed'
  /** In the file. */
  readonly before?: StoredRecord
  /** Under the code of the module. */
  readonly after?: StoredRecord
  /** Names of the fields that differ. */
  readonly fields?: readonly string[]
}

/** What became of one bucket. */
export interface BucketDifference {
  readonly bucket: string
  /** Whether only the module has it. */
  readonly isNew: boolean
  /** Records in the file, and under the code of the module. */
  readonly before: number
  readonly after: number
  readonly added: number
  readonly removed: number
  readonly changed: number
  /** Whether records that both have stand in another order. */
  readonly isReordered: boolean
  /** The first of them. */
  readonly first: readonly Difference[]
}

/** So many differences of a bucket are kept. */
const FIRST_MAX = 10

/** What is different between the records of a bucket by their keys, each in insertion order. */
export function compareBucket(
  bucket: string,
  before: ReadonlyMap<Key, StoredRecord>,
  after: ReadonlyMap<Key, StoredRecord>,
  isNew: boolean,
): BucketDifference {
  const first: Difference[] = []
  const count = { added: 0, removed: 0, changed: 0 }
  const note = (difference: Difference): void => {
    count[difference.kind]++
    if (first.length < FIRST_MAX) first.push(difference)
  }
  for (const [key, record] of before) {
    const now = after.get(key)
    if (now === undefined) note({ key, kind: 'removed', before: record })
    else if (!deepEqual(record, now)) {
      note({ key, kind: 'changed', before: record, after: now, fields: fieldsOf(record, now) })
    }
  }
  for (const [key, record] of after) if (!before.has(key)) note({ key, kind: 'added', after: record })
  const sizes = { before: before.size, after: after.size }
  return { bucket, isNew, ...sizes, ...count, isReordered: isReordered(before, after), first }
}

/** Whether there is anything different. */
export function isDifferent({ added, removed, changed, isReordered: isOther }: BucketDifference): boolean {
  return added + removed + changed > 0 || isOther
}

function fieldsOf(before: StoredRecord, after: StoredRecord): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...names].filter((name) => !deepEqual(before[name], after[name]))
}

function isReordered(before: ReadonlyMap<Key, unknown>, after: ReadonlyMap<Key, unknown>): boolean {
  const rest = after.keys()
  for (const key of before.keys()) {
    if (!after.has(key)) continue
    let next = rest.next()
    while (next.done !== true && !before.has(next.value)) next = rest.next()
    if (next.value !== key) return true
  }
  return false
}
