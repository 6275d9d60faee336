import { asError, InvalidArgumentError } from '../base/errors.js'
import type { Timer } from '../base/runtime.js'
import type { Entry } from './entry.js'
import { StorageError, StorageLockedError, StorageUnreadableError } from './errors.js'
import { MemoryLog } from './memory-log.js'
import { RowMirror } from './rows.js'
import {
  type BucketSnapshot,
  decodeSnapshot,
  encodeSnapshot,
  type LoadedSnapshot,
  snapshotKey,
} from './snapshot-format.js'
import { hasMethods } from './storage.js'
import type {
  Appended,
  Batch,
  BucketMeta,
  HistoryBudget,
  Missed,
  OpenContext,
  ReadLogOptions,
  Row,
  RowOp,
  StorageAdapter,
  StorageReport,
} from './storage.js'

/**
 * Any place that keeps values by key: S3, Redis, localStorage, or a storage adapter of noex. Calls may overlap, but
 * never for one key.
 */
export interface SnapshotAdapter {
  /** Keeps `state` under `key`, in place of what was there. `state` is plain data and may be kept or changed. */
  save(key: string, state: BucketSnapshot): Promise<unknown>
  /** What was saved last, or `undefined` or `null` when there is nothing. */
  load(key: string): Promise<unknown>
  delete(key: string): Promise<unknown>
  exists(key: string): Promise<boolean>
  /** All keys, or those that begin with `prefix`. */
  listKeys(prefix?: string): Promise<readonly string[]>
  close?(): Promise<unknown>
}

/** Options of `SnapshotStorage`. */
export interface SnapshotStorageOptions {
  /** How long changes are collected before they are saved: milliseconds from the first one. Default 100. */
  readonly debounceMs?: number
}

const METHODS = ['save', 'load', 'delete', 'exists', 'listKeys']

/** True for what can be used as a `SnapshotAdapter`. */
export function isSnapshotAdapter(value: unknown): value is SnapshotAdapter {
  return hasMethods(value, METHODS)
}

/** What is to be done, and is being done, about one bucket. */
interface Saving {
  /** True when its stored state is known: saving it cannot overwrite anything that was never read. */
  loaded: boolean
  /** True when memory has changed since the last save began. */
  dirty: boolean
  /** The save that is under way; it never rejects. */
  running: Promise<Error | undefined> | undefined
}

const DEBOUNCE_MS = 100
const RETRY_MS_MAX = 30_000
const ROWS_PER_CHUNK = 1_000

/** Which stores have an adapter open: it is closed with the last of them. */
const usersOf = new WeakMap<SnapshotAdapter, Set<string>>()

/**
 * Keeps rows and log in memory, and saves each bucket that has changed as a whole, throttled, to a key-value place.
 * A crash loses what was written since the last save, so its durability is `'memory'`; `flush` and `close` save
 * everything. The log is not kept.
 */
export class SnapshotStorage implements StorageAdapter {
  readonly immediate = true
  readonly #adapter: SnapshotAdapter
  readonly #debounceMs: number
  readonly #saving = new Map<string, Saving>()
  #rows = new RowMirror()
  #log = new MemoryLog()
  #context: OpenContext | undefined
  #timer: Timer | undefined
  #failures = 0

  /** Nothing is opened yet. @throws {InvalidArgumentError} */
  constructor(adapter: SnapshotAdapter, options: SnapshotStorageOptions = {}) {
    if (!isSnapshotAdapter(adapter)) {
      const expected = `an object with ${METHODS.join(', ')}`
      throw new InvalidArgumentError('new SnapshotStorage(adapter)', expected, adapter)
    }
    if (typeof options !== 'object' || options === null) {
      throw new InvalidArgumentError('new SnapshotStorage(adapter, options)', 'an object { debounceMs }', options)
    }
    const { debounceMs = DEBOUNCE_MS } = options
    if (!(typeof debounceMs === 'number' && debounceMs >= 0)) {
      const argument = 'new SnapshotStorage(adapter, { debounceMs })'
      throw new InvalidArgumentError(argument, 'a number of milliseconds from 0', debounceMs)
    }
    this.#adapter = adapter
    this.#debounceMs = debounceMs
  }

