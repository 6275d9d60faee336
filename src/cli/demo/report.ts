import type { OpenReport } from '../../core-store.js'
import type { StoreStats } from '../../store-stats.js'
import type { Position } from '../../commit/sequencer.js'
import { formatBytes, formatCount, formatDuration } from '../format.js'
import type { Page } from '../page.js'
import type { DemoStore } from './buckets.js'
import { fileSizes } from './place.js'
import type { Place } from './place.js'

/** What the store says about itself. */
export interface Report {
  readonly stats: StoreStats
  readonly openReport: OpenReport
  readonly position: Position
  /** Size of each file of the store, by its path; empty for one in memory. */
  readonly files: { readonly [path: string]: number }
}

/** Asks the store for everything that it says about itself. */
export async function makeReport(store: DemoStore, place: Place): Promise<Report> {
  await store.flush()
  const { openReport, position } = store
  return { stats: await store.getStats(), openReport, position, files: fileSizes(place) }
}

/** Shows it as tables. */
export function printReport(page: Page, { stats, openReport, position, files }: Report): void {
  const { perBucket } = stats.records
  const rows = stats.buckets.names.map((name) => [
    name,
    formatCount(perBucket[name] ?? 0),
    formatCount(stats.indexes.perBucket[name] ?? 0),
  ])
  page.line(page.style('bold', 'getStats()'))
  page.table(
    ['bucket', 'records', 'indexes'],
    [...rows, ['all', formatCount(stats.records.total), formatCount(stats.indexes.total)]],
    ['left', 'right', 'right'],
  )
  page.line()
  page.list([
    ['store', stats.name],
    ['queries', `${stats.queries.defined} defined, ${stats.queries.activeSubscriptions} subscribed`],
    ['persistence', stats.persistence.enabled ? 'on' : 'off'],
    ['ttl', stats.ttl.enabled ? `checked every ${formatDuration(stats.ttl.checkIntervalMs)}` : 'off'],
  ])
  page.line()
  page.line(page.style('bold', 'openReport'))
  page.list(openRows(openReport))
  page.line()
  page.line(page.style('bold', 'position and files'))
  page.list([
    ['visible', `seq ${formatCount(position.visible)}`],
    ['durable', `seq ${formatCount(position.durable)}`],
    ...Object.entries(files).map(([path, bytes]): [string, string] => ['file', `${path}, ${formatBytes(bytes)}`]),
  ])
}

function openRows(report: OpenReport): [string, string][] {
  const { adapter, created, file, logId, head, first, headAt, buckets, truncatedBytes, quarantined, durability } =
    report
  const kept = head < first ? 'none kept' : `seqs ${formatCount(first)} to ${formatCount(head)} kept`
  return [
    ['adapter', adapter],
    ...(file === undefined ? [] : [['file', file] as [string, string]]),
    ['created', created ? 'yes, by this run' : 'no, it was there'],
    ['log', logId],
    ['history', head === 0 ? 'empty' : `${kept}, the last from ${new Date(headAt).toISOString()}`],
    ['buckets', buckets.length === 0 ? 'none yet' : buckets.map(({ bucket }) => bucket).join(', ')],
    ['torn tail', truncatedBytes === 0 ? 'none' : `${formatBytes(truncatedBytes)} cut`],
    ['quarantined', quarantined.length === 0 ? 'nothing' : formatCount(quarantined.length)],
    ['durability', durability],
    ['opened in', formatDuration(report.durationMs)],
  ]
}
