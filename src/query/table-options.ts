import { asError } from '../base/errors.js'
import type { StoredRecord } from '../base/value.js'
import { fieldOf } from './field-path.js'
import { conditionText, parseFilter } from './filter.js'
import { matches } from './matches.js'
import { slotOrder } from './order.js'
import type { Collators } from './order.js'
import type { BucketDefinition, IndexDefinition, SchemaField } from '../schema/definition.js'
import { DefinitionError } from '../schema/errors.js'
import { isStandardSchema } from '../schema/field.js'
import type { IndexOptions, IndexPredicate, IndexValue } from '../state/field-index.js'
import { compoundValue, isIndexable } from '../state/field-index.js'
import type { TableOptions } from '../state/table.js'

/** What the table of a bucket needs to know of its definition. @throws {DefinitionError} the filter of an index is wrong. */
export function tableOptions(
  bucket: string,
  definition: BucketDefinition,
): TableOptions & { readonly collators: Collators } {
  const { key, etsType, maxSize, eviction, indexes = [] } = definition
  const collators = collatorsOf(definition)
  const wanted = new Map<string, IndexOptions>()
  const add = (index: Exclude<IndexDefinition, string | readonly string[]>): void => {
    const { fields, unique = false } = index
    const where = predicateOf(bucket, index)
    const name = JSON.stringify([fields, where?.texts])
    if (wanted.get(name)?.unique === true) return
    const valueIn = valueReader(fields, where)
    wanted.set(name, Object.freeze({ fields, unique, where, valueIn, order: orderOf(fields, collators) }))
  }
  for (const field of uniqueFields(definition)) add({ fields: [field], unique: true })
  for (const index of indexes)
    add(typeof index === 'string' ? { fields: [index] } : 'fields' in index ? index : { fields: index })
  return {
    bucket,
    key,
    collators,
    indexes: Object.freeze([...wanted.values()]),
    byKey: etsType === 'ordered_set',
    eviction: maxSize === undefined ? undefined : (eviction ?? 'oldest'),
  }
}

function fieldsOf({ schema }: BucketDefinition): [string, SchemaField][] {
  return isStandardSchema(schema) ? [] : Object.entries(schema)
}

function uniqueFields(definition: BucketDefinition): string[] {
  return fieldsOf(definition)
    .filter(([, options]) => !isStandardSchema(options) && options.unique === true)
    .map(([field]) => field)
}

function collatorsOf(definition: BucketDefinition): Collators {
  const collators = new Map<string, Intl.Collator>()
  for (const [field, options] of fieldsOf(definition)) {
    if (isStandardSchema(options) || options.collate === undefined) continue
    const { locale, ...rest } = typeof options.collate === 'string' ? { locale: options.collate } : options.collate
    collators.set(field, new Intl.Collator(locale, rest))
  }
  return collators
}

function orderOf(fields: readonly string[], collators: Collators): IndexOptions['order'] {
  return slotOrder(
    fields.map((path) => ({ path, isDescending: false })),
    collators,
  )
}

function predicateOf(bucket: string, { where }: { readonly where?: object }): IndexPredicate | undefined {
  if (where === undefined) return undefined
  try {
    const filter = parseFilter(where, `bucket "${bucket}", indexes: where`)
    const texts = filter.conditions.map(conditionText)
    return Object.freeze({ texts, test: (record: StoredRecord) => matches(filter, record) })
  } catch (error) {
    throw new DefinitionError(bucket, asError(error).message, undefined, { cause: error })
  }
}

/** Undefined where a record is simply found under the value of a field of its own. */
function valueReader(fields: readonly string[], where: IndexPredicate | undefined): IndexOptions['valueIn'] {
  const [only] = fields as readonly [string]
  if (fields.length === 1) {
    if (where === undefined && !only.includes('.')) return undefined
    return (record) => {
      if (where?.test(record) === false) return undefined
      const value = fieldOf(record, only)
      return isIndexable(value) ? value : undefined
    }
  }
  return (record) => {
    if (where?.test(record) === false) return undefined
    const values: IndexValue[] = []
    for (const path of fields) {
      const value = fieldOf(record, path)
      if (!isIndexable(value)) return undefined
      values.push(value)
    }
    return compoundValue(values)
  }
}
