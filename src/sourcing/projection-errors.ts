import { VarveError } from '../base/errors.js'
import { EventDefinitionError, EventNotDefinedError, reasonOf, UpcastError } from './errors.js'

/** A definition of a projection is wrong, or it cannot be used as it is. It was not taken. */
export class ProjectionDefinitionError extends VarveError {
  declare readonly name: 'ProjectionDefinitionError'
  declare readonly projection: string

  constructor(projection: string, problem: string, options?: ErrorOptions) {
    const message = `projection "${projection}": ${problem}; it was not taken, and nothing was changed; correct it and define it again`
    super('PROJECTION_DEFINITION', message, { ...options, projection })
  }
}

/** There is no projection of this name. Nothing was done. */
export class ProjectionNotDefinedError extends VarveError {
  declare readonly name: 'ProjectionNotDefinedError'
  declare readonly projection: string

  constructor(projection: string) {
    super('PROJECTION_NOT_DEFINED', `projection "${projection}" is not defined; nothing was done; define it first`, {
      projection,
    })
  }
}

/** Entries that a projection is to be made of are not in the log: history has let go of them, or they are damaged. */
export class ProjectionGapError extends VarveError {
  declare readonly name: 'ProjectionGapError'
  declare readonly projection: string
  /** The first and the last seq that are missing. */
  declare readonly first: number
  declare readonly last: number

  /** @param next what is left behind, and what to do. */
  constructor(
    projection: string,
    first: number,
    last: number,
    next = 'it stands as it was; keep more history, or define it with history: "kept" to make it of the entries that are there',
  ) {
    const what = first === last ? `entry ${first} is` : `entries ${first} to ${last} are`
    const message = `projection "${projection}": ${what} not in the log any more, or damaged; ${next}`
    super('PROJECTION_GAP', message, { projection, first, last })
  }
}

/**
 * A projection could not take in an event: `apply` has failed, or its data could not be brought to the version of now. Nothing of it was written.
 * What comes after it waits, unless it was left out.
 */
export class ProjectionFailedError extends VarveError {
  declare readonly name: 'ProjectionFailedError'
  declare readonly projection: string
  /** Seq of the entry that it has failed at. */
  declare readonly seq: number
  /** Type of the event. */
  declare readonly type: string
  /** Whether it was left out, as the policy says. */
  declare readonly isSkipped: boolean

  constructor(projection: string, seq: number, type: string, cause: Error, isSkipped: boolean) {
    const where = `projection "${projection}": event "${type}" of entry ${seq}`
    // What the cause says about what is left behind is said here, of the whole event.
    const what = reasonOf(type, cause).replace(/; nothing was (done|written)(?=;|$)/, '')
    const state = `nothing of it was written, and ${isSkipped ? 'it was left out' : 'later events wait'}`
    const message = `${where}: ${what}; ${state}; ${nextStep(projection, cause, isSkipped)}`
    super('PROJECTION_FAILED', message, { cause, projection, seq, type, isSkipped })
  }
}

/** Whether an event that has failed so may be left out. One that newer code has written is not at fault. */
export function maySkip(cause: unknown): boolean {
  return !(cause instanceof EventDefinitionError)
}

function nextStep(projection: string, cause: Error, isSkipped: boolean): string {
  const name = JSON.stringify(projection)
  if (isSkipped) return `store.rebuild(${name}) takes it in, when that is repaired`
  const resume = `then store.resumeProjection(${name})`
  if (cause instanceof EventDefinitionError) return 'run the code that has written it, or newer code'
  if (cause instanceof EventNotDefinedError) return `define the event, ${resume}`
  if (cause instanceof UpcastError) return `repair upcast, ${resume}`
  return `repair apply, ${resume}; or leave out what fails with policy: { onFailure: "skip" }`
}

/** The bucket is kept by a projection, and nobody else writes to it. Nothing was written. */
export class BucketOwnedError extends VarveError {
  declare readonly name: 'BucketOwnedError'
  declare readonly bucket: string
  declare readonly projection: string

  /** @param isDefined whether the projection is, in this run of the store. */
  constructor(bucket: string, projection: string, isDefined = true) {
    const free = `free the bucket with store.dropProjection(${JSON.stringify(projection)})`
    const remedy = isDefined
      ? `dispatch an event that the projection is made of, or ${free}`
      : `that is not defined in this run: define it and dispatch an event that it is made of, or ${free}`
    const message = `Bucket "${bucket}" is written by projection "${projection}" only; nothing was written; ${remedy}`
    super('BUCKET_OWNED', message, { bucket, projection })
  }
}
