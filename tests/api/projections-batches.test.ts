import { expect, test } from 'vitest'
import { splitmix32, xoshiro128starstar } from '../../src/base/seeded-random.js'
import type { ProjectionOptions } from '../../src/index.js'
import { open } from './opened.js'

const PEOPLE = {
  key: 'id',
  schema: {
    id: { type: 'string' },
    mail: { type: 'string', unique: true },
    room: { type: 'string' },
    no: { type: 'number' },
  },
  indexes: [{ fields: ['room', 'no'], unique: true }],
} as const

/** The last one is rare. */
const HOW = ['insert', 'set', 'set', 'upsert', 'upsert', 'delete', 'clear']

const PEOPLE_OF: ProjectionOptions = {
  from: ['e'],
  into: ['people'],
  mode: 'async',
  policy: { retries: 0, onFailure: 'skip' },
  apply: ({ data }, tx) => {
    const people = tx.bucket('people')
    for (const { how, ...record } of data.steps) {
      if (how === 'clear') people.clear()
      else if (how === 'delete') people.delete(record.id)
      else if (how === 'insert') people.insert(record)
      else if (how === 'set') people.set(record)
      else people.upsert(record)
    }
    return data.result && { people: data.result }
  },
}

async function run(events: readonly object[], isBatch: boolean): Promise<unknown> {
  const store = await open({ buckets: { people: PEOPLE }, events: { e: {} }, onError: () => undefined })
  await store.defineProjection('people', PEOPLE_OF)
  for (const data of events) {
    const done = store.dispatch('e', data)
    if (isBatch) continue
    await done
    await store.projected()
  }
  await store.settle()
  await store.projected()
  const state = async () => {
    const rows = (await store.bucket('people').all()).map(({ id, mail, room, no }) => [id, mail, room, no])
    return { rows, skipped: store.projections[0]?.skipped }
  }
  const made = await state()
  expect(await store.rebuild('people')).toMatchObject({ changed: 0 })
  expect(await state()).toEqual(made)
  return made
}

test('what is unique is checked event by event, also where many are one commit', async () => {
  const events = [
    { steps: [{ how: 'insert', id: 'a', mail: 'x' }] },
    { steps: [{ how: 'insert', id: 'b', mail: 'x' }] },
    { steps: [{ how: 'delete', id: 'a' }] },
  ]
  expect(await run(events, true)).toEqual({ rows: [], skipped: 1 })
})

test.each([1, 2, 3, 4, 5, 6])('batches give what one event at a time gives, seed %d', async (seed) => {
  const bits = xoshiro128starstar(splitmix32(seed))
  const below = (n: number): number => bits() % n
  const record = () => ({
    id: `k${below(5)}`,
    ...(below(3) > 0 && { mail: `m${below(5)}` }),
    ...(below(2) > 0 && { room: `r${below(2)}`, no: below(2) }),
  })
  const events = Array.from({ length: 60 }, () => {
    const how = (): unknown => HOW[below(below(5) === 0 ? 7 : 6)]
    const steps = Array.from({ length: below(4) }, () => ({ how: how(), ...record() }))
    const result = [{ upsert: record() }, { remove: record().id, set: record() }, { clear: true, insert: record() }][
      below(9)
    ]
    return { steps, ...(result && { result }) }
  })
  const alone = await run(events, false)
  expect(await run(events, true)).toEqual(alone)
  expect((alone as { skipped: number }).skipped).toBeGreaterThan(0)
})
