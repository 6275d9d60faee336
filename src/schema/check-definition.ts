import type { StandardSchemaV1 } from '@standard-schema/spec'
import { describeValue } from '../base/errors.js'
import { copyValue, deepFreeze } from './copy-value.js'
import { META_FIELDS } from './definition.js'
import type {
  BucketDefinition,
  CollateOptions,
  FieldDefinition,
  FieldType,
  IndexDefinition,
  SchemaDefinition,
  SchemaField,
} from './definition.js'
import { DefinitionError } from './errors.js'
import type { ValidationIssue } from './errors.js'
import { compileField, isStandardSchema } from './field.js'
import { parseTtl } from './ttl.js'

/** What the value of an option has to be, in words, and whether it is. Undefined is the same as no option. */
type Rule = readonly [expected: string, fits: (value: unknown) => boolean]

/** As `Rule`, after the types of field that the option goes with. */
type FieldRule = readonly [types: readonly string[], ...Rule]

const FIELD_TYPES: readonly string[] = ['string', 'number', 'boolean', 'object', 'array', 'date'] satisfies FieldType[]
const SCALARS: readonly string[] = ['string', 'number', 'boolean', 'date']
const LENGTHS: readonly string[] = ['string', 'array']
const COLLATE_OPTIONS = ['sensitivity', 'numeric', 'caseFirst', 'ignorePunctuation']
const NAME_CHARACTERS_MAX = 200
// Control characters, stars and lone surrogates are not for names.
// oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
const NAME = /^[^\u0000-\u001f\u007f*\ud800-\udfff]+$/u

const isString = (value: unknown): boolean => typeof value === 'string'
const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null
const isAny = (): boolean => true
const wholeFrom = (min: number): Rule => [
  `a whole number from ${min}`,
  (value) => Number.isSafeInteger(value) && (value as number) >= min,
]
const FLAG: Rule = ['true or false', (value) => typeof value === 'boolean']
const NUMBER: Rule = ['a number', (value) => typeof value === 'number' && !Number.isNaN(value)]

const BUCKET_OPTIONS: { readonly [option: string]: Rule } = {
  key: ['the name of a field', isString],
  schema: ['', isAny],
  indexes: ['a list of field names, lists of them, or { fields, unique, where }', Array.isArray],
  etsType: [
    '"set" or "ordered_set" (a key names one record, so bags are not possible)',
    (value) => value === 'set' || value === 'ordered_set',
  ],
  persistent: FLAG,
  ttl: ['', isAny],
  maxSize: wholeFrom(1),
  eviction: ['"oldest" or "lru"', (value) => value === 'oldest' || value === 'lru'],
  strict: FLAG,
  sourced: FLAG,
}

const GENERATED_TYPES: { readonly [generated: string]: readonly string[] } = {
  uuid: ['string'],
  cuid: ['string'],
  autoincrement: ['number'],
  timestamp: ['number', 'date'],
}

const FIELD_OPTIONS: { readonly [option: string]: FieldRule } = {
  required: [FIELD_TYPES, ...FLAG],
  default: [FIELD_TYPES, '', isAny],
  ref: [FIELD_TYPES, 'the name of a bucket', isString],
  collate: [['string'], 'a locale, or { locale, sensitivity, numeric, caseFirst, ignorePunctuation }', isAny],
  type: [FIELD_TYPES, '', isAny],
  generated: [
    ['string', 'number', 'date'],
    `one of ${Object.keys(GENERATED_TYPES).join(', ')}`,
    (value) => isString(value) && Object.hasOwn(GENERATED_TYPES, value as string),
  ],
  unique: [SCALARS, ...FLAG],
  enum: [SCALARS, 'a list of values', (value) => Array.isArray(value) && value.length > 0],
  format: [
    ['string', 'date'],
    'email, url or iso-date',
    (value) => ['email', 'url', 'iso-date'].includes(value as string),
  ],
  pattern: [['string'], 'the source of a regular expression', isString],
  min: [['number'], ...NUMBER],
  max: [['number'], ...NUMBER],
  minLength: [LENGTHS, ...wholeFrom(0)],
  maxLength: [LENGTHS, ...wholeFrom(0)],
  properties: [['object'], 'an object of fields', isObject],
  items: [['array'], 'a field definition', isObject],
}

/** Throws what is wrong at one place of a definition. */
type Fail = (problem: string, cause?: unknown) => never

function failAt(bucket: string, field?: string): Fail {
  const where = `bucket "${bucket}"${field === undefined ? '' : `, field "${field}"`}`
  return (problem, cause) => {
    throw new DefinitionError(bucket, `${where}: ${problem}`, field, cause === undefined ? {} : { cause })
  }
}

/**
 * Checks the definition of bucket `name` and returns a frozen copy, which later changes to the original do not reach.
 *
 * @throws {DefinitionError} it names the field and what is allowed; nothing was done.
 */
