import { InvalidArgumentError } from '../base/errors.js'
import type { Key, StoredRecord } from '../base/value.js'
import type { Bucket } from '../commit/bucket.js'
import type { Overlay } from '../commit/overlay.js'
import type { Transaction } from '../commit/transaction.js'
import { deleteIn, insertIn, setIn, updateIn, upsertIn } from '../commit/transaction-writes.js'
import { keyIn } from '../commit/write-options.js'
import type { Change } from '../log/entry.js'
import type { SubEventInput } from './event-definition.js'
import type { EventInput } from './running-event.js'
import { mustKey, sourcedInputs } from './sourced-results.js'
import type { ResultStep } from './sourced-results.js'
import { disown, mustNotWait } from './promises.js'

/** Where the results of an event go. */
export interface ResultTarget {
  readonly transaction: Transaction
  /** The bucket, which can answer. @throws {BucketNotDefinedError} @throws {BucketUnavailableError} */
  bucketOf(name: string): Bucket
  /** Told of each change, where somebody wants to know; `undefined` where nobody does. */
  readonly changes: Change[] | undefined
  /** Told before the first thing is written. */
  written(): void
  /** Takes the events that writes to sourced buckets are. */
  readonly include?: ((input: EventInput) => void) | undefined
}

type Step = (target: ResultTarget, overlay: Overlay, item: unknown) => void

/** In the order in which they are applied. */
const STEPS: { readonly [S in ResultStep]: Step } = {
  clear: (target, overlay, flag) => {
    if (typeof flag !== 'boolean') throw new InvalidArgumentError(`${overlay.bucket}.clear`, 'true or false', flag)
    if (!flag) return
    const { transaction, changes } = target
    if (changes !== undefined) {
      // What there was is part of what happened.
      transaction.readSet.readWhere(overlay.bucket, undefined)
      for (const key of overlay.keys()) {
        changes.push({ bucket: overlay.bucket, key, before: overlay.get(key), after: undefined })
      }
    }
    overlay.clear()
  },
  remove: (target, overlay, given) => {
    const key = mustKey(overlay.bucketState, 'remove', given)
    const before = beforeOf(target, overlay, key)
    deleteIn(target.transaction, overlay, key)
    if (before !== undefined) target.changes?.push({ bucket: overlay.bucket, key, before, after: undefined })
  },
  insert: (target, overlay, data) => {
    note(target, overlay, undefined, insertIn(target.transaction, overlay, data))
  },
  set: (target, overlay, data) => {
    const before = beforeOf(target, overlay, keyIn(`${overlay.bucket}.set`, data, overlay.key))
    note(target, overlay, before, setIn(target.transaction, overlay, data))
  },
  update: (target, overlay, changes) => {
    const key = mustKey(overlay.bucketState, 'update', keyIn(`${overlay.bucket}.update`, changes, overlay.key))
    const before = beforeOf(target, overlay, key)
    note(target, overlay, before, updateIn(target.transaction, overlay, key, changes))
  },
  upsert: (target, overlay, data) => {
    const where = `${overlay.bucket}.upsert`
    const before = beforeOf(target, overlay, keyIn(where, data, overlay.key))
    note(target, overlay, before, upsertIn(target.transaction, overlay, where, data))
  },
}

const IN_ORDER = Object.keys(STEPS) as ResultStep[]

/**
 * Applies what a reducer returned. Where it throws, what came before stays written.
 *
 * @returns the sub-events that it asks for.
 * @throws {InvalidArgumentError} it is no result. @throws {VarveError} whatever a write is refused with.
 */
export function applyResult(target: ResultTarget, result: unknown): readonly SubEventInput[] {
  if (result === undefined || result === null) return []
  try {
    if (!isPlain(result)) throw new InvalidArgumentError('the result', 'an object of results by bucket', result)
    let events: readonly SubEventInput[] = []
    for (const name of Object.keys(result)) {
      const part = mustNotWait(`the result: ${name}`, result[name])
      if (part === undefined) continue
      const asked = name === 'events' ? eventsIn(part) : undefined
      if (asked !== undefined) events = asked
      else applyTo(target, name, part)
    }
    return events
  } catch (error) {
    disown(result)
    throw error
  }
}

/** The sub-events in `part`, one or a list of them. A bucket may be called `events` as well: its part has no type. */
function eventsIn(part: unknown): readonly SubEventInput[] | undefined {
  if (Array.isArray(part)) return part as readonly SubEventInput[]
  return isPlain(part) && Object.hasOwn(part, 'type') ? [part as unknown as SubEventInput] : undefined
}

function applyTo(target: ResultTarget, name: string, part: unknown): void {
  const bucket = target.bucketOf(name)
  if (!isPlain(part)) throw new InvalidArgumentError(`the result for bucket "${name}"`, stepNames(), part)
  const overlay = target.transaction.overlay(bucket)
  const steps = Object.keys(part)
  for (const step of steps) {
    if (Object.hasOwn(STEPS, step)) continue
    throw new InvalidArgumentError(`the result for bucket "${name}"`, stepNames(), step, `the unknown verb "${step}"`)
  }
  // Mostly there is one.
  for (const step of steps.length === 1 ? (steps as ResultStep[]) : IN_ORDER) {
    const given = part[step]
    if (given === undefined) continue
    const apply = STEPS[step]
    if (bucket.definition.sourced === true && target.include !== undefined) {
      for (const input of sourcedInputs(bucket, step, given)) target.include(input)
      continue
    }
    for (const item of (Array.isArray(given) ? given : [given]) as readonly unknown[]) {
      target.written()
      apply(target, overlay, item)
    }
  }
}

function stepNames(): string {
  return `an object with some of ${Object.keys(STEPS).join(', ')}`
}

/** The record under `key`, where somebody wants to know what it was. */
function beforeOf({ changes }: ResultTarget, overlay: Overlay, key: Key | undefined): StoredRecord | undefined {
  return changes === undefined || key === undefined ? undefined : overlay.get(key)
}

/** A record was written. */
function note(
  { changes }: ResultTarget,
  overlay: Overlay,
  before: StoredRecord | undefined,
  after: StoredRecord,
): void {
  changes?.push({ bucket: overlay.bucket, key: overlay.bucketState.schema.keyOf(after), before, after })
}

/** Whether it is an object as one writes it down: a Map or a generator has nothing under the names of buckets. */
function isPlain(value: unknown): value is { readonly [name: string]: unknown } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
