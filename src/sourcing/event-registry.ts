import { describeValue } from '../base/errors.js'
import type { EventData } from '../log/entry.js'
import { isInternalBucket, isSourcedType } from '../log/entry.js'
import type { EventHandlers, EventOptions, QueuePolicy, Upcast } from './event-definition.js'
import { EventSchema } from './event-schema.js'
import { EventDefinitionError, EventNotDefinedError } from './errors.js'

/** Handlers with the name that errors call them. */
export interface NamedHandlers extends EventHandlers {
  readonly name: string
}

/** The policy of a type, with everything filled in. */
export type CheckedPolicy = Required<QueuePolicy>

/** One type of event, as it is defined now. */
export interface EventType {
  readonly type: string
  readonly version: number
  readonly schema: EventSchema
  readonly upcast: ReadonlyMap<number, Upcast>
  readonly policy: CheckedPolicy
  readonly lane: ((data: EventData) => string | undefined) | undefined
  readonly recordFailures: boolean
  /** In the order of their definition. */
  readonly handlers: readonly NamedHandlers[]
  /** Whether handlers look at what the event has changed. */
  readonly wantsChanges: boolean
  /** The bucket whose writes are events of this type. */
  readonly bucket: string | undefined
}

const OPTIONS = ['version', 'schema', 'upcast', 'policy', 'lane', 'recordFailures']
const PHASES = ['preprocess', 'reduce', 'derive', 'transact']
const POLICY_DEFAULT: CheckedPolicy = { retries: 5, backoffMs: 1_000, backoffMaxMs: 60_000, onFailure: 'park' }
const TYPE_CHARACTERS_MAX = 200
const VERSION_MAX = 10_000
// Control characters, stars and lone surrogates are not for names.
// oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
const TYPE = /^[^\u0000-\u001f\u007f*\ud800-\udfff]+$/u

/** The types of event of one store. */
export class EventRegistry {
  readonly #types = new Map<string, EventType>()
  /** Whether events without a definition are kept in the log, without effect. */
  keepsUnknown = false

