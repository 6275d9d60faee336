import { quietly } from '../base/quietly.js'
import { InvalidArgumentError } from '../base/errors.js'
import { isKey } from '../base/value.js'
import type { StoredRecord } from '../base/value.js'
import type { BucketDefinition } from '../schema/definition.js'
import { isStandardSchema } from '../schema/field.js'
import type { Include } from './include.js'
import { specOf } from './query-spec.js'
import type { QuerySpec } from './query-spec.js'

/** The fields of a bucket, each with the name of the bucket whose keys it has; undefined for those that have none. */
export type Refs = ReadonlyMap<string, string | undefined>

/** What relations need to know of a bucket. */
export interface Related {
  readonly bucket: string
  /** Name of its key field. */
  readonly key: string
  readonly refs: Refs
}

/** Knows the buckets of a store. @throws {BucketNotDefinedError} */
export type RelatedTo = (bucket: string) => Related

/** What `include` leads to, with the buckets as they are defined. */
export interface Relation {
  readonly include: Include
  readonly name: string
  /** Many: records that have the key of the row. One: the record whose key the row has. */
  readonly isMany: boolean
  /** The field that has the key: of the related records where they are many, else of the row. */
  readonly field: string
  /** The key field of the other side. */
  readonly key: string
  /** The bucket of the related records. */
  readonly bucket: string
}

/** The fields of a definition, with the buckets that they refer to. */
export function refsOf({ schema }: BucketDefinition): Refs {
  const refs = new Map<string, string | undefined>()
  if (isStandardSchema(schema)) return refs
  for (const [field, options] of Object.entries(schema)) {
    const isOne = !isStandardSchema(options) && options.type !== 'array'
    refs.set(field, isOne ? options.ref : undefined)
  }
  return refs
}

/**
 * The relation that `include` means for rows of bucket `from`: the record that a field with a `ref` names, where the field is
 * called as the relation, or so with `Id` or `_id` after it; otherwise the records of another bucket that name the row.
 *
 * @param relatedTo knows the other buckets. @throws {BucketNotDefinedError}
 * @throws {InvalidArgumentError} there is no such relation, or more than one: the message names those that there are.
 */
export function relationOf(include: Include, from: Related, relatedTo: RelatedTo): Relation {
  const { name, bucket, via } = include
  const argument = `bucket("${from.bucket}").where(…).include("${name}")`
  const own = bucket === undefined && via === undefined ? forwardField(name, from.refs) : undefined
  if (own !== name && from.refs.has(name)) {
    const expected = 'a name that is no field of the rows; { [name]: { bucket } } gives a bucket another one'
    throw new InvalidArgumentError(argument, expected, name)
  }
  if (own !== undefined) {
    const target = relatedTo(from.refs.get(own) as string)
    const [option] = include.options.filter((one) => one !== 'include')
    if (option !== undefined) {
      throw new InvalidArgumentError(`${argument}: ${option}`, 'only include, since this is one record', option)
    }
    return { include, name, isMany: false, field: own, key: target.key, bucket: target.bucket }
  }
  const target = bucket === undefined ? namedBucket(name, from, relatedTo, argument) : relatedTo(bucket)
  const fields = [...target.refs].filter(([, to]) => to === from.bucket).map(([field]) => field)
  const [only] = fields
  const field = via ?? (fields.length === 1 ? only : undefined)
  if (field === undefined || !fields.includes(field)) {
    const some = fields.length === 0 ? 'none has' : `${fields.join(', ')} ${fields.length === 1 ? 'has' : 'have'}`
    const what = `via: a field of bucket "${target.bucket}" with ref: "${from.bucket}"; ${some}`
    throw new InvalidArgumentError(argument, what, via)
  }
  return { include, name, isMany: true, field, key: from.key, bucket: target.bucket }
}

const SUFFIX = /_?[iI]d$/

function forwardField(name: string, refs: Refs): string | undefined {
  return [name, `${name}Id`, `${name}_id`].find((field) => refs.get(field) !== undefined)
}

function namedBucket(name: string, { bucket, refs }: Related, relatedTo: RelatedTo, argument: string): Related {
  // There may be no such bucket because a relation was meant: the message says which there are.
  const named = quietly(() => relatedTo(name))
  if (named !== undefined) return named
  const fields = [...refs.keys()].filter((field) => refs.get(field) !== undefined)
  const known = fields.map((field) => field.replace(SUFFIX, '')).join(', ')
  const expected = `${known === '' ? '' : `${known}, or `}the name of a bucket with a field that refers to "${bucket}"`
  throw new InvalidArgumentError(argument, expected, name)
}

/** The query for what belongs to `record`; undefined where that has no key to look for. */
export function querySpecOf(
  { include, isMany, field, key, bucket }: Relation,
  record: StoredRecord,
): QuerySpec | undefined {
  const value = record[isMany ? key : field]
  if (!isKey(value)) return undefined
  const { filter, order, limit, include: inner } = include
  const own = { op: 'eq', path: isMany ? field : key, value } as const
  return { ...specOf(bucket, { conditions: [own, ...filter.conditions] }), order, limit, include: inner }
}
