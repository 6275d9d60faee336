import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { Store } from '../../src/index.js'
import { wrongAfterKills } from './support/killed-life.js'
import type { Told } from './support/killed-life.js'

const CHILD = fileURLToPath(new URL('support/events-child.mjs', import.meta.url))
/** How often it is killed. */
const LIVES = Number(process.env['LIVES'] ?? 8)

/** What is wrong with the file, given what was acknowledged. */
async function judge(file: string, told: readonly Told[]): Promise<string[]> {
  const wrong: string[] = []
  expect(told.some(({ dispatched }) => dispatched !== undefined)).toBe(true)
  // Opened without handlers that do anything: what is still queued stays where it is.
  const store = (await Store.start({
    file,
    history: 'forever',
    onError: () => undefined,
    buckets: {
      done: { key: 'id', schema: { id: { type: 'string' } } },
      sums: { key: 'id', schema: { id: { type: 'string' } } },
    },
  })) as Store
  await store.queue.idle()
  const waiting = new Set(store.parked.list().map(({ data }) => data.id))
  const done = new Map((await store.bucket('done').all()).map(({ id, times }) => [id, times as number]))
  for (const { dispatched, queued } of told) {
    if (dispatched !== undefined && !done.has(dispatched)) wrong.push(`${dispatched} was acknowledged and is lost`)
    if (queued !== undefined && !done.has(queued) && !waiting.has(queued) && !isBehindParked(queued, waiting)) {
      wrong.push(`${queued} was queued and is lost`)
    }
  }
  for (const [id, times] of done) {
    if (times !== 1) wrong.push(`${String(id)} has happened ${times} times`)
    if (waiting.has(id as string)) wrong.push(`${String(id)} has happened and is still queued`)
  }
  const sum = (await store.bucket('sums').get('all'))?.sum
  if (sum !== done.size) wrong.push(`${done.size} events have happened, ${String(sum)} were counted`)
  const entries = (await store.log.read({ types: ['work'] })).length
  if (entries !== [...done.values()].reduce((all, times) => all + times, 0)) wrong.push('log and rows differ')
  await store.stop()
  return wrong
}

/** Without definitions every event at the head of its lane is parked; those behind it wait. */
function isBehindParked(id: string, waiting: ReadonlySet<unknown>): boolean {
  const [, lane] = id.split('-')
  return [...waiting].some((other) => String(other).split('-')[1] === lane)
}

test('killed at any moment, no event is lost and none has its effects twice', async () => {
  expect(await wrongAfterKills(CHILD, { lives: LIVES, msMax: 280 }, judge)).toEqual([])
}, 120_000)

test('the check finds a planted double effect', async () => {
  expect(await wrongAfterKills(CHILD, { bug: 'twice', lives: 3, msMax: 280 }, judge)).toContainEqual(
    expect.stringMatching(/has happened \d+ times/),
  )
}, 120_000)
