import { formatCount, formatThings } from '../format.js'
import type { Page } from '../page.js'
import type { DemoStore } from './buckets.js'

const CITIES = 5

/** A live list of the largest cities, as it was kept while records came in. */
export interface TopListResult {
  /** How often the list changed. */
  readonly updates: number
  /** The list in the end, the largest first. */
  readonly cities: readonly { readonly name: string; readonly population: number }[]
}

/** Keeps a live list of the largest cities while `work` runs. */
export async function watchTopList<T>(store: DemoStore, work: () => Promise<T>): Promise<[T, TopListResult]> {
  let updates = 0
  let cities: TopListResult['cities'] = []
  const largest = store
    .bucket('cities')
    .query()
    .orderBy('population', 'desc')
    .limit(CITIES)
    .select('name', 'population')
  const stop = largest.live((rows) => {
    updates++
    cities = rows
  })
  try {
    const done = await work()
    await store.settle()
    return [done, { updates, cities }]
  } finally {
    stop()
  }
}

/** Shows the list, and how often it changed. */
export function printTopList(page: Page, { updates, cities }: TopListResult): void {
  page.line()
  page.line(`A live list of the ${CITIES} largest changed ${formatThings(updates, 'time')} meanwhile; in the end:`)
  page.line()
  page.table(
    ['city', 'population'],
    cities.map(({ name, population }) => [name, formatCount(population)]),
    ['left', 'right'],
  )
}
