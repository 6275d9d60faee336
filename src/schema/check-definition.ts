import { describeValue } from '../base/errors.js'
import { copyValue, deepFreeze } from './copy-value.js'
import type { CopyState } from './copy-value.js'
import type { BucketDefinition, FieldDefinition, FieldType, SchemaField } from './definition.js'
import { DefinitionError } from './errors.js'
import type { ValidationIssue } from './errors.js'
import { compileField, isStandardSchema } from './field.js'
import { parseTtl } from './ttl.js'

const FIELD_TYPES: readonly string[] = ['string', 'number', 'boolean', 'object', 'array', 'date'] satisfies FieldType[]
const BUCKET_OPTIONS = ['key', 'schema', 'indexes', 'etsType', 'persistent', 'ttl', 'maxSize', 'eviction', 'strict']
const NAME_CHARACTERS_MAX = 200
const LONE_SURROGATE = /[\ud800-\udfff]/u
const META_FIELDS = ['_version', '_createdAt', '_updatedAt', '_expiresAt']

/** Which types of field each option goes with; options that are not here go with every type. */
const OPTION_TYPES: { readonly [option: string]: readonly string[] } = {
  required: FIELD_TYPES,
  default: FIELD_TYPES,
  ref: FIELD_TYPES,
  type: FIELD_TYPES,
  generated: ['string', 'number', 'date'],
  unique: ['string', 'number', 'boolean', 'date'],
  enum: ['string', 'number', 'boolean', 'date'],
  format: ['string', 'date'],
  pattern: ['string'],
  min: ['number'],
  max: ['number'],
  minLength: ['string', 'array'],
  maxLength: ['string', 'array'],
  properties: ['object'],
  items: ['array'],
}

const GENERATED_TYPES: { readonly [generated: string]: readonly string[] } = {
  uuid: ['string'],
  cuid: ['string'],
  autoincrement: ['number'],
  timestamp: ['number', 'date'],
}

type Fail = (message: string, field?: string) => never

/**
 * Checks the definition of bucket `name` and returns a frozen copy, which later changes to the original do not reach.
 *
 * @throws {DefinitionError} it names the field and what is allowed; nothing was done.
 */
export function checkDefinition(name: string, definition: BucketDefinition): BucketDefinition {
  const fail: Fail = (message, field) => {
    throw new DefinitionError(String(name), message, field)
  }
  checkName(name, fail)
  if (typeof definition !== 'object' || definition === null) {
    fail(`bucket "${name}": expected a definition { key, schema }, got ${describeValue(definition)}`)
  }
  const own: Record<string, unknown> = { ...definition }
  for (const option of Object.keys(own)) {
    if (!BUCKET_OPTIONS.includes(option)) {
      fail(`bucket "${name}": unknown option "${option}"; known are ${BUCKET_OPTIONS.join(', ')}`)
    }
  }
  const { key, schema } = own
  if (typeof key !== 'string') fail(`bucket "${name}": key: expected the name of a field, got ${describeValue(key)}`)
  const checked = { ...own, schema: checkSchema(name, schema, fail) } as unknown as BucketDefinition
  checkReferences(name, checked, fail)
  checkLimits(name, own, fail)
  if (checked.indexes === undefined) return Object.freeze(checked)
  return Object.freeze({ ...checked, indexes: Object.freeze([...checked.indexes]) })
}

function checkName(name: unknown, fail: Fail): void {
  if (typeof name !== 'string' || name === '' || name.length > NAME_CHARACTERS_MAX) {
    fail(`bucket name: expected a string of 1 to ${NAME_CHARACTERS_MAX} characters, got ${describeValue(name)}`)
  }
  // oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
  if (/[\u0000-\u001f\u007f*]/.test(name) || LONE_SURROGATE.test(name) || name === '__proto__') {
    fail(`bucket name ${describeValue(name)}: "*", control characters, lone surrogates and "__proto__" are not allowed`)
  }
}

function checkSchema(name: string, schema: unknown, fail: Fail): BucketDefinition['schema'] {
  if (isStandardSchema(schema)) return schema
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    fail(`bucket "${name}": schema: expected an object of fields or a Standard Schema validator, got ${describeValue(schema)}`)
  }
  const fields: { [field: string]: SchemaField } = {}
  for (const [field, given] of Object.entries(schema)) {
    if (META_FIELDS.includes(field) || field === '__proto__') {
      fail(`bucket "${name}": field "${field}" is kept by the store itself; choose another name`, field)
    }
    fields[field] = isStandardSchema(given) ? given : checkField(name, field, given, fail, false)
  }
  return Object.freeze(fields)
}

