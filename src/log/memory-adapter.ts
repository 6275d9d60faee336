import type { Entry } from './entry.js'
import { StorageLockedError } from './errors.js'
import { MemoryLog } from './memory-log.js'
import { RowMirror } from './rows.js'
import type {
  Appended,
  Batch,
  HistoryBudget,
  Missed,
  OpenContext,
  ReadLogOptions,
  Row,
  StorageAdapter,
  StorageReport,
} from './storage.js'

const ROWS_PER_CHUNK = 1_000

/**
 * Keeps log and rows in memory. They outlive the store: an adapter that is handed to a second store after the first has
 * stopped brings the data along, which is what tests want. The log keeps about 10,000 changes.
 */
export class MemoryAdapter implements StorageAdapter {
  readonly immediate = true
  readonly #rows = new RowMirror()
  readonly #log = new MemoryLog()
  #logId: string | undefined
  #owner: OpenContext | undefined

  open(context: OpenContext): Promise<StorageReport> {
    if (this.#owner !== undefined) {
      const message = `memory adapter: store ${JSON.stringify(this.#owner.store)} has it open; nothing was changed; `
      return Promise.reject(new StorageLockedError(`${message}give each store an adapter of its own`))
    }
    this.#owner = context
    const created = this.#logId === undefined
    this.#logId ??= context.uuid()
    return Promise.resolve({
      adapter: 'memory',
      created,
      logId: this.#logId,
      head: this.#log.head,
      first: this.#log.first,
      headAt: this.#log.headAt,
      buckets: this.#rows.metas(),
      truncatedBytes: 0,
      quarantined: [],
      durability: 'memory',
    })
  }

  async *loadBucket(bucket: string): AsyncIterable<readonly Row[]> {
    const rows = this.#rows.rows(bucket)
    for (let at = 0; at < rows.length; at += ROWS_PER_CHUNK) yield rows.slice(at, at + ROWS_PER_CHUNK)
  }

  append(expectedHead: number, batch: Batch): Appended | Missed {
    if (expectedHead !== this.#log.head) return { appended: false, missed: this.#log.read(expectedHead) }
    this.#log.check(batch.entries)
    this.#rows.apply(batch.ops)
    this.#log.append(batch.entries)
    for (const op of batch.ops) {
      if (op.op === 'clear' || op.op === 'drop') this.#log.redact(op.bucket, op.seq)
    }
    return { appended: true, head: this.#log.head }
  }

  async *readLog(after: number, options?: ReadLogOptions): AsyncIterable<Entry> {
    yield* this.#log.read(after, options)
  }

  flush(): Promise<void> {
    return Promise.resolve()
  }

  trim(budget: HistoryBudget): Promise<number> {
    return Promise.resolve(this.#log.trim(budget, this.#owner?.now() ?? 0))
  }

  close(): Promise<void> {
    this.#owner = undefined
    return Promise.resolve()
  }
}
