import type { Key } from '../base/value.js'
import { compareValues } from '../base/value-order.js'
import { compoundValue } from '../state/field-index.js'
import type { FieldIndex, IndexValue } from '../state/field-index.js'
import type { TableIndex } from '../state/table-index.js'
import type { OrderedList } from '../state/ordered-list.js'
import type { Slot } from '../state/slot.js'
import type { Table } from '../state/table.js'
import { fieldOf } from './field-path.js'
import { conditionText } from './filter.js'
import type { Condition, Filter } from './filter.js'
import type { Collators, OrderTerm } from './order.js'
import { pathBounds } from './path-bounds.js'
import type { PathBounds } from './path-bounds.js'
import type { QuerySpec } from './query-spec.js'

/** Where the records come from. */
export type Access =
  | { readonly kind: 'keys'; readonly keys: readonly Key[] }
  | {
      readonly kind: 'values'
      readonly index: TableIndex
      readonly hash: FieldIndex
      readonly values: readonly IndexValue[]
    }
  /** The places `from` to before `to` of a list that is in order. Without an index: all records, by insertion. */
  | {
      readonly kind: 'range'
      readonly index: TableIndex | undefined
      readonly list: OrderedList<Slot>
      readonly from: number
      readonly to: number
    }
  | { readonly kind: 'scan' }

/** How a query is answered from a table. */
export interface Plan {
  readonly access: Access
  /** How many records `access` has. Exact. */
  readonly size: number
  /** The conditions that `access` does not guarantee; each record is tested for them. */
  readonly rest: Filter
  /** How the order comes about: as the access gives it, by going through it backward, or by sorting what was found. */
  readonly order: 'given' | 'backward' | 'sort'
  /** The part of the query's order that is not the same for all of `access`. */
  readonly terms: readonly OrderTerm[]
  /** What is the same to the order comes in some other order than that of insertion. */
  readonly hasLooseTies: boolean
}

interface Costed {
  readonly plan: Plan
  readonly cost: number
}

/** Putting the indexes of a bucket of this size in order is nothing. */
const SMALL = 1_000
/** Looking at this part of a bucket is cheap enough to leave its indexes as they are. */
const SMALL_PART = 16

/** Sorting `n` records costs about as much as looking at this many. */
const sortCost = (n: number): number => n * Math.log2(n + 2) * 0.3

/**
 * Chooses the cheapest way to the records of `spec`: by key, by values of an index, by a part of an ordered index, or by a
 * scan; in the order that an index has, where that spares a sort and lets the query stop early.
 *
 * @param isPaged it begins or ends at a cursor: what is in order can be entered in the middle.
 */
export function choosePlan(table: Table, spec: QuerySpec, collators: Collators, isPaged: boolean): Plan {
  return new Planner(table, spec, collators, isPaged).best()
}

class Planner {
  readonly #table: Table
  readonly #spec: QuerySpec
  readonly #collators: Collators
  readonly #isPaged: boolean
  readonly #bounds: ReadonlyMap<string, PathBounds>
  readonly #candidates: Plan[] = []

  constructor(table: Table, spec: QuerySpec, collators: Collators, isPaged: boolean) {
    this.#table = table
    this.#spec = spec
    this.#collators = collators
    this.#isPaged = isPaged
    this.#bounds = pathBounds(spec.filter.conditions)
  }

  best(): Plan {
    this.#offerKeys()
    this.#offerScan()
    const unordered: [TableIndex, readonly Condition[]][] = []
    for (const index of this.#table.indexes) {
      const implied = this.#impliedBy(index)
      if (implied === undefined) continue
      this.#offerValues(index, implied)
      if (index.orderedIfKept === undefined) unordered.push([index, implied])
      else this.#offerRange(index, implied)
    }
    const best = this.#cheapest()
    if (unordered.length === 0) return best.plan
    // Putting an index in order takes a sort of the whole bucket, and from then on a place for each record: only where
    // what there is would look at a good part of the bucket.
    const { size } = this.#table
    if (size > SMALL && best.cost < size / SMALL_PART) return best.plan
    for (const [index, implied] of unordered) this.#offerRange(index, implied)
    return this.#cheapest().plan
  }

  #cheapest(): Costed {
    let narrowest = Number.POSITIVE_INFINITY
    for (const { size } of this.#candidates) narrowest = Math.min(narrowest, size)
    let [plan] = this.#candidates as [Plan, ...Plan[]]
    let cost = Number.POSITIVE_INFINITY
    for (const one of this.#candidates) {
      const oneCost = this.#costOf(one, narrowest)
      if (oneCost >= cost) continue
      plan = one
      cost = oneCost
    }
    return { plan, cost }
  }

