import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { MemoryAdapter } from '../../src/index.js'
import { FieldIndex } from '../../src/state/field-index.js'
import { kinds } from './support/places.js'
import type { Place } from './support/places.js'
import { must, runs } from './support/runs.js'
import { command, step } from './support/script.js'
import type { Command } from './support/script.js'
import { World } from './support/world.js'

/** Runs a script on a fresh place and checks everything after each step. */
async function play(place: Place, keepsLog: boolean, script: readonly Command[]): Promise<void> {
  const world = new World(place)
  try {
    await world.open()
    for (const one of script) {
      await step(world, one)
      await world.check()
    }
    if (keepsLog) await world.checkLog()
    await checkExport(world)
    await world.reopen()
    await world.check()
  } finally {
    await world.close()
  }
}

/** What is exported and imported elsewhere is exported there to the letter, but for the line at the top. */
async function checkExport(world: World): Promise<void> {
  const text = await world.export()
  const adapter = new MemoryAdapter()
  const other = new World({ adapter: () => adapter, cleanup: () => undefined })
  await other.open()
  await other.run(other.store.import([text]))
  const body = (lines: string): string => lines.slice(lines.indexOf('\n'))
  expect(body(await other.export())).toBe(body(text))
  await other.close()
}

function property(make: () => Place, keepsLog: boolean): fc.IAsyncProperty<[Command[]]> {
  return fc.asyncProperty(fc.array(command, { minLength: 10, maxLength: 40 }), (script) =>
    play(make(), keepsLog, script),
  )
}

describe.each(kinds)('on $name', ({ name, keepsLog, make }) => {
  test('any calls, transactions, restarts, crashes: the store answers what the model answers', async () => {
    await fc.assert(property(make, keepsLog), runs(name === 'memory' ? 120 : 20))
  }, 120_000)
})

describe('the model finds planted bugs', () => {
  const memory = must(kinds.find(({ name }) => name === 'memory'))
  const finds = (make: () => Place): Promise<void> =>
    expect(fc.assert(property(make, true), { numRuns: 5_000, endOnFailure: true })).rejects.toThrow(/Property failed/)

  test('an index that does not follow updates', async () => {
    const move = vi.spyOn(FieldIndex.prototype, 'move').mockReturnValue(undefined)
    await finds(memory.make).finally(() => move.mockRestore())
  })

  test('a storage that forgets one deletion', async () => {
    await finds(() => {
      const place = memory.make()
      const adapter = place.adapter() as MemoryAdapter
      const append = adapter.append.bind(adapter)
      let isForgotten = false
      adapter.append = (head, batch) => {
        if (isForgotten || !batch.ops.some(({ op }) => op === 'delete')) return append(head, batch)
        isForgotten = true
        return append(head, { ...batch, ops: batch.ops.filter(({ op }) => op !== 'delete') })
      }
      return { ...place, adapter: () => adapter }
    })
  })
})
