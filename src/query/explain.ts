import { filterText } from './filter.js'
import type { Plan } from './plan.js'
import type { QuerySpec } from './query-spec.js'

/** How a query was answered. */
export interface Explanation {
  readonly bucket: string
  /**
   * Where the records came from: by `key`, by the value of an index (`index`), from a part of an ordered index (`range`), or
   * by looking at all (`scan`). `overlay`: with what the transaction has written to this bucket laid over it;
   * then `examined` counts all records that it sees, and no index is named.
   */
  readonly access: 'key' | 'index' | 'range' | 'scan' | 'overlay'
  /** Fields of the index that was used, if any. */
  readonly index: readonly string[] | undefined
  /** How the order came about: as it was found (`given`), by going through the index `backward`, or by a `sort`. */
  readonly order: 'given' | 'backward' | 'sort'
  /** The conditions that had to be tested record by record, as text; empty where the access guarantees them all. */
  readonly tested: string
  /** Records that were looked at. */
  readonly examined: number
  /** Records that the query gives. */
  readonly returned: number
  /**
   * How the records that were included are found: for each row by key or by an index on the field, or by one scan for all rows,
   * which is one for each row where the query is live.
   */
  readonly include?: readonly {
    readonly name: string
    readonly bucket: string
    readonly field: string
    readonly access: 'key' | 'index' | 'scan'
  }[]
  /** All of it in a sentence. */
  readonly text: string
}

/** Says how a query was answered. @param plan undefined: a transaction has written to the bucket. */
export function explain(spec: QuerySpec, plan: Plan | undefined, examined: number, returned: number): Explanation {
  const { access, index } = accessOf(plan)
  const order = plan?.order ?? 'sort'
  const rest = plan?.rest ?? spec.filter
  const tested = rest.conditions.length === 0 ? '' : filterText(rest)
  const facts = { bucket: spec.bucket, access, index, order, tested, examined, returned }
  return Object.freeze({ ...facts, text: sentence(facts, spec) })
}

function accessOf(plan: Plan | undefined): Pick<Explanation, 'access' | 'index'> {
  if (plan === undefined) return { access: 'overlay', index: undefined }
  const { access } = plan
  if (access.kind === 'keys') return { access: 'key', index: undefined }
  if (access.kind === 'values') return { access: 'index', index: access.index.options.fields }
  if (access.kind === 'range' && access.index !== undefined)
    return { access: 'range', index: access.index.options.fields }
  return { access: 'scan', index: undefined }
}

function sentence(facts: Omit<Explanation, 'text'>, spec: QuerySpec): string {
  const { bucket, access, index, order, tested, examined, returned } = facts
  const name = index === undefined ? '' : `the index on ${index.join(', ')}`
  const from = {
    key: 'by key',
    index: `by value from ${name}`,
    range: `from a range of ${name}`,
    scan: 'by a scan of all records',
    overlay: 'with what this transaction has written laid over it',
  }[access]
  const orders = { given: 'in its order', backward: 'backward, in its order', sort: 'then sorted' }[order]
  const sorted = spec.order.length === 0 && order !== 'backward' ? '' : `, ${orders}`
  const tests = tested === '' ? '' : `, each tested for ${tested}`
  return `bucket "${bucket}": ${from}${tests}${sorted}; ${examined} examined, ${returned} returned`
}
