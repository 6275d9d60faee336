import { InvalidArgumentError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import { BucketBackend, STREAM_BUCKET, type StreamHost } from './bucket-backend.js'
import { checkRuntime, RecordStreams } from './record-streams.js'
import type { StreamStore } from './stream-store.js'

/** Where in a store of Varve streams are kept. */
export interface BucketStreamOptions {
  /** Name of the bucket, which is defined where there is none. Default `streams`. */
  readonly bucket?: string
  /** Clock and timers. Default: the host's. */
  readonly runtime?: Runtime
}

const METHODS = ['transaction', 'read', 'hasBucket', 'defineBucket', 'flush']

/**
 * A store of record streams in a bucket of a Varve store: they are in its log, its history and its backups, and survive what its
 * persistence survives. A write is one transaction of the store. Bytes are kept as base64, and all of it in memory, as buckets are.
 *
 * @param store has to run as long as the streams are used; `close` does not stop it.
 * @throws {InvalidArgumentError} What `defineBucket` throws.
 */
export async function createBucketStreamStore(
  store: StreamHost,
  options: BucketStreamOptions = {},
): Promise<StreamStore> {
  const where = 'createBucketStreamStore'
  for (const method of METHODS) {
    if (typeof (store as unknown as { [method: string]: unknown } | undefined)?.[method] === 'function') continue
    throw new InvalidArgumentError(`${where}(store)`, 'a store of Varve', store)
  }
  const { bucket = 'streams' } = options
  if (typeof bucket !== 'string' || bucket === '') {
    throw new InvalidArgumentError(`${where}(options.bucket)`, 'the name of a bucket', bucket)
  }
  const runtime = checkRuntime(where, options.runtime)
  if (!store.hasBucket(bucket)) await store.defineBucket(bucket, STREAM_BUCKET as never)
  return new RecordStreams(new BucketBackend(store, bucket), runtime)
}
