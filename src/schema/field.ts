import type { StandardSchemaV1 } from '@standard-schema/spec'
import { copyValue } from './copy-value.js'
import type { Draft } from './copy-value.js'
import type { FieldDefinition, FieldType } from './definition.js'
import type { ValidationIssue } from './errors.js'
import { isValidEmail, isValidIsoDate, isValidUrl } from './formats.js'

/** Adds to `issues` whatever is wrong with `value` at `path`. Values of missing fields never get here. */
export type FieldCheck = (value: Draft, path: string, issues: ValidationIssue[]) => void

const FORMATS: { readonly [format: string]: (value: string) => boolean } = {
  email: isValidEmail,
  url: isValidUrl,
  'iso-date': isValidIsoDate,
}

/** True for a Standard Schema validator, which may be an object or, with some libraries, a function. */
export function isStandardSchema(value: unknown): value is StandardSchemaV1 {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null || !('~standard' in value))
    return false
  const standard: unknown = value['~standard']
  return typeof standard === 'object' && standard !== null && 'validate' in standard
}

/** The check for a field of Varve's own; its options were checked when the bucket was defined. */
export function compileField(field: FieldDefinition): FieldCheck {
  const isType = TYPE_CHECKS[field.type]
  // Where the engine's own name for a type says it all, comparing it is cheaper than a call.
  const primitive = field.type === 'string' || field.type === 'number' || field.type === 'boolean' ? field.type : ''
  const constraints = compileConstraints(field)
  const { type, required } = field
  return (value, path, issues) => {
    if (value === null) {
      if (required === true) issues.push({ field: path, message: 'Field is required', code: 'required' })
    } else if (typeof value !== primitive && !isType(value)) {
      issues.push({ field: path, message: `Expected type "${type}", got ${typeName(value)}`, code: 'type' })
    } else {
      for (let i = 0; i < constraints.length; i++) (constraints[i] as FieldCheck)(value, path, issues)
    }
  }
}

const TYPE_CHECKS: { readonly [T in FieldType]: (value: Draft) => boolean } = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
  object: (value) => typeof value === 'object' && !Array.isArray(value),
  array: (value) => Array.isArray(value),
  date: (value) => typeof value === 'string' || typeof value === 'number',
}

/**
 * What is wrong with `value` as a caller gave it, where the copy of it would hide that: a date becomes a string, and NaN
 * and functions cannot be copied at all. Everything else is for the check of the field.
 */
export function misfit(type: FieldType, value: unknown): string | undefined {
  const isDate = value instanceof Date
  if (isDate ? type === 'date' && !Number.isNaN(value.getTime()) : isCopied(value)) return undefined
  return `Expected type "${type}", got ${typeName(value)}`
}

function isCopied(value: unknown): boolean {
  return typeof value === 'number' ? !Number.isNaN(value) : typeof value === 'boolean' || typeof value === 'object'
}

/** The type of `value` in the words of validation messages. */
export function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return value instanceof Date ? 'date' : typeof value
}

function constraint(code: string, message: string, fits: (value: Draft) => boolean): FieldCheck {
  return (value, field, issues) => {
    if (!fits(value)) issues.push({ field, message, code })
  }
}

// The order is the order of the issues, which noex-store's users know.
function compileConstraints(field: FieldDefinition): FieldCheck[] {
  const checks: FieldCheck[] = []
  const { enum: values, minLength, maxLength, pattern, format, min, max, properties, items } = field
  if (values !== undefined) {
    checks.push(constraint('enum', `Value must be one of: ${values.join(', ')}`, (value) => values.includes(value)))
  }
  const lengthOf = (value: Draft): number => (value as string | Draft[]).length
  if (minLength !== undefined) {
    checks.push(constraint('minLength', `Minimum length is ${minLength}`, (value) => lengthOf(value) >= minLength))
  }
  if (maxLength !== undefined) {
    checks.push(constraint('maxLength', `Maximum length is ${maxLength}`, (value) => lengthOf(value) <= maxLength))
  }
  if (pattern !== undefined) {
    const regexp = new RegExp(pattern)
    checks.push(constraint('pattern', `Value must match pattern "${pattern}"`, (value) => regexp.test(value as string)))
  }
  const isFormat = format === undefined ? undefined : FORMATS[format]
  if (isFormat !== undefined) {
    checks.push(
      constraint('format', `Invalid ${format} format`, (value) => typeof value !== 'string' || isFormat(value)),
    )
  }
  if (min !== undefined) checks.push(constraint('min', `Minimum value is ${min}`, (value) => (value as number) >= min))
  if (max !== undefined) checks.push(constraint('max', `Maximum value is ${max}`, (value) => (value as number) <= max))
  if (properties !== undefined) checks.push(compileProperties(properties))
  if (items !== undefined) checks.push(compileItems(items))
  return checks
}

function compileProperties(properties: NonNullable<FieldDefinition['properties']>): FieldCheck {
  const fields = Object.entries(properties).map(([name, field]) => ({ name, field, check: compileField(field) }))
  return (value, path, issues) => {
    const object = value as { [field: string]: Draft }
    for (const { name, field, check } of fields) {
      const here = `${path}.${name}`
      // A frozen object is part of a record that was stored before the default was there; an update leaves it as it is.
      if (!Object.hasOwn(object, name) && field.default !== undefined && !Object.isFrozen(object)) {
        const made = copyValue(defaultOf(field), here, { issues, characters: 0 })
        if (made !== undefined) object[name] = made
      }
      const property = Object.hasOwn(object, name) ? object[name] : undefined
      if (property !== undefined) check(property, here, issues)
      else if (field.required === true) issues.push({ field: here, message: 'Field is required', code: 'required' })
    }
  }
}

function compileItems(item: FieldDefinition): FieldCheck {
  const check = compileField(item)
  return (value, path, issues) => {
    const array = value as Draft[]
    for (let i = 0; i < array.length; i++) check(array[i] as Draft, `${path}[${i}]`, issues)
  }
}

/** The default of a field, made anew where it is a function. Shared with the definition otherwise: copy it. */
export function defaultOf(field: FieldDefinition): unknown {
  const value = typeof field.default === 'function' ? (field.default as () => unknown)() : field.default
  // It is refused as what cannot be stored; how it ends is of no interest.
  if (value instanceof Promise) value.catch(() => undefined)
  return value
}
