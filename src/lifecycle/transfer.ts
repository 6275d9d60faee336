import { asError, InvalidArgumentError, VarveError } from '../base/errors.js'
import { stringify } from '../base/json.js'
import type { StoredRecord } from '../base/value.js'
import type { Bucket } from '../commit/bucket.js'
import { CommitDraft } from '../commit/draft.js'
import type { Sequencer } from '../commit/sequencer.js'
import { capture } from './capture.js'
import type { Captured } from './capture.js'
import { lines } from './lines.js'

/** What `import` takes besides the lines. */
export interface ImportOptions {
  /** Records per commit; each batch is imported as a whole or not at all. Default 1,000. */
  readonly batchSize?: number
  /** Called after each batch with the records imported so far. What it throws ends the import. */
  readonly onProgress?: (records: number) => void
}

/** What an import has done. */
export interface ImportReport {
  readonly records: number
  /** Names of the buckets, in the order in which they came. */
  readonly buckets: readonly string[]
}

/** What was given to `import` is not, or not completely, what `export` wrote, or cannot be written here. */
export class ImportError extends VarveError {
  override readonly name = 'ImportError'
  /** Line number, from 1. */
  readonly line: number
  /** How many were imported before that, and stay. */
  readonly records: number

  constructor(line: number, reason: string, records: number, options?: ErrorOptions) {
    const state = `${records} records of earlier batches were imported, nothing of this one`
    super('IMPORT', `import, line ${line}: ${reason}; ${state}`, options)
    this.line = line
    this.records = records
  }
}

interface BucketLine {
  readonly bucket: string
  readonly key?: unknown
  readonly counter: number
}

/**
 * All buckets as JSON Lines, each with its line end, from one consistent state: a header, then for each bucket a line
 * that names it followed by its records in insertion order, then a line that says how many there were.
 *
 * @param now tells the state of the store.
 * @throws {BucketCrashedError} a bucket has failed for good.
 */
export async function* exportLines(store: string, now: () => Captured): AsyncGenerator<string> {
  const { snapshot, position, at } = await capture(now, (buckets, seq, wallClock) => ({
    position: seq,
    at: wallClock,
    snapshot: buckets.map((bucket) => ({
      bucket,
      counter: bucket.table.counter,
      records: bucket.reads.all() as StoredRecord[],
    })),
  }))
  yield `${JSON.stringify({ varve: 'export', version: 1, store, position, at })}\n`
  let count = 0
  for (const { bucket, counter, records } of snapshot) {
    yield `${JSON.stringify({ bucket: bucket.name, key: bucket.schema.key, counter, records: records.length })}\n`
    for (const record of records) yield `{"record":${stringify(record)}}\n`
    count += records.length
  }
  yield `${JSON.stringify({ end: true, records: count })}\n`
}

/** One import, from its first line to its last. */
export class Importer {
  readonly #bucketOf: (name: string) => Bucket
  readonly #sequencer: Sequencer
  readonly #onProgress: ((records: number) => void) | undefined
  readonly #batchSize: number
  readonly #names: string[] = []
  #bucket: Bucket | undefined
  #counter = 0
  #batch: StoredRecord[] = []
  #records = 0
  #line = 0
  #hasHeader = false
  #isComplete = false

  /** @throws {InvalidArgumentError} */
  constructor(bucketOf: (name: string) => Bucket, sequencer: Sequencer, options: ImportOptions = {}) {
    if (typeof options !== 'object' || options === null) {
      throw new InvalidArgumentError('import(lines, options)', 'an object { batchSize, onProgress }', options)
    }
    const { batchSize = 1_000, onProgress } = options
    if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
      throw new InvalidArgumentError('import(lines, { batchSize })', 'a whole number from 1', batchSize)
    }
    if (onProgress !== undefined && typeof onProgress !== 'function') {
      throw new InvalidArgumentError('import(lines, { onProgress })', 'a function', onProgress)
    }
    this.#bucketOf = bucketOf
    this.#sequencer = sequencer
    this.#onProgress = onProgress
    this.#batchSize = batchSize
  }

  /** @throws {ImportError} with the number of the line that is wrong. */
  async run(source: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>): Promise<ImportReport> {
    const unreadable = (reason: string, cause: unknown): ImportError => {
      this.#line++
      return this.#error(reason, cause)
    }
    for await (const text of lines(source, unreadable)) {
      this.#line++
      if (text === '') continue
      try {
        await this.#take(text)
      } catch (error) {
        if (error instanceof ImportError) throw error
        throw this.#error(asError(error).message, error)
      }
    }
    if (!this.#isComplete) throw this.#error('the end is missing: the export was cut off')
    return { records: this.#records, buckets: this.#names }
  }

  #error(reason: string, cause?: unknown): ImportError {
    return new ImportError(this.#line, reason, this.#records, cause === undefined ? undefined : { cause })
  }

  async #take(text: string): Promise<void> {
    const line: unknown = JSON.parse(text)
    if (typeof line !== 'object' || line === null) throw this.#error('expected an object')
    if (this.#isComplete) throw this.#error('there is something after the end')
    if (!this.#hasHeader) this.#takeHeader(line)
    else if ('record' in line) await this.#takeRecord(line.record)
    else if ('bucket' in line) await this.#takeBucket(line as BucketLine)
    else if ('end' in line) await this.#takeEnd(line as { records?: unknown })
    else throw this.#error('expected a bucket, a record or the end')
  }

  #takeHeader(line: { varve?: unknown; version?: unknown }): void {
    if (line.varve !== 'export') throw this.#error('this is not what export writes')
    this.#hasHeader = true
    if (line.version !== 1)
      throw this.#error(`written by a newer version (format ${String(line.version)}); update varve`)
  }

  async #takeBucket(line: BucketLine): Promise<void> {
    await this.#flush()
    const bucket = this.#bucketOf(line.bucket)
    const { key } = bucket.schema
    if (line.key !== undefined && line.key !== key) {
      throw this.#error(`bucket "${line.bucket}" was exported with key "${String(line.key)}", here its key is "${key}"`)
    }
    this.#bucket = bucket
    this.#counter = Number.isSafeInteger(line.counter) ? line.counter : 0
    this.#names.push(line.bucket)
    await this.#bucket.whenReady()
  }

  async #takeRecord(record: unknown): Promise<void> {
    const bucket = this.#bucket
    if (bucket === undefined) throw this.#error('a record before any bucket')
    this.#batch.push(await bucket.process.call(() => bucket.schema.prepareImport(record)))
    if (this.#batch.length >= this.#batchSize) await this.#flush()
  }

  async #takeEnd(line: { records?: unknown }): Promise<void> {
    await this.#flush()
    if (line.records !== this.#records)
      throw this.#error(`${String(line.records)} records were exported, ${this.#records} were here`)
    this.#isComplete = true
  }

  async #flush(): Promise<void> {
    const [bucket, batch] = [this.#bucket, this.#batch]
    if (bucket === undefined) return
    this.#batch = []
    const counter = this.#counter
    await bucket.process.call(() => {
      this.#sequencer.mustTakeWrites()
      const draft = new CommitDraft('store/import')
      draft.make(() => {
        for (const record of batch) draft.insert(bucket, record)
        draft.raiseCounter(bucket, counter)
      })
      return draft.isEmpty ? undefined : this.#sequencer.submit(draft)
    })
    this.#records += batch.length
    if (batch.length > 0) this.#onProgress?.(this.#records)
  }
}
