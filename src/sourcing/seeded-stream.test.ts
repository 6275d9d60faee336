import { expect, test } from 'vitest'
import { virtualRuntime } from '../testing/runtime.js'
import { EventSeed, SeededRuntime } from './seeded-stream.js'

const host = virtualRuntime()
const SEED = '6f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b'
const fixed = (label: string, text = SEED) =>
  new SeededRuntime(
    host,
    () => 5,
    new EventSeed(() => host.uuid(), text),
    () => label,
  )

test('the same seed and label give the same again, others something else', () => {
  const draw = (runtime: SeededRuntime) => [runtime.random(), runtime.uuid(), runtime.random()]
  expect(draw(fixed('a'))).toEqual(draw(fixed('a')))
  expect(draw(fixed('a'))).not.toEqual(draw(fixed('b')))
  expect(draw(fixed('a'))).not.toEqual(draw(fixed('a', SEED.replace('b', 'c'))))
})

test('what is drawn from a seed never changes: it is in the logs of others', () => {
  const runtime = fixed('0/reduce/0')
  expect([runtime.uuid(), runtime.uuid(), runtime.random(), runtime.now()]).toMatchSnapshot()
})

test('ids of different events and handlers are all different', () => {
  const ids = new Set<string>()
  for (let i = 0; i < 2_000; i++) {
    const seed = new EventSeed(() => host.uuid())
    for (const label of ['a', 'b', 'c'])
      ids.add(
        new SeededRuntime(
          host,
          () => 0,
          seed,
          () => label,
        ).uuid(),
      )
  }
  expect(ids.size).toBe(6_000)
})

test('numbers are spread evenly', () => {
  let sum = 0
  for (let i = 0; i < 10_000; i++)
    sum += new SeededRuntime(
      host,
      () => 0,
      new EventSeed(() => host.uuid()),
      () => 'x',
    ).random()
  expect(sum / 10_000).toBeGreaterThan(0.48)
  expect(sum / 10_000).toBeLessThan(0.52)
})

test('a seed that nobody needs is not kept', () => {
  const seed = new EventSeed(() => host.uuid())
  expect(
    new SeededRuntime(
      host,
      () => 5,
      seed,
      () => 'x',
    ).now(),
  ).toBe(5)
  seed.draw()
  expect(seed.text).toBeUndefined()
  seed.stream('x')
  expect(seed.text).toMatch(/^[0-9a-f-]{36}$/)
})
