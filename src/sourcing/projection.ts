import { describeValue } from '../base/errors.js'
import type { BucketOwner } from '../commit/bucket.js'
import type { EventRef } from './event-definition.js'
import type { EventGroup } from './event-group.js'
import { visitEvents } from './event-group.js'
import type {
  ProjectedEvent,
  ProjectionOptions,
  ProjectionPolicy,
  ProjectionTransaction,
} from './projection-definition.js'
import { BucketOwnedError, ProjectionDefinitionError } from './projection-errors.js'

const OPTIONS = ['from', 'into', 'mode', 'version', 'history', 'policy', 'apply']
const NAME_CHARACTERS_MAX = 100
// Names are part of those of processes and buckets.
// oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
const NAME = /^[^\u0000-\u001f\u007f*\ud800-\udfff]+$/u

/** A projection as it is defined: what it is made of, and whose buckets are its own (EV5). */
export class Projection implements BucketOwner {
  readonly name: string
  readonly version: number
  readonly mode: 'inline' | 'async'
  readonly from: readonly string[]
  readonly into: readonly string[]
  readonly history: 'complete' | 'kept'
  readonly policy: Required<ProjectionPolicy>
  /** Called on the object that it was given in. */
  readonly apply: (event: ProjectedEvent, tx: ProjectionTransaction) => unknown
  readonly #known = new Map<string, boolean>()

  /** @throws {ProjectionDefinitionError} */
  constructor(name: string, options: ProjectionOptions) {
    const { version, mode, from, into, history, policy, apply } = checkDefinition(name, options)
    this.name = name
    this.version = version
    this.mode = mode
    this.from = from
    this.into = into
    this.history = history
    this.policy = policy
    this.apply = apply
  }

  /** Whether it is made of events of this type. */
  takes(type: string): boolean {
    let known = this.#known.get(type)
    if (known === undefined) {
      known = matchesType(this.from, type)
      this.#known.set(type, known)
    }
    return known
  }

  /** See `BucketOwner`. */
  refuse(bucket: string): never {
    throw new BucketOwnedError(bucket, this.name)
  }

  /** Whether any of `group` is for it. */
  takesAny(group: Pick<EventGroup, 'events' | 'redacted'>): boolean {
    let isAny = false
    visitEvents(group, ({ type }) => {
      if (this.takes(type)) isAny = true
    })
    return isAny
  }
}

/** Whether events of `type` are among those that `from` names: `order/placed`, all below `order/*`, or all with `*`. */
export function matchesType(from: readonly string[], type: string): boolean {
  return from.some((name) => (name.endsWith('*') ? type.startsWith(name.slice(0, -1)) : name === type))
}

/** What a definition says, with everything filled in. @throws {ProjectionDefinitionError} */
function checkDefinition(name: string, options: ProjectionOptions) {
  const fail = (problem: string): never => {
    throw new ProjectionDefinitionError(String(name), problem)
  }
  const oneOf = (option: string, value: unknown, ...names: readonly string[]): void => {
    if (names.includes(value as string)) return
    fail(`${option}: expected ${names.map((known) => `"${known}"`).join(' or ')}, got ${describeValue(value)}`)
  }
  if (typeof name !== 'string' || name.length > NAME_CHARACTERS_MAX || !NAME.test(name)) {
    fail(`its name has to have 1 to ${NAME_CHARACTERS_MAX} characters, without "*" and control characters`)
  }
  if (typeof options !== 'object' || options === null) fail(`expected an object { ${OPTIONS.join(', ')} }`)
  for (const option of Object.keys(options)) {
    if (!OPTIONS.includes(option)) fail(`unknown option "${option}"; known are ${OPTIONS.join(', ')}`)
  }
  const { into, mode = 'inline', version = 1, history = 'complete', policy = {}, apply } = options
  const from: readonly unknown[] = Array.isArray(options.from) ? options.from.map(typeOf) : []
  for (const [option, list] of Object.entries({ from, into })) {
    const isList = Array.isArray(list) && list.length > 0 && list.every((item) => typeof item === 'string')
    if (!isList)
      fail(`${option}: expected a list of names, got ${describeValue(option === 'from' ? options.from : list)}`)
  }
  for (const type of from as readonly string[]) {
    if (type.slice(0, -1).includes('*')) fail(`from: "${type}": a star stands at the end`)
  }
  oneOf('mode', mode, 'inline', 'async')
  oneOf('history', history, 'complete', 'kept')
  if (!Number.isSafeInteger(version) || version < 1) {
    fail(`version: expected a whole number from 1, got ${describeValue(version)}`)
  }
  if (typeof policy !== 'object' || policy === null) fail(`policy: expected an object, got ${describeValue(policy)}`)
  const { retries = 5, onFailure = 'halt' } = policy
  oneOf('policy: onFailure', onFailure, 'halt', 'skip')
  if (!(Number.isSafeInteger(retries) && retries >= 0)) {
    fail(`policy: retries: expected a whole number from 0, got ${describeValue(retries)}`)
  }
  if (typeof apply !== 'function') fail(`apply: expected a function, got ${describeValue(apply)}`)
  const lists = {
    from: Object.freeze([...new Set(from as readonly string[])]),
    into: Object.freeze([...new Set(into)]),
  }
  return { ...lists, version, mode, history, policy: { retries, onFailure }, apply: apply.bind(options) }
}

function typeOf(source: unknown): unknown {
  return typeof source === 'object' && source !== null ? (source as EventRef).type : source
}
