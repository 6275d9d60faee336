import type { StoredRecord } from '../base/value.js'
import type { QueryPage } from './answer.js'
import { project } from './answer.js'
import type { Explanation } from './explain.js'
import { fieldOf } from './field-path.js'
import { NO_INCLUDES } from './include.js'
import type { Include } from './include.js'
import { choosePlan } from './plan.js'
import { ROWS, specOf } from './query-spec.js'
import type { Question } from './query-spec.js'
import { querySpecOf, relationOf } from './relation.js'
import type { Relation } from './relation.js'
import type { Source } from './source.js'

/** A bucket that a relation leads to, or comes from. */
export interface Peer {
  readonly source: Source
  /** What answers questions about it. @throws {BucketUnavailableError} it cannot answer at once. */
  reads(): { ask(question: Question): unknown }
}

/** Knows the buckets of a store. @throws {BucketNotDefinedError} */
export type Peers = (bucket: string) => Peer

/** The records that a question with relations is about, as the answer to the question without them has them. */
export function recordsIn({ want }: Question, answer: unknown): readonly StoredRecord[] {
  if (want.kind === 'page') return (answer as QueryPage<StoredRecord>).records
  if (want.kind !== 'first') return answer as StoredRecord[]
  return answer === undefined ? [] : [answer as StoredRecord]
}

/** The answer to a question with relations: `answer`, that to the question without them, with `rows` for its records. */
export function answerWith({ want }: Question, answer: unknown, rows: unknown[]): unknown {
  if (want.kind === 'page') return { ...(answer as QueryPage<unknown>), records: rows }
  return want.kind === 'first' ? rows[0] : rows
}

/** The question without its relations, about whole records: what is included is put with those. */
export function withoutIncluded({ spec, want }: Question): Question {
  return { spec: { ...spec, include: NO_INCLUDES, fields: undefined }, want }
}

/** The relations of a query. @throws {InvalidArgumentError} @throws {BucketNotDefinedError} */
export function relationsOf(include: readonly Include[], bucket: string, peers: Peers): Relation[] {
  return include.map((one) => relationOf(one, peers(bucket).source, (other) => peers(other).source))
}

/** Looks up each bucket of a query and of all that it includes. @throws {InvalidArgumentError} @throws {BucketNotDefinedError} */
export function lookUpBuckets(include: readonly Include[], bucket: string, peers: Peers): void {
  for (const relation of relationsOf(include, bucket, peers)) {
    lookUpBuckets(relation.include.include, relation.bucket, peers)
  }
}

/** Answers a question with relations. Each related record is read through its own bucket. */
export function answerIncluded(question: Question, peers: Peers): unknown {
  const { spec, want } = question
  const relations = relationsOf(spec.include, spec.bucket, peers)
  const answer = peers(spec.bucket).reads().ask(withoutIncluded(question))
  if (want.kind === 'explain') return explained(answer as Explanation, relations, peers)
  return answerWith(question, answer, joined(recordsIn(question, answer), spec.fields, relations, peers))
}

function joined(
  records: readonly StoredRecord[],
  fields: readonly string[] | undefined,
  relations: readonly Relation[],
  peers: Peers,
): object[] {
  const parts = relations.map((relation) => [relation.name, partOf(relation, records, peers)] as const)
  return records.map((record) =>
    joinedRow(
      record,
      fields,
      parts.map(([name, of]) => [name, of(record)] as const),
    ),
  )
}

/** A row with what was included in it, frozen. */
export function joinedRow(
  record: StoredRecord,
  fields: readonly string[] | undefined,
  parts: readonly (readonly [name: string, part: unknown])[],
): object {
  return Object.freeze({ ...project(record, fields), ...Object.fromEntries(parts) })
}

/**
 * What a relation leads to from each of `records`. All that is included in that is looked for at once: one look at a bucket
 * without an index serves all of them, however deep it is included.
 */
function partOf(relation: Relation, records: readonly StoredRecord[], peers: Peers): (record: StoredRecord) => unknown {
  const { include, isMany, bucket } = relation
  const by = isMany ? relation.key : relation.field
  const isGrouped = isMany && records.length > 1 && isScan(relation, records, peers)
  const found = (isGrouped ? groupsOf : eachOf)(relation, records, peers)
  const inner = relationsOf(include.include, bucket, peers)
  if (inner.length > 0) {
    // Many rows may lead to the same record.
    const all = [...new Set([...found.values()].flat())]
    const rows = joined(all, undefined, inner, peers)
    const rowOf = new Map(all.map((record, at) => [record, rows[at] as StoredRecord]))
    for (const [key, some] of found) {
      found.set(
        key,
        some.map((record) => rowOf.get(record) as StoredRecord),
      )
    }
  }
  const parts = new Map<unknown, unknown>()
  for (const [key, rows] of found) parts.set(key, partFrom(relation, rows))
  return (record) => parts.get(record[by]) ?? partFrom(relation, [])
}

/** Looks for what belongs to each of the records. */
function eachOf(relation: Relation, records: readonly StoredRecord[], peers: Peers): Map<unknown, StoredRecord[]> {
  const found = new Map<unknown, StoredRecord[]>()
  for (const record of records) {
    const key = record[relation.isMany ? relation.key : relation.field]
    const spec = found.has(key) ? undefined : querySpecOf(relation, record)
    if (spec === undefined) continue
    const alone = { ...spec, include: NO_INCLUDES }
    found.set(key, peers(relation.bucket).reads().ask({ spec: alone, want: ROWS }) as StoredRecord[])
  }
  return found
}

/** What a row shows of the rows that a relation leads to. */
export function partFrom({ isMany }: Relation, rows: readonly unknown[]): unknown {
  return isMany ? Object.freeze(rows) : (rows[0] ?? null)
}

/** Whether each of the records would cost a look at all records of the other bucket. */
function isScan(relation: Relation, [first]: readonly StoredRecord[], peers: Peers): boolean {
  const spec = querySpecOf(relation, first as StoredRecord)
  const { table, collators } = peers(relation.bucket).source
  return spec !== undefined && (table === undefined || choosePlan(table, spec, collators, false).access.kind === 'scan')
}

/** As `eachOf`, with one look at all related records. */
function groupsOf(relation: Relation, records: readonly StoredRecord[], peers: Peers): Map<unknown, StoredRecord[]> {
  const { bucket, include, field, key } = relation
  const groups = new Map<unknown, StoredRecord[]>()
  for (const record of records) groups.set(record[key], [])
  const { filter, order, limit } = include
  const spec = { ...specOf(bucket, filter), order }
  for (const related of peers(bucket).reads().ask({ spec, want: ROWS }) as StoredRecord[]) {
    const group = groups.get(fieldOf(related, field))
    if (group !== undefined && group.length < limit) group.push(related)
  }
  return groups
}

function explained(explanation: Explanation, relations: readonly Relation[], peers: Peers): Explanation {
  const include = relations.map(({ name, bucket, field, isMany }) => {
    const { table, key } = peers(bucket).source
    const isIndexed = table?.options.indexes.some(({ fields, where }) => fields[0] === field && where === undefined)
    const access = !isMany ? 'key' : field === key ? 'key' : isIndexed === true ? 'index' : 'scan'
    return Object.freeze({ name, bucket, field, access } as const)
  })
  const ways = { key: 'by key', index: 'by an index', scan: 'by one scan for all rows, live by one for each row' }
  const texts = include.map(({ name, bucket, access }) => `; ${name} from bucket "${bucket}" ${ways[access]}`)
  return Object.freeze({ ...explanation, include, text: explanation.text + texts.join('') })
}
