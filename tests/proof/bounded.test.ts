import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Store } from '../../src/index.js'
import { quickFolder } from './support/places.js'

const BUDGET_BYTES = 200_000

/** Writes `rounds` times 500 updates of the same ten records, and says how many bytes the files have after each. */
async function sizes(history: 'forever' | { readonly bytes: number }, rounds: number): Promise<number[]> {
  const folder = quickFolder('varve-bounded-')
  const file = join(folder, 'a.db')
  const definition = { key: 'id', schema: { id: { type: 'number' }, text: { type: 'string' } } } as const
  const store = await Store.start({ file, history, durability: 'process', buckets: { things: definition } })
  const things = store.bucket('things')
  const text = 'x'.repeat(200)
  await things.insertMany(Array.from({ length: 10 }, (_, id) => ({ id, text })))
  const found: number[] = []
  for (let round = 0; round < rounds; round++) {
    const writes = Array.from({ length: 500 }, (_, n) => things.update(n % 10, { text: `${text}${round}.${n}` }))
    await Promise.all(writes)
    await store.flush()
    found.push(['', '-wal'].reduce((sum, end) => sum + (statSync(file + end, { throwIfNoEntry: false })?.size ?? 0), 0))
  }
  await store.stop()
  rmSync(folder, { recursive: true, force: true })
  return found
}

test('a write loop does not make the file grow beyond its history budget', async () => {
  const found = await sizes({ bytes: BUDGET_BYTES }, 40)
  // The write-ahead log is kept at up to 8 MB, free pages at about 1 MB; what matters is that it stays so.
  expect(Math.max(...found)).toBeLessThan(12_000_000)
  const [middle, end] = [Math.max(...found.slice(15, 25)), Math.max(...found.slice(30))]
  expect(end).toBeLessThanOrEqual(middle * 1.1)
}, 60_000)

test('the measurement finds a file that grows: with all of the history', async () => {
  const found = await sizes('forever', 40)
  expect(found.at(-1)).toBeGreaterThan(15_000_000)
}, 60_000)
