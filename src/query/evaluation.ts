import type { Key } from '../base/value.js'

/** One time that a live result was made, and why. Frozen. */
export interface Evaluation {
  /** Name of the query, or what a live query asks, in words: `users where role = "admin" order by name, limit 20`. */
  readonly query: string
  readonly params: unknown
  /** Whether a query function has run, or the rows of a live query were read. */
  readonly kind: 'query' | 'live'
  /**
   * Somebody has subscribed; a commit has touched what was read, or one was taken back; a bucket was defined or loaded anew; or
   * what the evaluation before had read was changed while it ran. `commit` also where the reason is not known:
   * it is forgotten, or came before anybody wanted to know.
   */
  readonly cause: 'subscribed' | 'commit' | 'undone' | 'reloaded' | 'overtaken'
  /** The commits that have touched what was read, since the evaluation before. */
  readonly commits: readonly EvaluationCommit[]
  /** What they did to it. */
  readonly changes: readonly EvaluationChange[]
  /** What of that which was read is touched, in words: `users: key "a"`, `users: role = "admin"`. */
  readonly matched: readonly string[]
  /**
   * How many of each list are left out, which ends at 32. And how many commits since the evaluation before are `forgotten`: whether
   * they have touched what was read is not known. The last 1,000 are kept, as far as their records, before and after, are
   * together no more than about 8 MB; the last one always.
   */
  readonly omitted: {
    readonly commits: number
    readonly changes: number
    readonly matched: number
    readonly forgotten: number
  }
  /** The views that it has read, and what has become of each since the evaluation before. */
  readonly views: readonly EvaluationView[]
  /** Records that were looked at, also to build views anew; 0 where all views were brought up to date change by change. */
  readonly examined: number
  /** Rows of the result; 1 where it is no list, 0 where it is undefined. */
  readonly returned: number
  /** Milliseconds that the function took, or the reading of the rows; without callbacks. */
  readonly durationMs: number
  /** Whether somebody was called back. */
  readonly delivered: boolean
  /** How many share the query. */
  readonly listeners: number
  /** What the function has thrown. */
  readonly error: Error | undefined
}

/** A commit that is the reason for an evaluation. */
export interface EvaluationCommit {
  /** Undefined where only buckets that are not stored were concerned. */
  readonly seq: number | undefined
  /** Milliseconds since 1970. */
  readonly at: number | undefined
  readonly type: string
}

/** A change that is the reason for an evaluation. */
export interface EvaluationChange {
  readonly bucket: string
  /** Undefined where the bucket was emptied, dropped, or loaded anew. */
  readonly key: Key | undefined
  readonly kind: 'inserted' | 'updated' | 'deleted' | 'cleared'
}

/** A view that an evaluation has read: brought up to date change by change, built from its bucket, or as it was. */
export interface EvaluationView {
  /** What it answers, in words. */
  readonly query: string
  readonly effect: 'changed' | 'rebuilt' | 'unchanged'
}

/** Takes each evaluation when it is over. */
export type TraceHandler = (evaluation: Evaluation) => void