export function checkDefinition(name: string, definition: BucketDefinition): BucketDefinition {
  const fail: Fail = failAt(String(name))
  if (!isString(name) || name.length > NAME_CHARACTERS_MAX || !NAME.test(name) || name === '__proto__') {
    const without = 'without "*", control characters and lone surrogates, and not "__proto__"'
    fail(`name: expected a string of 1 to ${NAME_CHARACTERS_MAX} characters, ${without}, got ${describeValue(name)}`)
  }
  if (!isObject(definition)) fail(`expected a definition { key, schema }, got ${describeValue(definition)}`)
  const own: Record<string, unknown> = { ...definition }
  for (const [option, value] of Object.entries({ key: undefined, ...own })) {
    const [expected, fits] = known(BUCKET_OPTIONS, option, fail)
    if ((value !== undefined || option === 'key') && !fits(value)) {
      fail(`${option}: expected ${expected}, got ${describeValue(value)}`)
    }
  }
  if (own.eviction !== undefined && own.maxSize === undefined) fail('eviction needs a maxSize')
  attempt(() => own.ttl === undefined || parseTtl(own.ttl as string), 'ttl: ', fail)
  own.schema = checkSchema(name, own.schema, fail)
  const checked = own as unknown as BucketDefinition
  checkReferences(checked, name)
  if (checked.indexes !== undefined)
    own.indexes = Object.freeze(checked.indexes.map((index) => checkIndex(checked, index, name)))
  return Object.freeze(checked)
}

function known<T>(options: { readonly [option: string]: T }, option: string, fail: Fail): T {
  if (Object.hasOwn(options, option)) return options[option] as T
  return fail(`unknown option "${option}"; known are ${Object.keys(options).join(', ')}`)
}

function attempt(work: () => unknown, prefix: string, fail: Fail): void {
  try {
    work()
  } catch (error) {
    fail(prefix + (error as Error).message, error)
  }
}

/**
 * A frozen copy of the fields of `schema`, or the validator that it is.
 *
 * @throws {DefinitionError} it names the field and what is allowed.
 */
export function checkSchema(
  name: string,
  schema: unknown,
  fail: Fail = failAt(name),
): SchemaDefinition | StandardSchemaV1 {
  if (isStandardSchema(schema)) return schema
  if (!isObject(schema) || Array.isArray(schema)) {
    fail(`schema: expected an object of fields or a Standard Schema validator, got ${describeValue(schema)}`)
  }
  const fields: { [field: string]: SchemaField } = {}
  for (const [field, given] of Object.entries(schema as object)) {
    if (META_FIELDS.includes(field) || field === '__proto__') {
      failAt(name, field)('it is kept by the store itself; choose another name')
    }
    fields[field] = isStandardSchema(given) ? given : checkField(name, field, given, false)
  }
  return Object.freeze(fields)
}

function checkField(bucket: string, field: string, given: unknown, nested: boolean): FieldDefinition {
  const fail = failAt(bucket, field)
  if (!isObject(given)) fail(`expected { type: … } or a Standard Schema validator, got ${describeValue(given)}`)
  const options: Record<string, unknown> = { ...(given as object) }
  const { type, properties, items, pattern } = options as { [option: string]: string | undefined }
  if (!FIELD_TYPES.includes(type as string)) {
    fail(`unknown type ${describeValue(type)}; known are ${FIELD_TYPES.join(', ')}`)
  }
  for (const [option, value] of Object.entries(options)) {
    const [types, expected, fits] = known(FIELD_OPTIONS, option, fail)
    if (value === undefined) continue
    if (value !== false && !types.includes(type as string)) fail(goesWith(`option "${option}"`, types, type))
    if (value !== false && nested && (option === 'unique' || option === 'generated' || option === 'collate')) {
      fail(`option "${option}" is only for fields of the record itself`)
    }
    if (!fits(value)) fail(`option "${option}": expected ${expected}, got ${describeValue(value)}`)
  }
  const generated = options.generated as string | undefined
  const types = generated === undefined ? FIELD_TYPES : (GENERATED_TYPES[generated] as readonly string[])
  if (!types.includes(type as string)) fail(goesWith(`generated "${generated}"`, types, type))
  for (const [low, high] of [
    ['min', 'max'],
    ['minLength', 'maxLength'],
  ] as const) {
    const [from, to] = [options[low], options[high]] as number[]
    // False where one of them is not there.
    if ((from as number) > (to as number)) fail(`${low} ${from} is greater than ${high} ${to}: no value would fit`)
  }
  if (options.collate !== undefined) options.collate = checkCollate(options.collate, fail)
  if (pattern !== undefined) attempt(() => new RegExp(pattern), 'pattern is not a regular expression: ', fail)
  if (properties !== undefined) {
    const checked = Object.entries(properties).map(([name, inner]) => [
      name,
      checkField(bucket, `${field}.${name}`, inner, true),
    ])
    options.properties = Object.freeze(Object.fromEntries(checked))
  }
  if (items !== undefined) options.items = checkField(bucket, `${field}[]`, items, true)
  if (options.enum !== undefined) options.enum = Object.freeze([...(options.enum as unknown[])])
  if (options.default != null && typeof options.default !== 'function') checkDefault(options, field, fail)
  return Object.freeze(options) as unknown as FieldDefinition
}

