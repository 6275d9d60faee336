import { formatCount, formatDuration, formatThings, shorten } from '../format.js'
import { Page } from '../page.js'
import type { TextStream } from '../page.js'
import type { CheckResult } from './result.js'
import { isDifferent } from './compare.js'
import type { Difference } from './compare.js'

const FAILURES_SHOWN = 10
const DIFFERENCES_SHOWN = 5
const CELL_LENGTH = 90

/** Prints what a check has found, for people. */
export function printCheck(out: TextStream, result: CheckResult): void {
  const page = new Page(out)
  const { buckets, entries, events, failed, failures, undefinedBuckets } = result
  page.line(`${page.style('bold', 'varve check')} ${page.dim(`${result.varve} · ${result.file} · ${result.module}`)}`)
  page.line()
  page.list([
    ['replayed', `${formatThings(entries, 'entry', 'entries')}, ${formatThings(events, 'event')}`],
    ['hash', result.hash],
  ])
  page.line()
  const columns = ['bucket', 'in the file', 'replayed', 'added', 'removed', 'changed', '']
  page.table(
    columns,
    buckets.map((bucket) => {
      const { before, after, added, removed, changed, isReordered } = bucket
      const note = isReordered ? 'in another order' : isDifferent(bucket) ? '' : 'the same'
      return [bucket.bucket, ...[before, after, added, removed, changed].map(formatCount), note]
    }),
    ['left', 'right', 'right', 'right', 'right', 'right', 'left'],
  )
  page.line()
  for (const { bucket, first, added, removed, changed } of buckets) {
    if (first.length === 0) continue
    page.line(page.style('bold', bucket))
    for (const difference of first.slice(0, DIFFERENCES_SHOWN)) page.line(describe(difference))
    const more = added + removed + changed - Math.min(first.length, DIFFERENCES_SHOWN)
    if (more > 0) page.line(page.dim(`… and ${formatCount(more)} more`))
    page.line()
  }
  if (failed > 0) {
    page.line(page.bad(`${formatThings(failed, 'event')} cannot be handled:`))
    for (const { seq, message } of failures.slice(0, FAILURES_SHOWN)) {
      page.line(`entry ${seq}  ${shorten(message, CELL_LENGTH)}`)
    }
    page.line()
  }
  if (undefinedBuckets.length > 0) {
    page.line(`Not compared, because the module does not define them: ${undefinedBuckets.join(', ')}`)
  }
  const time = `The file was only read. Checked in ${formatDuration(result.ms)}.`
  page.line(`${result.isSame ? page.good('The state is the same.') : page.bad('The state is different.')} ${time}`)
}

function describe({ key, kind, before, after, fields }: Difference): string {
  const text = (value: unknown): string => shorten(JSON.stringify(value) ?? 'nothing', CELL_LENGTH)
  const id = JSON.stringify(key)
  if (kind === 'added') return `+ ${id}  ${text(after)}`
  if (kind === 'removed') return `- ${id}  ${text(before)}`
  const each = (fields ?? []).map((name) => `${name}: ${text(before?.[name])} → ${text(after?.[name])}`)
  return `~ ${id}  ${shorten(each.join(', '), 2 * CELL_LENGTH)}`
}
