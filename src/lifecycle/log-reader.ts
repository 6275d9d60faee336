import { InvalidArgumentError } from '../base/errors.js'
import type { Entry } from '../log/entry.js'
import type { ReadLogOptions, StorageAdapter } from '../log/storage.js'

/** Where to begin, how much, and of what. */
export interface LogReadOptions extends ReadLogOptions {
  /** Entries after this seq. Default 0: from the oldest that is kept. */
  readonly after?: number
}

/** Entries of the log: await it for an array, or iterate over it with `for await`. */
export interface LogEntries extends AsyncIterable<Entry>, PromiseLike<Entry[]> {}

/** The store's log, to read. Only durable entries are in it. */
export class LogReader {
  readonly #storage: StorageAdapter

  constructor(storage: StorageAdapter) {
    this.#storage = storage
  }

  /**
   * Entries in seq order. Those that history has let go are left out: compare the `seq` of the first one.
   *
   * @throws {InvalidArgumentError}
   */
  read(options: LogReadOptions = {}): LogEntries {
    if (typeof options !== 'object' || options === null) {
      throw new InvalidArgumentError('log.read(options)', 'an object { after, limit, types }', options)
    }
    const { after = 0, limit, types } = options
    for (const [name, value] of Object.entries({ after, limit })) {
      if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0)) {
        throw new InvalidArgumentError(`log.read({ ${name} })`, 'a whole number from 0', value)
      }
    }
    if (types !== undefined && !Array.isArray(types)) {
      throw new InvalidArgumentError('log.read({ types })', 'an array of entry types', types)
    }
    const entries = (): AsyncIterable<Entry> =>
      this.#storage.readLog(after, {
        ...(limit === undefined ? {} : { limit }),
        ...(types === undefined ? {} : { types }),
      })
    return {
      [Symbol.asyncIterator]: () => entries()[Symbol.asyncIterator](),
      // biome-ignore lint/suspicious/noThenProperty: awaiting it is what it is for
      then: (resolve, reject) => collect(entries()).then(resolve, reject),
    }
  }
}

async function collect(entries: AsyncIterable<Entry>): Promise<Entry[]> {
  const collected: Entry[] = []
  for await (const entry of entries) collected.push(entry)
  return collected
}
