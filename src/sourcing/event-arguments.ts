import { InvalidArgumentError } from '../base/errors.js'
import { checkOptions, readFrom } from '../commit/write-options.js'
import type { CommitNote } from '../commit/write-options.js'

/** What `dispatch` and `enqueue` were called with, each part read once. */
export interface EventArguments {
  readonly type: string
  readonly data: unknown
  readonly at: number | undefined
  readonly note: CommitNote
  readonly lane: unknown
  readonly delayMs: unknown
}

/** What a whole event has inside, and what stands beside a reference. */
const INSIDE = ['data', 'at', 'meta', 'durability', 'lane', 'delayMs']

/** What is said by nobody who gives no options. */
const NO_OPTIONS = Object.freeze({ at: undefined, lane: undefined, delayMs: undefined, note: Object.freeze({}) })

/** The arguments of `method`: a type or a reference with its data beside it, or a whole event. @throws {InvalidArgumentError} */
export function readArguments(method: string, first: unknown, data: unknown, options: unknown): EventArguments {
  if (typeof first === 'string' && options === undefined) return { ...NO_OPTIONS, type: first, data }
  const named =
    typeof first === 'object' && first !== null ? (first as { readonly [field: string]: unknown }) : undefined
  const type = named === undefined ? first : readFrom(`${method}(event)`, first, () => named.type)
  if (typeof type !== 'string') throw new InvalidArgumentError(`${method}(type)`, 'the type of an event', type)
  const isAlone = data === undefined && options === undefined
  if (named !== undefined && !isAlone) {
    const name = readFrom(`${method}(event)`, first, () => INSIDE.find((field) => named[field] !== undefined))
    const where = 'data and options either inside the event or beside its type'
    if (name !== undefined) {
      throw new InvalidArgumentError(
        `${method}(event, data, options)`,
        where,
        first,
        `"${name}" inside, and others beside`,
      )
    }
  }
  const whole = isAlone ? named : undefined
  const at = `${method}("${type}", data, options)`
  const rest = (whole ?? (options === undefined ? {} : options)) as { readonly [option: string]: unknown }
  const note = checkOptions(at, rest)
  const read = readFrom(at, rest, () => ({
    ...{ at: rest.at, lane: rest.lane, delayMs: rest.delayMs },
    data: whole === undefined ? data : whole.data,
  }))
  const time = read.at
  if (time !== undefined && !(typeof time === 'number' && Number.isFinite(time))) {
    throw new InvalidArgumentError(`${method}("${type}", data, { at })`, 'a time in milliseconds', time)
  }
  return { ...read, type, at: time, note }
}