function checkField(bucket: string, field: string, given: unknown, fail: Fail, nested: boolean): FieldDefinition {
  const where = `bucket "${bucket}", field "${field}"`
  if (typeof given !== 'object' || given === null) {
    fail(`${where}: expected { type: … } or a Standard Schema validator, got ${describeValue(given)}`, field)
  }
  const options: Record<string, unknown> = { ...given }
  const { type } = options
  if (typeof type !== 'string' || !FIELD_TYPES.includes(type)) {
    fail(`${where}: unknown type ${describeValue(type)}; known are ${FIELD_TYPES.join(', ')}`, field)
  }
  for (const [option, value] of Object.entries(options)) {
    const types = OPTION_TYPES[option]
    if (types === undefined) {
      fail(`${where}: unknown option "${option}"; known are ${Object.keys(OPTION_TYPES).join(', ')}`, field)
    }
    if (value !== undefined && value !== false && !types.includes(type)) {
      fail(`${where}: option "${option}" goes with type ${types.join(', ')}, not ${type}`, field)
    }
    if (nested && (option === 'unique' || option === 'generated') && value !== undefined && value !== false) {
      fail(`${where}: option "${option}" is only for fields of the record itself`, field)
    }
  }
  checkOptionValues(where, field, options, fail)
  if (options.properties !== undefined) {
    const entries = Object.entries(options.properties as object)
    const checked = entries.map(([name, inner]) => [name, checkField(bucket, `${field}.${name}`, inner, fail, true)])
    options.properties = Object.freeze(Object.fromEntries(checked))
  }
  if (options.items !== undefined) options.items = checkField(bucket, `${field}[]`, options.items, fail, true)
  if (options.enum !== undefined) options.enum = Object.freeze([...(options.enum as unknown[])])
  if (typeof options.default === 'object' || typeof options.default === 'number') {
    options.default = copyDefault(where, field, options.default, fail)
  }
  const definition = Object.freeze(options) as unknown as FieldDefinition
  checkDefault(where, field, definition, fail)
  return definition
}

function copyDefault(where: string, field: string, value: unknown, fail: Fail): unknown {
  const state: CopyState = { issues: [], characters: 0 }
  const copy = copyValue(value, 'default', state)
  const [issue] = state.issues
  if (issue !== undefined) fail(`${where}: the default cannot be stored: ${issue.message}`, field)
  return deepFreeze(copy)
}

function checkOptionValues(where: string, field: string, options: Record<string, unknown>, fail: Fail): void {
  const need = (option: string, fits: boolean, expected: string): void => {
    if (!fits) fail(`${where}: option "${option}": expected ${expected}, got ${describeValue(options[option])}`, field)
  }
  const { type, generated, format, pattern, properties, items, ref } = options
  for (const flag of ['required', 'unique']) {
    need(flag, options[flag] === undefined || typeof options[flag] === 'boolean', 'true or false')
  }
  if (generated !== undefined) {
    const types = typeof generated === 'string' ? GENERATED_TYPES[generated] : undefined
    need('generated', types !== undefined, `one of ${Object.keys(GENERATED_TYPES).join(', ')}`)
    if (!types?.includes(type as string)) {
      fail(`${where}: generated "${String(generated)}" goes with type ${types?.join(', ')}, not ${String(type)}`, field)
    }
  }
  need('enum', options.enum === undefined || (Array.isArray(options.enum) && options.enum.length > 0), 'a list of values')
  need('format', [undefined, 'email', 'url', 'iso-date'].includes(format as string), 'email, url or iso-date')
  for (const bound of ['min', 'max']) {
    need(bound, options[bound] === undefined || (typeof options[bound] === 'number' && !Number.isNaN(options[bound])), 'a number')
  }
  for (const bound of ['minLength', 'maxLength']) {
    const length = options[bound]
    need(bound, length === undefined || (Number.isInteger(length) && (length as number) >= 0), 'a whole number from 0')
  }
  checkOrder(where, field, options, 'min', 'max', fail)
  checkOrder(where, field, options, 'minLength', 'maxLength', fail)
  need('pattern', pattern === undefined || typeof pattern === 'string', 'the source of a regular expression')
  if (typeof pattern === 'string') checkPattern(where, field, pattern)
  need('properties', properties === undefined || (typeof properties === 'object' && properties !== null), 'an object of fields')
  need('items', items === undefined || (typeof items === 'object' && items !== null), 'a field definition')
  need('ref', ref === undefined || typeof ref === 'string', 'the name of a bucket')
}

