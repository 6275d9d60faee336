/** What has changed between two results of a query. */
export interface RowChanges<T> {
  readonly added: readonly T[]
  readonly removed: readonly T[]
  /** Rows of the same record that are not what they were. */
  readonly changed: readonly { readonly before: T; readonly after: T }[]
  /** Rows that stand elsewhere among the others: their places in the result before, and in this one. */
  readonly moved: readonly { readonly row: T; readonly from: number; readonly to: number }[]
}

interface At<T> {
  readonly row: T
  readonly at: number
}

/** What is known of two results without comparing them. */
export interface Known {
  /** How many rows at the beginning, and at the end, are the same in both. */
  readonly head: number
  readonly tail: number
  /** The one row that is all that has changed: its place before, and its place after; -1 where it was not, or is not, there. */
  readonly step: { readonly from: number; readonly to: number } | undefined
}

/** Where nothing is known of two results. */
export const UNKNOWN: Known = Object.freeze({ head: 0, tail: 0, step: undefined })

/** From so many rows on it is cheaper to compare copies: reading a frozen array costs eight times as much. */
const COPIED_FROM = 64

/** Shared by all results to which nothing of a kind has happened, which is most of them. */
const NONE: readonly never[] = Object.freeze([])

/**
 * Compares two results row by row, by identity: rows that did not change are the same objects. Linear, in what lies between
 * the ends that are known to be the same; where rows come, go and change one by one, without a map of them all.
 *
 * @param keyOf what says that two rows are of the same record; undefined where that cannot be told.
 */
export function rowChanges<T>(
  was: readonly T[],
  is: readonly T[],
  keyOf: (row: T) => unknown,
  { head, tail, step }: Known = UNKNOWN,
): RowChanges<T> {
  if (was.length === 0) return { added: is, removed: NONE, changed: NONE, moved: NONE }
  if (step !== undefined) return oneStep(was, is, step)
  const shorter = Math.min(was.length, is.length)
  const isLong = shorter - head - tail >= COPIED_FROM
  const before = isLong ? [...was] : was
  const after = isLong ? [...is] : is
  let i = Math.min(head, shorter)
  while (i < shorter && before[i] === after[i]) i++
  let same = Math.min(tail, shorter - i)
  while (same < shorter - i && before[before.length - 1 - same] === after[after.length - 1 - same]) same++
  const beforeEnd = before.length - same
  const afterEnd = after.length - same
  const gone: At<T>[] = []
  const come: At<T>[] = []
  const changed: { before: T; after: T }[] = []
  const nameOf = (row: T): unknown => keyOf(row) ?? row
  let j = i
  if (i < beforeEnd && j < afterEnd) {
    // Who has gone for good and who was not there at all is no reason to think that the others have moved.
    const staying = namesIn(after, j, afterEnd, nameOf)
    const known = namesIn(before, i, beforeEnd, nameOf)
    while (i < beforeEnd && j < afterEnd) {
      const a = before[i] as T
      const b = after[j] as T
      const [nameA, nameB] = [nameOf(a), nameOf(b)]
      if (nameA === nameB) {
        if (a !== b) changed.push({ before: a, after: b })
        i++
        j++
      } else if (!staying.has(nameA)) gone.push({ row: a, at: i++ })
      else if (!known.has(nameB)) come.push({ row: b, at: j++ })
      else if (i + 1 < beforeEnd && nameOf(before[i + 1] as T) === nameB) gone.push({ row: a, at: i++ })
      else if (j + 1 < afterEnd && nameOf(after[j + 1] as T) === nameA) come.push({ row: b, at: j++ })
      else {
        gone.push({ row: a, at: i++ })
        come.push({ row: b, at: j++ })
      }
    }
  }
  for (; i < beforeEnd; i++) gone.push({ row: before[i] as T, at: i })
  for (; j < afterEnd; j++) come.push({ row: after[j] as T, at: j })
  if (gone.length === 0 || come.length === 0) {
    return { added: rowsOf(come), removed: rowsOf(gone), changed, moved: NONE }
  }
  return matched(gone, come, changed, nameOf)
}

/** Whether nothing has changed. */
export function isEmpty({ added, removed, changed, moved }: RowChanges<unknown>): boolean {
  return added.length + removed.length + changed.length + moved.length === 0
}

function namesIn<T>(rows: readonly T[], from: number, to: number, nameOf: (row: T) => unknown): ReadonlySet<unknown> {
  const names = new Set<unknown>()
  for (let at = from; at < to; at++) names.add(nameOf(rows[at] as T))
  return names
}

function oneStep<T>(
  before: readonly T[],
  after: readonly T[],
  { from, to }: { readonly from: number; readonly to: number },
): RowChanges<T> {
  if (from < 0) return { added: [after[to] as T], removed: NONE, changed: NONE, moved: NONE }
  const row = before[from] as T
  if (to < 0) return { added: NONE, removed: [row], changed: NONE, moved: NONE }
  const fresh = after[to] as T
  return {
    added: NONE,
    removed: NONE,
    changed: row === fresh ? NONE : [{ before: row, after: fresh }],
    moved: from === to ? NONE : [{ row: fresh, from, to }],
  }
}

function rowsOf<T>(some: readonly At<T>[]): readonly T[] {
  return some.length === 0 ? NONE : some.map(({ row }) => row)
}

/** A row that has gone from one place and come to another has moved. */
function matched<T>(
  gone: readonly At<T>[],
  come: readonly At<T>[],
  changed: { before: T; after: T }[],
  nameOf: (row: T) => unknown,
): RowChanges<T> {
  const moved: { row: T; from: number; to: number }[] = []
  const left = new Map<unknown, At<T>>()
  for (const one of gone) left.set(nameOf(one.row), one)
  const added: T[] = []
  for (const { row, at } of come) {
    const key = nameOf(row)
    const was = left.get(key)
    if (was === undefined) {
      added.push(row)
      continue
    }
    left.delete(key)
    moved.push({ row, from: was.at, to: at })
    if (was.row !== row) changed.push({ before: was.row, after: row })
  }
  return { added, removed: Array.from(left.values(), ({ row }) => row), changed, moved }
}
