import type { Engine } from './engine.js'

/** Aggregated facts about a store. */
export interface StoreStats {
  readonly name: string
  readonly buckets: { readonly count: number; readonly names: readonly string[] }
  readonly records: { readonly total: number; readonly perBucket: { readonly [bucket: string]: number } }
  readonly indexes: { readonly total: number; readonly perBucket: { readonly [bucket: string]: number } }
  readonly queries: { readonly defined: number; readonly activeSubscriptions: number }
  readonly live: {
    /** Views that are kept, and subscriptions of both kinds. */
    readonly views: number
    readonly subscriptions: number
    /** Since the store was started: how often query functions have run and rows were read for live queries. */
    readonly evaluations: number
    /** Since the store was started: views that `selfCheck` has compared with a fresh answer, and those that differed. */
    readonly checked: number
    readonly diverged: number
  }
  readonly persistence: { readonly enabled: boolean }
  readonly ttl: { readonly enabled: boolean; readonly checkIntervalMs: number }
}

/** The facts about a store, all of one moment. */
export async function statsOf(engine: Engine): Promise<StoreStats> {
  const { catalog, queries, live, views, options, expiry } = engine
  await catalog.loaded()
  const buckets = [...catalog.buckets]
  const records = Object.fromEntries(buckets.map(({ name, table }) => [name, table.size]))
  const indexes = Object.fromEntries(buckets.map(({ name, table }) => [name, table.indexes.length]))
  const subscriptions = queries.subscriptionCount + live.count
  const total = (counts: { [bucket: string]: number }) => Object.values(counts).reduce((sum, count) => sum + count, 0)
  return {
    name: options.name,
    buckets: { count: buckets.length, names: buckets.map(({ name }) => name) },
    records: { total: total(records), perBucket: records },
    indexes: { total: total(indexes), perBucket: indexes },
    queries: { defined: queries.queryCount, activeSubscriptions: subscriptions },
    live: {
      views: views.size,
      subscriptions,
      evaluations: queries.evaluationCount + live.evaluationCount,
      checked: views.checkedCount,
      diverged: views.divergedCount,
    },
    persistence: { enabled: options.hasStorage },
    ttl: { enabled: expiry.isEnabled, checkIntervalMs: options.ttlCheckIntervalMs },
  }
}
