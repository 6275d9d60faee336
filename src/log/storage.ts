import type { Entry, Key, StoredRecord } from './entry.js'

/** What the caller is told when a write resolves: nothing, that it survives the process, or that it survives a power cut. */
export type Durability = 'memory' | 'process' | 'disk'

/** From the weakest to the strongest. */
export const DURABILITIES: readonly Durability[] = ['memory', 'process', 'disk']

/** True for the name of a level, and for undefined, which leaves the choice to others. */
export function isDurabilityOption(value: unknown): value is Durability | undefined {
  return value === undefined || DURABILITIES.includes(value as Durability)
}

/** A record at its place. Ordinals grow in insertion order within a bucket and are never given twice. */
export interface Row {
  readonly ordinal: number
  readonly record: StoredRecord
}

/** What is kept about a bucket besides its rows. */
export interface BucketMeta {
  readonly bucket: string
  /** Name of the key field; empty where the storage does not know it (snapshots of an empty bucket). */
  readonly key: string
  /** Highest autoincrement number given so far. */
  readonly counter: number
  /** Field names of its schema, for people who read the file with other tools. */
  readonly fields: readonly string[]
}

/**
 * One step of bringing the rows to where the entries of the batch take them. Applied in order.
 * - `put` inserts the row, or replaces the row with that ordinal.
 * - `delete` removes the row with that ordinal; one that is not there is a fault of the caller.
 * - `clear` removes all rows of the bucket, and what log entries before `seq` say about it, from the disk.
 * - `define` creates the bucket, or updates what is kept about it. Rows stay.
 * - `drop` is `clear`, and the bucket itself goes.
 * - `counter` keeps the autoincrement counter.
 */
export type RowOp =
  | { readonly op: 'put'; readonly bucket: string; readonly ordinal: number; readonly record: StoredRecord }
  | { readonly op: 'delete'; readonly bucket: string; readonly ordinal: number }
  | { readonly op: 'clear'; readonly bucket: string; readonly seq: number }
  | { readonly op: 'define'; readonly meta: BucketMeta }
  | { readonly op: 'drop'; readonly bucket: string; readonly seq: number }
  | { readonly op: 'counter'; readonly bucket: string; readonly counter: number }

/** A group of commits, written as one unit. */
export interface Batch {
  /** In seq order, the first being `expectedHead + 1`. May be empty when only rows are touched. */
  readonly entries: readonly Entry[]
  readonly ops: readonly RowOp[]
  /** Resolve only when this survives a power cut (`'disk'`), or a crash of the process (`'process'`). */
  readonly durability: Durability
}

/** `append` succeeded: all of it is written. */
export interface Appended {
  readonly appended: true
  /** Seq of the last entry in the log. */
  readonly head: number
}

/** Somebody else has appended since; nothing was written. */
export interface Missed {
  readonly appended: false
  /** The entries after `expectedHead`, in seq order. */
  readonly missed: readonly Entry[]
}

/** Something that was found damaged, and where the damaged part was put. */
export interface Quarantined {
  /** A row of a bucket, or an entry of the log. */
  readonly what: 'row' | 'entry'
  readonly bucket?: string
  /** Ordinal of the row, or seq of the entry. */
  readonly at: number
  readonly reason: string
}

/** What `open` found and did. */
export interface StorageReport {
  /** Name of the adapter's kind: `memory`, `sqlite`, `file`, `snapshot`. */
  readonly adapter: string
  /** Path of the file or folder, where there is one. */
  readonly file?: string
  /** True where there was nothing before. */
  readonly created: boolean
  /** Unique id of this log, made when it was created. */
  readonly logId: string
  /** Seq of the last entry; 0 for an empty log. */
  readonly head: number
  /** Seq of the oldest entry still kept; `head + 1` when none is. */
  readonly first: number
  /** Wall clock of the last entry; 0 for an empty log. */
  readonly headAt: number
  /** Buckets that exist in the storage, in the order of their creation. */
  readonly buckets: readonly BucketMeta[]
  /** Bytes of an unfinished write that were cut from the end of the file; 0 when it was closed well. */
  readonly truncatedBytes: number
  readonly quarantined: readonly Quarantined[]
  /** The strongest level this storage can give. */
  readonly durability: Durability
}

