import type { Bucket } from '../commit/bucket.js'
import type { NumberSource } from '../commit/transaction.js'
import type { Entry } from '../log/entry.js'

/**
 * The autoincrement numbers that the records of an event have got. Somebody else may have taken numbers in between, for a transaction that
 * came to nothing or came later: the log says nothing about that, so the event gets again what it got.
 */
export class LoggedNumbers implements NumberSource {
  readonly #entry: Entry
  readonly #left = new Map<Bucket, number[]>()

  constructor(entry: Entry) {
    this.#entry = entry
  }

  next(bucket: Bucket): number | undefined {
    const [field] = bucket.schema.counterFields
    if (field === undefined) return undefined
    let left = this.#left.get(bucket)
    if (left === undefined) {
      left = this.#entry.changes
        .filter((change) => change.bucket === bucket.name && change.before === undefined)
        .map(({ after }) => after?.[field])
        .filter((number) => typeof number === 'number')
      this.#left.set(bucket, left)
    }
    return left[0]
  }

  taken(bucket: Bucket, number: unknown): void {
    const left = this.#left.get(bucket)
    if (left !== undefined && left[0] === number) left.shift()
  }
}
