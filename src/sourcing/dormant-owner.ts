import type { BucketOwner } from '../commit/bucket.js'
import { BucketOwnedError } from './projection-errors.js'

/** A projection of an earlier run that nobody has defined yet. Its buckets stay its own: what others wrote would stay in them for good (EV5). */
export class DormantOwner implements BucketOwner {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }

  /** See `BucketOwner`. */
  refuse(bucket: string): never {
    throw new BucketOwnedError(bucket, this.name, false)
  }
}
