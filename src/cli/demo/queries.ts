import { formatCount, formatDuration, formatThings, shorten } from '../format.js'
import type { Page } from '../page.js'
import type { DemoStore } from './buckets.js'

/** One query: the call as it stands in the code, its answer in short, and how long it took. */
export interface QueryResult {
  readonly call: string
  readonly answer: string
  /** The answer for programs: a number, a record, or the count of records. */
  readonly value: unknown
  readonly ms: number
}

/** One line of the table of countries. */
export interface CountryLine {
  readonly country: string
  readonly region: string
  readonly cities: number
  readonly people: number
  readonly largest: string
}

/** What the queries answered. */
export interface QueriesResult {
  readonly queries: readonly QueryResult[]
  readonly populous: { readonly ms: number; readonly countries: readonly CountryLine[] }
}

const TOP_COUNTRIES = 6

/** Runs each kind of query once. They are typed: a field that a city does not have would not compile. */
export async function runQueries(store: DemoStore): Promise<QueriesResult> {
  const cities = store.bucket('cities')
  const countries = store.bucket('countries')
  const names = (list: readonly { readonly name: string }[]): string =>
    list.map(({ name }) => shorten(name, 12)).join(', ')
  const records = (list: readonly unknown[]): string => formatThings(list.length, 'record')
  const page = ({ records: list }: { readonly records: readonly { readonly name: string }[] }): string => names(list)
  const orNone = (value: number | undefined): string => (value === undefined ? 'none' : formatCount(value))
  const first = await cities.paginate({ limit: 3 })
  const after = first.nextCursor
  const queries = [
    await timed(
      "countries.get('IS')",
      () => countries.get('IS'),
      (found) => `${found?.name}, ${found?.capital.join()}`,
    ),
    await timed("countries.where({ region: 'Oceania' })", () => countries.where({ region: 'Oceania' }), records),
    await timed("cities.where({ country: 'JP' })", () => cities.where({ country: 'JP' }), records),
    await timed(
      "cities.where({ country: 'JP', featureCode: 'PPLA' })",
      () => cities.where({ country: 'JP', featureCode: 'PPLA' }),
      records,
    ),
    await timed("cities.where({ adminCode: '07' })  (no index)", () => cities.where({ adminCode: '07' }), records),
    await timed(
      "cities.findOne({ name: 'Timbuktu' })",
      () => cities.findOne({ name: 'Timbuktu' }),
      (found) => (found === undefined ? 'none' : `${formatCount(found.population)} people, ${found.country}`),
    ),
    await timed('cities.paginate({ limit: 3 })', () => cities.paginate({ limit: 3 }), page),
    await timed(
      `cities.paginate({ limit: 3, after: ${String(after)} })`,
      () => cities.paginate({ limit: 3, after }),
      page,
    ),
    await timed("cities.count({ featureCode: 'PPLC' })", () => cities.count({ featureCode: 'PPLC' }), formatCount),
    await timed("cities.sum('population')", () => cities.sum('population'), formatCount),
    await timed(
      "cities.avg('population', { country: 'IN' })",
      () => cities.avg('population', { country: 'IN' }),
      formatCount,
    ),
    await timed(
      "cities.min('population', { country: 'IS' })",
      () => cities.min('population', { country: 'IS' }),
      orNone,
    ),
    await timed(
      "cities.max('population', { country: 'BR' })",
      () => cities.max('population', { country: 'BR' }),
      orNone,
    ),
    await timed('cities.first(2)', () => cities.first(2), names),
    await timed('cities.last(2)', () => cities.last(2), names),
  ]
  return { queries, populous: populous(store) }
}

async function timed<T>(call: string, run: () => Promise<T>, describe: (value: T) => string): Promise<QueryResult> {
  const began = performance.now()
  const value = await run()
  const ms = performance.now() - began
  return { call, answer: describe(value), value: Array.isArray(value) && value.length > 5 ? value.length : value, ms }
}

/** Both buckets in one synchronous read of one state: the people of each country's cities, summed up. */
function populous(store: DemoStore): QueriesResult['populous'] {
  const began = performance.now()
  const countries = store.read((view) => {
    const cities = view.bucket('cities')
    const lines = view
      .bucket('countries')
      .all()
      .map(({ cca2, name, region }) => {
        return { cca2, name, region, people: cities.sum('population', { country: cca2 }) }
      })
    const top = lines.sort((a, b) => b.people - a.people).slice(0, TOP_COUNTRIES)
    return top.map(({ cca2, name, region, people }): CountryLine => {
      const population = cities.max('population', { country: cca2 })
      const largest = population === undefined ? undefined : cities.findOne({ country: cca2, population })
      return { country: name, region, cities: cities.count({ country: cca2 }), people, largest: largest?.name ?? '' }
    })
  })
  return { ms: performance.now() - began, countries }
}

/** Shows the calls with their answers, then the table that both buckets made. */
export function printQueries(page: Page, { queries, populous: { ms, countries } }: QueriesResult): void {
  page.table(
    ['query', 'answer', 'time'],
    queries.map(({ call, answer, ms: took }) => [call, shorten(answer, 34), formatDuration(took)]),
    ['left', 'left', 'right'],
  )
  page.line()
  page.line(`The countries with most people in cities, by store.read over both buckets, in ${formatDuration(ms)}:`)
  page.line()
  page.table(
    ['country', 'region', 'cities', 'people', 'largest'],
    countries.map((one) => [one.country, one.region, formatCount(one.cities), formatCount(one.people), one.largest]),
    ['left', 'left', 'right', 'right', 'left'],
  )
}
