import { Store } from '../../store.js'
import { InterruptedError } from '../cli-error.js'
import type { CommandWorld } from '../command-world.js'
import { formatCount, formatDuration, formatThings } from '../format.js'
import type { Interrupt } from '../interrupt.js'
import { Page } from '../page.js'
import type { TextStream } from '../page.js'
import { BUCKETS } from './buckets.js'
import type { DemoStore } from './buckets.js'
import { printCrash, runCrash } from './crash.js'
import type { CrashResult } from './crash.js'
import { removeFiction } from './fiction.js'
import { importData, printImport } from './import.js'
import type { ImportResult } from './import.js'
import { choosePlace, placeName, preparePlace } from './place.js'
import type { Place } from './place.js'
import { printQueries, runQueries } from './queries.js'
import type { QueriesResult } from './queries.js'
import { printReactive, runReactive } from './reactive.js'
import type { ReactiveResult } from './reactive.js'
import { makeReport, printReport } from './report.js'
import type { Report } from './report.js'
import { printTransactions, runTransactions } from './transactions.js'
import type { TransactionsResult } from './transactions.js'

/** What the user has asked for. */
export interface DemoOptions {
  readonly file?: string
  readonly inMemory?: boolean
  readonly reset?: boolean
  readonly json?: boolean
  /** Most cities to import. */
  readonly limit?: number
}

/** What `--json` prints. */
export interface DemoResult {
  readonly varve: string
  readonly node: string
  readonly place: Place
  /** The file of an earlier run was removed first. */
  readonly wasReset: boolean
  readonly import: ImportResult
  readonly queries: QueriesResult
  readonly reactive: ReactiveResult
  readonly transactions: TransactionsResult
  readonly crash: CrashResult
  readonly report: Report
  readonly ms: number
}

/**
 * Runs the demo from its import to its report. The data are the same afterwards as before.
 *
 * @throws {InterruptedError} by a signal; the store is stopped, and what was written is on disk.
 * @throws {CliError} @throws {VarveError} it cannot be done; the store is stopped.
 */
export async function runDemo(options: DemoOptions, world: CommandWorld): Promise<void> {
  const { file, inMemory = false, reset = false, json = false, limit } = options
  const { out, err, interrupt, version } = world
  const began = performance.now()
  const place = choosePlace(file, inMemory)
  const page = new Page(json ? undefined : out)
  let store: DemoStore | undefined
  try {
    const wasReset = await preparePlace(place, reset)
    const about = page.dim(`${version} · Node ${process.versions.node} · ${placeName(place)}`)
    page.line(`${page.style('bold', 'varve demo')} ${about}`)
    store = await openStore(place, err)
    const steps = await runSteps(store, place, page, { limit, interrupt, progress: err })
    const ms = performance.now() - began
    const result: DemoResult = { varve: version, node: process.versions.node, place, wasReset, ...steps, ms }
    if (json) out.write(`${JSON.stringify(result, null, 2)}\n`)
    page.line()
    page.line(`Done in ${formatDuration(ms)}. ${wayOn(place)}`)
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error
    throw new InterruptedError(error.signal, await leftBehind(store, place))
  } finally {
    await store?.stop()
  }
}

function openStore(place: Place, problems: TextStream): Promise<DemoStore> {
  return Store.start({
    name: 'demo',
    buckets: BUCKETS,
    ...(place.kind === 'file' ? { file: place.path } : {}),
    onError: (error) => problems.write(`varve: ${error.message}\n`),
  })
}

/** What an interrupted run leaves. Every batch that was imported is on disk already. */
async function leftBehind(store: DemoStore | undefined, place: Place): Promise<string> {
  if (store === undefined) return 'nothing was done'
  if (place.kind === 'memory') return 'the data were in memory only'
  const cities = await store.bucket('cities').count()
  const plan = await store.bucket('imports').get('cities')
  const name = placeName(place)
  if (plan?.isComplete === true) return `${name} is whole, with all of its ${formatThings(cities, 'city', 'cities')}`
  const of = plan === undefined ? '' : ` of ${formatCount(plan.plannedCount)}`
  return `${formatCount(cities)}${of} cities are on disk in ${name}; run the same command again to complete the import`
}

function wayOn(place: Place): string {
  if (place.kind === 'memory') return 'Nothing was written to disk; leave out --in-memory to keep the data in a file.'
  return `Look into it: sqlite3 ${placeName(place)} "SELECT * FROM cities LIMIT 3"`
}

type Steps = Pick<DemoResult, 'import' | 'queries' | 'reactive' | 'transactions' | 'crash' | 'report'>

interface Step<T> {
  readonly title: string
  readonly note: string
  run(): Promise<T>
  print(result: T): void
}

async function runSteps(
  store: DemoStore,
  place: Place,
  page: Page,
  options: { readonly limit: number | undefined; readonly interrupt: Interrupt; readonly progress: TextStream },
): Promise<Steps> {
  let count = 0
  const step = async <T>({ title, note, run, print }: Step<T>): Promise<T> => {
    await options.interrupt.check()
    page.heading(++count, title, note)
    const result = await run()
    print(result)
    return result
  }
  await removeFiction(store)
  return {
    import: await step({
      title: 'Two related buckets of real data',
      note: 'GeoNames cities and their countries',
      run: () => importData(store, options),
      print: (result) => printImport(page, result, placeName(place)),
    }),
    queries: await step({
      title: 'Queries',
      note: 'typed from the schema, one call each',
      run: () => runQueries(store),
      print: (result) => printQueries(page, result),
    }),
    reactive: await step({
      title: 'A live query',
      note: 'runs again only when something that it read has changed',
      run: () => runReactive(store),
      print: (result) => printReactive(page, result),
    }),
    transactions: await step({
      title: 'Transactions',
      note: 'serializable, all or nothing',
      run: () => runTransactions(store),
      print: (result) => printTransactions(page, result),
    }),
    crash: await step({
      title: 'A crash',
      note: 'of one bucket, and only that one',
      run: () => runCrash(store),
      print: (result) => printCrash(page, result),
    }),
    report: await step({
      title: 'What the store says about itself',
      note: '',
      run: () => makeReport(store, place),
      print: (result) => printReport(page, result),
    }),
  }
}
