import { VarveError } from '../base/errors.js'
import { reasonOf } from './errors.js'

/** A definition of a projection is wrong, or it cannot be used as it is. It was not taken. */
export class ProjectionDefinitionError extends VarveError {
  declare readonly name: 'ProjectionDefinitionError'
  declare readonly projection: string

  constructor(projection: string, problem: string) {
    super('PROJECTION_DEFINITION', `projection "${projection}": ${problem}; it was not taken`, { projection })
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

/** `apply` of a projection has failed: nothing of the event was written. What comes after it waits, unless the policy is to skip. */
export class ProjectionFailedError extends VarveError {
  declare readonly name: 'ProjectionFailedError'
  declare readonly projection: string
  /** Seq of the entry that it has failed at. */
  declare readonly seq: number
  /** Type of the event. */
  declare readonly type: string

  constructor(projection: string, seq: number, type: string, cause: Error) {
    const where = `projection "${projection}": event "${type}" of entry ${seq}`
    const state = 'nothing of it was written; repair apply, or leave out what fails with policy: { onFailure: "skip" }'
    super('PROJECTION_FAILED', `${where}: ${reasonOf(type, cause)}; ${state}`, { cause, projection, seq, type })
  }
}

/** The bucket is kept by a projection, and nobody else writes to it. Nothing was written. */
export class BucketOwnedError extends VarveError {
  declare readonly name: 'BucketOwnedError'
  declare readonly bucket: string
  declare readonly projection: string

  constructor(bucket: string, projection: string) {
    const remedy = 'nothing was written; dispatch an event that the projection is made of, or write to another bucket'
    const message = `Bucket "${bucket}" is written by projection "${projection}" only; ${remedy}`
    super('BUCKET_OWNED', message, { bucket, projection })
  }
}
