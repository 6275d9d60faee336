import { describeValue } from '../base/errors.js'
import type { EventData } from '../log/entry.js'
import type { BucketName, Named } from '../store-contexts.js'
import type { AnyBuckets } from '../store-options.js'
import type { EventDataOf, EventRef, EventWorld, ReduceResult } from './event-definition.js'
import { ProjectionDefinitionError } from './projection-errors.js'
import type { ProjectionBucket } from './projection-bucket.js'
import type { ProjectedEvent } from './projected-event.js'

/** What `apply` of a projection reads and writes with. Time and randomness are those of the event. */
export interface ProjectionTransaction<B = AnyBuckets> extends EventWorld {
  /** One of the buckets that the projection is into. @throws {InvalidArgumentError} it is another one. */
  bucket<N extends BucketName<B>>(name: N): ProjectionBucket<Named<B, N>>
}

/** What becomes of an async projection, or of one that is being built, when `apply` keeps failing. */
export interface ProjectionPolicy {
  /** Attempts after the first. Default 5. They are those of its supervisor: after 0, 100, 200 … milliseconds. */
  readonly retries?: number
  /**
   * `halt` (default): it stands still, with its error in `store.projections`, until `store.resumeProjection` or the next start. `skip`: it
   * goes on without the event, and counts it in `skipped`.
   */
  readonly onFailure?: 'halt' | 'skip'
}

/** An event, in the list of those that a projection is made of. */
export type ProjectionSource = string | EventRef<never>

// oxlint-disable-next-line typescript/no-explicit-any -- with `unknown`, every projection would have to cast
type LooseData = { readonly [field: string]: any }

/** An event of one of the types `F`, with the type of its data where that is known. */
export type ProjectionEvent<F extends readonly ProjectionSource[], E> = F[number] extends infer T
  ? T extends EventRef<never, infer D>
    ? ProjectedEvent<D>
    : T extends keyof E & string
      ? unknown extends E[T]
        ? ProjectedEvent<LooseData>
        : ProjectedEvent<EventDataOf<E[T]>> & { readonly type: T }
      : ProjectedEvent<LooseData>
  : never

/** What `defineProjection` takes. */
export interface ProjectionOptions<
  B = AnyBuckets,
  E = unknown,
  F extends readonly ProjectionSource[] = readonly string[],
> {
  /** Types of the events that it is made of, sub-events included; `order/*` stands for all that begin so, `*` for all. */
  readonly from: F
  /** Names of the buckets that it keeps. Nobody else writes to them. */
  readonly into: readonly string[]
  /**
   * `inline` (default): part of the commit of each event. `async`: afterwards, in commits of its own, each event exactly once, in the
   * order of the log.
   */
  readonly mode?: 'inline' | 'async'
  /** Raised when `apply` does something else than before: the projection is then rebuilt. Default 1. */
  readonly version?: number
  /**
   * What to do where the log does not begin with its first entry any more and the projection is to be made of it: refuse (`complete`, the
   * default), or make it of the entries that are `kept`.
   */
  readonly history?: 'complete' | 'kept'
  readonly policy?: ProjectionPolicy
  /**
   * Takes in one event: writes with `tx`, or says what changes as a reducer does. Synchronous, and a function of the event and of the
   * projection's own buckets.
   */
  apply(event: ProjectionEvent<F, E>, tx: ProjectionTransaction<B>): ReduceResult<B> | undefined | void
}

/** Projections by name, as `Store.start` takes them. */
export type ProjectionDefinitions<B = AnyBuckets> = {
  // oxlint-disable-next-line typescript/no-explicit-any -- as above
  readonly [name: string]: ProjectionOptions<B, any, readonly any[]>
}

/** `apply`, called on the object that it was given in. */
export type ProjectionApply = (event: ProjectedEvent<EventData>, tx: never) => unknown

/** A definition with everything filled in. */
export interface CheckedProjection {
  readonly version: number
  readonly mode: 'inline' | 'async'
  readonly from: readonly string[]
  readonly into: readonly string[]
  readonly history: 'complete' | 'kept'
  readonly policy: Required<ProjectionPolicy>
  readonly apply: ProjectionApply
}

const OPTIONS = ['from', 'into', 'mode', 'version', 'history', 'policy', 'apply']
const NAME_CHARACTERS_MAX = 100
// Names are part of those of processes and buckets.
// oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
const NAME = /^[^\u0000-\u001f\u007f*\ud800-\udfff]+$/u

/** @throws {ProjectionDefinitionError} */
export function checkProjection(name: string, options: ProjectionOptions): CheckedProjection {
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
  const own = (apply as ProjectionApply).bind(options)
  const lists = {
    from: Object.freeze([...new Set(from as readonly string[])]),
    into: Object.freeze([...new Set(into)]),
  }
  return { ...lists, version, mode, history, policy: { retries, onFailure }, apply: own }
}

function typeOf(source: unknown): unknown {
  return typeof source === 'object' && source !== null ? (source as EventRef).type : source
}
