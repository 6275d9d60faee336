import { InvalidArgumentError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import { stableText } from '../base/stable-text.js'
import { BucketBackend, STREAM_BUCKET, type StreamHost } from './bucket-backend.js'
import { StreamFormatError } from './errors.js'
import { checkRuntime, RecordStreams } from './record-streams.js'
import type { StreamStore } from './stream-store.js'

/** Where in a store of Varve streams are kept. */
export interface BucketStreamOptions {
  /** Name of the bucket, which is defined where there is none. Default `streams`. */
  readonly bucket?: string
  /** Clock and timers. Default: the host's. */
  readonly runtime?: Runtime
}

const METHODS = ['transaction', 'read', 'hasBucket', 'describeBucket', 'defineBucket', 'flush']

/**
 * A store of record streams in a bucket of a Varve store: they are in its log, its history and its backups, and survive what its
 * persistence survives. A write is one transaction of the store. Bytes are kept as base64, and all of it in memory, as buckets are.
 * A field of a bucket holds 16,777,216 characters at most: 12 MB of bytes, and of text what it has as JSON.
 *
 * @param store has to run as long as the streams are used; `close` does not stop it.
 * @throws {StreamFormatError} there is a bucket of that name that is something else, or that lets go of records. It was left as it is.
 * {InvalidArgumentError} What `defineBucket` throws.
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
  if (store.hasBucket(bucket)) checkBucket(bucket, store.describeBucket(bucket).definition)
  else await store.defineBucket(bucket, STREAM_BUCKET as never)
  return new RecordStreams(new BucketBackend(store, bucket), runtime)
}

/** What of a definition does not concern streams. */
const FREE = new Set(['etsType', 'persistent', 'eviction', 'strict'])

/** Whether it is as it would be defined here: another one may change, refuse or let go of what is in it. */
function checkBucket(name: string, definition: object): void {
  const relevant = Object.entries(definition).filter(([option, value]) => !FREE.has(option) && value !== undefined)
  const [found, wanted] = [stableText(Object.fromEntries(relevant)), stableText(STREAM_BUCKET)]
  if (found === wanted) return
  const message =
    `bucket store: incompatible format (foreign-tables) — bucket ${JSON.stringify(name)} is defined as ${found ?? 'something else'}, this build ` +
    `defines ${wanted}. No migration is performed; it was left as it is; name another bucket`
  throw new StreamFormatError('STREAM_FORMAT', message, { reason: 'foreign-tables', stored: found, current: wanted })
}
