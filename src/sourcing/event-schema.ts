import type { EventData } from '../log/entry.js'
import { checkSchema } from '../schema/check-definition.js'
import { copyPlainObject, copyValue, deepFreeze } from '../schema/copy-value.js'
import type { Draft } from '../schema/copy-value.js'
import type { FieldDefinition, SchemaDefinition } from '../schema/definition.js'
import { DefinitionError, ValidationError } from '../schema/errors.js'
import type { ValidationIssue } from '../schema/errors.js'
import { compileField, defaultOf, isStandardSchema } from '../schema/field.js'
import { generateCuid, generateTimestamp, generateUuid } from '../schema/generate.js'
import { standardCheck } from '../schema/standard.js'
import type { Runtime } from '../base/runtime.js'
import { EventDefinitionError } from './errors.js'

/** Data while it is checked. Most data is complete, and need not be copied again. */
interface DataDraft {
  data: Record<string, Draft>
  /** Whether it is a copy, which can be written to. */
  isOwn: boolean
  readonly hasPassed: boolean
  readonly issues: ValidationIssue[]
  readonly source: Runtime
}

/** Puts in what is missing in one field, and notes what is wrong with it. */
type DataCheck = (draft: DataDraft) => void

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
   * @param hasPassed it is what came out of here before. Validators may make something else of what they made: they are not asked again.
   * @throws {ValidationError} with everything that is wrong.
   */
  check(data: EventData, source: Runtime, hasPassed = false): EventData {
    if (this.isOpen) return data
    const issues: ValidationIssue[] = []
    if (this.#whole !== undefined) {
      if (hasPassed) return data
      const output = this.#whole(data, '', issues)
      if (issues.length > 0) throw this.#invalid(issues)
      return copyPlainObject(`event "${this.#type}": data`, output)
    }
    const draft: DataDraft = { data: data as Record<string, Draft>, isOwn: false, hasPassed, issues, source }
    for (const check of this.#checks) check(draft)
    if (issues.length > 0) throw this.#invalid(issues)
    return draft.isOwn ? deepFreeze(draft.data) : data
  }

  #invalid(issues: readonly ValidationIssue[]): ValidationError {
    return new ValidationError(this.#type, issues, 'event')
  }
}

function compile(type: string, fields: SchemaDefinition): DataCheck[] {
  return Object.entries(fields).map(([name, field]) => {
    if (!isStandardSchema(field)) return compileOwn(type, name, field)
    const check = standardCheck(type, field)
    return (draft) => {
      if (!draft.hasPassed) put(draft, name, check(own(draft, name), name, draft.issues))
    }
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
  return (draft) => {
    let value = own(draft, name)
    if (value === undefined) value = put(draft, name, fill(field, draft.source))
    // The check fills in the defaults of properties: it gets a copy of its own.
    else if (field.properties !== undefined || field.items !== undefined) value = put(draft, name, value)
    if (value !== undefined) check(value, name, draft.issues)
    else if (field.required === true) {
      draft.issues.push({ field: name, message: 'Field is required', code: 'required' })
    }
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

function own({ data }: DataDraft, name: string): Draft | undefined {
  return Object.hasOwn(data, name) ? data[name] : undefined
}

/** Puts a copy of `value` in. @returns it; undefined where there is none. */
function put(draft: DataDraft, name: string, value: unknown): Draft | undefined {
  if (value === undefined) return undefined
  const copy = copyValue(value, name, { issues: draft.issues, characters: 0 })
  if (copy === undefined) return undefined
  if (!draft.isOwn) draft.data = { ...draft.data }
  draft.isOwn = true
  draft.data[name] = copy
  return copy
}
