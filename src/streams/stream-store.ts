import type { SequencedRecord, StreamMeta, StreamRecord } from './record.js'

/**
 * A place for append-only streams of records, one per document.
 *
 * Calls on one id take effect in the order in which they were made, reads included; calls on different ids run together.
 * Several handles, in any number of processes, may share one place. A call that rejects has written nothing and harms no
 * other. Ids are any strings; two that differ in anything are different documents.
 */
export interface StreamStore {
  /**
   * Adds a record to the end of a stream; its place is allocated in the transaction that writes it.
   *
   * @throws {StreamFirstRecordError} an entry, and there is no such document. {StreamMismatchError} a meta that does not
   * go with the one that is there. {InvalidArgumentError} not a record.
   */
  append(id: string, record: StreamRecord): Promise<void>
  /** Adds records, in this order, all or none. Errors as `append`. An empty list does nothing. */
  appendMany(id: string, records: readonly StreamRecord[]): Promise<void>
  /**
   * All records in order, metas included; none when there is no such document. Always one state of the stream. It counts as
   * called when the first record is asked for, and each iteration reads anew; until then nothing is thrown, either.
   *
   * @throws {StreamReplacedError} it has more than 10,000 records, or 16 MB, and was replaced meanwhile.
   * {StreamDamagedError}
   */
  loadAll(id: string): AsyncIterable<StreamRecord>
  /** The records with a seq beyond `after` (default: all), in order, at most `limit` of them, with their seqs. */
  load(id: string, options?: LoadOptions): AsyncIterable<SequencedRecord>
  /**
   * Puts `records` in the place of all that the stream has; readers see the old stream or the new one. The document
   * need not exist.
   *
   * @throws {StreamNoMetaError} none of them is a meta. {StreamMismatchError} a meta that does not go with the one that is
   * there, or with another one of the batch.
   */
  replace(id: string, records: readonly StreamRecord[]): Promise<void>
  /** Removes the stream and what is known about it. No such document: nothing happens. */
  delete(id: string): Promise<void>
  /** What the last meta record said, without reading the stream; `null` when there is no such document. */
  currentMeta(id: string): Promise<StreamMeta | null>
  /** The ids that begin with `prefix` (default: all), in the order of their UTF-8 bytes. */
  listDocIds(prefix?: string): AsyncIterable<string>
  /**
   * Calls `onRecord` with every record beyond `after` of the document, or of every document whose id begins with
   * `prefix`: those that are there, then those that come, in order for each document, each once.
   *
   * A stream that is replaced is told on with the new one. One that is compacted is not told again to who has seen all that
   * was folded; who has not is told all that `fold` made. After a deletion, what comes is told from its beginning. When another
   * process clears a stream in kyneta's format, which keeps no trace of how, it may be told all of it from the beginning once more.
   *
   * The program does not end while there is a tail.
   *
   * @throws {InvalidArgumentError} {StreamClosedError} at once.
   */
  tail(target: string | TailPrefix, options: TailOptions | undefined, onRecord: OnRecord): StreamTail
  /**
   * Puts what `fold` makes of all records in their place. What is appended by others meanwhile is not lost: `fold` is
   * called again with it. They take the last seqs of what they are made of, when they are not more; an error of `fold` is
   * passed on. No such document: nothing happens. @throws what `replace` and `fold` throw; {StreamConflictError} others kept writing.
   */
  compact(id: string, fold: Fold): Promise<void>
  stats(): Promise<StreamStats>
  /** Resolves when everything whose call has resolved is on the disk, as far as the storage can tell; rejects otherwise. */
  flush(): Promise<void>
  /** Waits for the calls that were made, ends tails, lets go of the storage; safe twice. Later calls reject. */
  close(): Promise<void>
}

/** Which part of a stream. */
export interface LoadOptions {
  /** Seq of the last record that the caller has. Default: before the first. */
  readonly after?: number
  readonly limit?: number
}

/** All documents whose id begins with it. */
export interface TailPrefix {
  readonly prefix: string
}

/** Where a tail begins, and how it hears of writes of other handles. */
export interface TailOptions {
  /** Seq of the last record that the caller has; for a prefix, by id. Default: before the first. */
  readonly after?: number | Readonly<Record<string, number>>
  /**
   * How often to look for what others have written, at least: milliseconds, 1..2^31-1, default 100. All tails of a store look
   * together, as often as the most impatient of them. Own writes are told at once.
   */
  readonly pollMs?: number
  /** Told once when the tail ends by an error: of the storage, or of `onRecord`. What it throws is the tail's `callbackError`. */
  readonly onError?: (error: Error) => void
}

/** Called with each record. The next one waits for its promise. */
export type OnRecord = (record: SequencedRecord, id: string) => void | Promise<void>

/** A running tail. */
export interface StreamTail {
  /** No record is told after this; safe twice. */
  stop(): void
  /**
   * Resolves when it has been stopped or the store was closed, rejects with the error that ended it. Where nobody looks at it, the
   * program goes on: take `onError`, too.
   */
  readonly ended: Promise<void>
  /** What `onError` threw; `undefined`: nothing. */
  readonly callbackError: Error | undefined
}

/** Makes the records of a whole stream into fewer that mean the same. */
export type Fold = (records: readonly StreamRecord[]) => readonly StreamRecord[] | Promise<readonly StreamRecord[]>

/** How much there is. */
export interface StreamStats {
  /** Kind of storage: `'sqlite'`, `'memory'`, … */
  readonly backend: string
  readonly docs: number
  readonly records: number
  /** Text and bytes of all records, as stored. */
  readonly bytes: number
}
