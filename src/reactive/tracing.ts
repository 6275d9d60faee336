import type { Commit } from '../commit/commit-group.js'
import type { Entry } from '../query/bucket-predicates.js'
import type { Evaluation } from '../query/evaluation.js'
import type { View } from './view.js'

// What the small store knows of traces: where they are asked for, and what is told to whoever makes them. See `trace.ts`.

/** Where a store has its traces. */
export interface TraceHost {
  /** Undefined while nobody wants to know, which is all that it costs. */
  active: Tracer | undefined
  /** Somebody wants to know from now on, until `release` is called as often; undefined where there are no traces. */
  use: (() => void) | undefined
  release: (() => void) | undefined
}

/** What can be traced: a query function with its parameters, or a subscription to a view of rows. */
export type Traceable = TraceableQuery | TraceableRows

interface TraceableQuery extends Traced {
  readonly asked: { readonly name: string; readonly params: unknown }
  readonly listeners: { readonly size: number }
  /** What it has read. */
  readonly views: { readonly read: ReadonlyMap<View, unknown> }
  readonly reads: { readonly read: ReadonlyMap<TracedRead, unknown> }
}

interface TraceableRows extends Traced {
  readonly view: View
}

interface Traced {
  /** How often it was evaluated, with the evaluation under way. */
  readonly run: number
  traced: TraceState | undefined
}

/** Something that was read: see `Entry` of the predicate index. */
export type TracedRead = Pick<Entry<unknown>, 'filter' | 'name' | 'isKey'> & {
  readonly bucket: { readonly name: string }
}

/** How far the store was, in numbers that only grow. */
export interface Moment {
  readonly happened: number
  /** How many commits were published or taken back, and buckets loaded, while somebody wanted to know. */
  readonly settled: number
  readonly commits: number
  readonly built: number
}

/** What is kept for who is traced: how far the store was when its last evaluation began, and the last evaluations. */
export interface TraceState extends Moment {
  readonly log: Evaluation[]
}

/** Makes traces. */
export interface Tracer {
  /** A commit has been applied in memory. */
  applied(commit: Commit): void
  /** A commit is durable. */
  published(commit: Commit): void
  /** A commit was taken back. */
  undone(commit: Commit): void
  /** A bucket was defined, or loaded anew. */
  reloaded(bucket: string): void
  /** An evaluation of `traceable` begins: it has read what the one before it has read. */
  begin(traceable: Traceable, isOvertaken: boolean): Tracing
}

/** One evaluation under way, as far as traces are concerned. */
export interface Tracing {
  /** Something is read from views. */
  viewed<T>(read: () => T): T
  /** A read inside a query function has given `result`. */
  readonly read: (result: unknown) => void
  /** The function has come to its end, or the rows are read. */
  ran(): void
  /** It is over. */
  end(result: unknown, delivered: boolean, thrown: { readonly error: unknown } | undefined): void
}
