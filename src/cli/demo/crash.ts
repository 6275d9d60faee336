import { isDeepStrictEqual } from 'node:util'
import type { ProcessEvent } from '../../lifecycle/bucket-events.js'
import type { TreeNode } from '../../supervise/child.js'
import { formatCount, formatDuration } from '../format.js'
import type { Page } from '../page.js'
import type { DemoStore } from './buckets.js'

const PROCESS = 'bucket:cities'

/** What happened. */
export interface CrashResult {
  readonly process: string
  readonly events: readonly string[]
  readonly before: { readonly records: number; readonly record: string }
  readonly after: { readonly records: number; readonly record: string }
  /** The record that was looked at is the same, metadata included. */
  readonly isSame: boolean
  /** How long a call waited that was made right after the crash. */
  readonly waitedMs: number
  /** How long a call to the other bucket took meanwhile. */
  readonly siblingMs: number
  readonly tree: TreeNode
}

/** Crashes the process of the cities and watches it come back with its data. */
export async function runCrash(store: DemoStore): Promise<CrashResult> {
  const cities = store.bucket('cities')
  const events: string[] = []
  const off = await store.on<ProcessEvent>('process.*', (_event, topic) => {
    events.push(topic)
  })
  const records = await cities.count()
  const [record] = await cities.last(1)
  if (!store.kill(PROCESS)) throw new Error(`there is no process ${PROCESS} to kill`)
  const began = performance.now()
  const elapsed = (): number => performance.now() - began
  const waiting = cities.count().then((count) => ({ count, ms: elapsed() }))
  const siblingMs = await store.bucket('countries').get('IS').then(elapsed)
  const { count, ms } = await waiting
  const again = record === undefined ? undefined : await cities.get(record.cityId)
  await store.settle()
  await off()
  return {
    process: PROCESS,
    events,
    before: { records, record: record?.name ?? '' },
    after: { records: count, record: again?.name ?? '' },
    isSame: isDeepStrictEqual(record, again),
    waitedMs: ms,
    siblingMs,
    tree: store.supervision(),
  }
}

/** Shows the process before and after, and the tree it is in. */
export function printCrash(page: Page, result: CrashResult): void {
  const { before, after, isSame, waitedMs, siblingMs } = result
  page.line(`store.kill('${result.process}')  →  ${result.events.join(', ')}`)
  page.line()
  page.list([
    ['before', `${formatCount(before.records)} records, the last one is ${before.record}`],
    [
      'after',
      `${formatCount(after.records)} records, the last one is ${after.record}${isSame ? ', bit for bit' : page.bad(', changed')}`,
    ],
    ['waited', `a call made during the restart was answered after ${formatDuration(waitedMs)}`],
    ['sibling', `countries never noticed: it answered within ${formatDuration(siblingMs)}`],
  ])
  page.line()
  page.table(['process', 'kind', 'state', 'restarts', 'mailbox'], treeRows(page, result.tree), [
    'left',
    'left',
    'left',
    'right',
    'right',
  ])
}

function treeRows(page: Page, node: TreeNode, indent: string = ''): string[][] {
  const { name, kind, strategy, state, restarts, mailbox, children = [] } = node
  const shown = state === 'running' ? page.good(state) : page.bad(state)
  const own = [indent + name, strategy ?? kind, shown, formatCount(restarts), formatCount(mailbox)]
  return [own, ...children.flatMap((child) => treeRows(page, child, `${indent}  `))]
}
