import type { StreamStore } from '../streams/stream-store.js'
import type { FaultPlan } from './faults.js'

type MaybePromise<T> = T | Promise<T>

/** Opens a stream store on a place; an unknown place is new and empty. */
export type OpenStreamStore = (place: string) => MaybePromise<StreamStore>

/** What the store claims beyond the contract of one handle, and how to get at it. What is left out is not checked. */
export interface StreamConformanceOptions {
  /** True when what was written outlives its handle: the same place is then opened again after `close`. */
  readonly reopen?: boolean
  /** True when a place can be open several times at once. */
  readonly secondHandle?: boolean
  /** Opens a store on a place that shares its storage with those of other namespaces, and nothing else. */
  readonly namespaces?: (place: string, namespace: string) => MaybePromise<StreamStore>
  /**
   * Opens a store each of whose storage operations, those of opening included, goes through `plan.run`: `faultySqliteAdapter`
   * does that for SQLite.
   */
  readonly faults?: (place: string, plan: FaultPlan) => MaybePromise<StreamStore>
  /** What the end of the process would do to what `faults` opened on a place: connections are gone, locks with them. */
  readonly crash?: (place: string) => MaybePromise<void>
  /** Runs a script of SQL on a new database and opens a store on it. SQLite only. */
  readonly openForeign?: (place: string, sql: string) => MaybePromise<ForeignPlace>
  /** Called when a case has ended and all its stores are closed. */
  readonly cleanup?: (place: string) => MaybePromise<void>
  /**
   * True when the storage keeps up to where a stream has been folded: then a tail that has seen all of that is not told again what
   * another handle has made of it. Where it is not kept, being told twice is allowed.
   */
  readonly keepsClears?: boolean
  /** Size of the largest payload, in bytes. Default 50,000,000; 0 leaves the case out. */
  readonly payloadBytesMax?: number
  /** Size of the longest id, in bytes. Default 100,000. */
  readonly idBytesMax?: number
  /** Decides the random operations. Default: another one each time; a failure names it. */
  readonly seed?: number
  /** How many random operations. Default 300. */
  readonly steps?: number
}

/** A database that another library has written. */
export interface ForeignPlace {
  readonly store: StreamStore
  /** The rows of a query, with BLOBs as `Uint8Array`. Called while the store is open. */
  rows(sql: string): MaybePromise<readonly { readonly [column: string]: unknown }[]>
}

/** What a case needs besides one handle. */
export type StreamNeed =
  | 'reopen'
  | 'secondHandle'
  | 'namespaces'
  | 'faults'
  | 'crash'
  | 'openForeign'
  | 'keepsClears'
  | 'bigPayloads'

/** One promise of the contract. Throws or rejects when the store breaks it. */
export interface StreamCase {
  /** The promise; no two cases have the same. */
  readonly name: string
  readonly needs?: readonly StreamNeed[]
  /** How long it may take, for frameworks that ask. Default 60,000. */
  readonly timeoutMs?: number
  run(test: StreamTest): Promise<void>
}

/** What a case works with. Everything that it opens is closed at its end. */
export interface StreamTest {
  /** On a place of its own, empty. */
  readonly store: StreamStore
  readonly options: StreamConformanceOptions
  /** Another handle on the same place, or on one more place of this case. */
  open(suffix?: string): Promise<StreamStore>
  openNamespace(namespace: string): Promise<StreamStore>
  openFaulty(plan: FaultPlan, suffix?: string): Promise<StreamStore>
  crash(suffix?: string): Promise<void>
  openForeign(sql: string, suffix?: string): Promise<ForeignPlace>
}
