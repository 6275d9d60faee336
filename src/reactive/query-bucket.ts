import type { Bucket } from '../commit/bucket.js'
import { AsyncReads } from '../query/async-reads.js'
import { Reads } from '../query/reads.js'
import type { ReadSet } from '../query/read-set.js'
import type { RecordOf } from '../schema/infer.js'

/** A bucket inside a query function: every read, and nothing else. What it reads, the query depends on. */
export class QueryBucket<D = unknown> extends AsyncReads<RecordOf<D>> {
  readonly #bucket: Bucket
  readonly #reads: Reads<RecordOf<D>>

  constructor(bucket: Bucket, readSet: ReadSet) {
    super()
    this.#bucket = bucket
    this.#reads = new Reads<RecordOf<D>>(bucket.source, readSet)
  }

  /** Name of the bucket. */
  get name(): string {
    return this.#bucket.name
  }

  protected override read<T>(read: (reads: Reads<RecordOf<D>>) => T): Promise<T> {
    return this.#bucket.process.call(() => read(this.#reads))
  }
}
