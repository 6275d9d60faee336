import { asError, InvalidArgumentError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import { isKey } from '../base/value.js'
import type { Key, StoredRecord, Value } from '../base/value.js'
import { copyValue, RECORD_CHARACTERS_MAX } from './copy-value.js'
import type { CopyState, Draft } from './copy-value.js'
import { META_FIELDS } from './definition.js'
import type { BucketDefinition, FieldDefinition, GeneratedType } from './definition.js'
import { ValidationError } from './errors.js'
import type { ValidationIssue } from './errors.js'
import { compileField, defaultOf, isStandardSchema, misfit } from './field.js'
import type { FieldCheck } from './field.js'
import { generateCuid, generateTimestamp, generateUuid } from './generate.js'
import { RecordShapes } from './record-shapes.js'
import type { Meta } from './record-shapes.js'
import { standardCheck } from './standard.js'
import type { StandardCheck } from './standard.js'
import { parseTtl } from './ttl.js'

interface CompiledField {
  readonly name: string
  readonly required: boolean
  /** Updates leave it as it is. */
  readonly isFixed: boolean
  /** Every object has a property of this name, if not of its own. */
  readonly isInherited: boolean
  readonly generated: GeneratedType | undefined
  readonly definition: FieldDefinition | undefined
  /** One of the two is there. */
  readonly check: FieldCheck | undefined
  readonly standard: StandardCheck | undefined
}

/** One record while it is being made: a single object, because every write makes one. */
interface RecordDraft extends CopyState, Meta {
  /** By field index. */
  readonly values: (Draft | undefined)[]
  /** Values of fields that the schema does not name. */
  extra: Record<string, Draft> | undefined
  /** Fields that were given as undefined. */
  removed: string[] | undefined
}

const { hasOwnProperty } = Object.prototype

/**
 * Makes and checks the records of one bucket. Never changes what it is given; what it returns is frozen and shares
 * nothing with it. All methods either return a record that fits, or throw and have no effect.
 */
export class RecordSchema {
  readonly bucket: string
  readonly key: string
  readonly ttlMs: number | undefined
  /** Names of the fields, in the order of the definition; empty where one validator checks the whole record. */
  readonly fieldNames: readonly string[]
  /** Fields that take the next number of the bucket's counter. */
  readonly counterFields: readonly string[]
  readonly #fields: readonly CompiledField[]
  readonly #fieldIndex: ReadonlyMap<string, number>
  readonly #shapes: RecordShapes
  readonly #whole: StandardCheck | undefined
  readonly #hasStandard: boolean
  /** All fields: none of them is changed by an import. */
  readonly #importing: ReadonlySet<number>
  readonly #strict: boolean
  readonly #runtime: Runtime

  /** @param definition as `checkDefinition` returned it. */
  constructor(bucket: string, definition: BucketDefinition, runtime: Runtime) {
    const { schema, key, ttl, strict } = definition
    this.bucket = bucket
    this.key = key
    this.ttlMs = ttl === undefined ? undefined : parseTtl(ttl)
    this.#strict = strict === true
    this.#runtime = runtime
    this.#whole = isStandardSchema(schema) ? standardCheck(bucket, schema) : undefined
    this.#fields = isStandardSchema(schema) ? [] : compileFields(bucket, schema, key)
    this.fieldNames = this.#fields.map((field) => field.name)
    this.#fieldIndex = new Map(this.fieldNames.map((name, index) => [name, index]))
    this.#importing = new Set(this.#fields.keys())
    this.#hasStandard = this.#fields.some((field) => field.standard !== undefined)
    this.counterFields = this.#fields.filter((field) => field.generated === 'autoincrement').map((field) => field.name)
    this.#shapes = new RecordShapes(this.fieldNames)
  }

  /**
   * A new record from what a caller gave: generated fields, then defaults, then checks.
   *
   * @param now becomes `_createdAt` and `_updatedAt`.
   * @param nextNumber what an autoincrement field gets.
   * @param source where other generated values come from.
   * @throws {ValidationError} with everything that is wrong.
   * @throws whatever a `default` function throws.
   */
  prepareInsert(input: unknown, now: number, nextNumber: number, source: Runtime = this.#runtime): StoredRecord {
    const draft = this.#read(input, now, 'insert(data)')
    for (let i = 0; i < this.#fields.length; i++) {
      if (draft.values[i] === undefined) this.#fill(draft, i, nextNumber, source)
    }
    if (draft.expiresAt === undefined && this.ttlMs !== undefined) draft.expiresAt = now + this.ttlMs
    return this.#finish(draft)
  }

  #fill(draft: RecordDraft, index: number, nextNumber: number, source: Runtime): void {
    const field = this.#fields[index] as CompiledField
    if (field.generated === 'autoincrement' && !Number.isSafeInteger(nextNumber)) {
      draft.issues.push({ field: field.name, message: 'The counter has no numbers left', code: 'value' })
    }
    if (field.generated !== undefined) draft.values[index] = this.#generate(field.generated, nextNumber, source)
    else if (field.definition?.default !== undefined) {
      draft.values[index] = copyValue(defaultOf(field.definition), field.name, draft)
    }
  }

  #generate(generated: GeneratedType, nextNumber: number, source: Runtime): Draft {
    switch (generated) {
      case 'uuid':
        return generateUuid(source)
      case 'cuid':
        return generateCuid(source)
      case 'autoincrement':
        return nextNumber
      case 'timestamp':
        return generateTimestamp(source)
    }
  }

  /**
   * `current` with `changes` merged in at the top level. Changes to the key, to generated fields and to metadata are
   * passed over; `undefined` removes a field. The whole result is checked.
   *
   * @throws {ValidationError} with everything that is wrong.
   */
  prepareUpdate(current: StoredRecord, changes: unknown, now: number): StoredRecord {
    const draft = this.#read(changes, now, 'update(key, changes)')
    const { values, extra, removed } = draft
    const untouched = this.#hasStandard ? new Set<number>() : undefined
    let found = 0
    for (let i = 0; i < this.#fields.length; i++) {
      const { name, isFixed, isInherited } = this.#fields[i] as CompiledField
      const old = isInherited && !Object.hasOwn(current, name) ? undefined : (current[name] as Draft | undefined)
      if (old !== undefined) found++
      if (!isFixed && (values[i] !== undefined || removed?.includes(name) === true)) continue
      values[i] = old
      untouched?.add(i)
    }
    draft.version = (current._version as number) + 1
    draft.createdAt = current._createdAt as number
    draft.expiresAt = current._expiresAt
    const known = found + (draft.expiresAt === undefined ? 3 : 4)
    if (extra !== undefined || Object.keys(current).length > known) {
      draft.extra = this.#mergeExtra(current, extra, removed)
    }
    return this.#finish(draft, untouched)
  }

  #mergeExtra(
    current: StoredRecord,
    patch: Record<string, Draft> | undefined,
    removed: readonly string[] | undefined,
  ): Record<string, Draft> | undefined {
    let extra: Record<string, Draft> | undefined
    for (const name of Object.keys(current)) {
      if (this.#fieldIndex.has(name) || META_FIELDS.includes(name)) continue
      if (name !== this.key && removed?.includes(name) === true) continue
      extra ??= {}
      extra[name] = current[name] as Draft
    }
    if (patch === undefined) return extra
    const { [this.key]: _key, ...rest } = patch
    return { ...extra, ...rest }
  }

  /**
   * A record that another store exported, metadata included, checked but otherwise as it is.
   *
   * @throws {ValidationError} with everything that is wrong.
   */
  prepareImport(input: unknown): StoredRecord {
    const draft = this.#read(input, 0, 'import(record)')
    const { _version: version, _createdAt: createdAt, _updatedAt: updatedAt } = input as Record<string, unknown>
    for (const [field, value] of Object.entries({ _version: version, _createdAt: createdAt, _updatedAt: updatedAt })) {
      if (typeof value === 'number' && Number.isFinite(value)) continue
      draft.issues.push({ field, message: 'Expected the metadata that export wrote', code: 'type' })
    }
    Object.assign(draft, { version, createdAt, updatedAt })
    return this.#finish(draft, this.#importing)
  }

  /** Sorts the own properties of `input` into schema fields, other fields, and metadata: those of a new record. */
  #read(input: unknown, now: number, argument: string): RecordDraft {
    const draft: RecordDraft = {
      values: new Array<Draft | undefined>(this.#fields.length),
      extra: undefined,
      removed: undefined,
      issues: [],
      characters: 0,
      version: 1,
      createdAt: now,
      updatedAt: now,
      expiresAt: undefined,
    }
    try {
      if (typeof input !== 'object' || input === null || Array.isArray(input) || input instanceof Date) {
        throw new InvalidArgumentError(argument, 'an object of field values', input)
      }
      let expected = 0
      // Both the engine's cheapest walk over an object, and its cheapest test for own properties within that.
      for (const name in input) {
        if (!hasOwnProperty.call(input, name)) continue
        const value = (input as Record<string, unknown>)[name]
        if (value === undefined) {
          ;(draft.removed ??= []).push(name)
          continue
        }
        // Most callers name the fields in the order of the schema, which spares them the search.
        const index = this.#fields[expected]?.name === name ? expected : this.#fieldIndex.get(name)
        if (index === undefined) this.#readOther(draft, name, value)
        else {
          draft.values[index] = this.#readField(value, name, index, draft)
          expected = index + 1
        }
      }
      if (Object.getOwnPropertySymbols(input).length > 0) {
        draft.issues.push({ field: '', message: 'A property with a symbol for a name cannot be stored', code: 'value' })
      }
    } catch (thrown) {
      if (thrown instanceof InvalidArgumentError) throw thrown
      const issue: ValidationIssue = {
        field: '',
        message: `Reading it failed: ${asError(thrown).message}`,
        code: 'value',
      }
      throw new ValidationError(this.bucket, [issue])
    }
    return draft
  }

  #readField(value: unknown, name: string, index: number, state: CopyState): Draft | undefined {
    if (typeof value === 'string') {
      state.characters += value.length
      return value
    }
    if (typeof value === 'boolean') return value
    const { definition } = this.#fields[index] as CompiledField
    // Validators of others see what was given; it is copied after they have had their say.
    if (definition === undefined) return typeof value === 'object' ? (value as Draft) : copyValue(value, name, state)
    const message = misfit(definition.type, value)
    if (message === undefined) return copyValue(value, name, state)
    state.issues.push({ field: name, message, code: 'type' })
    return undefined
  }

  #readOther(draft: RecordDraft, name: string, value: unknown): void {
    if (META_FIELDS.includes(name)) {
      if (name === '_expiresAt') draft.expiresAt = value
      return
    }
    if (name === '__proto__') {
      draft.issues.push({ field: name, message: 'A field named "__proto__" cannot be stored', code: 'value' })
      return
    }
    if (this.#strict && this.#whole === undefined) {
      draft.issues.push({ field: name, message: 'Field is not in the schema', code: 'unknown' })
      return
    }
    const copy = this.#whole === undefined ? copyValue(value, name, draft) : (value as Draft)
    if (copy === undefined) return
    draft.extra ??= {}
    draft.extra[name] = copy
  }

  #finish(draft: RecordDraft, untouched?: ReadonlySet<number>): StoredRecord {
    const { issues, expiresAt } = draft
    if (this.#whole !== undefined) draft.extra = this.#checkWhole(draft.extra ?? {}, draft)
    if (draft.characters <= RECORD_CHARACTERS_MAX) this.#checkFields(draft, untouched)
    if (draft.characters > RECORD_CHARACTERS_MAX) {
      issues.push({ field: '', message: `Larger than ${RECORD_CHARACTERS_MAX} characters`, code: 'size' })
    }
    if (expiresAt !== undefined && !(typeof expiresAt === 'number' && Number.isFinite(expiresAt))) {
      issues.push({ field: '_expiresAt', message: 'Expected a time in milliseconds', code: 'type' })
    }
    if (issues.length === 0) {
      const record = this.#shapes.build(draft.values, draft.extra, draft)
      if (isKey(record[this.key])) return record
      issues.push({
        field: this.key,
        message: keyIssue(record[this.key]),
        code: record[this.key] == null ? 'required' : 'type',
      })
    }
    throw new ValidationError(this.bucket, issues.length === 1 ? issues : this.#inOrder(issues))
  }

  /** Issues of fields in the order of the schema, then the others. */
  #inOrder(issues: readonly ValidationIssue[]): ValidationIssue[] {
    const rank = ({ field }: ValidationIssue): number => {
      const index = this.#fieldIndex.get(field) ?? this.#fieldIndex.get(field.replace(/[.[].*$/s, ''))
      return index ?? this.#fields.length
    }
    return [...issues].sort((a, b) => rank(a) - rank(b))
  }

  #checkFields(draft: RecordDraft, untouched: ReadonlySet<number> | undefined): void {
    const { issues } = draft
    for (let i = 0; i < this.#fields.length; i++) {
      const field = this.#fields[i] as CompiledField
      const value = draft.values[i]
      if (field.check !== undefined) {
        if (value !== undefined) field.check(value, field.name, issues)
        else if (field.required) requireField(field.name, issues)
      } else if (untouched?.has(i) !== true) {
        draft.values[i] = copyOutput(field.standard?.(value, field.name, issues), field.name, draft)
      } else if (untouched === this.#importing) {
        // What was exported is the validator's output, which it need not take for its input.
        draft.values[i] = copyOutput(value, field.name, draft)
      }
    }
  }

  #checkWhole(given: Record<string, unknown>, state: CopyState): Record<string, Draft> {
    const output = this.#whole?.(given, '', state.issues)
    const copy = copyOutput(output, this.bucket, state)
    if (typeof copy === 'object' && copy !== null && !Array.isArray(copy)) {
      for (const name of META_FIELDS) delete copy[name]
      return copy
    }
    if (state.issues.length === 0)
      state.issues.push({ field: '', message: 'The validator did not return an object', code: 'schema' })
    return {}
  }

  /** The key of a record of this bucket. */
  keyOf(record: StoredRecord): Key {
    return record[this.key] as Key
  }
}

/** Apart from the loop over the fields, where a closure would cost each of them its own scope. */
function requireField(name: string, issues: ValidationIssue[]): void {
  if (issues.some((issue) => issue.field === name)) return
  issues.push({ field: name, message: 'Field is required', code: 'required' })
}

function copyOutput(output: unknown, path: string, state: CopyState): Draft | undefined {
  return output === undefined ? undefined : copyValue(output, path, state)
}

function keyIssue(value: Value | undefined): string {
  return value === undefined || value === null ? 'Field is required' : 'A key is a string, a finite number or a boolean'
}

function compileFields(bucket: string, schema: BucketDefinition['schema'], key: string): CompiledField[] {
  return Object.entries(schema).map(([name, field]) => {
    const isInherited = name in Object.prototype
    if (isStandardSchema(field)) {
      const standard = standardCheck(bucket, field)
      const common = { name, required: false, isFixed: name === key, isInherited, generated: undefined }
      return { ...common, definition: undefined, check: undefined, standard }
    }
    const definition = field as FieldDefinition
    const { required, generated } = definition
    const isFixed = name === key || generated !== undefined
    const common = { name, required: required === true, isFixed, isInherited, generated }
    return { ...common, definition, check: compileField(definition), standard: undefined }
  })
}
