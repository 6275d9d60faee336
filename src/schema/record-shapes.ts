import type { StoredRecord, Value } from '../base/value.js'
import { deepFreeze } from './copy-value.js'

/** The metadata of a record that is being built. */
export interface Meta {
  readonly version: number
  readonly createdAt: number
  readonly updatedAt: number
  readonly expiresAt: unknown
}

/** Most fields for which the set of those that are present fits a small integer. */
const FIELDS_MAX = 28

/**
 * Builds records with few hidden classes: one for each combination of fields that occurs. A template of that
 * combination is cloned and filled, which is several times cheaper than growing an object field by field.
 */
export class RecordShapes {
  readonly #names: readonly string[]
  readonly #templates = new Map<number, Record<string, unknown>>()

  constructor(names: readonly string[]) {
    this.#names = names
  }

  /**
   * @param values by field, undefined where the field is absent. Not shared afterwards; frozen in place.
   * @returns the frozen record: fields in schema order, metadata, then the fields that the schema does not name.
   */
  build(values: readonly (Value | undefined)[], extra: Readonly<Record<string, unknown>> | undefined, meta: Meta): StoredRecord {
    const names = this.#names
    const record = this.#clone(values, meta.expiresAt !== undefined)
    for (let i = 0; i < names.length; i++) {
      const value = values[i]
      if (value === undefined) continue
      record[names[i] as string] = typeof value === 'object' ? deepFreeze(value) : value
    }
    record._version = meta.version
    record._createdAt = meta.createdAt
    record._updatedAt = meta.updatedAt
    if (meta.expiresAt !== undefined) record._expiresAt = meta.expiresAt
    if (extra !== undefined) Object.assign(record, deepFreeze(extra))
    return Object.freeze(record) as StoredRecord
  }

  #clone(values: readonly (Value | undefined)[], expires: boolean): Record<string, unknown> {
    if (this.#names.length > FIELDS_MAX) return {}
    let present = expires ? 1 : 0
    for (let i = 0; i < values.length; i++) present = (present << 1) | (values[i] === undefined ? 0 : 1)
    let template = this.#templates.get(present)
    if (template === undefined) {
      template = {}
      for (let i = 0; i < values.length; i++) if (values[i] !== undefined) template[this.#names[i] as string] = null
      template._version = null
      template._createdAt = null
      template._updatedAt = null
      if (expires) template._expiresAt = null
      this.#templates.set(present, template)
    }
    return { ...template }
  }
}