function checkOrder(where: string, field: string, options: Record<string, unknown>, low: string, high: string, fail: Fail): void {
  const [from, to] = [options[low], options[high]]
  if (from !== undefined && to !== undefined && (from as number) > (to as number)) {
    fail(`${where}: ${low} ${String(from)} is greater than ${high} ${String(to)}: no value would fit`, field)
  }
}

function checkPattern(where: string, field: string, pattern: string): void {
  try {
    new RegExp(pattern)
  } catch (error) {
    const bucket = where.slice(where.indexOf('"') + 1, where.indexOf('", field'))
    throw new DefinitionError(bucket, `${where}: pattern is not a regular expression: ${String(error)}`, field, { cause: error })
  }
}

function checkDefault(where: string, field: string, definition: FieldDefinition, fail: Fail): void {
  const value = definition.default
  if (value === undefined || typeof value === 'function') return
  if (value === null) return
  const issues: ValidationIssue[] = []
  // The check fills in the defaults of properties, so it gets a copy of its own.
  const draft = copyValue(value, field, { issues, characters: 0 })
  if (draft !== undefined) compileField(definition)(draft, field, issues)
  const [issue] = issues
  if (issue !== undefined) fail(`${where}: the default does not fit the field itself: ${issue.message}`, field)
}

function checkReferences(name: string, definition: BucketDefinition, fail: Fail): void {
  const { key, schema, indexes } = definition
  const standard = isStandardSchema(schema)
  if (!standard && !Object.hasOwn(schema, key)) fail(`Key field "${key}" does not exist in schema for bucket "${name}"`, key)
  const keyField = standard ? undefined : (schema as Record<string, SchemaField>)[key]
  if (keyField !== undefined && !isStandardSchema(keyField) && ['object', 'array'].includes(keyField.type)) {
    fail(`bucket "${name}": key field "${key}" has type ${keyField.type}; a key is a string, number, boolean or date`, key)
  }
  if (indexes === undefined) return
  if (!Array.isArray(indexes)) fail(`bucket "${name}": indexes: expected a list of field names, got ${describeValue(indexes)}`)
  for (const index of indexes as readonly unknown[]) {
    if (typeof index !== 'string') fail(`bucket "${name}": indexes: expected field names, got ${describeValue(index)}`)
    if (standard || META_FIELDS.includes(index)) continue
    const field = Object.hasOwn(schema, index) ? (schema as Record<string, SchemaField>)[index] : undefined
    if (field === undefined) fail(`Index field "${index}" does not exist in schema for bucket "${name}"`, index)
    if (!isStandardSchema(field) && ['object', 'array'].includes(field.type)) {
      fail(`bucket "${name}": index "${index}": a field of type ${field.type} cannot have an index`, index)
    }
  }
}

function checkLimits(name: string, own: Record<string, unknown>, fail: Fail): void {
  const { ttl, maxSize, eviction, etsType } = own
  if (ttl !== undefined) {
    try {
      parseTtl(ttl as string)
    } catch (error) {
      throw new DefinitionError(name, `bucket "${name}": ttl: ${(error as Error).message}`, undefined, { cause: error })
    }
  }
  if (maxSize !== undefined && !(Number.isSafeInteger(maxSize) && (maxSize as number) >= 1)) {
    fail(`bucket "${name}": maxSize: expected a whole number from 1, got ${describeValue(maxSize)}`)
  }
  if (eviction !== undefined && eviction !== 'oldest' && eviction !== 'lru') {
    fail(`bucket "${name}": eviction: expected "oldest" or "lru", got ${describeValue(eviction)}`)
  }
  if (eviction !== undefined && maxSize === undefined) fail(`bucket "${name}": eviction needs a maxSize`)
  if (etsType !== undefined && etsType !== 'set' && etsType !== 'ordered_set') {
    const why = 'a key names one record, so bags are not possible'
    fail(`bucket "${name}": etsType: expected "set" or "ordered_set" (${why}), got ${describeValue(etsType)}`)
  }
  for (const flag of ['persistent', 'strict']) {
    if (own[flag] !== undefined && typeof own[flag] !== 'boolean') {
      fail(`bucket "${name}": ${flag}: expected true or false, got ${describeValue(own[flag])}`)
    }
  }
}
