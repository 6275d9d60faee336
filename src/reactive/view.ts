import { deepEqual } from '../base/equality.js'
import type { Key, StoredRecord } from '../base/value.js'
import type { Interest } from '../query/bucket-predicates.js'
import { looked } from '../query/find.js'
import { matches } from '../query/matches.js'
import { questionText } from '../query/query-spec.js'
import type { Question } from '../query/query-spec.js'
import type { Source } from '../query/source.js'
import { isEmpty, rowChanges, UNKNOWN } from './row-changes.js'
import type { Known, RowChanges } from './row-changes.js'

/** What a view has to hear about, in one bucket each. */
export type Interests = readonly (readonly [bucket: string, interest: Interest])[]

/** What a commit did to one record, and where that stands in its bucket. */
export interface PlacedChange {
  readonly key: Key
  readonly before: StoredRecord | undefined
  readonly after: StoredRecord | undefined
  readonly ordinal: number
}

/**
 * What a change does to an answer: it stays, is brought up to date, has to be built from the bucket, or is left to be built
 * when somebody next asks for it.
 */
export type Effect = 'none' | 'changed' | 'rebuild' | 'stale'

type Rows = readonly unknown[]

/** What somebody is told of an answer. */
export interface Told {
  readonly rows: Rows
  readonly changes: RowChanges<unknown>
}

/** How often views were built so far, of all stores. */
export const built = { views: 0 }

/**
 * The answer to one question, kept up to date with every commit that touches it. It is shared by all who ask the same.
 *
 * Holds V1: after each commit it is what the question would be answered afresh.
 */
export abstract class View {
  readonly question: Question
  /** The same for equal questions. */
  readonly text: string
  /** Grows with each change of the answer. */
  version = 0
  /** How many use it. */
  uses = 0
  /** Who is told when the answer has changed. */
  readonly dependents: Set<Dependent> = new Set()
  /** It has to be built anew before it is read. */
  isStale = true
  /** Number of the last commit that changed it. */
  changedIn = 0
  /** It has changed since the last commit that was announced. */
  isUnannounced = false
  /** What `built` was when it was last built, and how many records that has looked at. */
  builtAt = 0
  examined = 0
  /** Name of the key field of its bucket. */
  protected key = ''
  /** Keys of the records of rows that do not show them. */
  readonly #keys = new WeakMap<object, unknown>()
  #told: { readonly before: Rows; readonly after: Rows; readonly told: Told } | undefined

  constructor(question: Question) {
    this.question = question
    this.text = questionText(question)
  }

  /** The answer; the same object until it changes. Not to be changed by anybody. */
  abstract get answer(): unknown

  /** Builds the answer from the bucket as it is. */
  rebuild(source: Source): void {
    // A bucket that was dropped and defined again may have another key.
    this.key = source.key
    const { records } = looked
    this.build(source)
    this.examined = looked.records - records
    this.builtAt = ++built.views
  }

  /** See `rebuild`. */
  protected abstract build(source: Source): void

  /** Brings the answer up to date with one change of a commit. It must not look at the bucket, which has all of them. */
  abstract apply(change: PlacedChange): Effect

  /**
   * What has changed from `before`, which somebody was told, to `after`, the answer; kept for the next who asks for the same two.
   *
   * The view follows memory, so what it has seen in between may be nothing that was ever told: a row that has come back to
   * what it was is for everybody else another object. Here it is again that of `before`.
   */
  toldAfter(before: Rows, after: Rows): Told {
    const last = this.#told
    if (last?.before === before && last.after === after) return last.told
    const keyOf = this.keyOf
    let rows = after
    let changes = rowChanges(before, after, keyOf, this.knownOf(before, after))
    const back = new Map<unknown, unknown>()
    for (const one of changes.changed) if (isSame(one.before, one.after)) back.set(one.after, one.before)
    if (back.size > 0) {
      rows = Object.freeze([...after].map((row) => back.get(row) ?? row))
      changes = rowChanges(before, rows, keyOf)
      if (isEmpty(changes)) rows = before
      this.adopt(after, rows)
    }
    // All who ask get the same lists.
    for (const list of Object.values(changes)) Object.freeze(list)
    const told = { rows, changes }
    this.#told = { before, after, told }
    return told
  }

  /** The rows of an answer are `rows`, which are equal, from now on. */
  protected adopt(_answer: Rows, _rows: Rows): void {}

  /** What is known of two answers without comparing them. */
  knownOf(_before: Rows, _after: Rows): Known {
    return UNKNOWN
  }

  /** The key of the record that a row shows. */
  protected get keyOf(): (row: unknown) => unknown {
    if (this.#isKeyed) return (row) => (row as StoredRecord)[this.key]
    return (row) => this.#keys.get(row as object)
  }

  get #isKeyed(): boolean {
    const { fields } = this.question.spec
    return fields === undefined || fields.includes(this.key)
  }

  /** `row` shows `record`. */
  protected shows<R extends object>(row: R, record: StoredRecord): R {
    if (!this.#isKeyed) this.#keys.set(row, record[this.key])
    return row
  }

  /** What of the buckets it has to hear about; asked for once. */
  get interests(): Interests {
    const { bucket, filter } = this.question.spec
    return [[bucket, filter.conditions.length === 0 ? 'all' : { filter }]]
  }

  /** The views that it is put together of, if it is. */
  get parts(): Iterable<View> {
    return []
  }

  /** The bucket that it has to wait for until it can be read; undefined where it need not. */
  awaits(isReady: (bucket: string) => boolean): string | undefined {
    const { bucket } = this.question.spec
    return this.isStale && !isReady(bucket) ? bucket : undefined
  }

  /** Nobody uses it any more: lets go of what it holds. */
  end(): void {}

  /** Whether the record matches the query's filter. */
  protected isIn(record: StoredRecord | undefined): boolean {
    return record !== undefined && matches(this.question.spec.filter, record)
  }
}

/** Whether two rows of the same record are equal. Most are not of the same version, if they show it. */
function isSame(before: unknown, after: unknown): boolean {
  return (before as StoredRecord)['_version'] === (after as StoredRecord)['_version'] && deepEqual(before, after)
}

/** Who depends on a view. Being told, nobody adds or removes dependents. */
export interface Dependent {
  /** The view has changed in memory. */
  overtaken(view: View): void
  /** A commit that changed the view is durable, or was taken back. */
  touched(view: View): void
}
