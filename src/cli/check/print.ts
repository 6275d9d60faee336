import { canonicalJson } from '../../base/canonical-json.js'
import type { Value } from '../../base/value.js'
import { formatCount, formatDuration, formatThings, shorten, shortenBoth } from '../format.js'
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
  const { buckets, entries, events, failed, failures } = result
  page.line(`${page.style('bold', 'varve check')} ${page.dim(`${result.varve} · ${result.file} · ${result.module}`)}`)
  page.line()
  page.list([
    ['replayed', `${formatThings(entries, 'entry', 'entries')}, ${formatThings(events, 'event')}`],
    [result.isComplete && result.ignored.length === 0 ? 'hash' : 'hash of what was compared', result.hash],
  ])
  printTaken(page, result)
  page.line()
  const columns = ['bucket', 'in the file', 'replayed', 'added', 'removed', 'changed', '']
  page.table(
    columns,
    buckets.map((bucket) => {
      const { before, after, added, removed, changed, isReordered } = bucket
      const same = bucket.isNew ? 'new, and empty' : 'the same'
      const note = isReordered ? 'in another order' : !isDifferent(bucket) ? same : bucket.isNew ? 'new' : ''
      return [bucket.bucket, ...[before, after, added, removed, changed].map(formatCount), note]
    }),
    ['left', 'right', 'right', 'right', 'right', 'right', 'left'],
  )
  page.line()
  for (const { bucket, first, added, removed, changed } of buckets) {
    if (first.length === 0) continue
    page.line(page.style('bold', bucket))
    for (const difference of first.slice(0, DIFFERENCES_SHOWN)) for (const line of describe(difference)) page.line(line)
    const more = added + removed + changed - Math.min(first.length, DIFFERENCES_SHOWN)
    if (more > 0) page.line(page.dim(`… and ${formatCount(more)} more`))
    page.line()
  }
  if (failed > 0) {
    page.line(page.bad(`${formatThings(failed, 'event')} cannot be handled:`))
    for (const { seq, message } of failures.slice(0, FAILURES_SHOWN)) {
      page.line(`entry ${seq}  ${message}`)
    }
    page.line()
  }
  printAnswer(page, result)
}

/** What was not handled again. */
function printTaken(page: Page, { recorded, transactTypes, unknownBuckets, skipped }: CheckResult): void {
  const listed = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ')
  if (recorded > 0) {
    page.line()
    page.line(`${formatThings(recorded, 'event')} taken as recorded:`)
    if (transactTypes.length > 0)
      page.line(`  transact of ${listed(transactTypes)} was not run (--run-transact runs it)`)
    if (unknownBuckets.length > 0) {
      page.line(
        `  what was in ${listed(unknownBuckets)} then is not known: cleared or dropped later, or with eviction 'lru'`,
      )
    }
  }
  if (skipped === 0) return
  page.line()
  page.line(`${formatThings(skipped, 'event')} left out by projections with onFailure 'skip'.`)
}

function printAnswer(page: Page, { isSame, isComplete, notCompared, ignored, ms }: CheckResult): void {
  if (ignored.length > 0) page.line(`Left out, as asked: ${ignored.join(', ')}.`)
  if (!isComplete) {
    page.line(
      `Not compared, because the module does not define them, or does not store them: ${notCompared.join(', ')}.`,
    )
    const flags = notCompared.map((name) => `--ignore ${name}`).join(' ')
    page.line(`Define them, or leave them out: ${flags}`)
  }
  const time = `The file was only read. Checked in ${formatDuration(ms)}.`
  if (!isSame) page.line(`${page.bad('The state is different.')} ${time}`)
  else if (!isComplete) page.line(`${page.bad('Incomplete: what was compared is the same.')} ${time}`)
  else if (ignored.length > 0) page.line(`${page.good('What was compared is the same.')} ${time}`)
  else page.line(`${page.good('The state is the same.')} ${time}`)
}

/** One line, or one for each field where they are too long for one. */
function describe({ key, kind, before, after, fields = [] }: Difference): string[] {
  const id = JSON.stringify(key)
  if (kind === 'added') return [`+ ${id}  ${shorten(text(after), CELL_LENGTH)}`]
  if (kind === 'removed') return [`- ${id}  ${shorten(text(before), CELL_LENGTH)}`]
  const each = fields.map((name) => {
    const [was, is] = shortenBoth(text(before?.[name]), text(after?.[name]), CELL_LENGTH)
    return `${name}: ${was} → ${is}`
  })
  const line = `~ ${id}  ${each.join(', ')}`
  return Array.from(line).length <= 2 * CELL_LENGTH ? [line] : [`~ ${id}`, ...each.map((field) => `    ${field}`)]
}

/** In one order of fields, so that only what differs looks different. */
function text(value: Value | undefined): string {
  return value === undefined ? 'nothing' : canonicalJson(value)
}
