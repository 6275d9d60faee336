import { asError, describeValue, VarveError } from '../base/errors.js'
import { quietly } from '../base/quietly.js'
import type { Value } from '../base/value.js'

/** Where in the life of an event something went wrong. */
export type EventPhase =
  | 'validate'
  | 'upcast'
  | 'preprocess'
  | 'reduce'
  | 'apply'
  | 'derive'
  | 'events'
  | 'project'
  | 'transact'
  | 'commit'

/** Names of a path that a message shows, from its start and from its end. */
const PATH_SHOWN = 4
/** Of the name and of the message of what a handler threw, in what is kept of a failure. */
const FAILURE_CHARACTERS_MAX = 2_000

/**
 * An event could not be handled: nothing of it was written. `cause` is what a handler threw, or why its result was refused.
 */
export class EventFailedError extends VarveError {
  declare readonly name: 'EventFailedError'
  /** Type of the event that failed: the one that was dispatched, or a sub-event of it. */
  declare readonly type: string
  declare readonly phase: EventPhase
  /** Name of the handlers that failed: as they were given one, else the type, with `#2` for the second ones. */
  declare readonly reducer: string | undefined
  /** Types from the dispatched event down to the one that failed. */
  declare readonly path: readonly string[]

  constructor(phase: EventPhase, reducer: string | undefined, path: readonly string[], cause: unknown) {
    const type = path.at(-1) as string
    const where = path.length === 1 ? `event "${type}"` : `event ${pathText(path)}`
    const by = reducer === undefined || reducer === type ? '' : ` of "${reducer}"`
    const reason = reasonOf(type, cause)
    const isSaid = /; nothing was (done|written);/.test(reason)
    const message = `${where}: ${phase}${by} failed: ${reason}${isSaid ? '' : '; nothing was written'}`
    super('EVENT_FAILED', message, { cause, type, phase, reducer, path })
  }
}

/** What `cause` says, without what the error around it says as well: the event, and the state left behind. */
export function reasonOf(type: string, cause: unknown): string {
  const said = textOf(asError(cause), 'message').replace(/; nothing was (done|written)$/, '')
  const prefix = `event "${type}": `
  return said.startsWith(prefix) ? said.slice(prefix.length) : said
}

/** A text of an error that somebody else has thrown, who need not have given it one. */
function textOf(error: Error, field: 'name' | 'message'): string {
  // A getter that throws leaves nothing to tell but that.
  const text = quietly(() => error[field] as unknown)
  return typeof text === 'string' ? text : `(no ${field}, but ${describeValue(text)})`
}

/** What was thrown, as it can be asked for its class: a proxy that was revoked throws at that. */
export function askable(thrown: unknown): unknown {
  // What cannot be asked says so in the error that is made of it.
  return quietly(() => [thrown instanceof Error]) === undefined ? asError(thrown) : thrown
}

/** A path for people: in the middle of a long one, only how many are left out. */
export function pathText(path: readonly string[]): string {
  const quoted = path.map((type) => `"${type}"`)
  if (quoted.length <= 2 * PATH_SHOWN) return quoted.join(' → ')
  const left = `… ${quoted.length - 2 * PATH_SHOWN} more …`
  return [...quoted.slice(0, PATH_SHOWN), left, ...quoted.slice(-PATH_SHOWN)].join(' → ')
}

/** There is no definition for events of this type. Nothing was done. */
export class EventNotDefinedError extends VarveError {
  declare readonly name: 'EventNotDefinedError'
  declare readonly type: string

  constructor(type: string) {
    const remedy = 'nothing was done; define it, or start the store with unknownEvents: "keep"'
    super('EVENT_NOT_DEFINED', `Event "${type}" is not defined; ${remedy}`, { type })
  }
}

/** A definition of an event, or what is added to one, is wrong; or the data of an event is of a later one. Nothing was done. */
export class EventDefinitionError extends VarveError {
  declare readonly name: 'EventDefinitionError'
  declare readonly type: string

  constructor(type: string, problem: string, options?: ErrorOptions) {
    super('EVENT_DEFINITION', `event "${type}": ${problem}; nothing was done`, { ...options, type })
  }
}

/** Data of an event could not be brought from the version that it was written with to that of now. The entry is as it was. */
export class UpcastError extends VarveError {
  declare readonly name: 'UpcastError'
  declare readonly type: string
  /** The version that it was written with. */
  declare readonly version: number

  constructor(type: string, version: number, cause: Error) {
    const next = `the entry is as it was; repair the steps of upcast from ${version} on`
    const message = `event "${type}" of version ${version}: upcast failed: ${reasonOf(type, cause)}; ${next}`
    super('UPCAST', message, { cause, type, version })
  }
}

/** There are no more events of this kind than `max` within one event: reducers that answer each other without end. */
export class EventRecursionError extends VarveError {
  declare readonly name: 'EventRecursionError'

  constructor(what: string, max: number, path: readonly string[]) {
    super('EVENT_RECURSION', `${what}: more than ${max}, along ${pathText(path)}`)
  }
}

/** Handlers of an event do not give the same again, so that a replay would have another outcome. The event stands. */
export class NonDeterministicError extends VarveError {
  override readonly name = 'NonDeterministicError'
  declare readonly type: string
  declare readonly phase: EventPhase
  declare readonly reducer: string

  constructor(type: string, phase: EventPhase, reducer: string, what: string) {
    const remedy =
      'take time and randomness from what the handler is given: event.at, view.now(), view.random(), view.uuid()'
    const message = `event "${type}": ${phase} of "${reducer}" ${what}; the event stands; ${remedy}`
    super('NON_DETERMINISTIC', message, { type, phase, reducer })
  }
}

/** There is no parked event of this id. Nothing was done. */
export class EventNotParkedError extends VarveError {
  declare readonly name: 'EventNotParkedError'
  declare readonly id: number

  constructor(id: number) {
    super('EVENT_NOT_PARKED', `no event is parked under id ${String(id)}; nothing was done`, { id })
  }
}

/** What is kept of a failure: enough to know where to look, no stack. */
export function describeFailure({ phase, reducer, path, cause }: EventFailedError): {
  readonly [field: string]: Value
} {
  const error = asError(askable(cause))
  const code: unknown = error instanceof VarveError ? error.code : undefined
  return Object.freeze({
    phase,
    ...(reducer !== undefined && { reducer }),
    path: Object.freeze([...path]),
    name: textOf(error, 'name').slice(0, FAILURE_CHARACTERS_MAX),
    message: textOf(error, 'message').slice(0, FAILURE_CHARACTERS_MAX),
    ...(typeof code === 'string' && { code }),
  })
}

/**
 * What a caller of a plain write is told where an event has failed: as much as possible what a plain bucket would say.
 *
 * @param depth of the event that the write is: what failed further down is for an event to say.
 */
export function plainFailure(error: unknown, depth: number): unknown {
  if (!(error instanceof EventFailedError) || error.reducer !== undefined || error.path.length > depth + 1) return error
  return error.cause
}
