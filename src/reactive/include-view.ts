import { deepEqual } from '../base/equality.js'
import { quietly } from '../base/quietly.js'
import type { StoredRecord } from '../base/value.js'
import {
  answerWith,
  joinedRow,
  lookUpBuckets,
  partFrom,
  recordsIn,
  relationsOf,
  withoutIncluded,
} from '../query/answer-included.js'
import type { Peers } from '../query/answer-included.js'
import { ROWS } from '../query/query-spec.js'
import type { Question } from '../query/query-spec.js'
import { querySpecOf } from '../query/relation.js'
import type { Relation } from '../query/relation.js'
import { UNKNOWN } from './row-changes.js'
import type { Known } from './row-changes.js'
import { View } from './view.js'
import type { Dependent, Effect, Interests } from './view.js'

/** What a view that is put together of others needs of those. */
export interface ViewHost {
  readonly peers: Peers
  /** The view of a question, which is kept until it is released as often. */
  acquire(question: Question): View
  /** One use more of a view that is in use. */
  retain(view: View): View
  release(view: View): void
  /** @throws {BucketUnavailableError} */
  read(view: View): unknown
  /** The answer of `view` may be another one, because of what it is put together of. */
  changed(view: View): void
  /** `view` has to hear about other things than before. */
  interested(view: View): void
}

/** One row: its record, and the views of what belongs to that, one for each relation; undefined where it has no key. */
interface Joined {
  readonly record: StoredRecord
  readonly parts: (View | undefined)[]
  row: object
  at: number
}

/**
 * A view of rows with what belongs to them: put together of a view of the rows, and of one for each row and relation. So what a
 * commit touches is found, and kept up to date, as for any other view, and a change of a related record costs one row.
 *
 * When one of the others changes that is only noted; the rows are put together when they are asked for. Rows that did not
 * change keep their identity.
 */
export class IncludeView extends View implements Dependent {
  readonly #host: ViewHost
  readonly #base: View
  /** The buckets of the query and of all that it includes, as they were last defined; also those that are missing. */
  #buckets: ReadonlySet<string> = new Set()
  #relations: readonly Relation[]
  #records: readonly StoredRecord[] = []
  /** One for each of the records. */
  #joined: Joined[] = []
  /** Which rows show what a view has. */
  readonly #owners = new Map<View, Set<Joined>>()
  /** Views that have changed since the rows were put together. */
  readonly #touched = new Set<View>()
  #answer: unknown
  /** The last two lists of rows, and what is known of them. */
  #lastTwo: { before: readonly unknown[]; after: readonly unknown[]; known: Known } | undefined

  /** @throws {InvalidArgumentError} @throws {BucketNotDefinedError} nothing was acquired. */
  constructor(question: Question, host: ViewHost) {
    super(question)
    this.#host = host
    this.#relations = this.#resolve()
    this.#base = host.acquire(withoutIncluded(question))
    this.#base.dependents.add(this)
  }

