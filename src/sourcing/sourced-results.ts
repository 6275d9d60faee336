import { InvalidArgumentError } from '../base/errors.js'
import { isKey } from '../base/value.js'
import type { Key } from '../base/value.js'
import type { Bucket } from '../commit/bucket.js'
import { keyIn } from '../commit/write-options.js'
import { sourcedType } from '../log/entry.js'
import type { EventInput } from './running-event.js'
import { sourcedData } from './sourced-write.js'
import type { SourcedAction } from './sourced-write.js'

/** What a result can want of a bucket. */
export type ResultStep = 'clear' | 'remove' | 'insert' | 'set' | 'update' | 'upsert'

/**
 * What one step of a result wants of a sourced bucket, as the events that its writes are: one for each record, or for a list of those that
 * are inserted or removed.
 *
 * @throws {InvalidArgumentError} nothing was written.
 */
export function sourcedInputs(bucket: Bucket, step: ResultStep, given: unknown): EventInput[] {
  const { name, schema } = bucket
  const type = sourcedType(name)
  const where = `${name}.${step}`
  const input = (action: SourcedAction, data: unknown): EventInput => {
    return { type, data: sourcedData(name, { action, data }), given: { data } }
  }
  const list = Array.isArray(given) ? (given as readonly unknown[]) : undefined
  if (list?.length === 0) return []
  switch (step) {
    case 'clear':
      if (typeof given !== 'boolean') throw new InvalidArgumentError(where, 'true or false', given)
      return given ? [{ type, data: Object.freeze({ action: 'clear' }) }] : []
    case 'remove':
      if (list === undefined)
        return [{ type, data: Object.freeze({ action: 'delete', key: mustKey(bucket, step, given) }) }]
      return [
        {
          type,
          data: Object.freeze({
            action: 'deleteMany',
            keys: Object.freeze(list.map((key) => mustKey(bucket, step, key))),
          }),
        },
      ]
    case 'insert':
      return [input(list === undefined ? 'insert' : 'insertMany', given)]
    case 'update':
      return (list ?? [given]).map((changes) => {
        const key = mustKey(bucket, step, keyIn(where, changes, schema.key))
        const { data, given: own } = input('update', changes)
        return { type, data: Object.freeze({ ...(data as object), key }), given: own }
      })
    default:
      return (list ?? [given]).map((data) => input(step, data))
  }
}

/** The key that a step of a result names. @throws {InvalidArgumentError} */
export function mustKey({ name, schema }: Bucket, step: ResultStep, key: unknown): Key {
  if (isKey(key)) return key
  throw new InvalidArgumentError(`${name}.${step}`, `a key of the bucket, as field "${schema.key}"`, key)
}
