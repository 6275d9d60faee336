import { rmSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { EventNotParkedError, QueuedEventFailedError, SQLiteAdapter, Store } from '../../src/index.js'
import type { QueuePolicy } from '../../src/index.js'
import { FaultPlan, faultyAdapter } from '../../src/testing/faults.js'
import { quickFolder } from '../proof/support/places.js'
import { gate, open, openVirtual, rejection, turn } from './opened.js'

const NOTES = { key: 'id', schema: { id: { type: 'string' } } } as const
const place = quickFolder('queue')
afterAll(() => rmSync(place, { recursive: true, force: true }))

describe('the clock of the machine', () => {
  test('set back, it holds nothing up; delays count from when the event was queued', async () => {
    const { store, runtime } = await openVirtual()
    const at: number[] = []
    store.defineEvent('work', { reduce: () => void at.push(runtime.elapsed()) })
    await store.enqueue('work')
    await runtime.advance(10)
    runtime.jump(-3_600_000)
    const from = runtime.elapsed()
    await store.enqueue('work')
    await store.enqueue('work', {}, { delayMs: 500 })
    await runtime.advance(1_000)
    expect(at.slice(1).map((ms) => ms - from)).toEqual([0, 500])
  })

  test('ahead for a moment, and right again: what is queued is handled, also after a restart, and retries come', async () => {
    const { store, runtime } = await openVirtual()
    let failures = 0
    const seen: unknown[] = []
    store.defineEvent('work', {
      policy: { retries: 3, backoffMs: 100 },
      reduce: ({ data }) => {
        if (data.fails === true && failures++ < 2) throw new Error('not yet')
        seen.push(data.n)
      },
    })
    runtime.jump(10 * 365 * 86_400_000)
    await store.enqueue('work', { n: 1 })
    await runtime.advance(1)
    runtime.jump(-10 * 365 * 86_400_000)
    await store.enqueue('work', { n: 2 })
    await store.enqueue('work', { n: 3, fails: true })
    await runtime.advance(1_000)
    expect(seen).toEqual([1, 2, 3])
  })
})

/** A store with an event that parks, one that halts, and one that only works, all told to fail by `failing`. */
async function mixed() {
  const failing = new Set<string>()
  const runs: string[] = []
  const hold = gate()
  const errors: Error[] = []
  const store = await open({ onError: (error) => void errors.push(error) })
  const define = (type: string, policy: QueuePolicy, wait: boolean): unknown =>
    store.defineEvent(type, {
      policy,
      lane: ({ lane }) => lane as string | undefined,
      transact: async ({ data }) => {
        runs.push(`${type} ${String(data.id)}`)
        if (wait) await hold.opened
        if (failing.has(type)) throw new Error(`cannot ${type}`)
      },
    })
  define('parks', { retries: 0, onFailure: 'park' }, true)
  define('halts', { retries: 0, onFailure: 'halt' }, false)
  return { store, failing, runs, hold, errors }
}

describe('an event that is parked while the queue has halted', () => {
  test('is not handled again by resume (EV3)', async () => {
    const { store, failing, runs, hold } = await mixed()
    failing.add('parks').add('halts')
    const id = await store.enqueue('parks', { id: 1 })
    await store.enqueue('halts', { id: 2 })
    await turn()
    hold.open()
    await store.queue.idle()
    expect(store.queue.stats).toMatchObject({ parked: 1, waiting: 1 })
    failing.clear()
    store.queue.resume()
    await store.queue.idle()
    expect(runs).toEqual(['parks 1', 'halts 2', 'halts 2'])
    expect(store.parked.list().map((event) => event.id)).toEqual([id])
  })

  test('can be dropped; its lane then goes on, in order (EV3)', async () => {
    const { store, failing, runs, hold } = await mixed()
    failing.add('parks').add('halts')
    const id = await store.enqueue('parks', { id: 1, lane: 'L' })
    for (const n of [2, 3]) await store.enqueue('parks', { id: n, lane: 'L' })
    await store.enqueue('halts', { id: 4 })
    await turn()
    hold.open()
    await store.queue.idle()
    await store.parked.drop(id)
    failing.clear()
    store.queue.resume()
    await store.queue.idle()
    expect(runs).toEqual(['parks 1', 'halts 4', 'halts 4', 'parks 2', 'parks 3'])
    expect(store.queue.stats).toMatchObject({ parked: 0, waiting: 0 })
  })
})

describe('a lane', () => {
  test('keeps the order in which events were queued, whatever they are to survive (EV3)', async () => {
    const seen: unknown[] = []
    const store = await open({ file: `${place}/order.db` })
    store.defineEvent('work', { lane: () => 'L', reduce: ({ data }) => void seen.push(data.n) })
    await Promise.all(
      [1, 2, 3, 4, 5].map((n) => store.enqueue('work', { n }, { durability: n % 2 === 1 ? 'disk' : 'memory' })),
    )
    await store.queue.idle()
    expect(seen).toEqual([1, 2, 3, 4, 5])
  })

  test('goes on after an event of it was taken back because the storage failed', async () => {
    const plan = new FaultPlan()
    const adapter = faultyAdapter(new SQLiteAdapter({ filename: `${place}/back.db` }), plan)
    const seen: unknown[] = []
    const store = await open({ persistence: { adapter }, onError: () => undefined })
    store.defineEvent('work', { lane: () => 'A', reduce: ({ data }) => void seen.push(data.n) })
    await store.enqueue('work', { n: 0 })
    await store.queue.idle()
    plan.arm({ failAt: 1, times: 1, only: /append/, error: () => new Error('the disk is gone') })
    await Promise.allSettled([1, 2, 3].map((n) => store.enqueue('work', { n }, { durability: 'memory' })))
    await store.settle().catch(() => undefined)
    plan.arm(undefined)
    const accepted = [10, 11]
    for (const n of accepted) await store.enqueue('work', { n })
    await store.queue.idle()
    expect(seen.filter((n) => accepted.includes(n as number))).toEqual(accepted)
    expect(store.queue.stats).toMatchObject({ waiting: 0, running: 0 })
  })
})

describe('an error that is no ordinary one', () => {
  test.each<[string, unknown]>([
    ['of another store', 'StoreStoppedError'],
    ['not an error', 'text'],
  ])('%s: the policy holds as for any other', async (_, thrown) => {
    const other = await Store.start()
    await other.stop()
    const { store, runtime } = await openVirtual({ onError: (error) => void errors.push(error) })
    const errors: Error[] = []
    store.defineEvent('work', {
      policy: { retries: 0 },
      transact: async () => {
        if (thrown === 'StoreStoppedError') await other.defineBucket('x', NOTES)
        throw thrown
      },
    })
    await store.enqueue('work')
    await runtime.advance(10)
    expect(store.parked.list()).toHaveLength(1)
    expect(errors).toHaveLength(1)
  })

  test('the wait before another attempt stays a number, after however many', async () => {
    const { store, runtime } = await openVirtual({ onError: () => undefined })
    let attempts = 0
    store.defineEvent('work', {
      policy: { retries: Number.MAX_SAFE_INTEGER, backoffMs: 0 },
      reduce: () => {
        if (attempts++ < 1_100) throw new Error('again')
      },
    })
    await store.enqueue('work')
    await runtime.advance(1)
    expect(attempts).toBe(1_101)
    expect(store.queue.stats).toMatchObject({ waiting: 0, parked: 0 })
  })

  test('the last failure says which event it was, and what became of it', async () => {
    const { store, failing, errors, hold } = await mixed()
    hold.open()
    failing.add('parks').add('halts')
    await store.enqueue('parks', { id: 1, lane: 'L' })
    await store.enqueue('halts', { id: 2 })
    await store.queue.idle()
    expect(errors.map(({ message }) => message)).toEqual([
      'event "parks": transact failed: cannot parks; nothing was written (queued as 1 in lane "L", attempt 1); it is parked; store.parked.edit, replay or drop it',
      'event "halts": transact failed: cannot halts; nothing was written (queued as 2, attempt 1); the queue stands still; repair its handlers and call store.queue.resume()',
    ])
    expect(errors[0]).toBeInstanceOf(QueuedEventFailedError)
    expect(errors[0]).toMatchObject({ id: 1, lane: 'L', attempts: 1, outcome: 'parked', code: 'EVENT_FAILED' })
  })
})

describe('a parked event', () => {
  async function parked() {
    const seen: unknown[] = []
    let atOnce = 0
    let atOnceMax = 0
    let fails = true
    let hold = gate()
    const store = await open({ onError: () => undefined })
    store.defineEvent('work', {
      policy: { retries: 0 },
      transact: async ({ data }) => {
        seen.push(data.n)
        atOnceMax = Math.max(atOnceMax, ++atOnce)
        await hold.opened
        atOnce--
        if (fails) throw new Error('no')
      },
    })
    const id = await store.enqueue('work', { n: 1 })
    await turn()
    hold.open()
    await store.queue.idle()
    fails = false
    hold = gate()
    seen.length = 0
    return { store, id, seen, release: () => hold.open(), max: () => atOnceMax }
  }

  test('is handled once, however many replay it at a time (EV3)', async () => {
    const { store, id, seen, release, max } = await parked()
    const both = [store.parked.replay(id), store.parked.replay(id)]
    await turn()
    release()
    const results = await Promise.allSettled(both)
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect((results[1] as PromiseRejectedResult).reason).toBeInstanceOf(EventNotParkedError)
    expect(seen).toEqual([1])
    expect(max()).toBe(1)
  })

  test('cannot be edited or dropped while it is replayed: who tries is told that it is gone', async () => {
    const { store, id, seen, release } = await parked()
    const replay = store.parked.replay(id)
    await turn()
    const others = [rejection(store.parked.edit(id, { n: 2 })), rejection(store.parked.drop(id))]
    await turn()
    release()
    await replay
    for (const error of await Promise.all(others)) expect(error).toBeInstanceOf(EventNotParkedError)
    expect(seen).toEqual([1])
  })
})

test('schedules of lanes, delays, failures of each policy and resumes: each event once, in its lane in order (EV3)', async () => {
  const policies = ['skip', 'park', 'halt'] as const
  const event = fc.record({
    lane: fc.constantFrom(undefined, 'a', 'b', 'c'),
    delayMs: fc.constantFrom(0, 0, 5, 50),
    policy: fc.constantFrom(...policies),
    failures: fc.constantFrom(0, 0, 0, 1, 2, 3),
    waits: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 25 }), fc.array(fc.nat(60)), async (events, pauses) => {
      const { store, runtime } = await openVirtual({ onError: () => undefined })
      const failed = new Map<unknown, number>()
      const log: { id: number; done: boolean }[] = []
      for (const onFailure of policies) {
        store.defineEvent(onFailure, {
          policy: { retries: 1, backoffMs: 7, onFailure },
          lane: ({ lane }) => lane as string | undefined,
          transact: async ({ data }) => {
            const id = data.id as number
            if (data.waits === true) await new Promise<void>((resolve) => void runtime.setTimer(3, resolve))
            const count = failed.get(id) ?? 0
            failed.set(id, count + 1)
            log.push({ id, done: count >= (data.failures as number) })
            if (count < (data.failures as number)) throw new Error('no')
          },
        })
      }
      for (const [i, { policy, delayMs, ...data }] of events.entries()) {
        await store.enqueue(policy, JSON.parse(JSON.stringify({ ...data, id: i })), { delayMs })
        if (pauses[i] !== undefined) await runtime.advance(pauses[i])
        if ((pauses[i] ?? 0) > 40) store.queue.resume()
      }
      for (let i = 0; i < events.length * 3 + 3; i++) {
        await runtime.advance(200)
        store.queue.resume()
      }
      const done = log.filter((entry) => entry.done).map(({ id }) => id)
      expect(new Set(done).size).toBe(done.length)
      for (const lane of ['a', 'b', 'c']) {
        const ofLane = done.filter((id) => events[id]?.lane === lane)
        expect(ofLane).toEqual([...ofLane].sort((a, b) => a - b))
      }
      const blocked = new Set<unknown>()
      const expected = events.flatMap(({ lane, policy, failures }, id) => {
        if (blocked.has(lane)) return []
        if (failures < 2 || policy === 'halt') return [id]
        // What is parked holds up what comes after it in its lane.
        if (policy === 'park' && lane !== undefined) blocked.add(lane)
        return []
      })
      expect([...done].sort((x, y) => x - y)).toEqual(expected)
      expect(store.queue.stats.running).toBe(0)
      await store.stop()
    }),
    { numRuns: Number(process.env['VARVE_RUNS'] ?? 60) },
  )
})