/** How much of the log is kept; whichever bound is reached first. An absent bound does not bound. */
export interface HistoryBudget {
  /** Milliseconds. */
  readonly ageMs?: number
  readonly bytes?: number
  /** Number of entries. */
  readonly rows?: number
  /** Entries after this seq stay, whatever the other bounds say. Asked only of adapters that have `trimmable`. */
  readonly upTo?: number
}

/** Options of `readLog`. */
export interface ReadLogOptions {
  /** At most this many entries. */
  readonly limit?: number
  /** Only entries of these types. */
  readonly types?: readonly string[]
}

/** What an adapter is given when a store takes it into use. */
export interface OpenContext {
  readonly store: string
  /** Wall clock in milliseconds. */
  now(): number
  uuid(): string
  /** `holds`: the program does not end before. */
  setTimer(ms: number, fn: () => void, holds?: boolean): { cancel(): void }
  /** Takes errors that no call can be rejected with. */
  onError(error: Error): void
}

/**
 * Where a store keeps its log and its rows. One store uses an adapter at a time; after `close` it can be opened again.
 *
 * `append` is called by one caller at a time: never before the previous call has settled.
 */
export interface StorageAdapter {
  /** True when `append` completes without returning a promise. */
  readonly immediate?: boolean
  /**
   * Opens or creates the storage.
   * @throws {StorageError} it cannot be used as it is; nothing in it was changed.
   */
  open(context: OpenContext): Promise<StorageReport>
  /**
   * The rows of a bucket by rising ordinal, in chunks. Damaged rows are moved to quarantine and left out. A bucket that
   * is not there has no rows.
   */
  loadBucket(bucket: string): AsyncIterable<readonly Row[]>
  /** Highest autoincrement number of a bucket, where that is known only after `loadBucket`. */
  counterOf?(bucket: string): number
  /** Rows that `loadBucket` and `readLog` had to leave out since `open`. */
  quarantined?(): readonly Quarantined[]
  /**
   * Appends entries and applies row changes as one unit.
   * @param expectedHead seq of the last entry that the caller has applied; 0 for an empty log.
   * @returns the new head, or what was missed; then nothing was written.
   * @throws {StorageError} nothing was written, unless it says that the outcome is unknown.
   */
  append(expectedHead: number, batch: Batch): Appended | Missed | Promise<Appended | Missed>
  /** Entries after `after`, in seq order. Entries that history has let go are left out. */
  readLog(after: number, options?: ReadLogOptions): AsyncIterable<Entry>
  /** Seq of the oldest entry that is kept; one more than that of the last when none is. Absent: whoever asks reads the first entry. */
  firstSeq?(): Promise<number>
  /** Makes everything that was appended survive a power cut, whatever level it was appended with. */
  flush(): Promise<void>
  /** Lets go of entries beyond the budget, a bounded amount of work per call. @returns how many went. */
  trim(budget: HistoryBudget): Promise<number>
  /** Seq of the last entry that `trim(budget)` would let go of now; 0 for none. Needed to archive entries before they go. */
  trimmable?(budget: HistoryBudget): Promise<number>
  /**
   * Seqs, the latest first, of the entries after `after` and before `before` that change the record under `key`; others may be
   * among them. Absent where reading the entries themselves is as good.
   */
  entriesOf?(bucket: string, key: Key, after: number, before: number): Promise<readonly number[]>
  /** Writes a complete, consistent copy to `path`, which must not exist. Absent where there is nothing to copy. */
  backup?(path: string): Promise<void>
  /** Releases everything. Safe after a failed `open`, and twice. */
  close(): Promise<void>
}

const ADAPTER_METHODS = ['open', 'loadBucket', 'append', 'readLog', 'flush', 'trim', 'close']

/** True for what can be used as a `StorageAdapter`. */
export function isStorageAdapter(value: unknown): value is StorageAdapter {
  return hasMethods(value, ADAPTER_METHODS)
}

/** True for an object that has a method of each of these names. */
export function hasMethods(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  return names.every((name) => typeof (value as { [name: string]: unknown })[name] === 'function')
}