/** A frozen copy of how strings are compared. */
function checkCollate(given: unknown, fail: Fail): string | CollateOptions {
  const options = typeof given === 'string' ? { locale: given } : { ...(given as CollateOptions) }
  const { locale, ...rest } = options
  for (const option of Object.keys(rest)) {
    if (!COLLATE_OPTIONS.includes(option))
      fail(`collate: unknown option "${option}"; known are locale, ${COLLATE_OPTIONS.join(', ')}`)
  }
  if (typeof locale !== 'string') fail(`collate: expected a locale, got ${describeValue(locale)}`)
  attempt(() => new Intl.Collator(locale, rest), 'collate: ', fail)
  return typeof given === 'string' ? given : Object.freeze(options)
}

function goesWith(what: string, types: readonly string[], type: unknown): string {
  return `${what} goes with type ${types.join(', ')}, not ${String(type)}`
}

/** Puts a frozen copy of the default in its place, if it can be stored and fits. */
function checkDefault(options: Record<string, unknown>, field: string, fail: Fail): void {
  const issues: ValidationIssue[] = []
  const copy = () => copyValue(options.default, 'default', { issues, characters: 0 })
  const must = (problem: string): void => {
    if (issues[0] !== undefined) fail(`the default ${problem}: ${issues[0].message}`)
  }
  options.default = deepFreeze(copy())
  must('cannot be stored')
  // The check fills in the defaults of properties, so it gets a copy of its own.
  compileField(options as unknown as FieldDefinition)(copy() as never, field, issues)
  must('does not fit the field itself')
}

function checkReferences({ key, schema }: BucketDefinition, name: string): void {
  const type = typeAt(name, schema, key, 'Key')
  if (!isCompound(type)) return
  const allowed = 'a key is a string, number, boolean or date'
  throw new DefinitionError(name, `bucket "${name}": key field "${key}" has type ${type}; ${allowed}`, key)
}

/** The type of the field at `path`; undefined where a validator of somebody else says what it is. */
function typeAt(name: string, schema: BucketDefinition['schema'], path: string, role: string): string | undefined {
  if (isStandardSchema(schema)) return undefined
  const missing = (): never => {
    throw new DefinitionError(name, `${role} field "${path}" does not exist in schema for bucket "${name}"`, path)
  }
  let fields: { readonly [field: string]: SchemaField } = schema
  const steps = Object.hasOwn(schema, path) ? [path] : path.split('.')
  for (const [at, step] of steps.entries()) {
    if (!Object.hasOwn(fields, step)) return missing()
    const given = fields[step] as SchemaField
    if (isStandardSchema(given)) return undefined
    if (at === steps.length - 1) return given.type
    // Fields that an object does not name may be there all the same.
    if (given.type !== 'object') return missing()
    if (given.properties === undefined) return undefined
    fields = given.properties
  }
  return undefined
}

/** A frozen copy of one of `indexes`. */
function checkIndex({ schema }: BucketDefinition, given: unknown, name: string): IndexDefinition {
  const fail = failAt(name)
  const checkField = (field: unknown): string => {
    if (typeof field !== 'string') return fail(`indexes: expected the name of a field, got ${describeValue(field)}`)
    const type = META_FIELDS.includes(field) ? undefined : typeAt(name, schema, field, 'Index')
    if (isCompound(type)) failAt(name, field)(`a field of type ${type} cannot have an index`)
    return field
  }
  const checkFields = (fields: unknown): readonly string[] => {
    if (!Array.isArray(fields) || fields.length === 0 || new Set(fields).size < fields.length) {
      return fail(`indexes: expected a list of different fields, got ${describeValue(fields)}`)
    }
    return Object.freeze(fields.map(checkField))
  }
  if (typeof given === 'string') return checkField(given)
  if (Array.isArray(given)) return checkFields(given)
  if (!isObject(given)) return fail(`indexes: expected field names, got ${describeValue(given)}`)
  const { fields, unique, where, ...others } = given as { fields?: unknown; unique?: unknown; where?: unknown }
  for (const option of Object.keys(others)) fail(`indexes: unknown option "${option}"; known are fields, unique, where`)
  if (unique !== undefined && typeof unique !== 'boolean') {
    fail(`indexes: unique: expected true or false, got ${describeValue(unique)}`)
  }
  const checked = { fields: checkFields(fields), ...(typeof unique === 'boolean' && { unique }) }
  if (where === undefined) return Object.freeze(checked)
  const issues: ValidationIssue[] = []
  const copy = copyValue(where, 'where', { issues, characters: 0 })
  if (issues[0] !== undefined || !isObject(copy)) fail(`indexes: where: expected a filter, got ${describeValue(where)}`)
  // The copy has lost them, and would mean more than was asked for.
  if (hasUndefined(where))
    fail('indexes: where: undefined is no value to compare with; for missing values, ask for null')
  return Object.freeze({ ...checked, where: deepFreeze(copy as object) })
}

/** Whether there is undefined anywhere in a value that was found to be copyable. */
function hasUndefined(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === undefined
  return Object.values(value).some(hasUndefined)
}

function isCompound(type: string | undefined): boolean {
  return type === 'object' || type === 'array'
}