  /** Records that will be looked at, plus what sorting costs. */
  #costOf({ size, order, rest }: Plan, narrowest: number): number {
    if (order === 'sort') return size + sortCost(size)
    const wanted = this.#spec.offset + this.#spec.limit
    if (rest.conditions.length === 0) return Math.min(size, wanted)
    // The matches are not more than the narrowest access has; taken as spread evenly, so many come before enough do.
    return Math.min(size, (wanted * (size + 1)) / (narrowest + 1))
  }

  /** The conditions that a partial index guarantees; undefined where it may lack records that match. */
  #impliedBy({ options: { where } }: TableIndex): readonly Condition[] | undefined {
    if (where === undefined) return []
    const { conditions } = this.#spec.filter
    const texts = conditions.map(conditionText)
    if (!where.texts.every((text) => texts.includes(text))) return undefined
    return conditions.filter((_one, at) => where.texts.includes(texts[at] as string))
  }

  #offer(
    access: Access,
    size: number,
    order: Plan['order'],
    done: readonly Condition[],
    terms = this.#spec.order,
    hasLooseTies = false,
  ): void {
    const { filter } = this.#spec
    const rest =
      done.length === 0 ? filter : { conditions: filter.conditions.filter((condition) => !done.includes(condition)) }
    this.#candidates.push({ access, size, rest, order, terms, hasLooseTies })
  }

  #offerKeys(): void {
    const values = this.#bounds.get(this.#table.options.key)?.values
    if (values === undefined) return
    const { list, by } = values
    const keys = list.filter((key) => this.#table.slot(key) !== undefined)
    this.#offer({ kind: 'keys', keys }, keys.length, keys.length > 1 ? 'sort' : 'given', [by])
  }

  #offerScan(): void {
    const { size, options } = this.#table
    const isByInsertion = this.#spec.order.length === 0
    if (!isByInsertion || (this.#isPaged && options.byKey)) this.#offer({ kind: 'scan' }, size, 'sort', [])
    else if (!this.#isPaged) this.#offer({ kind: 'scan' }, size, 'given', [])
    else {
      const list = this.#table.order
      this.#offer({ kind: 'range', index: undefined, list, from: 0, to: size }, size, 'given', [])
    }
  }

  #offerValues(index: TableIndex, implied: readonly Condition[]): void {
    const { hash } = index
    const { fields } = index.options
    const known = fields.map((path) => this.#bounds.get(path)?.values).filter((one) => one !== undefined)
    if (hash === undefined || known.length < fields.length) return
    const isCompound = fields.length > 1
    if (isCompound && known.some(({ list }) => list.length !== 1)) return
    const first = known.map(({ list }) => list[0] as IndexValue)
    const values = isCompound ? [compoundValue(first)] : (known[0] as (typeof known)[0]).list
    let size = 0
    for (const value of values) size += hash.count(value)
    const isInOrder = values.length <= 1 && this.#orderWithin(fields).length === 0
    const done = [...known.map(({ by }) => by), ...implied]
    this.#offer({ kind: 'values', index, hash, values }, size, isInOrder ? 'given' : 'sort', done)
  }

  /** The terms of the order that are not the same for records that agree on `paths`. */
  #orderWithin(paths: readonly string[]): readonly OrderTerm[] {
    const { order } = this.#spec
    return order.length === 0 || paths.length === 0 ? order : order.filter(({ path }) => !paths.includes(path))
  }

  #offerRange(index: TableIndex, implied: readonly Condition[]): void {
    const { fields } = index.options
    const prefix: IndexValue[] = []
    const done: Condition[] = [...implied]
    for (const path of fields) {
      const values = this.#bounds.get(path)?.values
      if (values?.list.length !== 1) break
      prefix.push(values.list[0] as IndexValue)
      done.push(values.by)
    }
    const next = fields[prefix.length]
    const interval = next === undefined || this.#collators.has(next) ? undefined : this.#bounds.get(next)?.interval
    const terms = this.#orderWithin(fields.slice(0, prefix.length))
    const order = this.#orderBy(fields, prefix.length, terms)
    // An index that neither narrows nor orders is a slow scan; one with the value of its only field is asked by value.
    if (prefix.length === 0 && interval === undefined && (order === 'sort' || terms.length === 0)) return
    if (index.hash !== undefined && prefix.length === fields.length && terms.length === 0) return
    if (interval !== undefined) done.push(...interval.by)
    const list = index.ordered
    const placeOf = ({ record }: Slot): number => {
      for (let at = 0; at < prefix.length; at++) {
        const order = compareIn(
          this.#collators,
          fields[at] as string,
          fieldOf(record, fields[at] as string),
          prefix[at],
        )
        if (order !== 0) return order
      }
      if (interval === undefined) return 0
      const value = fieldOf(record, next as string)
      return interval.isBelow(value) ? -1 : interval.isAbove(value) ? 1 : 0
    }
    const isWhole = prefix.length === 0 && interval === undefined
    const from = isWhole ? 0 : list.partition((slot) => placeOf(slot) < 0)
    const to = isWhole ? list.size : list.partition((slot) => placeOf(slot) <= 0, from)
    const hasLooseTies = prefix.length + terms.length < fields.length
    this.#offer({ kind: 'range', index, list, from, to }, to - from, order, done, terms, hasLooseTies)
  }

  /** How the order comes about when the index is gone through where its first `prefix` fields are the same. */
  #orderBy(fields: readonly string[], prefix: number, terms: readonly OrderTerm[]): Plan['order'] {
    if (terms.length === 0) return prefix === fields.length ? 'given' : 'sort'
    const [{ isDescending }] = terms as readonly [OrderTerm]
    const isSame = terms.every((term, at) => term.path === fields[prefix + at] && term.isDescending === isDescending)
    if (!isSame) return 'sort'
    return isDescending ? 'backward' : 'given'
  }
}

function compareIn(collators: Collators, path: string, a: unknown, b: unknown): number {
  const collator = collators.get(path)
  const order = collator !== undefined && typeof a === 'string' && typeof b === 'string' ? collator.compare(a, b) : 0
  return order === 0 ? compareValues(a as never, b as never) : order
}
