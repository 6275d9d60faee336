import { describeValue, InvalidArgumentError, VarveError } from '../base/errors.js'
import type { Bucket } from '../commit/bucket.js'
import { BucketNotDefinedError } from '../commit/errors.js'
import type { Transaction } from '../commit/transaction.js'
import type { BucketReader } from '../query/reads.js'
import type { KeyOf, RecordOf } from '../schema/infer.js'
import type { Links } from '../schema/links.js'
import type { BucketName, Named } from '../store-contexts.js'
import type { AnyBuckets } from '../store-options.js'
import { applyResult } from './apply-result.js'
import type { DomainEvent, ReduceResult } from './event-definition.js'

/** What a projection reads with. */
export interface ProjectionView<B = AnyBuckets> {
  /** One of the buckets that the projection is into. @throws {InvalidArgumentError} it is another one. */
  bucket<N extends BucketName<B>>(name: N): BucketReader<RecordOf<Named<B, N>>, KeyOf<Named<B, N>>, Links<B, N>>
}

/** What `defineProjection` takes. */
export interface ProjectionOptions<B = AnyBuckets> {
  /** Types of the events that it is made of, sub-events included. */
  readonly from: readonly string[]
  /** Names of the buckets that it keeps. Nobody else should write to them. */
  readonly into: readonly string[]
  /**
   * `inline` (default): part of the commit of each event. `async`: afterwards, in commits of its own, each event exactly once, in the
   * order of the log.
   */
  readonly mode?: 'inline' | 'async'
  /** Says what an event changes in the buckets of the projection. Synchronous, and a function of what it is given. */
  apply(
    event: DomainEvent<{ readonly [field: string]: unknown }>,
    view: ProjectionView<B>,
  ): ReduceResult<B> | undefined | void
}

/** What is known about a projection. */
export interface ProjectionStats {
  readonly name: string
  readonly mode: 'inline' | 'async'
  /** The last entry that it has taken in. */
  readonly position: number
  /** How many entries it is behind. */
  readonly lag: number
  /** Why it does not go on, where it does not. It tries again by itself. */
  readonly error: Error | undefined
}

/** A definition of a projection is wrong. It was not taken. */
export class ProjectionDefinitionError extends VarveError {
  declare readonly name: 'ProjectionDefinitionError'
  declare readonly projection: string

  constructor(projection: string, problem: string) {
    super('PROJECTION_DEFINITION', `projection "${projection}": ${problem}`, { projection })
  }
}

/** Entries that a projection has not taken in yet are no longer in the log. It stands still. */
export class ProjectionGapError extends VarveError {
  declare readonly name: 'ProjectionGapError'
  declare readonly projection: string

  constructor(projection: string, after: number, first: number) {
    const what = `entries ${after + 1} to ${first - 1} have left the log before they were taken in`
    super('PROJECTION_GAP', `projection "${projection}": ${what}; it stands still; keep more history`, { projection })
  }
}

const OPTIONS = ['from', 'into', 'mode', 'apply']
const MODES: readonly unknown[] = ['inline', 'async', undefined]

/** A projection after its definition was checked. */
export class Projection {
  readonly name: string
  readonly mode: 'inline' | 'async'
  readonly from: ReadonlySet<string>
  readonly #into: ReadonlySet<string>
  readonly #apply: ProjectionOptions['apply']

  /** @throws {ProjectionDefinitionError} */
  constructor(name: string, options: ProjectionOptions) {
    const fail = (problem: string): never => {
      throw new ProjectionDefinitionError(String(name), problem)
    }
    if (typeof name !== 'string' || name === '' || name.length > 200) fail('its name has to have 1 to 200 characters')
    if (typeof options !== 'object' || options === null) fail(`expected an object { ${OPTIONS.join(', ')} }`)
    for (const option of Object.keys(options)) if (!OPTIONS.includes(option)) fail(`unknown option "${option}"`)
    const { from, into, mode = 'inline', apply } = options
    for (const [option, list] of Object.entries({ from, into })) {
      const isList = Array.isArray(list) && list.length > 0 && list.every((item) => typeof item === 'string')
      if (!isList) fail(`${option}: expected a list of names, got ${describeValue(list)}`)
    }
    if (!MODES.includes(mode)) fail(`mode: expected "inline" or "async", got ${describeValue(mode)}`)
    if (typeof apply !== 'function') fail(`apply: expected a function, got ${describeValue(apply)}`)
    this.name = name
    this.mode = mode
    this.from = new Set(from)
    this.#into = new Set(into)
    this.#apply = apply.bind(options)
  }

  /** Lets the projection take in one event, as a part of `transaction`. Where it throws, the transaction is of no use. */
  take(event: DomainEvent, transaction: Transaction, bucketOf: (name: string) => Bucket): void {
    const own = (name: string): Bucket => {
      if (!this.#into.has(name)) {
        throw new InvalidArgumentError(`projection "${this.name}"`, `only buckets of into (${this.#names})`, name)
      }
      const bucket = bucketOf(name)
      bucket.mustBeReady()
      return bucket
    }
    const view: ProjectionView = {
      bucket: (name: string) => transaction.reads(own(name)) as never,
    }
    const result = this.#apply(event, view)
    const asked = applyResult({ transaction, bucketOf: own, changes: undefined, written: () => undefined }, result)
    if (asked.length > 0) throw new InvalidArgumentError(`projection "${this.name}"`, 'no events in the result', asked)
  }

  get #names(): string {
    return [...this.#into].join(', ')
  }

  /** @throws {BucketNotDefinedError} one of its buckets is not there. */
  mustHaveBuckets(has: (name: string) => boolean): void {
    for (const name of this.#into) if (!has(name)) throw new BucketNotDefinedError(name)
  }
}
