import type { Bucket } from '../commit/bucket.js'
import { AsyncReads } from '../query/async-reads.js'
import { Reads } from '../query/reads.js'
import type { Question } from '../query/query-spec.js'
import type { ReadRecorder } from '../query/read-set.js'
import type { AnyDefinition, KeyOf, RecordOf } from '../schema/infer.js'
import type { AnyLinks } from '../schema/links.js'

/** A bucket inside a query function: every read, and nothing else. What it reads, the query depends on. */
export class QueryBucket<D = AnyDefinition, L = AnyLinks> extends AsyncReads<RecordOf<D>, KeyOf<D>, L> {
  readonly #bucket: Bucket
  readonly #reads: Reads<RecordOf<D>, KeyOf<D>>
  readonly #onRead: ((result: unknown) => void) | undefined

  /**
   * @param answerFrom answers questions, and records what that reads, in place of the bucket and `recorder`.
   * @param onRead gets each result, for traces.
   */
  constructor(
    bucket: Bucket,
    recorder: ReadRecorder,
    answerFrom?: (question: Question) => unknown,
    onRead?: (result: unknown) => void,
  ) {
    super(bucket)
    this.#bucket = bucket
    this.#onRead = onRead
    this.#reads = readsOf(bucket, recorder, answerFrom)
  }

  protected override read<T>(read: (reads: Reads<RecordOf<D>, KeyOf<D>>) => T): Promise<T> {
    const onRead = this.#onRead
    if (onRead === undefined) return this.#bucket.process.call(() => read(this.#reads))
    return this.#bucket.process.call(() => {
      const result = read(this.#reads)
      onRead(result)
      return result
    })
  }
}

function readsOf<R, K>(
  bucket: Bucket,
  recorder: ReadRecorder,
  answerFrom: ((question: Question) => unknown) | undefined,
): Reads<R, K> {
  return new Reads<R, K>(bucket.source, recorder, answerFrom, (other) => {
    // Before the bucket is looked up: a query that misses a bucket runs again when it is defined.
    recorder.readNothing(other)
    const peer = bucket.peer(other)
    return { source: peer.source, reads: () => readsOf(peer.ready(), recorder, answerFrom) }
  })
}