  /** Looks up what the names lead to: that is another bucket where a field was defined again with another `ref`. */
  #resolve(): readonly Relation[] {
    const { include, bucket } = this.question.spec
    const { peers } = this.#host
    const before = this.#buckets
    const buckets = new Set([bucket])
    try {
      lookUpBuckets(include, bucket, (name) => peers((buckets.add(name), name)))
      return relationsOf(include, bucket, peers)
    } finally {
      this.#buckets = buckets
      if (before.size !== buckets.size || ![...before].every((name) => buckets.has(name))) this.#host.interested(this)
    }
  }

  /** That these buckets are there. What is in them is the interest of the views that this one is put together of. */
  override get interests(): Interests {
    return Array.from(this.#buckets, (bucket) => [bucket, 'bucket'] as const)
  }

  override get parts(): Iterable<View> {
    return [this.#base, ...this.#owners.keys()]
  }

  override awaits(isReady: (bucket: string) => boolean): string | undefined {
    if (!this.isStale && this.#touched.size === 0) return undefined
    // Where there is no such relation any more, to read it tells that.
    const isKnown = !this.isStale || quietly(() => this.#resolve()) !== undefined
    const buckets = isKnown ? this.#buckets : [this.question.spec.bucket]
    for (const bucket of buckets) if (!isReady(bucket)) return bucket
    return undefined
  }

  override get answer(): unknown {
    if (this.#touched.size > 0) this.#follow()
    return this.#answer
  }

  /** Puts everything together anew; what is as it was is the same object. */
  protected override build(): void {
    this.#relations = this.#resolve()
    const known = this.#byKey(this.#joined)
    const records = recordsIn(this.question, this.#host.read(this.#base))
    const made: Joined[] = []
    let left = made
    try {
      for (const record of records) made.push(this.#join(record, known.get(record[this.key]), false))
      left = this.#joined
      this.#joined = made
      this.#records = records
    } finally {
      // Only now: what is asked for again was never let go. Where it fails, everything stays as it was.
      for (const joined of left) this.#leave(joined)
    }
    this.#touched.clear()
    this.#place(0)
    this.#settle(0, this.#joined.length)
  }

  /** It is in the index for nothing that a change could touch. */
  override apply(): Effect {
    return 'none'
  }

  overtaken(view: View): void {
    this.#touched.add(view)
    this.#host.changed(this)
  }

  /** Who depends on this view is told because it has changed itself. */
  touched(): void {}

  override end(): void {
    for (const joined of this.#joined) this.#leave(joined)
    this.#base.dependents.delete(this)
    this.#host.release(this.#base)
  }

  /** Brings the rows up to date with the views that have changed. */
  #follow(): void {
    let [low, high] = this.#touched.has(this.#base) ? this.#followBase() : [Number.POSITIVE_INFINITY, 0]
    for (const view of this.#touched) {
      for (const joined of this.#owners.get(view) ?? []) {
        const row = this.#rowOf(joined.record, joined.parts, joined)
        if (row === joined.row) continue
        joined.row = row
        low = Math.min(low, joined.at)
        high = Math.max(high, joined.at + 1)
      }
    }
    this.#touched.clear()
    this.#settle(low, high)
  }

  /** Follows the view of the rows. @returns the places between which rows are not what they were. */
  #followBase(): [low: number, high: number] {
    const before = this.#records
    const records = recordsIn(this.question, this.#host.read(this.#base))
    const [head, tail] = sameEnds(before, records, this.#base.knownOf(before, records))
    const end = records.length - tail
    const old = this.#joined.slice(head, before.length - tail)
    const known = this.#byKey(old)
    const made: Joined[] = []
    const fresh: Joined[] = []
    try {
      for (let at = head; at < end; at++) {
        const record = records[at] as StoredRecord
        const was = known.get(record[this.key])
        const isSame = was?.record === record
        const joined = isSame ? was : this.#join(record, was, true)
        if (isSame) known.delete(record[this.key])
        else made.push(joined)
        fresh.push(joined)
      }
    } catch (error) {
      for (const joined of made) this.#leave(joined)
      throw error
    }
    this.#joined.splice(head, old.length, ...fresh)
    this.#records = records
    // Those that are left have gone, or have become another one.
    for (const joined of known.values()) this.#leave(joined)
    this.#place(head)
    return [head, Math.max(end, head)]
  }

  #byKey(some: readonly Joined[]): Map<unknown, Joined> {
    return new Map(some.map((joined) => [joined.record[this.key], joined]))
  }

  /** Tells the rows from `from` on where they are. */
  #place(from: number): void {
    for (let at = from; at < this.#joined.length; at++) (this.#joined[at] as Joined).at = at
  }

  /** @param was the row of the same record as it was. @param isKnown its relations are still those of this view. */
  #join(record: StoredRecord, was: Joined | undefined, isKnown: boolean): Joined {
    const joined: Joined = { record, parts: [], row: record, at: 0 }
    try {
      this.#relations.forEach((relation, i) => {
        const by = relation.isMany ? relation.key : relation.field
        const isSame = isKnown && was !== undefined && was.record[by] === record[by]
        const part = isSame ? was.parts[i] && this.#host.retain(was.parts[i]) : this.#acquire(relation, record)
        joined.parts.push(part)
        if (part !== undefined) this.#own(part, joined)
      })
      joined.row = this.#rowOf(record, joined.parts, was)
    } catch (error) {
      this.#leave(joined)
      throw error
    }
    return joined
  }

  #acquire(relation: Relation, record: StoredRecord): View | undefined {
    const spec = querySpecOf(relation, record)
    return spec === undefined ? undefined : this.#host.acquire({ spec, want: ROWS })
  }

  #own(part: View, joined: Joined): void {
    const owners = this.#owners.get(part)
    if (owners !== undefined) {
      owners.add(joined)
      return
    }
    this.#owners.set(part, new Set([joined]))
    part.dependents.add(this)
  }

  #leave(joined: Joined): void {
    for (const part of new Set(joined.parts)) {
      if (part === undefined) continue
      const owners = this.#owners.get(part) as Set<Joined>
      owners.delete(joined)
      if (owners.size > 0) continue
      this.#owners.delete(part)
      // A record that refers to itself is both a row and what belongs to it.
      if (part !== this.#base) part.dependents.delete(this)
    }
    for (const part of joined.parts) if (part !== undefined) this.#host.release(part)
  }

  /** The row of `record`; the same object as before where it is the same. */
  #rowOf(record: StoredRecord, parts: readonly (View | undefined)[], was: Joined | undefined): object {
    const { fields } = this.question.spec
    const values = this.#relations.map((relation, i) => {
      const part = parts[i]
      const rows = part === undefined ? [] : (this.#host.read(part) as readonly unknown[])
      return [relation.name, partFrom(relation, rows)] as const
    })
    const old = was?.row as { readonly [field: string]: unknown } | undefined
    if (old !== undefined && was?.record === record && values.every(([name, value]) => old[name] === value)) return old
    const row = this.shows(joinedRow(record, fields, values), record)
    return old !== undefined && deepEqual(old, row) ? old : row
  }

  /** The rows from `low` to before `high` are other ones than in the last answer. */
  #settle(low: number, high: number): void {
    const before = this.#lastTwo?.after ?? []
    const isSame = before.length === this.#joined.length
    if (this.#answer !== undefined && isSame && low >= high && this.question.want.kind === 'rows') return
    const rows = this.#joined.map(({ row }) => row)
    this.version++
    this.#answer = answerWith(this.question, this.#base.answer, Object.freeze(rows) as unknown as unknown[])
    const known = { head: Math.min(low, before.length), tail: Math.max(0, rows.length - high), step: undefined }
    this.#lastTwo = {
      before,
      after: rows,
      known: { ...known, step: isSame ? this.#stepAt(before, rows, low, high) : undefined },
    }
  }

  /** One row that is not what it was, where it is still that of the same record. */
  #stepAt(before: readonly unknown[], rows: readonly unknown[], low: number, high: number): Known['step'] {
    if (high - low !== 1) return undefined
    const key = this.keyOf
    return key(rows[low]) === key(before[low]) ? { from: low, to: low } : undefined
  }

  protected override adopt(answer: readonly unknown[], rows: readonly unknown[]): void {
    if (answer !== this.#answer || this.#lastTwo?.after !== answer || this.#touched.size > 0) return
    rows.forEach((row, at) => ((this.#joined[at] as Joined).row = row as object))
    this.#answer = rows
    this.#lastTwo = { before: rows, after: rows, known: UNKNOWN }
  }

  override knownOf(before: readonly unknown[], after: readonly unknown[]): Known {
    const last = this.#lastTwo
    return last?.before === before && last.after === after ? last.known : UNKNOWN
  }
}

/** How many records at either end are the same, which is known for some of them. */
function sameEnds(
  before: readonly unknown[],
  after: readonly unknown[],
  known: Known,
): readonly [head: number, tail: number] {
  const shorter = Math.min(before.length, after.length)
  let head = Math.min(known.head, shorter)
  while (head < shorter && before[head] === after[head]) head++
  let tail = Math.min(known.tail, shorter - head)
  while (tail < shorter - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++
  return [head, tail]
}