  async open(context: OpenContext): Promise<StorageReport> {
    const users = usersOf.get(this.#adapter) ?? new Set()
    if (this.#context !== undefined || users.has(context.store)) {
      const holder = JSON.stringify(this.#context?.store ?? context.store)
      const message = `snapshot storage: store ${holder} has it open; nothing was changed; stop that store, or give `
      throw new StorageLockedError(`${message}each a SnapshotStorage and a name of its own`)
    }
    usersOf.set(this.#adapter, users.add(context.store))
    this.#context = context
    try {
      this.#rows = new RowMirror()
      this.#log = new MemoryLog()
      this.#saving.clear()
      await this.#loadListed(context)
    } catch (error) {
      await this.#release(context)
      throw error
    }
    const buckets = this.#rows.metas()
    return {
      adapter: 'snapshot',
      created: buckets.length === 0,
      logId: context.uuid(),
      head: 0,
      first: 1,
      headAt: 0,
      buckets,
      truncatedBytes: 0,
      quarantined: [],
      durability: 'memory',
    }
  }

  async *loadBucket(bucket: string): AsyncIterable<readonly Row[]> {
    await this.#loadOnce(this.#must('load'), bucket)
    const rows = this.#rows.rows(bucket)
    for (let at = 0; at < rows.length; at += ROWS_PER_CHUNK) yield rows.slice(at, at + ROWS_PER_CHUNK)
  }

  /** Highest autoincrement number of a bucket, known from its snapshot once it is loaded. */
  counterOf(bucket: string): number {
    return this.#meta(bucket)?.counter ?? 0
  }

  append(expectedHead: number, batch: Batch): Appended | Missed {
    const context = this.#must('append')
    if (expectedHead !== this.#log.head) return { appended: false, missed: this.#log.read(expectedHead) }
    this.#log.check(batch.entries)
    const defines = batch.ops.some((op) => op.op === 'define')
    const known = new Set(defines ? this.#rows.metas().map((meta) => meta.bucket) : [])
    this.#rows.apply(batch.ops)
    this.#log.append(batch.entries)
    for (const op of batch.ops) {
      if (op.op === 'clear' || op.op === 'drop') this.#log.redact(op.bucket, op.seq)
      // A definition alone is not in the snapshot; a bucket that was not there is.
      if (this.#mark(op, op.op === 'define' && known.has(op.meta.bucket))) {
        this.#timer ??= context.setTimer(this.#debounceMs, () => this.#onTimer(context), true)
      }
    }
    return { appended: true, head: this.#log.head }
  }

  async *readLog(after: number, options?: ReadLogOptions): AsyncIterable<Entry> {
    yield* this.#log.read(after, options)
  }

  /**
   * Saves every bucket that has changed.
   *
   * @throws {StorageError} some could not be saved; they stay in memory and are tried again.
   */
  async flush(): Promise<void> {
    const context = this.#must('flush')
    const [first, ...more] = await this.#saveAll(context)
    if (first === undefined) return
    this.#retryLater(context)
    const others = more.length === 0 ? '' : ` (and ${more.length} more)`
    throw new StorageError(`${first.message}${others}`, { cause: first.cause })
  }

  trim(budget: HistoryBudget): Promise<number> {
    return Promise.resolve(this.#log.trim(budget, this.#must('trim').now()))
  }

  async close(): Promise<void> {
    const context = this.#context
    if (context === undefined) return
    try {
      await this.flush()
    } finally {
      await this.#release(context)
    }
  }

  async #release(context: OpenContext): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#context = undefined
    const users = usersOf.get(this.#adapter)
    users?.delete(context.store)
    if (users?.size === 0) await this.#adapter.close?.()
  }

  #must(doing: string): OpenContext {
    if (this.#context !== undefined) return this.#context
    const message = `snapshot storage: ${doing}: it is not open; nothing was done; open it first`
    throw new StorageError(message, { code: 'STORAGE_CLOSED' })
  }

  #meta(bucket: string): BucketMeta | undefined {
    return this.#rows.metas().find((meta) => meta.bucket === bucket)
  }

  /** Loads every bucket that the adapter lists. One that cannot be read makes the whole storage unreadable. */
  async #loadListed(context: OpenContext): Promise<void> {
    const prefix = snapshotKey(context.store, '')
    let keys: readonly string[]
    try {
      keys = await this.#adapter.listKeys(prefix)
    } catch (error) {
      const message = `snapshot storage: the keys cannot be listed: ${asError(error).message}; nothing was changed; open it again`
      throw new StorageUnreadableError(message, { cause: error })
    }
    for (const key of keys) {
      // Some adapters do not know prefixes.
      if (key.startsWith(prefix)) await this.#loadOnce(context, key.slice(prefix.length))
    }
  }

  /**
   * Reads what is stored of a bucket unless that was done. Some adapters list other keys than they were given, so a
   * bucket that was not listed may be there all the same.
   */
  async #loadOnce(context: OpenContext, bucket: string): Promise<void> {
    const known = this.#saving.get(bucket)
    if (known?.loaded === true) return
    const found = await this.#read(context, bucket)
    // Somebody else may have loaded it meanwhile.
    const saving = this.#saving.get(bucket) ?? { loaded: false, dirty: false, running: undefined }
    if (saving.loaded) return
    if (found !== undefined) this.#fill(context, bucket, found)
    saving.loaded = true
    // A bucket that is neither stored nor defined is not remembered.
    if (found !== undefined || this.#meta(bucket) !== undefined) this.#saving.set(bucket, saving)
  }

  async #read(context: OpenContext, bucket: string): Promise<LoadedSnapshot | undefined> {
    try {
      const snapshot = await this.#adapter.load(snapshotKey(context.store, bucket))
      return snapshot === undefined || snapshot === null ? undefined : decodeSnapshot(snapshot)
    } catch (error) {
      throw unreadable(bucket, asError(error).message, error)
    }
  }

  #fill(context: OpenContext, bucket: string, found: LoadedSnapshot): void {
    const meta = this.#meta(bucket)
    if (meta !== undefined && this.#rows.rows(bucket).length > 0) {
      const error = unreadable(bucket, 'it was written to before what is stored of it was loaded')
      context.onError(error)
      throw error
    }
    const counter = Math.max(found.counter, meta?.counter ?? 0)
    const defined = meta ?? { bucket, key: found.key, counter, fields: [] }
    const puts = found.rows.map(({ ordinal, record }) => ({ op: 'put', bucket, ordinal, record }) as const)
    this.#rows.apply([{ op: 'define', meta: { ...defined, counter } }, ...puts])
  }

  /** Remembers that the bucket of `op` has to be saved, unless the step changes nothing that is. */
  #mark(op: RowOp, isUnchanged: boolean): boolean {
    const bucket = op.op === 'define' ? op.meta.bucket : op.bucket
    let saving = this.#saving.get(bucket)
    if (saving === undefined) {
      saving = { loaded: false, dirty: false, running: undefined }
      this.#saving.set(bucket, saving)
    }
    // What was emptied or dropped on purpose may be overwritten.
    if (op.op === 'clear' || op.op === 'drop') saving.loaded = true
    if (!isUnchanged) saving.dirty = true
    return !isUnchanged
  }

  #onTimer(context: OpenContext): void {
    this.#timer = undefined
    void this.#saveAll(context).then((errors) => {
      for (const error of errors) context.onError(error)
      if (errors.length > 0) this.#retryLater(context)
    })
  }

  #retryLater(context: OpenContext): void {
    if (this.#context !== context) return
    const ms = Math.min(Math.max(this.#debounceMs, 10) * 2 ** Math.min(this.#failures++, 20), RETRY_MS_MAX)
    this.#timer ??= context.setTimer(ms, () => this.#onTimer(context), true)
  }

  /** Saves what is dirty, waiting for saves that are under way. Never rejects. @returns what failed. */
  async #saveAll(context: OpenContext): Promise<StorageError[]> {
    this.#timer?.cancel()
    this.#timer = undefined
    const errors: StorageError[] = []
    const saves = Array.from(this.#saving, async ([bucket, saving]) => {
      const error = await this.#settle(context, bucket, saving)
      if (error !== undefined) errors.push(saveError(bucket, error))
    })
    await Promise.all(saves)
    if (errors.length === 0) this.#failures = 0
    return errors
  }

  /** Waits until all that is in memory now is saved, or could not be. */
  async #settle(context: OpenContext, bucket: string, saving: Saving): Promise<Error | undefined> {
    // A save that is under way may have begun before the last change.
    await saving.running
    if (saving.running !== undefined) return await saving.running
    if (!saving.dirty) return undefined
    const save = this.#saveOne(context, bucket, saving)
    saving.running = save
    const error = await save
    saving.running = undefined
    if (!saving.dirty && this.#meta(bucket) === undefined) this.#saving.delete(bucket)
    return error
  }

  async #saveOne(context: OpenContext, bucket: string, saving: Saving): Promise<Error | undefined> {
    try {
      if (!saving.loaded) await this.#loadOnce(context, bucket)
      saving.dirty = false
      const key = snapshotKey(context.store, bucket)
      const meta = this.#meta(bucket)
      if (meta === undefined) await this.#adapter.delete(key)
      else {
        const rows = this.#rows.rows(bucket)
        await this.#adapter.save(key, encodeSnapshot(context.store, meta.key, rows, meta.counter, context.now()))
      }
      return undefined
    } catch (error) {
      saving.dirty = true
      return asError(error)
    }
  }
}

function saveError(bucket: string, cause: Error): StorageError {
  const message = `snapshot storage: bucket ${JSON.stringify(bucket)} cannot be saved: ${cause.message}`
  return new StorageError(`${message}; its changes are in memory only; it is tried again`, { cause })
}

function unreadable(bucket: string, why: string, cause?: unknown): StorageUnreadableError {
  const message = `snapshot storage: bucket ${JSON.stringify(bucket)} cannot be read: ${why}; what is stored was left as it is`
  return new StorageUnreadableError(`${message}; open it again, or repair it`, { cause })
}
