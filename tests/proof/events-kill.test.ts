import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { Store } from '../../src/index.js'
import { killedLife } from './support/killed-life.js'
import { quickFolder } from './support/places.js'

const CHILD = fileURLToPath(new URL('support/events-child.mjs', import.meta.url))

interface Told {
  readonly ready?: boolean
  readonly dispatched?: string
  readonly queued?: string
}

/** Lives of one file, each killed at some moment, and what is then wrong with the file. */
async function violations(bug: string, lives: number): Promise<string[]> {
  const folder = quickFolder('varve-kill-')
  const file = join(folder, 'app.db')
  const wrong: string[] = []
  try {
    const told: Told[] = []
    for (let life = 0; life < lives; life++)
      told.push(...(await killedLife<Told>(CHILD, [file, String(life), bug], 30 + Math.random() * 250)))
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
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return wrong
}

/** Without definitions every event at the head of its lane is parked; those behind it wait. */
function isBehindParked(id: string, waiting: ReadonlySet<unknown>): boolean {
  const [, lane] = id.split('-')
  return [...waiting].some((other) => String(other).split('-')[1] === lane)
}

test('killed at any moment, no event is lost and none has its effects twice', async () => {
  expect(await violations('-', 8)).toEqual([])
}, 120_000)

test('the check finds a planted double effect', async () => {
  expect(await violations('twice', 3)).toContainEqual(expect.stringMatching(/has happened \d+ times/))
}, 120_000)
