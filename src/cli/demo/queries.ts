import type { PaginatedResult } from '../../query/reads.js'
import { formatCount, formatDuration, formatThings, shorten } from '../format.js'
import type { Page } from '../page.js'
import type { DemoStore } from './buckets.js'

/** One query: the call as it stands in the code, its answer in short, and how long it took. */
export interface QueryResult {
  readonly call: string
  readonly answer: string
  /** The answer for programs; of a longer list only how long it is, and its ends. */
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

interface Named {
  readonly name: string
}

const TOP_COUNTRIES = 6
/** Lists up to here are kept whole in the result. */
const LIST_RECORDS = 5

/** Runs each kind of query once. They are typed: a field that a city does not have would not compile. */
export async function runQueries(store: DemoStore): Promise<QueriesResult> {
  return {
    queries: [...(await find(store)), ...(await turnPages(store)), ...(await aggregate(store))],
    populous: populous(store),
  }
}

async function find(store: DemoStore): Promise<QueryResult[]> {
  const cities = store.bucket('cities')
  const countries = store.bucket('countries')
  const records = (list: readonly unknown[]): string => formatThings(list.length, 'record')
  return [
    await timed(
      "countries.get('IS')",
      () => countries.get('IS'),
      (found) => found?.officialName ?? 'none',
    ),
    await timed("countries.where({ region: 'Oceania' })", () => countries.where({ region: 'Oceania' }), records),
    await timed("cities.where({ country: 'JP' })", () => cities.where({ country: 'JP' }), records),
    await timed(
      "cities.where({ country: 'JP', name: 'Kyoto' })",
      () => cities.where({ country: 'JP', name: 'Kyoto' }),
      records,
    ),
    await timed("cities.where({ adminCode: '07' }) // no index", () => cities.where({ adminCode: '07' }), records),
    await timed(
      "cities.findOne({ name: 'Timbuktu' })",
      () => cities.findOne({ name: 'Timbuktu' }),
      (found) => (found === undefined ? 'none' : `${found.country}, ${formatCount(found.population)} people`),
    ),
  ]
}

async function turnPages(store: DemoStore): Promise<QueryResult[]> {
  const cities = store.bucket('cities')
  const names = (list: readonly Named[]): string => list.map(({ name }) => shorten(name, 10)).join(', ')
  let after: number | undefined
  const page = ({ records, nextCursor }: PaginatedResult<Named, number>): string => {
    after = nextCursor
    return names(records)
  }
  return [
    await timed('cities.paginate({ limit: 2 })', () => cities.paginate({ limit: 2 }), page),
    await timed(
      `cities.paginate({ limit: 2, after: ${String(after)} })`,
      () => cities.paginate({ limit: 2, after }),
      page,
    ),
    await timed('cities.first(2)', () => cities.first(2), names),
    await timed('cities.last(2)', () => cities.last(2), names),
  ]
}

async function aggregate(store: DemoStore): Promise<QueryResult[]> {
  const cities = store.bucket('cities')
  const number = (value: number | undefined): string => (value === undefined ? 'none' : formatCount(value))
  const [india, iceland, brazil] = [{ country: 'IN' }, { country: 'IS' }, { country: 'BR' }]
  return [
    await timed("cities.count({ featureCode: 'PPLC' })", () => cities.count({ featureCode: 'PPLC' }), number),
    await timed("cities.sum('population')", () => cities.sum('population'), number),
    await timed("cities.avg('population', { country: 'IN' })", () => cities.avg('population', india), number),
    await timed("cities.min('population', { country: 'IS' })", () => cities.min('population', iceland), number),
    await timed("cities.max('population', { country: 'BR' })", () => cities.max('population', brazil), number),
  ]
}

async function timed<T>(call: string, run: () => Promise<T>, describe: (value: T) => string): Promise<QueryResult> {
  const began = performance.now()
  const value = await run()
  const ms = performance.now() - began
  return { call, answer: describe(value), value: abridge(value), ms }
}

function abridge(value: unknown): unknown {
  if (!Array.isArray(value) || value.length <= LIST_RECORDS) return value ?? null
  return { count: value.length, first: value[0] as unknown, last: value.at(-1) as unknown }
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
    queries.map(({ call, answer, ms: took }) => [call, shorten(answer, 21), formatDuration(took)]),
    ['left', 'left', 'right'],
  )
  page.line()
  page.line(`Most people in cities, by one store.read over both buckets, in ${formatDuration(ms)}:`)
  page.line()
  page.table(
    ['country', 'region', 'cities', 'people', 'largest'],
    countries.map((one) => [one.country, one.region, formatCount(one.cities), formatCount(one.people), one.largest]),
    ['left', 'left', 'right', 'right', 'left'],
  )
}