  /** Names of the types, in the order of their definition. */
  get types(): string[] {
    return [...this.#types.keys()]
  }

  /** The type called `type`, where it is defined. */
  find(type: string): EventType | undefined {
    return this.#types.get(type)
  }

  /** The type called `type`. @throws {EventNotDefinedError} */
  must(type: string): EventType {
    const found = this.#types.get(type)
    if (found !== undefined) return found
    if (!this.keepsUnknown || typeof type !== 'string' || problemOf(type) !== undefined) {
      throw new EventNotDefinedError(String(type))
    }
    return typeOf(type, {}, [], undefined)
  }

  /** What becomes of failing events of a type. Those that nobody has defined are not tried again. */
  policyOf(type: string): { readonly policy: CheckedPolicy; readonly recordFailures: boolean } {
    return this.#types.get(type) ?? { policy: { ...POLICY_DEFAULT, retries: 0 }, recordFailures: false }
  }

  /** @throws {EventDefinitionError} it was not taken. */
  define(type: string, options: EventOptions): void {
    const problem = typeof type === 'string' ? problemOf(type) : `expected a name, got ${describeValue(type)}`
    if (problem !== undefined) throw new EventDefinitionError(String(type), problem)
    if (this.#types.has(type)) throw new EventDefinitionError(type, 'it is defined already; extendEvent adds handlers')
    checkNames(type, options, [...OPTIONS, ...PHASES, 'name'])
    this.#types.set(type, typeOf(type, options, [named(type, options, 0)], undefined))
  }

  /**
   * Defines types by name. Those of sourced buckets are there since their buckets are: they are added to.
   *
   * @throws {EventDefinitionError} @throws {EventNotDefinedError} those before it were taken.
   */
  defineAll(definitions: { readonly [type: string]: unknown }): void {
    for (const [type, definition] of Object.entries(definitions)) {
      if (isSourcedType(type)) this.extend(type, definition as EventHandlers)
      else this.define(type, definition as EventOptions)
    }
  }

  /** Takes the events that the writes of a sourced bucket are. */
  defineSourced(type: string, bucket: string): void {
    this.#types.set(type, typeOf(type, {}, [], bucket))
  }

  /** Adds handlers, after those that are there. @throws {EventNotDefinedError} @throws {EventDefinitionError} */
  extend(type: string, handlers: EventHandlers): void {
    const found = this.#types.get(type)
    if (found === undefined) throw new EventNotDefinedError(String(type))
    checkNames(type, handlers, [...PHASES, 'name'])
    const list = [...found.handlers, named(type, handlers, found.handlers.length)]
    this.#types.set(type, { ...found, handlers: list, wantsChanges: list.some(wantsChanges) })
  }

  /**
   * Data of an earlier version, brought to the version of now.
   *
   * @throws {EventDefinitionError} it is of a later version. @throws whatever a step throws.
   */
  upcast({ type, version, upcast }: EventType, data: EventData, from: number): EventData {
    if (from > version) {
      throw new EventDefinitionError(
        type,
        `version ${from} was written by newer code, this code knows ${version}: start the newer one`,
      )
    }
    let current = data as object
    for (let step = from; step < version; step++) current = (upcast.get(step) as (data: object) => object)(current)
    return current as EventData
  }
}

function wantsChanges({ derive, transact }: EventHandlers): boolean {
  return derive !== undefined || transact !== undefined
}

function problemOf(type: string): string | undefined {
  if (type.length > TYPE_CHARACTERS_MAX || !TYPE.test(type) || type === '__proto__') {
    return `its type has to have 1 to ${TYPE_CHARACTERS_MAX} characters, without "*" and control characters, and not be "__proto__"`
  }
  if (type.startsWith('store/') || isInternalBucket(type)) return 'types that begin with store/ and varve/ are taken'
  return isSourcedType(type) ? 'types that begin with bucket/ are those of sourced buckets' : undefined
}

function checkNames(type: string, options: unknown, names: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new EventDefinitionError(type, `expected an object { ${names.join(', ')} }, got ${describeValue(options)}`)
  }
  for (const [name, value] of Object.entries(options)) {
    if (!names.includes(name)) {
      throw new EventDefinitionError(type, `unknown option "${name}"; known are ${names.join(', ')}`)
    }
    if ((PHASES.includes(name) || name === 'lane') && value !== undefined && typeof value !== 'function') {
      throw new EventDefinitionError(type, `${name}: expected a function, got ${describeValue(value)}`)
    }
  }
}

function named(type: string, handlers: EventHandlers, index: number): NamedHandlers {
  const { name = index === 0 ? type : `${type}#${index + 1}` } = handlers
  if (typeof name !== 'string')
    throw new EventDefinitionError(type, `name: expected a string, got ${describeValue(name)}`)
  const taken: Record<string, unknown> = { name }
  // Called on the object that they were given in, as methods are.
  for (const phase of PHASES) {
    const handler = (handlers as Record<string, unknown>)[phase]
    if (typeof handler === 'function') taken[phase] = (handler as (...args: unknown[]) => unknown).bind(handlers)
  }
  return Object.freeze(taken) as unknown as NamedHandlers
}

function typeOf(
  type: string,
  options: EventOptions,
  handlers: readonly NamedHandlers[],
  bucket: string | undefined,
): EventType {
  const { version = 1, schema, upcast = {}, policy, recordFailures = false } = options
  if (!Number.isSafeInteger(version) || version < 1 || version > VERSION_MAX) {
    throw new EventDefinitionError(type, `version: expected a whole number from 1, got ${describeValue(version)}`)
  }
  if (typeof recordFailures !== 'boolean') {
    throw new EventDefinitionError(type, `recordFailures: expected true or false, got ${describeValue(recordFailures)}`)
  }
  return {
    type,
    version,
    schema: new EventSchema(type, schema),
    upcast: checkUpcast(type, version, upcast),
    policy: checkPolicy(type, policy),
    lane: options.lane?.bind(options),
    recordFailures,
    handlers,
    wantsChanges: handlers.some(wantsChanges),
    bucket,
  }
}

/** The steps from each earlier version to the next. @throws {EventDefinitionError} one is missing. */
function checkUpcast(type: string, version: number, given: unknown): Map<number, Upcast> {
  // A list or a Map has its steps elsewhere than under the names of versions.
  if (typeof given !== 'object' || given === null || Symbol.iterator in given) {
    throw new EventDefinitionError(type, `upcast: expected an object of functions, got ${describeValue(given)}`)
  }
  const steps = new Map<number, Upcast>()
  for (const [name, step] of Object.entries(given)) {
    const from = Number(name)
    if (!Number.isSafeInteger(from) || from < 1 || from >= version) {
      throw new EventDefinitionError(type, `upcast: "${name}" is no version before ${version}`)
    }
    if (typeof step !== 'function') throw new EventDefinitionError(type, `upcast: step ${name} is no function`)
    steps.set(from, step as Upcast)
  }
  for (let from = 1; from < version; from++) {
    if (!steps.has(from)) {
      throw new EventDefinitionError(type, `upcast: the step from version ${from} to ${from + 1} is missing`)
    }
  }
  return steps
}

function checkPolicy(type: string, given: QueuePolicy | undefined): CheckedPolicy {
  if (given === undefined) return POLICY_DEFAULT
  if (typeof given !== 'object' || given === null) {
    throw new EventDefinitionError(type, `policy: expected an object, got ${describeValue(given)}`)
  }
  const policy = { ...POLICY_DEFAULT, ...given }
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(POLICY_DEFAULT, name)) throw new EventDefinitionError(type, `policy: unknown option "${name}"`)
  }
  const { retries, backoffMs, backoffMaxMs, onFailure } = policy
  if (!(retries === Number.POSITIVE_INFINITY || (Number.isSafeInteger(retries) && retries >= 0))) {
    throw new EventDefinitionError(
      type,
      `policy: retries: expected a whole number from 0, got ${describeValue(retries)}`,
    )
  }
  for (const [name, value] of Object.entries({ backoffMs, backoffMaxMs })) {
    if (typeof value === 'number' && value >= 0 && value <= 2 ** 31) continue
    throw new EventDefinitionError(type, `policy: ${name}: expected milliseconds, got ${describeValue(value)}`)
  }
  if (!['park', 'skip', 'halt'].includes(onFailure)) {
    throw new EventDefinitionError(
      type,
      `policy: onFailure: expected "park", "skip" or "halt", got ${describeValue(onFailure)}`,
    )
  }
  return Object.freeze(policy)
}
