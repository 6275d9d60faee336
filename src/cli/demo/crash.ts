import { isDeepStrictEqual } from 'node:util'
import type { ProcessEvent } from '../../lifecycle/bucket-events.js'
import type { TreeNode } from '../../supervise/child.js'
import { formatCount, formatDuration, formatThings } from '../format.js'
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
  /** Calls that the other bucket answered meanwhile, one after the other. */
  readonly sibling: { readonly calls: number; readonly slowestMs: number }
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
  const waiting = cities.count().then((count) => ({ count, ms: performance.now() - began }))
  const sibling = await callMeanwhile(() => store.bucket('countries').get('IS'), waiting)
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
    sibling,
    tree: store.supervision(),
  }
}

/** Calls again and again until `end` has come. */
async function callMeanwhile(call: () => Promise<unknown>, end: Promise<unknown>): Promise<CrashResult['sibling']> {
  let hasEnded = false
  const onEnd = (): void => {
    hasEnded = true
  }
  void end.then(onEnd, onEnd)
  let slowestMs = 0
  let calls = 0
  while (!hasEnded) {
    const began = performance.now()
    await call()
    // As a caller in another task would: whatever the restart keeps busy meanwhile counts.
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
    calls++
    slowestMs = Math.max(slowestMs, performance.now() - began)
  }
  return { calls, slowestMs }
}

/** Shows the process before and after, and the tree it is in. */
export function printCrash(page: Page, result: CrashResult): void {
  const { before, after, isSame, waitedMs, sibling } = result
  page.line(`store.kill('${result.process}')`)
  for (const topic of result.events) page.line(`→ ${topic}`)
  page.line()
  page.list([
    ['before', `${formatCount(before.records)} records, the last one is ${before.record}`],
    [
      'after',
      `${formatCount(after.records)} records, the last one is ${after.record}, ${isSame ? 'bit for bit' : page.bad('changed')}`,
    ],
    ['waited', `a call made during the restart was answered after ${formatDuration(waitedMs)}`],
    [
      'sibling',
      `countries answered ${formatThings(sibling.calls, 'call')} meanwhile, the slowest in ${formatDuration(sibling.slowestMs)}`,
    ],
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
