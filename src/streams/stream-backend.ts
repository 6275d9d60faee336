import type { SequencedRecord, StreamMeta, StreamRecord } from './record.js'

type MaybePromise<T> = T | Promise<T>

/**
 * What record streams need of a storage. It knows rows and transactions, and none of the rules: those are in the one
 * `StreamStore` that stands on all of them.
 */
export interface StreamBackend {
  /** Kind of storage, for messages and stats. */
  readonly name: string
  /**
   * One transaction: reads the heads of `ids`, asks `plan` what to do, does it. All of it happens, or nothing; nobody sees
   * a part. What `plan` is told is still so when its writes happen, whoever else writes there.
   *
   * @param ids without repetition.
   * @param plan synchronous and without side effects outside itself; may be called again.
   */
  commit(ids: readonly string[], plan: PlanWrites): MaybePromise<void>
  /** The head of a document, without reading its stream; `undefined` when there is none. */
  head(id: string): MaybePromise<StreamHead | undefined>
  /**
   * The next records of one state of a stream, in order. A page may hold fewer than `limit`, never none while there are more.
   *
   * @param after seq of the last record that is not wanted; -1 for the beginning.
   */
  page(id: string, after: number, limit: number): MaybePromise<StreamPage>
  /** Ids that begin with `prefix` and come after `after`, in the order of their UTF-8 bytes, at most `limit`. */
  list(prefix: string, after: string | undefined, limit: number): MaybePromise<readonly string[]>
  /** Something that changes, at the latest, when another handle has written. */
  version(): MaybePromise<unknown>
  stats(): MaybePromise<{ readonly docs: number; readonly records: number; readonly bytes: number }>
  flush(): MaybePromise<void>
  close(): MaybePromise<void>
}

/** What is known about a document. */
export interface StreamHead {
  readonly meta: StreamMeta
  /** Seq that the next record gets. */
  readonly seqNext: number
}

/** Decides what to write, knowing what is there; a document without a head does not exist. */
export type PlanWrites = (heads: ReadonlyMap<string, StreamHead>) => readonly StreamWrite[]

/** A change of one document. A plan has at most one per id. */
export interface StreamWrite {
  readonly id: string
  /** True: all records that are there go first. */
  readonly clear: boolean
  /** What the head says afterwards; `undefined`: as before; `null`: the document is gone. */
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

/** Some records of a stream. */
export interface StreamPage {
  readonly records: readonly SequencedRecord[]
  /** True when there may be more. */
  readonly more: boolean
}
