import { describeValue } from '../base/errors.js'
import { copyValue, deepFreeze } from './copy-value.js'
import { META_FIELDS } from './definition.js'
import type { BucketDefinition, FieldDefinition, FieldType, SchemaField } from './definition.js'
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
  indexes: ['a list of field names', Array.isArray],
  etsType: [
    '"set" or "ordered_set" (a key names one record, so bags are not possible)',
    (value) => value === 'set' || value === 'ordered_set',
  ],
  persistent: FLAG,
  ttl: ['', isAny],
  maxSize: wholeFrom(1),
  eviction: ['"oldest" or "lru"', (value) => value === 'oldest' || value === 'lru'],
  strict: FLAG,
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
  checkReferences(name, checked, fail)
  if (checked.indexes !== undefined) own.indexes = Object.freeze([...checked.indexes])
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

function checkSchema(name: string, schema: unknown, fail: Fail): BucketDefinition['schema'] {
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
    if (value !== false && nested && (option === 'unique' || option === 'generated')) {
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

function checkReferences(name: string, { key, schema, indexes = [] }: BucketDefinition, fail: Fail): void {
  const typeOf = (field: string, role: string): string | undefined => {
    if (isStandardSchema(schema)) return undefined
    if (!Object.hasOwn(schema, field)) {
      throw new DefinitionError(name, `${role} field "${field}" does not exist in schema for bucket "${name}"`, field)
    }
    const given = schema[field] as SchemaField
    return isStandardSchema(given) ? undefined : given.type
  }
  const keyType = typeOf(key, 'Key')
  if (isCompound(keyType)) {
    const allowed = 'a key is a string, number, boolean or date'
    throw new DefinitionError(name, `bucket "${name}": key field "${key}" has type ${keyType}; ${allowed}`, key)
  }
  for (const index of indexes as readonly unknown[]) {
    if (typeof index !== 'string') return fail(`indexes: expected field names, got ${describeValue(index)}`)
    const type = META_FIELDS.includes(index) ? undefined : typeOf(index, 'Index')
    if (isCompound(type)) failAt(name, index)(`a field of type ${type} cannot have an index`)
  }
}

function isCompound(type: string | undefined): boolean {
  return type === 'object' || type === 'array'
}
