import fc from 'fast-check'
import { expect, test } from 'vitest'
import { virtualRuntime } from './runtime.js'

test('time moves only when told to, and timers run by due time, then in the order they were set', async () => {
  const runtime = virtualRuntime({ startAt: 1_000 })
  const seen: string[] = []
  runtime.setTimer(20, () => seen.push(`c${runtime.now()}`))
  runtime.setTimer(10, () => seen.push(`a${runtime.now()}`))
  runtime.setTimer(10, () => seen.push(`b${runtime.now()}`))
  runtime.defer(() => seen.push(`d${runtime.now()}`))
  expect(runtime.pending).toEqual({ timers: 3, deferred: 1 })
  await runtime.advance(15)
  expect(seen).toEqual(['d1000', 'a1010', 'b1010'])
  expect([runtime.now(), runtime.elapsed()]).toEqual([1_015, 15])
  await runtime.advance(5)
  expect(seen.at(-1)).toBe('c1020')
  expect(runtime.pending).toEqual({ timers: 0, deferred: 0 })
})

test('promise jobs settle between one task and the next', async () => {
  const runtime = virtualRuntime()
  const seen: string[] = []
  runtime.setTimer(1, () => {
    seen.push('timer')
    void (async () => {
      for (let index = 0; index < 100; index += 1) await undefined
      seen.push('promises')
      runtime.setTimer(0, () => seen.push('timer of the promise'))
    })()
  })
  runtime.setTimer(1, () => seen.push('second timer'))
  await runtime.advance(1)
  expect(seen).toEqual(['timer', 'promises', 'second timer', 'timer of the promise'])
})

test('a cancelled timer does not run, whenever and however often it is cancelled', async () => {
  const runtime = virtualRuntime()
  const seen: number[] = []
  const later = runtime.setTimer(2, () => seen.push(2))
  const sooner = runtime.setTimer(1, () => {
    seen.push(1)
    later.cancel()
    sooner.cancel()
  })
  later.cancel()
  expect(runtime.pending.timers).toBe(1)
  await runtime.advance(10)
  later.cancel()
  expect(seen).toEqual([1])
  expect(runtime.pending.timers).toBe(0)
})

test('a jump of the wall clock runs nothing and leaves elapsed time and timers alone', async () => {
  const runtime = virtualRuntime({ startAt: 5_000 })
  let ran = 0
  runtime.setTimer(10, () => (ran += 1))
  runtime.jump(-4_000)
  expect([runtime.now(), runtime.elapsed(), ran]).toEqual([1_000, 0, 0])
  await runtime.advance(10)
  expect([runtime.now(), runtime.elapsed(), ran]).toEqual([1_010, 10, 1])
})

test('runDeferred runs what is due, also what that adds, and time stands still', async () => {
  const runtime = virtualRuntime()
  const seen: number[] = []
  runtime.defer(() => {
    seen.push(1)
    runtime.defer(() => seen.push(2))
  })
  runtime.setTimer(1, () => seen.push(3))
  await runtime.runDeferred()
  expect(seen).toEqual([1, 2])
  expect(runtime.elapsed()).toBe(0)
})

test('T1 a chain of tasks that never ends is an error, a long one over time is not', async () => {
  const runtime = virtualRuntime()
  let ticks = 0
  const tick = (): void => {
    ticks += 1
    if (ticks < 150_000) runtime.setTimer(1, tick)
  }
  tick()
  await runtime.advance(150_000)
  expect(ticks).toBe(150_000)
  const again = (): void => runtime.defer(again)
  again()
  await expect(runtime.runDeferred()).rejects.toThrow('T1')
})

test('the same seed gives the same numbers and UUIDs, another seed others', () => {
  const draw = (seed: number): unknown[] => {
    const runtime = virtualRuntime({ seed })
    return [runtime.random(), runtime.uuid(), runtime.random(), runtime.uuid()]
  }
  expect(draw(42)).toEqual(draw(42))
  expect(draw(42)).not.toEqual(draw(43))
  expect(draw(0.5)).not.toEqual(draw(0.25))
})

test('random numbers are spread over [0, 1) and UUIDs are valid and distinct', () => {
  const runtime = virtualRuntime({ seed: 7 })
  const buckets = new Array<number>(10).fill(0)
  const uuids = new Set<string>()
  for (let index = 0; index < 10_000; index += 1) {
    const value = runtime.random()
    expect(value >= 0 && value < 1).toBe(true)
    buckets[Math.floor(value * 10)] = (buckets[Math.floor(value * 10)] ?? 0) + 1
    uuids.add(runtime.uuid())
  }
  for (const count of buckets) expect(Math.abs(count - 1_000)).toBeLessThan(150)
  expect(uuids.size).toBe(10_000)
  const version4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
  for (const uuid of uuids) expect(uuid).toMatch(version4)
})

test('any set of timers, some cancelled, runs in the order of a stable sort', async () => {
  const timer = fc.record({ ms: fc.nat(20), cancel: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(fc.array(timer, { maxLength: 40 }), async (timers) => {
      const runtime = virtualRuntime()
      const seen: number[] = []
      const handles = timers.map((one, index) => runtime.setTimer(one.ms, () => seen.push(index)))
      timers.forEach((one, index) => one.cancel && handles[index]?.cancel())
      await runtime.advance(20)
      const model = timers.map((one, index) => ({ ...one, index })).filter((one) => !one.cancel)
      expect(seen).toEqual(model.sort((a, b) => a.ms - b.ms || a.index - b.index).map((one) => one.index))
      expect(runtime.pending.timers).toBe(0)
    }),
  )
})
