import type { StreamDamagedError } from './errors.js'
import type { StreamEntryRecord, StreamMeta, StreamRecord } from './record.js'

/** What a storage that is synchronous need not wrap. */
export type MaybePromise<T> = T | Promise<T>

/**
 * What record streams need of a storage. It knows rows and transactions, and none of the rules: those are in the one
 * `StreamStore` that stands on all of them.
 *
 * Any method may answer at once or by a promise, and now so, now so: what is answered at once costs no promise. No two of
 * `commit` and `append` run at a time; reads may run while they do. What is given out belongs to the caller.
 */
export interface StreamBackend {
  /** Kind of storage, for messages and stats. */
  readonly name: string
  /**
   * One transaction: reads the heads of `ids`, asks `plan` what to do, does it. All of it happens, or nothing; nobody sees
   * a part. What `plan` is told is still so when its writes happen, whoever else writes there.
   *
   * @param ids without repetition.
   * @param plan synchronous and without side effects outside itself; may be called again. What it throws is thrown.
   * @param read what somebody has read and goes by; `plan` is told which of them are still so.
   * @throws what the storage throws; then nothing was written, or, where that is not known, the error has an `outcome` of
   * `'unknown'`.
   */
  commit(ids: readonly string[], plan: PlanWrites, read: readonly ReadState[]): MaybePromise<void>
  /**
   * Not needed, but fast: entries to the ends of documents, in one transaction, without looking at heads first. A document
   * may be in `batch` more than once.
   *
   * @returns for each item whether the document exists; where it does not, nothing was written for that item.
   */
  append?(batch: readonly EntriesToAppend[]): MaybePromise<readonly boolean[]>
  /**
   * True: `append` may be called within the call that asks for it. It does not write into a transaction that its caller may
   * have open, and does not keep what it was given: when it answers at once, bytes may be the caller's own. Default: false.
   */
  readonly appendsAtOnce?: boolean
  /**
   * True: what stood against a group of calls stands against each (a lock, a full disk, no connection), so that they are not tried
   * one by one. Default: false.
   */
  isOfAll?(error: Error): boolean
  /** The head of a document, without reading its stream. */
  head(id: string): MaybePromise<StreamHead>
  /**
   * The next records of one state of a stream, in order. A page may hold fewer than `limit`, never none while there are more.
   * It should be limited in bytes, too.
   *
   * @param after seq of the last record that is not wanted; -1 for the beginning.
   * @param mark of the page that ended with `after`. The answer is `undefined` when the stream has been cleared since.
   */
  page(id: string, after: number, limit: number, mark?: unknown): MaybePromise<StreamPage | undefined>
  /**
   * What tells this state of a whole stream from others, for `ReadState`. Only where the mark of a page does not: where another
   * program may clear a stream and leave the same mark.
   */
  traceOf?(records: readonly PlacedRecord[]): unknown
  /** Ids of documents that begin with `prefix` and come after `after`, by `compareIds` and `hasIdPrefix`, at most `limit`. */
  list(prefix: string, after: string | undefined, limit: number): MaybePromise<readonly string[]>
  /** Something that changes (`!==`), at the latest, when another handle has written; not for writes of this one, at best. */
  version(): MaybePromise<unknown>
  stats(): MaybePromise<{ readonly docs: number; readonly records: number; readonly bytes: number }>
  /** Returns when everything that was committed is on the disk, as far as the storage can tell; throws otherwise. */
  flush(): MaybePromise<void>
  close(): MaybePromise<void>
}

/** What is known about a document. */
export interface StreamHead {
  /** `null`: there is no such document. */
  readonly meta: StreamMeta | null
  /** Seq that the next record gets. More than 0 also for a document that is gone, where the storage remembers that. */
  readonly seqNext: number
  /**
   * Something cannot be read, so that the document may be cleared, and nothing else. Only who plans a write gets it with a `meta` of
   * `null`: if that is what cannot be read, `head` throws it.
   */
  readonly damage?: StreamDamagedError
}

/** A whole stream, as it was read. */
export interface ReadState {
  readonly id: string
  /** Seq of its last record. */
  readonly seqLast: number
  /** Of the page that ended with that. */
  readonly mark: unknown
  /** What `traceOf` says of its records. */
  readonly trace: unknown
}

/**
 * Decides what to write, knowing what is there: a head for each of the ids, and which of the states that were read still hold:
 * the stream has not been cleared since, and nothing has come after its last record.
 */
export type PlanWrites = (
  heads: ReadonlyMap<string, StreamHead>,
  unmoved: ReadonlySet<ReadState>,
) => readonly StreamWrite[]

/** A change of one document. A plan has at most one per id. */
export interface StreamWrite {
  readonly id: string
  /** True: all records that are there go first. */
  readonly clear: boolean
  /**
   * Where it clears: who has read up to here has seen all that was there before, and goes on beyond it; who has not begins anew. The
   * storage keeps it with the stream, if it can, and gives it out with pages.
   */
  readonly clearedTo?: number
  /** What the head says afterwards; `undefined`: as before; `null`: the document is gone, and `records` is empty. */
  readonly meta: StreamMeta | null | undefined
  /** With seqs that grow, each beyond those that stay. */
  readonly records: readonly PlacedRecord[]
  /** Seq that the next record gets. */
  readonly seqNext: number
}

/** A record and its place. */
export interface PlacedRecord {
  readonly seq: number
  readonly record: StreamRecord
}

/** Entries for the end of one document, all or none. */
export interface EntriesToAppend {
  readonly id: string
  readonly records: readonly StreamEntryRecord[]
}

/** Some records of a stream. */
export interface StreamPage {
  readonly records: readonly PlacedRecord[]
  /** True when there may be more. */
  readonly more: boolean
  /** Says which state this is of, and where it ended, for the next page; `undefined` where nothing is known of that. */
  readonly mark: unknown
  /** Seq of the first record of the stream, where it is known without another look. */
  readonly seqFirst?: number | undefined
  /** Of the last write that has cleared the stream, `clearedTo`; -1: there was none; `undefined`: the storage does not keep it. */
  readonly clearedTo?: number | undefined
}
