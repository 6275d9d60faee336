import { formatCount, formatDuration, formatThings } from '../format.js'
import type { Page } from '../page.js'
import type { DemoStore } from './buckets.js'
import { FICTION, fictionalCity, removeFiction } from './fiction.js'

/** What the query answers about a country. */
export interface CountrySummary {
  readonly cities: number
  readonly people: number
}

/** A write, and what the subscription did about it. */
export interface Reaction {
  readonly write: string
  /** How often the query ran for it. */
  readonly evaluations: number
  /** What the subscriber was given; null where it was not called. */
  readonly result: CountrySummary | null
  /** From the call of the write until the subscriber was called, the commit on disk in between. */
  readonly ms: number | null
}

/** What happened. */
export interface ReactiveResult {
  readonly query: string
  readonly params: { readonly country: string }
  readonly first: CountrySummary
  readonly reactions: readonly Reaction[]
}

/** Subscribes to one query, writes, and records what the subscription did. Leaves the data as it was. */
export async function runReactive(store: DemoStore): Promise<ReactiveResult> {
  const params = { country: 'IS' }
  let evaluations = 0
  const summary = store.defineQuery<{ country: string }, CountrySummary>(
    'country-summary',
    async (query, { country }) => {
      evaluations++
      const cities = query.bucket('cities')
      return { cities: await cities.count({ country }), people: await cities.sum('population', { country }) }
    },
  )
  let seen: { result: CountrySummary; at: number } | undefined
  const onResult = (result: CountrySummary): void => {
    seen = { result, at: performance.now() }
  }
  const unsubscribe = await store.subscribe(summary, params, onResult, { immediate: true })
  const first = seen === undefined ? { cities: 0, people: 0 } : (seen as { result: CountrySummary }).result
  const reactions: Reaction[] = []
  const cities = store.bucket('cities')
  const writes: readonly (readonly [write: string, run: () => Promise<unknown>])[] = [
    ['insert Varvik, Iceland', () => cities.insert(fictionalCity(FICTION.firstCity, 'Varvik', 'IS', 12_000))],
    ['insert Varve Hama, Japan', () => cities.insert(fictionalCity(FICTION.secondCity, 'Varve Hama', 'JP', 900))],
    ['update Varvik, population', () => cities.update(FICTION.firstCity, { population: 15_000 })],
    ['update Varve Hama, population', () => cities.update(FICTION.secondCity, { population: 950 })],
    ['update Varvik, name only', () => cities.update(FICTION.firstCity, { name: 'Varvík' })],
    ['delete Varvik', () => cities.delete(FICTION.firstCity)],
  ]
  try {
    for (const [write, run] of writes) {
      const before = evaluations
      seen = undefined
      const began = performance.now()
      await run()
      await store.settle()
      const now = seen as { result: CountrySummary; at: number } | undefined
      const ms = now === undefined ? null : now.at - began
      reactions.push({ write, evaluations: evaluations - before, result: now?.result ?? null, ms })
    }
  } finally {
    unsubscribe()
    await removeFiction(store)
  }
  return { query: summary.name, params, first, reactions }
}

/** Shows the writes with what they caused. */
export function printReactive(page: Page, { query, params, first, reactions }: ReactiveResult): void {
  const summarize = ({ cities, people }: CountrySummary): string => {
    return `${formatThings(cities, 'city', 'cities')}, ${formatCount(people)} people`
  }
  page.line(`subscribe('${query}', { country: '${params.country}' })  →  ${summarize(first)}`)
  page.line()
  page.table(
    ['write', 'query ran', 'subscriber was given', 'after'],
    reactions.map(({ write, evaluations, result, ms }) => [
      write,
      evaluations === 0 ? page.dim('no') : formatThings(evaluations, 'time'),
      result === null ? page.dim(evaluations === 0 ? '' : 'nothing: the same result') : page.good(summarize(result)),
      ms === null ? '' : formatDuration(ms),
    ]),
    ['left', 'left', 'left', 'right'],
  )
}
