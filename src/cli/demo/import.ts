import { CliError } from '../cli-error.js'
import { formatCount, formatDuration } from '../format.js'
import type { Interrupt } from '../interrupt.js'
import type { Page, TextStream } from '../page.js'
import { Progress } from '../progress.js'
import type { DemoStore } from './buckets.js'
import { loadCities, loadCountries } from './sources.js'
import type { Source } from './sources.js'
import { printTopList, watchTopList } from './top-list.js'
import type { TopListResult } from './top-list.js'

/** Records of one commit. Larger ones are hardly faster, and smaller ones wait for the disk more often. */
const BATCH_RECORDS = 2_000

type Imported = 'countries' | 'cities'

/** What an import needs besides the store. */
export interface ImportOptions {
  /** Most cities to import, spread evenly over the data set. Default all. */
  readonly limit: number | undefined
  readonly interrupt: Interrupt
  /** Where progress is shown. */
  readonly progress: TextStream
}

/** What was done for one bucket. */
export interface BucketImport {
  readonly source: string
  /** Records in the bucket now; the same as were planned. */
  readonly records: number
  /** How many of them were inserted by this run. */
  readonly inserted: number
  readonly ms: number
  readonly perSecond: number
}

/** What was done, all in all. */
export interface ImportResult {
  /** `opened`: everything was there. `resumed`: an earlier import had been interrupted. */
  readonly mode: 'imported' | 'resumed' | 'opened'
  readonly countries: BucketImport
  readonly cities: BucketImport
  /** A live list that was kept while the cities came in; null where all of them were there. */
  readonly top: TopListResult | null
}

/**
 * Sees to it that both data sets are in the store, whole: imports them, completes what an earlier run had to leave, or
 * finds everything there. Each batch is one commit, so an interrupt at any moment leaves whole batches, and the next
 * run inserts what is missing.
 *
 * @throws {CliError} the packages with the data are needed and not installed; or the file has another `limit`.
 * @throws {InterruptedError} after the batch that was being written; it and those before are kept.
 */
export async function importData(store: DemoStore, options: ImportOptions): Promise<ImportResult> {
  const before = await store.bucket('countries').count()
  const countries = await importBucket(store, 'countries', loadCountries, options)
  const [imported, top] = await watchTopList(store, () => importBucket(store, 'cities', loadCities, options))
  const isOpened = countries.inserted + imported.inserted === 0
  const mode = isOpened ? 'opened' : before > 0 ? 'resumed' : 'imported'
  return { mode, countries, cities: imported, top: imported.inserted === 0 ? null : top }
}

async function importBucket<I>(
  store: DemoStore,
  bucket: Imported,
  load: () => Source<I>,
  options: ImportOptions,
): Promise<BucketImport> {
  const began = performance.now()
  const imports = store.bucket('imports')
  const known = await imports.get(bucket)
  const there = await store.bucket(bucket).count()
  const limit = bucket === 'cities' ? options.limit : undefined
  if (known !== undefined && limit !== undefined) checkLimit(limit, known)
  if (known?.isComplete === true && there === known.plannedCount) {
    return { source: known.source, records: there, inserted: 0, ms: performance.now() - began, perSecond: 0 }
  }
  const source = load()
  const plannedCount = known?.plannedCount ?? Math.min(limit ?? source.count, source.count)
  const plan = { bucket, source: source.name, sourceCount: source.count, plannedCount }
  await imports.upsert({ ...plan, isComplete: false })
  const missing = missingOf(store, bucket, source, plannedCount)
  // The data set is decoded in one go before this, which is no part of what the store does.
  const insertBegan = performance.now()
  await insertAll(store, bucket, source, missing, options)
  const ms = performance.now() - insertBegan
  await imports.upsert({ ...plan, isComplete: true })
  const records = await store.bucket(bucket).count()
  const inserted = missing.length
  return { source: source.name, records, inserted, ms, perSecond: (inserted / ms) * 1_000 }
}

function checkLimit(limit: number, known: { readonly plannedCount: number; readonly sourceCount: number }): void {
  if (Math.min(limit, known.sourceCount) === known.plannedCount) return
  const has = `the file was made for ${formatCount(known.plannedCount)} cities, not ${formatCount(limit)}`
  throw new CliError(`${has}; leave --limit out to open it, or add --reset to import again`)
}

/** Places in `source` of what is planned and not there. */
function missingOf<I>(store: DemoStore, bucket: Imported, source: Source<I>, planned: number): number[] {
  return store.read((view) => {
    const reader = view.bucket(bucket)
    const places = Array.from({ length: planned }, (_, i) => Math.floor((i * source.count) / planned))
    return places.filter((place) => !reader.has(source.key(place)))
  })
}

async function insertAll<I>(
  store: DemoStore,
  bucket: Imported,
  source: Source<I>,
  places: readonly number[],
  { interrupt, progress }: ImportOptions,
): Promise<void> {
  const handle = store.bucket(bucket) as { insertMany(list: readonly I[]): Promise<unknown> }
  const there = await store.bucket(bucket).count()
  const bar = bucket === 'cities' ? new Progress(progress, 'cities', there + places.length, there) : undefined
  try {
    for (let from = 0; from < places.length; from += BATCH_RECORDS) {
      await interrupt.check()
      const batch = places.slice(from, from + BATCH_RECORDS)
      await handle.insertMany(batch.map((place) => source.record(place)))
      bar?.update(there + from + batch.length)
    }
    await interrupt.check()
  } finally {
    bar?.end()
  }
}

/** Says what was done. */
export function printImport(page: Page, result: ImportResult, place: string): void {
  const { countries, cities, mode } = result
  const all = [
    ['countries', countries],
    ['cities', cities],
  ] as const
  if (mode === 'opened') {
    const rows = all.map(([bucket, { source, records }]) => [bucket, source, formatCount(records)])
    page.table(['bucket', 'imported from', 'records'], rows, ['left', 'left', 'right'])
  } else {
    page.table(
      ['bucket', 'from', 'records', 'inserted', 'time', 'rate'],
      all.map(([bucket, one]) => importRow(bucket, one)),
      ['left', 'left', 'right', 'right', 'right', 'right'],
    )
  }
  page.line()
  const said = {
    imported: `Imported into ${place}.`,
    resumed: `An earlier import into ${place} had been interrupted; this run completed it.`,
    opened: `Nothing to import: ${place} has it all.`,
  }
  page.line(said[mode])
  if (result.top !== null) printTopList(page, result.top)
}

function importRow(bucket: string, { source, records, inserted, ms, perSecond }: BucketImport): string[] {
  const [time, rate] = inserted === 0 ? ['', ''] : [formatDuration(ms), `${formatCount(perSecond)}/s`]
  return [bucket, source, formatCount(records), formatCount(inserted), time, rate]
}
