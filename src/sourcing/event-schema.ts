import type { EventData, Value } from '../log/entry.js'
import { checkSchema } from '../schema/check-definition.js'
import { copyPlainObject, copyValue } from '../schema/copy-value.js'
import type { Draft } from '../schema/copy-value.js'
import type { FieldDefinition, SchemaDefinition } from '../schema/definition.js'
import { DefinitionError, ValidationError } from '../schema/errors.js'
import type { ValidationIssue } from '../schema/errors.js'
import { compileField, defaultOf, isStandardSchema } from '../schema/field.js'
import { generateCuid, generateTimestamp, generateUuid } from '../schema/generate.js'
import { standardCheck } from '../schema/standard.js'
import type { Runtime } from '../base/runtime.js'
import { EventDefinitionError } from './errors.js'

/** Puts into `data` what is missing in one field of it, and adds to `issues` what is wrong with it. */
type DataCheck = (data: Record<string, Draft>, issues: ValidationIssue[], source: Runtime) => void

/** The data of one type of event: fills in what is missing, and refuses what does not fit. */
export class EventSchema {
  readonly #type: string
  readonly #checks: readonly DataCheck[]
  readonly #whole: ((value: unknown, path: string, issues: ValidationIssue[]) => unknown) | undefined

  /** @param schema fields, a Standard Schema validator, or undefined: any plain object. @throws {EventDefinitionError} */
  constructor(type: string, schema: unknown) {
    this.#type = type
    try {
      const checked = schema === undefined ? {} : checkSchema(type, schema)
      this.#whole = isStandardSchema(checked) ? standardCheck(type, checked) : undefined
      this.#checks = isStandardSchema(checked) ? [] : compile(type, checked)
    } catch (error) {
      if (!(error instanceof DefinitionError)) throw error
      throw new EventDefinitionError(type, error.message.replace(`bucket "${type}"`, 'schema'), { cause: error })
    }
  }

  /** Whether data passes as it is. */
  get isOpen(): boolean {
    return this.#checks.length === 0 && this.#whole === undefined
  }

  /**
   * Frozen data with everything filled in.
   *
   * @param data frozen; fits in the log.
   * @throws {ValidationError} with everything that is wrong.
   */
  check(data: EventData, source: Runtime): EventData {
    if (this.isOpen) return data
    const issues: ValidationIssue[] = []
    const given = this.#whole === undefined ? data : this.#whole(data, '', issues)
    if (issues.length > 0) throw this.#invalid(issues)
    const copy = { ...(given as Record<string, Draft>) }
    for (const check of this.#checks) check(copy, issues, source)
    if (issues.length > 0) throw this.#invalid(issues)
    return copyPlainObject(`event "${this.#type}": data`, this.#whole === undefined ? copy : given)
  }

  #invalid(issues: readonly ValidationIssue[]): ValidationError {
    return new ValidationError(this.#type, issues, 'event')
  }
}

function compile(type: string, fields: SchemaDefinition): DataCheck[] {
  return Object.entries(fields).map(([name, field]) => {
    if (!isStandardSchema(field)) return compileOwn(type, name, field)
    const check = standardCheck(type, field)
    return (data, issues) => put(data, name, check(own(data, name), name, issues), issues)
  })
}

function compileOwn(type: string, name: string, field: FieldDefinition): DataCheck {
  for (const option of ['unique', 'collate'] as const) {
    if (field[option] === undefined || field[option] === false) continue
    throw new EventDefinitionError(type, `field "${name}": option "${option}" is only for fields of buckets`)
  }
  if (field.generated === 'autoincrement') {
    throw new EventDefinitionError(type, `field "${name}": only buckets have a counter; use uuid, cuid or timestamp`)
  }
  const check = compileField(field)
  return (data, issues, source) => {
    if (own(data, name) === undefined) put(data, name, fill(field, source), issues)
    const value = own(data, name)
    if (value === undefined) {
      if (field.required === true) issues.push({ field: name, message: 'Field is required', code: 'required' })
      return
    }
    // The check fills in the defaults of properties: it gets a copy of its own.
    if (field.properties !== undefined) put(data, name, value, issues)
    check(data[name] as Draft, name, issues)
  }
}

function fill(field: FieldDefinition, source: Runtime): unknown {
  switch (field.generated) {
    case 'uuid':
      return generateUuid(source)
    case 'cuid':
      return generateCuid(source)
    case 'timestamp':
      return generateTimestamp(source)
    default:
      return field.default === undefined ? undefined : defaultOf(field)
  }
}

function own(data: Record<string, Draft>, name: string): Value | undefined {
  return Object.hasOwn(data, name) ? data[name] : undefined
}

function put(data: Record<string, Draft>, name: string, value: unknown, issues: ValidationIssue[]): void {
  if (value === undefined) return
  const copy = copyValue(value, name, { issues, characters: 0 })
  if (copy !== undefined) data[name] = copy
}
