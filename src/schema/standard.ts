import type { StandardSchemaV1 } from '@standard-schema/spec'
import { asError } from '../base/errors.js'
import type { ValidationIssue } from './errors.js'
import { DefinitionError } from './errors.js'

/** Runs a Standard Schema validator; returns its output, or undefined after adding to `issues`. */
export type StandardCheck = (value: unknown, path: string, issues: ValidationIssue[]) => unknown

/**
 * Wraps a Standard Schema validator (https://standardschema.dev, version 1). Validation happens inside a commit, which
 * never waits, so a validator that answers with a promise is refused with a `DefinitionError`.
 */
export function standardCheck(bucket: string, schema: StandardSchemaV1): StandardCheck {
  const standard = schema['~standard']
  return (value, path, issues) => {
    let result: ReturnType<typeof standard.validate>
    try {
      result = standard.validate(value)
    } catch (thrown) {
      // It runs on what callers give, before any effect: what it stumbles over is refused, not taken for a bug of the bucket.
      issues.push({ field: path, message: `The validator failed: ${asError(thrown).message}`, code: 'schema' })
      return undefined
    }
    if (result instanceof Promise) {
      // Its outcome is of no interest any more: the error below says what is wrong.
      result.catch(() => undefined)
      throw new DefinitionError(
        bucket,
        `bucket "${bucket}": ${path || 'schema'}: the validator is asynchronous; only synchronous ones can be used`,
      )
    }
    if (result.issues === undefined) return result.value
    for (const issue of result.issues) {
      issues.push({ field: pathOf(path, issue.path), message: issue.message, code: 'schema' })
    }
    return undefined
  }
}

function pathOf(path: string, segments: StandardSchemaV1.Issue['path']): string {
  let text = path
  for (const segment of segments ?? []) {
    const name = typeof segment === 'object' ? segment.key : segment
    if (typeof name === 'number') text += `[${name}]`
    else text += text === '' ? String(name) : `.${String(name)}`
  }
  return text
}
