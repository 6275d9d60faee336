import { VarveError } from '../base/errors.js'

/** One thing that is wrong with a record. */
export interface ValidationIssue {
  /** Path of the field: `email`, `address.city`, `tags[2]`; `''` where it is the record as a whole. */
  readonly field: string
  readonly message: string
  /**
   * `required`, `type`, `enum`, `minLength`, `maxLength`, `pattern`, `format`, `min`, `max`; `unknown` (strict buckets);
   * `value` (something that cannot be stored); `size`; `schema` (refused by a Standard Schema validator).
   */
  readonly code: string
}

/** A record does not fit the schema of its bucket. Nothing was written; `issues` names everything that is wrong. */
export class ValidationError extends VarveError {
  declare readonly name: 'ValidationError'
  declare readonly bucket: string
  declare readonly issues: readonly ValidationIssue[]

  /** @param what it is that `bucket` names. */
  constructor(bucket: string, issues: readonly ValidationIssue[], what = 'bucket') {
    const list = issues.map((issue) => `${issue.field}: ${issue.message}`).join('; ')
    super('VALIDATION', `Validation failed for ${what} "${bucket}": ${list}`, { bucket, issues })
  }
}

/**
 * A bucket definition is wrong: the bucket was not defined. Or it has a validator that turns out, at a write, to be
 * asynchronous: nothing was written.
 */
export class DefinitionError extends VarveError {
  declare readonly name: 'DefinitionError'
  declare readonly bucket: string
  /** The field that is wrong, where it is about one. */
  declare readonly field: string | undefined

  constructor(bucket: string, message: string, field?: string, options?: ErrorOptions) {
    super('DEFINITION', message, { ...options, bucket, field })
  }
}
