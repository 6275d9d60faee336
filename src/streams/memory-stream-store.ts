import { InvalidArgumentError } from '../base/errors.js'
import { MemoryStreams } from './memory-backend.js'
import { checkRuntime, RecordStreams, type StreamStoreOptions } from './record-streams.js'
import type { StreamStore } from './stream-store.js'

/** Options of a store in memory. */
export interface MemoryStreamOptions extends StreamStoreOptions {
  /** Where the streams are, for several stores on the same ones. Default: a place of its own. */
  readonly streams?: MemoryStreams
}

/** A store of record streams in memory. They live as long as `streams` does. */
export function createMemoryStreamStore(options: MemoryStreamOptions = {}): StreamStore {
  const { streams = new MemoryStreams(), runtime } = options
  if (!(streams instanceof MemoryStreams)) {
    throw new InvalidArgumentError('createMemoryStreamStore(options.streams)', 'a MemoryStreams', streams)
  }
  return new RecordStreams(streams.backend(), checkRuntime('createMemoryStreamStore', runtime))
}
